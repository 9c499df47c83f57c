package main

import (
	"testing"
	"time"

	"exactduck/cmd/exactduck/runs"
	"exactduck/extract/sandbox"
)

// A night by a clock that was a year ahead is not the newest for a year: what runs after it is, deletions
// are found by the sweep that is due, and the next run says what was wrong.
func TestAClockThatWasAYearAhead(t *testing.T) {
	t.Parallel()
	const streams, year = "      - cashflow/Payments\n      - crm/Accounts", 365 * 24 * time.Hour
	right := &clock{now: time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)}
	w := newWorld(t, t.TempDir(), streams, sandbox.Options{Divisions: 1, Scale: 0.03, MinuteLimit: -1, DayLimit: -1, Clock: right.time})
	w.pipelineLines = "    to: {duckdb: books.duckdb, keep: 1}\n"
	w.reconfigure(streams)
	night := func() synced {
		right.advance(4 * 24 * time.Hour)
		w.clock.now = right.now
		w.books = &books{config: w.config, dial: w.dial, clock: w.clock.time, log: w.log} // what a process knows
		return w.run(syncOptions{})
	}
	night()
	w.clock.advance(year)
	wrong := w.run(syncOptions{})
	if !runs.Ahead(wrong.ID, right.now) {
		t.Fatalf("the run by the wrong clock is %s", wrong.ID)
	}
	if err := w.sandbox.Change(sandbox.Change{Entity: "cashflow/Payments", Delete: 3}); err != nil {
		t.Fatal(err)
	}
	healed := night()
	how := w.how()
	if how.LastRun.ID != healed.ID || how.Runs[0].ID != healed.ID || len(how.Runs) != 3 || how.Fresh.Oldest.After(right.now) {
		t.Errorf("the last run is %s, the newest of %d %s, and the oldest read %v; it was %s", how.LastRun.ID, len(how.Runs), how.Runs[0].ID, how.Fresh.Oldest, healed.ID)
	}
	if len(healed.Warnings) != 1 {
		t.Errorf("warnings: %q", healed.Warnings)
	}
	past, err := w.past(t.Context())
	if err != nil || past.ids[0] != healed.ID {
		t.Errorf("the newest run that is listed is %s: %v", past.ids[0], err)
	}
	for range 2 { // a week later the sweep is due
		if again := night(); len(again.Warnings) > 0 {
			t.Errorf("the next night warns too: %q", again.Warnings)
		}
	}
	w.equal()
	if n := w.counted("SELECT (SELECT count(*) FROM cashflow.Payments WHERE _synced_at > '2027-01-01') + (SELECT count(*) FROM crm.Accounts WHERE _synced_at > '2027-01-01')"); n != "0" {
		t.Errorf("%s rows were synced in a year that has not come", n)
	}
}
