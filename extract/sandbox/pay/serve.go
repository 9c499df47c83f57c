package pay

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"exactduck/extract/sandbox/internal/wire"
)

// Answer is a request, and what became of it.
type Answer struct {
	At     time.Time
	Path   string // as it was asked for
	Query  string // likewise
	Status int    // 0: the connection was broken before an answer
}

// Answers are the requests in the order in which they were answered, up to a hundred thousand of the
// last ones.
func (s *Sandbox) Answers() []Answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.answers.All()
}

func (s *Sandbox) answer(r *http.Request, here bool) *wire.Reply {
	body, err := wire.Body(r)
	if err != nil {
		return &wire.Reply{Status: http.StatusBadRequest}
	}
	if strings.HasPrefix(r.URL.Path, panel.Path) {
		return panel.Answer(s, r, here)
	}
	f := s.strike(r)
	s.log.DebugContext(r.Context(), "sandbox request", slog.String("method", r.Method), slog.String("path", r.URL.Path), slog.String("fault", f.Kind))
	if f.Then != nil {
		f.Then()
	}
	f.Wait(r.Context())
	answer := s.instead(r.Context(), r, f.Kind)
	if answer == nil {
		answer = wire.Spoil(f.Kind, s.hold(func() *wire.Reply { return s.carryOut(r, body) }))
	}
	s.note(r, answer)
	return answer
}

// strike counts a request, and finds the fault that meets it.
func (s *Sandbox) strike(r *http.Request) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[r.URL.Path]++
	s.asked++
	return s.faults.Strike(r)
}

// hold does something while nobody else does anything.
func (s *Sandbox) hold(do func() *wire.Reply) *wire.Reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	return do()
}

// note remembers an answer.
func (s *Sandbox) note(r *http.Request, x *wire.Reply) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers.Add(Answer{At: s.now(), Path: r.URL.Path, Query: r.URL.RawQuery, Status: x.Status})
}

// Fault goes wrong on the Nth request that matches, counted from when it is set. Its Kind is one of
// [FaultKinds].
type Fault = wire.Fault

// The faults. Those up to Hang answer instead of the service, and the request has no effect; the
// others spoil the answer to a request that was carried out.
const (
	ServerError  = "500"        // in the shape of the path
	CastError    = "500 cast"   // as of an id that is none, and never over
	BadGateway   = "502"        // HTML body
	Unavailable  = "503"        // in the shape of the path
	Maintenance  = "503 html"   // HTML body
	Overloaded   = "503 text"   // plain text on every path
	GatewayLate  = "504"        // no body
	TooMany      = "429"        // with Retry-After, unless limits are bare
	Unauthorized = "401"        // plain text
	Forbidden    = "403"        // in the shape of the path
	Messages     = "400"        // {messages}
	Redirect     = "redirect"   // 302 to another host
	CutBefore    = "cut before" // the connection breaks before the request is carried out
	Hang         = "hang"       // no answer until the client gives up
	Cut          = wire.Cut
	CutBody      = wire.CutBody
	Truncated    = wire.Truncated
	Empty        = wire.Empty
	Page         = wire.Page

	pause = time.Second // of a fault that says when to come back
)

// FaultKinds are all of them; without a kind a fault is nothing but its delay and Then.
var FaultKinds = []string{
	ServerError, CastError, BadGateway, Unavailable, Maintenance, Overloaded, GatewayLate, TooMany, Unauthorized, Forbidden, Messages, Redirect, CutBefore, Hang,
	Cut, CutBody, Truncated, Empty, Page,
}

// Fault arranges that something goes wrong. It does not survive a restart.
func (s *Sandbox) Fault(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.Add(f)
}

// ClearFaults forgets what Fault arranged.
func (s *Sandbox) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.Clear()
}

// instead is the answer of a fault that keeps a request from being carried out; nil: of another.
func (s *Sandbox) instead(ctx context.Context, r *http.Request, kind string) *wire.Reply {
	switch kind {
	case "":
		return nil
	case Hang:
		<-ctx.Done()
		return &wire.Reply{Cut: true}
	case CutBefore:
		return &wire.Reply{Cut: true}
	case Redirect:
		return &wire.Reply{Status: http.StatusFound, Header: http.Header{"Location": {"https://elsewhere.example" + r.URL.Path}}}
	case BadGateway:
		return wire.Text(http.StatusBadGateway, "text/html; charset=utf-8", "<html><body><h1>502 Bad Gateway</h1></body></html>")
	case Maintenance:
		return wire.Text(http.StatusServiceUnavailable, "text/html; charset=utf-8", "<html><body><h1>We will be back soon</h1></body></html>")
	case Overloaded:
		return wire.Text(http.StatusServiceUnavailable, plainText, "Service Unavailable")
	case GatewayLate:
		return &wire.Reply{Status: http.StatusGatewayTimeout}
	case Messages:
		return jsonReply(http.StatusBadRequest, object{"messages": []any{"Bad Request"}})
	}
	return s.hold(func() *wire.Reply { return s.refused(s.visit(r, nil), kind) })
}

// refused is the answer of a fault in the shape of the path it is on; nil: of none.
func (s *Sandbox) refused(v *visit, kind string) *wire.Reply {
	switch kind {
	case CastError:
		return v.castError("645d2a4bd0f3388adde2b3e")
	case Unauthorized:
		return v.plain(http.StatusUnauthorized)
	case Forbidden:
		if v.manners.formal() {
			return v.forbidden(noPermission)
		}
		return v.plain(http.StatusForbidden)
	case TooMany:
		return s.tooMany(pause)
	case ServerError:
		return v.broken(http.StatusInternalServerError, "system-error")
	case Unavailable:
		return v.broken(http.StatusServiceUnavailable, "custom-error")
	}
	return nil
}

// broken is what a path answers when the service is in trouble.
func (v *visit) broken(status int, kind string) *wire.Reply {
	if v.manners.formal() {
		return v.formally(status, kind, "unhandled", http.StatusText(status), nil)
	}
	return v.plain(status)
}
