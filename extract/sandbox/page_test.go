package sandbox

import (
	"testing"
)

// Answers may be made smaller than Exact's, so that a few records are many pages; never larger.
func TestPageSize(t *testing.T) {
	for size, want := range map[int]int{0: 60, 7: 7, 100: 60} {
		s, err := New(Options{PageSize: size})
		if err != nil {
			t.Fatal(err)
		}
		v := s.view("crm/Accounts")
		d, _ := s.division(0)
		a, err := s.look(v, d, parseAddress("/api/v1/123456/crm/Accounts"), "$select=ID")
		if err != nil || len(a.rows) != want || a.next == "" {
			t.Errorf("of pages of %d: %d records, %v", size, len(a.rows), err)
		}
	}
}
