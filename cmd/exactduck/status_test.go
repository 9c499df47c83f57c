package main

import (
	"testing"
	"time"

	"exactduck/cmd/exactduck/config"
	"exactduck/extract/sandbox"
)

// What was read longer ago than its max_age is stale; a try that failed makes nothing fresh.
func TestStatusCallsOldReadsStale(t *testing.T) {
	w := newWorld(t, t.TempDir(), "      - {stream: crm/Accounts, max_age: 36h}\n      - crm/Contacts", sandbox.Options{Divisions: 1})
	w.run(syncOptions{})
	look := func() map[string]bool {
		t.Helper()
		how, err := w.standing(t.Context(), []*config.Pipeline{w.pipeline()})
		if err != nil {
			t.Fatal(err)
		}
		stale := map[string]bool{}
		for _, s := range how.Pipelines[0].Streams {
			stale[s.Stream] = s.Stale
			if want := "done, stale"; s.Stale && s.Status == "done" && s.words() != want {
				t.Errorf("%q, want %q", s.words(), want)
			}
		}
		return stale
	}
	w.clock.advance(35 * time.Hour)
	if stale := look(); stale["crm/Accounts"] || stale["crm/Contacts"] {
		t.Errorf("after 35 hours: %v", stale)
	}
	w.clock.advance(2 * time.Hour)
	if stale := look(); !stale["crm/Accounts"] || stale["crm/Contacts"] {
		t.Errorf("after 37 hours: %v", stale)
	}
	_ = w.broken(syncOptions{}, sandbox.Fault{Path: "sync/CRM/Accounts", Nth: 1, Times: -1, Kind: sandbox.ServerError})
	if stale := look(); !stale["crm/Accounts"] {
		t.Error("a read that failed made it fresh")
	}
	w.clock.advance(time.Hour)
	w.run(syncOptions{})
	if stale := look(); stale["crm/Accounts"] {
		t.Error("it was read just now")
	}
}
