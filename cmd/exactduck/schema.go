package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"exactduck/cmd/exactduck/config"
	"exactduck/load"
)

func schemaCommands() []command {
	streams := &cli.StringSliceFlag{Name: "streams", Usage: "only these `STREAMS` of the pipeline: names or patterns, with commas", EnvVars: env("streams")}
	return []command{
		{
			name: "schema diff", usage: "where tables, the catalogue with the configuration, and the source differ", args: "[PIPELINE…]",
			do: doSchemaDiff, flags: []cli.Flag{streams}, help: `
Lists what the shape of a table is not, or not yet: columns that the next read brings, gives another
type or finds nowhere any more; properties that Exact sends and nobody has given a column; values that
do not fit theirs; columns that Exact refuses; and what broke the contract of a frozen stream. Of
streams that were read. It asks nobody and costs no call. While a run is on, it shows things as they
were published last.

   exactduck schema diff
   exactduck schema diff --streams crm/Accounts --output json`,
		},
		{
			name: "schema history", usage: "what changed in the shapes of tables, and which run met it", args: "[PIPELINE…]",
			do: doSchemaHistory, help: `
Lists _exactduck.schema_changes, the oldest first.

   exactduck schema history --streams 'crm/*' --since 2026-01-01`,
			flags: []cli.Flag{
				streams,
				&cli.StringFlag{Name: "since", Usage: "only from `DATE` on (2026-01-31), in UTC", EnvVars: env("since")},
			},
		},
		{
			name: "schema accept", usage: "take over the new shape of streams with contract: freeze", args: "STREAM…",
			do: doSchemaAccept, help: `
Makes the shape that the catalogue and the configuration have now, and what broke the contract, the one
that a frozen stream is held to. The next run reads it again. "exactduck schema diff" shows what that is.

   exactduck schema accept crm/Accounts
   exactduck schema accept 'financial/*'`,
			flags: []cli.Flag{&cli.StringFlag{Name: "pipeline", Usage: "only in pipeline `NAME`", EnvVars: env("pipeline")}},
		},
	}
}

// shapeLine is one thing that a table is not, or not yet.
type shapeLine struct {
	Pipeline string `json:"pipeline"`
	Stream   string `json:"stream"`
	Table    string `json:"table"`
	Column   string `json:"column"`
	What     string `json:"what"`
	Stored   string `json:"stored,omitempty"` // the type in the table
	Wanted   string `json:"wanted,omitempty"` // the type by catalogue and configuration
	Rows     int64  `json:"rows,omitempty"`   // that hold a value in _extra
	Detail   string `json:"detail,omitempty"`
}

// The words for what is different.
const (
	shapeNew      = "comes with the next read"
	shapeRetyped  = "gets another type with the next read"
	shapeRemoved  = "is nowhere any more; new rows hold NULL"
	shapeUnknown  = "has no column; kept in _extra"
	shapeMisfit   = "holds values that do not fit; kept in _extra"
	shapeFound    = "was seen at the source; has no column"
	shapeRefused  = "is refused by the source"
	shapeBreaches = "breaks the contract"
)

func doSchemaDiff(ctx context.Context, k *call) (*view, error) {
	all := []shapeLine{}
	err := k.eachShape(ctx, func(p *config.Pipeline, choices []*config.Choice, known load.Drift) {
		for _, c := range choices {
			for _, line := range shapeOf(c, known) {
				line.Pipeline = p.Name()
				all = append(all, line)
			}
		}
	})
	return &view{data: all, text: func(out io.Writer) {
		if len(all) == 0 {
			fmt.Fprintln(out, "every table is as the catalogue and the configuration say, and nothing came that has no place")
			return
		}
		t := newTable(out, "stream", "column", "what", "stored", "wanted", "rows", "detail")
		for _, l := range all {
			t.AppendRow([]any{l.Stream, printable(l.Column), l.What, l.Stored, l.Wanted, l.Rows, printable(l.Detail)})
		}
		t.Render()
	}}, err
}

// eachShape hands over the streams that are meant of each pipeline, and what is known of their tables.
func (k *call) eachShape(ctx context.Context, f func(*config.Pipeline, []*config.Choice, load.Drift)) error {
	pipelines, err := k.pipelines()
	if err != nil {
		return err
	}
	b, err := k.books()
	if err != nil {
		return err
	}
	for _, p := range pipelines {
		choices, err := choose(p, split(k.StringSlice("streams")))
		if err != nil {
			return err
		}
		known, warning, err := b.drift(ctx, p, choices)
		if err != nil {
			return err
		}
		if warning != "" {
			k.warnings = append(k.warnings, warning)
		}
		f(p, choices, known)
	}
	return nil
}

