package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"golang.org/x/sync/errgroup"

	"exactduck/auth"
	"exactduck/extract"
	"exactduck/load/spool"
	"exactduck/schema"
)

// side is how many streams of one division are read at once. The minute's quota sets the pace; a few
// at once hide the time that each answer takes.
const side = 4

// fetchAll makes the reads, several divisions and several streams of each at once, and hands each
// over when it has come to an end, good or bad. A cause that concerns every stream is given to stop.
func (r *run) fetchAll(ctx context.Context, tasks []*task, stop context.CancelCauseFunc) <-chan *task {
	fetched := make(chan *task, len(tasks)) // so that nothing waits while a table is applied
	lanes := lanesOf(tasks)
	q := newQueue(lanes)
	go func() {
		defer close(fetched)
		var divisions errgroup.Group
		for range min(max(r.atOnce, 1), len(lanes)) {
			divisions.Go(func() error {
				for l := q.take(); l != nil; l = q.take() {
					r.drive(ctx, q, l, fetched, stop)
					q.leave(l)
				}
				return nil
			})
		}
		_ = divisions.Wait() // failures travel in the tasks
	}()
	return fetched
}

// drive reads a lane until it is empty or another one has its turn. What is less urgent begins when what
// is more urgent has had all its calls: those of the day may not suffice for both.
func (r *run) drive(ctx context.Context, q *queue, l *lane, fetched chan<- *task, stop context.CancelCauseFunc) {
	var streams errgroup.Group
	streams.SetLimit(side)
	began := r.clock()
	over := func(t *task) bool {
		more, same := q.press(t)
		return more || same && r.clock().Sub(began) >= turn
	}
	var last *task
	for {
		if last != nil && l.givesWayTo(last) {
			_ = streams.Wait()
		}
		t := l.next()
		if t == nil {
			break
		}
		if over(t) {
			l.back(t)
			break
		}
		last = t
		streams.Go(func() error {
			if r.fetch(ctx, t, stop, over) {
				fetched <- t
			} else {
				l.back(t)
			}
			return nil
		})
	}
	_ = streams.Wait()
}

// errTurn ends a read at a page, because another division has its turn. It goes on later.
var errTurn = errors.New("another division has its turn")

// fetch brings one read to its end, or, when its turn is over, to a page; then it returns false. At
// a first load a variant that is refused gives way to the next.
func (r *run) fetch(ctx context.Context, t *task, stop context.CancelCauseFunc, over func(*task) bool) (ended bool) {
	now := r.clock()
	if t.began.IsZero() {
		t.began = now
	}
	t.watch.start(now)
	if t.done = t.file != nil && t.file.Done(); t.done {
		return true
	}
	if t.err = r.exhausted(t.place.Scope); t.err != nil {
		return true
	}
	t.err = r.spool(ctx, t, over)
	if errors.Is(t.err, extract.ErrResume) && t.file != nil {
		t.err = r.again(ctx, t, over)
	}
	for t.err != nil && t.firstLoad() && lasting(t.err) && r.fallBack(ctx, t) {
		t.err = r.spool(ctx, t, over)
	}
	if errors.Is(t.err, errTurn) {
		t.err = nil
		return false
	}
	t.done = t.err == nil
	if postponed(t.err) && !as[*saved](t.err) {
		r.exhaust(t.place.Scope, t.err)
	}
	if concernsAll(t.err) {
		stop(t.err)
	}
	return true
}

// again reads from the beginning what cannot be gone on with.
func (r *run) again(ctx context.Context, t *task, over func(*task) bool) error {
	r.log.WarnContext(ctx, "the source cannot go on with a read that broke off, reading it again",
		"stream", t.choice.Stream.Name, "scope", t.place.Scope, "error", t.err)
	if err := t.file.Remove(); err != nil {
		return err
	}
	t.file, t.stale = nil, false
	return r.spool(ctx, t, over)
}

// spool reads page by page; each is on disk before the next call is spent.
func (r *run) spool(ctx context.Context, t *task, over func(*task) bool) error {
	done, err := r.spare.claim(t.place.Scope, r.budget, r.reset)
	if err != nil {
		return err
	}
	defer func() { done() }()
	for page, err := range r.source.Pages(t.watch.meter.In(ctx), t.read()) {
		done()
		t.watch.answered(r.clock())
		if err != nil {
			return err
		}
		t.calls++
		page.Done = page.Done || t.most > 0 && t.calls >= t.most
		if err := r.keep(ctx, t, page); err != nil {
			return &unkept{err}
		}
		t.watch.lap(r.clock(), spooling)
		r.say(t)
		if t.file.Done() && t.most > 0 {
			return nil
		}
		if t.file.Done() {
			continue
		}
		if over(t) {
			return errTurn
		}
		if done, err = r.spare.claim(t.place.Scope, r.budget, r.reset); err != nil {
			done = func() {}
			return err
		}
	}
	if t.file == nil || !t.file.Done() {
		return fmt.Errorf("read %s: the pages ended before the last", t.variant.Name)
	}
	return nil
}

