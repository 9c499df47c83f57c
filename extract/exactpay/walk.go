package exactpay

import (
	"context"
	"fmt"
	"strings"
)

// walk reads a list in the order of a date. Each request asks for rows from the date of the last row
// on, so that rows which appear or vanish meanwhile shift nothing; rows of one and the same date that
// fill more than a page are gone through by offset. Each page begins with rows that are known: if none of
// them is there the list is read by offset. Whoever does not sort could hide rows that way, even
// if those that came first were in order: so the opposite order is asked for once.
type walk struct {
	By    string   `json:"by"`    // the column
	Bound int64    `json:"bound"` // microseconds: rows from this instant on are asked for, when Asked
	Asked bool     `json:"asked,omitempty"`
	Skip  int      `json:"skip,omitempty"`
	Edge  []uint64 `json:"edge,omitempty"` // keys of the rows at Bound that were seen
	Total int64    `json:"total"`          // rows that the first answer told of
	Tally tally    `json:"tally"`
	// Counted says that Total is known to be of the list, and not of a page.
	Counted bool `json:"counted,omitempty"`
	Tied    bool `json:"tied,omitempty"`  // rows of one date were gone through by offset
	Again   bool `json:"again,omitempty"` // the next page begins with rows that were seen
	Size    int  `json:"size,omitempty"`  // rows of the largest page
	Short   int  `json:"short,omitempty"` // rows of the page before, if that should have been the last
	Late    int  `json:"late,omitempty"`  // pages of nothing but rows that came meanwhile
	Idle    int  `json:"idle,omitempty"`  // pages in a row that brought nothing new
}

// edgeKept is how many keys a position carries.
const edgeKept = 500

func (w *walk) kept(r *resume) {
	if len(w.Edge) <= edgeKept {
		r.Walk = w
	}
}

func (w *walk) query(sort string) string {
	query := fmt.Sprintf("$limit=%d&$skip=%d&%s", pageSize, w.Skip, spellings[sort].up(w.By))
	if w.Asked {
		query += "&" + since(w.By, w.Bound)
	}
	return query
}

func since(column string, us int64) string {
	return column + "[$gte]=" + strings.ReplaceAll(instant(us), ":", "%3A")
}

// stretch is what one answer of a walk is made of.
type stretch struct {
	last       int64 // the greatest date
	least      int64 // the smallest
	ties       int   // rows of the greatest date
	dated      bool  // some row has a date
	unsorted   bool
	unfiltered bool
	edge       []row // rows that are new
}

func (w *walk) step(ctx context.Context, p *pass) (bool, error) {
	sort := p.endpoint.spelling(p.source.habits(p.read.Variant))
	if sort == "" || p.unfiltered(w.By) {
		return w.leave(p)
	}
	before := p.tally
	var s stretch
	r, err := p.ask(ctx, w.query(sort), "", func(row *row, fresh bool) { w.look(&s, row, fresh) })
	switch {
	case misunderstood(err):
		return w.refused(ctx, p, sort)
	case err != nil:
		return false, err
	case s.unfiltered:
		p.warnUnheeded(ctx, filterHabit+w.By)
		return w.leave(p)
	case w.astray(p, r, before) || w.idles(r):
		return w.leave(p)
	case w.capped(p, r):
		p.again()
		*w = walk{By: w.By, Bound: p.bound, Asked: p.bounded, Total: w.Total}
		return false, nil
	case !s.unsorted && w.moves(p, r, &s):
		if s.unsorted, err = w.unsorted(ctx, p, sort, &s); err != nil {
			return false, err
		}
	}
	if s.unsorted {
		p.warnUnheeded(ctx, sortHabit+sort)
		p.again() // what was seen of it says nothing
		*w = walk{By: w.By, Bound: p.bound, Asked: p.bounded, Total: untold}
		return false, nil
	}
	if w.Total == untold && before == (tally{}) {
		w.Total = r.total
	}
	w.Counted = w.Counted || r.counted
	over := w.advance(p, r, &s)
	w.Tally = p.tally
	if !over {
		return false, nil
	}
	return w.end(p)
}

// look takes note of a row.
func (w *walk) look(s *stretch, r *row, fresh bool) {
	if !r.ordered {
		s.unsorted = s.unsorted || s.dated && !w.Asked // those without a date come first
		return
	}
	s.unsorted = s.unsorted || s.dated && r.order < s.last
	s.unfiltered = s.unfiltered || w.Asked && r.order < w.Bound
	if !s.dated {
		s.least = r.order
	}
	if s.ties++; r.order != s.last || !s.dated {
		s.ties = 1
	}
	s.last, s.dated = max(r.order, s.last), true
	if fresh {
		s.edge = append(s.edge, *r)
	}
}

// astray tells whether a page has none of the rows that it should begin with: what was read before, or
// the row that the cursor is of.
func (w *walk) astray(p *pass, r reply, before tally) bool {
	if before == (tally{}) {
		at, ok := p.from.at()
		return r.records == 0 && ok && at >= w.Bound
	}
	return w.Again && r.fresh == r.records
}

