package extract

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"

	"github.com/klauspost/compress/gzip"
)

// Wire is a transport that counts what one attempt comes to: the bytes as they come over the network,
// which are asked for compressed and are handed on as they were, and the requests, for when the Client
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
	zipped := r.Header.Get("Accept-Encoding") == ""
	if zipped { // or the transport does it, and does not tell
		r = r.Clone(r.Context())
		r.Header.Set("Accept-Encoding", "gzip")
	}
	response, err := w.base.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if t.counts(response.StatusCode) {
		t.refusal()
	}
	response.Body = &counted{response.Body, t}
	if zipped && response.Header.Get("Content-Encoding") == "gzip" {
		unzip(response)
	}
	return response, nil
}

// unzip hands an answer on as it was before it was compressed.
func unzip(r *http.Response) {
	r.Body = &unzipped{under: r.Body}
	r.Header.Del("Content-Encoding")
	r.Header.Del("Content-Length")
	r.ContentLength, r.Uncompressed = -1, true
}

// unzipped is a body that is opened at the first byte that is read of it.
type unzipped struct {
	under io.ReadCloser
	plain io.Reader
}

func (u *unzipped) Read(p []byte) (int, error) {
	if u.plain == nil {
		plain, err := gzip.NewReader(u.under)
		if errors.Is(err, io.EOF) { // empty where there should be a beginning
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return 0, err
		}
		u.plain = plain
	}
	return u.plain.Read(p)
}

func (u *unzipped) Close() error { return u.under.Close() }

// counted is a body of which the bytes are counted.
type counted struct {
	io.ReadCloser
	tally *tally
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.tally.mu.Lock()
	c.tally.bytes += int64(n)
	c.tally.mu.Unlock()
	return n, err
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
	counts func(status int) bool // against the endpoint

	mu                 sync.Mutex
	requests, refusals int
	bytes              int64
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

// came is how many bytes of answers came.
func (t *tally) came() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.bytes
}

// sum is how many requests there were, and how many refusals that are not noted yet. Without a Wire
// it is what the answer says.
func (t *tally) sum(status int) (requests, refusals int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.requests == 0 && t.counts(status) {
		return 1, 1
	}
	return max(1, t.requests), t.refusals
}
