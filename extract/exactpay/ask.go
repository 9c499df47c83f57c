package exactpay

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"exactduck/extract"
	"exactduck/schema"
)

// untold is a number of rows that the service does not tell.
const untold = int64(-1)

// reply is what one request brought.
type reply struct {
	records, fresh int
	late           int   // of those that are fresh
	total          int64 // rows that the service says there are; untold: it does not
	counted        bool  // total is known to be of the list and not of the page
}

// ask makes a request and adds the rows that are wanted to the page. look is told of each row, and
// whether it is new; nil: nobody is.
func (p *pass) ask(ctx context.Context, query, parent string, look func(r *row, fresh bool)) (reply, error) {
	answer, err := p.fetch(ctx, query, parent)
	if err != nil {
		return reply{}, err
	}
	r := reply{}
	l, err := p.decoder.decode(answer.Body, parent, func(row *row) bool {
		fresh, wanted := p.note(row)
		if fresh {
			r.fresh++
			if p.late(row) {
				r.late++
			}
		}
		if look != nil {
			look(row, fresh)
		}
		return wanted
	})
	if err != nil {
		return r, &extract.Malformed{Endpoint: p.read.Variant.Name, Scope: p.read.Scope, Err: err}
	}
	r.records, r.total = l.records, totalOf(answer, l)
	r.counted = p.source.counts(p.read.Variant.Name, r)
	return r, nil
}

// fetch makes a request.
func (p *pass) fetch(ctx context.Context, query, parent string) (*extract.Answer, error) {
	link, err := p.link(query, parent)
	if err != nil {
		return nil, err
	}
	answer, err := p.source.get(ctx, address{p.read.Scope, p.read.Variant.Name, link})
	if err == nil && p.began.IsZero() {
		p.began = answer.Asked
	}
	return answer, err
}

// glance makes a request of which the rows are only looked at.
func (p *pass) glance(ctx context.Context, query string, look func(*row)) error {
	answer, err := p.fetch(ctx, query, "")
	if err != nil {
		return err
	}
	d := newDecoder(p.endpoint, p.read.Variant.Table, p.read.Scope, p.order(), nil)
	d.begin()
	_, err = d.decode(answer.Body, "", func(r *row) bool { look(r); return false })
	if err != nil {
		return &extract.Malformed{Endpoint: p.read.Variant.Name, Scope: p.read.Scope, Err: err}
	}
	return nil
}

// totalOf is the number of rows that an answer tells: in the header or, as for orders, in the body.
func totalOf(a *extract.Answer, l list) int64 {
	if n, err := strconv.ParseInt(strings.TrimSpace(a.Header.Get("X-Total-Count")), 10, 64); err == nil && n >= 0 {
		return n
	}
	return l.available
}

// link is the address of the list, or of the list of a row of another list.
func (p *pass) link(query, parent string) (string, error) {
	return p.source.link(p.endpoint, p.read.Scope, query, parent)
}

func (s *Source) link(e *Endpoint, scope schema.Scope, query, parent string) (string, error) {
	path := e.Own
	switch {
	case e.Organization != "" && s.config.Organization != "":
		path = e.Organization
	case e.Account != "" && scope != connection:
		path = e.Account
	case path == "":
		return "", &NoOrganization{Service + "/" + e.Name}
	}
	path = strings.NewReplacer("{organization}", s.config.Organization, "{account}", string(scope), "{id}", url.PathEscape(parent)).Replace(path)
	if query != "" {
		path += "?" + query
	}
	return s.caller.Base() + path, nil
}

// misunderstood tells whether the service refuses the way in which it was asked.
func misunderstood(err error) bool {
	refused, ok := errors.AsType[*extract.Refused](err)
	return ok && (refused.Status == http.StatusBadRequest || refused.Status == http.StatusUnprocessableEntity)
}

// counts tells whether the totals of a list are known to be of the list: once more rows were told of than
// came. Until then they may as well be of the page.
func (s *Source) counts(variant string, r reply) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counted[variant] = s.counted[variant] || r.total > int64(r.records) && r.records > 0
	return s.counted[variant]
}

// mostLate is how many pages with nothing new but a trickle of rows that came meanwhile are read before a
// pass ends: where they come as fast as they are read there is no other end.
const mostLate = 5

// isLate tells whether a page is like that. size is that of the largest page of the pass.
func (r reply) isLate(size int) bool { return r.late > 0 && r.late == r.fresh && 2*r.records <= size }
