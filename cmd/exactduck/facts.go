package main

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"exactduck/auth"
	"exactduck/cmd/exactduck/config"
	"exactduck/cmd/exactduck/runs"
	"exactduck/load"
	"exactduck/schema"
)

// facts remember what was read of files, so that who asks for a standing again pays for what has
// changed.
type facts struct {
	mu       sync.Mutex
	journal  journal
	editions map[string]*edition // by pipeline
	merged   map[string]*listing // by pipeline
	accounts accounts
	logins   map[string]auth.Status
}

// facts are those of the configuration, made when they are first wanted.
func (b *books) facts() *facts {
	b.once.Do(func() {
		b.known = &facts{
			editions: map[string]*edition{}, merged: map[string]*listing{}, accounts: accounts{}, logins: map[string]auth.Status{},
		}
	})
	return b.known
}

// loginPatience is how long is waited for a process that is refreshing the login.
const loginPatience = 200 * time.Millisecond

// addLogins adds the logins and the calls of their apps.
func (f *facts) addLogins(ctx context.Context, b *books, s *standing) error {
	if b.logins == nil {
		return nil
	}
	for _, name := range b.config.ConnectionNames() {
		l, err := b.logins(name)
		if err != nil {
			return err
		}
		patient, stop := context.WithTimeout(ctx, loginPatience)
		status, err := l.status(patient, s.At)
		busy := errors.Is(patient.Err(), context.DeadlineExceeded)
		stop()
		switch {
		case err == nil:
			f.logins[name] = status
		case !busy || ctx.Err() != nil:
			return err
		}
		if known, ok := f.logins[name]; ok {
			s.Logins[name] = known
		}
		quota, warnings, err := f.accounts.quotas(vendors[b.config.Connections[name].Type], name, l.calls(b.log), b.config.Connections[name].Reserve, s.At)
		if err != nil {
			return err
		}
		for _, w := range warnings {
			s.warn(w)
		}
		s.Quota = append(s.Quota, quota...)
	}
	return nil
}

// edition is what a published file says of one pipeline.
type edition struct {
	file    os.FileInfo // nil: there is none
	cursors []load.Cursor
	names   map[string]string // of divisions, by scope
	failing []load.Check
	changes []shapeChange
	runs    []load.Run
}

// runsKept is more runs than a month has, every quarter of an hour.
const runsKept = 4000

// changesShown is for how long a change of shape is news.
const changesShown = daysShown * 24 * time.Hour

// edition reads the published file of a pipeline when it is another than before.
func (f *facts) edition(ctx context.Context, b *books, p *config.Pipeline) (*edition, error) {
	file, err := os.Stat(p.To.DuckDB)
	if errors.Is(err, fs.ErrNotExist) {
		f.editions[p.Name()] = &edition{}
		return f.editions[p.Name()], nil
	}
	if err != nil {
		return nil, err
	}
	if e := f.editions[p.Name()]; e != nil && e.file != nil && os.SameFile(e.file, file) && e.file.ModTime().Equal(file.ModTime()) {
		return e, nil
	}
	e := &edition{file: file, names: map[string]string{}}
	if err := e.read(ctx, b, p); err != nil {
		return nil, err
	}
	f.editions[p.Name()] = e
	return e, nil
}

func (e *edition) read(ctx context.Context, b *books, p *config.Pipeline) error {
	reader, err := load.OpenReader(ctx, p.To.DuckDB)
	if err != nil {
		return err
	}
	defer reader.Close()
	ours, tables, err := belongings(p)
	if err != nil {
		return err
	}
	prefix := b.config.Connections[p.From].SchemaPrefix
	known, err := reader.Known(ctx, prefix, p.Name())
	if err != nil {
		return err
	}
	e.cursors = slices.DeleteFunc(known.Cursors, func(c load.Cursor) bool { return !ours(c.Stream) })
	for _, d := range fromSource(p.Kind(), known.Divisions) {
		e.names[string(d.Scope)] = d.Name
	}
	if e.failing, err = reader.Checks(ctx, prefix); err != nil {
		return err
	}
	e.failing = slices.DeleteFunc(e.failing, func(c load.Check) bool { n := finding{Check: c}; return !n.bad() || !ours(c.Stream) })
	changes, err := reader.Changes(ctx, prefix, b.clock().Add(-changesShown))
	if err != nil {
		return err
	}
	for _, n := range slices.Backward(changes) {
		if tables[n.Table] {
			e.changes = append(e.changes, shapeChange{p.Name(), n.At, n.Run, n.Table, n.Column, n.Kind, n.Detail})
		}
	}
	e.runs, err = reader.Runs(ctx, runsKept)
	e.runs = slices.DeleteFunc(e.runs, func(r load.Run) bool { return r.Pipeline != p.Name() })
	return err
}

// belongings tell the streams of a pipeline, and name its tables.
func belongings(p *config.Pipeline) (ours func(string) bool, tables map[string]bool, err error) {
	if ours, err = streamsOf(p); err != nil {
		return nil, nil, err
	}
	choices, err := p.Choices(catalogue)
	tables = map[string]bool{}
	for _, c := range choices {
		tables[c.Stream.Variants[0].Table.FullName()] = true
	}
	return ours, tables, err
}

