package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"exactduck/auth"
	"exactduck/cmd/exactduck/config"
	"exactduck/cmd/exactduck/page"
	"exactduck/cmd/exactduck/runs"
	"exactduck/cmd/exactduck/schedule"
)

// watched gives the status page its facts: those of the books that are in force.
type watched struct {
	books  func() (*books, error)
	getenv func(string) (string, bool)
	log    *slog.Logger

	mu             sync.Mutex
	user, password string // the last that could be had

	opened opened
}

// site is the status page of the books that are in force. getenv finds the variable of its password.
func site(in func() (*books, error), getenv func(string) (string, bool), clock func() time.Time, log *slog.Logger) *page.Site {
	w := &watched{books: in, getenv: getenv, log: log}
	return &page.Site{
		Version: version(), Clock: clock, Log: log, Password: w.asked,
		Overview: w.overview, Lines: w.lines, Runs: w.runs, Run: w.run, RunLog: w.runLog,
		Pause: w.tell((*schedule.Book).Pause), Resume: w.tell((*schedule.Book).Resume), RunNow: w.tell((*schedule.Book).Request),
	}
}

// tell makes of what a book can do what a button does.
func (w *watched) tell(do func(*schedule.Book, string) error) func(context.Context, string) error {
	return func(_ context.Context, pipeline string) error {
		b, err := w.books()
		if err != nil {
			return err
		}
		book := b.book()
		book.Log = w.log
		return do(book, pipeline)
	}
}

// asked is the password in force. One that cannot be had any more stays in force: a page is not opened
// because a file is missing.
func (w *watched) asked() (user, password string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	b, err := w.books()
	if err == nil {
		user = b.config.Serve.User
		password, err = b.config.ServePassword(w.getenv)
	}
	if err != nil {
		w.log.Error("the password of the page cannot be had; the last one stays in force", "error", err)
		return w.user, cmp.Or(w.password, unguessable)
	}
	w.user, w.password = user, password
	return user, password
}

// unguessable is a password that nobody has.
var unguessable = rand.Text()

func (w *watched) standing(ctx context.Context) (*books, standing, error) {
	b, err := w.books()
	if err != nil {
		return nil, standing{}, err
	}
	var all []*config.Pipeline
	for _, name := range b.config.PipelineNames() {
		all = append(all, b.config.Pipelines[name])
	}
	s, err := b.standing(ctx, all)
	return b, s, err
}

func (w *watched) overview(ctx context.Context) (page.Overview, error) {
	b, s, err := w.standing(ctx)
	if err != nil {
		return page.Overview{}, err
	}
	all := page.Overview{
		At: s.At, Notices: make([]page.Notice, len(s.Notices)), Pipelines: make([]page.Pipeline, len(s.Pipelines)),
		Logins: []page.Login{}, Quota: quotaShown(s.Quota), Warnings: s.warnings,
	}
	for i, n := range s.Notices {
		all.Notices[i] = page.Notice{Act: n.Level == levelAct, Pipeline: n.Pipeline, Text: n.Text, Do: n.Do, Since: n.Since}
	}
	for i := range s.Pipelines {
		all.Pipelines[i] = pipelineShown(&s.Pipelines[i], b.config.Pipelines[s.Pipelines[i].Pipeline])
	}
	for _, name := range s.loginNames() {
		all.Logins = append(all.Logins, loginShown(name, s.Logins[name]))
	}
	return all, nil
}

