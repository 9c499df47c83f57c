package main

import (
	"cmp"
	"slices"
	"time"

	"exactduck/cmd/exactduck/config"
	"exactduck/cmd/exactduck/runs"
	"exactduck/extract"
	"exactduck/load"
	"exactduck/load/spool"
	"exactduck/schema"
)

// deletionsKept is how old a deletion cursor may be before what it would miss has left Exact's own
// log, which reaches back two months.
const deletionsKept = 55 * 24 * time.Hour

// discoverEvery is how often a stream is looked through for properties that the catalogue lacks.
const discoverEvery = 7 * 24 * time.Hour

// task is one read that a run has to make, and what became of it.
type task struct {
	choice      *config.Choice
	place       extract.Place
	variant     *extract.Variant
	table       *schema.Table // of what is kept
	asked       *schema.Table // what to ask for, where that is another; nil: table
	mode        spool.Mode
	from        schema.Position
	since       time.Time // modified at or after; zero: no limit
	filter      string    // what rows must fulfil; "": nothing
	historyFrom string
	fingerprint string
	why         string
	how         string // how it keeps to a date and a filter, for the plan; "" where there are none

	becomes   change      // what it makes of the rows that are stored
	narrowing *narrowing  // what is taken away from the stored rows before; nil: nothing
	narrowed  bool        // the rows that it does not bring are not wanted any more
	mends     bool        // it reads again what a verification has found to differ
	changed   bool        // it finishes what was begun before the configuration changed
	also      []string    // properties beside the table's columns
	stale     bool        // an earlier run has read some of it, and does not know what changed since
	behind    *task       // the stale read that this one follows
	said      runs.Stream // in the record, once it is applied
	file      *spool.File // nil until a page is to be kept
	began     time.Time
	done      bool // the file holds the whole read
	calls     int
	most      int // pages to read; 0: all
	watch     stopwatch
	cost
	err error
}

func (t *task) firstLoad() bool { return t.why == whyFirst }

// The reasons for a read, as the plan prints them.
const (
	whyFirst     = "first load"
	whyRefresh   = "full refresh"
	whyChoice    = "the configuration changed"
	whyNarrowed  = "the configuration asks for less"
	whyMoved     = "the division was moved"
	whyDeletions = "the log of deletions does not reach back far enough"
	whyWhole     = "the stream has no cursor"
	whySince     = "since"
	whyNews      = "what changed"
	whySweep     = "sweep"
	whyReconcile = "reconcile" // a read of everything in the place of a sweep
)

// planner decides what to read. It asks nobody: all that it needs to know is handed to it.
type planner struct {
	now     time.Time
	cursors map[streamScope]load.Cursor
	feed    *extract.Stream // of deletions; without a name where nothing tells them
	vendor  vendor
	full    bool
	since   time.Time
	changes bool // only what changed is of interest: nothing is reconciled
}

type streamScope struct {
	stream string
	scope  schema.Scope
}

func newPlanner(now time.Time, cursors []load.Cursor, v vendor) *planner {
	p := &planner{now: now, cursors: map[streamScope]load.Cursor{}, feed: v.kind().Deletions(), vendor: v}
	for _, c := range cursors {
		p.cursors[streamScope{c.Stream, c.Scope}] = c
	}
	return p
}

// reads is the plan for every chosen stream in every place; a stream of the connection is read once.
func (p *planner) reads(choices []*config.Choice, places []extract.Place) []*task {
	var tasks []*task
	for _, c := range choices {
		for _, place := range placesOf(c.Stream, places) {
			tasks = append(tasks, p.read(c, place))
		}
	}
	return tasks
}

// shared is the scope of what belongs to the connection and not to one of its divisions.
const shared schema.Scope = "0"

func placesOf(s *extract.Stream, places []extract.Place) []extract.Place {
	if s.Shared {
		return []extract.Place{{Scope: shared, Name: "the connection", Active: true}}
	}
	return places
}

