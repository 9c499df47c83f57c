package exactpay

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"exactduck/extract"
	"exactduck/schema"
)

// single reads a list for which no paging is documented. That it came whole is seen from asking for what
// is behind the last row; if there is more, it is read by offset nevertheless.
type single struct{}

func (*single) kept(*resume) {}

func (s *single) step(ctx context.Context, p *pass) (bool, error) {
	var keys []uint64
	r, err := p.ask(ctx, "", "", func(row *row, _ bool) { keys = append(keys, row.key) })
	if err != nil {
		return false, err
	}
	over := r.records == 0 && r.total <= 0
	if told := max(r.total, 0); !over && told <= int64(r.records) {
		over, err = s.end(ctx, p, keys)
	}
	if err != nil || over {
		return over, err
	}
	came := p.tally
	p.compared = &came
	p.again()
	p.stage = &crawl{}
	return false, nil
}

// end tells whether there is nothing behind these rows, or no way to ask for it: then they may come again
// as they were.
func (*single) end(ctx context.Context, p *pass, rows []uint64) (bool, error) {
	var keys []uint64
	r, err := p.ask(ctx, fmt.Sprintf("$limit=%d&$skip=%d", pageSize, len(rows)), "", func(row *row, _ bool) { keys = append(keys, row.key) })
	if misunderstood(err) {
		return true, nil
	}
	return err == nil && (r.records == 0 || slices.Equal(keys, rows)), err
}

// each reads a list of every row of another list: a page for a page of those.
type each struct {
	Resume schema.Position

	parents *pass
	most    int // rows of the largest answer
}

func (e *each) kept(r *resume) { r.Each = e.Resume }

func (e *each) step(ctx context.Context, p *pass) (bool, error) {
	if err := e.find(p); err != nil {
		return false, err
	}
	page, err := e.parents.next(ctx)
	if err != nil {
		return false, err
	}
	if p.began.IsZero() {
		p.began = e.parents.began
	}
	ids := &page.Columns[page.Table.Index(page.Table.Key[0])]
	for i := range page.Rows {
		if err := e.of(ctx, p, string(ids.At(i))); err != nil {
			return false, err
		}
	}
	e.Resume = page.Next
	p.doubt = p.doubt || page.Unproven
	return page.Done, nil
}

// find begins to read the other list, of which only the key is wanted.
func (e *each) find(p *pass) (err error) {
	if e.parents != nil {
		return nil
	}
	s, _, err := Lookup(p.endpoint.Each)
	if err != nil {
		return err
	}
	v := s.Variants[0]
	e.parents, err = p.source.begin(extract.Read{
		Stream: p.read.Stream, Variant: v, Table: v.Table.Keys(), Scope: p.read.Scope, Resume: e.Resume,
	})
	return err
}

// of reads the list of one row. That it has none is an answer. How many rows an answer may have is not
// known, but one that is cut off has as many as any: only behind such a one more is asked for.
func (e *each) of(ctx context.Context, p *pass, id string) error {
	query := ""
	for rows := 0; ; {
		r, err := p.ask(ctx, query, id, nil)
		if refused, ok := errors.AsType[*extract.Refused](err); ok && refused.Status == http.StatusNotFound {
			return nil
		}
		if misunderstood(err) && query != "" { // it does not divide the list into pages
			return nil
		}
		if err != nil {
			return err
		}
		rows += r.records
		more := r.total > int64(rows)
		if r.fresh == 0 {
			p.doubt = p.doubt || more && r.records > 0 // it does not go on, and there is more
			return nil
		}
		if cut := r.records >= e.most; !more && !cut {
			return nil
		}
		e.most = max(e.most, r.records)
		query = fmt.Sprintf("$limit=%d&$skip=%d", pageSize, rows)
	}
}
