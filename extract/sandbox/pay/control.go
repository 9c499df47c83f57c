package pay

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"exactduck/extract/sandbox/internal/switches"
	"exactduck/extract/sandbox/internal/wire"
)

// controlPath is where a running sandbox is steered. It answers this machine only.
const controlPath = "/_sandbox/pay/"

// counted are what can be looked at under it.
var counted = map[string]func(*Sandbox) any{
	"calls":    func(s *Sandbox) any { return s.Calls() },
	"accounts": func(s *Sandbox) any { return s.Accounts() },
	"login":    func(s *Sandbox) any { return s.Credentials() },
}

// action is what can be done to a sandbox while it runs, by a POST.
type action struct {
	name, about string
	takes       func() any // what its parameters are set in: a pointer to a struct with switches
	do          func(s *Sandbox, given any, texts map[string]string) error
}

// permitted is what actions about permissions take.
type permitted struct {
	Permission string `switch:"permission"`
}

type nothing struct{}

var actions = []action{
	{"change", "payments are made and change, customers and orders too; see above", func() any { return &Change{} }, func(s *Sandbox, given any, _ map[string]string) error {
		return s.Change(*given.(*Change))
	}},
	{"deny", "no token has the permission any more", func() any { return &permitted{} }, func(s *Sandbox, given any, _ map[string]string) error {
		return s.Deny(given.(*permitted).Permission)
	}},
	{"grant", "ends what deny began", func() any { return &permitted{} }, func(s *Sandbox, given any, _ map[string]string) error {
		return s.Grant(given.(*permitted).Permission)
	}},
	{"revoke", "no token is good any more", func() any { return &nothing{} }, func(s *Sandbox, _ any, _ map[string]string) error { return s.Revoke() }},
	{"unlock", "users who failed to log in too often may try again", func() any { return &nothing{} }, func(s *Sandbox, _ any, _ map[string]string) error { return s.Unlock() }},
	{"fault", "something goes wrong, on the nth call whose address and query hold these texts, and times in a row (-1: for ever)", func() any { return &Fault{} }, func(s *Sandbox, given any, _ map[string]string) error {
		f := *given.(*Fault)
		if f.Kind != "" && !slices.Contains(FaultKinds, f.Kind) {
			return fmt.Errorf("fault %q is none of %s", f.Kind, strings.Join(FaultKinds, ", "))
		}
		s.Fault(f)
		return nil
	}},
	{"clear_faults", "faults are over", func() any { return &nothing{} }, func(s *Sandbox, _ any, _ map[string]string) error {
		s.ClearFaults()
		return nil
	}},
	{"set", "rules change: any of the switches below", func() any { return &Switches{} }, func(s *Sandbox, _ any, texts map[string]string) error {
		return s.Switch(func(w *Switches) {
			for name, text := range texts {
				_ = switches.Set(w, name, text) // it could be set in the one that was given
			}
		})
	}},
}

func (s *Sandbox) control(r *http.Request, here bool) *wire.Reply {
	if !here || strings.Contains(r.Header.Get("Origin"), "://") {
		return &wire.Reply{Status: http.StatusForbidden}
	}
	name := strings.TrimPrefix(r.URL.Path, controlPath)
	if show := counted[name]; show != nil && r.Method == http.MethodGet {
		return jsonReply(http.StatusOK, show(s))
	}
	i := slices.IndexFunc(actions, func(a action) bool { return a.name == name })
	if i < 0 || r.Method != http.MethodPost {
		return jsonReply(http.StatusNotFound, map[string]string{"error": "no such control"})
	}
	if err := actions[i].act(s, r); err != nil {
		return jsonReply(http.StatusBadRequest, map[string]string{"error": err.Error()})
	}
	return jsonReply(http.StatusOK, map[string]string{"done": name})
}

// act reads what an action is given, and does it.
func (a action) act(s *Sandbox, r *http.Request) error {
	given, texts := a.takes(), map[string]string{}
	for name, values := range r.URL.Query() {
		texts[name] = strings.Join(values, " ")
	}
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		if err := switches.Set(given, name, texts[name]); err != nil {
			return err
		}
	}
	return a.do(s, given, texts)
}
