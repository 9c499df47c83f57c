package sandbox

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// wideServices begin the names of the standard endpoints that are known to want a $select.
var wideServices = []string{"payroll/", "financialtransaction/", "cashflow/receivables", "cashflow/payments"}

const (
	pleaseSelect   = "Please add a $select or a $top=1 statement to the query string."
	mandatory      = "This endpoint has mandatory filtering applied. A GET request for this endpoint must have a $filter parameter with one of the following fields in the url:"
	noSuchFilter   = "Filtering on these fields is not supported: "
	badSkipToken   = "Bad Request - Error in query syntax."
	resourceAbsent = "Resource not found for the segment '%s'."
)

// answer is what a request for records found.
type answer struct {
	view    *view
	props   []*property
	rows    []*record
	bare    bool   // {"d":[…]} instead of {"d":{"results":[…]}}
	single  bool   // {"d":{…}}
	next    string // query of the next page; "" when there is none
	expand  map[*property]expansion
	counted int    // __count; -1: not asked for
	plain   bool   // only the count, as text
	last    string // $skiptoken of the next page
	worth   any    // of a function that returns a single value
}

// find answers a query over a view of a store.
func find(v *view, s *store, q *query) (*answer, error) {
	a := &answer{view: v, counted: -1}
	var err error
	if a.props, err = v.selection(q); err != nil {
		return nil, err
	}
	match, err := v.filter(q)
	if err != nil {
		return nil, err
	}
	order, err := v.order(q)
	if err != nil {
		return nil, err
	}
	list := s.sorted(order.name(), order.compare)
	if q.skiptoken != "" {
		values, err := skipValues(q.skiptoken, order)
		if err != nil {
			return nil, err
		}
		list = order.after(list, values)
	}
	a.page(list, match, q, order)
	return a, nil
}

// page takes one page of the records that match.
func (a *answer) page(list []*record, match predicate, q *query, order sorting) {
	size := a.view.endpoint.PageSize
	if size <= 0 {
		size = 60
	}
	if q.size > 0 {
		size = min(size, q.size)
	}
	want := size
	if q.top >= 0 && q.top < size {
		want = q.top
	}
	a.bare = q.top >= 0 && q.top <= size && q.skip < 0 && !q.count
	if q.count {
		a.counted = countOf(list, match)
	}
	skip, more := max(q.skip, 0), false
	for _, r := range list {
		if match != nil && !match(r) {
			continue
		}
		if skip > 0 {
			skip--
			continue
		}
		if len(a.rows) == want {
			more = true
			break
		}
		a.rows = append(a.rows, r)
	}
	if left := q.top - len(a.rows); more && (q.top < 0 || left > 0) && len(a.rows) > 0 {
		a.last = skipToken(a.rows[len(a.rows)-1], order)
		a.next = nextQuery(q, left) + "$skiptoken=" + a.last
	}
}

func countOf(list []*record, match predicate) int {
	if match == nil {
		return len(list)
	}
	n := 0
	for _, r := range list {
		n += btoi(match(r))
	}
	return n
}

// nextQuery repeats what was asked and takes off $top what was answered.
func nextQuery(q *query, left int) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(q.params)) {
		parts = append(parts, name+"="+escapeQuery(q.params[name]))
	}
	for _, name := range []string{"$filter", "$orderby", "$select", "$expand"} {
		if v, ok := q.raw[name]; ok {
			parts = append(parts, name+"="+escapeQuery(v))
		}
	}
	if q.top >= 0 {
		parts = append(parts, fmt.Sprintf("$top=%d", left))
	}
	return strings.Join(append(parts, ""), "&")
}

// skipToken points behind a row.
func skipToken(last *record, order sorting) string {
	var token []string
	for _, k := range order {
		token = append(token, literal(k.prop.of(last), k.prop.edm == "Edm.Int64"))
	}
	return strings.Join(token, ",")
}

