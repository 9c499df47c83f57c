package exactpay

import (
	"context"
	"strings"
	"time"
)

// spans reads a list of which the rows have no dates, through spans of time one after the other.
type spans struct {
	From  int64 `json:"from"` // microseconds: the span at hand begins there
	Until int64 `json:"until,omitempty"`

	crawl  *crawl
	before map[uint64]int64 // the first span in which a key was seen
}

// earliest is where lists that are read by spans begin when nobody says where: before the vendor's
// present platform.
var earliest = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)

func newSpans(p *pass) *spans {
	s := &spans{From: earliest.UnixMicro()}
	if p.bounded {
		s.From = p.bound
	}
	return s
}

func (s *spans) kept(r *resume) { r.Spans = s }

// end is where the span at hand ends.
func (s *spans) end(p *pass) int64 {
	return min(s.From+p.endpoint.Span.Microseconds(), s.Until)
}

func (s *spans) step(ctx context.Context, p *pass) (bool, error) {
	if s.Until == 0 {
		s.Until = p.source.caller.Now().UnixMicro()
	}
	if s.before == nil {
		s.before = map[uint64]int64{}
	}
	if s.crawl == nil {
		s.crawl = &crawl{from: "&from=" + escaped(s.From), to: "&to=" + escaped(s.end(p))}
		p.again()
		p.compared, p.proofs = nil, 0
	}
	over, err := s.crawl.step(ctx, p)
	if err != nil || !over {
		return false, err
	}
	p.began = time.UnixMicro(s.end(p)).UTC()
	if s.repeated(p) {
		p.warnUnheeded(ctx, filterHabit+bySpans)
		p.doubt = true
		return true, nil
	}
	s.crawl, s.From = nil, s.end(p)
	return s.From >= s.Until, nil
}

func escaped(us int64) string { return strings.ReplaceAll(instant(us), ":", "%3A") }

// repeated tells whether rows came that a span had which does not touch this one: then the service does
// not heed the spans.
func (s *spans) repeated(p *pass) bool {
	found := false
	for key := range p.seen {
		from, known := s.before[key]
		if !known {
			s.before[key] = s.From
		}
		found = found || known && from+p.endpoint.Span.Microseconds() < s.From
	}
	return found
}