func (p *planner) read(c *config.Choice, place extract.Place) *task {
	cursor, known := p.cursors[streamScope{c.Stream.Name, place.Scope}]
	full, more := ways(c, inquiryOf(cursor.Fingerprint).Variant)
	t := &task{choice: c, place: place, variant: full, mode: spool.Replace, since: c.Since, filter: c.Filter}
	t.table, t.asked = c.Table(full), c.Unmasked(full)
	t.fingerprint = fingerprint(full, c)
	t.historyFrom = moment(t.since)
	becomes, cut := compare(cursor, c, full)
	t.becomes = becomes
	t.why = p.reason(t, cursor, known && cursor.Complete)
	switch t.why {
	case whyFirst:
		if known { // it has been loaded before, and has to be again
			p.keepHistory(t, cursor)
		} else if full.Begins() && p.since.After(t.since) {
			t.since, t.historyFrom = p.since, moment(p.since)
		}
	case whySince:
		t.mode, t.variant, t.since = spool.Window, more, later(p.since, c.Since)
		t.historyFrom = moment(t.since)
	case whyNews:
		t.mode, t.variant, t.from, t.historyFrom = spool.Merge, more, cursor.Position, cursor.HistoryFrom
	default:
		p.keepHistory(t, cursor)
	}
	switch {
	case t.mode == spool.Replace:
		t.narrowed = fewer(cursor.Fingerprint, t.fingerprint)
	case becomes == narrower:
		t.narrowing = cut
		if t.mode == spool.Merge {
			t.historyFrom = cut.historyFrom
		}
	}
	p.limit(t, more)
	return t
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// limit sees to it that a read which begins at a date can do so.
func (p *planner) limit(t *task, more *extract.Variant) {
	if t.mode == spool.Replace && !t.since.IsZero() {
		t.variant = more // where only the dear variant can begin at a date
	}
	if !t.variant.Begins() && !t.since.IsZero() {
		t.since, t.historyFrom = time.Time{}, ""
	}
	t.how = p.how(t)
}

// keepHistory keeps a reload within the history that --since began the first load with.
func (p *planner) keepHistory(t *task, c load.Cursor) {
	begun := momentOf(c.HistoryFrom)
	if inquiryOf(c.Fingerprint).Since == "" && t.choice.Since.IsZero() && !p.full {
		t.since, t.historyFrom = begun, c.HistoryFrom
	}
}

func (p *planner) reason(t *task, cursor load.Cursor, complete bool) string {
	versioned := t.variant.Cursor == extract.Versioned
	switch {
	case !complete:
		return whyFirst
	case p.full:
		return whyRefresh
	case t.becomes == wider:
		return whyChoice
	case versioned && cursor.Epoch != t.place.Epoch:
		return whyMoved
	case t.table.Entity != 0 && p.deletionsLost(t.place, cursor):
		return whyDeletions
	case t.variant.Cursor == extract.Whole:
		return whyWhole
	case !p.since.IsZero() && t.variant.Begins():
		return whySince
	case t.variant.Reconciled && !p.changes && p.sweepDue(t.choice, cursor):
		return whyReconcile
	}
	return whyNews
}

// sweepDue tells whether it is time to look for rows that are gone.
func (p *planner) sweepDue(c *config.Choice, cursor load.Cursor) bool {
	return p.now.Sub(cursor.SweptAt) >= cmp.Or(c.SweepEvery, config.DefaultSweep)
}

// deletionsLost reports that some deletions can be learnt neither from the log, as far as it goes
// back, nor from the last time that all rows were read. A stream that could not be read when a gap
// in the log was found is told so until it has been.
func (p *planner) deletionsLost(place extract.Place, cursor load.Cursor) bool {
	log := p.cursors[streamScope{p.feed.Name, place.Scope}]
	known := log.ReadAt // zero: never read
	if cursor.SweptAt.After(known) {
		known = cursor.SweptAt
	}
	return p.now.Sub(known) > deletionsKept || cursor.SweptAt.Before(momentOf(p.told(log)))
}

// told is from when on the log of deletions was read. A day that has not come is from a clock that was ahead:
// then all was read that the log goes back.
func (p *planner) told(log load.Cursor) string {
	if momentOf(log.HistoryFrom).After(p.now) {
		return day(p.now.Add(-deletionsKept))
	}
	return log.HistoryFrom
}

// ways picks the variant for reading everything and the one for reading what changed. They differ
// only where the cheap one has no cursor and a dearer one with the same columns has.
func ways(c *config.Choice, last string) (full, more *extract.Variant) {
	full = c.Stream.Variants[0]
	if c.Variant != nil {
		return c.Variant, c.Variant
	}
	for _, v := range c.Stream.Variants {
		if v.Name == last { // what the stored rows were read with stays, unless it is forced
			full = v
		}
	}
	return bothWays(c.Stream, full)
}

// bothWays does so for a variant that is settled.
func bothWays(s *extract.Stream, full *extract.Variant) (begun, more *extract.Variant) {
	if full.Cursor != extract.Whole {
		return full, full
	}
	for _, v := range s.Variants {
		if v.Cursor == extract.Modified && covers(v.Table, full.Table) {
			begun := *full // a full read that ends in a cursor which v can go on from
			begun.Cursor = extract.Modified
			return &begun, v
		}
	}
	return full, full
}

func covers(wide, narrow *schema.Table) bool {
	return !slices.ContainsFunc(narrow.Columns, func(c schema.Column) bool { return wide.Index(c.Name) < 0 })
}

// day writes a wall time for people.
func day(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.DateOnly)
}