func pipelineShown(of *pipelineStanding, p *config.Pipeline) page.Pipeline {
	shown := page.Pipeline{
		Name: of.Pipeline, Zone: of.zone, Timezone: p.Timezone.String(), Schedule: p.Schedule,
		Next: of.Schedule.Next, Due: of.Schedule.Due, Paused: of.Schedule.Paused, PausedAt: of.Schedule.PausedAt, Requested: of.Schedule.Requested,
		Place: of.vendor.words().place, Fresh: page.Fresh(of.Fresh), Divisions: groupsShown(of.vendor, of.ByPlace), Streams: groupsShown(of.vendor, of.ByStream),
		Checks: make([]page.Check, len(of.Checks)), Changes: make([]page.Change, len(of.Changes)), Days: make([]page.Day, len(of.Days)),
	}
	if of.Schedule.Running { // what was asked for is under way
		shown.Due, shown.Requested = time.Time{}, time.Time{}
	}
	if len(of.Runs) > 0 {
		last := runShown(&of.Runs[0], of.zone)
		shown.Last = &last
	}
	for i, c := range of.Checks {
		shown.Checks[i] = page.Check{At: c.At, Stream: c.Stream, Scope: string(c.Scope), Kind: c.Kind, Detail: printable(c.Detail), Do: c.Advice}
	}
	for i, n := range of.Changes {
		shown.Changes[i] = page.Change{At: n.At, Run: n.Run, Table: n.Table, Column: printable(n.Column), Kind: n.Change, Detail: printable(n.Detail)}
	}
	for i, d := range of.Days {
		shown.Days[i] = page.Day(d)
	}
	return shown
}

func groupsShown(v vendor, all []groupStanding) []page.Group {
	shown := make([]page.Group, len(all))
	for i, g := range all {
		shown[i] = page.Group{Name: g.Name, Title: printable(g.Title), Fresh: page.Fresh(g.ages)}
		if g.Name == string(shared) {
			shown[i].Title = "of no " + v.words().place
		}
	}
	return shown
}

func runShown(r *runStanding, zone *time.Location) page.Run {
	return page.Run{
		ID: r.ID, Pipeline: r.Pipeline, Zone: zone, Status: r.Status, ExitCode: r.ExitCode, Started: r.Started, Ended: r.Ended,
		Calls: r.Calls, Read: r.Sum.Rows, Inserted: r.Sum.Inserted, Updated: r.Sum.Updated, Deleted: r.Sum.Deleted,
		Message: printable(r.Message), Warnings: allPrintable(r.Warnings),
	}
}

func allPrintable(texts []string) []string {
	shown := slices.Clone(texts)
	for i := range shown {
		shown[i] = printable(shown[i])
	}
	return shown
}

func loginShown(name string, l auth.Status) page.Login {
	return page.Login{
		Connection: name, Host: l.Host, LoggedIn: l.LoggedIn, Problem: l.Problem, DaysLeft: l.DaysLeft, ExpiresAt: l.ExpiresAt,
		Soon: loginWarning(l) != "", CallsToday: l.CallsToday,
	}
}

// quotaShown has those with the fewest calls left first, and the logins' own calls last.
func quotaShown(all []quotaStanding) []page.Quota {
	shown := make([]page.Quota, len(all))
	for i, q := range all {
		shown[i] = page.Quota{
			Connection: q.Connection, Division: q.Division, Place: q.vendor.words().place, Ours: q.Ours, Others: q.Others, Limit: q.Limit, Left: q.Left, Kept: q.Kept, Reset: q.Reset,
		}
		if own(q) == 1 {
			shown[i].Division = ""
		}
	}
	left := func(q page.Quota) int {
		switch {
		case q.Division == "":
			return math.MaxInt
		case q.Left == nil:
			return math.MaxInt - 1
		}
		return *q.Left - q.Kept
	}
	slices.SortStableFunc(shown, func(a, b page.Quota) int { return cmp.Compare(left(a), left(b)) })
	return shown
}

func (w *watched) lines(ctx context.Context, pipeline string) (page.Pipeline, []page.Line, error) {
	b, err := w.books()
	if err != nil {
		return page.Pipeline{}, nil, err
	}
	p := b.config.Pipelines[pipeline]
	if p == nil {
		return page.Pipeline{}, nil, page.ErrUnknown
	}
	s, err := b.standing(ctx, []*config.Pipeline{p})
	if err != nil {
		return page.Pipeline{}, nil, err
	}
	of := &s.Pipelines[0]
	return pipelineShown(of, p), linesShown(of), nil
}

