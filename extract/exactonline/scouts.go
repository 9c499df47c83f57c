package exactonline

import (
	"context"
	"sync"
	"time"
)

// patience is how long a read waits for what another one finds out. It is longer than an answer
// takes and shorter than a scope's quota may keep the other one waiting.
const patience = 10 * time.Second

// scouts lets one read of an endpoint go first, so that a refusal is met once and not by every
// division at the same time.
type scouts struct {
	mu    sync.Mutex
	known map[string]bool          // shapes of queries that were answered
	under map[string]chan struct{} // shapes that are being found out, closed when they are
}

// enter waits until a query may be made. The caller reports whether it was answered.
func (s *scouts) enter(ctx context.Context, shape string) (report func(answered bool), err error) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		ahead, report := s.claim(shape)
		if ahead == nil {
			return report, nil
		}
		select {
		case <-ahead:
		case <-timer.C:
			return s.note(shape), nil
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// claim makes the caller the scout of a shape, unless there is nothing to find out any more or
// another one is ahead.
func (s *scouts) claim(shape string) (ahead <-chan struct{}, report func(bool)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known[shape] {
		return nil, func(bool) {}
	}
	if under := s.under[shape]; under != nil {
		return under, nil
	}
	if s.under == nil {
		s.known, s.under = map[string]bool{}, map[string]chan struct{}{}
	}
	done := make(chan struct{})
	s.under[shape] = done
	return nil, func(answered bool) {
		s.note(shape)(answered)
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.under, shape)
		close(done)
	}
}

func (s *scouts) note(shape string) func(bool) {
	return func(answered bool) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if answered {
			s.known[shape] = true
		}
	}
}
