package main

import (
	"testing"

	"exactduck/extract/sandbox"
)

// When a stream that has to be read again, because deletions were overlooked, cannot be read that
// night, it is read again as soon as it can, whatever else was read meanwhile.
func TestFailedReloadIsMadeUpFor(t *testing.T) {
	t.Parallel()
	for name, bar := range map[string]func(*sandbox.Sandbox) (err, undo error){
		"revoked":   func(s *sandbox.Sandbox) (error, error) { return s.Revoke(0, "crm/Contacts"), nil },
		"forbidden": func(s *sandbox.Sandbox) (error, error) { return s.Forbid("crm/Contacts"), nil },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, t.TempDir(), streamLines("crm/Contacts", "crm/Accounts"), sandbox.Options{Divisions: 1, Scale: 0.3})
			w.run(syncOptions{})
			w.clock.advance(day24)
			if err := w.sandbox.Change(sandbox.Change{Entity: "crm/Contacts", Delete: 3}); err != nil {
				t.Fatal(err)
			}
			w.clock.advance(80 * day24)
			if err, _ := bar(w.sandbox); err != nil {
				t.Fatal(err)
			}
			if _, err := w.sync(t.Context(), w.pipeline(), syncOptions{}); exitCode(err) != exitPartial {
				t.Errorf("code %d: %v", exitCode(err), err)
			}
			if err := w.sandbox.Restore(0, "crm/Contacts"); err != nil {
				t.Fatal(err)
			}
			if err := w.sandbox.Allow("crm/Contacts"); err != nil {
				t.Fatal(err)
			}
			w.clock.advance(8 * day24) // a refusal is remembered for a week
			w.run(syncOptions{})
			w.equal()
		})
	}
}