func linesShown(p *pipelineStanding) []page.Line {
	titles := make(map[string]string, len(p.Names))
	for scope, name := range p.Names {
		titles[scope] = printable(name)
	}
	shown := make([]page.Line, len(p.Streams))
	for i := range p.Streams {
		l := &p.Streams[i]
		shown[i] = page.Line{
			Stream: l.Stream, Scope: l.Scope, Title: titles[l.Scope], Rows: l.Rows, Coming: !l.published && l.Rows > 0,
			HistoryFrom: l.HistoryFrom, Beginning: beginning(l.Stream, l.HistoryFrom), ReadAt: l.ReadAt, Status: l.Status, Error: printable(l.Error), Stale: l.Stale, Bad: l.bad(), MaxAge: l.MaxAge,
		}
	}
	return shown
}

func (w *watched) runs(ctx context.Context, pipeline string) ([]page.Run, error) {
	b, err := w.books()
	if err != nil {
		return nil, err
	}
	all, err := b.remembered(ctx)
	if err != nil {
		return nil, err
	}
	var shown []page.Run
	for i := range all {
		if pipeline == "" || all[i].Pipeline == pipeline {
			shown = append(shown, runShown(&all[i], b.zoneOf(all[i].Pipeline)))
		}
	}
	return shown, nil
}

func (w *watched) run(ctx context.Context, id string) (page.Run, error) {
	b, err := w.books()
	if err != nil {
		return page.Run{}, err
	}
	r, err := w.opened.read(filepath.Join(b.records(), filepath.Base(id)+".ndjson"), b.zoneOf)
	if errors.Is(err, fs.ErrNotExist) {
		return w.published(ctx, b, id)
	}
	if err == nil && r.ID == "" {
		err = fmt.Errorf("run %s: %w", id, page.ErrUnknown)
	}
	return r, err
}

// published is a run of which only the published files know.
func (w *watched) published(ctx context.Context, b *books, id string) (page.Run, error) {
	p, err := b.past(ctx)
	if err != nil {
		return page.Run{}, err
	}
	if !slices.Contains(p.ids, id) {
		return page.Run{}, fmt.Errorf("run %s: %w", id, page.ErrUnknown)
	}
	r, err := p.run(ctx, id)
	return wholeRun(&r.Record, b.zoneOf(r.Pipeline)), err
}

func wholeRun(r *runs.Record, zone *time.Location) page.Run {
	shown := runShown(&runStanding{Record: *r, Sum: r.Totals()}, zone)
	shown.Place = wordFor(r.Streams, func(s runs.Stream) string { return s.Stream })
	shown.Streams = make([]page.RunStream, len(r.Streams))
	for i, s := range r.Streams {
		shown.Streams[i] = page.RunStream{
			Stream: s.Stream, Scope: s.Scope, Mode: s.Mode, Why: s.Why, Status: s.Status, Pages: s.Pages, Read: s.Rows,
			Inserted: s.Inserted, Updated: s.Updated, Deleted: s.Deleted, Error: printable(s.Error), Started: s.Started, Ended: s.Ended,
		}
	}
	return shown
}

func (w *watched) runLog(_ context.Context, id string) (io.ReadSeekCloser, error) {
	b, err := w.books()
	if err != nil {
		return nil, err
	}
	file, err := runs.OpenLog(b.logs(), id)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, page.ErrUnknown
	}
	return file, err
}

// zoneOf is the zone in which the times of a pipeline are shown.
func (b *books) zoneOf(pipeline string) *time.Location {
	if p := b.config.Pipelines[pipeline]; p != nil {
		return p.Timezone.Location
	}
	return time.UTC
}
