package main

import (
	"bytes"
	"cmp"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// wire lies between the program and the simulated Exact, and writes down what passes.
type wire struct {
	clock   func() time.Time // Exact's
	next    http.RoundTripper
	latency time.Duration // of each way, in a bubble where time runs by itself

	mu   sync.Mutex
	seen []request
	meet func(*request) // called before a request goes on; nil: nothing happens
}

// request is one that passed, and how it was answered.
type request struct {
	path, query string // as documented, and decoded
	at          time.Time
	status      int  // 0: not at all
	more        bool // another page follows
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	meet := w.meet
	w.mu.Unlock()
	if err := w.travel(r); err != nil {
		return nil, err
	}
	seen := request{path: r.URL.Path, query: r.URL.RawQuery, at: w.clock()}
	if text, err := url.QueryUnescape(r.URL.RawQuery); err == nil {
		seen.query = text
	}
	if meet != nil {
		meet(&seen)
	}
	answer, err := w.next.RoundTrip(r)
	if err == nil {
		seen.status, seen.more = answer.StatusCode, follows(answer)
		answer.Header.Set("Date", w.clock().UTC().Format(http.TimeFormat)) // cut to the second
	}
	w.mu.Lock()
	w.seen = append(w.seen, seen)
	w.mu.Unlock()
	if lost := w.travel(r); err == nil {
		err = lost
	}
	return answer, err
}

// follows tells whether an answer names a next page.
func follows(answer *http.Response) bool {
	body, err := io.ReadAll(answer.Body)
	answer.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body), failing{err}))
	return bytes.Contains(body, []byte(`"__next"`))
}

// failing is how a body ends: nil like any.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, cmp.Or(f.err, io.EOF) }

// travel is the way to Exact, or back.
func (w *wire) travel(r *http.Request) error {
	if w.latency == 0 {
		return nil
	}
	return pause(r.Context(), w.latency)
}

// onRequest sets what happens before every request from now on.
func (w *wire) onRequest(meet func(*request)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.meet = meet
}

// calls are the requests that cost quota, from the n-th that passed on.
func (w *wire) calls(from int) (calls []request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.seen[from:] {
		if strings.HasPrefix(r.path, "/api/v1/") {
			calls = append(calls, r)
		}
	}
	return calls
}

// passed is how many requests passed so far.
func (w *wire) passed() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.seen)
}

// of are those whose path ends like this, whatever the case.
func of(calls []request, path string) (found []request) {
	for _, r := range calls {
		if strings.HasSuffix(strings.ToLower(r.path), strings.ToLower("/"+path)) {
			found = append(found, r)
		}
	}
	return found
}

// since are the requests from the n-th on.
func (w *wire) since(from int) []request {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]request(nil), w.seen[from:]...)
}
