package extract

import (
	"slices"
	"sync"
	"time"

	"exactduck/schema"
)

// Exact blocks an endpoint of a company for an hour, and longer each time, after 10 errors within
// an hour. Stopping half way leaves room for other processes of the same app.
const (
	breakerRefusals = 5
	breakerSpan     = time.Hour
)

// breaker counts the refusals of each endpoint in each scope.
type breaker struct {
	clock func() time.Time

	mu   sync.Mutex
	seen map[address][]time.Time
}

// address is an endpoint in a scope.
type address struct {
	scope    schema.Scope
	endpoint string
}

// allow returns a *Blocked while the endpoint is not to be called.
func (b *breaker) allow(a address) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	recent := b.recent(a)
	if len(recent) < breakerRefusals {
		return nil
	}
	return &Blocked{
		Endpoint: a.endpoint, Scope: a.scope, Refusals: len(recent),
		Until: recent[len(recent)-breakerRefusals].Add(breakerSpan),
	}
}

func (b *breaker) count(a address) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.seen[a] = append(b.recent(a), b.clock())
}

func (b *breaker) recent(a address) []time.Time {
	since := b.clock().Add(-breakerSpan)
	kept := slices.DeleteFunc(b.seen[a], func(t time.Time) bool { return !t.After(since) })
	b.seen[a] = kept
	return kept
}
