package extract

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"time"

	"github.com/sethvargo/go-retry"
)

// maxThrottled is how often in a row one call accepts "too many requests". The limiter makes each
// of them a wait of a minute or more.
const maxThrottled = 6

var (
	errThrottled = errors.New("429 too many requests")
	errSlow      = errors.New("took too long")
)

// try is one Get: one or more attempts at the same request.
type try struct {
	caller *Caller
	to     address
	url    *url.URL

	number    int           // of attempts made
	pause     time.Duration // before the next attempt
	throttled bool          // the last failure was a 429
	failures  int           // answers of 500
	after     time.Duration // for which the last answer wanted us to wait
	curable   bool          // the last failure was one that a retry might have cured
}

// backoff says whether to go on. It never makes retry itself wait: the pause is kept for the
// attempt, which also waits for the limiter. A backoff has a memory, so each Get needs its own.
func (t *try) backoff() retry.Backoff {
	o := t.caller.options
	down := retry.WithMaxRetries(uint64(o.Attempts-1), retry.WithJitterPercent(20, retry.NewExponential(o.Backoff)))
	throttles := 0
	return retry.BackoffFunc(func() (time.Duration, bool) {
		if t.throttled {
			throttles++
			return 0, throttles >= maxThrottled
		}
		pause, stop := down.Next()
		t.pause = max(pause, t.after)
		return 0, stop || o.Manners.Failures > 0 && t.failures >= o.Manners.Failures
	})
}

// attempt sends the request once. Errors that a retry may cure are marked as retry wants it.
func (t *try) attempt(ctx context.Context) (*Answer, error) {
	t.throttled, t.curable, t.after = false, false, 0
	permit, err := t.ready(ctx)
	if err != nil {
		return nil, err
	}
	t.number++
	report := Report{Sent: t.caller.options.Clock()}
	answer, err := t.send(ctx, permit, &report)
	report.Received = t.caller.options.Clock()
	refused := t.refused(answer, err)
	t.remember(refused, &report)
	if parked := permit.Learn(ctx, report); parked != nil {
		t.caller.options.Log.WarnContext(ctx, "endpoint refused too often, leaving it alone", "scope", parked.Scope,
			"endpoint", parked.Endpoint, "refusals", parked.Refusals, "until", parked.Until)
	}
	t.observe(ctx, answer, report)
	switch {
	case err != nil:
		return nil, t.network(err)
	case refused != nil:
		return nil, refused
	}
	answer.Asked = t.asked(report)
	return t.judge(answer)
}

// remember sees to it that what will be refused again is not asked again.
func (t *try) remember(refused *Refused, report *Report) {
	if refused == nil || refused.Status != http.StatusForbidden {
		return
	}
	switch t.caller.options.Reach(refused) {
	case ForEndpoint:
		report.Lasting = refused
	case ForScope:
		t.caller.shutFor(refused)
	case ForOnce:
	}
}

// ready waits until the request may be sent, unless it is known to fail.
func (t *try) ready(ctx context.Context) (*Permit, error) {
	c := t.caller
	if err := c.shutter(t.to); err != nil {
		return nil, err
	}
	defer c.Waiting(ctx)()
	if t.pause > 0 {
		if err := c.options.Wait(ctx, t.pause); err != nil {
			return nil, err
		}
		t.pause = 0
	}
	if err := c.spend(); err != nil {
		return nil, err
	}
	permit, err := c.limiter.Take(ctx, t.to.scope, t.to.endpoint)
	if err != nil {
		c.unspend()
	}
	return permit, err
}

// send makes the request and reads the answer whole.
func (t *try) send(ctx context.Context, permit *Permit, report *Report) (answer *Answer, err error) {
	c := t.caller
	leave, err := c.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	ctx, cancel := context.WithTimeoutCause(ctx, c.options.Timeout, errSlow)
	defer cancel()
	sent := &tally{permit: permit, path: t.url.Path, counts: func(status int) bool { return c.options.Manners.Strike(t.to.endpoint, status) }}
	defer func() {
		requests, refusals := sent.sum(report.Status)
		report.Refusals = refusals
		c.count(t.to, requests)
		t.metered(ctx, requests, answer, sent.came())
	}()
	ctx = sent.in(ctx)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, t.url.String(), nil)
	if err != nil {
		return nil, err
	}
	request.URL = t.url // as it was parsed, not as String would write it
	maps.Copy(request.Header, c.options.Header)
	request.Header.Set("Accept", "application/json")
	c.options.Log.DebugContext(ctx, "request", "scope", t.to.scope, "endpoint", t.to.endpoint,
		"path", t.url.Path, "query", t.url.RawQuery, "attempt", t.number)
	response, err := c.client.Do(request)
	if err != nil {
		return nil, cause(ctx, err)
	}
	defer func() { _ = response.Body.Close() }() // read to its end or given up
	report.Status, report.Rates = response.StatusCode, ReadRates(response.Header)
	report.Date, _ = http.ParseTime(response.Header.Get("Date"))
	answer = &Answer{Status: response.StatusCode, Header: response.Header, Date: report.Date}
	report.RetryAfter = c.options.Manners.after(response.Header, c.options.Clock())
	answer.Body, err = readBody(response, c.options.Manners.success(report.Status), c.options.MaxBody)
	return answer, cause(ctx, err)
}

