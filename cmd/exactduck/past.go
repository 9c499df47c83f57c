package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"exactduck/cmd/exactduck/runs"
	"exactduck/load"
)

// pastRun is a run as the records on disk tell of it or, when its record is gone, the published file.
type pastRun struct {
	runs.Record
	Streams []runs.Stream `json:"streams,omitempty"` // in a list they are left out
	Log     string        `json:"log,omitempty"`     // the path of its log, while there is one
	Source  string        `json:"source"`            // record or history
}

// well tells that there is nothing about it that somebody should look at.
func (r *pastRun) well() bool { return r.Status == "done" || r.Status == "running" }

// past is what there is of past runs: records, and the history in published files. Each run is in it
// once; the record knows more.
type past struct {
	books    *books
	paths    map[string]string   // of records, by run
	history  map[string]load.Run // by run
	files    map[string]string   // the published file that has the history of a run
	ids      []string            // the newest first: they sort by time
	warnings []string
}

// past looks where there is what. It reads no record yet.
func (b *books) past(ctx context.Context) (*past, error) {
	p := &past{books: b, paths: map[string]string{}, history: map[string]load.Run{}, files: map[string]string{}}
	paths, err := runs.List(b.records(), b.clock())
	if err != nil {
		return nil, err
	}
	known := map[string]bool{}
	for _, path := range paths {
		p.paths[idOf(path)], known[idOf(path)] = path, true
	}
	looked := map[string]bool{}
	for _, name := range b.config.PipelineNames() {
		file := b.config.Pipelines[name].To.DuckDB
		if looked[file] {
			continue
		}
		looked[file] = true
		if err := p.addHistory(ctx, file); err != nil { // the records are there nevertheless
			p.warnings = append(p.warnings, fmt.Sprintf("the history in %s cannot be read: %v", file, err))
		}
	}
	for id := range p.history {
		known[id] = true
	}
	p.ids = slices.SortedFunc(maps.Keys(known), runs.Compare(b.clock()))
	slices.Reverse(p.ids)
	return p, nil
}

// allRuns is more than a history has.
const allRuns = 1 << 30

func (p *past) addHistory(ctx context.Context, file string) error {
	reader, err := load.OpenReader(ctx, file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer reader.Close()
	all, err := reader.Runs(ctx, allRuns)
	for _, r := range all {
		p.history[r.ID], p.files[r.ID] = r, file
	}
	return err
}

// wantedRuns say which runs a list has.
type wantedRuns struct {
	pipelines []string // empty: all
	bad       bool     // only those that did not end well
	limit     int
}

// list is the newest runs that are wanted, without their streams.
func (p *past) list(want wantedRuns) ([]pastRun, error) {
	all := []pastRun{}
	for _, id := range p.ids {
		if len(all) == want.limit {
			break
		}
		r, err := p.glance(id)
		if err != nil {
			return nil, err
		}
		if r.ID == "" || len(want.pipelines) > 0 && !slices.Contains(want.pipelines, r.Pipeline) || want.bad && r.well() {
			continue
		}
		r.Record.Streams, r.Warnings = nil, nil
		all = append(all, r)
	}
	return all, nil
}

// glance is a run without its streams, as far as that is cheaper.
func (p *past) glance(id string) (pastRun, error) {
	path, recorded := p.paths[id]
	if !recorded {
		return p.told(id), nil
	}
	r, err := runs.Glance(path)
	if err == nil && (r.Status == "running" || r.Sums == runs.Sums{}) {
		r, err = runs.Read(path)
		r.Sums = r.Sum()
	}
	return p.logged(pastRun{Record: r, Source: "record"}), err
}

// told is a run as the history tells of it.
func (p *past) told(id string) pastRun {
	h := p.history[id]
	r := runs.Record{
		ID: h.ID, Pipeline: h.Pipeline, Started: h.Started, Ended: h.Ended, Status: h.Status, ExitCode: h.ExitCode,
		Calls: int(h.Calls), Message: h.Message, Effort: recorded(h.Effort), Publish: h.Publish.Milliseconds(), Other: h.Other.Milliseconds(),
		Sums: runs.Sums{Rows: h.Read, Inserted: h.Inserted, Updated: h.Updated, Deleted: h.Deleted},
	}
	return p.logged(pastRun{Record: r, Source: "history"})
}

// recorded is an effort in the words of records.
func recorded(e load.Effort) runs.Effort {
	return runs.Effort{
		Wait: e.Wait.Milliseconds(), Read: e.Read.Milliseconds(), Spool: e.Spool.Milliseconds(), Apply: e.Apply.Milliseconds(),
		Bytes: e.Bytes, Wire: e.Wire, Retries: int(e.Retries),
	}
}

func (p *past) logged(r pastRun) pastRun {
	path := filepath.Join(p.books.logs(), r.ID+".log")
	if _, err := os.Stat(path); r.ID != "" && err == nil {
		r.Log = path
	}
	return r
}

// run is all that is known of a run.
func (p *past) run(ctx context.Context, id string) (r pastRun, err error) {
	if path, there := p.paths[id]; there {
		r = pastRun{Source: "record"}
		if r.Record, err = runs.Read(path); err != nil {
			return r, err
		}
		r.Sums = r.Sum()
	} else {
		r = p.told(id)
		if r.Record.Streams, err = p.streams(ctx, id); err != nil {
			return r, err
		}
		r.Sums = r.Sum()
	}
	r.Streams = append([]runs.Stream{}, r.Record.Streams...)
	return p.logged(r), nil
}

// streams are what the history tells of a run's streams.
func (p *past) streams(ctx context.Context, id string) ([]runs.Stream, error) {
	reader, err := load.OpenReader(ctx, p.files[id])
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	all, err := reader.RunStreams(ctx, id)
	streams := make([]runs.Stream, len(all))
	for i, s := range all {
		streams[i] = runs.Stream{
			Stream: s.Stream, Scope: s.Scope, Variant: s.Variant, Mode: s.Mode, Status: s.Status, Calls: int(s.Calls),
			Pages: int(s.Pages), Rows: s.Read, Inserted: s.Inserted, Updated: s.Updated, Deleted: s.Deleted, Missed: s.Missed,
			Error: s.Error, Started: s.Started, Ended: s.Ended, Effort: recorded(s.Effort), Idle: s.Idle.Milliseconds(),
		}
	}
	return streams, err
}

// find is the id of the run that somebody means: by its id or how that begins, "last", or by the
// pipeline whose last run it is.
func (p *past) find(word string) (string, error) {
	if word == "last" || p.books.config.Pipelines[word] != nil {
		want := wantedRuns{limit: 1}
		if word != "last" {
			want.pipelines = []string{word}
		}
		found, err := p.list(want)
		if err == nil && len(found) == 0 {
			err = &usageError{"there was no run yet", `"exactduck sync" makes one`}
		}
		if err != nil {
			return "", err
		}
		return found[0].ID, nil
	}
	var like []string
	for _, id := range p.ids {
		if id == word {
			return id, nil
		}
		if strings.HasPrefix(id, word) {
			like = append(like, id)
		}
	}
	switch {
	case len(like) == 1:
		return like[0], nil
	case len(like) > 1:
		return "", &usageError{fmt.Sprintf("%d runs begin with %q", len(like), word), "write more of it: " + strings.Join(like[:min(len(like), 5)], ", ")}
	}
	return "", &usageError{fmt.Sprintf("there is no run %q", word), `"exactduck runs" lists them; "last" is the newest`}
}
