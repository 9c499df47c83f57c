package exactonline

import (
	"fmt"
	"slices"
	"strings"

	"exactduck/extract"
	"exactduck/schema"
)

// BadFilter says what is wrong with a filter, and where: At counts bytes from the beginning.
type BadFilter struct {
	Filter  string
	At      int
	Problem string
}

func (e *BadFilter) Error() string {
	return fmt.Sprintf("filter %q: at character %d: %s", e.Filter, e.At+1, e.Problem)
}

// CheckFilter says what is wrong with a filter of a stream: a [*BadFilter], or nil if one of the
// variants can be read with it. To check a single variant give a stream that has only that one.
//
// A filter is the $filter of OData 2, and of it what Exact is known to take: properties; texts,
// numbers, true, false, null, datetime'2024-01-31' and guid'…'; eq ne gt ge lt le; and, or, not
// and parentheses; startswith, endswith, substringof, tolower, toupper, trim, length, year, month
// and day. The names of properties may be written in any case.
//
// It is asked of the service where [FilterWhere] says so, and is otherwise judged here, as the
// service does it:
//
//   - A comparison is true or false, never unknown: null eq null is true, null ne 1 is true, and
//     nothing is less or greater than null.
//   - A function of null is null, and so is what is said of it: neither "startswith(Name,'a')" nor
//     "not startswith(Name,'a')" keeps a record without a name. Conditions joined by and and or
//     may be unknown in the same way; a record is kept when the whole is true.
//   - Texts are compared without regard to case and to blanks at their end, as the database behind
//     Exact does; blanks at the beginning count. See [Config].TextExact.
//   - A fraction is compared as a double, whole numbers as such.
func CheckFilter(s *extract.Stream, text string) error {
	var first error
	for _, v := range s.Variants {
		_, err := parseFilter(text, v)
		if err == nil {
			return nil
		}
		if first == nil {
			first = err
		}
	}
	return first
}

// FilterWhere reports whether a read of all records asks the service for a filter (true), or
// leaves out here what the filter does not want, so that the calls are those of a read without.
// Reads from a cursor are always judged here, see [extract.Read].
func FilterWhere(v *extract.Variant, text string) (asked bool) {
	f, err := parseFilter(text, v)
	return err == nil && f.askable(v)
}

// filter is a parsed filter.
type filter struct {
	text  string // in the service's casing
	root  node
	uses  []*property
	exact bool // texts are compared to the letter
}

// askable reports whether the documentation lets the service be asked: sync takes nothing but
// Timestamp, functions nothing at all.
func (f *filter) askable(v *extract.Variant) bool {
	e := EndpointOf(v)
	if e == nil || e.Function || v.Kind != "standard" && v.Kind != "bulk" {
		return false
	}
	return !slices.ContainsFunc(f.uses, func(p *property) bool { return !e.filters(p.name, p.is) })
}

// filters reports whether $filter accepts a property, as a value of that kind: a column may have
// another type than the property of one of the endpoints that fill it.
func (e *Endpoint) filters(name string, as kind) bool {
	if e.Filterable != nil && !slices.Contains(e.Filterable, name) {
		return false
	}
	at := slices.IndexFunc(e.Properties, func(p Property) bool { return p.Name == name })
	return at >= 0 && kindOf(columnTypes[e.Properties[at].Edm]) == as
}

// bind tells the filter where its properties are in the pages that it will see.
func (f *filter) bind(t *schema.Table) {
	for _, p := range f.uses {
		p.column = t.Index(p.name)
	}
}

// holds reports whether a record is wanted.
func (f *filter) holds(p *schema.Page, row int) bool {
	v := f.root.eval(&subject{p, row, f.exact})
	return !v.null && v.truth
}

// needs reports whether the filter looks at a property.
func (f *filter) needs(name string) bool {
	return slices.ContainsFunc(f.uses, func(p *property) bool { return strings.EqualFold(p.name, name) })
}
