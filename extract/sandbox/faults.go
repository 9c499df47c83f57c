package sandbox

import (
	"context"
	"net/http"
	"strings"

	"exactduck/extract/sandbox/internal/wire"
)

// FaultKind says what goes wrong.
type FaultKind = string

// The faults. Those up to Hang answer instead of Exact, and the request has no effect; the others
// spoil the answer to a request that was carried out, a token call included.
const (
	ServerError  = "500"          // JSON body
	BadGateway   = "502"          // HTML body
	Unavailable  = "503"          // HTML body
	TimedOut     = "408"          // no body
	MinuteLimit  = "429 minute"   // with the minute's headers
	DayLimit     = "429 day"      // with the day's headers
	BareLimit    = "429"          // without any
	Unauthorized = "401"          // as of an expired token
	Forbidden    = "403"          // as of a scope that is missing
	BadRequest   = "400"          // as of a $skiptoken that is not understood
	CutBefore    = "cut before"   // the connection breaks before the request is carried out
	Hang         = "hang"         // no answer until the client gives up
	Cut          = wire.Cut       // the connection breaks before the first byte of the answer
	CutBody      = wire.CutBody   // … in the middle of the body
	Truncated    = wire.Truncated // half of the JSON, as if it were whole
	Empty        = wire.Empty     // no body, status 200
	Page         = wire.Page      // an HTML page, status 200
	Gateway      = "gateway"      // 500 of the gateway, as seen on token calls
	ForeignNext  = "foreign next" // __next points to another host
	Redirect     = "redirect"     // 302 to another host
	Nothing      = ""             // nothing but the delay and Then
)

// FaultKinds are all of them.
var FaultKinds = []FaultKind{
	ServerError, BadGateway, Unavailable, TimedOut, MinuteLimit, DayLimit, BareLimit, Unauthorized, Forbidden, BadRequest, CutBefore,
	Hang, Cut, CutBody, Truncated, Empty, Page, Gateway, ForeignNext, Redirect, Nothing,
}

// Fault goes wrong on the Nth request that matches, counted from when it is set. Its Kind is one of
// [FaultKinds].
type Fault = wire.Fault

// Fault arranges that something goes wrong.
func (s *Sandbox) Fault(f Fault) {
	_ = s.locked(step{Op: "fault", Fault: &f}) // it is not kept, so nothing can fail
}

// ClearFaults forgets what Fault arranged.
func (s *Sandbox) ClearFaults() {
	_ = s.locked(step{Op: "clear faults"}) // nothing depends on it having been written down
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
		return &reply{Status: http.StatusRequestTimeout}
	case MinuteLimit:
		return s.overLimit(minuteUsedUp)
	case DayLimit:
		return s.overLimit(dayUsedUp)
	case BareLimit:
		return &reply{Status: http.StatusTooManyRequests}
	case Unauthorized:
		return unauthorized("access token expired")
	case Forbidden:
		return failure(http.StatusForbidden, "", "Forbidden - Application Scope Violated. Cannot read 'organization.administration' scope.", true)
	case BadRequest:
		return failure(http.StatusBadRequest, "", badSkipToken, true)
	case Redirect:
		return &reply{Status: http.StatusFound, Header: http.Header{"Location": {"https://elsewhere.example/api/v1/"}}}
	case CutBefore:
		return &reply{Cut: true}
	case Hang:
		<-ctx.Done()
		return &reply{Cut: true}
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
func spoil(k FaultKind, r *reply) *reply {
	switch k {
	case Page:
		return page(http.StatusOK, "<p>Onderhoud</p>")
	case Gateway:
		return &reply{Status: http.StatusInternalServerError, Body: []byte("Failed to execute the ExtractVariables: ExtractAccessToken")}
	case ForeignNext:
		r.Body = []byte(strings.Replace(string(r.Body), `"__next":"http`, `"__next":"https://elsewhere.example/?http`, 1))
	}
	return wire.Spoil(k, r)
}
