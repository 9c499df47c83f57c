package config

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"strings"

	"exactduck/extract"
	"exactduck/schema"
)

// Misplacement is an error that knows which part of an entry it is about.
type Misplacement struct {
	error
	key  []string
	at   int
	hint string
}

// Hint adds what to do about it, where that is not what is done about most.
func (m *Misplacement) Hint(text string) *Misplacement {
	m.hint = text
	return m
}

// Misplaced lets a [Catalogue] say which part of an entry an error is about: the value at a key of it
// ("params", "Year"), and of that what begins behind so many bytes.
func Misplaced(err error, at int, key ...string) *Misplacement {
	return &Misplacement{error: err, key: key, at: at}
}

// The bounds of numbers in the file.
const (
	mostAtOnce      = 64
	highestPriority = 100
	largestPage     = 1000
)

// defaults checks what the entries of a pipeline's streams have in common.
func (k *checker) defaults(at path, p *Pipeline) {
	d := &p.Defaults
	k.since(at.to("since"), d.Since)
	k.span(at.to("sweep_every"), d.SweepEvery, false)
	k.span(at.to("max_age"), d.MaxAge, true)
	k.lookback(at.to("lookback"), d.Lookback)
	k.priority(at.to("priority"), d.Priority)
	k.contract(at.to("contract"), d.Contract)
	if len(d.ExcludeColumns) == 0 {
		return
	}
	var choices []*Choice
	for i := range p.Streams {
		s := &p.Streams[i]
		if s.Columns.Names != nil || s.ExcludeColumns != nil {
			continue
		}
		found, err := p.choices(s, k.catalogue)
		if err != nil {
			return // the entry's own check says so
		}
		choices = append(choices, found...)
	}
	for i, column := range d.ExcludeColumns {
		k.excluded(at.to("exclude_columns", i), column, choices)
	}
}

func (k *checker) since(at path, d Date) {
	if d.problem != nil {
		k.report(at, "write none to take a default back", "%v", d.problem)
	}
}

// span checks a duration; none says whether there may be none.
func (k *checker) span(at path, d Duration, mayBeNone bool) {
	switch {
	case d.problem != nil:
		k.report(at, "", "%v", d.problem)
	case d.none && !mayBeNone:
		k.report(at, "write a long one such as 365d", "cannot be none: rows that are gone at the source would never be found")
	}
}

func (k *checker) priority(at path, n *int) {
	if n != nil && (*n < -highestPriority || *n > highestPriority) {
		k.report(at, "write a number from -100 to 100; streams without one have 0", "%d cannot be meant", *n)
	}
}

func (k *checker) streams(at path, p *Pipeline) {
	if len(p.Streams) == 0 {
		k.report(at, `write at least one, such as crm/Accounts; "exactduck endpoints" lists them`, "there is none")
	}
	named := map[string]int{} // the entry that named a stream, by its name
	table := map[string]int{} // the entry that fills a table, by its name
	for i := range p.Streams {
		s := &p.Streams[i]
		choices := k.stream(at.to(i), p, s)
		if s.wild() || len(choices) == 0 {
			continue
		}
		stream := choices[0].Stream
		if before, twice := named[stream.Name]; twice {
			hint := "remove one of the two"
			if len(s.Params) > 0 {
				hint = "give one of the two a table of its own with as:"
			}
			k.report(at.to(i), hint, "%s is in this pipeline already, at line %d", stream.Name, k.lineOf(at.to(before)))
			continue
		}
		named[stream.Name] = i
		k.ownTable(at, i, s, stream, table)
	}
}

func (k *checker) lineOf(at path) int { return k.config.source.value(at...).line }

// ownTable holds the table of an entry against those of the entries before; the catalogue holds the
// names that entries choose against its own.
func (k *checker) ownTable(at path, i int, s *Stream, stream *extract.Stream, owner map[string]int) {
	name := strings.ToLower(tableOf(stream).FullName())
	if before, taken := owner[name]; taken {
		key := "as"
		if s.As == "" {
			key = "stream"
		}
		k.report(at.to(i, key), "choose another name", "the table %s is filled by the entry at line %d already",
			tableOf(stream).FullName(), k.lineOf(at.to(before)))
	}
	owner[name] = i
}