// drift looks into the working database, or into the published file while a run holds it.
func (b *books) drift(ctx context.Context, p *config.Pipeline, choices []*config.Choice) (known load.Drift, warning string, err error) {
	var tables []string
	for _, c := range choices {
		tables = append(tables, c.Stream.Variants[0].Table.FullName())
	}
	w, err := b.brief(ctx, p)
	if busy := find[*load.Busy](err); busy != nil {
		known, err = b.driftPublished(ctx, p, tables)
		return known, fmt.Sprintf("%s: %v; this is how things were when it was published last", p.Name(), busy), err
	}
	if err != nil {
		return known, "", err
	}
	defer w.Close()
	known, err = w.Drift(ctx, tables...)
	return known, "", errors.Join(err, w.Close())
}

func (b *books) driftPublished(ctx context.Context, p *config.Pipeline, tables []string) (known load.Drift, err error) {
	reader, err := load.OpenReader(ctx, p.To.DuckDB)
	if errors.Is(err, fs.ErrNotExist) {
		return known, nil
	}
	if err != nil {
		return known, err
	}
	defer reader.Close()
	return reader.Drift(ctx, b.config.Connections[p.From].SchemaPrefix, tables...)
}

// shapeOf compares the table of a stream with what it is to be, and with what came.
func shapeOf(c *config.Choice, known load.Drift) []shapeLine {
	s := &shapeLines{of: c, table: c.Stream.Variants[0].Table.FullName()}
	stored, wanted := known.Columns[s.table], c.Shape()
	if stored == nil {
		return nil // it was never read
	}
	have := map[string]string{} // by the writing of the shape
	for name, kind := range stored {
		have[strings.ToLower(name)] = kind
	}
	for name, kind := range wanted {
		switch is, there := have[strings.ToLower(name)]; {
		case !there && s.asked(known, name):
			s.add(shapeLine{Column: name, What: shapeNew, Wanted: kind.String()})
		case there && is != kind.String():
			s.add(shapeLine{Column: name, What: shapeRetyped, Stored: is, Wanted: kind.String()})
		}
	}
	for _, name := range removed(stored, wanted) {
		s.add(shapeLine{Column: name, What: shapeRemoved, Stored: stored[name]})
	}
	kept := vendorNamed(c.Stream.Name).kind().Documented(c.Stream.Variants[0]).Kept
	for name, rows := range known.Beside[s.table] {
		if slices.Contains(kept, name) {
			continue
		}
		kind, column := have[strings.ToLower(name)]
		what := shapeUnknown
		if column {
			what = shapeMisfit
		}
		s.add(shapeLine{Column: name, What: what, Stored: kind, Rows: rows})
	}
	s.learnt(known, have)
	for _, breach := range known.Agreements[c.Stream.Name].Broken {
		s.add(shapeLine{Column: breach.Column, What: shapeBreaches, Detail: strings.TrimSuffix(breach.Kind+": "+breach.Detail, ": ")})
	}
	slices.SortFunc(s.lines, func(a, b shapeLine) int {
		return cmp.Or(strings.Compare(a.Column, b.Column), strings.Compare(a.What, b.What), strings.Compare(a.Detail, b.Detail))
	})
	return s.lines
}

// shapeLines are those of one stream.
type shapeLines struct {
	of    *config.Choice
	table string
	lines []shapeLine
}

func (s *shapeLines) add(l shapeLine) {
	l.Stream, l.Table = s.of.Stream.Name, s.table
	s.lines = append(s.lines, l)
}

// asked reports whether the next read of some division asks for a column: another variant of the stream
// may have it, and not be read.
func (s *shapeLines) asked(known load.Drift, column string) bool {
	return slices.ContainsFunc(known.Cursors, func(c load.Cursor) bool {
		if c.Stream != s.of.Stream.Name {
			return false
		}
		v, _ := ways(s.of, inquiryOf(c.Fingerprint).Variant)
		return s.of.Table(v).Index(column) >= 0
	})
}

// learnt adds what earlier runs have found out about the variants of the stream.
func (s *shapeLines) learnt(known load.Drift, have map[string]string) {
	found := map[string]bool{}
	for _, v := range s.of.Stream.Variants {
		d := known.Discoveries[v.Name]
		for _, name := range d.Properties {
			_, column := have[strings.ToLower(name)]
			if _, beside := known.Beside[s.table][name]; !column && !beside {
				found[name] = true
			}
		}
		for _, name := range d.Refused {
			if !strings.HasPrefix(name, "$") {
				s.add(shapeLine{Column: name, What: shapeRefused, Detail: v.Name})
			}
		}
	}
	for name := range maps.Keys(found) {
		s.add(shapeLine{Column: name, What: shapeFound})
	}
}

