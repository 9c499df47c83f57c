package pay

import (
	"fmt"
	"slices"
	"strings"

	"exactduck/extract/sandbox/internal/steering"
	"exactduck/extract/sandbox/internal/switches"
)

// panel is where a running sandbox is steered.
var panel = steering.Panel[*Sandbox]{
	Path: "/_sandbox/pay/",
	Shows: map[string]func(*Sandbox) any{
		"calls":    func(s *Sandbox) any { return s.Calls() },
		"accounts": func(s *Sandbox) any { return s.Accounts() },
		"login":    func(s *Sandbox) any { return s.Credentials() },
	},
	Do: act,
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
		return s.Switch(func(w *Switches) { _ = switches.SetAll(w, texts) }) // it could be done to the one that was given
	}},
}

// act does an action with what it is given.
func act(s *Sandbox, name string, texts map[string]string) (known bool, err error) {
	i := slices.IndexFunc(actions, func(a action) bool { return a.name == name })
	if i < 0 {
		return false, nil
	}
	given := actions[i].takes()
	if err := switches.SetAll(given, texts); err != nil {
		return true, err
	}
	return true, actions[i].do(s, given, texts)
}