func tableOf(s *extract.Stream) *schema.Table { return s.Variants[0].Table }

func (k *checker) stream(at path, p *Pipeline, s *Stream) []*Choice {
	k.since(at.to("since"), s.Since)
	k.span(at.to("sweep_every"), s.SweepEvery, false)
	k.span(at.to("max_age"), s.MaxAge, true)
	k.priority(at.to("priority"), s.Priority)
	k.contract(at.to("contract"), s.Contract)
	if s.Stream == "" {
		k.report(at.to("stream"), `write a name such as crm/Accounts; "exactduck endpoints" lists them`, "an entry without a stream")
		return nil
	}
	if !k.shape(at, s) {
		return nil
	}
	choices, err := p.choices(s, k.catalogue)
	if err != nil {
		k.unknown(at, p, s, err)
		return nil
	}
	for i, column := range s.ExcludeColumns {
		k.excluded(at.to("exclude_columns", i), column, choices)
	}
	for i, column := range s.Columns.Names {
		if _, own := s.typesGiven()[column]; !own {
			k.column(at.to("columns", i), column, choices)
		}
	}
	if s.Path == "" {
		k.types(at, s, choices)
	}
	k.numbers(at.to("numbers"), s, choices)
	k.some(at.to("columns"), s, choices)
	k.dated(at.to("since"), s, choices)
	k.lookback(at.to("lookback"), s.Lookback)
	if s.Lookback.given() && !slices.ContainsFunc(choices, (*Choice).looksBack) {
		k.report(at.to("lookback"), "remove it", "reads of %s begin at their cursor: what changes there is marked", s.Stream)
	}
	k.filter(at.to("filter"), s.Filter, choices)
	return choices
}

// unknown reports that an entry names no stream.
func (k *checker) unknown(at path, p *Pipeline, s *Stream, err error) {
	where, hint := at.to("stream"), k.elsewhere(p, s)
	placed, known := errors.AsType[*Misplacement](err)
	if known {
		where, hint = at, "Exact's documentation of the function names its parameters and their types"
		for _, key := range placed.key {
			where = where.to(key)
		}
	}
	if s.Path != "" {
		hint = "write what Exact documents of the endpoint: path: crm/Novelties, types: {ID: Guid, Name: String}, key: [ID]"
	}
	if known && placed.hint != "" {
		hint = placed.hint
	}
	k.report(where, hint, "%v", err)
}

// elsewhere says where a stream is read that the catalogue lacks, or where to look for another.
func (k *checker) elsewhere(p *Pipeline, s *Stream) string {
	for _, kind := range slices.Sorted(maps.Keys(k.kinds)) {
		if found, _, err := k.kinds[kind].Lookup(s.Stream); kind != p.kind && err == nil && strings.EqualFold(found.Name, s.Stream) {
			return found.Name + " is read through a connection of type " + kind + "; this pipeline reads from one of type " + p.kind
		}
	}
	return `"exactduck endpoints" lists all streams, "exactduck endpoints '` + k.catalogue.Example + `'" some`
}

// shape looks for keys that do not go together, and reports whether there are none.
func (k *checker) shape(at path, s *Stream) bool {
	before := len(k.problems)
	if s.Columns.Names != nil && s.ExcludeColumns != nil {
		k.report(at.to("exclude_columns"), "remove one of the two", "columns and exclude_columns are both given")
	}
	switch {
	case s.As != "" && s.Path != "":
		k.report(at.to("as"), "remove it; stream: names it already", "is not for an endpoint with path")
	case s.As != "" && s.Params == nil:
		k.report(at.to("as"), "remove it, or write params:", "is only for a stream with params")
	}
	if s.wild() {
		for key, given := range map[string]bool{"params": s.Params != nil, "as": s.As != ""} {
			if given {
				k.report(at.to(key), "name the streams one by one", "is not for a name with wildcards")
			}
		}
	}
	if s.Path == "" {
		k.pathOnly(at, s)
	} else {
		k.definition(at, s)
	}
	return len(k.problems) == before
}

