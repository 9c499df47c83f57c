package extract

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"exactduck/schema"
)

const base = "https://start.exactonline.nl"

const page = base + "/api/v1/123/crm/Accounts?$select=ID&$filter=Timestamp%20gt%200L"

// vendor is a server in a function: it counts calls in fixed minutes and days of its own clock,
// says so in its headers, and refuses what is too much. A script can answer before it does.
type vendor struct {
	ahead     time.Duration // of this machine's clock
	perMinute int
	perDay    int
	mute      bool // send no rate headers
	latency   time.Duration
	// rival is another client of the same app: how many calls it wants to have made when so much of a
	// minute is over. What it eats is counted beside ours.
	rival  func(elapsed time.Duration) int
	script func(n int, r *http.Request) (*http.Response, error) // n counts from 1; nil, nil: answer as usual

	mu        sync.Mutex
	requests  []*http.Request
	at        []time.Time
	minutes   map[time.Time]int
	days      map[time.Time]int
	eaten     map[time.Time]int // by the rival, per minute
	throttled int
	refused   map[time.Time]int // of throttled, per minute
}

func (v *vendor) RoundTrip(r *http.Request) (*http.Response, error) {
	pass(v.latency)
	v.mu.Lock()
	defer v.mu.Unlock()
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	v.requests = append(v.requests, r)
	v.at = append(v.at, time.Now())
	if v.script != nil {
		if response, err := v.script(len(v.requests), r); response != nil || err != nil {
			return response, err
		}
	}
	return v.answer(), nil
}

// bubble runs a test in a bubble of time. It begins in 2026: rates that end before 2001 are believed
// to be in another unit.
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		pass(time.Until(time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)))
		f(t)
	})
}

// pass lets time pass, that of a bubble.
func pass(d time.Duration) { <-time.After(d) }

func (v *vendor) open() {
	if v.minutes == nil {
		v.minutes, v.days = map[time.Time]int{}, map[time.Time]int{}
		v.eaten, v.refused = map[time.Time]int{}, map[time.Time]int{}
	}
}

func (v *vendor) answer() *http.Response {
	v.open()
	now := time.Now().Add(v.ahead).UTC()
	minute, day := now.Truncate(time.Minute), now.Truncate(24*time.Hour)
	v.eat(now, minute, day)
	h := http.Header{}
	h.Set("Date", now.Format(http.TimeFormat))
	status := http.StatusOK
	switch {
	case v.perDay > 0 && v.days[day] >= v.perDay:
		status = http.StatusTooManyRequests
		v.tell(h, "X-RateLimit-", v.perDay, 0, day.Add(24*time.Hour))
	case v.perMinute > 0 && v.minutes[minute]+v.eaten[minute] >= v.perMinute:
		status = http.StatusTooManyRequests
		v.throttled++
		v.refused[minute]++
		v.tell(h, "X-RateLimit-Minutely-", v.perMinute, 0, minute.Add(time.Minute))
	default:
		v.minutes[minute]++
		v.days[day]++
		if v.perMinute > 0 {
			v.tell(h, "X-RateLimit-Minutely-", v.perMinute, v.perMinute-v.minutes[minute]-v.eaten[minute], minute.Add(time.Minute))
		}
		if v.perDay > 0 {
			v.tell(h, "X-RateLimit-", v.perDay, v.perDay-v.days[day], day.Add(24*time.Hour))
		}
	}
	return reply(status, h, `{"d":{"results":[]}}`)
}

func (v *vendor) eat(now, minute, day time.Time) {
	if v.rival == nil {
		return
	}
	for wants := v.rival(now.Sub(minute)); v.eaten[minute] < wants && v.minutes[minute]+v.eaten[minute] < v.perMinute; {
		v.eaten[minute]++
		v.days[day]++
	}
}

func (v *vendor) tell(h http.Header, prefix string, limit, remaining int, reset time.Time) {
	if v.mute {
		return
	}
	h.Set(prefix+"Limit", fmt.Sprint(limit))
	h.Set(prefix+"Remaining", fmt.Sprint(remaining))
	h.Set(prefix+"Reset", fmt.Sprint(reset.UnixMilli()))
}

func reply(status int, h http.Header, body string) *http.Response {
	if h == nil {
		h = http.Header{}
	}
	if h.Get("Content-Type") == "" {
		h.Set("Content-Type", "application/json;charset=utf-8")
	}
	if h.Get("Date") == "" {
		h.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body))}
}

func (v *vendor) caller(t *testing.T, change func(*Options)) *Caller {
	t.Helper()
	o := Options{Base: base, Client: &http.Client{Transport: v}}
	if change != nil {
		change(&o)
	}
	c, err := NewCaller(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func get(t *testing.T, c *Caller) (*Answer, error) {
	t.Helper()
	return c.Get(t.Context(), schema.Scope("123"), "crm/Accounts", page)
}
