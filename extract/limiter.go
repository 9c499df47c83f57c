package extract

import (
	"context"
	"net/http"
	"sync"
	"time"

	"exactduck/extract/ledger"
	"exactduck/schema"
)

// assumedPerMinute is believed until the first answer says better, unless the vendor's manners say
// something else.
const assumedPerMinute = 60

// Limiter decides when the next call may be sent, and whether at all. Each scope has a quota of its
// own: so many calls in a minute of the vendor's clock and so many a day, both learnt from the
// answers, and an account in the ledger, which all processes share.
//
// Within a minute calls are not paced; when its calls are used up the limiter waits for the next one.
// While nothing is known of a scope only one call is under way, so that a quota which others have
// used is noticed before it is overdrawn; where other software eats from the same minute, the last
// calls of it are made one by one. Safe for use by several goroutines.
type Limiter struct {
	options Options
	ledger  *ledger.Ledger

	mu     sync.Mutex
	server skew
	scopes map[schema.Scope]*acquaintance
}

// acquaintance is what this process knows of a scope.
type acquaintance struct {
	account  ledger.Account // as it was last seen
	heard    bool           // some answer came to this process
	answered chan struct{}  // closed at the next answer to this process
}

// newLimiter returns a limiter of the vendor that the options describe; they are filled in.
func newLimiter(o Options) *Limiter {
	return &Limiter{options: o, ledger: o.Ledger, scopes: map[schema.Scope]*acquaintance{}}
}

// Permit is the permission to send one call.
type Permit struct {
	limiter *Limiter
	to      address
	call    ledger.Call
}

// lookAgain is how often the ledger is looked at when another process's answer is waited for.
const lookAgain = 50 * time.Millisecond

// Take waits until a call may be sent to an endpoint and books it. It returns a *[QuotaError] when
// that would be another day, a *[Blocked] or a *[Refused] when it is known to fail, and the
// context's error when it ends first. Each Permit is followed by one Learn.
func (l *Limiter) Take(ctx context.Context, s schema.Scope, endpoint string) (*Permit, error) {
	for told := false; ; {
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
		permit, v, answered := l.book(ctx, address{s, endpoint})
		var err error
		switch {
		case v.err != nil:
			return nil, v.err
		case permit != nil:
			return permit, nil
		case v.answer:
			select {
			case <-ctx.Done():
			case <-answered:
			}
		case v.other:
			if !told {
				told = true
				l.options.Log.InfoContext(ctx, "waiting for the answers to other processes' calls", "scope", s, "endpoint", endpoint)
			}
			err = l.options.Wait(ctx, lookAgain)
		default:
			err = l.options.Wait(ctx, v.pause)
		}
		if err != nil {
			return nil, err
		}
	}
}

// book takes one call from the quota, or says for how long or for which answer to wait.
func (l *Limiter) book(ctx context.Context, to address) (permit *Permit, v verdict, answered <-chan struct{}) {
	call := l.ledger.Call(to.endpoint, time.Time{})
	l.ledger.Update(ctx, to.scope, func(a *ledger.Account) {
		l.mu.Lock()
		defer l.mu.Unlock()
		known, now := l.present(a, to.scope)
		if v = l.admit(a, to, known, now); v.err == nil && !v.answer && !v.other && v.pause <= 0 {
			call.Until = now.Add(l.options.Timeout)
			a.Book(call)
			permit = &Permit{limiter: l, to: to, call: call}
		}
		known.account, answered = a.Clone(), known.answered
	})
	return permit, v, answered
}

// present brings an account up to date, and says what time it is for the vendor.
func (l *Limiter) present(a *ledger.Account, s schema.Scope) (*acquaintance, time.Time) {
	known := l.scopes[s]
	if known == nil {
		known = &acquaintance{answered: make(chan struct{})}
		l.scopes[s] = known
	}
	here := l.options.Clock()
	if !a.Heard.IsZero() {
		l.server.adopt(a.Ahead)
	}
	now := l.server.at(here)
	if !known.heard && a.Seen.After(here.Add(time.Minute)) { // a clock was set since
		a.Doubt()
	}
	a.Roll(now, known.heard)
	return known, now
}

// extend books a further request for the call, after some were refused. It returns a *[Blocked] when
// the endpoint should not be seen to refuse again.
func (p *Permit) extend(ctx context.Context, refusals int) error {
	l := p.limiter
	var b *Blocked
	l.ledger.Update(ctx, p.to.scope, func(a *ledger.Account) {
		l.mu.Lock()
		defer l.mu.Unlock()
		_, now := l.present(a, p.to.scope)
		a.Refuse(p.to.endpoint, refusals, now)
		if room(a, p.to.endpoint) < 0 { // this call is one of those under way
			b = &Blocked{
				Endpoint: p.to.endpoint, Scope: p.to.scope, Refusals: len(a.Refusals[p.to.endpoint]),
				Until: l.options.Clock().Add(ledger.Within),
			}
			return
		}
		a.Again()
	})
	if b != nil {
		return b
	}
	return nil
}