// metered counts what the attempt came to. Without a [Wire] nobody knows what came over the network.
func (t *try) metered(ctx context.Context, requests int, a *Answer, wire int64) {
	n := Metered{Calls: requests, Retries: requests, Wire: wire}
	if t.number == 1 {
		n.Retries--
	}
	if a != nil {
		n.Bytes = int64(len(a.Body))
	}
	meterOf(ctx).add(n)
}

// cause prefers our own reason for an ended context to what the transport made of it.
func cause(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// network tells errors that a retry may cure from the others. The address is left out: the
// transport's errors repeat it, and whatever is in its query.
func (t *try) network(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	permanent := t.caller.options.Permanent
	if b, ok := errors.AsType[*Blocked](err); ok {
		return b
	}
	if errors.Is(err, ErrForeignHost) || errors.Is(err, errTooLarge) || permanent != nil && permanent(err) {
		return fmt.Errorf("GET %s (%s): %w", t.to.endpoint, t.to.scope, err)
	}
	return t.again(err)
}

func (t *try) again(err error) error {
	t.curable = true
	return retry.RetryableError(err)
}

// refused is an answer that no retry changes; nil: another answer, or none.
func (t *try) refused(a *Answer, err error) *Refused {
	if err != nil || a.Status < 300 || a.Status >= 500 && !t.caller.options.Manners.Final(a) ||
		a.Status == http.StatusTooManyRequests || a.Status == http.StatusRequestTimeout {
		return nil
	}
	reason, message := t.caller.options.Manners.Refusal(a)
	return &Refused{Endpoint: t.to.endpoint, Scope: t.to.scope, Status: a.Status, Reason: reason, Message: message}
}

// judge names what an answer means that is no refusal.
func (t *try) judge(a *Answer) (*Answer, error) {
	manners := t.caller.options.Manners
	switch {
	case manners.success(a.Status):
		if err := a.checkJSON(); err != nil {
			return nil, t.again(err)
		}
		return a, nil
	case a.Status == http.StatusTooManyRequests:
		t.throttled = true
		return nil, t.again(errThrottled)
	case a.Status == http.StatusInternalServerError:
		t.failures++
	default:
		t.after = manners.after(a.Header, t.caller.options.Clock())
	}
	return nil, t.again(fmt.Errorf("%d %s: %s", a.Status, http.StatusText(a.Status), t.words(a)))
}

// words are what a failing vendor says of it.
func (t *try) words(a *Answer) string {
	if !t.caller.options.Manners.own {
		return a.excerpt()
	}
	reason, message := t.caller.options.Manners.Refusal(a)
	return line(reason + " " + message)
}

// asked is when the request was sent, by the vendor's clock and rather too early than too late:
// the answer is dated at its end.
func (t *try) asked(r Report) time.Time {
	if r.Date.IsZero() {
		return r.Sent.UTC()
	}
	return r.Date.Add(-r.Received.Sub(r.Sent)).UTC()
}

func (t *try) observe(ctx context.Context, a *Answer, r Report) {
	attempt := Attempt{
		Scope: t.to.scope, Endpoint: t.to.endpoint, Number: t.number,
		Status: r.Status, Took: r.Received.Sub(r.Sent),
	}
	if a != nil {
		attempt.Bytes = len(a.Body)
	}
	left := t.caller.Left(t.to.scope)
	t.caller.options.Log.LogAttrs(ctx, slog.LevelDebug, "answer", slog.Any("scope", t.to.scope),
		slog.String("endpoint", t.to.endpoint), slog.Int("status", r.Status), slog.Int("bytes", attempt.Bytes),
		slog.Duration("took", attempt.Took), slog.Int("minute_left", left.Minute), slog.Int("day_left", left.Day))
	if t.caller.options.Observe != nil {
		t.caller.options.Observe(attempt)
	}
}
