package load

import (
	"testing"

	"exactduck/schema"
)

func recordChecks(b *books, found ...Check) {
	b.t.Helper()
	for i := range found {
		found[i].At = b.tick()
	}
	err := b.RecordChecks(b.t.Context(), Checked{
		Scopes: map[schema.Scope]bool{"7": true, "8": true}, Streams: []string{"crm/Accounts"}, Kinds: []string{"count", "reference"}, Found: found,
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

// The newest result of each check is kept; what says the same again is no news for readers.
func TestChecksTakeThePlaceOfThoseBefore(t *testing.T) {
	b := newBooks(t)
	generation := func() int64 {
		t.Helper()
		id, err := readIdentity(t.Context(), b.db)
		if err != nil {
			t.Fatal(err)
		}
		return id.Generation
	}
	n := int64(5)
	count := Check{Run: "r1", Stream: "crm/Accounts", Scope: "7", Table: "crm.Accounts", Kind: "count", Result: "differs", Here: &n, Detail: "d", Advice: "a"}
	lost := Check{Run: "r1", Stream: "crm/Accounts", Scope: "8", Kind: "reference", Result: "suspect"}
	begin := generation()
	recordChecks(b, count, lost, lost)
	first := generation()
	if first == begin {
		t.Error("findings are not published")
	}
	other := Check{Run: "r1", Stream: "crm/Contacts", Scope: "7", Kind: "count", Result: "same", At: b.moment}
	if err := b.RecordChecks(t.Context(), Checked{Scopes: map[schema.Scope]bool{"7": true}, Streams: []string{"crm/Contacts"}, Kinds: []string{"count"}, Found: []Check{other}}); err != nil {
		t.Fatal(err)
	}
	second := generation()
	count.Run = "r2"
	recordChecks(b, lost, count, lost)
	if generation() != second {
		t.Error("the same findings are published again")
	}
	all, err := b.Checks(t.Context())
	if err != nil || len(all) != 4 || all[0].Run != "r2" || *all[0].Here != 5 || all[0].There != nil || all[0].Advice != "a" || !all[0].At.After(other.At) {
		t.Errorf("checks %+v, %v", all, err)
	}
	recordChecks(b)
	if all, err = b.Checks(t.Context()); err != nil || len(all) != 1 || all[0].Stream != "crm/Contacts" {
		t.Errorf("what is not found any more stays: %+v, %v", all, err)
	}
	if generation() == second {
		t.Error("that something is well again is not published")
	}
}
