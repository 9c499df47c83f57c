package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"exactduck/cmd/exactduck/config"
	"exactduck/extract"
	"exactduck/load"
	"exactduck/load/spool"
	"exactduck/schema"
)

func stateCommands() []command {
	narrow := []cli.Flag{
		&cli.StringSliceFlag{Name: "streams", Usage: "only these `STREAMS` of the pipeline: names or patterns, with commas", EnvVars: env("streams")},
		divisionFlag(),
	}
	return []command{
		{
			name: "state show", usage: "how far each stream is read in each division, and what was asked for", args: "[PIPELINE…]",
			do: doStateShow, flags: narrow, help: `
Shows the cursors in words, what was asked for when they were made, the reads that are half done, and
the endpoints that are left alone because Exact refused them. Reads the working database, or the
published file while a run is on; asks nobody.

   exactduck state show
   exactduck state show nightly --streams 'crm/*' --output json`,
		},
		{
			name: "state reset", usage: "have streams read from their beginning by the next run", args: "[PIPELINE…]",
			do: doStateReset, help: `
Forgets how far streams were read, so that the next run reads them anew. No row is removed: the new
read replaces them when it is complete. What was half read is thrown away. With --refusals nothing
of that happens: it forgets only that Exact has refused endpoints for good, so that the next run asks
again; what was refused within the hour stays parked. Asks first, or takes --yes.

   exactduck state reset --streams crm/Accounts --division 123456
   exactduck state reset --refusals --yes`,
			flags: append(slices.Clone(narrow),
				&cli.BoolFlag{Name: "refusals", Usage: "forget refusals, and nothing else", EnvVars: env("refusals")},
				yesFlag("reset without asking")),
		},
		{
			name: "state export", usage: "write cursors, divisions and what was learnt of endpoints to a file", args: "[PIPELINE]",
			do: doStateExport, help: `
Writes what the working database knows about its rows and not from them, what was forgotten and agreed
included, as JSON: to --to, or else to standard output. The rows themselves are in the published file.

   exactduck state export --to state.json`,
			flags: []cli.Flag{&cli.StringFlag{Name: "to", Usage: "the `FILE` to write; it must not exist", EnvVars: env("to")}},
		},
		{
			name: "state import", usage: "take cursors over from a file that state export wrote", args: "[PIPELINE]",
			do: doStateImport, help: `
Takes the cursors over where the tables hold as many rows as they did when the state was exported, and
refuses the whole file otherwise: a cursor without its rows would lose what lies before it, and one of
rows that were masked otherwise would leave them bare. What was forgotten there is erased here, from every
file; what was forgotten here stays so.

   exactduck state import --from state.json`,
			flags: []cli.Flag{
				&cli.StringFlag{Name: "from", Usage: "the `FILE` to read", EnvVars: env("from")},
				yesFlag("replace the cursors that are there without asking"),
			},
		},
	}
}

// pipelineState is what is known of one pipeline.
type pipelineState struct {
	Pipeline  string          `json:"pipeline"`
	Streams   []streamState   `json:"streams"`
	Divisions []load.Division `json:"divisions"`
}

// streamState is how far one stream is read in one division.
type streamState struct {
	Stream      string      `json:"stream"`
	Scope       string      `json:"scope"`
	Table       string      `json:"table"`
	Variant     string      `json:"variant"`
	Complete    bool        `json:"complete"`
	Rows        int64       `json:"rows"`
	HistoryFrom string      `json:"history_from,omitempty"`
	From        string      `json:"next_read_from"` // in words
	Position    string      `json:"position"`
	Epoch       string      `json:"epoch,omitempty"`
	ReadAt      time.Time   `json:"read_at,omitzero"`
	SweptAt     time.Time   `json:"swept_at,omitzero"`
	Asked       string      `json:"asked"` // in words
	Fingerprint string      `json:"fingerprint"`
	Waiting     *halfRead   `json:"waiting,omitempty"` // what an earlier run has begun
	Sweep       *halfRead   `json:"waiting_sweep,omitempty"`
	Refused     []string    `json:"columns_refused,omitempty"`
	LeftAlone   []leftAlone `json:"left_alone,omitempty"`
}

