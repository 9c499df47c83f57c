package config

import (
	"slices"
	"strings"
	"time"

	"exactduck/extract"
	"exactduck/schema"
)

// Catalogue is what must be known of a kind of source to check what pipelines ask of it.
type Catalogue struct {
	// Lookup finds one stream by its name, and the variant if the name forces one.
	Lookup func(name string) (*extract.Stream, *extract.Variant, error)
	// Match finds the streams that a pattern with wildcards selects, at least one.
	Match func(pattern string) ([]*extract.Stream, error)
	// Streams are all there are.
	Streams func() []*extract.Stream
}

// Choice is one stream of a pipeline, with what the file says about it.
type Choice struct {
	Stream *extract.Stream
	// Variant is the one that the file forces; nil: the cheapest that the login may read.
	Variant *extract.Variant
	// Since is the wall clock at the source from which on rows are read; zero: all.
	Since time.Time
	// Exclude names columns that are not read, in the catalogue's writing, sorted.
	Exclude []string

	exact bool // by name, not by wildcard
}

// Table is the table of a variant of the stream without the excluded columns.
func (c *Choice) Table(v *extract.Variant) *schema.Table {
	if len(c.Exclude) == 0 {
		return v.Table
	}
	return v.Table.Select(func(name string) bool { return !slices.Contains(c.Exclude, name) })
}

// Choices are the streams of a pipeline, sorted by name, each once. An entry without wildcards wins
// over one with; of two with wildcards the first wins.
func (p *Pipeline) Choices(c Catalogue) ([]*Choice, error) {
	chosen := make(map[string]*Choice)
	for i := range p.Streams {
		matched, err := p.Streams[i].choices(c)
		if err != nil {
			return nil, err
		}
		for _, choice := range matched {
			if have := chosen[choice.Stream.Name]; have == nil || choice.exact && !have.exact {
				chosen[choice.Stream.Name] = choice
			}
		}
	}
	list := make([]*Choice, 0, len(chosen))
	for _, choice := range chosen {
		list = append(list, choice)
	}
	slices.SortFunc(list, func(a, b *Choice) int { return strings.Compare(a.Stream.Name, b.Stream.Name) })
	return list, nil
}

func (s *Stream) wild() bool { return strings.ContainsAny(s.Stream, `*?[`) }

func (s *Stream) choices(c Catalogue) ([]*Choice, error) {
	if !s.wild() {
		stream, variant, err := c.Lookup(s.Stream)
		if err != nil {
			return nil, err
		}
		choice := &Choice{Stream: stream, Variant: variant, Since: s.Since.Time, exact: true}
		choice.Exclude = choice.columns(s.ExcludeColumns)
		return []*Choice{choice}, nil
	}
	streams, err := c.Match(s.Stream)
	if err != nil {
		return nil, err
	}
	list := make([]*Choice, len(streams))
	for i, stream := range streams {
		list[i] = &Choice{Stream: stream, Since: s.Since.Time}
		list[i].Exclude = list[i].columns(s.ExcludeColumns)
	}
	return list, nil
}

// tables are those that the choice may be read into.
func (c *Choice) tables() []*schema.Table {
	if c.Variant != nil {
		return []*schema.Table{c.Variant.Table}
	}
	tables := make([]*schema.Table, len(c.Stream.Variants))
	for i, v := range c.Stream.Variants {
		tables[i] = v.Table
	}
	return tables
}

// columns finds the names among the columns of any table of the choice; others are left out.
func (c *Choice) columns(names []string) []string {
	var found []string
	for _, t := range c.tables() {
		for _, name := range names {
			if i := t.Index(name); i >= 0 {
				found = append(found, t.Columns[i].Name)
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// needed reports whether rows of the choice cannot do without a column.
func (c *Choice) needed(column string) bool {
	return slices.ContainsFunc(c.tables(), func(t *schema.Table) bool {
		return strings.EqualFold(column, t.Version) || strings.EqualFold(column, t.Scope.Name) ||
			slices.ContainsFunc(t.Key, func(key string) bool { return strings.EqualFold(key, column) })
	})
}

// columnNames are the names of all columns of the choice.
func (c *Choice) columnNames() []string {
	var names []string
	for _, t := range c.tables() {
		for _, column := range t.Columns {
			names = append(names, column.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
