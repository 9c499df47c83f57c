package sandbox

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"time"
)

const (
	defaultMinuteLimit = 60
	defaultDayLimit    = 5000
	errorsAnHour       = 10
)

// allowance counts the calls of one division: a window of the clock minute, and the UTC day.
type allowance struct {
	minute, day         int64 // which window the counts belong to
	minuteUsed, dayUsed int
	others              int // of the minute's calls, those that another client made
}

// limits is what one app may still do. The zero value has used nothing.
type limits struct {
	perMinute, perDay int // negative: no limit
	others            int // calls that another client makes in a minute
	window            time.Duration
	bare              bool
	divisions         map[int]*allowance
	errors            map[string]*errorCount
}

// errorCount is the error budget of one endpoint of one division, for the one app and the one user.
type errorCount struct {
	recent  []time.Time // the errors of the last hour
	blocked time.Time   // until when; zero: not
	blocks  int         // how often it has been
}

func newLimits(o Options) *limits {
	l := &limits{window: o.Window, divisions: map[int]*allowance{}, errors: map[string]*errorCount{}}
	if l.window <= 0 {
		l.window = time.Minute
	}
	l.follow(o)
	return l
}

// follow takes over what can change while a sandbox runs.
func (l *limits) follow(o Options) {
	l.perMinute, l.perDay = cmp.Or(o.MinuteLimit, defaultMinuteLimit), cmp.Or(o.DayLimit, defaultDayLimit)
	l.others, l.bare = o.Others, o.BareLimits
}

// refusal says which window is used up.
type refusal uint8

const (
	allowed refusal = iota
	minuteUsedUp
	dayUsedUp
)

// take spends one call of a division. A refused call costs nothing.
func (l *limits) take(division int, now time.Time) (*allowance, refusal) {
	a := l.at(division, now)
	switch {
	case l.perDay >= 0 && a.dayUsed >= l.perDay:
		return a, dayUsedUp
	case l.perMinute >= 0 && a.minuteUsed >= l.perMinute:
		return a, minuteUsedUp
	}
	a.minuteUsed++
	a.dayUsed++
	return a, allowed
}

func (l *limits) at(division int, now time.Time) *allowance {
	a := l.divisions[division]
	if a == nil {
		a = &allowance{}
		l.divisions[division] = a
	}
	if m := now.UnixNano() / int64(l.window); m != a.minute {
		a.minute, a.minuteUsed, a.others = m, 0, 0
	}
	if d := now.Unix() / 86400; d != a.day {
		a.day, a.dayUsed = d, 0
	}
	l.letOthers(a, now)
	return a
}

// letOthers makes the calls that another client has made by now: evenly over the minute, as far as
// the quota goes.
func (l *limits) letOthers(a *allowance, now time.Time) {
	since := now.UnixNano() - a.minute*int64(l.window)
	due := int(int64(l.others)*since/int64(l.window)) + btoi(l.others > 0)
	for ; a.others < min(due, l.others); a.others++ {
		if l.perDay >= 0 && a.dayUsed >= l.perDay || l.perMinute >= 0 && a.minuteUsed >= l.perMinute {
			continue // refused as anybody is
		}
		a.minuteUsed++
		a.dayUsed++
	}
}

// headers writes the six headers, or only those of the window that refused the call. Resets are
// milliseconds since 1970.
func (l *limits) headers(h http.Header, a *allowance, r refusal) {
	if r != minuteUsedUp && l.perDay >= 0 {
		setInt(h, "X-RateLimit-Limit", int64(l.perDay))
		setInt(h, "X-RateLimit-Remaining", int64(l.perDay-a.dayUsed))
		setInt(h, "X-RateLimit-Reset", (a.day+1)*86400*1000)
	}
	if r != dayUsedUp && l.perMinute >= 0 {
		setInt(h, "X-RateLimit-Minutely-Limit", int64(l.perMinute))
		setInt(h, "X-RateLimit-Minutely-Remaining", int64(l.perMinute-a.minuteUsed))
		setInt(h, "X-RateLimit-Minutely-Reset", (a.minute+1)*int64(l.window)/int64(time.Millisecond))
	}
}

// refused is the 429 of a window that is used up: no body, and the headers of that window only.
func (l *limits) refused(a *allowance, r refusal) *reply {
	answer := &reply{Status: http.StatusTooManyRequests, Header: http.Header{}}
	if !l.bare {
		l.headers(answer.Header, a, r)
	}
	return answer
}

// setInt keeps the header's own casing, which Exact's gateway does too.
func setInt(h http.Header, name string, n int64) { h[name] = []string{strconv.FormatInt(n, 10)} }

// failed counts a 4xx against the endpoint's error budget: ten within any hour block it for one
// hour, and each time again for twice as long as before, until it has kept still for a day. That
// blocks grow is known; by how much, and for how long that is remembered, is not.
func (l *limits) failed(endpoint string, now time.Time) {
	c := l.errors[endpoint]
	if c == nil {
		c = &errorCount{}
		l.errors[endpoint] = c
	}
	c.recent = slices.DeleteFunc(append(c.recent, now), func(at time.Time) bool { return now.Sub(at) >= time.Hour })
	if len(c.recent) < errorsAnHour {
		return
	}
	if now.Sub(c.blocked) >= 24*time.Hour {
		c.blocks = 0
	}
	c.blocked = now.Add(time.Hour << min(c.blocks, 4))
	c.blocks++
	c.recent = nil
}

func (l *limits) blocked(endpoint string, now time.Time) bool {
	c := l.errors[endpoint]
	return c != nil && now.Before(c.blocked)
}
