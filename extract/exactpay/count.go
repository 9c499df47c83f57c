package exactpay

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"exactduck/extract"
	"exactduck/schema"
)

// Count asks how many rows a read would bring: all of them, or those from its cursor or its date on. Of
// lists that are not documented to tell, and where the service does not, it is an
// [extract.ErrUncounted]. What the service counts is not always right, and where it does not filter it
// counts everything.
func (s *Source) Count(ctx context.Context, r extract.Read) (int64, error) {
	if !r.Variant.Countable {
		return 0, extract.ErrUncounted
	}
	r.Resume = ""
	p, err := s.begin(r)
	if err != nil {
		return 0, err
	}
	p.decoder.begin()
	query := ""
	if p.endpoint.Paged {
		query = "$limit=1"
	}
	if order := p.order(); p.bounded && !p.unfiltered(order) {
		query += "&" + since(order, p.bound)
	}
	reply, err := p.ask(ctx, query, "", nil)
	if err != nil {
		return 0, err
	}
	if reply.total == untold {
		return 0, fmt.Errorf("count %s (%s): %w", r.Stream, r.Scope, extract.ErrUncounted)
	}
	return reply.total, nil
}

// Probe asks for one row in a scope, to find out whether the token may read there, and returns how many
// came: 0 or 1. It makes one request, and a second one for a list of which every row of another has one.
func (s *Source) Probe(ctx context.Context, scope schema.Scope, v *extract.Variant) (int, error) {
	p, err := s.begin(extract.Read{Stream: v.Name, Variant: v, Scope: scope})
	if err != nil {
		return 0, err
	}
	p.decoder.begin()
	query, parent := "$limit=1", ""
	switch e := p.endpoint; {
	case e.Each != "":
		if parent, err = s.some(ctx, scope, e.Each); err != nil || parent == "" {
			return 0, err
		}
		query = ""
	case e.Span > 0:
		now := s.caller.Now()
		query += "&from=" + escaped(now.Add(-24*time.Hour).UnixMicro()) + "&to=" + escaped(now.UnixMicro())
	case !e.Paged:
		query = ""
	}
	reply, err := p.ask(ctx, query, parent, nil)
	if refused, ok := errors.AsType[*extract.Refused](err); ok && parent != "" && refused.Status == http.StatusNotFound {
		return 0, nil // a customer who has stored nothing
	}
	return min(reply.records, 1), err
}

// some is the key of any row of a list; "": there is none.
func (s *Source) some(ctx context.Context, scope schema.Scope, name string) (string, error) {
	list, _, err := Lookup(name)
	if err != nil {
		return "", err
	}
	v := list.Variants[0]
	p, err := s.begin(extract.Read{Stream: v.Name, Variant: v, Scope: scope})
	if err != nil {
		return "", err
	}
	p.decoder.begin()
	id := ""
	_, err = p.ask(ctx, "$limit=1", "", func(r *row, _ bool) { id = r.identity })
	return id, err
}
