package main

import (
	"errors"
	"fmt"

	"exactduck/extract"
	"exactduck/schema"
)

// streamError is what stopped one stream in one scope.
type streamError struct {
	stream string
	scope  schema.Scope
	err    error
}

func (e *streamError) Error() string {
	return fmt.Sprintf("%s (division %s): %v", e.stream, e.scope, e.err)
}

func (e *streamError) Unwrap() error { return e.err }

// partial is the outcome of a run of which some streams failed and the rest is published.
type partial struct {
	failures []error
	of       int // reads that the run had to make
}

func (e *partial) Error() string {
	if len(e.failures) == 1 {
		return e.failures[0].Error()
	}
	return fmt.Sprintf("%d of %d reads failed, the first: %v", len(e.failures), e.of, e.failures[0])
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

// outcome is nil when everything was read, or one error that tells of every failure.
func (r *run) outcome() error {
	if len(r.failures) == 0 {
		return nil
	}
	return &partial{failures: r.failures, of: r.reads}
}

func postponed(err error) bool {
	var q *extract.QuotaError
	return errors.As(err, &q)
}
