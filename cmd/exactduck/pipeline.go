package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"exactduck/cmd/exactduck/config"
	"exactduck/cmd/exactduck/runs"
	"exactduck/load"
	"exactduck/schema"
)

// books is what a run needs beside the pipeline that it is of.
type books struct {
	config *config.Config
	// dial makes the source of a connection, checks that there is a login, and refreshes it when
	// that is due. at is what vendor.asks says.
	dial  func(ctx context.Context, connection string, at schema.Scope) (*connection, error)
	clock func() time.Time
	log   *slog.Logger
	// journal writes the log of each run, with verbose every step; nil: there are none.
	journal *runs.Journal
	verbose bool
	// getenv finds a variable of the environment; nil: os.LookupEnv.
	getenv func(string) (string, bool)
	// watch is asked for something that follows a run, and for how to end that; nil: nobody watches.
	watch func(left func() string) (tell func(progress), done func())
	// logins finds where the login of a connection lives; nil: nobody asks.
	logins func(connection string) (*login, error)

	once  sync.Once
	known *facts
}

// syncOptions are what the command line says about a run.
type syncOptions struct {
	since     time.Time // zero: from the cursors
	full      bool
	streams   []string // names or patterns; empty: all of the pipeline
	divisions []string // codes; empty: all of the pipeline
	accept    []string // streams whose shrinking is believed
	wait      bool
}

// synced is what became of a run.
type synced struct {
	runs.Record
	Published load.Published `json:"published"`
}

// sync runs one pipeline once. The result is of use even when there is an error.
func (b *books) sync(ctx context.Context, p *config.Pipeline, o syncOptions) (synced, error) {
	return b.pass(ctx, p, o, (*run).do)
}

// pass holds the warehouse of a pipeline while do makes a run.
func (b *books) pass(ctx context.Context, p *config.Pipeline, o syncOptions, do func(*run, context.Context) error) (synced, error) {
	all, masks, err := b.masked(p)
	if err != nil {
		return synced{}, err
	}
	choices, err := among(p, all, o.streams)
	if err != nil {
		return synced{}, err
	}
	warehouse, err := b.open(ctx, p, o.wait)
	if err != nil {
		return synced{}, err
	}
	defer warehouse.Close() // a second Close does nothing; this one is for the ways out in between
	if err := markState(b.config.State()); err != nil {
		return synced{}, err
	}
	record, err := runs.Create(b.records(), runs.Record{ID: runID(b.clock()), Pipeline: p.Name(), Started: b.clock()})
	if err != nil {
		return synced{}, err
	}
	b.beginLog(ctx, record.Record())
	r := &run{record: record, warehouse: warehouse, masks: masks, clock: b.clock, calls: func() int { return 0 }}
	r.watch.start(record.Record().Started)
	ctx = r.watch.meter.In(ctx)
	if err := b.conceal(ctx, warehouse, p, record.Record().ID); err != nil {
		return b.conclude(ctx, r, err)
	}
	cursors, err := warehouse.Cursors(ctx)
	var known []load.Division
	if err == nil {
		known, err = warehouse.Divisions(ctx)
	}
	var c *connection
	if err == nil {
		at, _ := vendorOf(p).asks(b.config.Connections[p.From], known, cursors)
		c, err = b.dial(ctx, p.From, at)
	}
	if err == nil {
		err = b.prepare(ctx, r, p, o, choices, cursors, c)
	}
	if err == nil {
		err = b.watched(ctx, r, c, do)
	}
	return b.conclude(ctx, r, err)
}

// watched makes the run while somebody may follow it.
func (b *books) watched(ctx context.Context, r *run, c *connection, do func(*run, context.Context) error) error {
	if b.watch != nil {
		tell, done := b.watch(c.left)
		defer done()
		r.tell = tell
	}
	return do(r, ctx)
}

func (b *books) open(ctx context.Context, p *config.Pipeline, wait bool) (*load.Warehouse, error) {
	o := b.options(p)
	o.Wait = wait
	return load.Open(ctx, o)
}

// options say where the warehouse of a pipeline is.
func (b *books) options(p *config.Pipeline) load.Options {
	return load.Options{
		StateDir: b.config.State(), Target: p.To.DuckDB, Prefix: b.config.Connections[p.From].SchemaPrefix, Source: p.Kind(),
		Zone: b.clockOf(p), Clock: b.clock, Log: b.log, Convert: vendorOf(p).kind().Convert,
	}
}

// clockOf is the zone of the clock by which the ready views of a pipeline's warehouse go: that of Exact
// Online, of which they are, whichever pipeline publishes them.
func (b *books) clockOf(p *config.Pipeline) string {
	of := b.config.Connections[p.From]
	for _, name := range b.config.PipelineNames() {
		other := b.config.Pipelines[name]
		c := b.config.Connections[other.From]
		if p.Kind() != config.ExactOnline && other.Kind() == config.ExactOnline && other.To.DuckDB == p.To.DuckDB && c.SchemaPrefix == of.SchemaPrefix {
			of = c
		}
	}
	return of.ServerTimezone.String()
}

