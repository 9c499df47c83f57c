package pay

import (
	"cmp"
	"hash/fnv"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"exactduck/extract/sandbox/internal/wire"
)

// rowsFrom makes rows of what can be one.
func rowsFrom[T row](list []T) []row {
	rows := make([]row, len(list))
	for i, r := range list {
		rows[i] = r
	}
	return rows
}

func byIdent(a, b row) int { return strings.Compare(a.ident(), b.ident()) }

// list answers with a page of rows as an array, and their number in a header.
func (v *visit) list(rows []row) *wire.Reply {
	q, bad := parse(v.request.URL.RawQuery)
	if bad != nil {
		return v.invalid(bad.parameter, bad.message)
	}
	page, total, refused := v.page(q, rows)
	if refused != nil {
		return refused
	}
	return v.counted(page, total)
}

// counted is a page, with the total in a header.
func (v *visit) counted(page []any, total int) *wire.Reply {
	r := jsonReply(http.StatusOK, page)
	if n := v.sandbox.switches.count(total, len(page)); n >= 0 {
		r.Header.Set("X-Total-Count", strconv.Itoa(n))
	}
	return r
}

// whole answers with all rows, or, if the switch says so, as list does.
func (v *visit) whole(rows []row) *wire.Reply {
	if v.entire = true; v.sandbox.switches.PageAll {
		return v.list(rows)
	}
	return v.counted(v.sandbox.shown(v.sandbox.natural(rows), nil), len(rows))
}

// page chooses, sorts and cuts. The total is that of the rows that were chosen.
func (v *visit) page(q *query, rows []row) (page []any, total int, refused *wire.Reply) {
	s := v.sandbox
	if s.switches.Filters == "refused" && len(q.filters) > 0 {
		return nil, 0, v.invalid(q.filters[0].property, "Unrecognized key in query")
	}
	chosen := s.sorted(q, s.chosen(q, rows))
	limit := min(q.limit, cmp.Or(s.switches.PageCap, pageSize))
	begin := min(q.skip, len(chosen))
	if !v.entire {
		begin, limit = s.switches.spoil(s.calls[v.request.URL.Path], begin, limit)
	}
	total = len(chosen)
	if s.switches.Counts == "all" {
		total = len(rows)
	}
	return s.shown(chosen[begin:min(begin+limit, len(chosen))], q.selected), total, nil
}

// spoil moves the beginning and the size of the n-th page as the switches say.
func (w *Switches) spoil(n, begin, limit int) (from, rows int) {
	every := func(k int) bool { return k > 0 && n%k == 0 }
	if every(w.Repeat) && begin > 0 {
		begin--
	}
	if every(w.Ragged) {
		limit = (limit + 2) / 3
	}
	if every(w.Hollow) {
		limit = 0
	}
	return begin, limit
}

// count is the total as the switch has it; below zero: none is told.
func (w *Switches) count(total, page int) int {
	switch w.Counts {
	case "absent":
		return -1
	case "wrong":
		return total + 3
	case "low":
		return max(0, total-2)
	case "page":
		return page
	}
	return total
}

// chosen are the rows that meet the filters that are obeyed.
func (s *Sandbox) chosen(q *query, rows []row) []row {
	filters := slices.DeleteFunc(slices.Clone(q.filters), func(f filter) bool { return slices.Contains(s.switches.IgnoredFilters, f.property) })
	if s.switches.Filters == "ignored" || len(filters) == 0 {
		return rows
	}
	return slices.DeleteFunc(slices.Clone(rows), func(r row) bool {
		return slices.ContainsFunc(filters, func(f filter) bool { return !f.met(r) })
	})
}

// sorted brings rows into the order of the query, if its spelling is obeyed.
func (s *Sandbox) sorted(q *query, rows []row) []row {
	spelling := q.plain["sort"]
	if spelling == "" || len(s.switches.Sorts) > 0 && !slices.Contains(s.switches.Sorts, spelling) {
		return s.natural(rows)
	}
	type sortable struct {
		row
		values []any
	}
	list := make([]sortable, len(rows))
	for i, r := range s.base(rows) {
		list[i].row = r
		for _, k := range q.sort {
			list[i].values = append(list[i].values, property(r, k.property))
		}
	}
	slices.SortStableFunc(list, func(a, b sortable) int {
		for i, k := range q.sort {
			if order := compareValues(a.values[i], b.values[i]); order != 0 {
				return map[bool]int{true: -order, false: order}[k.descending]
			}
		}
		return 0
	})
	for i := range list {
		rows[i] = list[i].row
	}
	return rows
}

// base is the order that ties are in: the natural one, or any.
func (s *Sandbox) base(rows []row) []row {
	rows = s.natural(rows)
	if s.switches.UnstableTies {
		newDice(s.world.seed, "ties", s.asked).Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	}
	return rows
}

// natural is the order of what nobody sorts.
func (s *Sandbox) natural(rows []row) []row {
	rows = slices.Clone(rows)
	switch s.switches.Natural {
	case "newest":
		slices.Reverse(rows)
	case "scattered":
		slices.SortFunc(rows, func(a, b row) int { return cmp.Compare(scatter(a), scatter(b)) })
	}
	return rows
}

func scatter(r row) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(r.ident()))
	return h.Sum64()
}

// shown are rows as they are sent.
func (s *Sandbox) shown(rows []row, selected []string) []any {
	page := make([]any, 0, len(rows))
	for _, r := range rows {
		o := r.shown()
		if selected != nil {
			o = o.only(selected)
		}
		page = append(page, o)
	}
	return page
}

// only is what is left when some properties are selected; a dot is a step into an object.
func (o object) only(selected []string) object {
	left := object{}
	for _, path := range selected {
		name, rest, nested := strings.Cut(path, ".")
		inner, isObject := o[name].(object)
		switch v, there := o[name]; {
		case !there:
		case nested && isObject:
			before, _ := left[name].(object)
			left[name] = before.with(inner.only([]string{rest}))
		default:
			left[name] = v
		}
	}
	return left
}

func (o object) with(more object) object {
	all := object{}
	maps.Copy(all, o)
	maps.Copy(all, more)
	return all
}
