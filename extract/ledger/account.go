package ledger

import (
	"maps"
	"os"
	"slices"
	"syscall"
	"time"
)

// The spans of the vendor's windows, and for how long refusals count.
const (
	minute = time.Minute
	day    = 24 * time.Hour
	// Within is how long a refusal counts against its endpoint.
	Within = time.Hour
	// Remembered is how long a lasting refusal is believed.
	Remembered = 7 * day
)

// Account is what is known of the calls in one scope. All times but Seen are by the vendor's clock.
// The zero value knows nothing.
type Account struct {
	Minute Window `json:"minute"`
	Day    Window `json:"day"`
	// Heard is when the last answer came, and Seen the same by the clock of the machine that got it.
	Heard time.Time `json:"heard,omitzero"`
	Seen  time.Time `json:"seen,omitzero"`
	// Ahead is how far the vendor's clock was ahead of that machine's then, at least.
	Ahead time.Duration `json:"ahead_ns,omitempty"`
	// Pause is until when the vendor wants no calls, after Bare refusals in a row that did not say
	// until when.
	Pause time.Time `json:"pause,omitzero"`
	Bare  int       `json:"bare,omitempty"`
	// UnderWay are the calls that were sent and not answered.
	UnderWay []Call `json:"under_way,omitempty"`
	// Refusals are the moments within the last hour at which an endpoint refused.
	Refusals map[string][]time.Time `json:"refusals,omitempty"`
	// Forbidden are the endpoints that refused for good.
	Forbidden map[string]Forbidden `json:"forbidden,omitempty"`
}

// Call is a call that was sent and not answered.
type Call struct {
	Owner    string    `json:"owner"` // the Ledger that made it, of the process PID
	PID      int       `json:"pid"`
	Number   uint64    `json:"number"` // different for every call of the owner
	Endpoint string    `json:"endpoint"`
	Until    time.Time `json:"until"` // when it is given up
	// Alone is true while no other call was under way at the same time.
	Alone bool `json:"alone,omitempty"`
	// The windows in which the call was booked are over: it is counted in the present ones, unless
	// its answer says otherwise.
	OldMinute bool `json:"old_minute,omitempty"`
	OldDay    bool `json:"old_day,omitempty"`
}

// Forbidden is a refusal that lasts.
type Forbidden struct {
	At      time.Time `json:"at"`    // by the vendor's clock
	Heard   time.Time `json:"heard"` // by this machine's, which also dates logins
	Reason  string    `json:"reason,omitempty"`
	Message string    `json:"message,omitempty"`
}

// Clone is a copy that shares nothing with a.
func (a *Account) Clone() Account {
	c := *a
	c.UnderWay, c.Forbidden = slices.Clone(a.UnderWay), maps.Clone(a.Forbidden)
	c.Refusals = maps.Clone(a.Refusals)
	for endpoint, at := range c.Refusals {
		c.Refusals[endpoint] = slices.Clone(at)
	}
	return c
}

// slack is how much the clocks of two processes may differ in what they think of a window.
const slack = 5 * time.Second

// Roll brings the account to the present: windows that are over make room for new ones, calls that
// were given up and refusals that are old are forgotten. Nothing is believed that lies further
// ahead than it can: some clock was wrong then. sure says that the vendor itself told this process
// the time, so that its windows may be longer than we think.
func (a *Account) Roll(now time.Time, sure bool) {
	a.UnderWay = slices.DeleteFunc(a.UnderWay, func(c Call) bool { return !now.Before(c.Until) || c.Until.Sub(now) > Within })
	longest := func(span time.Duration) time.Duration {
		if sure {
			return 10 * span
		}
		return span + slack
	}
	if a.Minute.roll(now, minute, longest(minute), len(a.UnderWay)) {
		a.carry(func(c *Call) { c.OldMinute = true })
	}
	if a.Day.roll(now, day, longest(day), len(a.UnderWay)) {
		a.carry(func(c *Call) { c.OldDay = true })
	}
	for endpoint, at := range a.Refusals {
		if at = recent(at, now); len(at) == 0 {
			delete(a.Refusals, endpoint)
		} else {
			a.Refusals[endpoint] = at
		}
	}
	for endpoint, f := range a.Forbidden {
		if f.At.After(now.Add(slack)) {
			f.At = now
			a.Forbidden[endpoint] = f
		}
		if now.Sub(f.At) >= Remembered {
			delete(a.Forbidden, endpoint)
		}
	}
}

func (a *Account) carry(mark func(*Call)) {
	for i := range a.UnderWay {
		mark(&a.UnderWay[i])
	}
}

// recent are the moments of the last hour. One in the future is as good as now.
func recent(at []time.Time, now time.Time) []time.Time {
	kept := at[:0]
	for _, t := range at {
		if t.After(now) {
			t = now
		}
		if now.Sub(t) < Within {
			kept = append(kept, t)
		}
	}
	return kept
}