// read is what the source is asked for.
func (t *task) read() extract.Read {
	read := extract.Read{
		Stream: t.choice.Stream.Name, Variant: t.variant, Table: cmp.Or(t.asked, t.table), Scope: t.place.Scope,
		From: t.from, Since: t.since, Filter: t.filter, Also: t.also, Lookback: t.choice.Lookback, Moved: t.place.Epoch != "",
	}
	if t.file != nil {
		read.Resume = t.file.Resume()
	}
	return read
}

// keep writes a page to disk, masked.
func (r *run) keep(ctx context.Context, t *task, page *schema.Page) (err error) {
	log := r.log.With("stream", t.choice.Stream.Name, "scope", t.place.Scope)
	if page, err = r.hide(t, page); err != nil {
		return err
	}
	if t.file == nil {
		log.DebugContext(ctx, "beginning spool", "mode", t.mode)
		if t.file, err = spool.Create(r.spools, t.header(r.id)); err != nil {
			return err
		}
	}
	log.DebugContext(ctx, "spooling page", "rows", page.Rows)
	if err := t.file.Append(page); err != nil {
		return err
	}
	log.DebugContext(ctx, "spooled page", "pages", t.file.Pages())
	return nil
}

func (t *task) header(run string) spool.Header {
	return spool.Header{
		Stream: t.choice.Stream.Name, Scope: t.place.Scope, Variant: t.variant.Name, Table: t.table, Mode: t.mode,
		Fingerprint: t.fingerprint, Epoch: t.place.Epoch, RunID: run, Dated: t.variant.Dated, From: t.from, HistoryFrom: t.historyFrom, Began: t.began,
	}
}

// fallBack moves a first load to the next variant of its stream, if there is one.
func (r *run) fallBack(ctx context.Context, t *task) bool {
	at := slices.IndexFunc(t.choice.Stream.Variants, func(v *extract.Variant) bool { return v.Name == t.variant.Name })
	if t.choice.Variant != nil || at < 0 || at+1 == len(t.choice.Stream.Variants) || t.file != nil {
		return false
	}
	next := t.choice.Stream.Variants[at+1]
	r.log.WarnContext(ctx, "variant refused, trying the next", "stream", t.choice.Stream.Name, "scope", t.place.Scope,
		"variant", t.variant.Name, "next", next.Name, "error", t.err)
	full, more := bothWays(t.choice.Stream, next)
	t.variant = full
	r.planner.limit(t, more)
	t.table, t.asked, t.fingerprint = t.choice.Table(next), t.choice.Unmasked(next), fingerprint(next, t.choice)
	return true
}

// say tells of the progress of a task to whoever watches.
func (r *run) say(t *task) {
	if err := r.record.Stream(r.line(t)); err != nil {
		r.log.Warn("the run's record cannot be written", "error", err)
	}
	if r.tell != nil {
		r.tell(progress{stream: t.choice.Stream.Name, scope: t.place.Scope, pages: t.file.Pages(), rows: t.file.Rows()})
	}
}

// lasting reports a refusal of the endpoint as such: no right to it, or no such thing.
func lasting(err error) bool {
	var e *extract.Refused
	return errors.As(err, &e) && (e.Status == http.StatusForbidden || e.Status == http.StatusNotFound)
}

// unkept says that a page could not be written down: the calls for others would be wasted too.
type unkept struct{ err error }

func (e *unkept) Error() string { return fmt.Sprintf("keep a page: %v", e.err) }

func (e *unkept) Unwrap() error { return e.err }

// concernsAll tells the causes that end every read from those that end one.
func concernsAll(err error) bool {
	return isLogin(err) || errors.Is(err, context.Canceled) || as[*unkept](err)
}

// isLogin reports an error of the login: no other call of it will fare better.
func isLogin(err error) bool {
	var login *auth.LoginError
	var unavailable *auth.UnavailableError
	var budget *auth.BudgetError
	var store *auth.StoreError
	return errors.As(err, &login) || errors.As(err, &unavailable) || errors.As(err, &budget) || errors.As(err, &store)
}
