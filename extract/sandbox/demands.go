package sandbox

import (
	"fmt"
	"slices"
	"strings"
)

// demand is what an endpoint insists on, beside what the documentation says.
type demand struct {
	filter, narrow bool // a $filter; a $select
	// refused are the properties that it does not filter on; "" is every filter.
	refused []string
}

// What [Sandbox.Require] makes an endpoint insist on.
const (
	Filter = "filter" // a $filter: Exact switches mandatory filtering on for some apps and endpoints
	Select = "select" // a $select, or $top=1: which endpoints do is not documented
)

// Require lets an endpoint, "crm/Accounts" or "bulk/CRM/Accounts", refuse requests without a
// [Filter] or without a [Select].
func (s *Sandbox) Require(path, what string) error {
	return s.locked(step{Op: "require", Path: path, Name: what, Yes: true})
}

// Relax ends what Require began.
func (s *Sandbox) Relax(path, what string) error {
	return s.locked(step{Op: "require", Path: path, Name: what})
}

// RefuseFilter lets an endpoint refuse to filter on a property, and to filter at all if that is "".
func (s *Sandbox) RefuseFilter(path, property string) error {
	return s.locked(step{Op: "require", Path: path, To: property, Yes: true})
}

// AcceptFilter ends what RefuseFilter began.
func (s *Sandbox) AcceptFilter(path, property string) error {
	return s.locked(step{Op: "require", Path: path, To: property})
}

func (s *Sandbox) redoRequire(x step, _ stamp) error {
	v := s.view(x.Path)
	if v == nil {
		return fmt.Errorf("there is no endpoint %s", x.Path)
	}
	d := s.demands[v.pattern]
	switch x.Name {
	case Filter:
		d.filter = x.Yes
	case Select:
		d.narrow = x.Yes
	case "":
		if x.To != "" && v.byName[x.To] == nil {
			return fmt.Errorf("there is no property %s in %s", x.To, x.Path)
		}
		d.refused = slices.DeleteFunc(slices.Clone(d.refused), func(name string) bool { return name == x.To })
		if x.Yes {
			d.refused = append(d.refused, x.To)
		}
	default:
		return fmt.Errorf("an endpoint can require a %s or a %s, but no %s", Filter, Select, x.Name)
	}
	s.demands[v.pattern] = d
	return nil
}

const noFilterHere = "This $filter parameter is not supported for this resource"

// insists refuses a request that does not give an endpoint what it insists on.
func (s *Sandbox) insists(v *view, a address, q *query) error {
	d := s.demands[v.pattern]
	q.narrow = d.narrow
	wanted := d.filter || s.options.MandatoryFilter && slices.Contains(filtered, v.pattern)
	if wanted && q.filter == "" && !a.keyed {
		return badRequest(mandatory + v.filterNames())
	}
	if q.filter == "" || len(d.refused) == 0 {
		return nil
	}
	if slices.Contains(d.refused, "") {
		return badRequest(noFilterHere)
	}
	_, fields, err := parseFilter(q.filter, v)
	if err != nil {
		return err
	}
	fields = slices.DeleteFunc(fields, func(name string) bool { return !slices.Contains(d.refused, name) })
	if len(fields) > 0 {
		return badRequest(noSuchFilter + strings.Join(fields, ","))
	}
	return nil
}

// filtered are the endpoints to which mandatory filtering is known to have been applied.
var filtered = []string{"/api/v1/{division}/crm/accounts", "/api/v1/{division}/logistics/items"}

// filterNames are the properties by one of which a request must filter.
func (v *view) filterNames() string {
	names := slices.Clone(v.filterable())
	for _, p := range v.props {
		if !p.nested && v.filterable() == nil {
			names = append(names, p.name)
		}
	}
	slices.Sort(names)
	return strings.Join(names, ",")
}