// shapeChange is one line of the history of shapes.
type shapeChange struct {
	Pipeline string    `json:"pipeline"`
	At       time.Time `json:"changed_at"`
	Run      string    `json:"run_id"`
	Table    string    `json:"table"`
	Column   string    `json:"column,omitempty"`
	Change   string    `json:"change"`
	Detail   string    `json:"detail,omitempty"`
}

func doSchemaHistory(ctx context.Context, k *call) (*view, error) {
	since := time.Time{}
	if text := k.String("since"); text != "" {
		var err error
		if since, err = time.Parse(time.DateOnly, text); err != nil {
			return nil, &usageError{fmt.Sprintf("--since %q is no date", text), "write it as 2026-01-31"}
		}
	}
	all := []shapeChange{}
	err := k.eachShape(ctx, func(p *config.Pipeline, choices []*config.Choice, known load.Drift) {
		ours := map[string]bool{}
		for _, c := range choices {
			ours[c.Stream.Variants[0].Table.FullName()] = true
		}
		for _, n := range known.Changes {
			if ours[n.Table] && !n.At.Before(since) {
				all = append(all, shapeChange{p.Name(), n.At, n.Run, n.Table, n.Column, n.Kind, n.Detail})
			}
		}
	})
	return &view{data: all, text: func(out io.Writer) {
		if len(all) == 0 {
			fmt.Fprintln(out, "nothing has changed")
			return
		}
		t := newTable(out, "when", "table", "column", "what", "detail")
		for _, n := range all {
			t.AppendRow([]any{n.At.Format("2006-01-02 15:04"), n.Table, printable(n.Column), n.Change, printable(n.Detail)})
		}
		t.Render()
	}}, err
}

// accepted is one stream whose shape was taken over.
type accepted struct {
	Pipeline string   `json:"pipeline"`
	Stream   string   `json:"stream"`
	Breaches []string `json:"breaches"`
}

func doSchemaAccept(ctx context.Context, k *call) (*view, error) {
	wanted := split(k.Args().Slice())
	if len(wanted) == 0 {
		return nil, &usageError{"schema accept needs a stream", "exactduck schema accept crm/Accounts"}
	}
	b, err := k.books()
	if err != nil {
		return nil, err
	}
	all := []accepted{}
	var missing error
	for _, name := range b.config.PipelineNames() {
		p := b.config.Pipelines[name]
		if only := k.String("pipeline"); only != "" && only != name {
			continue
		}
		var choices []*config.Choice
		for _, word := range wanted {
			some, err := choose(p, []string{word})
			if err != nil { // another pipeline may have it
				missing = err
			}
			choices = append(choices, some...)
		}
		taken, err := b.accept(ctx, p, choices)
		if err != nil {
			return nil, err
		}
		all = append(all, taken...)
	}
	switch {
	case len(all) == 0 && missing != nil:
		return nil, missing
	case len(all) == 0:
		return nil, &usageError{"no contract is kept of " + strings.Join(wanted, ", "), "only streams with contract: freeze have one, from their first run with it on"}
	}
	return &view{data: all, text: func(out io.Writer) {
		for _, a := range all {
			fmt.Fprintf(out, "%s: accepted%s\n", a.Stream, strings.TrimSuffix(" "+strings.Join(a.Breaches, ", "), " "))
		}
	}}, nil
}

// accept makes what there is now the contracts of frozen streams.
func (b *books) accept(ctx context.Context, p *config.Pipeline, choices []*config.Choice) (taken []accepted, err error) {
	w, err := b.brief(ctx, p)
	if err != nil {
		return nil, err
	}
	defer w.Close()
	known, err := w.Agreements(ctx)
	if err != nil {
		return nil, err
	}
	for _, c := range choices {
		n, there := known[c.Stream.Name]
		if !there || c.Contract != config.Freeze {
			continue
		}
		a := accepted{Pipeline: p.Name(), Stream: c.Stream.Name, Breaches: []string{}}
		shape := c.Shape()
		for _, breach := range append(differences(&n.Contract, shape), n.Broken...) {
			if text := breach.Kind + " " + breach.Column; !slices.Contains(a.Breaches, text) {
				a.Breaches = append(a.Breaches, text)
			}
		}
		if err := w.Agree(ctx, c.Stream.Name, n.Contract.Accept(n.Broken, shape)); err != nil {
			return nil, err
		}
		taken = append(taken, a)
	}
	return taken, w.Close()
}
