package exactonline

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"strings"

	"exactduck/extract"
)

// ailment is what an endpoint turned out to refuse, for as long as the process lives. Maps in it
// are never changed.
type ailment struct {
	dropped  map[string]bool // columns that must not be asked for
	filtered bool            // a request without a filter is refused
}

// maxHeals is how often one read may try another request after a refusal. Each of them counts
// towards the errors after which the service blocks the endpoint.
const maxHeals = 3

func (s *Source) ailment(v *extract.Variant) ailment {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ailments[v.Name]
}

// The service's own words. It speaks the language of the user, so they may not be found.
var (
	namesProperty = regexp.MustCompile(`(?i)property named ['"]?(\w+)`)
	wantsFilter   = regexp.MustCompile(`(?i)mandatory filter`)
	word          = regexp.MustCompile(`\w+`)
)

// heal looks for another request after a refusal, and reports whether there is one.
func (p *pass) heal(ctx context.Context, refused *extract.Refused) bool {
	if refused.Status != 400 || p.heals >= maxHeals {
		return false
	}
	p.heals++
	if column, ok := p.refusedColumn(refused.Message); ok {
		return p.drop(ctx, column)
	}
	return p.filterAll(ctx)
}

// refusedColumn is the column that a refusal is about.
func (p *pass) refusedColumn(message string) (string, bool) {
	if m := namesProperty.FindStringSubmatch(message); m != nil {
		return m[1], true
	}
	if wantsFilter.MatchString(message) {
		return "", false // and goes on to list columns
	}
	named := slices.DeleteFunc(word.FindAllString(message, -1), func(w string) bool { return !slices.Contains(p.columns(), w) })
	slices.Sort(named)
	if named = slices.Compact(named); len(named) == 1 {
		return named[0], true
	}
	return "", false
}

// drop stops asking for a column that the read can do without.
func (p *pass) drop(ctx context.Context, column string) bool {
	at := slices.IndexFunc(p.columns(), func(c string) bool { return strings.EqualFold(c, column) })
	if p.rigid || at < 0 {
		return false
	}
	column = p.columns()[at]
	if slices.Contains(p.table.Key, column) || column == p.table.Version {
		return false
	}
	s, v := p.source, p.read.Variant
	s.mu.Lock()
	old := s.ailments[v.Name]
	news := !old.dropped[column]
	dropped := maps.Clone(old.dropped)
	if dropped == nil {
		dropped = map[string]bool{}
	}
	dropped[column] = true
	s.ailments[v.Name] = ailment{dropped: dropped, filtered: old.filtered}
	s.mu.Unlock()
	if news {
		s.log.WarnContext(ctx, "column refused by the service, reading on without it",
			"stream", p.read.Stream, "variant", v.Name, "column", column)
		if s.config.Dropped != nil {
			s.config.Dropped(Dropped{Stream: p.read.Stream, Variant: v.Name, Column: column, Scope: p.read.Scope})
		}
	}
	return true
}

// filterAll adds a filter that every record passes, for endpoints that refuse to be read without.
func (p *pass) filterAll(ctx context.Context) bool {
	s, v := p.source, p.read.Variant
	if p.filter != "" || !p.endpoint.Has(modifiedName) ||
		p.endpoint.Filterable != nil && !slices.Contains(p.endpoint.Filterable, modifiedName) {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.ailments[v.Name]
	a.filtered = true
	s.ailments[v.Name] = a
	s.log.WarnContext(ctx, "endpoint wants a filter, reading on with one that all records pass", "stream", p.read.Stream, "variant", v.Name)
	return true
}
