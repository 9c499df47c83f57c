package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"exactduck/cmd/exactduck/runs"
	"exactduck/load"
	"exactduck/schema"
)

// journal is what the records of runs on disk say. It grows with them: each line is read once.
type journal struct {
	followed  map[string]*runs.Follower // by path
	glanced   map[string]runs.Record    // by path: runs of which only the beginning and the end were read
	pipelines map[string]*pipelineJournal
}

// pipelineJournal is what they say of one pipeline.
type pipelineJournal struct {
	version int // grows with every line
	known   map[streamScope]*streamStanding
	records []*runs.Follower // the oldest first
	older   []runs.Record    // the oldest first
}

// mostFollowed is how many bytes of records are read line by line in the beginning, from the newest on;
// what lies before is in the published file.
const mostFollowed = 64 << 20

// read brings the journal up to date with the records in a folder.
func (j *journal) read(dir string, now time.Time) error {
	paths, err := runs.List(dir, now)
	if err != nil {
		return err
	}
	if j.followed == nil {
		if err := j.begin(paths); err != nil {
			return err
		}
	}
	for _, path := range paths {
		if _, ok := j.glanced[path]; ok {
			continue
		}
		err := j.follow(path)
		if errors.Is(err, runs.ErrRewritten) { // something was erased: it must not be remembered here
			*j = journal{}
			return j.read(dir, now)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	j.prune(paths)
	return nil
}

// begin decides which records are read whole.
func (j *journal) begin(paths []string) error {
	j.followed, j.glanced, j.pipelines = map[string]*runs.Follower{}, map[string]runs.Record{}, map[string]*pipelineJournal{}
	size := int64(0)
	for i, path := range slices.Backward(paths) {
		if file, err := os.Stat(path); err == nil {
			size += file.Size()
		}
		if size <= mostFollowed || i == len(paths)-1 {
			continue
		}
		r, err := runs.Glance(path)
		if err != nil {
			return err
		}
		if r.Status != "running" {
			j.glanced[path] = r
		}
	}
	for _, path := range paths {
		if r, ok := j.glanced[path]; ok {
			of := j.of(r.Pipeline)
			of.older = append(of.older, r)
		}
	}
	return nil
}

func (j *journal) follow(path string) error {
	f := j.followed[path]
	if f == nil {
		f = &runs.Follower{Path: path}
		j.followed[path] = f
	}
	met, size := f.Record().ID != "", f.Size()
	var told []runs.Stream
	if err := f.More(func(s runs.Stream) { told = append(told, s) }); err != nil {
		return err
	}
	if f.Size() == size || f.Record().ID == "" {
		return nil
	}
	r := f.Record()
	of := j.of(r.Pipeline)
	if !met {
		if last := len(of.records) - 1; last >= 0 {
			of.records[last].Let()
		}
		of.records = append(of.records, f)
	}
	of.version++
	for i := range told {
		of.put(r.ID, &told[i])
	}
	return nil
}

// prune forgets the runs whose records are gone.
func (j *journal) prune(paths []string) {
	if len(paths) == len(j.followed)+len(j.glanced) {
		return
	}
	there := map[string]bool{}
	for _, path := range paths {
		there[path] = true
	}
	for path := range j.followed {
		if !there[path] {
			delete(j.followed, path)
		}
	}
	for path := range j.glanced {
		if !there[path] {
			delete(j.glanced, path)
		}
	}
	for _, of := range j.pipelines {
		of.records = slices.DeleteFunc(of.records, func(f *runs.Follower) bool { return !there[f.Path] })
		of.older = slices.DeleteFunc(of.older, func(r runs.Record) bool { return !slices.ContainsFunc(paths, isOf(r.ID)) })
	}
}

func isOf(id string) func(string) bool {
	return func(path string) bool { return strings.TrimSuffix(filepath.Base(path), ".ndjson") == id }
}

func (j *journal) of(pipeline string) *pipelineJournal {
	of := j.pipelines[pipeline]
	if of == nil {
		of = &pipelineJournal{known: map[streamScope]*streamStanding{}}
		j.pipelines[pipeline] = of
	}
	return of
}

// aside are the modes of reads, in records, that make nothing fresh.
var aside = map[string]bool{"sweep": true, "window": true, "keys": true, "rows": true, modeNarrow: true}

// put notes what a run did with a stream.
func (of *pipelineJournal) put(run string, l *runs.Stream) {
	if aside[l.Mode] {
		return
	}
	at := streamScope{stream: l.Stream, scope: schema.Scope(l.Scope)}
	s := of.known[at]
	if s == nil {
		s = &streamStanding{Stream: l.Stream, Scope: l.Scope}
		of.known[at] = s
	}
	s.Status, s.Error, s.Cause, s.run = l.Status, l.Error, l.Cause, run
	if l.Status == "done" {
		s.ReadAt = l.Started
	}
	if l.Rows > 0 {
		s.Rows = l.Rows
	}
}

// last is the newest run; nil: there is none.
func (of *pipelineJournal) last() *runs.Record {
	if len(of.records) == 0 {
		if len(of.older) == 0 {
			return nil
		}
		r := of.older[len(of.older)-1]
		return &r
	}
	r := of.records[len(of.records)-1].Record()
	return &r
}

// running is the id of the run that is on; "": none is.
func (of *pipelineJournal) running() string {
	if last := of.last(); last != nil && last.Status == "running" {
		return last.ID
	}
	return ""
}

// runs are all that there are records of, the oldest first.
func (of *pipelineJournal) runs() []runStanding {
	all := make([]runStanding, 0, len(of.older)+len(of.records))
	for _, r := range of.older {
		all = append(all, runStanding{Record: r})
	}
	for _, f := range of.records {
		s := runStanding{Record: f.Record(), Sum: f.Sum()}
		s.Streams = nil
		all = append(all, s)
	}
	return all
}

// with adds what is published to what the records say of each stream.
// running is the id of the run that is on.
func (of *pipelineJournal) with(published []load.Cursor, running string) []streamStanding {
	all := make([]streamStanding, 0, max(len(of.known), len(published)))
	seen := make(map[streamScope]bool, len(published))
	for i := range published {
		c := &published[i]
		at := streamScope{c.Stream, c.Scope}
		seen[at] = true
		s := streamStanding{Stream: c.Stream, Scope: string(c.Scope), Status: "done"}
		if known := of.known[at]; known != nil {
			s = *known
		}
		s.Rows, s.HistoryFrom, s.published = c.Rows, c.HistoryFrom, true
		if c.ReadAt.After(s.ReadAt) {
			s.ReadAt = c.ReadAt
		}
		all = append(all, s)
	}
	for at, s := range of.known {
		if !seen[at] {
			all = append(all, *s)
		}
	}
	for i := range all {
		if s := &all[i]; (s.Status == "reading" || s.Status == "read") && s.run != running {
			s.Status = "interrupted"
		}
	}
	return all
}
