package sandbox

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Answer is a request to the API, and what became of it.
type Answer struct {
	At       time.Time
	Division int    // 0: none in the path
	Path     string // as it was asked for
	Query    string // likewise
	Status   int    // 0: the connection was broken before an answer
}

// Answers are the requests to the API in the order in which they were answered, up to a hundred
// thousand of the last ones. Token calls are not among them.
func (s *Sandbox) Answers() []Answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.answers.All()
}

// Errors counts the answers that Exact counts towards an endpoint's error limit, 400, 401, 403 and
// 404, by division and documented path: "123456 /api/v1/{division}/crm/accounts", in lower case.
func (s *Sandbox) Errors() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.refusals)
}

func isAPI(r *http.Request) bool { return strings.HasPrefix(strings.ToLower(r.URL.Path), "/api/v1/") }

// note remembers an answer.
func (s *Sandbox) note(r *http.Request, x *reply) {
	if !isAPI(r) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers.Add(Answer{At: s.now(), Division: parseAddress(r.URL.Path).division, Path: r.URL.Path, Query: r.URL.RawQuery, Status: x.Status})
}

// budget is what an address has its errors counted under.
func budget(d *division, a address) string { return fmt.Sprintf("%d %s", d.code, a.path) }

// counts says whether an answer counts towards the error limit.
func counts(x *reply) bool {
	return slices.Contains([]int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound}, x.Status)
}

// failed counts an answer against the error limit.
func (s *Sandbox) failed(d *division, a address, x *reply) {
	if counts(x) {
		s.refusals[budget(d, a)]++
		s.limits.failed(budget(d, a), s.now())
	}
}

// charge lets a fault that Exact would have answered itself cost what the answer costs: a call, and
// an error of the endpoint.
func (s *Sandbox) charge(r *http.Request, x *reply) *reply {
	if !isAPI(r) || !counts(x) {
		return x
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a := parseAddress(r.URL.Path)
	d, refused := s.entered(a, wantsJSON(r))
	if refused != nil {
		return refused
	}
	if x.Status != http.StatusUnauthorized {
		return s.account(d, a, func() *reply { return x })
	}
	s.failed(d, a, x) // of nobody's quota
	return x
}

// account answers within the limits of a division and an endpoint.
func (s *Sandbox) account(d *division, a address, serve func() *reply) *reply {
	now := s.now()
	used, over := s.limits.take(d.code, now)
	if over != allowed {
		return s.limits.refused(used, over)
	}
	if s.limits.blocked(budget(d, a), now) {
		return &reply{Status: http.StatusTooManyRequests}
	}
	x := serve()
	s.failed(d, a, x)
	s.limits.headers(x.Header, used, allowed)
	return x
}
