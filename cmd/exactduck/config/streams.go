package config

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"exactduck/extract"
	"exactduck/extract/mask"
	"exactduck/schema"
)

// Catalogue is what must be known of a kind of source to check what pipelines ask of it.
type Catalogue struct {
	// Lookup finds one stream by its name, and the variant if the name forces one.
	Lookup func(name string) (*extract.Stream, *extract.Variant, error)
	// Match finds the streams that a pattern with wildcards selects, at least one.
	Match func(pattern string) ([]*extract.Stream, error)
	// Example is a pattern that selects some.
	Example string
	// Streams are all there are.
	Streams func() []*extract.Stream
	// Out says why a stream cannot be read through a connection; then a pattern leaves it out. Nil:
	// every one can.
	Out func(*Connection, *extract.Stream) error
	// Whence names what a connection reads a stream from, where scopes do not tell it from what another
	// reads: a change of it makes everything another. Nil: scopes tell.
	Whence func(*Connection, *extract.Stream) string
	// Call makes a stream of a function with its parameters; as names its table, "": as the
	// function. Nil: there are no functions.
	Call func(name string, params map[string]any, as string) (*extract.Stream, error)
	// Define makes a stream of an endpoint that Streams lack. Nil: that is not possible.
	Define func(Definition) (*extract.Stream, error)
	// TypeNamed finds a type by the source's own name for it. Nil: there are only DuckDB's.
	TypeNamed func(name string) (schema.Type, bool)
	// CheckFilter says what is wrong with a filter of a stream. Nil: there are no filters.
	CheckFilter func(s *extract.Stream, filter string) error
	// Schedule says what is odd about a schedule, or else why it is none and what to write instead.
	// Nil: schedules are not looked at.
	Schedule func(expr string, zone *time.Location) (warnings []string, reason, hint string)
}

// Catalogues are the kinds of source that there are, by the type of their connections.
type Catalogues map[string]Catalogue

// Choice is one stream of a pipeline, with what the file says about it.
type Choice struct {
	Stream *extract.Stream
	// Variant is the one that the file forces; nil: the cheapest that the login may read.
	Variant *extract.Variant
	// Whence is what [Catalogue.Whence] says of it.
	Whence string
	// Since is the wall clock at the source from which on rows are read; zero: all.
	Since time.Time
	// Undated says that Since was asked for and left out: no variant says when a row was modified.
	Undated bool
	// Columns are the only ones that are read, beside key and cursor; nil: all. Exclude are not
	// read. Both are in the catalogue's writing, sorted, and at most one of them is there.
	Columns, Exclude []string
	// Types are the columns of which the type is not the catalogue's: numbers that are kept otherwise,
	// and properties that the catalogue lacks, which are read beside Columns.
	Types map[string]schema.Type
	// Contract says what becomes of a change of shape; never empty.
	Contract Contract
	// Mask are the rules by which values are kept from the disk; nil: there are none.
	Mask mask.Rules
	// MaskCheck is what [mask.Check] makes of the key of the hashes, where there are any. Whoever has the
	// key sets it.
	MaskCheck string
	// Filter keeps the rows of which it is true; "": all.
	Filter string
	// Priority is the higher the earlier the stream is to be read.
	Priority int
	// SweepEvery is how often its keys are compared; zero: [DefaultSweep].
	SweepEvery time.Duration
	// Lookback is how far before its cursor a read begins; zero: as far as the variant says.
	Lookback time.Duration
	// MaxAge is the age at which the last read is stale; zero: never.
	MaxAge time.Duration
	// Follow says that lines go when the deletion of their header is told.
	Follow bool

	exact bool // by name, not by wildcard
}

// Named reports that the file has the stream by its name and not only by a pattern.
func (c *Choice) Named() bool { return c.exact }

// Table is the table of a variant of the stream with the chosen columns. Key and version are always
// among them, and so is the column that dates rows where that is the cursor. The key of the header, or
// of what else a row is part of, comes with columns that are named, so that rows can follow it.
func (c *Choice) Table(v *extract.Variant) *schema.Table { return c.Mask.Table(c.table(v)) }

// table is what [Choice.Table] is without masks.
func (c *Choice) table(v *extract.Variant) *schema.Table {
	t := c.shaped(v.Table)
	if c.Columns == nil && len(c.Exclude) == 0 {
		return t
	}
	return t.Select(func(name string) bool {
		switch {
		case v.Table.Index(name) < 0: // a column of the file's own
			return true
		case name == v.Dated && v.Cursor != extract.Versioned:
			return true
		case c.Columns == nil:
			return !slices.Contains(c.Exclude, name)
		}
		return slices.Contains(c.Columns, name) || c.part(name)
	})
}

