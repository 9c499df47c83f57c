package extract

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Manners say how a vendor wants to be called and what its answers mean, where vendors differ. The
// zero value is for Exact Online.
type Manners struct {
	// Refusal finds the cause and the words in an answer that is none of success. Both have to be fit for
	// a line of text, see [Line]. nil: the header Reason, and a message as OData has it.
	Refusal func(*Answer) (reason, message string)
	// AnySuccess takes every 2xx for success, not only 200.
	AnySuccess bool
	// Final tells answers of 500 and more that no retry changes: they become a [Refused]. nil: none does.
	Final func(*Answer) bool
	// Failures is how often a call is sent that is answered with 500; 0: as often as any that fails.
	Failures int
	// RetryAfter has the header of that name obeyed, up to 17 minutes: of 429, 502, 503 and 504.
	RetryAfter bool
	// Strike tells whether an answer with such a status counts against its endpoint, which is left alone
	// after several. nil: every 4xx does but 408 and 429.
	Strike func(endpoint string, status int) bool
	// PerMinute is how many calls a minute are made in a scope as long as no answer says; 0: 60.
	PerMinute int
	// Concurrent is how many requests may be under way at a time, in all scopes; 0: any number.
	Concurrent int

	own bool // Refusal was given
}

func (m *Manners) fill() {
	m.own = m.Refusal != nil
	if !m.own {
		m.Refusal = (*Answer).refusal
	}
	if m.Final == nil {
		m.Final = func(*Answer) bool { return false }
	}
	if m.Strike == nil {
		m.Strike = func(_ string, status int) bool { return counts(status) }
	}
	if m.PerMinute <= 0 {
		m.PerMinute = assumedPerMinute
	}
}

func (m *Manners) success(status int) bool {
	return status == http.StatusOK || m.AnySuccess && status > 200 && status < 300
}

// after is for how long the vendor wants to be left alone; 0: it does not say.
func (m *Manners) after(h http.Header, now time.Time) time.Duration {
	text := strings.TrimSpace(h.Get("Retry-After"))
	if !m.RetryAfter || text == "" {
		return 0
	}
	pause := time.Duration(0)
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		pause = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(text); err == nil {
		pause = at.Sub(now)
	}
	return max(0, min(pause, longestPause))
}

// enter waits for a place among the requests under way, and returns how to leave it.
func (c *Caller) enter(ctx context.Context) (leave func(), err error) {
	if c.places == nil {
		return func() {}, nil
	}
	defer c.Waiting(ctx)()
	select {
	case c.places <- struct{}{}:
		return func() { <-c.places }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// Line makes foreign text fit for an error: one line of printable characters, not too long.
func Line(text string) string { return line(text) }
