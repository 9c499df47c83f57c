package main

import (
	"strings"
	"testing"
	"time"

	"exactduck/extract/sandbox"
	"exactduck/load"
)

// A repair that would take away more than can be believed leaves the stream as it was: the next sync goes
// on from where the last one stopped. What is said accepts it.
func TestARefusedRepairLeavesTheStreamAsItWas(t *testing.T) {
	const streams = "      - cashflow/Payments"
	w := newWorld(t, t.TempDir(), streams, sandbox.Options{Divisions: 1, Scale: 0.03, MinuteLimit: -1, DayLimit: -1})
	w.run(syncOptions{})
	cursor := func() load.Cursor {
		t.Helper()
		warehouse, err := w.open(t.Context(), w.pipeline(), false)
		if err != nil {
			t.Fatal(err)
		}
		defer warehouse.Close()
		all, err := warehouse.Cursors(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range all {
			if c.Stream == "cashflow/Payments" {
				return c
			}
		}
		t.Fatal("there is no cursor")
		return load.Cursor{}
	}
	rows := cursor().Rows
	if err := w.sandbox.Revoke(w.sandbox.Divisions()[0], ""); err != nil {
		t.Fatal(err)
	}
	w.clock.advance(time.Hour)
	_, err := w.verify(t.Context(), w.pipeline(), verifyOptions{repair: true})
	if exitCode(err) != exitPartial {
		t.Fatalf("the repair ends with %v", err)
	}
	if c := cursor(); !c.Complete || c.Position == "" || c.Rows != rows {
		t.Errorf("the cursor is at %q, complete: %v, %d of %d rows", c.Position, c.Complete, c.Rows, rows)
	}
	accepted := "exactduck verify --repair --streams cashflow/Payments --division"
	if text := hint(err); !strings.Contains(text, accepted) || !strings.HasSuffix(text, " --accept-shrink cashflow/Payments") {
		t.Errorf("hint: %s", text)
	}
	if n := w.counted("SELECT count(*) FROM _exactduck.checks WHERE advice LIKE '%--accept-shrink cashflow/Payments' AND result = 'differs'"); n != "1" {
		t.Errorf("%s checks say how to accept it", n)
	}
	if n := w.counted("SELECT count(*) FROM cashflow.Payments"); n == "0" {
		t.Error("the rows are gone")
	}
	w.verifies(0, verifyOptions{repair: true, syncOptions: syncOptions{accept: []string{"cashflow/Payments"}}})
	if n := w.counted("SELECT count(*) FROM cashflow.Payments"); n != "0" {
		t.Errorf("%s rows stay though it was accepted", n)
	}
}