// idles tells whether page after page brings nothing new, as where offsets are not heeded.
func (w *walk) idles(r reply) bool {
	if w.Idle++; r.fresh > 0 {
		w.Idle = 0
	}
	return w.Idle > patient
}

// advance moves on to where the next request begins. It reports whether there is none. Behind a page
// that is not full more rows are hardly expected: whether there are is asked by offset, with the rows of
// the last date and the one before them once more.
func (w *walk) advance(p *pass, r reply, s *stretch) (over bool) {
	if w.Size = max(w.Size, r.records); r.isLate(w.Size) {
		w.Late++
	}
	if r.records == 0 || w.Late > mostLate || w.Again && w.Skip > 0 && r.fresh == 0 && r.records < w.Size {
		return true
	}
	w.Tied = w.Tied || w.Skip > 0 && !w.Again
	bound := milli(s.last)
	if w.Short = 0; w.moves(p, r, s) {
		w.Bound, w.Asked, w.Skip, w.Edge, w.Again = bound, true, 0, nil, true
	} else {
		bound = w.Bound
		w.stay(p, r, s)
	}
	for _, row := range s.edge {
		if !w.Asked || row.order >= bound {
			w.Edge = append(w.Edge, row.key)
		}
	}
	return false
}

// stay goes on by offset.
func (w *walk) stay(p *pass, r reply, s *stretch) {
	if r.records < p.source.cap(p.read.Variant.Name, pageSize) {
		w.Short = r.records
	}
	w.Skip += r.records
	if w.Again = s.dated && s.ties+1 < r.records; w.Again {
		w.Skip -= s.ties + 1
	}
}

// moves tells whether the next request is from another date on.
func (w *walk) moves(p *pass, r reply, s *stretch) bool {
	return s.dated && r.records >= p.source.cap(p.read.Variant.Name, pageSize) && (!w.Asked || milli(s.last) != w.Bound)
}

// capped tells whether a page that was not full was not the last either: then pages are smaller than
// was asked for, and the walk begins anew with that in mind.
func (w *walk) capped(p *pass, r reply) bool {
	if w.Short == 0 || r.fresh == r.late {
		return false
	}
	before := p.source.cap(p.read.Variant.Name, pageSize)
	return p.source.cap(p.read.Variant.Name, w.Short) < before
}

// cap is how many rows a page holds, and at most so many.
func (s *Source) cap(variant string, most int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known := s.caps[variant]; known == 0 || most < known {
		s.caps[variant] = most
	}
	return s.caps[variant]
}

// unsorted finds out whether rows only seem to be sorted: in the opposite order the first has to be the
// newest of all.
func (w *walk) unsorted(ctx context.Context, p *pass, sort string, s *stretch) (bool, error) {
	if p.source.isSorted(p.read.Variant.Name+" "+w.By+" "+sort, false) {
		return false, nil
	}
	query := "$limit=1&$skip=0&" + spellings[sort].down(w.By)
	if w.Asked {
		query += "&" + since(w.By, w.Bound)
	}
	newest := stretch{}
	if err := p.glance(ctx, query, func(row *row) { w.look(&newest, row, false) }); err != nil && !misunderstood(err) {
		return false, err
	}
	if newest.dated && newest.last >= s.last && newest.last > s.least {
		p.source.isSorted(p.read.Variant.Name+" "+w.By+" "+sort, true)
		return false, nil
	}
	return true, nil
}

// isSorted tells whether a way of asking for an order was seen to be heeded, or notes that it was.
func (s *Source) isSorted(asked string, seen bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sorted[asked] = s.sorted[asked] || seen
	return s.sorted[asked]
}

// refused goes on in another way if the service does not understand this one. Whether it is the filter
// that it does not understand is seen from asking without.
func (w *walk) refused(ctx context.Context, p *pass, sort string) (bool, error) {
	if w.Asked {
		err := p.glance(ctx, "$limit=1&"+spellings[sort].up(w.By), func(*row) {})
		if err == nil {
			p.warnUnheeded(ctx, filterHabit+w.By)
			return w.leave(p)
		}
		if !misunderstood(err) {
			return false, err
		}
	}
	p.warnUnheeded(ctx, sortHabit+sort)
	return false, nil
}

// leave goes on by offset.
func (w *walk) leave(p *pass) (bool, error) {
	p.again()
	p.stage = &crawl{}
	return false, nil
}

// end sees whether the walk has brought every row. One from a cursor is believed unless the number of
// rows speaks against it, or rows of one date were gone through by offset; one of everything has to
// agree with that number or with another pass.
func (w *walk) end(p *pass) (bool, error) {
	known := w.Total != untold && w.Counted
	if known && p.tally.are(w.Total) || !known && p.partial && !w.Tied {
		return true, nil
	}
	if came := p.tally; !w.Tied {
		p.compared = &came
	}
	return w.leave(p)
}
