package sandbox

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Commit makes what was changed late in a division visible; 0 is the first division.
func (s *Sandbox) Commit(division int) error {
	return s.locked(step{Op: "commit", Division: division})
}

// MoveDivision moves a division to another database: DivisionMoveDate is set, and all its row
// versions are numbered anew, lower than before. Whether Exact's become lower or higher is not
// known, only that they are others.
func (s *Sandbox) MoveDivision(division int) error {
	return s.locked(step{Op: "move", Division: division})
}

// MoveDivisionUp is MoveDivision to a database whose row versions are higher: a cursor of before
// passes over what was written until it is reached.
func (s *Sandbox) MoveDivisionUp(division int) error {
	return s.locked(step{Op: "move", Division: division, Yes: true})
}

// LinkHR links a division's HR to another system: DivisionHRLinkUnlinkDate is set, and the records
// of hrm/LeaveAbsenceHoursByDay get new IDs and row versions. No deletions are reported.
func (s *Sandbox) LinkHR(division int) error {
	return s.locked(step{Op: "link", Division: division})
}

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

func (s *Sandbox) redoAdd(x step) error {
	v, err := s.own(x.Path)
	if err != nil {
		return err
	}
	value, err := fromJSON(x.Value, x.Edm)
	if err != nil {
		return fmt.Errorf("adding %s to %s: %w", x.Name, x.Path, err)
	}
	if v.byName[x.Name] != nil {
		return fmt.Errorf("adding %s to %s: it is there", x.Name, x.Path)
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
	switch p := v.byName[x.Name]; {
	case p == nil:
		return fmt.Errorf("dropping from %s: there is no %s", x.Path, x.Name)
	case slices.Contains(v.key, p):
		return fmt.Errorf("dropping from %s: %s is part of its key", x.Path, x.Name)
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

// RetypeProperty changes the type of a property of an endpoint: "Edm.String" for what was a number,
// say. Values become those of the new type, or null where they cannot.
func (s *Sandbox) RetypeProperty(path, name, edm string) error {
	return s.locked(step{Op: "retype", Path: path, Name: name, Edm: edm})
}

func (s *Sandbox) redoRetype(x step) error {
	v, err := s.own(x.Path)
	if err != nil {
		return err
	}
	p := v.byName[x.Name]
	switch {
	case p == nil || p.nested || p.col == versionColumn:
		return fmt.Errorf("another type in %s: there is no %s that could have one", x.Path, x.Name)
	case !slices.Contains(edmTypes, x.Edm):
		return fmt.Errorf("another type in %s: %q is none", x.Path, x.Edm)
	}
	next := *p
	next.edm = x.Edm
	if p.col >= 0 {
		next.same = v.set.columns[p.col].edm == x.Edm
	} else {
		next.value = fit(p.value, x.Edm)
	}
	v.exchange(p, &next)
	return nil
}

var edmTypes = []string{
	"Edm.String", "Edm.Guid", "Edm.Boolean", "Edm.DateTime", "Edm.Double", "Edm.Byte", "Edm.Int16", "Edm.Int32", "Edm.Int64", "Edm.Binary",
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
