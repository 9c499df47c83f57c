package main

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"exactduck/cmd/exactduck/schedule"
)

// roster looks again and again at what is due, has it started and notes how it ends. Time is that of
// package time and of the book's clock: in a bubble of package synctest a month passes in a moment.
type roster struct {
	book   *schedule.Book
	wanted func() []schedule.Wanted
	// start runs a pipeline to its end and returns its exit code; when the context ends it ends the run
	// within seconds.
	start func(context.Context, schedule.Turn) (exit int)
	// found says what became of a run that was begun at a time, by a process that is no more.
	found  func(pipeline string, begun time.Time) remains
	chores []chore
	every  time.Duration
	most   int // runs side by side
	clock  func() time.Time
	log    *slog.Logger

	mu      sync.Mutex
	running map[string]*started // by pipeline
	wake    chan struct{}       // a run has ended
	all     sync.WaitGroup
	said    string // the trouble that was told last
}

// started is a run that was started here, or that waits for its end to be written down.
type started struct {
	wanted schedule.Wanted
	ended  time.Time // zero: it is on
	exit   int
	left   bool // it was not run to its end, because the service stopped
}

// remains are what is known of a run that was begun by a service that is no more. The zero value: it did
// not come to begin.
type remains struct {
	on    bool // it still is
	ended time.Time
	exit  int
}

// chore is something to be done now and then.
type chore struct {
	name  string
	every time.Duration
	do    func(context.Context)
}

// run goes on until the context ends, and then waits for all that it has started.
func (r *roster) run(ctx context.Context) {
	r.running, r.wake = map[string]*started{}, make(chan struct{}, 1)
	for _, c := range r.chores {
		r.all.Go(func() { c.repeat(ctx) })
	}
	for ctx.Err() == nil {
		r.tell(ctx, r.round(ctx))
		r.rest(ctx)
	}
	r.all.Wait()
	last := context.WithoutCancel(ctx)
	r.tell(last, r.settle(last))
}

// rest waits for the next round, which is due when a run has ended.
func (r *roster) rest(ctx context.Context) {
	timer := time.NewTimer(r.every)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.wake:
	case <-ctx.Done():
	}
}

func (c chore) repeat(ctx context.Context) {
	for ctx.Err() == nil {
		c.do(ctx)
		_ = pauseFor(ctx, c.every) // as above
	}
}

// pauseFor waits on a timer; the error is that of the context, when that ends before.
func pauseFor(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// round writes down what has ended, takes over what an earlier service has left, and starts what is due.
func (r *roster) round(ctx context.Context) error {
	if err := r.settle(ctx); err != nil {
		return err
	}
	wanted := r.wanted()
	busy, err := r.takeOver(ctx, wanted)
	if err != nil {
		return err
	}
	turns, err := r.book.Due(wanted)
	if err != nil {
		return err
	}
	for _, t := range turns {
		if r.free(t, busy) {
			if err := r.begin(ctx, t, wanted); err != nil {
				return err
			}
		}
	}
	return nil
}

// settle writes down how runs have ended. What cannot be written is written in a later round.
func (r *roster) settle(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, pipeline := range slices.Sorted(maps.Keys(r.running)) {
		run := r.running[pipeline]
		if run.ended.IsZero() {
			continue
		}
		var err error
		if run.left {
			err = r.book.Abandon(pipeline)
		} else {
			err = r.book.End(run.wanted, run.exit, run.ended)
		}
		if err != nil {
			return err
		}
		delete(r.running, pipeline)
	}
	return ctx.Err()
}

// takeOver looks after runs that were begun by a service that is no more. It returns the warehouses in
// which such runs still are.
func (r *roster) takeOver(ctx context.Context, wanted []schedule.Wanted) (busy []string, err error) {
	standings, err := r.book.Standings(wanted)
	if err != nil {
		return nil, err
	}
	for i, s := range standings {
		if !s.Running || r.ours(s.Pipeline) {
			continue
		}
		switch left := r.found(s.Pipeline, s.LastStarted); {
		case left.on:
			busy = append(busy, wanted[i].Warehouse)
		case left.ended.IsZero():
			r.log.WarnContext(ctx, "run of an earlier serve did not begin", "pipeline", s.Pipeline, "started_at", s.LastStarted)
			err = r.book.Abandon(s.Pipeline)
		default:
			r.log.InfoContext(ctx, "run of an earlier serve has ended", "pipeline", s.Pipeline, "started_at", s.LastStarted, "exit_code", left.exit)
			err = r.book.End(wanted[i], left.exit, left.ended)
		}
		if err != nil {
			return nil, err
		}
	}
	return busy, nil
}

func (r *roster) ours(pipeline string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.running[pipeline] != nil
}

// free reports whether a run can begin beside those that are on.
func (r *roster) free(t schedule.Turn, busy []string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if slices.Contains(busy, t.Warehouse) || len(r.running)+len(busy) >= r.most {
		return false
	}
	for _, run := range r.running {
		if run.wanted.Warehouse == t.Warehouse {
			return false
		}
	}
	return true
}

// begin notes that a run begins, and starts it.
func (r *roster) begin(ctx context.Context, t schedule.Turn, wanted []schedule.Wanted) error {
	if err := r.book.Begin(t); err != nil {
		return err
	}
	at := slices.IndexFunc(wanted, func(w schedule.Wanted) bool { return w.Pipeline == t.Pipeline })
	run := &started{wanted: wanted[at]}
	r.mu.Lock()
	r.running[t.Pipeline] = run
	r.mu.Unlock()
	r.all.Go(func() {
		exit := r.start(ctx, t)
		r.mu.Lock()
		defer r.mu.Unlock()
		run.ended, run.exit = r.clock(), exit
		run.left = ctx.Err() != nil && (exit == exitInterrupted || exit == killed)
		select {
		case r.wake <- struct{}{}:
		default: // somebody else has
		}
	})
	return nil
}

// tell says what is in the way, once for each trouble.
func (r *roster) tell(ctx context.Context, trouble error) {
	if trouble == nil || ctx.Err() != nil {
		r.said = ""
		return
	}
	if text := trouble.Error(); text != r.said {
		r.said = text
		r.log.ErrorContext(ctx, "schedules cannot be followed", "error", trouble, "hint", hint(trouble))
	}
}
