package exactpay

import (
	"context"
	"slices"
	"strings"

	"exactduck/extract"
)

// habits are what was learnt of a list against what is documented: ways of asking that it refuses or
// does not heed.
type habits map[string]bool

// spellings of a sort order, ascending and descending.
var spellings = map[string]struct{ up, down func(column string) string }{
	"plain": {
		func(column string) string { return "$sort=" + column },
		func(column string) string { return "$sort=-" + column },
	},
	"colon": {
		func(column string) string { return "$sort=" + column + ":asc" },
		func(column string) string { return "$sort=" + column + ":desc" },
	},
	"brackets": {
		func(column string) string { return "$sort[" + column + "]=asc" },
		func(column string) string { return "$sort[" + column + "]=desc" },
	},
}

// The words for ways of asking, as [Source.Known] gives them.
const (
	sortHabit   = "$sort="   // with a spelling behind it
	filterHabit = "$filter=" // with a column behind it
	pagingHabit = "$limit"
)

// spelling is the next way to ask for an order that may work; "": none is left.
func (e *Endpoint) spelling(h habits) string {
	order := []string{"plain", "colon", "brackets"}
	if e.Sort == "colon" {
		order = []string{"colon", "plain", "brackets"}
	}
	for _, s := range order {
		if !h[sortHabit+s] {
			return s
		}
	}
	return ""
}

// habits are what is known of a variant.
func (s *Source) habits(v *extract.Variant) habits {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := habits{}
	for word := range s.habit[v.Name] {
		known[word] = true
	}
	return known
}

// learn notes that a list does not heed a way of asking, and reports whether that is news to this
// Source.
func (s *Source) learn(v *extract.Variant, word string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.habit[v.Name] == nil {
		s.habit[v.Name] = habits{}
	}
	news := !s.habit[v.Name][word]
	s.habit[v.Name][word] = true
	return news
}

// first reports whether something is said for the first time.
func (s *Source) first(about string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	news := !s.told[about]
	s.told[about] = true
	return news
}

// Know is documented at [extract.Source].
func (s *Source) Know(variant string, refused []string, _ bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.habit[variant] = habits{}
	for _, word := range refused {
		s.habit[variant][word] = true
	}
}

// Known is documented at [extract.Source]. No list insists on a filter.
func (s *Source) Known(variant string) (refused []string, filtered bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for word := range s.habit[variant] {
		refused = append(refused, word)
	}
	slices.Sort(refused)
	return refused, false
}

// warnUnheeded says once that a list has to be read in a dearer way.
func (p *pass) warnUnheeded(ctx context.Context, word string) {
	p.source.learn(p.read.Variant, word)
	switch s := p.source; {
	case !s.first(p.read.Variant.Name + " " + word):
	case word == filterHabit+bySpans:
		s.log.WarnContext(ctx, "the service does not heed spans of time: it may not tell everything of the stream",
			"stream", p.read.Stream, "scope", p.read.Scope)
	case strings.HasPrefix(word, filterHabit):
		s.log.WarnContext(ctx, "the service does not filter: the stream is read in full, which takes more calls",
			"stream", p.read.Stream, "scope", p.read.Scope, "column", strings.TrimPrefix(word, filterHabit))
	case strings.HasPrefix(word, sortHabit) && p.endpoint.spelling(s.habits(p.read.Variant)) != "":
		s.log.InfoContext(ctx, "the service does not sort when asked so, asking in another way",
			"stream", p.read.Stream, "scope", p.read.Scope, "asked", strings.TrimPrefix(word, sortHabit))
	case strings.HasPrefix(word, sortHabit):
		s.log.WarnContext(ctx, "the service does not sort: the stream is read by offset and compared with itself, which takes more calls",
			"stream", p.read.Stream, "scope", p.read.Scope)
	case word == pagingHabit:
		s.log.WarnContext(ctx, "the service does not divide the list into pages", "stream", p.read.Stream, "scope", p.read.Scope)
	}
}

// warnUnproven says that a read may have missed rows.
func (p *pass) warnUnproven(ctx context.Context) {
	p.source.log.WarnContext(ctx, "the list never came twice alike and its number of rows does not fit: nothing is removed because of this read, and it is made again",
		"stream", p.read.Stream, "scope", p.read.Scope, "rows", p.tally.Rows)
}

// tellMiscounted says once of a list that the service gives another number of its rows than came.
func (p *pass) tellMiscounted(ctx context.Context, total int64) {
	if s := p.source; s.first(p.read.Variant.Name + " miscounted") {
		s.log.InfoContext(ctx, "the service tells another number of rows than came; two reads agree, and are believed",
			"stream", p.read.Stream, "scope", p.read.Scope, "told", total, "rows", p.tally.Rows+p.tally.Late)
	}
}
