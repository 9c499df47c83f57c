package exactonline

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"exactduck/extract"
)

// Count asks how many records a read would bring: all of them, or those modified since its cursor
// or its date. Of a filter that is judged here the service does not know, and counts everything
// that it would have to send. Only the standard endpoints are documented to count; of others, of
// functions, and where the service does not say, it is an [extract.ErrUncounted].
func (s *Source) Count(ctx context.Context, r extract.Read) (int64, error) {
	if !r.Variant.Countable || s.ailment(r.Variant).uncounted {
		return 0, extract.ErrUncounted
	}
	p, err := s.begin(r)
	if err != nil {
		return 0, err
	}
	answer, err := p.count(ctx)
	if refused, ok := errors.AsType[*extract.Refused](err); ok && refused.Status == 400 {
		s.diagnose(r.Variant, func(ill *ailment) bool { return notice(&ill.uncounted) })
		return 0, fmt.Errorf("%w: %w", extract.ErrUncounted, err)
	}
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(answer, 10, 64)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("count %s (%s): %w", r.Stream, r.Scope, extract.ErrUncounted)
	}
	return n, nil
}

// count is the number as the service writes it; "": it did not.
func (p *pass) count(ctx context.Context) (string, error) {
	v := p.read.Variant
	keys := append([]string{}, v.Table.Key...)
	if len(keys) == 0 {
		keys = append(keys, v.Table.Columns[0].Name)
	}
	query := queryOf(v, "$top=1", "$inlinecount=allpages", selecting(keys), filtering(p.condition(p.source.ailment(v))))
	link, pays, err := p.source.link(ctx, p.endpoint, p.read.Scope, query)
	if err != nil {
		return "", err
	}
	answer, err := p.source.caller.Get(ctx, pays, v.Name, link)
	if err != nil {
		return "", err
	}
	d := newDecoder(v.Table, p.read.Scope)
	if _, _, err := d.decode(answer.Body); err != nil {
		return "", &extract.Malformed{Endpoint: v.Name, Scope: p.read.Scope, Err: err}
	}
	return d.count, nil
}
