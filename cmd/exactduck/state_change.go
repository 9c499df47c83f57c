package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"exactduck/cmd/exactduck/config"
	"exactduck/extract/mask"
	"exactduck/load"
	"exactduck/load/spool"
	"exactduck/schema"
)

func doStateReset(ctx context.Context, k *call) (*view, error) {
	pipelines, err := k.pipelines()
	if err != nil {
		return nil, err
	}
	if k.Bool("refusals") {
		return k.forgetRefusals(ctx, pipelines)
	}
	b, err := k.books()
	if err != nil {
		return nil, err
	}
	plans := make([]*reset, len(pipelines))
	count := 0
	for i, p := range pipelines {
		wanted, err := k.wanted(p)
		if err != nil {
			return nil, err
		}
		if plans[i], err = b.toReset(ctx, p, wanted); err != nil {
			return nil, err
		}
		count += len(plans[i].Streams)
	}
	if count > 0 {
		if err := k.confirm(ctx, fmt.Sprintf("have %d streams read from their beginning", count)); err != nil {
			return nil, err
		}
	}
	for i, p := range pipelines {
		if err := b.reset(ctx, p, plans[i]); err != nil {
			return nil, err
		}
	}
	return &view{data: plans, text: func(out io.Writer) {
		fmt.Fprintf(out, "%d streams are read from their beginning by the next run; their rows stay until then\n", count)
	}}, nil
}

// reset is what a reset of a pipeline concerns.
type reset struct {
	Pipeline string        `json:"pipeline"`
	Streams  []resetStream `json:"streams"`
	wanted   func(streamScope) bool
}

type resetStream struct {
	Stream string       `json:"stream"`
	Scope  schema.Scope `json:"scope"`
}

// brief opens the warehouse of a pipeline for a moment.
func (b *books) brief(ctx context.Context, p *config.Pipeline) (*load.Warehouse, error) {
	o := b.options(p)
	o.Brief = true
	return load.Open(ctx, o)
}

// toReset finds the streams of a pipeline that were read and are meant.
func (b *books) toReset(ctx context.Context, p *config.Pipeline, wanted func(streamScope) bool) (*reset, error) {
	w, err := b.brief(ctx, p)
	if err != nil {
		return nil, err
	}
	defer w.Close()
	cursors, err := w.Cursors(ctx)
	if err != nil {
		return nil, err
	}
	r := &reset{Pipeline: p.Name(), Streams: []resetStream{}, wanted: wanted}
	for _, c := range cursors {
		if wanted(streamScope{c.Stream, c.Scope}) {
			r.Streams = append(r.Streams, resetStream{c.Stream, c.Scope})
		}
	}
	return r, w.Close()
}

// reset forgets the cursors, and throws half reads away.
func (b *books) reset(ctx context.Context, p *config.Pipeline, r *reset) error {
	w, err := b.brief(ctx, p)
	if err != nil {
		return err
	}
	defer w.Close()
	for _, s := range r.Streams {
		if err := w.ResetCursor(ctx, s.Stream, s.Scope); err != nil {
			return err
		}
	}
	paths, err := spool.List(b.spools(p))
	if err != nil {
		return err
	}
	for _, path := range paths {
		file, err := spool.Open(path)
		if err != nil {
			return err
		}
		h := file.Header()
		if !r.wanted(streamScope{h.Stream, h.Scope}) {
			err = file.Close()
		} else {
			b.log.DebugContext(ctx, "removing spool", "stream", h.Stream, "scope", h.Scope)
			err = file.Remove()
		}
		if err != nil {
			return err
		}
	}
	return w.Close()
}

// forgetRefusals lets the next run ask again what was refused for good.
func (k *call) forgetRefusals(ctx context.Context, pipelines []*config.Pipeline) (*view, error) {
	var meant []func()
	forgotten := 0
	for _, p := range pipelines {
		wanted, err := k.wanted(p)
		if err != nil {
			return nil, err
		}
		l, err := k.login(p.From)
		if err != nil {
			return nil, err
		}
		book := l.ledger(k)
		quotas, err := k.quotas()
		if err != nil {
			return nil, err
		}
		s := pipelineState{}
		addRefusals(p, &s, quotas, wanted)
		for _, stream := range s.Streams {
			for _, e := range stream.LeftAlone {
				meant = append(meant, func() { forgotten += book.Forget(ctx, schema.Scope(stream.Scope), e.Endpoint) })
			}
		}
	}
	if len(meant) > 0 {
		if err := k.confirm(ctx, fmt.Sprintf("ask %d endpoints again that Exact has refused", len(meant))); err != nil {
			return nil, err
		}
	}
	for _, forget := range meant {
		forget()
	}
	return &view{data: map[string]int{"forgotten": forgotten}, text: func(out io.Writer) {
		fmt.Fprintf(out, "%d refusals are forgotten; the next run asks again\n", forgotten)
	}}, nil
}

