package main

import (
	"context"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"exactduck/auth"
	"exactduck/cmd/exactduck/config"
	"exactduck/cmd/exactduck/runs"
	"exactduck/cmd/exactduck/schedule"
	"exactduck/load"
)

// standing is how things are with one configuration: what status prints, the page shows, metrics count
// and alerts are told of.
type standing struct {
	At        time.Time              `json:"at"`
	Notices   []notice               `json:"notices"` // what somebody should know, the worst first
	Logins    map[string]auth.Status `json:"logins"`
	Quota     []quotaStanding        `json:"quota"`
	Pipelines []pipelineStanding     `json:"pipelines"`

	warnings []string
}

type pipelineStanding struct {
	Pipeline string            `json:"pipeline"`
	Schedule schedule.Standing `json:"schedule"`
	LastRun  *runs.Record      `json:"last_run"`
	Fresh    ages              `json:"freshness"` // of all streams
	Streams  []streamStanding  `json:"streams"`
	ByPlace  []groupStanding   `json:"divisions"`     // the worst first
	ByStream []groupStanding   `json:"stream_totals"` // the worst first
	Checks   []load.Check      `json:"failing_checks"`
	Changes  []shapeChange     `json:"schema_changes"` // of the last days, the newest first
	Days     []dayStanding     `json:"days"`           // the last, the oldest first
	Runs     []runStanding     `json:"-"`              // the newest first
	Names    map[string]string `json:"-"`              // of divisions
	Warnings []string          `json:"warnings,omitempty"`
	zone     *time.Location
	vendor   vendor
	login    auth.Status // of its connection
	unread   []string    // streams with a max_age, as long as nothing was ever read
	stray    string      // what somebody else has written beside the published file; "": nothing
}

// runStanding is a run in short: Streams of the record are left out and added up.
type runStanding struct {
	runs.Record
	Sum runs.Stream
}

// streamStanding is how fresh a stream is in one division.
type streamStanding struct {
	Stream      string    `json:"stream"`
	Scope       string    `json:"scope"`
	Rows        int64     `json:"rows"` // published; those read so far while it is read for the first time
	HistoryFrom string    `json:"history_from,omitempty"`
	ReadAt      time.Time `json:"read_at,omitzero"` // the last read that was applied
	Status      string    `json:"status"`           // of the last run that had it
	Error       string    `json:"error,omitempty"`
	Cause       string    `json:"cause,omitempty"` // of Error, in a word
	Stale       bool      `json:"stale"`           // the last read is older than max_age allows
	// MaxAge is how old it may be, in seconds; absent: of any age.
	MaxAge int64 `json:"max_age_seconds,omitempty"`

	run       string // that Status is of
	published bool
}

// ages are what streams of divisions come to.
type ages struct {
	Lines  int       `json:"streams"`
	Stale  int       `json:"stale"`
	Failed int       `json:"failed"`
	Never  int       `json:"never_read"`
	Rows   int64     `json:"rows"`
	Oldest time.Time `json:"oldest_read_at,omitzero"` // of those that were ever read
}

// groupStanding is what the streams of one division come to, or one stream in all divisions.
type groupStanding struct {
	Name  string `json:"name"`
	Title string `json:"title,omitempty"` // of a division
	ages
}

// dayStanding is what one local day has brought.
type dayStanding struct {
	Day    string `json:"day"`
	Runs   int    `json:"runs"`
	Failed int    `json:"failed"`
	Calls  int64  `json:"calls"`
	Rows   int64  `json:"rows"` // read
}

// daysShown is how many days of runs are counted.
const daysShown = 30

// standing gathers how the pipelines are. It waits for nobody: what cannot be looked at is told in
// warnings. Asked again, it reads what has changed since.
func (b *books) standing(ctx context.Context, pipelines []*config.Pipeline) (standing, error) {
	f := b.facts()
	f.mu.Lock()
	defer f.mu.Unlock()
	s := standing{At: b.clock(), Logins: map[string]auth.Status{}}
	if err := f.addLogins(ctx, b, &s); err != nil {
		return s, err
	}
	if err := f.journal.read(b.records(), b.clock()); err != nil {
		return s, err
	}
	schedules, err := b.schedules(pipelines, s.Logins)
	if err != nil {
		return s, err
	}
	for i, p := range pipelines {
		of, err := f.pipeline(ctx, b, p, s.At)
		if err != nil {
			return s, err
		}
		of.Schedule, of.login = schedules[i], s.Logins[p.From]
		s.Pipelines = append(s.Pipelines, of)
	}
	s.Notices = b.notices(&s)
	return s, nil
}