// deletionReads is one read of the deletions feed for each place with a stream that it speaks of.
func (p *planner) deletionReads(tasks []*task) []*task {
	var reads []*task
	seen := map[schema.Scope]bool{}
	for _, t := range tasks {
		if t.table.Entity == 0 || seen[t.place.Scope] {
			continue
		}
		seen[t.place.Scope] = true
		reads = append(reads, p.deletionRead(t.place))
	}
	return reads
}

func (p *planner) deletionRead(place extract.Place) *task {
	feed := p.feed
	v := feed.Variants[0]
	t := &task{
		choice: &config.Choice{Stream: feed}, place: place, variant: v, table: v.Table,
		mode: spool.Merge, why: whyFirst, fingerprint: fingerprint(v, &config.Choice{Stream: feed}),
	}
	cursor, known := p.cursors[streamScope{feed.Name, place.Scope}]
	if !known || p.now.Sub(cursor.ReadAt) > deletionsKept {
		t.historyFrom = day(p.now.Add(-deletionsKept))
		return t
	}
	if t.historyFrom = p.told(cursor); cursor.Epoch == place.Epoch {
		t.from, t.why = cursor.Position, whyNews
	}
	return t
}

// sweeps is a read of keys for every stream that nothing else tells of deletions and that has not
// been read whole for long enough.
// unheard are the places of which no deletions could be read.
func (p *planner) sweeps(tasks []*task, unheard map[schema.Scope]bool) []*task {
	var reads []*task
	for _, t := range tasks {
		told := t.table.Entity != 0 && !unheard[t.place.Scope]
		if t.mode != spool.Merge || t.err != nil || told || len(t.table.Key) == 0 || t.changed || t.variant.Reconciled {
			continue
		}
		cursor := p.cursors[streamScope{t.choice.Stream.Name, t.place.Scope}]
		if !p.sweepDue(t.choice, cursor) {
			continue
		}
		s := &task{
			choice: t.choice, place: t.place, mode: spool.Sweep, why: whySweep, filter: t.filter,
			fingerprint: t.fingerprint, historyFrom: t.historyFrom,
		}
		s.variant = cheapest(t.choice, inquiryOf(cursor.Fingerprint).Variant)
		s.table = s.variant.Table.Select(func(name string) bool { return name == s.variant.Dated })
		s.how = p.how(s)
		reads = append(reads, s)
	}
	return reads
}

// cheapest is the variant with the largest pages: a sweep needs nothing but keys, which all have.
// Those before the one that the rows were first read with were refused then.
func cheapest(c *config.Choice, begun string) *extract.Variant {
	if c.Variant != nil {
		return c.Variant
	}
	from := slices.IndexFunc(c.Stream.Variants, func(v *extract.Variant) bool { return v.Name == begun })
	return slices.MaxFunc(c.Stream.Variants[max(from, 0):], func(a, b *extract.Variant) int { return a.PageSize - b.PageSize })
}
