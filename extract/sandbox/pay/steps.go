package pay

import (
	"cmp"
	"fmt"
	"time"

	"exactduck/extract/sandbox/internal/chronicle"
	"exactduck/extract/sandbox/internal/switches"
)

// step is one line of the state file: what was done, in order. Accounts are made anew from the seed
// and the steps done to them again; of tokens the last state counts.
type step struct {
	Op     string            `json:"op"`
	At     time.Time         `json:"at,omitzero"`
	Number int               `json:"number,omitempty"`
	Change *Change           `json:"change,omitempty"`
	Name   string            `json:"name,omitempty"`
	Set    map[string]string `json:"set,omitempty"`
	Logins *logins           `json:"logins,omitempty"`
	Origin *origin           `json:"origin,omitempty"`
}

// origin is what the accounts are made from.
type origin struct {
	Seed     uint64    `json:"seed"`
	Accounts int       `json:"accounts"`
	Scale    float64   `json:"scale"`
	Today    time.Time `json:"today"`
	Invoices []Invoice `json:"invoices,omitempty"`
}

// logins are the tokens that there are.
type logins struct {
	Tokens []*token        `json:"tokens"`
	Issued int             `json:"issued"`
	Failed map[string]int  `json:"failed,omitempty"`
	Locked map[string]bool `json:"locked,omitempty"`
}

// Begins implements [chronicle.Line].
func (x step) Begins() bool { return x.Origin != nil }

// Supersedes implements [chronicle.Line].
func (x step) Supersedes() bool { return x.Logins != nil }

// begin makes the accounts, and does again what the state file says was done.
func (s *Sandbox) begin() (err error) {
	s.chronicle, err = chronicle.Begin(s.options.StateFile, s.origin, s.redo, s.log)
	return err
}

// origin is the first step of a new sandbox.
func (s *Sandbox) origin() step {
	o := &origin{Seed: s.options.Seed, Accounts: cmp.Or(s.options.Accounts, 2), Scale: cmp.Or(s.options.Scale, 1), Today: s.now()}
	if s.options.Invoices != nil {
		o.Invoices = s.options.Invoices()
	}
	return step{Op: "origin", Origin: o}
}

// do writes a step down and then does it.
func (s *Sandbox) do(x step) error {
	x.At = s.now()
	if err := s.chronicle.Add(x); err != nil {
		return err
	}
	return s.redo(x)
}

// saveLogins writes the tokens down.
func (s *Sandbox) saveLogins() error {
	return s.chronicle.Add(step{Op: "logins", At: s.now(), Logins: &logins{s.tokens, s.issued, s.failed, s.locked}})
}

// redo does a step, whether for the first time or again.
func (s *Sandbox) redo(x step) error {
	switch x.Op {
	case "origin":
		s.world = newWorld(x.Origin)
	case "change":
		s.number = max(s.number, x.Number)
		return s.world.change(*x.Change, x.Number, x.At)
	case "set":
		return switches.SetAll(&s.switches, x.Set)
	case "deny":
		s.denied[x.Name] = true
	case "grant":
		delete(s.denied, x.Name)
	case "logins":
		s.tokens, s.issued = x.Logins.Tokens, x.Logins.Issued
		s.failed, s.locked = orEmpty(x.Logins.Failed), orEmpty(x.Logins.Locked)
	default:
		return fmt.Errorf("the state of the sandbox has a step %q, which this version does not know", x.Op)
	}
	return nil
}

func orEmpty[V any](m map[string]V) map[string]V {
	if m == nil {
		return map[string]V{}
	}
	return m
}
