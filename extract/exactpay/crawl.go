package exactpay

import (
	"context"
	"fmt"
	"slices"
)

// crawl reads a list by offset. Each page begins with the last rows of the one before, so that a shift
// is noticed: when they are not there, the pass goes back to find them. In the end the number of rows
// has to fit, or two passes have to agree.
type crawl struct {
	from, to string // what else is asked for, with an ampersand before each; empty: nothing

	offset int      // behind the last row that was seen
	tail   []uint64 // keys of the last rows
	back   int      // how often it went back for them
	idle   int      // pages in a row that brought nothing new
	torn   bool     // a shift could not be made good
	total  int64    // rows that the service told of last
	first  int64    // and first
	begun  bool
	late   int // pages of nothing but rows that came meanwhile
}

// How many rows a page begins with that were seen before, how often a pass goes back for them, and how
// many pages without anything new are the end of a list.
const (
	overlap = 10
	retreat = 4
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
			query += "&" + spellings[sort](order)
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
	skip := max(0, c.offset-len(c.tail)-c.back*pageSize)
	var keys []uint64
	r, err := p.ask(ctx, c.query(p, skip), "", func(row *row, _ bool) { keys = append(keys, row.key) })
	if misunderstood(err) {
		return c.refused(ctx, p, err)
	}
	if err != nil {
		return false, err
	}
	if c.total = r.total; !c.begun {
		c.first, c.begun = r.total, true
	}
	if !c.joins(keys, skip) {
		c.back++
		return false, nil
	}
	c.back = 0
	if r.fresh == 0 {
		c.idle++
	} else {
		c.idle = 0
	}
	if r.isLate() {
		c.late++
	}
	over := r.last(skip) || c.late > mostLate || r.fresh == 0 && r.records <= len(c.tail) || c.idle >= patient
	c.offset = skip + len(keys)
	c.tail = keys[len(keys)-min(overlap, len(keys)/4):]
	return over, nil
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

// joins tells whether a page goes on where the one before ended. It does too when that cannot be found
// out any more: then the pass is torn.
func (c *crawl) joins(keys []uint64, skip int) bool {
	if len(c.tail) == 0 {
		return true
	}
	at := slices.Index(keys, c.tail[0])
	if at >= 0 && len(keys)-at >= len(c.tail) && slices.Equal(keys[at:at+len(c.tail)], c.tail) {
		return true
	}
	if last := c.tail[len(c.tail)-1]; c.back > 0 && slices.Contains(keys, last) {
		return true
	}
	if c.back < retreat && skip > 0 {
		return false
	}
	c.torn = true
	return true
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
	came := p.tally
	p.compared = &came
	p.again()
	*c = crawl{from: c.from, to: c.to}
	return false
}

func (c *crawl) whole(p *pass) bool {
	if p.compared != nil && p.compared.agree(p.tally) {
		return true
	}
	return c.begun && !c.torn && (p.tally.are(c.total) || p.tally.are(c.first))
}
