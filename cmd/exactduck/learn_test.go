package main

import (
	"testing"

	"exactduck/extract/sandbox"
)

// A column that Exact does not know any more costs one refusal, whatever the number of runs; once a
// week it is asked for again, so that it is noticed when it comes back.
func TestWhatWasRefusedIsRemembered(t *testing.T) {
	t.Parallel()
	w := newWorld(t, t.TempDir(), "      - crm/Accounts", sandbox.Options{Divisions: 2, Scale: 0.05})
	w.run(syncOptions{})
	if err := w.sandbox.DropProperty("sync/CRM/Accounts", "Remarks"); err != nil {
		t.Fatal(err)
	}
	refusals := func(nights int) (n int) {
		for range nights {
			w.clock.advance(day24)
			before := len(w.wire.seen)
			w.run(syncOptions{})
			for _, r := range w.wire.seen[before:] {
				if r.status == 400 {
					n++
				}
			}
		}
		return n
	}
	if n := refusals(6); n < 1 || n > 2 { // both divisions are read at once
		t.Errorf("%d refusals in six nights", n)
	}
	if n := refusals(7); n < 1 || n > 2 {
		t.Errorf("%d refusals in the week after, in which it is asked for once more", n)
	}
	if err := w.sandbox.AddProperty("sync/CRM/Accounts", "Remarks", "Edm.String", "back"); err != nil {
		t.Fatal(err)
	}
	if n := refusals(14); n > 0 {
		t.Errorf("%d refusals though it is back", n)
	}
}