// Choices are the streams of a pipeline, sorted by name, each once. An entry without wildcards wins
// over one with; of two with wildcards the first wins.
func (p *Pipeline) Choices(kinds Catalogues) ([]*Choice, error) {
	c := kinds[p.kind]
	chosen := make(map[string]*Choice)
	for i := range p.Streams {
		matched, err := p.choices(&p.Streams[i], c)
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

func (s *Stream) wild() bool { return s.Path == "" && strings.ContainsAny(s.Stream, `*?[`) }

// choices are the streams that an entry names.
func (p *Pipeline) choices(s *Stream, c Catalogue) ([]*Choice, error) {
	var list []*Choice
	if s.wild() {
		streams, err := c.Match(s.Stream)
		if err != nil {
			return nil, err
		}
		for _, stream := range streams {
			if p.out(c, stream) == nil {
				list = append(list, &Choice{Stream: stream})
			}
		}
	} else {
		stream, variant, err := s.find(c)
		if err != nil {
			return nil, err
		}
		if err := p.out(c, stream); err != nil {
			return nil, err
		}
		list = append(list, &Choice{Stream: stream, Variant: variant, exact: true})
	}
	for _, choice := range list {
		if c.Whence != nil && p.conn != nil {
			choice.Whence = c.Whence(p.conn, choice.Stream)
		}
		p.fill(choice, s)
		p.retype(choice, s, c)
		choice.Mask = p.masks(choice, s)
	}
	return list, nil
}

// out says why the connection of the pipeline cannot read a stream.
func (p *Pipeline) out(c Catalogue, s *extract.Stream) error {
	if c.Out == nil || p.conn == nil {
		return nil
	}
	return c.Out(p.conn, s)
}

// find is the one stream that an entry without wildcards names.
func (s *Stream) find(c Catalogue) (stream *extract.Stream, forced *extract.Variant, err error) {
	switch {
	case s.Path != "" && c.Define == nil:
		return nil, nil, Misplaced(errors.New("there are no endpoints at a source of this type beside those of its catalogue"), 0, "path").
			Hint(fmt.Sprintf(`leave it out; "exactduck endpoints '%s'" lists those that there are`, c.Example))
	case (s.Params != nil || s.As != "") && c.Call == nil:
		return nil, nil, Misplaced(errors.New("there are no functions at a source of this type"), 0, "params").Hint("remove it")
	case s.Path != "":
		stream, err = c.Define(Definition{s.Stream, behindDivision(s.Path), s.Key, s.Types, s.Modified, s.PageSize})
		return stream, nil, err
	case s.Params != nil || s.As != "":
		stream, err = c.Call(s.Stream, s.Params, s.As)
		return stream, nil, err
	}
	return c.Lookup(s.Stream)
}

// fill gives a choice what its entry says, or else the defaults.
func (p *Pipeline) fill(c *Choice, s *Stream) {
	d := &p.Defaults
	since, age, sweep := s.Since, s.MaxAge, s.SweepEvery
	if !since.given() {
		since = d.Since
	}
	if !age.given() {
		age = d.MaxAge
	}
	if !sweep.given() {
		sweep = d.SweepEvery
	}
	lookback := s.Lookback
	if !lookback.given() {
		lookback = d.Lookback
	}
	if c.looksBack() {
		c.Lookback = lookback.Duration
	}
	dated := slices.ContainsFunc(c.variants(), func(v *extract.Variant) bool { return v.Dated != "" || v.Windowed })
	if c.Undated = !dated && !since.IsZero(); dated {
		c.Since = since.Time
	}
	c.MaxAge, c.Filter = age.Duration, oneSpace(s.Filter)
	c.SweepEvery = cmp.Or(sweep.Duration, p.SweepEvery.Duration)
	c.Priority = *cmp.Or(s.Priority, d.Priority, new(int))
	c.Contract = cmp.Or(s.Contract, d.Contract, p.Contract, Evolve)
	yes := true
	c.Follow = *cmp.Or(s.DeleteWithHeader, d.DeleteWithHeader, &yes)
	switch {
	case s.Columns.Names != nil:
		c.Columns = append([]string{}, c.columns(s.Columns.Names)...)
	case s.ExcludeColumns != nil:
		c.Exclude = c.columns(s.ExcludeColumns)
	default:
		c.Exclude = c.columns(d.ExcludeColumns)
	}
}

// behindDivision is what follows the division in an address: "crm/Novelties", "beta/crm/Novelties".
func behindDivision(path string) string {
	path, _ = strings.CutPrefix(strings.Trim(path, "/"), "api/v1/")
	if rest, beta := strings.CutPrefix(path, "beta/{division}/"); beta {
		return "beta/" + rest
	}
	path, _ = strings.CutPrefix(path, "{division}/")
	return path
}

var blanks = regexp.MustCompile(`'[^']*'|\s+`)

// oneSpace takes blanks together that are not in a text, so that they make no other filter.
func oneSpace(filter string) string {
	return blanks.ReplaceAllStringFunc(strings.TrimSpace(filter), func(part string) string {
		if part[0] == '\'' {
			return part
		}
		return " "
	})
}

// looksBack tells whether reads of the choice begin before their cursor.
func (c *Choice) looksBack() bool {
	return slices.ContainsFunc(c.variants(), func(v *extract.Variant) bool { return v.Lookback > 0 })
}

// variants are those that the choice may be read with.
func (c *Choice) variants() []*extract.Variant {
	if c.Variant != nil {
		return []*extract.Variant{c.Variant}
	}
	return c.Stream.Variants
}

// columns finds the names among the columns of any table of the choice; others are left out.
func (c *Choice) columns(names []string) []string {
	var found []string
	for _, v := range c.variants() {
		for _, name := range names {
			if i := v.Table.Index(name); i >= 0 {
				found = append(found, v.Table.Columns[i].Name)
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// needed reports whether rows of the choice cannot do without a column.
func (c *Choice) needed(column string) bool {
	dated := !slices.ContainsFunc(c.variants(), func(v *extract.Variant) bool { return v.Cursor == extract.Versioned })
	return slices.ContainsFunc(c.variants(), func(v *extract.Variant) bool {
		t := v.Table
		return strings.EqualFold(column, t.Version) || strings.EqualFold(column, t.Scope.Name) ||
			dated && strings.EqualFold(column, v.Dated) ||
			slices.ContainsFunc(t.Key, func(key string) bool { return strings.EqualFold(key, column) })
	})
}

// columnNames are the names of all columns of the choice.
func (c *Choice) columnNames() []string {
	var names []string
	for _, v := range c.variants() {
		for _, column := range v.Table.Columns {
			names = append(names, column.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
