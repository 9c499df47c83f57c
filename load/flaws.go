package load

import (
	"bufio"
	"context"
	"database/sql"
	"embed"
	"fmt"
	"slices"
	"strings"
	"time"

	"exactduck/schema"
)

// Inspected is a stream of which the stored rows are looked at.
type Inspected struct {
	Stream string
	Table  *schema.Table // as it is asked for, with the columns that are wanted
	// Header names the stream of the headers of these lines, and HeaderKey the column with the key of
	// the header; "": they are none.
	Header, HeaderKey string
	// Scopes are those that are looked at. Of one that holds all rows that there are at the source it
	// says when they were last read; of others it is the zero time.
	Scopes map[schema.Scope]time.Time
	// Aside says that the stream is only there to tell what the others name.
	Aside bool
}

// Flaw is something about stored rows that can be seen without asking the source.
type Flaw struct {
	Kind   string // Doubled, Keyless, ...
	Stream string
	Table  string // as in the database
	Scope  schema.Scope
	Count  int64  // of what Kind says
	Sample string // some of them
	// Column is the one with which rows name others that are missing, and Other the stream of these.
	Column, Other string
}

// The kinds of flaws, and what is counted.
const (
	Doubled    = "doubled"    // rows beyond the first of their key
	Keyless    = "keyless"    // rows in whose key something is NULL
	Misfit     = "misfit"     // values that did not fit into their column
	Reference  = "reference"  // rows of Other that are named and not there
	Headless   = "headless"   // headers that are not there, in Other
	Unbalanced = "unbalanced" // entries that do not add up to zero
	Unequal    = "balance"    // accounts and periods that add up to something else than the source says
)

//go:embed flaws
var flawFiles embed.FS

func flawQuery(kind string) string {
	text, err := flawFiles.ReadFile("flaws/" + kind + ".sql")
	if err != nil {
		panic(err) // it is compiled in
	}
	return string(text)
}

// Named says that a column of one stream names rows of another, by a column of theirs; "": the key.
type Named struct {
	Stream, Column, Other, Key string
	// Header says that what is named is the header of a line.
	Header bool
}

func (n Named) kind() string {
	if n.Header {
		return Headless
	}
	return Reference
}

// References are the names that [Warehouse.Flaws] follows.
func References() []Named {
	all, _ := references()
	return all
}

// pairing says by which column header and lines of one stream belong together, and of which rows: those
// with some values of another column; "": of all.
type pairing struct {
	column, only string
	values       []string
}

// references are those of flaws/references.txt, and how header and lines are joined of the streams that
// have both.
func references() (all []Named, headed map[string]pairing) {
	file, err := flawFiles.Open("flaws/references.txt")
	if err != nil {
		panic(err) // it is compiled in
	}
	headed = map[string]pairing{}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		text, _, _ := strings.Cut(lines.Text(), "#")
		switch words := append(strings.Fields(text), ""); {
		case len(words) < 4:
		case words[0] == "lines":
			all = append(all, Named{Stream: words[1], Column: words[2], Other: words[3], Header: true})
		case words[0] == "headed":
			headed[words[1]] = pairing{words[2], words[3], words[min(4, len(words)-1) : len(words)-1]}
		default:
			all = append(all, Named{Stream: words[0], Column: words[1], Other: words[2], Key: words[3]})
		}
	}
	return all, headed
}

// Flaws looks at the stored rows of streams for what can be seen without the source: keys that are
// there twice or not at all, values that found no place, rows whose header or other row is missing, and
// entries that do not add up.
func (w *Warehouse) Flaws(ctx context.Context, streams []Inspected) ([]Flaw, error) {
	i := &inspection{w: w, streams: map[string]*inspected{}}
	for _, s := range streams {
		if err := i.add(ctx, s); err != nil {
			return nil, err
		}
	}
	for _, s := range streams {
		if at := i.streams[s.Stream]; at != nil && !s.Aside {
			if err := i.look(ctx, at); err != nil {
				return nil, fmt.Errorf("look at %s: %w", s.Stream, err)
			}
		}
	}
	return i.found, nil
}

