package load

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// ofFormat makes a warehouse as a version of this program has left it that knew fewer formats: with a
// run of then, and published.
func ofFormat(t *testing.T, dir string, format int) {
	t.Helper()
	asOf(format, func() {
		w, err := Open(t.Context(), options(dir))
		if err != nil {
			t.Fatal(err)
		}
		execute(t, w,
			`INSERT INTO _exactduck.runs (run_id, pipeline, started_at, ended_at, status, exit_code, calls, rows_read, inserted,
				updated, deleted, message) VALUES ('r1', 'nightly', '2026-11-20 03:00:00+00', '2026-11-20 03:01:00+00', 'done', 0,
				7, 100, 90, 5, 1, '')`,
			`INSERT INTO _exactduck.run_streams (run_id, stream, scope, variant, mode, status, calls, pages, rows_read, inserted,
				updated, deleted, missed, error, started_at, ended_at) VALUES ('r1', 'crm/Accounts', '7', 'sync/CRM/Accounts',
				'merge', 'done', 2, 2, 100, 90, 5, 1, 0, '', '2026-11-20 03:00:00+00', '2026-11-20 03:01:00+00')`,
			"UPDATE _exactduck.meta SET value = '1' WHERE key = 'generation'")
		publish(t, w, dir, "r1")
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

var (
	runOfThen = Run{
		ID: "r1", Pipeline: "nightly", Started: time.Date(2026, 11, 20, 3, 0, 0, 0, time.UTC),
		Ended: time.Date(2026, 11, 20, 3, 1, 0, 0, time.UTC), Status: "done", Calls: 7, Read: 100, Inserted: 90, Updated: 5, Deleted: 1,
	}
	streamOfThen = RunStream{
		Stream: "crm/Accounts", Scope: "7", Variant: "sync/CRM/Accounts", Mode: "merge", Status: "done", Calls: 2, Pages: 2,
		Read: 100, Inserted: 90, Updated: 5, Deleted: 1, Started: runOfThen.Started, Ended: runOfThen.Ended,
	}
)

// TestHistoryFromBeforeTimes reads what a version has recorded that measured no times, in its published
// file and in the working database that is brought up to date, and goes on with it.
func TestHistoryFromBeforeTimes(t *testing.T) {
	dir := t.TempDir()
	ofFormat(t, dir, timedFormat-1)
	old, err := OpenReader(t.Context(), filepath.Join(dir, "warehouse.duckdb"))
	if err != nil {
		t.Fatal(err)
	}
	inFile, err := old.Runs(t.Context(), 10)
	streams, failed := old.RunStreams(t.Context(), "r1")
	if err := errors.Join(err, failed, old.Close()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Run{runOfThen}, inFile) + cmp.Diff([]RunStream{streamOfThen}, streams); diff != "" {
		t.Errorf("in the published file (-want +got):\n%s", diff)
	}
	w := open(t, dir)
	effort := Effort{
		Wait: 1500 * time.Millisecond, Read: 20 * time.Second, Spool: 3 * time.Millisecond, Apply: time.Second,
		Bytes: 1 << 40, Wire: 1 << 33, Retries: 2,
	}
	later, stream := runOfThen, streamOfThen
	later.ID, later.Effort, later.Publish, later.Other = "r2", effort, time.Second, time.Minute
	later.Started = later.Started.Add(time.Hour)
	stream.Effort, stream.Idle = effort, time.Second
	if err := w.Record(t.Context(), later, []RunStream{stream}, nil, nil); err != nil {
		t.Fatal(err)
	}
	later.Status, later.ExitCode, later.Publish = "failed", 10, 2*time.Second
	if err := w.Amend(t.Context(), later); err != nil {
		t.Fatal(err)
	}
	if err := w.Amend(t.Context(), Run{ID: "r3"}); err != nil {
		t.Fatal(err)
	}
	all, err := w.Runs(t.Context(), 10)
	if err != nil {
		t.Fatal(err)
	}
	streams, err = w.RunStreams(t.Context(), "r2")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Run{later, runOfThen}, all) + cmp.Diff([]RunStream{stream}, streams); diff != "" {
		t.Errorf("in the working database (-want +got):\n%s", diff)
	}
}

// TestUpgradeKeepsTheOlderFile until it has been published once in the new format.
func TestUpgradeKeepsTheOlderFile(t *testing.T) {
	for name, clone := range map[string]bool{"cloned": true, "copied": false} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			ofFormat(t, dir, timedFormat-1)
			w, err := newWarehouse(options(dir))
			if err != nil {
				t.Fatal(err)
			}
			if !clone {
				w.clone = func(string, string) error { return errors.ErrUnsupported }
			}
			if err := w.open(t.Context()); err != nil {
				t.Fatal(err)
			}
			kept := w.path + ".format5"
			if got := answer(t, w.path+".format5", "SELECT value FROM _exactduck.meta WHERE key = 'format'"); got != "5\n" {
				t.Errorf("what is kept has format %q", got)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			w = open(t, dir) // nothing is due any more, and nothing was published
			if _, err := os.Stat(kept); err != nil {
				t.Error(err)
			}
			publish(t, w, dir, "r2")
			if _, err := os.Stat(kept); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("after the publication: %v", err)
			}
		})
	}
}

// TestGoingBack puts the copy in the place of what the older version cannot read.
func TestGoingBack(t *testing.T) {
	dir := t.TempDir()
	ofFormat(t, dir, timedFormat-1)
	if err := open(t, dir).Close(); err != nil {
		t.Fatal(err)
	}
	asOf(timedFormat-1, func() {
		_, err := Open(t.Context(), options(dir))
		newer, ok := errors.AsType[*Newer](err)
		if !ok || newer.Known != timedFormat-1 {
			t.Fatalf("got %v, want *Newer", err)
		}
		older := OlderCopy(newer.Path, newer.Known)
		if older == "" {
			t.Fatal("there is no copy to go back to")
		}
		if err := os.Rename(older, newer.Path); err != nil {
			t.Fatal(err)
		}
		w := open(t, dir)
		execute(t, w, "UPDATE _exactduck.meta SET value = '2' WHERE key = 'generation'")
		publish(t, w, dir, "r2")
		if got := OlderCopy(newer.Path, newer.Known); got != "" {
			t.Errorf("there still is %s", got)
		}
	})
}

// TestUpgradeWithoutRoom changes nothing, and the older version can go on.
func TestUpgradeWithoutRoom(t *testing.T) {
	dir := t.TempDir()
	ofFormat(t, dir, timedFormat-1)
	w, err := newWarehouse(options(dir))
	if err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(w.path)
	if err != nil {
		t.Fatal(err)
	}
	w.clone = func(_, to string) error { // a folder where the copy should go
		return errors.Join(os.MkdirAll(filepath.Join(to, "in the way"), 0o700), errors.ErrUnsupported)
	}
	if err := errors.Join(w.open(t.Context()), w.Close()); err == nil {
		t.Fatal("no error")
	}
	if after, err := os.ReadFile(w.path); err != nil || string(after) != string(before) {
		t.Errorf("the working database was changed, %v", err)
	}
	asOf(timedFormat-1, func() {
		w := open(t, dir)
		if all, err := w.Runs(t.Context(), 10); err != nil || len(all) != 1 {
			t.Errorf("the older version sees %v, %v", all, err)
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
}
