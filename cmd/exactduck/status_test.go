package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"exactduck/cmd/exactduck/config"
	"exactduck/cmd/exactduck/metrics"
	"exactduck/cmd/exactduck/runs"
	"exactduck/extract/sandbox"
)

// What was read longer ago than its max_age is stale; a try that failed makes nothing fresh.
func TestStatusCallsOldReadsStale(t *testing.T) {
	t.Parallel()
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

// A first load is not stale while it is on, and nobody has to do anything; but nothing is fresh yet.
func TestWhatWasNeverReadIsNotFresh(t *testing.T) {
	t.Parallel()
	w := newBooks(t)
	streams := "      - {stream: crm/Accounts, max_age: 36h}\n      - crm/Contacts"
	w.books = &books{config: w.configure(streams), clock: w.clock.time}
	ready := func() string {
		t.Helper()
		answer := httptest.NewRecorder()
		metrics.Ready(func(ctx context.Context) (metrics.Facts, error) {
			s, err := w.standing(ctx, []*config.Pipeline{w.pipeline()})
			return figures(&s), err
		}, w.clock.time).ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/readyz", nil))
		return answer.Body.String()
	}
	if text := ready(); text != "stale: nightly crm/Accounts, never read\n" {
		t.Errorf("before the first run: %s", text)
	}
	record, err := runs.Create(w.records(), runs.Record{ID: "20261121T030000.000Z-0001", Pipeline: "nightly", Started: w.clock.time()})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"crm/Accounts", "crm/Contacts"} {
		if err := record.Stream(runs.Stream{Stream: name, Scope: "123456", Status: "reading", Rows: 1000}); err != nil {
			t.Fatal(err)
		}
	}
	if how := w.how(); how.Fresh.Stale != 0 || len(how.streamNotices()) != 0 {
		t.Errorf("during the first load: %+v, %+v", how.Fresh, how.streamNotices())
	}
	if text := ready(); !strings.HasPrefix(text, "stale: nightly crm/Accounts in 1 division, never read") {
		t.Errorf("during the first load: %s", text)
	}
	if err := record.Stream(runs.Stream{Stream: "crm/Accounts", Scope: "123456", Status: "forbidden"}); err != nil {
		t.Fatal(err)
	}
	if text := ready(); text != "ready\n" {
		t.Errorf("when nothing more can be read: %s", text)
	}
}
