package load

import (
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// What a read will take is judged by the last five that ended well, of the same kind and pipeline.
func TestNeeds(t *testing.T) {
	dir := t.TempDir()
	w, err := Open(t.Context(), Options{StateDir: filepath.Join(dir, "state"), Target: filepath.Join(dir, "books.duckdb")})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	at := time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)
	record := func(run, pipeline, mode, status string, pages int64) {
		t.Helper()
		at = at.Add(time.Hour)
		s := RunStream{Stream: "crm/Accounts", Scope: "1", Mode: mode, Status: status, Pages: pages, Started: at}
		if err := w.Record(t.Context(), Run{ID: run, Pipeline: pipeline, Started: at}, []RunStream{s}, nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	record("a", "nightly", "merge", "done", 500)
	for i, pages := range []int64{1, 2, 1, 2, 1} {
		record(string(rune('b'+i)), "nightly", "merge", "done", pages)
	}
	record("x", "nightly", "merge", "failed", 90)
	record("y", "nightly", "replace", "done", 40)
	record("z", "hourly", "merge", "done", 70)
	got, err := w.Needs(t.Context(), "nightly")
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(got, func(a, b Need) int { return a.Pages - b.Pages })
	want := []Need{{"crm/Accounts", "1", "merge", 2}, {"crm/Accounts", "1", "replace", 40}}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
