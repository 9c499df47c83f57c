package extract

import (
	"context"
	"net/http"
	"sync"
	"time"

	"exactduck/schema"
)

// assumedPerMinute is believed until the first answer says better.
const assumedPerMinute = 60

// Limiter decides when the next call may be sent. Each scope has a quota of its own: so many
// calls in a minute of the vendor's clock and so many a day, both learnt from the answers. Within
// a minute calls are not paced; when its calls are used up the limiter waits for the next one.
// Until the first answer of a scope only one call is under way, so that a quota which an earlier
// process has used is noticed before it is overdrawn. Safe for use by several goroutines.
type Limiter struct {
	reserve int
	clock   func() time.Time
	wait    func(context.Context, time.Duration) error

	mu     sync.Mutex
	server skew
	scopes map[schema.Scope]*allowance
}

// allowance is what one scope may still do.
type allowance struct {
	minute, day window
	underway    int           // calls sent and not answered
	answered    bool          // some answer came
	probe       chan struct{} // closed when the call that is under way before the first answer ends; nil: none is
	bare        int           // refusals in a row that did not say until when
}

// window is a span of the vendor's clock with a number of calls.
type window struct {
	span        time.Duration
	limit, left int       // -1: unknown
	reset       time.Time // when it ends
	told        bool      // reset was read from an answer, and is not assumed
}

// NewLimiter returns a limiter that leaves reserve calls of each day alone. The clock is this
// machine's; wait returns early with an error when its context ends.
func NewLimiter(reserve int, clock func() time.Time, wait func(context.Context, time.Duration) error) *Limiter {
	return &Limiter{reserve: reserve, clock: clock, wait: wait, scopes: map[schema.Scope]*allowance{}}
}

// Take waits until a call may be sent and books it. It returns a *[QuotaError] when that would
// be another day, and the context's error when it ends first. Each Take that returns nil is
// followed by one Learn.
func (l *Limiter) Take(ctx context.Context, s schema.Scope) error {
	for {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		pause, probe, err := l.book(s)
		switch {
		case err != nil:
			return err
		case probe != nil:
			select {
			case <-ctx.Done():
			case <-probe:
			}
		case pause > 0:
			if err := l.wait(ctx, pause); err != nil {
				return err
			}
		default:
			return nil
		}
	}
}

// book takes one call from the quota, or says for how long or for which call to wait.
func (l *Limiter) book(s schema.Scope) (pause time.Duration, probe <-chan struct{}, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a, now := l.of(s)
	switch {
	case a.day.left >= 0 && a.day.left <= l.reserve:
		return 0, nil, &QuotaError{Scope: s, Reset: a.day.reset.Add(-l.server.ahead)}
	case a.probe != nil:
		return 0, a.probe, nil
	case a.minute.left == 0:
		return a.minute.reset.Sub(now), nil, nil
	}
	a.minute.left--
	if a.day.left > 0 {
		a.day.left--
	}
	if !a.answered {
		a.probe = make(chan struct{})
	}
	a.underway++
	return 0, nil, nil
}

// of is the allowance of a scope as it is now, by the vendor's clock.
func (l *Limiter) of(s schema.Scope) (*allowance, time.Time) {
	a, now := l.scopes[s], l.server.at(l.clock())
	if a == nil {
		a = &allowance{
			minute: window{span: time.Minute, limit: assumedPerMinute},
			day:    window{span: 24 * time.Hour, limit: -1},
		}
		l.scopes[s] = a
	}
	a.minute.roll(now)
	a.day.roll(now)
	return a, now
}

// roll opens a new window when the old one is over.
func (w *window) roll(now time.Time) {
	if !now.Before(w.reset) {
		w.left, w.told, w.reset = w.limit, false, now.Truncate(w.span).Add(w.span)
	}
}

// Report is what became of one call, in the terms of this machine's clock.
type Report struct {
	Sent, Received time.Time
	Date           time.Time // the Date header; zero: none, or no answer at all
	Status         int       // 0: no answer
	Rates          Rates
}

