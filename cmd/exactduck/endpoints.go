package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	pretty "github.com/jedib0t/go-pretty/v6/text"

	"exactduck/cmd/exactduck/config"
	"exactduck/extract"
	"exactduck/extract/exactonline"
	"exactduck/schema"
)

func endpointsCommand() command {
	return command{
		name: "endpoints", usage: "list the streams that can be read, and what each is made of", args: "[PATTERN]",
		help: `
Needs no configuration and asks nobody. A pattern leaves out reports (read/), previews (beta/),
webhooks and lists of one user, unless it begins with their names; without one all are listed.
A single stream is shown with its columns.

   exactduck endpoints
   exactduck endpoints 'crm/*'
   exactduck endpoints financial/TransactionLines
   exactduck endpoints --output json

   variants   the endpoints that serve the stream, the cheapest first
   cursor     how a night reads only what is new: by row version, by the date of modification or the
              one that is named, by spans of time, or not at all, so that every read is the whole
   deletions  feed: the source says what is gone; sweep: keys are compared now and then; replaced: the
              rows are replaced by those of every read; reconcile: everything is read again now and then
   scope      division, account: read in each; connection: read once`,
		do: doEndpoints,
	}
}

// streamFacts are what the catalogue knows of a stream.
type streamFacts struct {
	Stream      string         `json:"stream"`
	Table       string         `json:"table"` // before any schema_prefix
	Variants    []variantFacts `json:"variants"`
	Key         []string       `json:"key"`
	Version     string         `json:"version,omitempty"` // the column that orders two states of a row
	Cursor      string         `json:"cursor"`
	Deletions   string         `json:"deletions"`
	EntityType  int32          `json:"entity_type,omitempty"` // in the feed of deletions
	Scope       string         `json:"scope"`
	OAuthScopes []string       `json:"oauth_scopes"` // of all variants
	Quiet       bool           `json:"quiet"`        // left out by wildcards
	Personal    bool           `json:"personal"`
	Columns     []columnFacts  `json:"columns"`
	vendor      vendor
	open        bool // it takes no permission
}

type variantFacts struct {
	Name           string           `json:"name"`
	Kind           string           `json:"kind"`
	Path           string           `json:"path"`
	RowsPerCall    int              `json:"rows_per_call"`
	Cursor         string           `json:"cursor"`
	Since          bool             `json:"since"` // can begin at a date of modification
	OAuthScope     string           `json:"oauth_scope,omitempty"`
	SelectRequired bool             `json:"select_required"`
	Filterable     []string         `json:"filterable"` // null: no restriction is documented
	Parameters     []parameterFacts `json:"parameters"`
	Methods        []string         `json:"methods"`
}

type parameterFacts struct {
	Name      string `json:"name"`
	Type      string `json:"exact_type"`
	Mandatory bool   `json:"mandatory"`
}

type columnFacts struct {
	Name      string      `json:"name"`
	Type      schema.Type `json:"type"`
	ExactType string      `json:"exact_type"`
	Key       bool        `json:"key"`
	Guessed   bool        `json:"guessed"`  // no documentation states the type
	Variants  []string    `json:"variants"` // that deliver it
}

func doEndpoints(_ context.Context, k *call) (*view, error) {
	pattern := k.Args().First()
	if k.NArg() > 1 {
		return nil, &usageError{"endpoints takes one pattern", "put it in quotes, or the shell replaces it by file names"}
	}
	var facts []*streamFacts
	var unknown error
	for _, v := range everyVendor() {
		streams, err := v.kind().Streams(), error(nil)
		if pattern != "" {
			streams, err = v.kind().Match(pattern)
		}
		if v == vendorNamed(pattern) {
			unknown = err
		}
		for _, s := range streams {
			facts = append(facts, factsOf(v, s))
		}
	}
	if len(facts) == 0 {
		return nil, asPattern(pattern, unknown)
	}
	return &view{data: facts, text: func(out io.Writer) {
		if len(facts) == 1 && !strings.ContainsAny(pattern, "*?[") {
			facts[0].print(out)
			return
		}
		printStreams(out, facts)
	}}, nil
}

// asPattern makes a broken pattern the caller's fault, as an unknown stream is.
func asPattern(pattern string, err error) error {
	if as[*extract.UnknownStream](err) || as[*exactonline.NotPullable](err) || as[*exactonline.NoVariant](err) {
		return err
	}
	return &usageError{fmt.Sprintf("%q is no pattern", pattern), "* stands for any text, ? for one character, [a-c] for one of several"}
}

func factsOf(of vendor, s *extract.Stream) *streamFacts {
	full, _ := ways(&config.Choice{Stream: s}, "")
	f := &streamFacts{
		Stream: s.Name, Table: full.Table.FullName(), Key: orEmpty(full.Table.Key), Version: full.Table.Version, Cursor: cursorName(full.Cursor),
		Deletions: deletionsOf(full), EntityType: full.Table.Entity, Scope: of.words().place, OAuthScopes: []string{},
		Quiet: s.Quiet, Personal: s.Personal, Columns: columnsOf(of, s), vendor: of,
	}
	if s.Shared {
		f.Scope = "connection"
	}
	for _, v := range s.Variants {
		d := of.kind().Documented(v)
		f.Variants, f.open = append(f.Variants, variantOf(v, d)), f.open || d.Open
		if v == full {
			f.Cursor = f.Variants[len(f.Variants)-1].Cursor
		}
		for scope := range strings.FieldsSeq(d.Permission) {
			if !slices.Contains(f.OAuthScopes, scope) {
				f.OAuthScopes = append(f.OAuthScopes, scope)
			}
		}
	}
	return f
}

