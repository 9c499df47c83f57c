package sandbox

import (
	"maps"
	"sort"
	"strings"
)

// record is one record of a set. Vals follow the columns of the set; they are nil in a record that
// only has an outline.
type record struct {
	vals    []any
	version int64
	ident   string // its identity, as a text that is unique in the set
	serial  int    // counts the records ever made in the set
	outline *outline
	n       int   // which one of its outline
	sketch  []any // the values of the outline's columns
}

// val is the value of a column.
func (r *record) val(col int) any {
	if r.vals != nil {
		return r.vals[col]
	}
	return r.outline.val(r, col)
}

// all are the values of all columns. They must not be changed.
func (r *record) all() []any {
	if r.vals != nil {
		return r.vals
	}
	return r.outline.full(r)
}

// store holds the records of one set in one division.
type store struct {
	set     *recordSet
	records map[string]*record // by identity
	serial  int
	orders  map[string]*order  // sorted views
	edits   []edit             // what the views may not know yet
	former  map[string]*record // what the last update of a record replaced, by identity
	both    *store             // see withFormer; nil: to be made
}

func newStore(set *recordSet) *store {
	return &store{set: set, records: map[string]*record{}, orders: map[string]*order{}, former: map[string]*record{}}
}

// put adds a record, or replaces the one of the same identity. The record must be complete.
func (s *store) put(r *record) {
	r.ident = s.set.identityOf(r)
	r.serial = s.serial
	s.serial++
	old := s.records[r.ident]
	s.records[r.ident] = r
	s.note(old, r)
}

func (s *store) remove(r *record) {
	delete(s.records, r.ident)
	delete(s.former, r.ident)
	s.note(r, nil)
}

// replace swaps a record for its successor, so that pages that are being encoded keep the old one.
func (s *store) replace(old, next *record) {
	next.ident, next.serial = old.ident, old.serial
	s.records[next.ident] = next
	if old.version < next.version {
		s.former[old.ident] = old
	}
	s.note(old, next)
}

// shift gives all records other versions.
func (s *store) shift(by int64) {
	for _, list := range []map[string]*record{s.records, s.former} {
		for ident, r := range list {
			moved := *r
			moved.version += by
			list[ident] = &moved
		}
	}
	s.unsort()
}

// withFormer has beside the records what the last update of each replaced, under the version that
// it had.
func (s *store) withFormer() *store {
	if len(s.former) == 0 {
		return s
	}
	if s.both == nil {
		s.both = newStore(s.set)
		maps.Copy(s.both.records, s.records)
		for ident, r := range s.former {
			s.both.records[ident+" formerly"] = r
		}
	}
	return s.both
}

func (s *recordSet) identityOf(r *record) string {
	parts := make([]string, len(s.identity))
	for i, col := range s.identity {
		parts[i] = literal(r.val(col), false)
	}
	return strings.Join(parts, ",")
}

// made is the records in the order in which they were made.
func (s *store) made() []*record {
	return s.sorted("\x00made", func(a, b *record) int { return a.serial - b.serial })
}

// sorting is an order over records: by properties, each up or down.
type sorting []sortKey

type sortKey struct {
	prop *property
	desc bool
}

func (s sorting) name() string {
	var b strings.Builder
	for _, k := range s {
		b.WriteString(k.prop.name)
		if k.desc {
			b.WriteString(" desc")
		}
		b.WriteByte(',')
	}
	return b.String()
}

func (s sorting) compare(a, b *record) int {
	for _, k := range s {
		if c := k.compare(k.prop.of(a), k.prop.of(b)); c != 0 {
			return c
		}
	}
	return 0
}

func (k sortKey) compare(a, b any) int {
	c := compare(a, b)
	if k.desc {
		return -c
	}
	return c
}

// after returns what of a sorted list comes behind the values of a $skiptoken.
func (s sorting) after(list []*record, values []any) []*record {
	at := sort.Search(len(list), func(i int) bool {
		for j, k := range s {
			if c := k.compare(k.prop.of(list[i]), values[j]); c != 0 {
				return c > 0
			}
		}
		return false
	})
	return list[at:]
}

// get reads a column by name; nil when the set does not have it.
func (s *recordSet) get(r *record, name string) any {
	if i := s.column(name); i >= 0 {
		return r.val(i)
	}
	return nil
}

// put sets a column by name, if the set has it.
func (s *recordSet) put(r *record, name string, v any) {
	if i := s.column(name); i >= 0 {
		r.vals[i] = fit(v, s.columns[i].edm)
	}
}

// build makes a record from the columns that are named.
func (s *recordSet) build(fields fields) *record {
	r := &record{vals: make([]any, len(s.columns))}
	for name, v := range fields {
		s.put(r, name, v)
	}
	return r
}

// fields are values by property name. What a set does not have is passed over: the same fields
// fill views of different width.
type fields map[string]any

// fit turns a Go value into the one of an Edm type; what cannot be becomes nil.
func fit(v any, edm string) any {
	switch w := v.(type) {
	case int:
		v = int64(w)
	case cents:
		v = w.num()
	}
	switch want := kindOf(edm); {
	case v == nil || kind(v) == want:
		if n, ok := v.(int64); ok && edm == "Edm.Double" {
			return num(formatInt(n))
		}
		return v
	case want == "Edm.String":
		return text(v)
	case want == "Edm.Boolean" && kind(v) == "number":
		return float(v) != 0
	case want == "number" && kind(v) == "Edm.Boolean":
		return int64(btoi(v == true))
	}
	return nil
}
