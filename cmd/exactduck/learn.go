package main

import (
	"context"
	"errors"
	"slices"

	"exactduck/extract"
	"exactduck/extract/mask"
	"exactduck/load"
	"exactduck/schema"
)

// discover tells the source what earlier runs have learnt of its endpoints, and looks, once a week
// per variant in use, for properties that the catalogue does not know, so that they are asked for
// from now on. In such a run the source is told nothing, so that a column that came back is noticed.
func (r *run) discover(ctx context.Context, tasks []*task) {
	r.learnt = map[string]load.Discovery{}
	short := r.short(tasks)
	for _, t := range tasks {
		known, done := r.learnt[t.variant.Name]
		if !done {
			known = r.properties(ctx, t, short)
			r.learnt[t.variant.Name] = known
		}
		if t.choice.Columns == nil { // who names columns wants no others
			t.also = slices.DeleteFunc(slices.Clone(known.Properties), func(p string) bool { return t.choice.Mask.Of(p) == mask.Drop })
		}
	}
}

// short are the divisions whose calls of the day do not suffice for the reads, let alone for more.
func (r *run) short(tasks []*task) map[schema.Scope]bool {
	need := map[schema.Scope]int{}
	for _, t := range tasks {
		need[t.place.Scope] += max(t.least, t.expected)
	}
	short := map[schema.Scope]bool{}
	for scope, n := range need {
		left, known := r.budget(scope)
		short[scope] = known && left <= n
	}
	return short
}

func (r *run) properties(ctx context.Context, t *task, short map[schema.Scope]bool) load.Discovery {
	known, err := r.warehouse.Discovery(ctx, t.variant.Name)
	if err == nil && (r.clock().Sub(known.At) < discoverEvery || short[t.place.Scope]) {
		r.source.Know(t.variant.Name, known.Refused, known.Filtered)
		return known
	}
	if err == nil {
		var found []string
		if found, err = r.source.Discover(ctx, t.place.Scope, t.variant); err == nil {
			r.tellFound(ctx, t, known.Properties, found)
			known.Properties = found
		}
		if err == nil || as[*extract.Refused](err) { // who is refused today should not ask every night
			known.At = r.clock()
			err = errors.Join(err, r.warehouse.Discover(ctx, r.id, t.variant.Name, t.table, known))
		}
	}
	if err != nil { // the rows can be read all the same; the next run looks again
		r.log.WarnContext(ctx, "looking for new properties failed", "stream", t.choice.Stream.Name, "error", err)
	}
	return known
}

// tellFound warns of properties that no search has found before.
func (r *run) tellFound(ctx context.Context, t *task, before, now []string) {
	shape := t.choice.Shape()
	for _, name := range now {
		if _, column := shape[name]; !column && !slices.Contains(before, name) {
			r.tellNews(ctx, []load.Change{{Table: t.table.FullName(), Column: name, Kind: "discovered"}})
		}
	}
}

// remember keeps what the source has learnt of its endpoints in this run. What it was not told, and
// did not meet because no read came to its end, stays as it was.
func (r *run) remember(ctx context.Context, tasks []*task) error {
	for _, t := range tasks {
		if !t.done || t.calls == 0 {
			continue
		}
		before, looked := r.learnt[t.variant.Name]
		refused, filtered := r.source.Known(t.variant.Name)
		if slices.Equal(refused, before.Refused) && filtered == before.Filtered {
			continue
		}
		if !looked {
			var err error
			if before, err = r.warehouse.Discovery(ctx, t.variant.Name); err != nil {
				return err
			}
		}
		for _, n := range refusedSince(&load.Contract{Refused: before.Refused}, t, refused) {
			r.warn(ctx, t.table.FullName()+": "+n.Column+": "+n.Detail+"; rows that are read without it hold NULL")
		}
		before.Refused, before.Filtered = refused, filtered
		r.learnt[t.variant.Name] = before
		if err := r.warehouse.Discover(ctx, r.id, t.variant.Name, t.table, before); err != nil {
			return err
		}
	}
	return nil
}
