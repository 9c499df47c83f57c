package exactonline

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"exactduck/extract"
	"exactduck/schema"
)

// maxHeals is how often one read may try another request after a refusal. Each of them counts
// towards the errors after which the service blocks the endpoint.
const maxHeals = 3

// The service's own words. It speaks the language of the user, so they may not be found; $filter
// and $select are the same in every language.
var (
	namesProperty  = regexp.MustCompile(`(?i)property named ['"]?(\w+)`)
	wantsFilter    = regexp.MustCompile(`(?i)mandatory filter`)
	wantsSelect    = regexp.MustCompile(`\$top ?= ?1\b`)
	refusesFilters = regexp.MustCompile(`(?i)filter parameter is not supported|filtering on these fields`)
	word           = regexp.MustCompile(`\w+`)
)

// heal looks for another request after a refusal. The error is nil when there is one; otherwise it
// is the refusal, or what went wrong in looking.
func (p *pass) heal(ctx context.Context, refused *extract.Refused) error {
	if refused.Status != 400 || p.heals >= maxHeals {
		return refused
	}
	p.heals++
	healed, err := p.cure(ctx, refused.Message)
	if err == nil && !healed {
		err = refused
	}
	return err
}

// cure tries what the words of the refusal ask for. When they say nothing that is understood, it
// tries without people's own filter, and then with one where there was none.
func (p *pass) cure(ctx context.Context, message string) (bool, error) {
	switch {
	case wantsSelect.MatchString(message):
		return p.askForNames(ctx)
	case wantsFilter.MatchString(message):
		return p.filterAll(ctx), nil
	case refusesFilters.MatchString(message):
		return p.filterLess(ctx), nil
	}
	column, named := p.refusedColumn(message)
	switch {
	case !named:
		return p.filterLess(ctx) || p.filterAll(ctx), nil
	case p.where != nil && !p.here && p.where.needs(column) && p.filterLess(ctx):
		return true, nil // in whatever words: if it was not the filter, the column is refused again
	case p.lost > 0: // one refusal for each is too dear
		if healed, err := p.askForNames(ctx); healed || err != nil {
			return healed, err
		}
	}
	p.lost++
	return p.drop(ctx, column), nil
}

// refusedColumn is the column that a refusal is about.
func (p *pass) refusedColumn(message string) (string, bool) {
	if m := namesProperty.FindStringSubmatch(message); m != nil {
		return m[1], true
	}
	columns := p.columns()
	if p.where != nil && !p.here {
		for _, used := range p.where.uses {
			columns = append(columns, used.name)
		}
	}
	named := slices.DeleteFunc(word.FindAllString(message, -1), func(w string) bool { return !slices.Contains(columns, w) })
	slices.Sort(named)
	if named = slices.Compact(named); len(named) == 1 {
		return named[0], true
	}
	return "", false
}

// needs reports whether the read cannot do without a column.
func (p *pass) needs(column string) bool {
	v := p.read.Variant
	return p.rigid || slices.Contains(p.table.Key, column) || column == p.table.Version ||
		p.here && p.where.needs(column) ||
		column == v.Dated && (p.since != "" || v.Cursor == extract.Modified && p.from.Wall != "")
}

// drop stops asking for columns, if the read can do without all of them.
func (p *pass) drop(ctx context.Context, columns ...string) bool {
	ours := p.columns()
	for i, column := range columns {
		at := slices.IndexFunc(ours, func(c string) bool { return strings.EqualFold(c, column) })
		if at < 0 || p.needs(ours[at]) {
			return false
		}
		columns[i] = ours[at]
	}
	for _, column := range columns {
		p.dropOne(ctx, column)
	}
	return true
}

func (p *pass) dropOne(ctx context.Context, column string) {
	s, v := p.source, p.read.Variant
	news := s.diagnose(v, func(ill *ailment) bool {
		if ill.dropped[column] {
			return false
		}
		dropped := map[string]bool{column: true}
		maps.Copy(dropped, ill.dropped)
		ill.dropped = dropped
		return true
	})
	if !news {
		return
	}
	s.log.WarnContext(ctx, "column refused by the service, reading on without it",
		"stream", p.read.Stream, "variant", v.Name, "column", column)
	if s.config.Dropped != nil {
		s.config.Dropped(Dropped{Stream: p.read.Stream, Variant: v.Name, Column: column, Scope: p.read.Scope})
	}
}

// filterAll adds a filter that every record passes, for endpoints that refuse to be read without.
func (p *pass) filterAll(ctx context.Context) bool {
	s, v := p.source, p.read.Variant
	if ill := s.ailment(v); everything(p.endpoint, v, ill) == "" || p.bounds(ill) != "" {
		return false
	}
	if s.diagnose(v, func(ill *ailment) bool { return notice(&ill.filtered) }) {
		s.log.WarnContext(ctx, "endpoint wants a filter, reading on with one that all records pass", "stream", p.read.Stream, "variant", v.Name)
	}
	return true
}

// filterLess stops asking for a filter and leaves out here what it does not want: first people's
// own, then the one by date, at the price of reading everything.
func (p *pass) filterLess(ctx context.Context) bool {
	s, v := p.source, p.read.Variant
	switch {
	case p.where != nil && !p.here:
		p.filterHere()
		if s.diagnose(v, func(ill *ailment) bool { return notice(&ill.unfiltered) }) {
			s.log.WarnContext(ctx, "filter refused by the service, reading everything and filtering here", "stream", p.read.Stream, "variant", v.Name)
		}
		return true
	case v.Cursor == extract.Modified && p.modifiedSince() != "" && !s.ailment(v).undated:
		if s.diagnose(v, func(ill *ailment) bool { return notice(&ill.undated) }) {
			s.log.WarnContext(ctx, "filter by date refused by the service, reading everything", "stream", p.read.Stream, "variant", v.Name)
		}
		return true
	}
	return false
}

// askForNames asks for one record with whatever it has, and drops the columns that it lacks. It
// costs a call, and finds nothing where there is no record.
func (p *pass) askForNames(ctx context.Context) (bool, error) {
	v := p.read.Variant
	link, pays, err := p.source.link(ctx, p.endpoint, p.read.Scope, queryOf(v, "$top=1", filtering(p.bounds(p.source.ailment(v)))))
	if err != nil {
		return false, err
	}
	answer, err := p.source.caller.Get(ctx, pays, v.Name, link)
	if refused, ok := errors.AsType[*extract.Refused](err); ok && refused.Status == 400 {
		p.heals++
		return false, nil
	}
	if err != nil {
		return false, err
	}
	page, _, err := newDecoder(&schema.Table{}, p.read.Scope).decode(plain(p.endpoint, answer.Body))
	if err != nil {
		return false, &extract.Malformed{Endpoint: v.Name, Scope: p.read.Scope, Err: fmt.Errorf("one record: %w", err)}
	}
	known := p.source.ailment(v).dropped
	lacking := slices.DeleteFunc(p.columns(), func(c string) bool {
		return known[c] || slices.ContainsFunc(page.Unknown, func(name string) bool { return strings.EqualFold(name, c) })
	})
	if page.Rows == 0 || len(lacking) == 0 {
		return false, nil
	}
	return p.drop(ctx, lacking...), nil
}