// inspection is one call of Flaws.
type inspection struct {
	w       *Warehouse
	streams map[string]*inspected
	found   []Flaw
	buried  bool // there are tombstones
}

// inspected is a stream whose table is there.
type inspected struct {
	Inspected
	stored []field
}

func (i *inspection) add(ctx context.Context, s Inspected) error {
	stored, err := storedColumns(ctx, i.w.db, i.w.prefix+s.Table.Service, s.Table.Name)
	if err != nil || stored == nil {
		return err
	}
	i.streams[s.Stream] = &inspected{s, stored}
	if !i.buried {
		known, err := storedColumns(ctx, i.w.db, ownSchema, "tombstones")
		i.buried = known != nil
		return err
	}
	return nil
}

// name is the table in statements.
func (i *inspection) name(t *schema.Table) string {
	return identifier(i.w.prefix+t.Service) + "." + identifier(t.Name)
}

// has tells whether the columns are there and asked for: one that is not wanted any more is empty.
func (s *inspected) has(columns ...string) bool {
	return !slices.ContainsFunc(columns, func(name string) bool {
		_, stored := find(s.stored, name)
		return !stored || s.Table.Index(name) < 0
	})
}

// adds tells whether there are such columns of numbers or keys; of hashes there is nothing to add up.
func (s *inspected) adds(columns ...string) bool {
	return s.has(columns...) && !slices.ContainsFunc(columns, func(name string) bool {
		f, _ := find(s.stored, name)
		return f.kind == schema.Varchar.String()
	})
}

func (i *inspection) look(ctx context.Context, s *inspected) error {
	for _, kind := range []string{Doubled, Keyless, Misfit} {
		if kind != Misfit && len(s.Table.Key) == 0 {
			continue
		}
		if err := i.run(ctx, Flaw{Kind: kind, Stream: s.Stream}, i.fill(s, nil), nil, s); err != nil {
			return err
		}
	}
	all, headed := references()
	for _, r := range all {
		if r.Stream == s.Stream {
			if err := i.follow(ctx, s, r); err != nil {
				return err
			}
		}
	}
	if s.Header != "" {
		if err := i.follow(ctx, s, Named{Stream: s.Stream, Column: s.HeaderKey, Other: s.Header, Header: true}); err != nil {
			return err
		}
	}
	if j := headed[s.Stream]; j.column != "" && s.has(j.column) && s.adds("LineNumber") && (j.only == "" || s.adds(j.only)) {
		f := Flaw{Kind: Headless, Stream: s.Stream, Column: j.column, Other: s.Stream}
		if err := i.run(ctx, f, i.fill(s, map[string]string{"column": identifier(j.column), "held": j.held()}), nil, s.whole()); err != nil {
			return err
		}
	}
	if s.Stream == ledger && s.adds("EntryID", "AmountDC", "Type", "Status") {
		return i.run(ctx, Flaw{Kind: Unbalanced, Stream: s.Stream, Other: s.Stream}, i.fill(s, nil), nil, s.whole())
	}
	return nil
}

// held is true of the rows t that are joined.
func (j pairing) held() string {
	if j.only == "" {
		return "true"
	}
	return "t." + identifier(j.only) + " IN (" + strings.Join(j.values, ", ") + ")"
}

// ledger is the stream whose entries add up to zero.
const ledger = "financial/TransactionLines"

// whole is the stream in the scopes that hold all rows only.
func (s *inspected) whole() *inspected {
	some := *s
	some.Scopes = map[schema.Scope]time.Time{}
	for scope, at := range s.Scopes {
		if !at.IsZero() {
			some.Scopes[scope] = at
		}
	}
	return &some
}