func variantOf(v *extract.Variant, d extract.Documented) variantFacts {
	parameters := []parameterFacts{}
	for _, p := range d.Parameters {
		parameters = append(parameters, parameterFacts(p))
	}
	return variantFacts{
		Name: v.Name, Kind: v.Kind, Path: d.Path, RowsPerCall: v.PageSize, Cursor: cmp.Or(d.Cursor, cursorName(v.Cursor)), Since: v.Begins(),
		OAuthScope: d.Permission, SelectRequired: d.Selective, Filterable: d.Filterable, Parameters: parameters, Methods: d.Methods,
	}
}

func cursorName(c extract.Cursor) string {
	return map[extract.Cursor]string{extract.Versioned: "row version", extract.Modified: "modified", extract.Whole: "none"}[c]
}

// deletionsOf says how a row that is gone at the source comes to be gone here.
func deletionsOf(full *extract.Variant) string {
	switch {
	case full.Table.Entity != 0:
		return "feed"
	case full.Cursor == extract.Whole:
		return "replaced"
	case full.Reconciled:
		return "reconcile"
	}
	return "sweep"
}

func orEmpty(list []string) []string { return append([]string{}, list...) }

// columnsOf are the columns of all variants, those of the cheapest first.
func columnsOf(of vendor, s *extract.Stream) []columnFacts {
	columns := []columnFacts{}
	place := map[string]int{}
	for _, v := range s.Variants {
		guessed := of.kind().Documented(v).Guessed
		for _, c := range v.Table.Columns {
			i, known := place[c.Name]
			if !known {
				i, place[c.Name] = len(columns), len(columns)
				columns = append(columns, columnFacts{Name: c.Name, Type: c.Type, ExactType: c.Source, Key: slices.Contains(v.Table.Key, c.Name)})
			}
			columns[i].Variants = append(columns[i].Variants, v.Name)
			columns[i].Guessed = columns[i].Guessed || slices.Contains(guessed, c.Name)
		}
	}
	return columns
}

func printStreams(out io.Writer, facts []*streamFacts) {
	t := newTable(out, "stream", "table", "variants", "key", "columns", "cursor", "deletions", "scope", permissionWord(facts))
	t.SetColumnConfigs([]table.ColumnConfig{{Number: 5, Align: pretty.AlignRight, AlignHeader: pretty.AlignRight}})
	for _, f := range facts {
		t.AppendRow([]any{
			f.Stream, f.Table, strings.Join(f.kinds(), ", "), f.keyText(), len(f.Columns), f.Cursor, f.Deletions, f.Scope,
			strings.Join(f.OAuthScopes, ", "),
		})
	}
	t.Render()
}

// permissionWord is what vendors call what a login must have been granted.
func permissionWord(facts []*streamFacts) string {
	var all []string
	for _, f := range facts {
		all = including(all, f.vendor.words().permission)
	}
	return strings.Join(all, " or ")
}

// permission is what a login must have been granted.
func (f *streamFacts) permission() string {
	if f.open {
		return "none"
	}
	return cmp.Or(strings.Join(f.OAuthScopes, ", "), "not documented")
}

func (f *streamFacts) kinds() []string {
	kinds := make([]string, len(f.Variants))
	for i, v := range f.Variants {
		kinds[i] = v.Kind
	}
	return kinds
}

func (f *streamFacts) keyText() string { return cmp.Or(strings.Join(f.Key, ", "), "none") }

// print shows one stream with its columns.
func (f *streamFacts) print(out io.Writer) {
	deletions := map[string]string{
		"feed": f.vendor.words().name + "'s feed says what is gone", "sweep": "keys are compared now and then",
		"replaced": "the rows are replaced by those of every read", "reconcile": "everything is read again now and then",
	}
	fmt.Fprintf(out, "stream       %s\ntable        %s\nkey          %s\ncursor       %s\ndeletions    %s\nscope        %s\n%-11s  %s\n",
		f.Stream, f.Table, f.keyText(), f.Cursor, deletions[f.Deletions], f.Scope,
		f.vendor.words().permission, f.permission())
	if f.Quiet {
		fmt.Fprintln(out, "note         wildcards leave it out: list it by name")
	}
	if f.Personal {
		fmt.Fprintln(out, "note         holds personal data")
	}
	fmt.Fprintln(out)
	f.printVariants(out)
	fmt.Fprintln(out)
	f.printColumns(out)
}

func (f *streamFacts) printVariants(out io.Writer) {
	t := newTable(out, "variant", "kind", "rows a call", "cursor", f.vendor.words().permission)
	t.SetColumnConfigs([]table.ColumnConfig{{Number: 3, Align: pretty.AlignRight, AlignHeader: pretty.AlignRight}})
	for _, v := range f.Variants {
		t.AppendRow([]any{v.Name, v.Kind, v.RowsPerCall, v.Cursor, v.OAuthScope})
	}
	t.Render()
}

func (f *streamFacts) printColumns(out io.Writer) {
	t := newTable(out, "column", "type", "at "+f.vendor.words().name, "")
	for _, c := range f.Columns {
		var notes []string
		if c.Key {
			notes = append(notes, "key")
		}
		if c.Guessed {
			notes = append(notes, "type not documented")
		}
		if len(c.Variants) < len(f.Variants) {
			notes = append(notes, "only in "+strings.Join(c.Variants, ", "))
		}
		t.AppendRow([]any{c.Name, c.Type.String(), c.ExactType, strings.Join(notes, "; ")})
	}
	t.Render()
}
