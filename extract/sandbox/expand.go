package sandbox

import (
	"slices"
	"strings"
)

// expansion is what $expand puts in the place of a navigation property: the records of another
// endpoint that name the record as theirs.
type expansion struct {
	view    *view
	parent  *property // of the other endpoint, which holds the key
	records []*record
}

// expansions finds the records behind the properties that $expand names. They are those of the
// same service, as the lines of an invoice are; what leads elsewhere is refused.
func (s *Sandbox) expansions(v *view, d *division, q *query) (map[*property]expansion, error) {
	found := map[*property]expansion{}
	for _, name := range q.expand {
		p := v.property(name)
		if p == nil || !p.nested {
			return nil, v.noProperty(name)
		}
		path := v.pattern[:strings.LastIndex(v.pattern, "/")+1] + strings.ToLower(strings.TrimPrefix(p.edm, "Nav:"))
		lines := s.view(path)
		if lines == nil || len(v.key) != 1 || lines.property(v.key[0].name) == nil {
			return nil, badRequest("The $expand of " + name + " is not supported.")
		}
		order, err := lines.order(&query{})
		if err != nil {
			return nil, err
		}
		found[p] = expansion{lines, lines.property(v.key[0].name), s.visible(lines, d, nil).sorted(order.name(), order.compare)}
	}
	return found, nil
}

// of is the answer that stands for the records of one parent.
func (x expansion) of(key any) *answer {
	rows := slices.DeleteFunc(slices.Clone(x.records), func(r *record) bool { return compare(x.parent.of(r), key) != 0 })
	return &answer{view: x.view, props: x.view.props, rows: rows, counted: -1}
}
