package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"exactduck/cmd/exactduck/config"
	"exactduck/cmd/exactduck/runs"
	"exactduck/load"
	"exactduck/schema"
)

// newBooks are books without a source: what is known of them is what their records say.
func newBooks(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), clock: &clock{now: time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)}, pipelineLines: lakeless}
	w.books = &books{config: w.configure("      - crm/Accounts\n      - crm/Contacts"), clock: w.clock.time}
	return w
}

// how is how the pipeline is.
func (w *world) how() pipelineStanding {
	w.t.Helper()
	s, err := w.standing(w.t.Context(), []*config.Pipeline{w.pipeline()})
	if err != nil {
		w.t.Fatal(err)
	}
	return s.Pipelines[0]
}

// inWords are the streams with their rows and states, as status prints them.
func (p *pipelineStanding) inWords() (all []string) {
	for i := range p.Streams {
		l := &p.Streams[i]
		all = append(all, l.Stream+" "+l.rows()+" "+l.words())
	}
	return all
}

// What a first run has read is seen while it is on, and called interrupted when it was killed.
func TestStandingFollowsAFirstRun(t *testing.T) {
	t.Parallel()
	w := newBooks(t)
	record, err := runs.Create(w.records(), runs.Record{ID: "20261121T030000.000Z-0001", Pipeline: "nightly", Started: w.clock.time()})
	if err != nil {
		t.Fatal(err)
	}
	note := func(s runs.Stream) {
		t.Helper()
		s.Scope, s.Mode, s.Started = "123456", "replace", w.clock.time()
		if err := record.Stream(s); err != nil {
			t.Fatal(err)
		}
	}
	note(runs.Stream{Stream: "crm/Accounts", Status: "reading", Rows: 1000})
	how := w.how()
	if diff := cmp.Diff([]string{"crm/Accounts 1000 read reading"}, how.inWords()); diff != "" || how.LastRun.Status != "running" || how.Fresh.Never != 1 {
		t.Errorf("while it runs: %+v\n%s", how.LastRun, diff)
	}
	note(runs.Stream{Stream: "crm/Accounts", Status: "done", Rows: 1400, Inserted: 1400})
	note(runs.Stream{Stream: "crm/Contacts", Status: "reading", Rows: 7})
	how = w.how()
	if diff := cmp.Diff([]string{"crm/Accounts 1400 read done", "crm/Contacts 7 read reading"}, how.inWords()); diff != "" {
		t.Error(diff)
	}

	path := filepath.Join(w.records(), "20261121T030000.000Z-0001.ndjson")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := record.End(runs.Record{Status: "done"}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".killed", text, 0o600); err != nil { // nobody holds a lock on it
		t.Fatal(err)
	}
	if err := os.Rename(path+".killed", path); err != nil {
		t.Fatal(err)
	}
	how = w.how()
	if diff := cmp.Diff([]string{"crm/Accounts 1400 read done", "crm/Contacts 7 read interrupted"}, how.inWords()); diff != "" || how.LastRun.Status != "killed" {
		t.Errorf("after the kill: %+v\n%s", how.LastRun, diff)
	}
	if n := how.runNotices(); len(n) != 1 || n[0].Level != levelNote || n[0].Do != "exactduck sync nightly" {
		t.Errorf("it is told as %+v", n)
	}
}

// What was forgotten is not remembered by who has read it before.
func TestStandingForgetsWhatRecordsForget(t *testing.T) {
	t.Parallel()
	w := newBooks(t)
	record, err := runs.Create(w.records(), runs.Record{ID: "20261121T030000.000Z-0001", Pipeline: "nightly", Started: w.clock.time()})
	if err != nil {
		t.Fatal(err)
	}
	for _, scope := range []string{"123456", "123457"} {
		if err := record.Stream(runs.Stream{Stream: "crm/Accounts", Scope: scope, Status: "failed", Error: "of division " + scope}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := record.End(runs.Record{Status: "partial", ExitCode: exitPartial, Ended: w.clock.time()}); err != nil {
		t.Fatal(err)
	}
	how := w.how()
	if how.Fresh.Failed != 2 || len(how.ByPlace) != 2 {
		t.Errorf("before: %+v", how.Fresh)
	}
	if err := runs.Forget(w.records(), "123457"); err != nil {
		t.Fatal(err)
	}
	if how = w.how(); how.Fresh.Failed != 1 || len(how.ByPlace) != 1 || how.ByPlace[0].Name != "123456" {
		t.Errorf("after: %+v, %+v", how.Fresh, how.ByPlace)
	}
}

// A change of the published file is seen, and days are those of the pipeline's zone.
func TestStandingSeesAnotherEdition(t *testing.T) {
	t.Parallel()
	w := newBooks(t)
	w.log = slog.New(slog.DiscardHandler)
	w.books.log = w.log
	place := load.Division{Scope: schema.Scope("123456"), Code: "123456", Name: "De Gouden Lepel B.V.", Active: true}
	w.publish([]load.Division{place})
	if how := w.how(); how.Names["123456"] != place.Name {
		t.Errorf("names are %v", how.Names)
	}
	place.Name = "De Zilveren Lepel B.V."
	w.clock.advance(time.Hour)
	w.publish([]load.Division{place})
	if how := w.how(); how.Names["123456"] != place.Name {
		t.Errorf("names are still %v", how.Names)
	}
	all := []runStanding{{Record: runs.Record{Started: time.Date(2026, 11, 20, 23, 30, 0, 0, time.UTC), Status: "failed", Calls: 3}}}
	list := perDay(all, w.clock.time().In(w.pipeline().Timezone.Location))
	if last := list[len(list)-1]; len(list) != daysShown || last.Day != "2026-11-21" || last.Runs != 1 || last.Failed != 1 || last.Calls != 3 {
		t.Errorf("the last day is %+v", last)
	}
}
