package sandbox

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// controlPath is where a running sandbox is steered. It answers this machine only.
const controlPath = "/_sandbox/"

// controls are the steps that a POST to /_sandbox/ can do.
var controls = map[string]func(s *Sandbox, q url.Values, division int) error{
	"change": func(s *Sandbox, q url.Values, division int) error {
		return s.Change(Change{
			Division: division, Entity: q.Get("entity"), Insert: number(q, "insert"), Update: number(q, "update"),
			Delete: number(q, "delete"), Late: q.Get("late") == "1",
		})
	},
	"commit":  func(s *Sandbox, _ url.Values, division int) error { return s.Commit(division) },
	"move":    func(s *Sandbox, _ url.Values, division int) error { return s.MoveDivision(division) },
	"link":    func(s *Sandbox, _ url.Values, division int) error { return s.LinkHR(division) },
	"revoke":  func(s *Sandbox, q url.Values, division int) error { return s.Revoke(division, q.Get("path")) },
	"restore": func(s *Sandbox, q url.Values, division int) error { return s.Restore(division, q.Get("path")) },
	"forbid":  func(s *Sandbox, q url.Values, _ int) error { return s.Forbid(q.Get("path")) },
	"allow":   func(s *Sandbox, q url.Values, _ int) error { return s.Allow(q.Get("path")) },
	"fault": func(s *Sandbox, q url.Values, _ int) error {
		s.Fault(Fault{Kind: FaultKind(q.Get("kind")), Path: q.Get("path"), Query: q.Get("query"), Nth: number(q, "nth"), Times: number(q, "times")})
		return nil
	},
}

func number(q url.Values, name string) int {
	n, _ := strconv.Atoi(q.Get(name))
	return n
}

func (s *Sandbox) control(r *http.Request, here bool) *reply {
	if !here || strings.Contains(r.Header.Get("Origin"), "://") {
		return &reply{status: http.StatusForbidden}
	}
	name := strings.TrimPrefix(r.URL.Path, controlPath)
	if name == "calls" && r.Method == http.MethodGet {
		return jsonReply(http.StatusOK, s.Calls())
	}
	do, known := controls[name]
	if !known || r.Method != http.MethodPost {
		return jsonReply(http.StatusNotFound, map[string]string{"error": "no such control"})
	}
	q := r.URL.Query()
	if err := do(s, q, number(q, "division")); err != nil {
		return jsonReply(http.StatusBadRequest, map[string]string{"error": err.Error()})
	}
	return jsonReply(http.StatusOK, map[string]string{"done": name})
}

func jsonReply(status int, v any) *reply {
	text, err := json.Marshal(v)
	if err != nil {
		return &reply{status: http.StatusInternalServerError}
	}
	return &reply{status: status, header: http.Header{"Content-Type": {"application/json"}}, body: append(text, '\n')}
}
