package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"exactduck/cmd/exactduck/runs"
	"exactduck/extract/sandbox"
	"exactduck/load"
)

// answered is the data that a command answers with.
func (o *office) answered(data any, args ...string) {
	o.t.Helper()
	var out, said bytes.Buffer
	c := o.process(append(args, "--output", "json")...)
	c.Stdout, c.Stderr = &out, &said
	if err := c.Run(); err != nil {
		o.t.Fatalf("%s: %v: %s", strings.Join(args, " "), err, said.String())
	}
	if err := json.Unmarshal(out.Bytes(), &struct{ Data any }{data}); err != nil {
		o.t.Fatalf("%s: %v: %s", strings.Join(args, " "), err, out.String())
	}
}

// A run that was killed is shown as one, with what it had done and the log up to then. History has it,
// and how the others ended, once the next run is published.
func TestKilledRunsAreShown(t *testing.T) {
	t.Parallel()
	o := newOffice(t, crashing, sandbox.Options{Divisions: 1, Scale: 0.1})
	steps := o.copy(t).steps("sync")
	for _, step := range []string{"stream synced", "spooled page"} {
		if at := 1 + slices.Index(steps, step); !o.kill(at, "sync") {
			t.Fatalf("nothing was killed at %d", at)
		}
	}
	var list struct{ Runs []pastRun }
	o.answered(&list, "runs", "--failed")
	if len(list.Runs) != 2 || list.Runs[0].Status != "killed" || list.Runs[1].Status != "killed" || !list.Runs[0].Ended.IsZero() || list.Runs[0].Log == "" {
		t.Fatalf("the runs are %+v", list.Runs)
	}
	var one pastRun
	o.answered(&one, "runs", "show", list.Runs[1].ID) // the first, with all of a stream
	if !slices.ContainsFunc(one.Streams, func(s runs.Stream) bool { return s.Pages > 0 && s.Rows > 0 }) {
		t.Errorf("the killed run did %+v", one.Streams)
	}
	o.run(0, "sync", "-q")
	o.change(happening...)
	o.later(time.Minute)
	o.run(0, "sync", "-q")
	const query = `SELECT string_agg(status || ' ' || (publish_ms > 0), ', ' ORDER BY run_id) FROM _exactduck.runs`
	if got := o.ask(query); !strings.HasPrefix(got, "killed false, killed false, done true, done ") {
		t.Errorf("history says %s", got)
	}
	o.answered(&list, "runs")
	for i, want := range []string{"done", "done", "killed", "killed"} {
		if got := list.Runs[i]; got.Status != want || got.Source != "record" {
			t.Errorf("run %d: %s by its %s, want %s", i, got.Status, got.Source, want)
		}
	}
}

// Records and the history tell of the same run; without its record it is still there, once.
func TestRunsAreListedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, t.TempDir(), "      - crm/Accounts", sandbox.Options{Divisions: 1})
	var made []synced
	for range 3 {
		if err := w.sandbox.Change(sandbox.Change{Entity: "crm/Accounts", Insert: 1}); err != nil {
			t.Fatal(err)
		}
		made = append(made, w.run(syncOptions{}))
		w.clock.advance(time.Hour)
	}
	list := func(want wantedRuns) (told []string) {
		t.Helper()
		p, err := w.past(t.Context())
		if err != nil || len(p.warnings) > 0 {
			t.Fatal(err, p.warnings)
		}
		all, err := p.list(want)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range all {
			told = append(told, fmt.Sprintf("%s %s %d", r.ID, r.Source, r.Sums.Inserted))
		}
		return told
	}
	line := func(i int, source string) string {
		return fmt.Sprintf("%s %s %d", made[i].ID, source, made[i].Totals().Inserted)
	}
	if got, want := list(wantedRuns{limit: 10}), []string{line(2, "record"), line(1, "record"), line(0, "record")}; !slices.Equal(got, want) {
		t.Errorf("listed %v, want %v", got, want)
	}
	for _, i := range []int{0, 1} {
		if err := os.Remove(filepath.Join(w.records(), made[i].ID+".ndjson")); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := list(wantedRuns{limit: 10}), []string{line(2, "record"), line(1, "history"), line(0, "history")}; !slices.Equal(got, want) {
		t.Errorf("listed %v, want %v", got, want)
	}
	if got := list(wantedRuns{limit: 2}); len(got) != 2 {
		t.Errorf("listed %v", got)
	}
	if got := list(wantedRuns{limit: 2, pipelines: []string{"hourly"}}); got != nil {
		t.Errorf("listed %v", got)
	}
	if got := list(wantedRuns{limit: 2, bad: true}); got != nil {
		t.Errorf("listed %v", got)
	}
	p, err := w.past(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	old, err := p.run(t.Context(), made[0].ID)
	if err != nil || len(old.Streams) != len(made[0].Streams) || old.Publish != made[0].Publish || !old.Ended.Equal(made[0].Ended.Truncate(time.Microsecond)) {
		t.Errorf("history says %+v, %v, and the run %+v", old, err, made[0].Record)
	}
	for _, s := range old.Streams {
		if was := lines(made[0], s.Stream); len(was) != 1 || was[0].Effort != s.Effort || was[0].Calls != s.Calls || was[0].Idle != s.Idle {
			t.Errorf("history says %+v, and the run %+v", s, was)
		}
	}
}

// A run that could not publish is not called done by the history for ever.
func TestHistoryFollowsHowRunsEnded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, t.TempDir(), "      - crm/Accounts", sandbox.Options{Divisions: 1})
	inTheWay := filepath.Join(w.dir, ".books.duckdb.publishing")
	if err := os.MkdirAll(filepath.Join(inTheWay, "full"), 0o700); err != nil {
		t.Fatal(err)
	}
	failed, err := w.sync(t.Context(), w.pipeline(), syncOptions{})
	if err == nil || failed.Status != "failed" {
		t.Fatalf("%+v, %v", failed.Record, err)
	}
	if err := os.RemoveAll(inTheWay); err != nil {
		t.Fatal(err)
	}
	w.clock.advance(time.Hour)
	w.run(syncOptions{})
	reader, err := load.OpenReader(t.Context(), w.published())
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	all, err := reader.Runs(t.Context(), 10)
	if err != nil || len(all) != 2 || all[1].Status != "failed" || all[1].ExitCode != failed.ExitCode || all[1].Message == "" || all[1].Inserted == 0 {
		t.Errorf("history says %+v, %v", all, err)
	}
}