// halfRead is a spool.
type halfRead struct {
	Mode  spool.Mode `json:"mode"`
	Pages int        `json:"pages"`
	Rows  int64      `json:"rows"`
	Began time.Time  `json:"began_at"`
	Whole bool       `json:"whole"` // and only to be applied
}

// leftAlone is an endpoint that is not asked.
type leftAlone struct {
	Endpoint string    `json:"endpoint"`
	Why      string    `json:"why"` // refused or parked
	Until    time.Time `json:"until"`
}

func doStateShow(ctx context.Context, k *call) (*view, error) {
	pipelines, err := k.pipelines()
	if err != nil {
		return nil, err
	}
	b, err := k.books()
	if err != nil {
		return nil, err
	}
	quotas, err := k.quotas()
	if err != nil {
		return nil, err
	}
	var all []pipelineState
	for _, p := range pipelines {
		wanted, err := k.wanted(p)
		if err != nil {
			return nil, err
		}
		known, err := b.knowledge(ctx, p, false)
		if err != nil {
			return nil, err
		}
		if known.warning != "" {
			k.warnings = append(k.warnings, known.warning)
		}
		all = append(all, stateOf(p, known, wanted, quotas))
	}
	return &view{data: all, text: func(out io.Writer) {
		for _, s := range all {
			s.print(out, k.clock(), k.Bool("v"))
		}
	}}, nil
}

// wanted tells whether --streams and --division mean a stream of a pipeline in a scope.
func (k *call) wanted(p *config.Pipeline) (func(streamScope) bool, error) {
	ours, err := streamsOf(p)
	if err != nil {
		return nil, err
	}
	divisions := split(k.StringSlice("division"))
	if patterns := split(k.StringSlice("streams")); len(patterns) > 0 {
		choices, err := choose(p, patterns)
		if err != nil {
			return nil, err
		}
		ours = func(name string) bool {
			return slices.ContainsFunc(choices, func(c *config.Choice) bool { return c.Stream.Name == name })
		}
	}
	return func(s streamScope) bool {
		return ours(s.stream) && (len(divisions) == 0 || slices.Contains(divisions, string(s.scope)))
	}, nil
}

func stateOf(p *config.Pipeline, k knowledge, wanted func(streamScope) bool, quotas []quotaStanding) pipelineState {
	s := pipelineState{Pipeline: p.Name(), Streams: []streamState{}, Divisions: k.Divisions}
	known := map[streamScope]*streamState{}
	at := func(stream string, scope schema.Scope) *streamState {
		key := streamScope{stream, scope}
		if known[key] == nil {
			known[key] = &streamState{Stream: stream, Scope: string(scope), From: "the beginning"}
		}
		return known[key]
	}
	for _, c := range k.Cursors {
		if wanted(streamScope{c.Stream, c.Scope}) {
			*at(c.Stream, c.Scope) = stateOfCursor(vendorOf(p), c, k.Discoveries[c.Variant])
		}
	}
	for _, file := range k.spools {
		h := file.Header()
		if !wanted(streamScope{h.Stream, h.Scope}) {
			continue
		}
		half := &halfRead{h.Mode, file.Pages(), file.Rows(), h.Began.UTC(), file.Done()}
		if h.Mode == spool.Sweep {
			at(h.Stream, h.Scope).Sweep = half
		} else {
			at(h.Stream, h.Scope).Waiting = half
		}
	}
	for _, stream := range known {
		s.Streams = append(s.Streams, *stream)
	}
	addRefusals(p, &s, quotas, wanted)
	slices.SortFunc(s.Streams, func(a, b streamState) int {
		return cmp.Or(strings.Compare(a.Stream, b.Stream), byNumber(schema.Scope(a.Scope), schema.Scope(b.Scope)))
	})
	return s
}

func stateOfCursor(v vendor, c load.Cursor, d load.Discovery) streamState {
	return streamState{
		Stream: c.Stream, Scope: string(c.Scope), Table: c.Table, Variant: c.Variant, Complete: c.Complete, Rows: c.Rows,
		HistoryFrom: c.HistoryFrom, From: v.kind().Describe(c.Position), Position: string(c.Position), Epoch: c.Epoch,
		ReadAt: c.ReadAt.UTC(), SweptAt: c.SweptAt.UTC(), Asked: inquiryOf(c.Fingerprint).words(), Fingerprint: c.Fingerprint,
		Refused: d.Refused,
	}
}

