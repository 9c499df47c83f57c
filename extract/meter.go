package extract

import (
	"context"
	"sync"
	"time"
)

// Meter adds up what calls come to that are made under its context, see [Meter.In]. The zero value
// is ready to use, by several goroutines.
type Meter struct {
	mu  sync.Mutex
	sum Metered
	out *Meter // the one around it; nil: none
}

// Metered is what calls came to.
type Metered struct {
	Calls   int // that were sent, repeated ones included
	Retries int // of those, the ones that were made again
	// Waited is for how long calls that were to be made could not be sent yet: for their quota, for
	// what another read finds out, or between attempts.
	Waited time.Duration
	// Bytes are those of the answers as they are read. Wire are those that came over the network,
	// where they are compressed as a rule; headers are not counted.
	Bytes, Wire int64
}

// In has a context counted by the meter, and by the one that counts the context already.
func (m *Meter) In(ctx context.Context) context.Context {
	if m.out = meterOf(ctx); m.out == m {
		m.out = nil
		return ctx
	}
	return context.WithValue(ctx, meterKey{}, m)
}

// Sum is what it has counted so far.
func (m *Meter) Sum() Metered {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.sum
}

type meterKey struct{}

// meterOf is the meter of a context; nil: none.
func meterOf(ctx context.Context) *Meter {
	m, _ := ctx.Value(meterKey{}).(*Meter)
	return m
}

// add counts; a meter that is nil counts nothing.
func (m *Meter) add(n Metered) {
	for ; m != nil; m = m.out {
		m.mu.Lock()
		m.sum.Calls += n.Calls
		m.sum.Retries += n.Retries
		m.sum.Waited += n.Waited
		m.sum.Bytes += n.Bytes
		m.sum.Wire += n.Wire
		m.mu.Unlock()
	}
}

// Waiting begins a wait that the meter of a context counts until it is called to end.
func (c *Caller) Waiting(ctx context.Context) (end func()) {
	m := meterOf(ctx)
	if m == nil {
		return func() {}
	}
	began := c.options.Clock()
	return func() { m.add(Metered{Waited: c.options.Clock().Sub(began)}) }
}
