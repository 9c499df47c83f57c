package exactonline

import (
	"errors"
	"testing"

	"exactduck/extract"

	"github.com/google/go-cmp/cmp"
)

func TestCount(t *testing.T) {
	for body, want := range map[string]int64{
		`{"d":{"__count":"12345","results":[{"ID":null}]}}`: 12345,
		`{"d":{"results":[],"__count":0}}`:                  0,
		`{"d":{"results":[],"__count":"-1"}}`:               -1,
		`{"d":{"results":[],"__count":null}}`:               -1,
		`{"d":{"results":[{"ID":null}]}}`:                   -1,
		`{"d":[{"ID":null}]}`:                               -1,
	} {
		e := &exact{clock: at(noon), answer: func(string, string) (int, string) { return 200, body }}
		n, err := e.source(t, nil).Count(t.Context(), accounts(t, "standard", ""))
		if want < 0 && !errors.Is(err, extract.ErrUncounted) || want >= 0 && (err != nil || n != want) {
			t.Errorf("%s: %d, %v", body, n, err)
		}
		if diff := cmp.Diff([]string{"/api/v1/123/crm/Accounts?$top=1&$inlinecount=allpages&$select=ID"}, e.asked); diff != "" {
			t.Error(diff)
		}
	}
}

func TestCountOfWhatIsNew(t *testing.T) {
	e := &exact{clock: at(noon), answer: func(string, string) (int, string) { return 200, `{"d":{"results":[],"__count":"3"}}` }}
	s := e.source(t, nil)
	r := accounts(t, "standard", "")
	r.Filter = "Name eq 'a'"
	reads := []extract.Read{r}
	r.From = `{"v":1,"kind":"modified","modified":"2026-06-25T10:00:00"}`
	reads = append(reads, r)
	r.From, r.Since = "", newYear
	for _, r := range append(reads, r) {
		if n, err := s.Count(t.Context(), r); err != nil || n != 3 {
			t.Errorf("%d, %v", n, err)
		}
	}
	const ask = "/api/v1/123/crm/Accounts?$top=1&$inlinecount=allpages&$select=ID&$filter="
	want := []string{
		ask + "Name eq 'a'", ask + "Modified ge datetime'2026-06-25T10:00:00'",
		ask + "(Modified ge datetime'2026-01-01T00:00:00') and (Name eq 'a')",
	}
	if diff := cmp.Diff(want, e.asked); diff != "" {
		t.Error(diff)
	}
}

func TestWhatCannotBeCountedCostsNothing(t *testing.T) {
	e := &exact{clock: at(noon), answer: func(string, string) (int, string) { return 400, refusal("no") }}
	s := e.source(t, nil)
	for _, name := range []string{"sync/crm/Accounts", "bulk/crm/Accounts", "read/financial/ReceivablesList"} {
		if _, err := s.Count(t.Context(), readOf(t, name, "", "ID")); !errors.Is(err, extract.ErrUncounted) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(e.asked) > 0 {
		t.Errorf("asked %q", e.asked)
	}
	for range 2 { // refused once, and not asked again
		if _, err := s.Count(t.Context(), accounts(t, "standard", "")); !errors.Is(err, extract.ErrUncounted) || len(e.asked) != 1 {
			t.Errorf("%v after %d calls", err, len(e.asked))
		}
	}
	if refused, _ := s.Known("crm/Accounts"); !cmp.Equal(refused, []string{"$inlinecount"}) {
		t.Errorf("known %q", refused)
	}
	e = &exact{clock: at(noon), answer: func(string, string) (int, string) { return 403, "" }}
	if _, err := e.source(t, nil).Count(t.Context(), accounts(t, "standard", "")); err == nil || errors.Is(err, extract.ErrUncounted) {
		t.Errorf("a missing right: %v", err)
	}
}
