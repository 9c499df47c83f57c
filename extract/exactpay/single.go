package exactpay

import (
	"context"
	"errors"
	"net/http"

	"exactduck/extract"
	"exactduck/schema"
)

// single reads a list for which no paging is documented. When more rows are said to be there than came,
// or as many came as a page holds, it is read by offset nevertheless.
type single struct{}

func (*single) kept(*resume) {}

func (*single) step(ctx context.Context, p *pass) (bool, error) {
	r, err := p.ask(ctx, "", "", nil)
	if err != nil {
		return false, err
	}
	if r.total == int64(r.records) && r.total == p.tally.Rows || r.total == untold && r.records%pageSize != 0 || r.records == 0 && r.total <= 0 {
		return true, nil
	}
	came := p.tally
	p.compared = &came
	p.again()
	p.stage = &crawl{}
	return false, nil
}

// each reads a list of every row of another list: a page for a page of those.
type each struct {
	Resume schema.Position

	parents *pass
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

// of reads the list of one row. That it has none is an answer.
func (e *each) of(ctx context.Context, p *pass, id string) error {
	r, err := p.ask(ctx, "", id, nil)
	if refused, ok := errors.AsType[*extract.Refused](err); ok && refused.Status == http.StatusNotFound {
		return nil
	}
	if err == nil && r.total > int64(r.records) {
		p.doubt = true
	}
	return err
}
