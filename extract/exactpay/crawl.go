package exactpay

import (
	"context"
	"fmt"
	"slices"
)

// crawl reads a list by offset. Each page begins with the last rows of the one before, so that a shift
// is noticed: where they are not, the pass goes back or on to find them. In the end the number of rows
// has to fit, or two passes without any shift have to agree.
type crawl struct {
	from, to string // what else is asked for, with an ampersand before each; empty: nothing

	offset int    // where the next page begins, but for the tail
	tail   []mark // the last rows; nil: any row may be next
	firm   int    // how many of them, from the first on, do not share the date of the last
	size   int    // rows of the largest page
	lost   int    // pages in a row without any of the tail
	left   int    // offset before the first of them
	idle   int    // pages in a row that brought nothing new
	late   int    // pages with nothing new but what came meanwhile
	// shifted says that the order was another than before, and torn that this could not be made good.
	shifted, torn bool
	// blurred says that some page was of one date altogether: where rows of one date come in another
	// order each time, some may have been missed.
	blurred bool
	begun   bool
	short   bool  // the page before was shorter than others
	beyond  bool  // what is behind the last row was asked for
	counted bool  // the number of rows is known to be of the list, and not of a page
	first   int64 // rows that the service told of first

	sorted, filtered string // what was asked for last: a spelling, a column; empty: neither
}

// mark is what is remembered of a row.
type mark struct {
	key     uint64
	order   int64
	ordered bool
}

func markOf(r *row) mark { return mark{r.key, r.order, r.ordered} }

// How many rows a page begins with that were seen before, for how many pages they are looked for, and
// how many pages without anything new are the end of a list.
const (
	overlap = 10
	search  = 8
	patient = 3
)

// mostProofs is how many passes are made to find two that agree.
const mostProofs = 4

func (*crawl) kept(*resume) {}

func (c *crawl) query(p *pass, skip int) string {
	query := fmt.Sprintf("$limit=%d&$skip=%d", pageSize, skip) + c.from + c.to
	c.sorted, c.filtered = "", ""
	if order := p.order(); order != "" {
		habits := p.source.habits(p.read.Variant)
		if sort := p.endpoint.spelling(habits); sort != "" {
			query += "&" + spellings[sort].up(order)
			c.sorted = sort
		}
		if p.bounded && !habits[filterHabit+order] {
			query += "&" + since(order, p.bound)
			c.filtered = order
		}
	}
	return query
}

func (c *crawl) step(ctx context.Context, p *pass) (bool, error) {
	over, err := c.page(ctx, p)
	if err != nil || !over {
		return false, err
	}
	counted, total := c.counted, c.first // of this pass: the next begins anew
	if over = c.over(p); over && counted && total != p.tally.Rows+p.tally.Late && !p.doubt {
		p.tellMiscounted(ctx, total)
	}
	return over, nil
}

// page reads one page, and reports whether it was the last.
func (c *crawl) page(ctx context.Context, p *pass) (bool, error) {
	skip := max(0, c.offset-len(c.tail))
	var marks []mark
	r, err := p.ask(ctx, c.query(p, skip), "", func(row *row, _ bool) { marks = append(marks, markOf(row)) })
	if misunderstood(err) {
		return c.refused(ctx, p, err)
	}
	if err != nil {
		return false, err
	}
	c.counted = c.counted || r.counted
	if c.size = max(c.size, r.records); !c.begun {
		c.first, c.begun = r.total, true
	}
	if !c.joins(marks) {
		c.seek(r, skip)
		return false, nil
	}
	return c.advance(p, r, marks, skip), nil
}

// joins tells whether a page goes on where the one before ended: some row of its end is there. Rows of
// one date may come in another order each time: then it has to be one before them.
func (c *crawl) joins(marks []mark) bool {
	return len(c.tail) == 0 || slices.ContainsFunc(c.tail[:c.firm], func(m mark) bool {
		return slices.ContainsFunc(marks, func(other mark) bool { return other.key == m.key })
	})
}

