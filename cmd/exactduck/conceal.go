package main

import (
	"context"
	"slices"

	"exactduck/cmd/exactduck/config"
	"exactduck/load"
	"exactduck/load/spool"
)

// conceal sees to it, before anything else is done and anything is published, that no file holds values
// that are to be masked by now, whichever pipelines write the file; what files remember of them, or of
// what was forgotten, is purged. It needs no source.
func (b *books) conceal(ctx context.Context, w *load.Warehouse, p *config.Pipeline, run string) error {
	if err := b.empty(ctx, w, p, run); err != nil {
		return err
	}
	return w.Purge(ctx, b.everywhere(p, run)...)
}

// empty removes spools that were begun with other masks, and empties stored rows of what is to be masked
// by now, in all divisions and whatever is read this time. What files remember is to be purged then.
func (b *books) empty(ctx context.Context, w *load.Warehouse, p *config.Pipeline, run string) error {
	all, err := b.keepers(p)
	if err != nil {
		return err
	}
	var todo []load.Concealment
	for prefix, keepers := range all {
		for _, k := range keepers {
			if err := b.dropBareSpools(ctx, k.pipeline, keepers); err != nil {
				return err
			}
		}
		cursors, err := w.CursorsOf(ctx, prefix)
		if err != nil {
			return err
		}
		for _, cursor := range cursors {
			if n := concealment(cursor, asked(keepers, cursor.Stream)); len(n.Names) > 0 {
				b.log.InfoContext(ctx, "masking stored rows", "stream", n.Stream, "scope", n.Scope, "columns", n.Names)
				n.Run, n.Prefix = run, prefix
				todo = append(todo, n)
			}
		}
	}
	return w.Conceal(ctx, todo...)
}

// keeper is a pipeline that writes a file, with the streams that it reads, by name.
type keeper struct {
	pipeline *config.Pipeline
	choices  map[string]*config.Choice
	key      string // of its hashes; "": there are none, or it is not at hand
}

// keepers are the pipelines that write the same file as p, by the prefix of their connections' schemas.
func (b *books) keepers(p *config.Pipeline) (map[string][]keeper, error) {
	all := map[string][]keeper{}
	for _, name := range b.config.PipelineNames() {
		q := b.config.Pipelines[name]
		if q.To.DuckDB != p.To.DuckDB {
			continue
		}
		choices, err := q.Choices(catalogue)
		if err != nil {
			return nil, err
		}
		k := keeper{pipeline: q, choices: map[string]*config.Choice{}}
		k.key, _ = b.maskKey(q) // whoever reads rows needs it, and fails
		for _, c := range choices {
			signed(c, k.key)
			k.choices[c.Stream.Name] = c
		}
		prefix := b.config.Connections[q.From].SchemaPrefix
		all[prefix] = append(all[prefix], k)
	}
	return all, nil
}

// asked are the choices that say what is to be masked of a stream: that of the pipeline which reads it
// or, when none does any more, what each of them says of all streams.
func asked(keepers []keeper, stream string) (all []*config.Choice) {
	for _, k := range keepers {
		if c := k.choices[stream]; c != nil {
			return []*config.Choice{c}
		}
	}
	s, _, err := vendorOf(keepers[0].pipeline).kind().Lookup(stream)
	if err != nil { // the deletions, or an endpoint of the file's own
		return nil
	}
	for _, k := range keepers {
		c := k.pipeline.Unlisted(s)
		signed(c, k.key)
		all = append(all, c)
	}
	return all
}

// concealment is what has to be emptied of the rows that a cursor stands for; without Names nothing.
func concealment(cursor load.Cursor, asked []*config.Choice) load.Concealment {
	n := load.Concealment{Stream: cursor.Stream, Scope: cursor.Scope}
	stored := inquiryOf(cursor.Fingerprint)
	for _, c := range asked {
		v := c.Stream.Variants[0]
		names := bare(stored, inquire(v, c))
		stored = stored.without(names)
		n.Names, n.Table = append(n.Names, names...), v.Table
	}
	n.Fingerprint = stored.text()
	return n
}

// everywhere is where the warehouse of a pipeline is published, by it and by others.
func (b *books) everywhere(p *config.Pipeline, run string) []load.Target {
	targets := []load.Target{target(p, run)}
	for _, name := range b.config.PipelineNames() {
		other := b.config.Pipelines[name]
		known := slices.ContainsFunc(targets, func(t load.Target) bool { return t.Parquet == other.To.Parquet })
		if other.To.DuckDB == p.To.DuckDB && !known && other.To.Parquet != "" {
			targets = append(targets, target(other, run))
		}
	}
	return targets
}

// dropBareSpools removes the spools of a pipeline that were begun with other masks.
func (b *books) dropBareSpools(ctx context.Context, p *config.Pipeline, keepers []keeper) error {
	paths, err := b.allSpools(p)
	if err != nil {
		return err
	}
	for _, path := range paths {
		file, err := spool.Open(path)
		if err != nil {
			return err
		}
		h := file.Header()
		masked := !slices.ContainsFunc(asked(keepers, h.Stream), func(c *config.Choice) bool {
			return !maskedAlike(inquiryOf(h.Fingerprint), inquire(c.Stream.Variants[0], c))
		})
		if masked {
			err = file.Close()
		} else {
			b.log.InfoContext(ctx, "a spool was begun with other masks and is not used", "stream", h.Stream, "scope", h.Scope)
			err = file.Remove()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// allSpools are the reads of a pipeline that have begun, those that are only compared among them.
func (b *books) allSpools(p *config.Pipeline) ([]string, error) {
	applied, err := spool.List(b.spools(p))
	if err != nil {
		return nil, err
	}
	aside, err := spool.List(b.comparisons(p))
	return slices.Concat(applied, aside), err
}
