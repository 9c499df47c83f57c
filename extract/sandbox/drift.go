package sandbox

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Change does work in a company, see [Change]. It survives a restart if there is a state file.
func (s *Sandbox) Change(c Change) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := findSet(c.Entity); err != nil {
		return err
	}
	d, err := s.division(c.Division)
	if err != nil {
		return err
	}
	c.Division = d.code
	return s.do(step{Op: "change", Number: s.number + 1, Change: &c})
}

// Commit makes what was changed late in a division visible; 0 is the first division.
func (s *Sandbox) Commit(division int) error {
	return s.locked(step{Op: "commit", Division: division})
}

// MoveDivision moves a division to another database: DivisionMoveDate is set, and all its row
// versions are numbered anew, lower than before.
func (s *Sandbox) MoveDivision(division int) error {
	return s.locked(step{Op: "move", Division: division})
}

// LinkHR links a division's HR to another system: DivisionHRLinkUnlinkDate is set, and the records
// of hrm/LeaveAbsenceHoursByDay get new IDs and row versions. No deletions are reported.
func (s *Sandbox) LinkHR(division int) error {
	return s.locked(step{Op: "link", Division: division})
}

// Revoke takes the rights on an endpoint or a stream away in the way that Exact sometimes does:
// its lists are empty, without an error. An empty path means everything in the division but the
// divisions themselves.
func (s *Sandbox) Revoke(division int, path string) error {
	return s.locked(step{Op: "revoke", Division: division, Path: path})
}

// Restore gives back what Revoke took, under the same path.
func (s *Sandbox) Restore(division int, path string) error {
	return s.locked(step{Op: "restore", Division: division, Path: path})
}

// Forbid lets an endpoint or stream answer 403 in all divisions, as one whose scope the app does
// not have; Allow ends that.
func (s *Sandbox) Forbid(path string) error { return s.locked(step{Op: "forbid", Path: path}) }

// Allow ends what Forbid began.
func (s *Sandbox) Allow(path string) error { return s.locked(step{Op: "allow", Path: path}) }

// AddProperty gives all records of an endpoint a property that the catalogue does not know. Value
// is a string, a number, a bool or nil, as JSON has them, and must suit the Edm type.
func (s *Sandbox) AddProperty(path, name, edm string, value any) error {
	return s.locked(step{Op: "add", Path: path, Name: name, Edm: edm, Value: value})
}

// DropProperty takes a property away from an endpoint: selecting it is an error from now on.
func (s *Sandbox) DropProperty(path, name string) error {
	return s.locked(step{Op: "drop", Path: path, Name: name})
}

// RenameProperty gives a property of an endpoint another name, with the same values: whoever asks
// for the old one is refused, and the catalogue does not know the new one.
func (s *Sandbox) RenameProperty(path, old, name string) error {
	return s.locked(step{Op: "rename", Path: path, Name: old, To: name})
}

func (s *Sandbox) locked(x step) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.do(x)
}

func (s *Sandbox) redoAdd(x step) error {
	v, err := s.own(x.Path)
	if err != nil {
		return err
	}
	value, err := fromJSON(x.Value, x.Edm)
	if err != nil {
		return fmt.Errorf("adding %s to %s: %w", x.Name, x.Path, err)
	}
	p := &property{name: x.Name, edm: x.Edm, col: addedColumn, value: value}
	v.props = append(v.props, p)
	v.byName[x.Name] = p
	return nil
}

func (s *Sandbox) redoDrop(x step) error {
	v, err := s.own(x.Path)
	if err != nil {
		return err
	}
	if v.byName[x.Name] == nil {
		return fmt.Errorf("dropping from %s: there is no %s", x.Path, x.Name)
	}
	delete(v.byName, x.Name)
	v.props = slices.DeleteFunc(v.props, func(p *property) bool { return p.name == x.Name })
	return nil
}

func (s *Sandbox) redoRename(x step) error {
	v, err := s.own(x.Path)
	if err != nil {
		return err
	}
	p := v.byName[x.Name]
	switch {
	case p == nil:
		return fmt.Errorf("renaming in %s: there is no %s", x.Path, x.Name)
	case v.byName[x.To] != nil || x.To == "":
		return fmt.Errorf("renaming in %s: %q cannot be the name of another property", x.Path, x.To)
	}
	next := *p
	next.name = x.To
	v.exchange(p, &next)
	return nil
}