// Learn takes note of what became of a call that Take let through.
func (l *Limiter) Learn(s schema.Scope, r Report) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !r.Date.IsZero() {
		l.server.observe(r)
	}
	a, now := l.of(s)
	a.underway--
	if a.probe != nil {
		close(a.probe)
		a.probe = nil
	}
	if r.Status == 0 {
		return
	}
	a.answered = true
	a.minute.learn(r.Rates.Minute, now, a.underway)
	a.day.learn(r.Rates.Day, now, a.underway)
	if r.Status != http.StatusTooManyRequests {
		a.bare = 0
		return
	}
	a.refused(now, r.Rates)
}

// learn corrects what is believed by what an answer says. Our calls that are under way are booked
// already, so the vendor's number only ever lowers what is left of a window that we know, unless
// the limit turns out to be another.
func (w *window) learn(r Rate, now time.Time, underway int) {
	if r.Reset.Sub(now) > 10*w.span {
		r.Reset = time.Time{} // not the end of a window like this
	}
	if r.Limit >= 0 {
		if w.left >= 0 && w.limit >= 0 {
			w.left = max(w.left+r.Limit-w.limit, 0)
		}
		w.limit = r.Limit
	}
	remaining := r.Remaining
	switch {
	case r.Reset.IsZero():
	case !r.Reset.After(now), w.told && r.Reset.Before(w.reset):
		return // an answer from a window that is over
	case w.told && r.Reset.After(w.reset): // the vendor is a window further than we thought
		w.left, remaining = -1, max(remaining-underway, min(remaining, 0))
		fallthrough
	default:
		w.reset, w.told = r.Reset, true
	}
	if w.left < 0 && remaining < 0 {
		remaining = w.limit
	}
	if remaining >= 0 && (w.left < 0 || remaining < w.left) {
		w.left = remaining
	}
}

// refused closes the window that a 429 was about. One that does not say until when closes the
// minute, and longer each time.
func (a *allowance) refused(now time.Time, r Rates) {
	switch {
	case r.Day.Remaining == 0 && r.Minute.Remaining != 0:
		a.day.left = 0
	case r.Minute.Reset.After(now) && a.minute.told:
		a.minute.left = 0
	default:
		a.minute.left, a.minute.told = 0, false
		a.minute.reset = now.Truncate(time.Minute).Add(time.Minute << min(a.bare, 4))
		a.bare++
	}
}

// Left is what is known of a scope's quota.
type Left struct {
	Minute, MinuteLimit int
	Known               bool // some answer came; until then Minute is an assumption
	// Of the day nothing is assumed: these have a meaning only when DayKnown. DayLimit may be -1.
	Day, DayLimit int
	DayReset      time.Time // by this machine's clock
	DayKnown      bool
}

// Left says how many calls a scope has left now, as far as the answers told.
func (l *Limiter) Left(s schema.Scope) Left {
	l.mu.Lock()
	defer l.mu.Unlock()
	a, _ := l.of(s)
	left := Left{Minute: a.minute.left, MinuteLimit: a.minute.limit, Known: a.answered}
	if a.day.left >= 0 {
		left.Day, left.DayLimit, left.DayKnown = a.day.left, a.day.limit, true
		left.DayReset = a.day.reset.Add(-l.server.ahead)
	}
	return left
}

// Now is the vendor's clock, as far as the answers told.
func (l *Limiter) Now() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.server.at(l.clock())
}

// skew is how far the vendor's clock is ahead of ours, at least. The Date header is cut to the
// second, so one answer bounds the truth from both sides, and the best lower bound of many comes
// close to it. Being on the low side makes us wait a little too long, never too short.
type skew struct {
	ahead time.Duration
	known bool
}

func (s *skew) observe(r Report) {
	least, most := r.Date.Sub(r.Received), r.Date.Add(time.Second).Sub(r.Sent)
	if !s.known || s.ahead < least || s.ahead > most {
		s.ahead, s.known = least, true
	}
}

func (s *skew) at(t time.Time) time.Time { return t.Add(s.ahead).UTC() }
