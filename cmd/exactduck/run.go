package main

// Start here. A run is four steps, told in [run.do]: fetch pages, spool them to disk, apply whole
// reads to the warehouse, publish. Everything else in the repository exists to make these true.

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"exactduck/cmd/exactduck/config"
	"exactduck/cmd/exactduck/runs"
	"exactduck/extract"
	"exactduck/load"
	"exactduck/load/spool"
	"exactduck/schema"
)

// run is one pass over one pipeline.
type run struct {
	id        string
	source    extract.Source
	warehouse *load.Warehouse
	planner   *planner
	forecast  *forecast
	pipeline  *config.Pipeline
	choices   []*config.Choice
	masks     masks
	marks     []load.Mark                // what was forgotten
	only      []string                   // of the divisions; empty: all of the pipeline
	atOnce    int                        // divisions
	spools    string                     // where they lie
	ours      func(stream string) bool   // a stream of this pipeline
	related   func(pipeline string) bool // one into the same warehouse
	accept    map[string]bool            // streams whose shrinking is believed
	asked     map[string]bool            // streams that the command line names
	target    load.Target
	calls     func() int          // calls made so far
	spent     func() []load.Calls // and where
	callsLeft func() map[string]int
	budget    func(schema.Scope) (left int, known bool)                  // of the day
	reset     func(schema.Scope) time.Time                               // when the day ends
	forget    func(ctx context.Context, s schema.Scope, endpoint string) // that it refused
	there     func() time.Time                                           // what the clock of the source says
	records   string                                                     // where the records of runs lie

	clock  func() time.Time
	log    *slog.Logger
	watch  stopwatch
	record *runs.Writer
	tell   func(progress) // called from several goroutines; may be nil

	learnt    map[string]load.Discovery // of variants
	contracts contracts                 // of frozen streams
	spentUp   budgets                   // of the divisions
	spare     spare                     // calls of the day for deletions
	left      []*spool.File             // spools of earlier runs that await their turn
	reads     int                       // that were to be made
	failures  []error
	verdict   error // on the rows, of a verification
	published load.Published
}

// do makes the run. Whatever fails, what could be read is applied and published; the error says
// the rest, see [run.outcome].
func (r *run) do(ctx context.Context) error {
	census, err := r.meet(ctx)
	if err != nil {
		return err
	}
	tasks := r.announce(ctx, census, r.planner.reads(r.choices, census.chosen))
	r.askAgain(ctx, tasks)
	if err := r.bring(ctx, tasks); err != nil {
		return err
	}
	return r.finish(ctx, tasks)
}

// bring brings the warehouse up to date with the reads, with the deletions of their divisions and the
// sweeps that are due.
func (r *run) bring(ctx context.Context, tasks []*task) error {
	if err := r.adopt(ctx, tasks); err != nil {
		return err
	}
	r.forecast.estimate(tasks)
	r.discover(ctx, tasks)
	for _, text := range r.planner.unveiled(tasks, r.learnt) {
		r.warn(ctx, text)
	}
	tasks, err := r.shapes(ctx, tasks)
	if err != nil {
		return err
	}
	var deletions []*task
	r.spare.want(tasks)
	steps := []func() []*task{
		func() []*task { return tasks },
		func() []*task { return r.behind(ctx, tasks) },
		func() []*task {
			r.spare.want(nil)
			deletions = r.adopted(ctx, spool.Merge, r.planner.deletionReads(tasks))
			return deletions
		},
		func() []*task { return r.behind(ctx, deletions) },
		func() []*task {
			return r.affordable(r.adopted(ctx, spool.Sweep, r.planner.sweeps(tasks, unheard(deletions))))
		},
	}
	for _, step := range steps {
		if err := r.read(ctx, step()); err != nil {
			return err
		}
	}
	return nil
}

