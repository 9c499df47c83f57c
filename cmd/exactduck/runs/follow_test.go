package runs

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestFollowerReadsEachLineOnce(t *testing.T) {
	dir := t.TempDir()
	w, err := Create(dir, Record{ID: "r", Pipeline: "nightly", Started: time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)})
	if err != nil {
		t.Fatal(err)
	}
	f := &Follower{Path: filepath.Join(dir, "r.ndjson")}
	more := func() (told []string) {
		t.Helper()
		if err := f.More(func(s Stream) { told = append(told, s.Stream+" "+s.Status) }); err != nil {
			t.Fatal(err)
		}
		return told
	}
	note := func(s Stream) {
		t.Helper()
		if err := w.Stream(s); err != nil {
			t.Fatal(err)
		}
	}
	note(Stream{Stream: "crm/Accounts", Status: "reading", Rows: 10})
	if told := more(); !cmp.Equal(told, []string{"crm/Accounts reading"}) || f.Record().Status != "running" {
		t.Errorf("told %v of %+v", told, f.Record())
	}
	if told := more(); told != nil {
		t.Errorf("told %v again", told)
	}
	f.Let()
	note(Stream{Stream: "crm/Accounts", Status: "done", Rows: 20})
	if err := w.Warn("mind the gap"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.End(Record{Status: "done", Calls: 3}); err != nil {
		t.Fatal(err)
	}
	if told := more(); !cmp.Equal(told, []string{"crm/Accounts done"}) {
		t.Errorf("told %v", told)
	}
	whole, err := Read(f.Path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(whole, f.Record()); diff != "" {
		t.Errorf("followed another record than is read (-read +followed):\n%s", diff)
	}
	f.Let()
	if sum := f.Sum(); sum.Rows != 20 || f.Record().Streams != nil {
		t.Errorf("after letting go: %+v, %+v", sum, f.Record())
	}
}

func TestFollowerWaitsForTheEndOfALine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.ndjson")
	f, told := &Follower{Path: path}, 0
	grow := func(text string) {
		t.Helper()
		file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := file.WriteString(text); err != nil {
			t.Fatal(err)
		}
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
		if err := f.More(func(Stream) { told++ }); err != nil {
			t.Fatal(err)
		}
	}
	grow(`{"run":{"run_id":"r"}}` + "\n" + `{"stream":{"stream":"crm/Acc`)
	if told != 0 {
		t.Error("half a line was told")
	}
	grow(`ounts"}}` + "\n")
	if told != 1 || f.Record().ID != "r" || f.Record().Streams[0].Stream != "crm/Accounts" {
		t.Errorf("told %d of %+v", told, f.Record())
	}
}

func TestFollowerSeesThatARecordWasRewritten(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "r.ndjson")
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(path, `{"run":{"run_id":"r"}}`+"\n")
	f := &Follower{Path: path}
	if err := f.More(func(Stream) {}); err != nil {
		t.Fatal(err)
	}
	write(path+".new", `{"run":{"run_id":"r"}}`+"\n")
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	if err := f.More(func(Stream) {}); !errors.Is(err, ErrRewritten) {
		t.Errorf("got %v", err)
	}
}

func TestGlancePassesOverTheStreams(t *testing.T) {
	dir := t.TempDir()
	w, err := Create(dir, Record{ID: "r", Pipeline: "nightly"})
	if err != nil {
		t.Fatal(err)
	}
	for range 3000 {
		if err := w.Stream(Stream{Stream: "crm/Accounts", Error: "a long story of what went wrong on the way to the books"}); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "r.ndjson")
	if r, err := Glance(path); err != nil || r.ID != "r" || r.Status != "running" || r.Streams != nil {
		t.Errorf("while it runs: %+v, %v", r, err)
	}
	if _, err := w.End(Record{Status: "failed", Message: "no"}); err != nil {
		t.Fatal(err)
	}
	if r, err := Glance(path); err != nil || r.Pipeline != "nightly" || r.Status != "failed" || r.Message != "no" {
		t.Errorf("after its end: %+v, %v", r, err)
	}
}
