package extract

import (
	"math"
	"slices"
	"time"

	"exactduck/extract/ledger"
)

// Reserve is what stays of a day's calls for other software: a share of them, a number, or whichever
// of the two is more. The zero value keeps nothing.
type Reserve struct {
	Percent float64
	Calls   int
}

// Of is the number of calls to keep of a day of so many; 0: unknown.
func (r Reserve) Of(limit int) int {
	return max(r.Calls, int(math.Ceil(float64(limit)*r.Percent/100)))
}

// news is for how long an answer tells enough of what other software is doing.
const news = 2 * time.Minute

// verdict says whether a call may be sent now.
type verdict struct {
	err    error         // never mind, and why
	pause  time.Duration // not before that long
	answer bool          // not before some call of this process is answered
	other  bool          // not before some call of another process is
}

// admit looks at an account that is up to date and says what may be done.
func (l *Limiter) admit(a *ledger.Account, to address, known *acquaintance, now time.Time) verdict {
	if a.Minute.Limit == 0 {
		a.Minute.Limit = l.options.Manners.PerMinute
	}
	if err := l.forbidden(a, to); err != nil {
		return verdict{err: err}
	}
	if b := blocked(a, to, l.server.ahead); b != nil {
		return verdict{err: b}
	}
	kept := l.options.Reserve.Of(a.Day.Limit)
	if left := a.Day.Left(); left >= 0 && left <= kept && !l.server.doubted() {
		return verdict{err: &QuotaError{Scope: to.scope, Reset: a.Day.Reset.Add(-l.server.ahead), Kept: left}}
	}
	if pause := a.Pause.Sub(now); pause > 0 && pause <= longestPause {
		return verdict{pause: pause}
	}
	own := slices.ContainsFunc(a.UnderWay, l.ledger.Owns)
	switch {
	case room(a, to.endpoint) <= 0:
		return verdict{answer: slices.ContainsFunc(a.UnderWay, func(c ledger.Call) bool {
			return l.ledger.Owns(c) && c.Endpoint == to.endpoint
		}), other: true}
	case own && !known.heard && now.Sub(a.Heard) > news:
		return verdict{answer: true}
	case a.Minute.Left() <= 0:
		return verdict{pause: a.Minute.Reset.Sub(now)}
	}
	if a.Minute.Shared() && len(a.UnderWay) > 0 && crowded(a) {
		return verdict{answer: own, other: true}
	}
	return verdict{}
}

// crowded reports that so little is left of a minute from which other software eats too that with this
// call, beside those under way, it might be overdrawn. Then calls go one by one, and each answer says
// whether there is another. What dead processes left behind does not count: its answers never come.
func crowded(a *ledger.Account) bool {
	alive := 0
	for _, c := range a.UnderWay {
		if c.Alive() {
			alive++
		}
	}
	return alive > 0 && a.Minute.Left()-alive <= max(2, a.Minute.OthersToCome())
}

// forbidden is what the vendor said for good, unless somebody has logged in since.
func (l *Limiter) forbidden(a *ledger.Account, to address) error {
	f, known := a.Forbidden[to.endpoint]
	if !known || l.options.AskAgain || l.options.LoggedIn.After(f.Heard) {
		return nil
	}
	return &Refused{
		Endpoint: to.endpoint, Scope: to.scope, Status: 403, Reason: f.Reason, Message: f.Message, Remembered: f.Heard,
	}
}