// prepare puts a run together.
func (b *books) prepare(ctx context.Context, r *run, p *config.Pipeline, o syncOptions, choices []*config.Choice, cursors []load.Cursor, c *connection) error {
	r.id, r.log, r.records, r.spools = r.record.Record().ID, b.log, b.records(), b.spools(p)
	r.source, r.calls, r.spent, r.callsLeft, r.budget, r.reset = c.source, c.calls, c.spent, c.callsLeft, c.budget, c.reset
	r.pipeline, r.choices, r.only, r.atOnce = p, choices, o.divisions, p.AtOnce
	r.planner, r.accept, r.forget = b.planner(p, o, cursors), map[string]bool{}, c.source.Caller().Forget
	r.there = c.source.Caller().Now
	var err error
	if r.marks, err = r.warehouse.Marks(ctx); err != nil {
		return err
	}
	needs, err := r.warehouse.Needs(ctx, p.Name())
	if err != nil {
		return err
	}
	r.forecast = newForecast(r.planner.now, r.planner.cursors, needs, nil)
	r.related = func(name string) bool {
		other := b.config.Pipelines[name]
		return other != nil && other.To.DuckDB == p.To.DuckDB
	}
	r.target = target(p, r.id)
	if err := named(choices, o.accept, r.accept); err != nil {
		return err
	}
	if r.asked, err = byName(choices, o.streams); err != nil {
		return err
	}
	r.ours, err = streamsOf(p)
	return err
}

// target is where a pipeline publishes to, under the id of a run.
func target(p *config.Pipeline, run string) load.Target {
	return load.Target{DuckDB: p.To.DuckDB, Parquet: p.To.Parquet, Partition: p.To.Partition, Keep: p.To.Keep, RunID: run}
}

// named adds the streams with these names.
func named(choices []*config.Choice, names []string, streams map[string]bool) error {
	for _, name := range names {
		stream, err := streamCalled(choices, name)
		if err != nil {
			return err
		}
		streams[stream] = true
	}
	return nil
}

func (b *books) planner(p *config.Pipeline, o syncOptions, cursors []load.Cursor) *planner {
	planner := newPlanner(b.clock(), cursors, vendorOf(p))
	planner.full, planner.since = o.full, o.since
	return planner
}

// conclude writes down how the run ended.
func (b *books) conclude(ctx context.Context, r *run, outcome error) (synced, error) {
	end := runs.Record{ExitCode: exitCode(outcome), Calls: r.calls(), Ended: b.clock()}
	end.Status = statusOf(end.ExitCode)
	if r.callsLeft != nil {
		end.Left = r.callsLeft()
	}
	if outcome != nil {
		end.Message = outcome.Error()
	}
	end.Streams = r.record.Record().Streams
	r.timed(&end)
	record, err := r.record.End(end)
	b.endLog(ctx, record)
	return synced{Record: record, Published: r.published}, errors.Join(outcome, err, r.warehouse.Close())
}

func statusOf(code int) string {
	switch code {
	case 0:
		return "done"
	case exitPartial, exitQuota, exitContract:
		return "partial"
	case exitDifferent:
		return "done"
	case exitInterrupted:
		return "interrupted"
	}
	return "failed"
}

// choose are the streams of the pipeline, or of them those that the command line names.
func choose(p *config.Pipeline, only []string) ([]*config.Choice, error) {
	choices, err := p.Choices(catalogue)
	if err != nil {
		return nil, err
	}
	return among(p, choices, only)
}

// among are those of the streams of a pipeline that the command line names; all when it names none.
func among(p *config.Pipeline, choices []*config.Choice, only []string) ([]*config.Choice, error) {
	if len(only) == 0 {
		return choices, nil
	}
	wanted := map[string]bool{}
	for _, pattern := range only {
		names, err := streamsCalled(choices, pattern)
		if err != nil {
			return nil, err
		}
		found := false
		for _, name := range names {
			wanted[name] = true
			found = found || slices.ContainsFunc(choices, func(c *config.Choice) bool { return c.Stream.Name == name })
		}
		if !found {
			return nil, &notInPipeline{pattern, p.Name()}
		}
	}
	return slices.DeleteFunc(slices.Clone(choices), func(c *config.Choice) bool { return !wanted[c.Stream.Name] }), nil
}

// notInPipeline says that --streams names something that the pipeline does not read.
type notInPipeline struct{ stream, pipeline string }

func (e *notInPipeline) Error() string {
	return fmt.Sprintf("stream %s is not in pipeline %s", e.stream, e.pipeline)
}

// streamsOf tells the streams that a pipeline reads, its deletions among them.
func streamsOf(p *config.Pipeline) (func(string) bool, error) {
	choices, err := p.Choices(catalogue)
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for _, c := range choices {
		names[c.Stream.Name] = true
	}
	names[vendorOf(p).kind().Deletions().Name] = true // "" where nothing tells, which no stream is called
	return func(name string) bool { return names[name] }, nil
}

// The folders of the state directory.
func (b *books) records() string { return filepath.Join(b.config.State(), "runs") }

func (b *books) logs() string { return filepath.Join(b.config.State(), "logs") }

func (b *books) spools(p *config.Pipeline) string {
	return filepath.Join(b.config.State(), "spool", p.Name())
}

// runID sorts by time and is safe in file names.
func runID(at time.Time) string {
	var tail [2]byte
	_, _ = rand.Read(tail[:]) // never fails
	return at.UTC().Format("20060102T150405.000Z") + "-" + hex.EncodeToString(tail[:])
}
