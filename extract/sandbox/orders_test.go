package sandbox

import (
	"fmt"
	"slices"
	"testing"
)

// A view that is brought up to date is the one that sorting again would give.
func TestSortedViewsFollow(t *testing.T) {
	set := &recordSet{columns: []column{{"ID", "Edm.String"}, {"N", "Edm.Int32"}}, index: map[string]int{"ID": 0, "N": 1}, identity: []int{0}}
	byN := func(a, b *record) int { // many are equal
		return compare(a.val(1), b.val(1))
	}
	byKey := func(a, b *record) int { return compare(a.val(0), b.val(0)) }
	s, d := newStore(set), newDice(7, "views")
	for i := range 400 {
		s.put(&record{vals: []any{fmt.Sprintf("%03d", i), int64(d.n(30))}})
	}
	for round := range 300 {
		for range 1 + d.n(9) {
			list := s.made()
			old := pick(d, list)
			switch d.n(3) {
			case 0:
				s.put(&record{vals: []any{fmt.Sprintf("%03d", d.n(1000)), int64(d.n(30))}})
			case 1:
				s.remove(old)
			default:
				s.replace(old, &record{vals: []any{old.vals[0], int64(d.n(30))}})
			}
		}
		key, n := s.sorted("key", byKey), s.sorted("n", byN)
		if !slices.IsSortedFunc(key, byKey) || !slices.IsSortedFunc(n, byN) || len(key) != len(s.records) || len(n) != len(s.records) || len(s.made()) != len(s.records) {
			t.Fatalf("round %d: %d records, %d and %d in the views", round, len(s.records), len(key), len(n))
		}
		for _, list := range [][]*record{key, n, s.made()} {
			for _, r := range list {
				if s.records[r.ident] != r {
					t.Fatalf("round %d: %s is another one", round, r.ident)
				}
			}
		}
	}
}
