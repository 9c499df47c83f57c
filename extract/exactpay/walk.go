package exactpay

import (
	"context"
	"fmt"
	"strings"
)

// walk reads a list in the order of a date. Each request asks for rows from the date of the last row
// on, so that rows which appear or vanish meanwhile shift nothing; rows of one and the same date that
// fill more than a page are gone through by offset.
type walk struct {
	By    string   `json:"by"`    // the column
	Bound int64    `json:"bound"` // microseconds: rows from this instant on are asked for, when Asked
	Asked bool     `json:"asked,omitempty"`
	Skip  int      `json:"skip,omitempty"`
	Edge  []uint64 `json:"edge,omitempty"` // keys of the rows at Bound that were seen
	Total int64    `json:"total"`          // rows that the first answer told of
	Tally tally    `json:"tally"`
	Size  int      `json:"size,omitempty"` // rows of the largest page
	Late  int      `json:"late,omitempty"` // pages of nothing but rows that came meanwhile
}

// edgeKept is how many keys a position carries.
const edgeKept = 500

func (w *walk) kept(r *resume) {
	if len(w.Edge) <= edgeKept {
		r.Walk = w
	}
}

func (w *walk) query(sort string) string {
	query := fmt.Sprintf("$limit=%d&$skip=%d&%s", pageSize, w.Skip, spellings[sort](w.By))
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
	case s.unsorted:
		p.warnUnheeded(ctx, sortHabit+sort)
		p.again() // what was seen of it says nothing
		*w = walk{By: w.By, Bound: p.bound, Asked: p.bounded, Total: untold}
		return false, nil
	}
	if w.Total == untold && before == (tally{}) {
		w.Total = r.total
	}
	over := w.advance(r, &s)
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
	s.last, s.dated = max(r.order, s.last), true
	if fresh {
		s.edge = append(s.edge, *r)
	}
}

// advance moves on to where the next request begins. It reports whether there is none. Behind a page
// that is shorter than others were, more rows are hardly expected: whether there are is asked by offset.
func (w *walk) advance(r reply, s *stretch) (over bool) {
	if w.Size = max(w.Size, r.records); r.isLate(w.Size) {
		w.Late++
	}
	if r.last(w.Skip) || w.Late > mostLate {
		return true
	}
	bound := milli(s.last)
	if !s.dated || r.records < w.Size || w.Asked && bound == w.Bound {
		w.Skip += r.records
		bound = w.Bound
	} else {
		w.Bound, w.Asked, w.Skip, w.Edge = bound, true, 0, nil
	}
	for _, row := range s.edge {
		if w.Asked && row.order >= bound {
			w.Edge = append(w.Edge, row.key)
		}
	}
	return false
}

// refused goes on in another way if the service does not understand this one. Whether it is the filter
// that it does not understand is seen from asking without.
func (w *walk) refused(ctx context.Context, p *pass, sort string) (bool, error) {
	if w.Asked {
		_, err := p.ask(ctx, "$limit=1&"+spellings[sort](w.By), "", nil)
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
// rows speaks against it; one of everything has to agree with it or with another pass.
func (w *walk) end(p *pass) (bool, error) {
	if p.tally.are(w.Total) || w.Total == untold && p.partial {
		return true, nil
	}
	came := p.tally
	p.compared = &came
	return w.leave(p)
}