func skipValues(token string, order sorting) ([]any, error) {
	parts := splitLiterals(token)
	if len(parts) != len(order) {
		return nil, badRequest(badSkipToken)
	}
	values := make([]any, len(parts))
	for i, part := range parts {
		v, err := parseLiteral(part)
		if err != nil || v != nil && kind(v) != kindOf(order[i].prop.edm) {
			return nil, badRequest(badSkipToken)
		}
		values[i] = v
	}
	return values, nil
}

// selection is the properties that are asked for, in the order in which they were.
func (v *view) selection(q *query) ([]*property, error) {
	switch {
	case q.selected == nil && q.top != 1 && (q.narrow || v.wide()):
		return nil, badRequest(pleaseSelect)
	case q.selected == nil:
		return v.props, nil
	case slices.Contains(q.selected, "*"):
		if v.endpoint.NoSelectStar {
			return nil, badRequest(pleaseSelect)
		}
		return v.props, nil
	}
	var list []*property
	for _, name := range q.selected {
		name, _, _ = strings.Cut(name, "/")
		p := v.property(name)
		if p == nil {
			return nil, v.noProperty(name)
		}
		if !slices.Contains(list, p) {
			list = append(list, p)
		}
	}
	return list, nil
}

// wide says whether a $select is wanted: on bulk and sync always, and on the standard endpoints
// that are known for it.
func (v *view) wide() bool {
	e := v.endpoint
	if e.SelectRequired || e.Kind == "bulk" || e.Kind == "sync" {
		return true
	}
	_, name, _ := strings.Cut(v.pattern, "{division}/")
	return e.Kind == "standard" && len(v.props) >= 20 &&
		slices.ContainsFunc(wideServices, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}

// filter compiles $filter and refuses the fields that the endpoint does not filter on.
func (v *view) filter(q *query) (predicate, error) {
	if q.filter == "" {
		return nil, nil
	}
	match, fields, err := parseFilter(q.filter, v)
	if err != nil {
		return nil, err
	}
	allowed := v.filterable()
	if allowed == nil {
		return match, nil
	}
	fields = slices.DeleteFunc(fields, func(name string) bool { return slices.Contains(allowed, name) })
	if len(fields) > 0 {
		return nil, badRequest(noSuchFilter + strings.Join(fields, ","))
	}
	return match, nil
}

func (v *view) filterable() []string {
	switch e := v.endpoint; {
	case e.Path == deletedSet:
		return []string{"Timestamp", "EntityType"}
	case e.Kind == "sync":
		return []string{"Timestamp"}
	default:
		return e.Filterable
	}
}

// order is what $orderby says, and behind it the key.
func (v *view) order(q *query) (sorting, error) {
	var s sorting
	for _, o := range q.orderby {
		p := v.property(o.name)
		if p == nil || p.nested {
			return nil, v.noProperty(o.name)
		}
		s = append(s, sortKey{p, o.desc})
	}
	for _, p := range v.key {
		if !slices.ContainsFunc(s, func(k sortKey) bool { return k.prop == p }) {
			s = append(s, sortKey{p, false})
		}
	}
	return s, nil
}

// one finds the record that a key in the path names: guid'…', 12, 'EUR', or Name=…,Name=….
func (v *view) one(s *store, key string) *record {
	want := map[string]any{}
	for i, part := range splitLiterals(key) {
		name, value, named := strings.Cut(part, "=")
		if !named {
			value = part
			if i < len(v.key) {
				name = v.key[i].name
			}
		}
		if x, err := parseLiteral(value); err == nil {
			want[name] = x
		}
	}
	for _, r := range s.records {
		if len(want) == len(v.key) && !slices.ContainsFunc(v.key, func(p *property) bool {
			x, ok := want[p.name]
			return !ok || kind(x) != kindOf(p.edm) || compare(p.of(r), x) != 0
		}) {
			return r
		}
	}
	return nil
}
