package extract

import (
	"context"
	"net/http"
	"sync"
)

// Wire is a transport that counts the requests which one attempt comes to, for when the Client
// repeats some itself: a login that finds its token refused asks twice, and the vendor counts both
// errors. Put it below whatever repeats requests. It keeps the second one back when the endpoint
// should not be seen to refuse any more. base nil: http.DefaultTransport.
func Wire(base http.RoundTripper) http.RoundTripper {
	if base == nil {
		base = http.DefaultTransport
	}
	return &wire{base}
}

type wire struct{ base http.RoundTripper }

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	t, _ := r.Context().Value(tallyKey{}).(*tally)
	if t == nil || t.path != r.URL.Path {
		return w.base.RoundTrip(r)
	}
	if err := t.sending(r.Context()); err != nil {
		return nil, err
	}
	response, err := w.base.RoundTrip(r)
	if err == nil && counts(response.StatusCode) {
		t.refusal()
	}
	return response, err
}

// counts reports whether the vendor counts an answer as an error of the endpoint.
func counts(status int) bool {
	return status >= 400 && status < 500 && status != http.StatusRequestTimeout && status != http.StatusTooManyRequests
}

type tallyKey struct{}

// tally is what one attempt comes to on the wire.
type tally struct {
	permit *Permit
	path   string

	mu                 sync.Mutex
	requests, refusals int
}

func (t *tally) in(ctx context.Context) context.Context { return context.WithValue(ctx, tallyKey{}, t) }

// sending counts a request. The first is booked; another one is booked here.
func (t *tally) sending(ctx context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.requests > 0 {
		if err := t.permit.extend(ctx, t.refusals); err != nil {
			return err
		}
		t.refusals = 0 // they are noted
	}
	t.requests++
	return nil
}

func (t *tally) refusal() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.refusals++
}

// sum is how many requests there were, and how many refusals that are not noted yet. Without a Wire
// it is what the answer says.
func (t *tally) sum(status int) (requests, refusals int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.requests == 0 && counts(status) {
		return 1, 1
	}
	return max(1, t.requests), t.refusals
}