// pipeline is how one is. The caller holds the facts.
func (f *facts) pipeline(ctx context.Context, b *books, p *config.Pipeline, now time.Time) (pipelineStanding, error) {
	of := pipelineStanding{Pipeline: p.Name(), zone: p.Timezone.Location, vendor: vendorOf(p), stray: load.StrayLog(p.To.DuckDB)}
	edition, err := f.edition(ctx, b, p)
	if err != nil {
		return of, err
	}
	of.Checks, of.Names = edition.failing, edition.names
	of.Changes = edition.changes
	journal := f.journal.of(p.Name())
	of.LastRun = journal.last()
	of.Runs = f.runs(p, edition, now)
	of.Days = perDay(of.Runs, now.In(of.zone))
	lines, err := f.lines(p, journal, edition)
	if err != nil {
		return of, err
	}
	of.Streams, of.unread = slices.Clone(lines.all), lines.unread
	markStale(of.Streams, now)
	of.Fresh, of.ByPlace, of.ByStream = lines.groups(of.Streams, of.Names)
	return of, nil
}

// schedules are how things are with the schedules of the pipelines, in their order.
func (b *books) schedules(pipelines []*config.Pipeline, logins map[string]auth.Status) ([]schedule.Standing, error) {
	wanted := make([]schedule.Wanted, len(pipelines))
	for i, p := range pipelines {
		wanted[i] = schedule.Wanted{
			Pipeline: p.Name(), Warehouse: p.To.DuckDB, Jitter: p.Jitter.Duration,
			LoggedIn: func() time.Time { return loggedInAt(logins[p.From], b.clock()) },
		}
		if p.Schedule == "" {
			continue
		}
		spec, err := schedule.Parse(p.Schedule, p.Timezone.Location)
		if err != nil {
			return nil, err
		}
		wanted[i].Spec = spec
	}
	return b.book().Standings(wanted)
}

// book is where the pauses and starts of schedules are remembered.
func (b *books) book() *schedule.Book {
	return schedule.Open(filepath.Join(b.config.State(), "schedule"), b.clock)
}

// markStale marks what was read longer ago than its max_age. What was never read to its end is told of
// by the runs that try.
func markStale(all []streamStanding, now time.Time) {
	for i := range all {
		s := &all[i]
		s.Stale = s.MaxAge > 0 && !s.ReadAt.IsZero() && now.Sub(s.ReadAt) > time.Duration(s.MaxAge)*time.Second
	}
}

// bad tells whether a state of a stream is one that it should not stay in.
func (s *streamStanding) bad() bool {
	switch s.Status {
	case "failed", "forbidden", "suspect_shrink":
		return true
	}
	return false
}

func (f *ages) add(s *streamStanding) {
	f.Lines++
	f.Rows += s.Rows
	if s.Stale {
		f.Stale++
	}
	if s.bad() {
		f.Failed++
	}
	switch {
	case s.ReadAt.IsZero():
		f.Never++
	case f.Oldest.IsZero() || s.ReadAt.Before(f.Oldest):
		f.Oldest = s.ReadAt
	}
}

// worse orders what needs somebody before what does not, and what was read long ago before the rest.
func (f *ages) worse(g *ages) int {
	for _, pair := range [][2]int{{f.Failed, g.Failed}, {f.Stale, g.Stale}, {f.Never, g.Never}} {
		if pair[0] != pair[1] {
			return pair[1] - pair[0]
		}
	}
	return f.Oldest.Compare(g.Oldest)
}

// perDay adds up the runs of each of the last local days, the oldest day first.
func perDay(all []runStanding, now time.Time) []dayStanding {
	list, at := make([]dayStanding, daysShown), map[string]*dayStanding{}
	for i := range list {
		list[i].Day = time.Date(now.Year(), now.Month(), now.Day()-daysShown+1+i, 12, 0, 0, 0, now.Location()).Format(time.DateOnly)
		at[list[i].Day] = &list[i]
	}
	for i := range all {
		r := &all[i]
		d := at[r.Started.In(now.Location()).Format(time.DateOnly)]
		if d == nil {
			continue
		}
		d.Runs++
		d.Calls += int64(r.Calls)
		d.Rows += r.Sum.Rows
		if r.Status != "done" && r.Status != "running" {
			d.Failed++
		}
	}
	return list
}

// warn adds a warning once.
func (s *standing) warn(text string) {
	if text = strings.TrimSpace(text); text != "" && !slices.Contains(s.warnings, text) {
		s.warnings = append(s.warnings, text)
	}
}

// loginNames are the connections that a login is known of, in order.
func (s *standing) loginNames() []string { return slices.Sorted(maps.Keys(s.Logins)) }