// finish publishes what is complete, and tells what became of the run.
func (r *run) finish(ctx context.Context, tasks []*task) (err error) {
	if err := r.remember(ctx, tasks); err != nil {
		return err
	}
	if err := r.agree(ctx, tasks); err != nil {
		return err
	}
	outcome := r.outcome()
	if err := r.recorded(ctx, outcome); err != nil {
		return err
	}
	r.lap(idle)
	r.published, err = r.warehouse.Publish(ctx, r.target)
	r.lap(publishing)
	if err != nil {
		return err
	}
	return outcome
}

// together is how many reads of one table are applied at once, so that a slow division does not
// keep the rows of hundreds of others waiting.
const together = 64

// batch is what is applied together: reads of one kind into one table.
type batch struct {
	waiting int // reads that are not in yet
	ready   []*task
}

// read makes the reads and applies each table as soon as all its places are in, or many of them. It
// returns an error only for what must end the run; what failed for one stream is kept in r.failures.
func (r *run) read(ctx context.Context, tasks []*task) error {
	r.reads += len(tasks)
	r.forecast.estimate(tasks)
	batches := map[string]*batch{}
	for _, t := range tasks {
		if batches[t.batch()] == nil {
			batches[t.batch()] = &batch{}
		}
		batches[t.batch()].waiting++
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	r.lap(idle)
	for t := range r.fetchAll(ctx, tasks, stop) {
		r.lap(reading)
		b := batches[t.batch()]
		b.waiting--
		b.ready = append(b.ready, t)
		if b.waiting > 0 && len(b.ready) < together || ctx.Err() != nil {
			continue
		}
		if err := r.apply(ctx, b.ready); err != nil {
			stop(err)
		}
		r.lap(applying)
		b.ready = nil
	}
	r.lap(reading)
	return context.Cause(ctx)
}

// unheard are the places whose deletions could not be read.
func unheard(deletions []*task) map[schema.Scope]bool {
	places := map[schema.Scope]bool{}
	for _, t := range deletions {
		places[t.place.Scope] = t.err != nil
	}
	return places
}

// batch names what is applied together: the reads of one kind into one table.
func (t *task) batch() string { return t.table.FullName() + " " + string(t.mode) }

// apply puts the whole reads among tasks, all of one table, into the warehouse in one transaction.
func (r *run) apply(ctx context.Context, tasks []*task) error {
	var whole []*task
	batch := load.Batch{Run: r.id, Soft: r.pipeline.Soft()}
	for _, t := range tasks {
		if !t.done {
			r.fail(ctx, t)
			continue
		}
		whole = append(whole, t)
		batch.Parts = append(batch.Parts, r.part(t))
		batch.Void = append(batch.Void, r.unhashing(t)...)
	}
	if len(whole) == 0 {
		return nil
	}
	batch.Contract = r.contracts[whole[0].choice.Stream.Name]
	var applied []load.Applied
	began := r.clock()
	err := r.keeps(whole)
	if err == nil {
		applied, err = r.warehouse.Apply(ctx, batch)
	}
	if b := find[*load.Broken](err); b != nil {
		_, noted := r.breach(ctx, whole[0], b.Breaches)
		err = errors.Join(b, noted)
	}
	if as[*load.TypeChange](err) || as[*load.Broken](err) { // of this table alone; its spools stay
		for _, t := range whole {
			t.err = err
			r.fail(ctx, t)
		}
		return nil
	}
	if err != nil {
		return err
	}
	r.tellNews(ctx, applied[0].News)
	shares := shareOut(r.clock().Sub(began), whole)
	for i, t := range whole {
		if err := r.settle(ctx, t, applied[i], shares[i]); err != nil {
			return err
		}
	}
	return nil
}

// settle notes what became of one read, of which so much time went into the warehouse, and lets go of
// its spool.
func (r *run) settle(ctx context.Context, t *task, a load.Applied, took time.Duration) error {
	if a.Suspect != nil {
		t.err = a.Suspect
		if t.mends {
			t.err = &unmended{a.Suspect}
		}
	}
	r.log.DebugContext(ctx, "removing spool", "stream", t.choice.Stream.Name, "scope", t.place.Scope)
	if err := t.file.Remove(); err != nil {
		return err
	}
	s := r.last(t, took)
	s.Status = "done"
	s.Inserted += a.Inserted
	s.Updated += a.Updated
	s.Deleted += a.Deleted
	s.Missed += a.Missed
	t.said = s
	if t.err != nil {
		s.Status, s.Error, s.Cause = "suspect_shrink", t.err.Error(), causeOf(t.err)
		if t.mends {
			s.Status = "failed" // to accept it in a sync would change nothing
		}
		r.failures = append(r.failures, &streamError{t.choice.Stream.Name, t.place.Scope, t.err})
	}
	r.log.InfoContext(ctx, "stream synced", "stream", s.Stream, "scope", s.Scope, "why", t.why, "status", s.Status,
		"rows", s.Rows, "inserted", s.Inserted, "updated", s.Updated, "deleted", s.Deleted, "calls", s.Calls,
		"wait_ms", s.Wait, "read_ms", s.Read, "spool_ms", s.Spool, "apply_ms", s.Apply, "idle_ms", s.Idle)
	if a.Unproven {
		r.warn(ctx, fmt.Sprintf("%s (%s): the source has not shown that it gave every row; none that it left out was removed", s.Stream, placed(s.Stream, t.place.Scope)))
	}
	if a.Missed > 0 && t.knowsMisses() {
		r.log.WarnContext(ctx, "sweep found rows that earlier reads had missed; the stream is read again at the next run",
			"stream", s.Stream, "scope", s.Scope, "rows", a.Missed)
	}
	return r.record.Stream(s)
}

// fail notes a read that did not come to its end; its spool stays for the next run.
func (r *run) fail(ctx context.Context, t *task) {
	if t.err == nil {
		t.err = context.Cause(ctx)
	}
	s := r.last(t, 0)
	s.Status, s.Error = "failed", t.err.Error()
	switch {
	case postponed(t.err):
		s.Status = "postponed"
	case unlicensed(t.err):
		s.Status = "forbidden"
	case as[*load.Broken](t.err):
		s.Status = "contract_broken"
	}
	if r.tolerable(t) {
		r.warn(ctx, fmt.Sprintf("%s (%s): %s", s.Stream, placed(s.Stream, t.place.Scope), s.Error))
	} else {
		level := slog.LevelWarn
		if postponed(t.err) { // the outcome tells, once for all of them
			level = slog.LevelInfo
		}
		s.Cause = causeOf(t.err)
		r.log.Log(ctx, level, "stream not read", "stream", s.Stream, "scope", s.Scope, "error", t.err)
		r.failures = append(r.failures, &streamError{t.choice.Stream.Name, t.place.Scope, t.err})
	}
	if err := r.record.Stream(s); err != nil {
		r.failures = append(r.failures, err)
	}
}

// line is what the run's record says of a task so far.
func (r *run) line(t *task) runs.Stream {
	s := runs.Stream{
		Stream: t.choice.Stream.Name, Scope: string(t.place.Scope), Variant: t.variant.Name, Mode: string(t.mode),
		Why: t.why, Status: "reading", Started: t.began, Calls: t.watch.meter.Sum().Calls,
		Effort: t.watch.effort(), Idle: t.watch.spent[idle].Milliseconds(),
	}
	if t.file != nil {
		s.Pages, s.Rows = t.file.Pages(), t.file.Rows()
	}
	if b := t.behind; b != nil && b.mode == t.mode { // they share a line
		s.Pages, s.Rows = s.Pages+b.said.Pages, s.Rows+b.said.Rows
		s.Inserted, s.Updated, s.Deleted = b.said.Inserted, b.said.Updated, b.said.Deleted
		s.Calls, s.Idle = s.Calls+b.said.Calls, s.Idle+b.said.Idle
		s.Effort = s.Plus(b.said.Effort)
	}
	return s
}

// last is the line of a task that is over, of which so much time went into the warehouse.
func (r *run) last(t *task, applied time.Duration) runs.Stream {
	now := r.clock()
	t.watch.start(now)
	t.watch.move(idle, applying, applied)
	s := r.line(t)
	s.Ended = now
	return s
}
