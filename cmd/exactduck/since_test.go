package main

import (
	"strings"
	"testing"
	"time"

	"exactduck/extract/sandbox"
	"exactduck/load"
	"exactduck/schema"
)

// dated is a stream that is read from a date on.
type dated struct {
	stream, path string
	asks         bool // Exact can be asked where the date begins
	filters      bool // Exact can be asked for what was modified since
}

var datedStreams = []dated{
	{stream: "financial/TransactionLines", path: "sync/Financial/TransactionLines", asks: true},
	{stream: "crm/Accounts", path: "sync/CRM/Accounts"}, // a Timestamp, and no way to ask for a date
	{stream: "crm/Opportunities", path: "crm/Opportunities", filters: true},
}

// situations are how many of these it is tried in: as it is, and in a moved division, which makes no
// difference where Exact is not asked.
func (d dated) situations() int {
	if d.asks {
		return 2
	}
	return rounds(1, 2)
}

const sincePage = 20

// The date from which on the tests read: a record is changed at its very first moment, and another a
// little before.
var sinceDate = time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)

// sinceWorld is a world with records on both sides of the date.
func sinceWorld(t *testing.T, d dated, moved bool) *world {
	t.Helper()
	lines := streamLines(d.stream, "read/financial/ReceivablesList")
	w := newWorld(t, t.TempDir(), lines, sandbox.Options{Divisions: 1, Scale: 0.5, PageSize: sincePage})
	if moved {
		if err := w.sandbox.MoveDivision(0); err != nil {
			t.Fatal(err)
		}
	}
	midnight := time.Date(2026, 11, 21, 23, 0, 0, 0, time.UTC) // in Amsterdam
	for _, at := range []time.Duration{-time.Second, 0, time.Second, time.Hour} {
		w.clock.advance(midnight.Add(at).Sub(w.clock.time()))
		w.edit(d.stream, 3, 0)
	}
	w.clock.advance(2 * time.Hour)
	return w
}

func (w *world) edit(stream string, update, insert int) {
	w.t.Helper()
	if err := w.sandbox.Change(sandbox.Change{Entity: stream, Update: update, Insert: insert}); err != nil {
		w.t.Fatal(err)
	}
}

// later are the records of a stream that were modified at the date or after it, and how many there
// are in all.
func (w *world) later(d dated) (records []map[string]any, all int) {
	for _, r := range w.sandbox.Records(0, d.path) {
		if all++; !r["Modified"].(time.Time).Before(sinceDate) {
			records = append(records, r)
		}
	}
	return records, all
}

// pagesOfRead holds the calls of a read from the date on against what it may cost.
func (w *world) pagesOfRead(d dated, calls []request, moved bool) {
	w.t.Helper()
	records, rows := w.later(d)
	if asked := len(of(calls, "read/sync/Sync/SyncTimestamp")); asked != map[bool]int{true: 1}[d.asks && !moved] {
		w.t.Errorf("%s was asked %d times where the date begins", d.stream, asked)
	}
	if d.filters || d.asks && !moved {
		rows = len(records)
	}
	pages, looks := 0, 0
	for _, r := range of(calls, d.path) {
		if strings.HasPrefix(r.query, "$top=1") {
			looks++
		} else {
			pages++
		}
	}
	if want := max(1, (rows+sincePage-1)/sincePage); pages != want || looks > 1 {
		w.t.Errorf("%d pages of %s are read, and %d looks taken; %d pages hold the %d rows", pages, d.stream, looks, want, rows)
	}
}

// A first load from a date on brings the records that were modified at that date or later, the one of
// its first moment among them, and no other; where Exact can be asked for them, nothing else is
// fetched. What comes later is added to it.
func TestFirstLoadSince(t *testing.T) {
	t.Parallel()
	for _, d := range datedStreams {
		for _, moved := range []bool{false, true}[:d.situations()] {
			t.Run(d.stream+map[bool]string{true: " moved"}[moved], func(t *testing.T) {
				w := sinceWorld(t, d, moved)
				w.run(syncOptions{since: sinceDate})
				w.pagesOfRead(d, w.wire.calls(0), moved)
				w.holdsLater(d)
				w.clock.advance(day24)
				w.edit(d.stream, 5, 2)
				w.clock.advance(time.Hour)
				w.run(syncOptions{})
				w.holdsLater(d)
			})
		}
	}
}