// Charge counts a call against a scope too that was made for another one: the vendor does. Without it
// the call would be taken for one of other software.
func (l *Limiter) Charge(ctx context.Context, s schema.Scope) {
	l.ledger.Update(ctx, s, func(a *ledger.Account) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.present(a, s)
		a.Again()
	})
}

// Report is what became of one call, in the terms of this machine's clock.
type Report struct {
	Sent, Received time.Time
	Date           time.Time // the Date header; zero: none, or no answer at all
	Status         int       // 0: no answer
	Rates          Rates
	RetryAfter     time.Duration // for which the vendor wants to be left alone; 0: it does not say
	Refusals       int           // answers that count as errors of the endpoint
	Lasting        *Refused      // the answer, when it is one that will be the same tomorrow
}

// Learn takes note of what became of the call. It reports whether the endpoint is left alone from
// now on because of it.
func (p *Permit) Learn(ctx context.Context, r Report) (parked *Blocked) {
	l := p.limiter
	l.ledger.Update(ctx, p.to.scope, func(a *ledger.Account) {
		l.mu.Lock()
		defer l.mu.Unlock()
		if !r.Date.IsZero() {
			l.server.observe(r)
		}
		known, now := l.present(a, p.to.scope)
		before := blocked(a, p.to, l.server.ahead)
		a.Settle(p.call, r.outcome(), now)
		if r.Status != 0 {
			known.heard = true
			a.Seen, a.Ahead = r.Received, l.server.ahead
			refuse(a, r, now)
		}
		if before == nil {
			parked = blocked(a, p.to, l.server.ahead)
		}
		known.account = a.Clone()
		close(known.answered)
		known.answered = make(chan struct{})
	})
	return parked
}

func (r Report) outcome() ledger.Outcome {
	o := ledger.Outcome{
		Answered: r.Status != 0, Minute: r.Rates.Minute, Day: r.Rates.Day,
		Refusals: r.Refusals, Throttled: r.Status == http.StatusTooManyRequests, Healthy: r.Status >= 200 && r.Status < 300,
	}
	if r.Lasting != nil {
		o.Forbidden = &ledger.Forbidden{Heard: r.Received, Reason: r.Lasting.Reason, Message: r.Lasting.Message}
	}
	return o
}

// longestPause is how long a vendor that says nothing is left alone, and a minute more.
const longestPause = 17 * time.Minute

// refuse closes the window that a 429 was about. One that does not say until when closes the
// minute, and longer each time.
func refuse(a *ledger.Account, r Report, now time.Time) {
	day, minute := r.Rates.Day, r.Rates.Minute
	switch {
	case r.Status != http.StatusTooManyRequests:
		a.Bare = 0
	case day.Remaining == 0 && minute.Remaining != 0:
		a.Day.Closed = true
	case minute.Reset.After(now) && a.Minute.Told:
		a.Minute.Closed = true
	case r.RetryAfter > 0:
		a.Pause = later(a.Pause, now.Add(r.RetryAfter))
	case a.Pause.After(now): // one of several that were sent together
	default:
		a.Pause = now.Truncate(time.Minute).Add(time.Minute << min(a.Bare, 4))
		a.Bare++
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Left is what is known of a scope's quota.
type Left struct {
	Minute, MinuteLimit int
	Known               bool // some answer came; until then Minute is an assumption
	// Of the day nothing is assumed: these have a meaning only when DayKnown. DayLimit may be 0,
	// unknown. Day counts what is kept for other software too.
	Day, DayLimit int
	DayReset      time.Time // by this machine's clock
	DayKnown      bool
	Kept          int // of Day: for other software
	Ours, Others  int // calls of the day that we used, all processes together, and other software did
}

// Left says how many calls a scope has left now, as far as the answers told: to this process, or,
// when it has not called yet, to others.
func (l *Limiter) Left(s schema.Scope) Left {
	l.mu.Lock()
	known := l.scopes[s]
	l.mu.Unlock()
	var a ledger.Account
	if known == nil {
		a, _, _ = l.ledger.Read(s) // what cannot be read is not known
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if known != nil {
		a = known.account.Clone()
	} else if !a.Heard.IsZero() {
		l.server.adopt(a.Ahead)
	}
	a.Roll(l.server.at(l.options.Clock()), known != nil && known.heard)
	if a.Minute.Limit == 0 {
		a.Minute.Limit = l.options.Manners.PerMinute
	}
	left := Left{
		Minute: a.Minute.Left(), MinuteLimit: a.Minute.Limit, Known: !a.Heard.IsZero(),
		Ours: a.Day.Ours, Others: a.Day.Others,
	}
	if day := a.Day.Left(); day >= 0 {
		left.Day, left.DayLimit, left.DayKnown = day, a.Day.Limit, true
		left.DayReset, left.Kept = a.Day.Reset.Add(-l.server.ahead), min(day, l.options.Reserve.Of(a.Day.Limit))
	}
	return left
}

// Now is the vendor's clock, as far as the answers told.
func (l *Limiter) Now() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.server.at(l.options.Clock())
}
