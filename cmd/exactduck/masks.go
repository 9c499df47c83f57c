package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"exactduck/cmd/exactduck/config"
	"exactduck/extract/mask"
	"exactduck/load"
	"exactduck/load/spool"
	"exactduck/schema"
)

// masks are those of the streams of a pipeline, by name; a stream without rules has none.
type masks map[string]*mask.Mask

// masked finds the streams of a pipeline, with what tells the key of their hashes from another, and
// their masks.
func (b *books) masked(p *config.Pipeline) ([]*config.Choice, masks, error) {
	choices, err := p.Choices(catalogue)
	if err != nil {
		return nil, nil, err
	}
	lookup := b.getenv
	if lookup == nil {
		lookup = os.LookupEnv
	}
	key, err := b.config.MaskKey(p.Name(), lookup)
	if err != nil {
		return nil, nil, err
	}
	all := masks{}
	for _, c := range choices {
		if len(c.Mask) == 0 {
			continue
		}
		if slices.Contains(slices.Collect(maps.Values(c.Mask)), mask.Hash) {
			c.MaskCheck = mask.Check([]byte(key))
		}
		if all[c.Stream.Name], err = mask.New(c.Mask, []byte(key)); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", c.Stream.Name, err)
		}
	}
	return choices, all, nil
}

// maskedAlike tells whether two inquiries mask alike.
func maskedAlike(a, b inquiry) bool { return maps.Equal(a.Mask, b.Mask) && a.MaskKey == b.MaskKey }

// bare are the properties that the one inquiry has stored and the other does not want to be seen: as
// they came, or as hashes by another key.
func bare(was, is inquiry) (names []string) {
	for name, rule := range is.Mask {
		switch had := was.Mask.Of(name); {
		case had == mask.Drop:
		case had == mask.Hash && rule == mask.Hash && was.MaskKey == is.MaskKey:
		default:
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// without is the inquiry when some properties have been emptied.
func (i inquiry) without(names []string) inquiry {
	rules := mask.Rules{}
	for name, rule := range i.Mask {
		if !slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) }) {
			rules[name] = rule
		}
	}
	for _, name := range names {
		rules[name] = mask.Drop
	}
	i.Mask = rules
	if !slices.Contains(slices.Collect(maps.Values(rules)), mask.Hash) {
		i.MaskKey = ""
	}
	return i
}

// unmasks tells whether one inquiry has less of a column than the next asks for: it is to be hashed
// now, or to be as it came. Of properties without a column what was left out stays so until their
// rows change.
func unmasks(was, is inquiry, has func(column string) bool) bool {
	for name, had := range was.Mask {
		if rule := is.Mask.Of(name); rule != had && rule != mask.Drop && has(name) {
			return true
		}
	}
	for name, rule := range is.Mask {
		if rule == mask.Hash && has(name) && (was.Mask.Of(name) != mask.Hash || was.MaskKey != is.MaskKey) {
			return true
		}
	}
	return false
}

// conceal sees to it, before anything else is done, that no file holds values that are to be masked by
// now: spools that were begun with other masks go, stored rows are emptied of the values, in all
// divisions and whatever this run reads, and what files remember of them is purged. It needs no source.
func (b *books) conceal(ctx context.Context, w *load.Warehouse, p *config.Pipeline, choices []*config.Choice, run string) error {
	if err := b.dropBareSpools(ctx, p, choices); err != nil {
		return err
	}
	cursors, err := w.Cursors(ctx)
	if err != nil {
		return err
	}
	var todo []load.Concealment
	for _, c := range choices {
		for _, cursor := range cursors {
			if cursor.Stream != c.Stream.Name {
				continue
			}
			v := c.Stream.Variants[0]
			was := inquiryOf(cursor.Fingerprint)
			names := bare(was, inquire(v, c))
			if len(names) == 0 {
				continue
			}
			b.log.InfoContext(ctx, "masking stored rows", "stream", cursor.Stream, "scope", cursor.Scope, "columns", names)
			todo = append(todo, load.Concealment{
				Run: run, Stream: cursor.Stream, Scope: cursor.Scope, Table: v.Table, Names: names,
				Fingerprint: was.without(names).text(),
			})
		}
	}
	if err := w.Conceal(ctx, todo...); err != nil {
		return err
	}
	return w.Purge(ctx, b.everywhere(p, run)...)
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

// dropBareSpools removes the spools that were begun with other masks.
func (b *books) dropBareSpools(ctx context.Context, p *config.Pipeline, choices []*config.Choice) error {
	wanted := map[string]inquiry{}
	for _, c := range choices {
		wanted[c.Stream.Name] = inquire(c.Stream.Variants[0], c)
	}
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
		if maskedAlike(inquiryOf(h.Fingerprint), wanted[h.Stream]) {
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

// hide takes out of a page what is not to reach a disk.
func (r *run) hide(t *task, page *schema.Page) (*schema.Page, error) {
	m := r.masks[t.choice.Stream.Name]
	if m == nil && len(t.choice.Mask) > 0 {
		return nil, fmt.Errorf("read %s: its masks are not known", t.choice.Stream.Name)
	}
	page, err := m.Page(page)
	if err != nil {
		return nil, err
	}
	return forgottenOf(t.choice.Stream, r.marks).Page(page), nil
}

// unhashed is the table to ask for so that its pages, masked, are of the table of a spool that is there.
func unhashed(stored *schema.Table, rules mask.Rules, whole *schema.Table) *schema.Table {
	asked := *stored
	asked.Columns = slices.Clone(stored.Columns)
	for i, c := range asked.Columns {
		if at := whole.Index(c.Name); at >= 0 && rules.Of(c.Name) == mask.Hash {
			asked.Columns[i].Type = whole.Columns[at].Type
		}
	}
	return &asked
}