// pathOnly reports the keys that describe an endpoint where there is none to describe.
func (k *checker) pathOnly(at path, s *Stream) {
	for _, key := range []struct {
		name  string
		given bool
	}{{"key", s.Key != nil}, {"modified", s.Modified != ""}, {"page_size", s.PageSize != 0}} {
		if key.given {
			k.report(at.to(key.name), "remove it, or write path:", "is only for an endpoint that is given with path")
		}
	}
}

// definition checks what the catalogue does not check of an endpoint that it lacks.
func (k *checker) definition(at path, s *Stream) {
	if _, _, err := k.catalogue.Lookup(s.Stream); err == nil {
		k.report(at.to("stream"), "remove path:, or choose another name", "%s is in the catalogue already", s.Stream)
	}
	if s.Params != nil {
		k.report(at.to("params"), "remove it", "is not for an endpoint with path")
	}
	if s.PageSize < 0 || s.PageSize > largestPage {
		k.report(at.to("page_size"), "write a number from 1 to 1000; most endpoints have 60", "%d cannot be meant", s.PageSize)
	}
}

// some checks that columns are left: a stream without a key has none that come along.
func (k *checker) some(at path, s *Stream, choices []*Choice) {
	if s.Columns.Names == nil {
		return
	}
	for _, c := range choices {
		for _, v := range c.variants() {
			if len(c.Table(v).Columns) == 0 {
				k.report(at, "name at least one of its columns", "%s would have no column: it has neither key nor cursor", c.Stream.Name)
				return
			}
		}
	}
}

// dated checks that a stream which is named can be read since a date.
func (k *checker) dated(at path, s *Stream, choices []*Choice) {
	if s.wild() || s.Since.IsZero() {
		return // of several streams those that cannot are read whole
	}
	if c := choices[0]; c.Undated {
		k.report(at, "remove it; the stream is small, or read whole with every run anyway", "rows of %s do not say when they were modified", c.Stream.Name)
	}
}

// filter checks that every stream of an entry can be filtered so.
func (k *checker) filter(at path, raw string, choices []*Choice) {
	for _, c := range choices {
		switch {
		case c.Filter == "":
			return
		case k.catalogue.CheckFilter == nil:
			k.report(at, "remove it; exclude_columns: and mask: keep values out", "what comes from a source of this type cannot be filtered")
			return
		}
		of := *c.Stream
		of.Variants = c.variants()
		err := k.catalogue.CheckFilter(&of, raw)
		if err == nil {
			continue
		}
		hint := `write it like Type eq 20 and Name ne null; "exactduck endpoints ` + c.Stream.Name + `" lists the properties`
		about := c.Stream.Name + ": "
		if len(choices) == 1 {
			about = ""
		}
		k.report(at, hint, "%s%v", about, err)
		if placed, ok := errors.AsType[*Misplacement](err); ok {
			last := &k.problems[len(k.problems)-1]
			last.Hint = cmp.Or(placed.hint, last.Hint)
			last.shift(k.config.source, placed.at)
		}
		return
	}
}

// column checks one column that is asked for.
func (k *checker) column(at path, column string, choices []*Choice) {
	if !slices.ContainsFunc(choices, func(c *Choice) bool { return len(c.columns([]string{column})) > 0 }) {
		k.noColumn(at, column, choices)
	}
}

func (k *checker) excluded(at path, column string, choices []*Choice) {
	found := false
	for _, c := range choices {
		if c.needed(column) {
			k.report(at, "remove it here", "%s is part of the key or the cursor of %s and cannot be left out", column, c.Stream.Name)
			return
		}
		found = found || len(c.columns([]string{column})) > 0
	}
	if !found && len(choices) > 0 {
		k.noColumn(at, column, choices)
	}
}

func (k *checker) noColumn(at path, column string, choices []*Choice) {
	var names []string
	for _, c := range choices {
		names = append(names, c.columnNames()...)
	}
	slices.Sort(names)
	hint := didYouMean(column, slices.Compact(names))
	k.report(at, cmp.Or(hint, `"exactduck endpoints `+choices[0].Stream.Name+`" lists them`), "there is no column %q", column)
}
