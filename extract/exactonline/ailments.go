package exactonline

import (
	"maps"
	"slices"

	"exactduck/extract"
)

// ailment is what an endpoint turned out to refuse. Types, and so refusals, are the same in all
// divisions: what is learnt in one spares the others. Maps in it are never changed.
type ailment struct {
	dropped    map[string]bool // columns that must not be asked for
	filtered   bool            // a request without a filter is refused
	unfiltered bool            // a request with a filter of people's own is refused
	undated    bool            // a request for what was modified since is refused
	uncounted  bool            // the number of records is not told
}

// What is no column among the refused of [Source.Known].
const (
	refusedFilter = "$filter"
	refusedDate   = "$filter by date"
	refusedCount  = "$inlinecount"
)

// Know replaces what the source believes an endpoint to refuse, by the name of its variant: the
// columns that must not be asked for, and whether it insists on a filter. It takes what
// [Source.Known] gave in another process; nothing and false let the endpoint be tried anew.
func (s *Source) Know(variant string, refused []string, filtered bool) {
	ill := ailment{dropped: map[string]bool{}, filtered: filtered}
	for _, what := range refused {
		switch what {
		case refusedFilter:
			ill.unfiltered = true
		case refusedDate:
			ill.undated = true
		case refusedCount:
			ill.uncounted = true
		default:
			ill.dropped[what] = true
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ailments[variant] = ill
}

// Known is what the source believes an endpoint to refuse: columns, sorted, and whether it insists
// on a filter. What begins with $ among the refused is no column but a way of asking.
func (s *Source) Known(variant string) (refused []string, filtered bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ill := s.ailments[variant]
	refused = slices.Collect(maps.Keys(ill.dropped))
	for what, so := range map[string]bool{refusedFilter: ill.unfiltered, refusedDate: ill.undated, refusedCount: ill.uncounted} {
		if so {
			refused = append(refused, what)
		}
	}
	slices.Sort(refused)
	return refused, ill.filtered
}

func (s *Source) ailment(v *extract.Variant) ailment {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ailments[v.Name]
}

// diagnose changes what is known of an endpoint, and reports whether that was news.
func (s *Source) diagnose(v *extract.Variant, learn func(*ailment) (news bool)) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	ill := s.ailments[v.Name]
	news := learn(&ill)
	s.ailments[v.Name] = ill
	return news
}

// notice sets a flag of an ailment, and reports whether it was not set before.
func notice(flag *bool) bool {
	news := !*flag
	*flag = true
	return news
}