// Old records go once the warehouse has them; those of a pipeline elsewhere stay, and so do the last.
func TestOldRecordsGo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, t.TempDir(), "      - crm/Accounts", sandbox.Options{Divisions: 1})
	w.run(syncOptions{})
	for i := range 250 {
		at := w.clock.time().AddDate(-1, 0, 0).Add(time.Duration(i) * time.Minute)
		pipeline := "nightly"
		if i < 10 {
			pipeline = "elsewhere"
		}
		record, err := runs.Create(w.records(), runs.Record{ID: at.Format("20060102T150405.000Z") + "-0000", Pipeline: pipeline, Started: at})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := record.End(runs.Record{Status: "done", Ended: at}); err != nil {
			t.Fatal(err)
		}
	}
	w.clock.advance(time.Hour)
	w.run(syncOptions{})
	paths, err := runs.List(w.records(), w.clock.time())
	if err != nil || len(paths) != 210 { // ten are not ours
		t.Errorf("%d records are left, %v; want 210", len(paths), err)
	}
	for _, path := range paths[:10] {
		if r, err := runs.Read(path); err != nil || r.Pipeline != "elsewhere" {
			t.Errorf("left is %+v, %v", r, err)
		}
	}
}

// What others wrote does not steer the terminal that it is printed on, and a record that says nothing is
// none.
func TestWordsOfOthersAreHarmless(t *testing.T) {
	t.Parallel()
	o := newOffice(t, crashing, sandbox.Options{Divisions: 1, Scale: 0.1})
	o.run(0, "schedule", "list", "-q") // makes the state directory
	for _, folder := range []string{"state/runs", "state/logs"} {
		if err := os.MkdirAll(o.file(folder), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	const id, empty = "20261121T030000.000Z-0001", "20261121T040000.000Z-0002"
	evil := "\x1b]0;title\a\x1b[2J \u202e"
	record, err := runs.Create(o.file("state/runs"), runs.Record{ID: id, Pipeline: "nightly", Started: o.now()})
	if err != nil {
		t.Fatal(err)
	}
	if err := record.Stream(runs.Stream{Stream: "crm/Accounts", Scope: "1", Status: "failed", Error: evil, Cause: "unreachable"}); err != nil {
		t.Fatal(err)
	}
	if err := record.Warn(evil); err != nil {
		t.Fatal(err)
	}
	if _, err := record.End(runs.Record{Status: "partial", ExitCode: exitPartial, Message: evil, Ended: o.now()}); err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{
		"state/runs/" + empty + ".ndjson": "", "state/logs/" + id + ".log": `{"level":"WARN","msg":"\u001b[2J","a":"\u202e"}` + "\n",
	} {
		if err := os.WriteFile(o.file(path), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{{"status"}, {"runs"}, {"runs", "show", id}, {"runs", "show", id, "--log"}, {"alert", "list"}} {
		if text := o.run(0, args...); strings.ContainsAny(text, "\x1b\a\u202e") {
			t.Errorf("%v prints %q", args, text)
		}
	}
	if text := o.run(exitUsage, "runs", "show", empty); !strings.Contains(text, "says nothing") {
		t.Errorf("of a record that says nothing: %s", text)
	}
}