// addRefusals adds the endpoints that are left alone to the streams that they serve, whether these
// were ever read or not.
func addRefusals(p *config.Pipeline, s *pipelineState, quotas []quotaStanding, wanted func(streamScope) bool) {
	alone := map[streamScope][]leftAlone{}
	add := func(endpoint, why string, scope string, until time.Time) {
		for _, stream := range vendorOf(p).kind().Streams() {
			at := streamScope{stream.Name, schema.Scope(scope)}
			if slices.ContainsFunc(stream.Variants, func(v *extract.Variant) bool { return v.Name == endpoint }) && wanted(at) {
				alone[at] = append(alone[at], leftAlone{endpoint, why, until})
			}
		}
	}
	for _, q := range quotas {
		if q.Connection != p.From {
			continue
		}
		for _, f := range q.Forbidden {
			add(f.Endpoint, "refused", q.Division, f.Until)
		}
		for _, f := range q.Parked {
			add(f.Endpoint, "parked", q.Division, f.Until)
		}
	}
	for i := range s.Streams {
		at := streamScope{s.Streams[i].Stream, schema.Scope(s.Streams[i].Scope)}
		s.Streams[i].LeftAlone = alone[at]
		delete(alone, at)
	}
	for at, endpoints := range alone {
		s.Streams = append(s.Streams, streamState{Stream: at.stream, Scope: string(at.scope), From: "the beginning", LeftAlone: endpoints})
	}
}

// words say what was asked for.
func (i inquiry) words() string {
	parts := []string{i.Variant}
	if len(i.Columns) > 0 {
		parts = append(parts, "only "+strings.Join(i.Columns, ", "))
	}
	if len(i.Without) > 0 {
		parts = append(parts, "without "+strings.Join(i.Without, ", "))
	}
	for _, name := range slices.Sorted(maps.Keys(i.Types)) {
		parts = append(parts, name+" as "+i.Types[name].String())
	}
	if i.Since != "" {
		parts = append(parts, "modified since "+i.Since)
	}
	if i.Filter != "" {
		parts = append(parts, "where "+i.Filter)
	}
	if i.Params != "" {
		parts = append(parts, "with "+i.Params)
	}
	return strings.Join(parts, "; ")
}

func (s *pipelineState) print(out io.Writer, now time.Time, all bool) {
	fmt.Fprintf(out, "%s\n\n", s.Pipeline)
	lines := s.Streams
	if !all && len(lines) > manyLines {
		lines = lines[:manyLines]
	}
	t := newTable(out, "stream", wordFor(s.Streams, func(l streamState) string { return l.Stream }), "rows", "history from", "read", "swept", "next read from", "asked", "remarks")
	for _, l := range lines {
		t.AppendRow([]any{
			l.Stream, shownScope(l.Scope), l.Rows, beginning(l.Stream, l.HistoryFrom), ago(l.ReadAt, now), ago(l.SweptAt, now), l.From, l.Asked,
			strings.Join(l.remarks(now), "; "),
		})
	}
	t.Render()
	if more := len(s.Streams) - len(lines); more > 0 {
		fmt.Fprintf(out, "and %d more; -v shows them all, --streams and --%s some\n", more, wordFor(s.Streams[:1], func(l streamState) string { return l.Stream }))
	}
	for _, d := range s.Divisions {
		if !d.GoneSince.IsZero() {
			fmt.Fprintf(out, "%s %s %s is out of reach since %s\n", placeWord(d.Scope), d.Code, printable(d.Name), day(d.GoneSince))
		}
	}
	fmt.Fprintln(out)
}

// remarks are what is special about a stream.
func (l *streamState) remarks(now time.Time) (all []string) {
	if !l.Complete {
		all = append(all, "to be read from its beginning")
	}
	for _, half := range []*halfRead{l.Waiting, l.Sweep} {
		if half != nil {
			all = append(all, fmt.Sprintf("a %s of %d pages waits to be gone on with", half.Mode, half.Pages))
		}
	}
	if len(l.Refused) > 0 {
		all = append(all, "the source refuses "+strings.Join(l.Refused, ", "))
	}
	for _, e := range l.LeftAlone {
		all = append(all, fmt.Sprintf("%s is %s, not asked for %s", e.Endpoint, e.Why, span(e.Until.Sub(now))))
	}
	return all
}
