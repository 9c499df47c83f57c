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
	set, before := map[string]string{}, switches.Positions(&s.options)
	for name, text := range switches.Positions(&next) {
		if text != before[name] {
			set[name] = text
		}
	}
	if len(set) == 0 {
		return nil
	}
	return s.do(step{Op: "set", Set: set})
}

// Set sets a switch by its name, as [Manual] has it: "others" to "30", "skip_token_life" to "10m".
func (o *Options) Set(name, text string) error { return switches.Set(o, name, text) }

func (s *Sandbox) redoSet(x step, _ stamp) error {
	next := s.options
	for name, text := range x.Set {
		if err := switches.Set(&next, name, text); err != nil {
			return err
		}
	}
	s.options = next
	s.limits.follow(next)
	return nil
}
