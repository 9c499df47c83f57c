package main

import (
	"sync"
	"time"

	"exactduck/extract"
	"exactduck/schema"
)

// spare keeps one call of the day for the deletions of each division that has any to read: they come
// behind its streams, and one long read would leave none, so that for as many days as it takes rows
// stay in all tables of the division that are gone at the source.
type spare struct {
	mu      sync.Mutex
	wanted  map[schema.Scope]bool
	claimed map[schema.Scope]int // calls that reads are about to make
}

// saved says that a read stopped for the sake of the deletions.
type saved struct{ *extract.QuotaError }

// Unwrap lets it count as what it is.
func (s *saved) Unwrap() error { return s.QuotaError }

// want begins to keep calls for the divisions of tasks that speak of deletions; nil ends it.
func (s *spare) want(tasks []*task) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wanted, s.claimed = map[schema.Scope]bool{}, map[schema.Scope]int{}
	for _, t := range tasks {
		if t.table.Entity != 0 {
			s.wanted[t.place.Scope] = true
		}
	}
}

// claim asks for the next call of a read; the call is made or not when done is called. left is what
// the day still allows.
func (s *spare) claim(scope schema.Scope, left func(schema.Scope) (int, bool), reset func(schema.Scope) time.Time) (done func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.wanted[scope] {
		return func() {}, nil
	}
	n, known := left(scope)
	if known && n-s.claimed[scope] <= 1 {
		return nil, &saved{&extract.QuotaError{Scope: scope, Reset: reset(scope)}}
	}
	s.claimed[scope]++
	return sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.claimed[scope]--
	}), nil
}