// exchange puts one property in the place of another. The view must be of one sandbox alone.
func (v *view) exchange(old, next *property) {
	delete(v.byName, old.name)
	v.byName[next.name] = next
	v.props[slices.Index(v.props, old)] = next
	v.key = slices.Clone(v.key)
	if i := slices.Index(v.key, old); i >= 0 {
		v.key[i] = next
	}
}

// own is a view of this sandbox alone, which may drift from the catalogue.
func (s *Sandbox) own(path string) (*view, error) {
	v := s.view(path)
	if v == nil {
		return nil, fmt.Errorf("there is no endpoint %s", path)
	}
	if s.drifted[v.pattern] == nil {
		mine := *v
		mine.props = slices.Clone(v.props)
		mine.byName = maps.Clone(v.byName)
		s.drifted[v.pattern] = &mine
	}
	return s.drifted[v.pattern], nil
}

// view finds an endpoint by its path, with or without what stands before the service.
func (s *Sandbox) view(path string) *view {
	path = strings.ToLower(path)
	for _, pattern := range []string{path, "/api/v1/{division}/" + path, "/api/v1/{division}/" + strings.TrimPrefix(path, "standard/"), "/api/v1/" + path} {
		if v := s.drifted[pattern]; v != nil {
			return v
		}
		if v := published().views[pattern]; v != nil {
			return v
		}
	}
	return nil
}

// covers says whether a path given to Revoke or Forbid means a view: by its own path, or by the
// stream that it shows.
func covers(path string, v *view) bool {
	_, own, _ := strings.Cut(v.pattern, "{division}/")
	switch {
	case path == "":
		return !strings.HasSuffix(v.pattern, "/system/divisions") && !strings.HasSuffix(v.pattern, "current/me")
	case strings.HasPrefix(strings.ToLower(path), "standard/"):
		return strings.EqualFold(path[len("standard/"):], own)
	}
	return strings.EqualFold(path, own) || strings.EqualFold(path, v.pattern) || strings.EqualFold(path, v.set.name)
}

func fromJSON(v any, edm string) (any, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	switch w := v.(type) {
	case nil:
		return nil, nil
	case string:
		if edm == "Edm.Guid" {
			return guid(w), nil
		}
	case float64, int, int64:
		if edm == "Edm.Double" {
			return num(text), nil
		}
		n, err := parseNumber(string(text))
		if err != nil {
			return nil, err
		}
		v = n
	}
	if fit(v, edm) == nil {
		return nil, fmt.Errorf("%s is not of type %s", text, edm)
	}
	return fit(v, edm), nil
}

// commit applies what was written late, each with the versions that it was given then.
func (d *division) commit() error {
	late := d.late
	d.late = nil
	for _, x := range late {
		w := &write{at: x.at, version: x.first, dice: newDice(d.seed, "change", x.number)}
		if err := d.apply(x.change, w); err != nil {
			return err
		}
	}
	return nil
}

// move numbers every row anew. The shift stays within a block, so that what is generated later
// can follow it.
func (d *division) move(at stamp) error {
	if err := d.commit(); err != nil {
		return err
	}
	shift := int64(-2_000_000)
	if d.shift <= -8_000_000 {
		shift = 8_000_000
	}
	d.shift += shift
	d.version += shift
	for _, s := range d.stores {
		for _, r := range s.made() {
			moved := *r
			moved.version += shift
			s.replace(r, &moved)
		}
	}
	for i := range d.deleted {
		d.deleted[i].version += shift
	}
	d.moved = at
	for _, other := range d.siblings() {
		other.changes++
	}
	return nil
}

const leaveSet = "hrm/LeaveAbsenceHoursByDay"

// linkHR replaces the leave and absence records by others of the same content.
func (d *division) linkHR(at stamp, moment int64) {
	d.linked = at
	s := d.records(published().sets[leaveSet])
	dice := newDice(d.seed, "link", int(moment))
	for _, r := range s.made() {
		next := &record{vals: slices.Clone(r.all())}
		s.set.put(next, "ID", dice.guid())
		d.version++
		next.version = d.version
		s.remove(r)
		s.put(next)
	}
	for _, other := range d.siblings() {
		other.changes++
	}
}