// end keeps the end of a page, which the next one has to begin with: some rows before those of its last
// date, and these. A page of one date has no such end.
func (c *crawl) end(marks []mark) {
	rows := len(marks)
	from := rows - max(min(overlap, rows/4), min(1, rows-1))
	firm := rows - 1 // rows before those of the last date
	for firm > 0 && marks[firm].ordered && marks[firm-1].order == marks[firm].order {
		firm--
	}
	switch {
	case firm == rows-1:
		firm = rows
	case firm < 2:
		c.blurred, firm = true, rows
	default:
		from = min(from, firm-1)
	}
	c.tail, c.firm = marks[from:], firm-from
}

// seek looks for the end of the page before: further on if this page is known, else further back. A
// pass that does not find it goes on where it was, and is torn.
func (c *crawl) seek(r reply, skip int) {
	if c.lost == 0 {
		c.left = c.offset
	}
	c.shifted = true
	switch c.lost++; {
	case c.lost > search || r.fresh > 0 && skip == 0:
		c.torn, c.tail, c.lost, c.offset = true, nil, 0, c.left
	case r.records > 0 && r.fresh == 0:
		c.offset = skip + r.records + len(c.tail)
	default:
		c.offset = max(0, skip-c.size) + len(c.tail)
	}
}

// advance moves on behind a page that joins, and reports whether it was the last. Where short pages are
// not always the last, what is behind the last row is asked for as well.
func (c *crawl) advance(p *pass, r reply, marks []mark, skip int) (over bool) {
	c.lost = 0
	switch {
	case r.fresh == 0:
		c.idle++
	case r.isLate(c.size):
		c.late++
	default:
		c.idle = 0
	}
	p.ragged = p.ragged || c.short && r.fresh > r.late
	if c.short = r.records < c.size; r.records == 0 || c.late > mostLate {
		return true
	}
	if r.fresh == 0 && r.records <= len(c.tail) {
		if p.ragged = p.ragged || r.records < len(c.tail); !p.ragged || c.beyond {
			return true
		}
		c.beyond, c.offset, c.tail = true, skip+r.records, nil
		return false
	}
	c.beyond = false
	if c.idle >= patient {
		c.torn = true
		return true
	}
	c.offset = skip + len(marks)
	c.end(marks)
	return false
}

// refused goes on without what the service does not understand, if there is anything that can be left
// out.
func (c *crawl) refused(ctx context.Context, p *pass, err error) (bool, error) {
	switch {
	case c.filtered != "":
		p.warnUnheeded(ctx, filterHabit+c.filtered)
	case c.sorted != "":
		p.warnUnheeded(ctx, sortHabit+c.sorted)
	case !p.endpoint.Paged && !c.begun: // what came at once is all that can be had
		p.warnUnheeded(ctx, pagingHabit)
		p.proofs = mostProofs
		return true, nil
	default:
		return false, err
	}
	return false, nil
}

// over sees whether the pass has brought every row, and begins another one if that is not sure.
func (c *crawl) over(p *pass) bool {
	if c.whole(p) {
		return true
	}
	if p.proofs++; p.proofs > mostProofs {
		p.doubt = true
		return true
	}
	p.compared = nil
	if came := p.tally; !c.shifted {
		p.compared = &came
	}
	p.again()
	*c = crawl{from: c.from, to: c.to}
	return false
}

// whole tells whether two passes agree, or the rows are as many as there were at the beginning: since then
// none but late ones has come, so that these are all of them.
func (c *crawl) whole(p *pass) bool {
	if p.compared != nil && !c.shifted && p.compared.agree(p.tally) && (!c.blurred || p.compared.Trail == p.tally.Trail) {
		return true
	}
	return c.begun && !c.torn && !c.shifted && c.counted && p.tally.are(c.first)
}
