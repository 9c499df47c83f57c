package sandbox

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
)

// controlPath is where a running sandbox is steered. It answers this machine only.
const controlPath = "/_sandbox/"

// views of a running sandbox, under /_sandbox/.
var counted = map[string]func(*Sandbox) any{
	"calls":     func(s *Sandbox) any { return s.Calls() },
	"errors":    func(s *Sandbox) any { return s.Errors() },
	"divisions": func(s *Sandbox) any { return s.Divisions() },
}

func (s *Sandbox) control(r *http.Request, here bool) *reply {
	if !here || strings.Contains(r.Header.Get("Origin"), "://") {
		return &reply{Status: http.StatusForbidden}
	}
	name := strings.TrimPrefix(r.URL.Path, controlPath)
	if show := counted[name]; show != nil && r.Method == http.MethodGet {
		return jsonReply(http.StatusOK, show(s))
	}
	a := findAction(name)
	if a == nil || r.Method != http.MethodPost {
		return jsonReply(http.StatusNotFound, map[string]string{"error": "no such control"})
	}
	texts := map[string]string{}
	for name, values := range r.URL.Query() {
		texts[name] = strings.Join(values, " ")
	}
	g, wrong := a.read(texts)
	err := joined(wrong)
	if err == nil {
		err = s.locked(a.build(g))
	}
	if err != nil {
		return jsonReply(http.StatusBadRequest, map[string]string{"error": err.Error()})
	}
	return jsonReply(http.StatusOK, map[string]string{"done": name})
}

// joined makes one error of several, in an order that stays the same.
func joined(wrong map[string]error) error {
	var list []error
	for _, err := range wrong {
		list = append(list, err)
	}
	slices.SortFunc(list, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(list...)
}

func jsonReply(status int, v any) *reply {
	text, err := json.Marshal(v)
	if err != nil {
		return &reply{Status: http.StatusInternalServerError}
	}
	return &reply{Status: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: append(text, '\n')}
}
