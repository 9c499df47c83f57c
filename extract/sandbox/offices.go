package sandbox

import "slices"

// addDivision founds the next company.
func (s *Sandbox) addDivision() *division {
	d := newDivision(s.options, s.founded, s.origin.Today)
	d.siblings, d.sizes, d.rules = func() []*division { return s.divisions }, s.sizes, &s.options
	s.founded++
	s.divisions = append(s.divisions, d)
	s.remember()
	return d
}

func (s *Sandbox) redoAddDivision(x step, _ stamp) error {
	if d := s.addDivision(); x.Name != "" {
		d.name = x.Name
	}
	return nil
}

func (s *Sandbox) removeDivision(gone *division) {
	s.divisions = slices.DeleteFunc(slices.Clone(s.divisions), func(d *division) bool { return d == gone })
	s.remember()
}

// remember lets the lists of divisions be worked out again.
func (s *Sandbox) remember() {
	for _, d := range s.divisions {
		d.changes++
	}
}

// AddDivision founds a company under the next code, generated as the others are; an empty name
// leaves the choice to the sandbox.
func (s *Sandbox) AddDivision(name string) (code int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	err = s.do(step{Op: "add division", Name: name})
	return s.divisions[len(s.divisions)-1].code, err
}

// RemoveDivision takes a company out of the lists of divisions; who asks for it is told, as of any
// that the login cannot reach, NoDivisionAccess.
func (s *Sandbox) RemoveDivision(division int) error {
	return s.locked(step{Op: "remove division", Division: division})
}

// ArchiveDivision makes a company an archived one, or an active one again. It can be read as before;
// whether Exact's can is not known.
func (s *Sandbox) ArchiveDivision(division int, archived bool) error {
	return s.locked(step{Op: "archive division", Division: division, Yes: archived})
}

// RenameDivision gives a company another name.
func (s *Sandbox) RenameDivision(division int, name string) error {
	return s.locked(step{Op: "rename division", Division: division, Name: name})
}