// follow looks for rows that are named and not there.
func (i *inspection) follow(ctx context.Context, s *inspected, r Named) error {
	other := i.streams[r.Other]
	if other == nil || !s.has(r.Column) {
		return nil
	}
	key := r.Key
	if key == "" && len(other.Table.Key) == 1 {
		key = other.Table.Key[0]
	}
	mine, _ := find(s.stored, r.Column)
	theirs, _ := find(other.stored, key)
	if key == "" || !other.has(key) || mine.kind != theirs.kind { // only one of them is hashed
		return nil
	}
	scopes, reads := []string{}, []time.Time{}
	for scope := range s.whole().Scopes {
		if at := other.Scopes[scope]; !at.IsZero() {
			scopes, reads = append(scopes, string(scope)), append(reads, at.UTC())
		}
	}
	if len(scopes) == 0 {
		return nil
	}
	buried := "(SELECT NULL::INTEGER AS scope, NULL::VARCHAR AS key WHERE false)"
	if i.buried && other.Table.Entity != 0 {
		buried = fmt.Sprintf("(SELECT %s AS scope, %s::VARCHAR AS key FROM %s WHERE %s = %d)", identifier(other.Table.Scope.Name),
			identifier(tombstoneKey), tombstones, identifier(tombstoneEntity), other.Table.Entity)
	}
	query := i.fill(s, map[string]string{
		"column": identifier(r.Column), "other": i.name(other.Table), "otherscope": identifier(other.Table.Scope.Name),
		"otherkey": identifier(key), "buried": buried,
	})
	return i.run(ctx, Flaw{Kind: r.kind(), Stream: s.Stream, Column: r.Column, Other: r.Other}, query, []any{scopes, reads}, s)
}

// fill says what stands for the words in braces of a query about a stream.
func (i *inspection) fill(s *inspected, more map[string]string) *strings.Replacer {
	var keys, nulls, columns []string
	for _, k := range s.Table.Key {
		keys, nulls = append(keys, "t."+identifier(k)), append(nulls, "t."+identifier(k)+" IS NULL")
	}
	for _, f := range s.stored {
		if !isOurs(f.name, s.Table.Scope.Name) {
			columns = append(columns, literal(strings.ToLower(f.name)))
		}
	}
	words := []string{
		"{table}", i.name(s.Table), "{scope}", identifier(s.Table.Scope.Name), "{keys}", strings.Join(keys, ", "),
		"{key}", "concat_ws(' ', " + strings.Join(keys, ", ") + ")", "{nulls}", strings.Join(nulls, " OR "),
		"{columns}", strings.Join(columns, ", "),
	}
	for name, text := range more {
		words = append(words, "{"+name+"}", text)
	}
	return strings.NewReplacer(words...)
}

// run adds a flaw for each scope of s in which the query finds something.
func (i *inspection) run(ctx context.Context, f Flaw, fill *strings.Replacer, args []any, s *inspected) error {
	kind := f.Kind
	if kind == Headless && f.Other != f.Stream {
		kind = Reference // of a line to a header in another stream
	}
	if len(s.Scopes) == 0 {
		return nil
	}
	found, err := i.w.flawed(ctx, fill.Replace(flawQuery(kind)), args)
	if err != nil {
		return fmt.Errorf("%s: %w", f.Kind, err)
	}
	for _, n := range found {
		if _, wanted := s.Scopes[n.Scope]; wanted {
			f.Table, f.Scope, f.Count, f.Sample = i.w.prefix+s.Table.FullName(), n.Scope, n.Count, n.Sample
			i.found = append(i.found, f)
		}
	}
	return nil
}

// flawed runs a query that brings scopes, counts and samples.
func (w *Warehouse) flawed(ctx context.Context, query string, args []any) ([]Flaw, error) {
	rows, err := w.db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var found []Flaw
	for rows.Next() {
		var f Flaw
		var sample sql.NullString
		if err := rows.Scan(&f.Scope, &f.Count, &sample); err != nil {
			return nil, err
		}
		f.Sample = sample.String
		found = append(found, f)
	}
	slices.SortFunc(found, func(a, b Flaw) int { return strings.Compare(string(a.Scope), string(b.Scope)) })
	return found, rows.Err()
}