// Doubt lets go of what is believed of the windows. The limits stay: they seldom change.
func (a *Account) Doubt() {
	a.Minute, a.Day = Window{Limit: a.Minute.Limit}, Window{Limit: a.Day.Limit}
	a.Pause, a.Bare = time.Time{}, 0
	a.Heard, a.Seen = time.Time{}, time.Time{}
}

// Book notes that a call is sent now. It does not ask whether it may be.
func (a *Account) Book(c Call) {
	c.Alone = len(a.UnderWay) == 0
	a.carry(func(other *Call) { other.Alone = false })
	a.UnderWay = append(a.UnderWay, c)
	a.Minute.Ours++
	a.Day.Ours++
}

// Outcome is what became of a call.
type Outcome struct {
	Answered    bool
	Minute, Day Rate
	Refusals    int        // that count against the endpoint
	Throttled   bool       // the vendor did not count it: there were too many
	Healthy     bool       // the endpoint gave what it was asked for
	Forbidden   *Forbidden // nil: the answer is none that lasts
}

// Settle notes what became of a call that was booked.
func (a *Account) Settle(c Call, o Outcome, now time.Time) {
	at := slices.IndexFunc(a.UnderWay, func(u Call) bool { return u.Owner == c.Owner && u.Number == c.Number })
	if at >= 0 { // else it was given up, and its windows are over
		c = a.UnderWay[at]
		a.UnderWay = slices.Delete(a.UnderWay, at, at+1)
	} else {
		c.Alone = false
	}
	if o.Throttled {
		a.Minute.Ours, a.Day.Ours = max(0, a.Minute.Ours-1), max(0, a.Day.Ours-1)
	}
	if o.Answered {
		a.Heard = now
		a.learn(&a.Minute, o.Minute, c, minute, now, c.OldMinute)
		a.learn(&a.Day, o.Day, c, day, now, c.OldDay)
	}
	a.judge(c.Endpoint, o, now)
}

func (a *Account) learn(w *Window, r Rate, c Call, span time.Duration, now time.Time, old bool) {
	switch w.place(r, now, span, len(a.UnderWay)) {
	case earlier:
		if old {
			w.Ours = max(0, w.Ours-1)
		}
	case current:
		w.correct(r, c.Alone && len(a.UnderWay) == 0 && !old)
	case later:
		if span == minute {
			a.carry(func(c *Call) { c.OldMinute = true })
		} else {
			a.carry(func(c *Call) { c.OldDay = true })
		}
		w.correct(r, false)
	}
}

// judge notes what an answer says of its endpoint. One that is well says that calls which a dead
// process left behind were hardly refused.
func (a *Account) judge(endpoint string, o Outcome, now time.Time) {
	a.Refuse(endpoint, o.Refusals, now)
	if o.Forbidden != nil {
		if a.Forbidden == nil {
			a.Forbidden = map[string]Forbidden{}
		}
		f := *o.Forbidden
		f.At = now
		a.Forbidden[endpoint] = f
	}
	if o.Healthy {
		delete(a.Forbidden, endpoint)
		a.UnderWay = slices.DeleteFunc(a.UnderWay, func(c Call) bool { return c.Endpoint == endpoint && !c.Alive() })
	}
}

// Refuse notes that an endpoint refused so many times now.
func (a *Account) Refuse(endpoint string, times int, now time.Time) {
	for range times {
		if a.Refusals == nil {
			a.Refusals = map[string][]time.Time{}
		}
		a.Refusals[endpoint] = append(a.Refusals[endpoint], now)
	}
}

// Again notes that a call which is under way takes one request more.
func (a *Account) Again() {
	a.Minute.Ours++
	a.Day.Ours++
}

// Alive reports whether the process that made the call is there, as far as this machine can tell.
func (c Call) Alive() bool {
	if c.PID == os.Getpid() {
		return true
	}
	process, err := os.FindProcess(c.PID)
	if err != nil {
		return false
	}
	defer func() { _ = process.Release() }() // only looked at
	err = process.Signal(syscall.Signal(0))
	return err == nil || os.IsPermission(err)
}

// Pending is how many refusals the calls under way to an endpoint may bring yet.
func (a *Account) Pending(endpoint string) (n int) {
	for _, c := range a.UnderWay {
		if c.Endpoint == endpoint {
			n++
		}
	}
	return n
}

// Call makes a call of this ledger, to be given up after the given time.
func (l *Ledger) Call(endpoint string, until time.Time) Call {
	return Call{Owner: l.owner, PID: os.Getpid(), Number: l.calls.Add(1), Endpoint: endpoint, Until: until}
}

// Owns reports whether the call is one of this ledger's.
func (l *Ledger) Owns(c Call) bool { return c.Owner == l.owner }