// runs are those of a pipeline that anybody remembers, the newest first: records on disk, and what
// was published of those that are not there any more.
func (f *facts) runs(p *config.Pipeline, e *edition, now time.Time) []runStanding {
	all := f.journal.of(p.Name()).runs()
	seen := make(map[string]*runStanding, len(all))
	for i := range all {
		seen[all[i].ID] = &all[i]
	}
	var older []runStanding
	for _, r := range e.runs {
		if s := seen[r.ID]; s == nil {
			older = append(older, publishedRun(r))
		} else if s.Sum == (runs.Stream{}) { // only glanced at
			s.Sum = publishedRun(r).Sum
		}
	}
	all = append(all, older...)
	newestFirst(all, now)
	return all
}

func newestFirst(all []runStanding, now time.Time) {
	order := runs.Compare(now)
	slices.SortStableFunc(all, func(a, b runStanding) int { return order(b.ID, a.ID) })
}

// remembered are the runs of all pipelines that anybody remembers, the newest first.
func (b *books) remembered(ctx context.Context) ([]runStanding, error) {
	f := b.facts()
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.journal.read(b.records(), b.clock()); err != nil {
		return nil, err
	}
	var all []runStanding
	for _, name := range b.config.PipelineNames() {
		p := b.config.Pipelines[name]
		edition, err := f.edition(ctx, b, p)
		if err != nil {
			return nil, err
		}
		all = append(all, f.runs(p, edition, b.clock())...)
	}
	newestFirst(all, b.clock())
	return all, nil
}

func publishedRun(r load.Run) runStanding {
	return runStanding{
		Record: runs.Record{
			ID: r.ID, Pipeline: r.Pipeline, Started: r.Started, Ended: r.Ended, Status: r.Status, ExitCode: r.ExitCode,
			Calls: int(r.Calls), Message: r.Message,
		},
		Sum: runs.Stream{Rows: r.Read, Inserted: r.Inserted, Updated: r.Updated, Deleted: r.Deleted},
	}
}

// listing is the streams of a pipeline in its divisions, by stream and division.
type listing struct {
	of      *edition
	version int    // of the journal
	running string // the run that is on
	all     []streamStanding
	place   []int // of each line, among places
	stream  []int // of each line, among streams
	places  []string
	streams []string
	unread  []string // streams with a max_age, as long as nothing was ever read
}

// lines puts together what the journal and the published file know, when one of them knows more.
func (f *facts) lines(p *config.Pipeline, j *pipelineJournal, e *edition) (*listing, error) {
	running := j.running()
	if l := f.merged[p.Name()]; l != nil && l.of == e && l.version == j.version && l.running == running {
		return l, nil
	}
	choices, err := p.Choices(catalogue)
	if err != nil {
		return nil, err
	}
	age := map[string]int64{}
	for _, c := range choices {
		age[c.Stream.Name] = int64(c.MaxAge / time.Second)
	}
	l := &listing{of: e, version: j.version, running: running, all: j.with(e.cursors, running)}
	for i := range l.all {
		l.all[i].MaxAge = age[l.all[i].Stream]
	}
	if len(l.all) == 0 {
		l.unread = slices.DeleteFunc(slices.Sorted(maps.Keys(age)), func(name string) bool { return age[name] == 0 })
	}
	l.index()
	f.merged[p.Name()] = l
	return l, nil
}

func (l *listing) index() {
	slices.SortFunc(l.all, func(a, b streamStanding) int {
		return cmp.Or(strings.Compare(a.Stream, b.Stream), byNumber(schema.Scope(a.Scope), schema.Scope(b.Scope)))
	})
	among := func(names *[]string, at map[string]int, name string) int {
		i, ok := at[name]
		if !ok {
			i = len(*names)
			at[name] = i
			*names = append(*names, name)
		}
		return i
	}
	places, streams := map[string]int{}, map[string]int{}
	for i := range l.all {
		l.place = append(l.place, among(&l.places, places, l.all[i].Scope))
		l.stream = append(l.stream, among(&l.streams, streams, l.all[i].Stream))
	}
}

// groups adds the lines up, which are in the order of l, by division and by stream.
func (l *listing) groups(all []streamStanding, names map[string]string) (sum ages, byPlace, byStream []groupStanding) {
	byPlace, byStream = make([]groupStanding, len(l.places)), make([]groupStanding, len(l.streams))
	for i, name := range l.places {
		byPlace[i].Name, byPlace[i].Title = name, names[name]
	}
	for i, name := range l.streams {
		byStream[i].Name = name
	}
	for i := range all {
		sum.add(&all[i])
		byPlace[l.place[i]].add(&all[i])
		byStream[l.stream[i]].add(&all[i])
	}
	for _, groups := range [][]groupStanding{byPlace, byStream} {
		slices.SortStableFunc(groups, func(a, b groupStanding) int {
			return cmp.Or(a.worse(&b.ages), byNumber(schema.Scope(a.Name), schema.Scope(b.Name)))
		})
	}
	return sum, byPlace, byStream
}