// holdsLater compares the table of a stream with its records from the date on.
func (w *world) holdsLater(d dated) {
	w.t.Helper()
	reader, err := load.OpenReader(w.t.Context(), w.published())
	if err != nil {
		w.t.Fatal(err)
	}
	defer reader.Close()
	table, division := w.tableOf(d.stream), textOf(w.sandbox.Divisions()[0])
	truth := map[string]map[string]any{}
	records, all := w.later(d)
	for _, r := range records {
		truth[keyOf(table, division, func(name string) string { return textOf(r[name]) })] = r
	}
	if len(truth) == 0 || len(truth) == all {
		w.t.Fatalf("of %d records %d are from the date on: nothing is proven by that", all, len(truth))
	}
	comparison{t: w.t}.same(table, division, tableRows(w.t, reader, table), truth, false)
}

func (w *world) tableOf(stream string) *schema.Table {
	w.t.Helper()
	choices, err := w.pipeline().Choices(catalogue)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, c := range choices {
		if c.Stream.Name == stream {
			return c.Stream.Variants[0].Table
		}
	}
	w.t.Fatalf("there is no stream %s", stream)
	return nil
}

// Reading a whole table again from a date on fetches what was modified at that date or later, and
// leaves the cursor where it is: what was modified before that date and not yet read comes with the
// next sync. Streams whose records have no date are read as ever.
func TestSinceLeavesCursorsAlone(t *testing.T) {
	t.Parallel()
	for _, d := range datedStreams {
		for _, moved := range []bool{false, true}[:d.situations()] {
			t.Run(d.stream+map[bool]string{true: " moved"}[moved], func(t *testing.T) {
				w := sinceWorld(t, d, moved)
				w.clock.advance(-30 * time.Hour) // before the date
				w.run(syncOptions{})
				w.equal()
				w.edit(d.stream, 4, 1) // before the date too
				before := w.cursors()
				w.clock.advance(60 * time.Hour)
				w.edit(d.stream, 3, 1)
				w.clock.advance(time.Hour)
				from := w.wire.passed()
				w.run(syncOptions{since: sinceDate})
				w.pagesOfRead(d, w.wire.calls(from), moved)
				if after := w.cursors()[d.stream]; after != before[d.stream] {
					t.Errorf("the cursor of %s was %s and is %s", d.stream, before[d.stream], after)
				}
				w.clock.advance(time.Hour)
				w.run(syncOptions{})
				w.equal()
			})
		}
	}
}

// cursors are the positions from which streams are read next.
func (w *world) cursors() map[string]string {
	w.t.Helper()
	reader, err := load.OpenReader(w.t.Context(), w.published())
	if err != nil {
		w.t.Fatal(err)
	}
	defer reader.Close()
	all, err := reader.Cursors(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	positions := map[string]string{}
	for _, c := range all {
		positions[c.Stream] = string(c.Position)
	}
	return positions
}

// Who first loads from a date on and then reads from an earlier one has the history from there: a
// later read of everything keeps it, and does not take for gone what it would not ask for.
func TestSinceBeginsTheHistoryEarlier(t *testing.T) {
	t.Parallel()
	for _, d := range datedStreams {
		t.Run(d.stream, func(t *testing.T) {
			w := sinceWorld(t, d, false)
			w.run(syncOptions{since: sinceDate.Add(time.Hour)})
			w.run(syncOptions{since: sinceDate})
			w.holdsLater(d)
			w.run(syncOptions{since: sinceDate.Add(30 * time.Minute)}) // a later one takes nothing away
			if err := w.sandbox.MoveDivision(0); err != nil {
				t.Fatal(err)
			}
			w.clock.advance(day24)
			w.run(syncOptions{})
			w.holdsLater(d)
		})
	}
}
