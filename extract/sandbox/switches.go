package sandbox

import "exactduck/extract/sandbox/internal/switches"

// Switch changes, while the sandbox runs, the rules that it goes by: the fields of Options that have
// a switch. Changes to others are without effect. Like all that is done to a sandbox it survives a
// restart, and then overrides what New is given.
func (s *Sandbox) Switch(change func(*Options)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := s.options
	change(&next)
	if set := switches.Changed(&s.options, &next); len(set) > 0 {
		return s.do(step{Op: "set", Set: set})
	}
	return nil
}

// Set sets a switch by its name, as [Manual] has it: "others" to "30", "skip_token_life" to "10m".
func (o *Options) Set(name, text string) error { return switches.Set(o, name, text) }

func (s *Sandbox) redoSet(x step, _ stamp) error {
	next := s.options
	if err := switches.SetAll(&next, x.Set); err != nil {
		return err
	}
	s.options = next
	s.limits.follow(next)
	return nil
}
