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

	offset int      // where the next page begins, but for the tail
	tail   []uint64 // keys of the last rows; nil: any row may be next
	size   int      // rows of the largest page
	lost   int      // pages in a row without any of the tail
	left   int      // offset before the first of them
	idle   int      // pages in a row that brought nothing new
	late   int      // pages with nothing new but what came meanwhile
	// shifted says that the order was another than before, and torn that this could not be made good.
	shifted, torn bool
	begun         bool
	counted       bool  // these numbers are known to be of the list, and not of a page
	first         int64 // rows that the service told of first
	total         int64 // and last
}

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
	if order := p.order(); order != "" {
		habits := p.source.habits(p.read.Variant)
		if sort := p.endpoint.spelling(habits); sort != "" {
			query += "&" + spellings[sort].up(order)
		}
		if p.bounded && !habits[filterHabit+order] {
			query += "&" + since(order, p.bound)
		}
	}
	return query
}

func (c *crawl) step(ctx context.Context, p *pass) (bool, error) {
	over, err := c.page(ctx, p)
	if err != nil || !over {
		return false, err
	}
	return c.end(p), nil
}

// page reads one page, and reports whether it was the last.
func (c *crawl) page(ctx context.Context, p *pass) (bool, error) {
	skip := max(0, c.offset-len(c.tail))
	var keys []uint64
	r, err := p.ask(ctx, c.query(p, skip), "", func(row *row, _ bool) { keys = append(keys, row.key) })
	if misunderstood(err) {
		return c.refused(ctx, p, err)
	}
	if err != nil {
		return false, err
	}
	c.counted = c.counted || r.counted
	if c.total, c.size = r.total, max(c.size, r.records); !c.begun {
		c.first, c.begun = r.total, true
	}
	if !c.joins(keys) {
		c.seek(r, skip)
		return false, nil
	}
	return c.advance(r, keys, skip), nil
}

// joins tells whether a page goes on where the one before ended: some row of its end is there.
func (c *crawl) joins(keys []uint64) bool {
	return len(c.tail) == 0 || slices.ContainsFunc(c.tail, func(key uint64) bool { return slices.Contains(keys, key) })
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

// advance moves on behind a page that joins, and reports whether it was the last.
func (c *crawl) advance(r reply, keys []uint64, skip int) (over bool) {
	c.lost = 0
	switch {
	case r.fresh == 0:
		c.idle++
	case r.isLate(c.size):
		c.late++
	default:
		c.idle = 0
	}
	if over = r.last(skip) || c.late > mostLate || r.fresh == 0 && r.records <= len(c.tail); over {
		return true
	}
	if c.idle >= patient {
		c.torn = true
		return true
	}
	c.offset, c.tail = skip+len(keys), keys[len(keys)-min(overlap, len(keys)/4):]
	return false
}

// refused goes on without what the service does not understand, if there is anything that can be left
// out.
func (c *crawl) refused(ctx context.Context, p *pass, err error) (bool, error) {
	order, habits := p.order(), p.source.habits(p.read.Variant)
	switch sort := p.endpoint.spelling(habits); {
	case order != "" && p.bounded && !habits[filterHabit+order]:
		p.warnUnheeded(ctx, filterHabit+order)
	case order != "" && sort != "":
		p.warnUnheeded(ctx, sortHabit+sort)
	case !p.endpoint.Paged && !c.begun: // what came at once is all that can be had
		p.warnUnheeded(ctx, pagingHabit)
		p.proofs = mostProofs
		return true, nil
	default:
		return false, err
	}
	return false, nil
}

// end sees whether the pass has brought every row, and begins another one if that is not sure.
func (c *crawl) end(p *pass) (over bool) {
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

func (c *crawl) whole(p *pass) bool {
	if p.compared != nil && !c.shifted && p.compared.agree(p.tally) {
		return true
	}
	return c.begun && !c.torn && c.counted && (p.tally.are(c.total) || p.tally.are(c.first))
}