// oneWarehouse is the pipeline that the arguments name, or any of those that share a connection and a
// file.
func (k *call) oneWarehouse() (*config.Pipeline, error) {
	pipelines, err := k.pipelines()
	if err != nil {
		return nil, err
	}
	first := pipelines[0]
	if slices.ContainsFunc(pipelines, func(p *config.Pipeline) bool { return p.From != first.From || p.To.DuckDB != first.To.DuckDB }) {
		return nil, &usageError{"the pipelines have several warehouses or connections", fmt.Sprintf(`name one of them: "exactduck %s PIPELINE"`, k.name)}
	}
	return first, nil
}

func doStateExport(ctx context.Context, k *call) (*view, error) {
	p, err := k.oneWarehouse()
	if err != nil {
		return nil, err
	}
	b, err := k.books()
	if err != nil {
		return nil, err
	}
	w, err := b.brief(ctx, p)
	if err != nil {
		return nil, err
	}
	defer w.Close()
	state, err := w.ExportState(ctx)
	if err != nil {
		return nil, err
	}
	text, err := json.MarshalIndent(state, "", "  ")
	if err != nil {
		return nil, err
	}
	text = append(text, '\n')
	to := k.String("to")
	if to == "" {
		return &view{data: state, text: func(out io.Writer) { _, _ = out.Write(text) }}, nil
	}
	if err := writeState(to, text); err != nil {
		return nil, err
	}
	data := map[string]any{"file": to, "cursors": len(state.Cursors), "divisions": len(state.Divisions)}
	return &view{data: data, text: func(out io.Writer) {
		fmt.Fprintf(out, "wrote %d cursors and %s to %s\n", len(state.Cursors), placesOfState(state), to)
	}}, nil
}

// placesOfState says how many places a state knows, in the word of their vendor.
func placesOfState(s load.State) string {
	var scopes []schema.Scope
	for _, d := range s.Divisions {
		scopes = append(scopes, d.Scope)
	}
	return plural(len(scopes), placeWord(scopes...))
}

// writeState writes a file that is not there yet.
func writeState(path string, text []byte) (err error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return &usageError{path + " is there already", "name another file, or move it away"}
	}
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	return errors.Join(err, file.Sync(), file.Close())
}

func doStateImport(ctx context.Context, k *call) (*view, error) {
	from := k.String("from")
	if from == "" {
		return nil, &usageError{"state import needs a file", `"exactduck state import --from FILE"; "exactduck state export" writes one`}
	}
	text, err := os.ReadFile(from)
	if err != nil {
		return nil, err
	}
	var state load.State
	if err := json.Unmarshal(text, &state); err != nil {
		return nil, &usageError{from + " is no state: " + err.Error(), `"exactduck state export" writes one`}
	}
	p, err := k.oneWarehouse()
	if err != nil {
		return nil, err
	}
	b, err := k.books()
	if err != nil {
		return nil, err
	}
	if err := k.confirm(ctx, fmt.Sprintf("replace the cursors of %s with the %d of %s", p.Name(), len(state.Cursors), from)); err != nil {
		return nil, err
	}
	w, err := b.brief(ctx, p)
	if err != nil {
		return nil, err
	}
	defer w.Close()
	if err := w.ImportState(ctx, state, mask.KeyHash); err != nil {
		return nil, err
	}
	if err := b.conceal(ctx, w, p, runID(b.clock())); err != nil { // what was forgotten there leaves the files here
		return nil, err
	}
	data := map[string]int{"cursors": len(state.Cursors), "divisions": len(state.Divisions)}
	return &view{data: data, text: func(out io.Writer) {
		fmt.Fprintf(out, "took over %d cursors and %s\n", len(state.Cursors), placesOfState(state))
	}}, w.Close()
}
