package load

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRecordTwiceEqualsOnce(t *testing.T) {
	dir := t.TempDir()
	w := open(t, dir)
	at := time.Date(2026, 10, 25, 1, 0, 0, 0, time.UTC)
	first := Run{ID: "r1", Pipeline: "nightly", Started: at, Status: "running"}
	if err := w.Record(t.Context(), first, nil, nil, nil); err != nil {
		t.Fatal(err)
	}
	want := Run{
		ID: "r1", Pipeline: "nightly", Started: at, Ended: at.Add(time.Hour), Status: "partial", ExitCode: 3, Calls: 9,
		Read: 8, Inserted: 7, Updated: 6, Deleted: 5, Message: "one stream failed",
	}
	streams := []RunStream{{
		Stream: "crm/Accounts", Scope: "1", Variant: "sync/CRM/Accounts", Mode: "merge", Status: "done",
		Calls: 4, Pages: 3, Read: 8, Inserted: 7, Updated: 6, Deleted: 5, Missed: 2, Error: "none", Started: at, Ended: at,
	}}
	calls := []Calls{{Scope: "1", Endpoint: "sync/CRM/Accounts", Calls: 9, Errors: 1}}
	changes := []Change{
		{At: at, Table: "crm.Accounts", Column: "New", Kind: "added", Detail: "VARCHAR"},
		{At: at, Table: "crm.Accounts", Column: "Old", Kind: "added", Detail: "VARCHAR"},
	}
	for range 2 {
		if err := w.Record(t.Context(), want, streams, calls, changes); err != nil {
			t.Fatal(err)
		}
	}
	for table, rows := range map[string]int{"runs": 1, "run_streams": 1, "calls": 1, "schema_changes": 2} {
		var n int
		if err := w.db.QueryRowContext(t.Context(), "SELECT count(*) FROM _exactduck."+table).Scan(&n); err != nil || n != rows {
			t.Errorf("%s: %d rows, %v; want %d", table, n, err, rows)
		}
	}
	got, err := w.RunStreams(t.Context(), "r1")
	if d := cmp.Diff(streams, got); d != "" || err != nil {
		t.Error(d, err)
	}
	later := Run{ID: "r0", Pipeline: "other", Started: at.Add(time.Minute)}
	if err := w.Record(t.Context(), later, nil, nil, nil); err != nil {
		t.Fatal(err)
	}
	all, err := w.Runs(t.Context(), 10)
	if d := cmp.Diff([]Run{later, want}, all); d != "" || err != nil {
		t.Error(d, err)
	}
	last, found, err := w.LastRun(t.Context(), "nightly")
	if d := cmp.Diff(want, last); d != "" || !found || err != nil {
		t.Error(d, found, err)
	}
	if _, found, err := w.LastRun(t.Context(), "none"); found || err != nil {
		t.Errorf("a pipeline that never ran has a run: %v", err)
	}
}

func TestHistoryIsPublished(t *testing.T) {
	dir := t.TempDir()
	w := open(t, dir)
	want := Run{ID: "r1", Pipeline: "nightly", Started: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	if err := w.Record(t.Context(), want, []RunStream{{Stream: "a"}}, nil, nil); err != nil {
		t.Fatal(err)
	}
	publish(t, w, dir, "r1")
	r, err := OpenReader(t.Context(), filepath.Join(dir, "warehouse.duckdb"))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	last, found, err := r.LastRun(t.Context(), "")
	if d := cmp.Diff(want, last); d != "" || !found || err != nil {
		t.Error(d, found, err)
	}
	all, err := r.Runs(t.Context(), 5)
	streams, err2 := r.RunStreams(t.Context(), "r1")
	if len(all) != 1 || len(streams) != 1 || err != nil || err2 != nil {
		t.Errorf("%v, %v, %v, %v", all, streams, err, err2)
	}
}
