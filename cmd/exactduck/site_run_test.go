package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"exactduck/cmd/exactduck/runs"
)

// The page of a run is loaded every few seconds while it is on: each line of its record is read once.
func TestTheRecordOfARunThatIsLookedAtIsReadOnce(t *testing.T) {
	w := newBooks(t)
	at := w.clock.time()
	record, err := runs.Create(w.records(), runs.Record{ID: "20261121T030000.000Z-0001", Pipeline: "nightly", Started: at})
	if err != nil {
		t.Fatal(err)
	}
	note := func(first, n int) {
		t.Helper()
		for i := range n {
			if err := record.Stream(runs.Stream{Stream: fmt.Sprint("crm/Stream", first+i), Scope: "1", Status: "done", Rows: 1, Started: at, Ended: at}); err != nil {
				t.Fatal(err)
			}
		}
	}
	note(0, rounds(2_000, 100_000))
	var of opened
	path := filepath.Join(w.records(), "20261121T030000.000Z-0001.ndjson")
	look := func() (streams int, took time.Duration) {
		t.Helper()
		began := time.Now()
		run, err := of.read(path, w.zoneOf)
		if err != nil || run.Status != "running" || run.Read != int64(len(run.Streams)) {
			t.Fatalf("%s with %d rows of %d streams: %v", run.Status, run.Read, len(run.Streams), err)
		}
		return len(run.Streams), time.Since(began)
	}
	before, first := look()
	unreadable(t, path, before/2)
	note(before, 3)
	after, again := look()
	if after != before+3 {
		t.Errorf("%d streams, and before %d", after, before)
	}
	_, third := look()
	t.Logf("%d streams: the first time %v, with news %v, without %v", before, first, again, third)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.Join(bytes.SplitAfter(text, []byte("\n"))[:3], nil)
	if err := errors.Join(os.Remove(path), os.WriteFile(path, text, 0o600)); err != nil { // as what is forgotten is erased
		t.Fatal(err)
	}
	if run, err := of.read(path, w.zoneOf); err != nil || len(run.Streams) != 2 {
		t.Errorf("after it was rewritten: %d streams: %v", len(run.Streams), err)
	}
}

// unreadable spoils a line of a record in its place, so that it is missed by who reads it again.
func unreadable(t *testing.T, path string, line int) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := len(bytes.Join(bytes.SplitAfter(text, []byte("\n"))[:line], nil))
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteAt([]byte("?"), int64(at)); err != nil {
		t.Fatal(err)
	}
}
