package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"

	"exactduck/extract"
	"exactduck/load"
	"exactduck/schema"
)

// streamError is what stopped one stream in one scope.
type streamError struct {
	stream string
	scope  schema.Scope
	err    error
}

func (e *streamError) Error() string {
	return fmt.Sprintf("%s (%s): %v", e.stream, placed(e.stream, e.scope), e.err)
}

func (e *streamError) Unwrap() error { return e.err }

// partial is the outcome of a run of which some streams failed and the rest is published.
type partial struct {
	failures []error
	of       int // reads that the run had to make
}

func (e *partial) Error() string {
	var failed, waiting []error
	for _, err := range e.failures {
		if postponed(err) {
			waiting = append(waiting, err)
		} else {
			failed = append(failed, err)
		}
	}
	switch {
	case len(e.failures) == 1:
		return e.failures[0].Error()
	case len(failed) == 0:
		return fmt.Sprintf("%d of %d reads wait for calls: %v", len(waiting), e.of, errors.Unwrap(waiting[0]))
	case len(waiting) == 0:
		return fmt.Sprintf("%d of %d reads failed, the first: %v", len(failed), e.of, failed[0])
	}
	return fmt.Sprintf("%d of %d reads failed and %d wait for calls, the first: %v", len(failed), e.of, len(waiting), failed[0])
}

// Unwrap gives the failures away only as far as they say more than that something is missing: a
// source that failed for some streams is not a source that cannot be reached.
func (e *partial) Unwrap() []error {
	var telling []error
	unreachable := 0
	for _, err := range e.failures {
		if u := (*extract.Unreachable)(nil); errors.As(err, &u) {
			unreachable++
			continue
		}
		telling = append(telling, err)
	}
	if unreachable > 0 && unreachable >= e.of {
		return e.failures
	}
	return telling
}

// outcome is nil when everything was read and is as it should be, or one error that tells of every failure.
func (r *run) outcome() error {
	if len(r.failures) == 0 {
		return r.verdict
	}
	failed := &partial{failures: r.failures, of: r.reads}
	if r.verdict != nil {
		return errors.Join(failed, r.verdict)
	}
	return failed
}

// postponed reports that there are no calls left for a read, which is no fault of its own.
func postponed(err error) bool { return as[*extract.QuotaError](err) || as[*extract.Spent](err) }

// budgets are the divisions that have no calls left in this run, and why.
type budgets struct {
	mu   sync.Mutex
	gone map[schema.Scope]error
	all  error // none has
}

// exhaust notes that a division has no calls left, or that the run has none.
func (r *run) exhaust(scope schema.Scope, err error) {
	b := &r.spentUp
	b.mu.Lock()
	defer b.mu.Unlock()
	if as[*extract.Spent](err) {
		b.all = err
		return
	}
	if b.gone == nil {
		b.gone = map[schema.Scope]error{}
	}
	b.gone[scope] = err
}

// exhausted is why nothing more can be read of a division; nil: it can.
func (r *run) exhausted(scope schema.Scope) error {
	b := &r.spentUp
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.all != nil {
		return b.all
	}
	return b.gone[scope]
}

// affordable are the sweeps of divisions whose reads have all had their calls. The others wait: who
// has no calls left for what changed has none for looking whether something is gone.
func (r *run) affordable(sweeps []*task) []*task {
	return slices.DeleteFunc(sweeps, func(t *task) bool {
		if t.file != nil && t.file.Done() {
			return false
		}
		left, known := r.budget(t.place.Scope)
		return r.exhausted(t.place.Scope) != nil || known && left <= 0
	})
}

// causes are the words for what stops a stream, the most telling first: many failures of one kind are
// told as one.
var causes = []struct {
	is   func(error) bool
	word string
}{
	{is(context.Canceled, context.DeadlineExceeded), causeInterrupted},
	{postponed, "calls"},
	{as[*load.Shrink], "shrink"},
	{as[*load.Broken], "contract"},
	{as[*load.TypeChange], "key_type"},
	{is(extract.ErrUnauthorized), "unauthorized"},
	{func(err error) bool {
		e := find[*extract.Refused](err)
		return e != nil && e.Status == http.StatusForbidden
	}, "forbidden"},
	{as[*extract.Refused], "refused"},
	{as[*extract.Blocked], "blocked"},
	{is(extract.ErrBreaker), "blocked"},
	{as[*extract.Unreachable], "unreachable"},
	{as[*extract.Malformed], "malformed"},
}

// causeInterrupted is no failure: the next run goes on from there.
const causeInterrupted = "interrupted"

// causeOf is the word for what stopped a stream.
func causeOf(err error) string {
	for _, c := range causes {
		if c.is(err) {
			return c.word
		}
	}
	return "other"
}
