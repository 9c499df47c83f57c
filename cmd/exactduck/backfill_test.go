package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"exactduck/extract/sandbox"
	"exactduck/load"
)

// backfill is a stream that takes days to read, because the day allows few calls.
type backfill struct {
	stream, path string // of the pipeline, and of the endpoint
	pages, size  int    // at the beginning, and rows in each
	calls        int    // a day
	days         int    // that it takes
	told         bool   // of deletions, so that they are known at the end
}

// What takes many days to read is read page by page over the days, each page once, and nobody sees
// any of it before all of it is there; beside it another stream is as fresh as ever. In the end the
// table equals the source, whatever was changed, inserted and deleted meanwhile.
func TestBackfillOfManyDays(t *testing.T) {
	t.Parallel()
	for _, b := range []backfill{
		{stream: "inventory/StockPositions", path: "sync/Inventory/StockPositions", pages: rounds(200, 1500), size: 10, calls: rounds(30, 200), days: 8, told: true},
		{stream: "crm/Opportunities", path: "crm/Opportunities", pages: rounds(130, 1500), size: 10, calls: rounds(30, 200), days: rounds(6, 8)},
	} {
		t.Run(b.stream, func(t *testing.T) {
			w := newWorld(t, t.TempDir(), streamLines(b.stream), sandbox.Options{
				Divisions: 1, Scale: 0.1, Records: map[string]int{b.stream: b.pages * b.size}, PageSize: b.size, DayLimit: b.calls,
			})
			b.run(w)
		})
	}
}

func (b backfill) run(w *world) {
	w.t.Helper()
	w.reconfigure(streamLines("crm/Accounts", b.stream))
	midnight := w.clock.time().Truncate(day24)
	today := 1
	for ; ; today++ {
		w.clock.advance(midnight.Add(time.Duration(today) * day24).Add(time.Hour).Sub(w.clock.time()))
		w.wire.onRequest(nil)
		b.change(w)
		w.clock.advance(time.Hour)
		b.disturb(w)
		_, err := w.sync(w.t.Context(), w.pipeline(), syncOptions{})
		b.onlyWhole(w)
		if err == nil {
			if today != b.days {
				w.t.Errorf("it takes %d days, want %d", today, b.days)
			}
			break
		}
		if code := exitCode(err); code != exitQuota || today > b.days {
			w.t.Fatalf("day %d ends with %d: %v", today, code, err)
		}
	}
	b.once(w)
	if b.told {
		w.equal()
	}
	w.wire.onRequest(nil)
	today += 7
	for last := today + 10; ; today++ { // a sweep of everything takes days too
		w.clock.advance(midnight.Add(time.Duration(today+1) * day24).Add(time.Hour).Sub(w.clock.time()))
		_, err := w.sync(w.t.Context(), w.pipeline(), syncOptions{})
		if err == nil {
			break
		}
		if code := exitCode(err); code != exitQuota || today > last {
			w.t.Fatalf("day %d ends with %d: %v", today, code, err)
		}
	}
	w.equal()
}

// change is a day's work of people.
func (b backfill) change(w *world) {
	w.t.Helper()
	for _, c := range []sandbox.Change{
		{Entity: b.stream, Insert: 3, Update: 10, Delete: 1},
		{Entity: "crm/Accounts", Insert: 2, Update: 2, Delete: 1},
	} {
		if err := w.sandbox.Change(c); err != nil {
			w.t.Fatal(err)
		}
	}
}

// disturb lets people go on with their work while the stream is being read.
func (b backfill) disturb(w *world) {
	n := 0
	w.wire.onRequest(func(r *request) {
		if !strings.HasSuffix(r.path, b.path) {
			return
		}
		if n++; n%(b.calls/4) != 0 {
			return
		}
		c := sandbox.Change{Entity: b.stream, Insert: 1, Update: 3}
		if n == b.calls/4 {
			c.Delete = 2
		}
		if err := w.sandbox.Change(c); err != nil {
			w.t.Error(err)
		}
	})
}

// onlyWhole fails the test when something of the stream is published before its last page was
// read, or when the other stream has fallen behind.
func (b backfill) onlyWhole(w *world) {
	w.t.Helper()
	reader, err := load.OpenReader(w.t.Context(), w.published())
	if err != nil {
		w.t.Fatal(err)
	}
	defer reader.Close()
	service, name, _ := strings.Cut(b.stream, "/")
	rows := w.one(reader, fmt.Sprintf(`SELECT count(*) FROM duckdb_tables() WHERE schema_name = '%s' AND table_name = '%s'`, service, name))
	if rows != "0" {
		rows = w.one(reader, fmt.Sprintf(`SELECT count(*) FROM %q.%q`, service, name))
	}
	complete := w.one(reader, fmt.Sprintf(`SELECT count(*) FROM _exactduck.cursors WHERE stream = '%s' AND complete`, b.stream))
	if whole := b.read(w); whole != (rows != "0") || whole != (complete == "1") {
		w.t.Errorf("read to its end: %v, and %s rows are published, complete: %s", whole, rows, complete)
	}
	rows = w.one(reader, `SELECT count(*) FROM crm.Accounts`)
	if want := fmt.Sprint(len(w.sandbox.Records(0, "crm/Accounts"))); rows != want {
		w.t.Errorf("there are %s accounts, and %s are published", want, rows)
	}
}

// read tells whether the first read of the stream has come to its last page, which is the only one
// that is not full.
func (b backfill) read(w *world) bool {
	for _, r := range of(w.wire.calls(0), b.path) {
		if r.status == 200 && !r.more && !strings.Contains(r.query, "$top=1") {
			return true
		}
	}
	return false
}

// one is the one value that a query answers.
func (w *world) one(r *load.Reader, query string) (value string) {
	w.t.Helper()
	answer, err := r.Query(w.t.Context(), query)
	if err != nil {
		w.t.Fatal(err)
	}
	defer answer.Close()
	for row, err := range answer.Rows() {
		if err != nil {
			w.t.Fatal(err)
		}
		value = textOf(row[0])
	}
	return value
}

// once fails the test when a page was asked for twice.
func (b backfill) once(w *world) {
	w.t.Helper()
	seen := map[string]int{}
	calls := of(w.wire.calls(0), b.path)
	for _, r := range calls {
		if seen[r.query]++; seen[r.query] == 2 && r.query != "$top=1" { // the weekly look

			w.t.Errorf("a page is fetched twice: %s", r.query)
		}
		if r.status != 200 {
			w.t.Errorf("a page is answered with %d", r.status)
		}
	}
	w.t.Logf("%d calls, %d of them for %d pages of %s", len(w.wire.calls(0)), len(calls), b.pages, b.stream)
}
