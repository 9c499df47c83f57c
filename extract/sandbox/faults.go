package sandbox

import (
	"context"
	"net/http"
	"strings"
	"time"
)

// FaultKind says what goes wrong.
type FaultKind string

// The faults. Those up to Hang answer instead of Exact, and the request has no effect; the others
// spoil the answer to a request that was carried out, a token call included.
const (
	ServerError  FaultKind = "500"          // JSON body
	BadGateway   FaultKind = "502"          // HTML body
	Unavailable  FaultKind = "503"          // HTML body
	TimedOut     FaultKind = "408"          // no body
	MinuteLimit  FaultKind = "429 minute"   // with the minute's headers
	DayLimit     FaultKind = "429 day"      // with the day's headers
	BareLimit    FaultKind = "429"          // without any
	Unauthorized FaultKind = "401"          // as of an expired token
	Forbidden    FaultKind = "403"          // as of a scope that is missing
	BadRequest   FaultKind = "400"          // as of a $skiptoken that is not understood
	CutBefore    FaultKind = "cut before"   // the connection breaks before the request is carried out
	Hang         FaultKind = "hang"         // no answer until the client gives up
	Cut          FaultKind = "cut"          // the connection breaks before the first byte of the answer
	CutBody      FaultKind = "cut body"     // … in the middle of the body
	Truncated    FaultKind = "truncated"    // half of the JSON, as if it were whole
	Empty        FaultKind = "empty"        // no body, status 200
	Page         FaultKind = "html"         // an HTML page, status 200
	Gateway      FaultKind = "gateway"      // 500 of the gateway, as seen on token calls
	ForeignNext  FaultKind = "foreign next" // __next points to another host
	Redirect     FaultKind = "redirect"     // 302 to another host
	Nothing      FaultKind = ""             // nothing but the delay and Then
)

// FaultKinds are all of them.
var FaultKinds = []FaultKind{
	ServerError, BadGateway, Unavailable, TimedOut, MinuteLimit, DayLimit, BareLimit, Unauthorized, Forbidden, BadRequest, CutBefore,
	Hang, Cut, CutBody, Truncated, Empty, Page, Gateway, ForeignNext, Redirect, Nothing,
}

// Fault goes wrong on the Nth request that matches, counted from when it is set.
type Fault struct {
	Path  string // part of the request's path, case does not matter; "": any
	Query string // part of its decoded query; "": any
	Nth   int    // 0 means 1, the next
	Times int    // how many requests in a row; 0 means 1, below zero for ever
	Kind  FaultKind
	Delay time.Duration // before the answer; the client giving up ends it
	Then  func()        // called before the request is carried out; it may change the sandbox
}

type pendingFault struct {
	Fault
	seen int
}

// Fault arranges that something goes wrong.
func (s *Sandbox) Fault(f Fault) {
	_ = s.locked(step{Op: "fault", Fault: &f}) // it is not kept, so nothing can fail
}

func (s *Sandbox) arm(f Fault) {
	f.Nth, f.Path = max(f.Nth, 1), strings.ToLower(f.Path)
	if f.Times == 0 {
		f.Times = 1
	}
	s.faults = append(s.faults, &pendingFault{Fault: f})
}

// ClearFaults forgets what Fault arranged.
func (s *Sandbox) ClearFaults() {
	_ = s.locked(step{Op: "clear faults"}) // nothing depends on it having been written down
}

// strike finds the fault that meets a request.
func (s *Sandbox) strike(r *http.Request) Fault {
	var hit Fault
	path, query := strings.ToLower(r.URL.Path), decoded(r.URL.RawQuery)
	for _, f := range s.faults {
		if !strings.Contains(path, f.Path) || !strings.Contains(query, f.Query) {
			continue
		}
		f.seen++
		if f.seen >= f.Nth && (f.Times < 0 || f.seen < f.Nth+f.Times) {
			hit = f.Fault
		}
	}
	return hit
}

func decoded(raw string) string {
	q, err := parseQuery(raw)
	if err != nil {
		return raw
	}
	var b strings.Builder
	for name, value := range q.raw {
		b.WriteString("&" + name + "=" + value)
	}
	return b.String()
}

// instead is the answer of a fault that keeps the request from being carried out; nil: of another.
func (s *Sandbox) instead(ctx context.Context, k FaultKind) *reply {
	switch k {
	case ServerError:
		return failure(http.StatusInternalServerError, "", "A problem has occurred. The cause of this issue will be investigated as soon as possible.", true)
	case BadGateway:
		return page(http.StatusBadGateway, "<p>Bad Gateway</p>")
	case Unavailable:
		return page(http.StatusServiceUnavailable, "<p>Service Unavailable</p>")
	case TimedOut:
		return &reply{status: http.StatusRequestTimeout}
	case MinuteLimit:
		return s.overLimit(minuteUsedUp)
	case DayLimit:
		return s.overLimit(dayUsedUp)
	case BareLimit:
		return &reply{status: http.StatusTooManyRequests}
	case Unauthorized:
		return unauthorized("access token expired")
	case Forbidden:
		return failure(http.StatusForbidden, "", "Forbidden - Application Scope Violated. Cannot read 'organization.administration' scope.", true)
	case BadRequest:
		return failure(http.StatusBadRequest, "", badSkipToken, true)
	case Redirect:
		return &reply{status: http.StatusFound, header: http.Header{"Location": {"https://elsewhere.example/api/v1/"}}}
	case CutBefore:
		return &reply{cut: true}
	case Hang:
		<-ctx.Done()
		return &reply{cut: true}
	}
	return nil
}

// overLimit is the answer when everything is used up.
func (s *Sandbox) overLimit(r refusal) *reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, l := s.now(), s.limits
	used := &allowance{minute: now.UnixNano() / int64(l.window), day: now.Unix() / 86400, minuteUsed: l.perMinute, dayUsed: l.perDay}
	return l.refused(used, r)
}

// spoil damages the answer to a request that was carried out.
func (k FaultKind) spoil(r *reply) *reply {
	switch k {
	case Cut:
		r.cut, r.body = true, nil
	case CutBody:
		r.cut, r.declared, r.body = true, len(r.body), r.body[:len(r.body)/2]
	case Truncated:
		r.body = r.body[:len(r.body)/2]
	case Empty:
		r.status, r.body = http.StatusOK, nil
	case Page:
		return page(http.StatusOK, "<p>Onderhoud</p>")
	case Gateway:
		return &reply{status: http.StatusInternalServerError, body: []byte("Failed to execute the ExtractVariables: ExtractAccessToken")}
	case ForeignNext:
		r.body = []byte(strings.Replace(string(r.body), `"__next":"http`, `"__next":"https://elsewhere.example/?http`, 1))
	}
	return r
}

// wait lets a delay pass, or the client give up.
func wait(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
