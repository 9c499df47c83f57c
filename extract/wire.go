package extract

import (
	"context"
	"net/http"
	"sync"

	"exactduck/extract/ledger"
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
	if err := t.sending(); err != nil {
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

// tally counts what the permitted call comes to on the wire.
func (p *Permit) tally(path string) *tally {
	return &tally{path: path, room: p.room, parked: &Blocked{
		Endpoint: p.to.endpoint, Scope: p.to.scope, Refusals: breakerRefusals,
		Until: p.limiter.options.Clock().Add(ledger.Within),
	}}
}

type tallyKey struct{}

// tally is what one attempt came to on the wire.
type tally struct {
	path   string
	room   int      // refusals that it may come to
	parked *Blocked // the error when it may not

	mu                 sync.Mutex
	requests, refusals int
}

func (t *tally) in(ctx context.Context) context.Context { return context.WithValue(ctx, tallyKey{}, t) }

func (t *tally) sending() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.refusals >= t.room {
		return t.parked
	}
	t.requests++
	return nil
}

func (t *tally) refusal() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.refusals++
}

// sum is what there was. Without a Wire it is the answer alone.
func (t *tally) sum(status int) (requests, refusals int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.requests == 0 && counts(status) {
		return 1, 1
	}
	return max(1, t.requests), t.refusals
}
