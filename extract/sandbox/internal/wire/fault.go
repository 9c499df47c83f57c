package wire

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Fault goes wrong on the Nth request that matches, counted from when it is added.
type Fault struct {
	Kind  string        `switch:"kind"`
	Path  string        `switch:"path"`  // part of the request's path, case does not matter; "": any
	Query string        `switch:"query"` // part of its decoded query; "": any
	Nth   int           `switch:"nth"`   // 0 means 1, the next
	Times int           `switch:"times"` // how many requests in a row; 0 means 1, below zero for ever
	Delay time.Duration `switch:"delay"` // before the answer; the client giving up ends it
	Then  func()        // called before the request is carried out; it may change the sandbox
}

// Faults are those that have not struck for the last time. The zero value is none; a lock is the
// caller's.
type Faults struct{ pending []*pending }

type pending struct {
	Fault
	seen int
}

// Add arranges that something goes wrong.
func (f *Faults) Add(x Fault) {
	x.Nth, x.Path = max(x.Nth, 1), strings.ToLower(x.Path)
	if x.Times == 0 {
		x.Times = 1
	}
	f.pending = append(f.pending, &pending{Fault: x})
}

// Clear forgets all of them.
func (f *Faults) Clear() { f.pending = nil }

// Strike is the fault that meets a request, and counts it; the zero value: none does.
func (f *Faults) Strike(r *http.Request) Fault {
	var hit Fault
	path := strings.ToLower(r.URL.Path)
	query, err := url.QueryUnescape(r.URL.RawQuery)
	if err != nil {
		query = r.URL.RawQuery
	}
	for _, x := range f.pending {
		if !strings.Contains(path, x.Path) || !strings.Contains(query, x.Query) {
			continue
		}
		x.seen++
		if x.seen >= x.Nth && (x.Times < 0 || x.seen < x.Nth+x.Times) {
			hit = x.Fault
		}
	}
	return hit
}

// Wait lets the fault's delay pass, or the client give up.
func (x Fault) Wait(ctx context.Context) {
	if x.Delay <= 0 {
		return
	}
	timer := time.NewTimer(x.Delay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// The ways to spoil an answer to a request that was carried out.
const (
	Cut       = "cut"       // the connection breaks before the first byte of the answer
	CutBody   = "cut body"  // … in the middle of the body
	Truncated = "truncated" // half of the body, as if it were whole
	Empty     = "empty"     // no body, status 200
	Page      = "html"      // an HTML page, status 200
)

// Spoil damages an answer in the way that is named; other names leave it alone.
func Spoil(kind string, r *Reply) *Reply {
	switch kind {
	case Cut:
		return &Reply{Cut: true}
	case CutBody:
		r.Cut, r.Declared, r.Body = true, len(r.Body), r.Body[:len(r.Body)/2]
	case Truncated:
		r.Body = r.Body[:len(r.Body)/2]
	case Empty:
		r.Status, r.Body = http.StatusOK, nil
	case Page:
		return Text(http.StatusOK, "text/html; charset=utf-8", "<!doctype html><html><body><p>Maintenance</p></body></html>")
	}
	return r
}
