package runs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRecordIsReadableWhileItGrows(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "runs")
	began := time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)
	w, err := Create(dir, Record{ID: "20261121T030000Z-1", Pipeline: "nightly", Started: began})
	if err != nil {
		t.Fatal(err)
	}
	steps := []Stream{
		{Stream: "crm/Accounts", Scope: "1", Mode: "replace", Status: "reading", Pages: 1, Rows: 1000},
		{Stream: "crm/Accounts", Scope: "2", Mode: "replace", Status: "reading", Pages: 1, Rows: 7},
		{Stream: "crm/Accounts", Scope: "1", Mode: "replace", Status: "done", Pages: 2, Rows: 1400, Inserted: 1400},
	}
	for _, s := range steps {
		if err := w.Stream(s); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "20261121T030000Z-1.ndjson")
	growing, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if growing.Status != "running" || growing.PID != os.Getpid() || len(growing.Streams) != 2 {
		t.Errorf("while running the record says %+v", growing)
	}
	ended, err := w.End(Record{Status: "done", Calls: 5, Left: map[string]int{"1": 4995}, Ended: began.Add(time.Minute)})
	if err != nil {
		t.Fatal(err)
	}
	read, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(ended, read); diff != "" {
		t.Errorf("the file says something else than the writer (-writer +file):\n%s", diff)
	}
	if sum := read.Totals(); sum.Rows != 1407 || sum.Inserted != 1400 || sum.Pages != 3 {
		t.Errorf("totals are %+v", sum)
	}
}

func TestTornLineIsLeftOut(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.ndjson")
	text := `{"run":{"run_id":"r","status":"running"}}` + "\n" + `{"stream":{"stream":"crm/Accounts","sc`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := Read(path)
	if err != nil || r.ID != "r" || len(r.Streams) != 0 {
		t.Errorf("read %+v, %v", r, err)
	}
}

func TestListOfNothing(t *testing.T) {
	if paths, err := List(filepath.Join(t.TempDir(), "none"), time.Now()); err != nil || paths != nil {
		t.Errorf("listed %v, %v", paths, err)
	}
}

// One warning may be as long as a page of a source that is not well, and one file no record.
func TestRecordsThatAreOdd(t *testing.T) {
	dir, long := t.TempDir(), strings.Repeat("x", 3<<20)
	w, err := Create(dir, Record{ID: "r", Pipeline: "nightly"})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Warn(long); err != nil {
		t.Fatal(err)
	}
	if _, err := w.End(Record{Status: "done"}); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "s.ndjson"), 0o700); err != nil {
		t.Fatal(err)
	}
	paths, err := List(dir, time.Now())
	if err != nil || len(paths) != 1 {
		t.Fatalf("listed %v, %v", paths, err)
	}
	if r, err := Read(paths[0]); err != nil || r.Status != "done" || len(r.Warnings) != 1 || r.Warnings[0] != long {
		t.Errorf("read status %q, %d warnings, %v", r.Status, len(r.Warnings), err)
	}
}

func TestLinesThatAreNoObjects(t *testing.T) {
	for _, line := range []string{`[1,2]`, `5`, `null`, `"words"`} {
		if got := LogLine(line).String(); got != line {
			t.Errorf("%s is shown as %s", line, got)
		}
	}
}
