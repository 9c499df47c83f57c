package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"exactduck/cmd/exactduck/config"
	"exactduck/extract"
	"exactduck/load"
	"exactduck/load/spool"
	"exactduck/schema"
)

// waitedFor is after how long a read that was begun and not ended is worth a remark.
const waitedFor = 3 * 24 * time.Hour

// stored is what a warehouse holds of a pipeline, as its cursors tell.
type stored struct {
	every   []*config.Choice // of the pipeline
	chosen  map[string]*config.Choice
	cursors map[streamScope]load.Cursor
	places  []extract.Place
	narrow  bool // only some divisions of the pipeline are looked at
	marks   []load.Mark
}

func (v *verification) stored() *stored {
	s := &stored{every: v.every, chosen: map[string]*config.Choice{}, cursors: v.planner.cursors, places: v.places, narrow: len(v.o.divisions) > 0, marks: v.marks}
	for _, c := range v.choices {
		s.chosen[c.Stream.Name] = c
	}
	return s
}

// inspected are the streams of which something is stored; those that were not chosen only tell what
// the others name.
func (s *stored) inspected() []load.Inspected {
	var all []load.Inspected
	for _, c := range s.every {
		i := load.Inspected{
			Stream: c.Stream.Name, Header: c.Stream.Header, HeaderKey: c.Stream.HeaderKey, Aside: s.chosen[c.Stream.Name] == nil,
			Scopes: map[schema.Scope]time.Time{},
		}
		for _, place := range placesOf(c.Stream, s.places) {
			cursor, known := s.cursors[streamScope{c.Stream.Name, place.Scope}]
			if !known {
				continue
			}
			i.Scopes[place.Scope] = time.Time{}
			if s.whole(cursor) {
				i.Scopes[place.Scope] = cursor.ReadAt
			}
			full, _ := ways(c, inquiryOf(cursor.Fingerprint).Variant)
			i.Table = c.Table(full)
		}
		if i.Table != nil {
			all = append(all, i)
		}
	}
	return all
}

// whole tells that all rows are stored that there are at the source: none are older than the history
// that is kept, left out by a filter, or forgotten.
func (s *stored) whole(c load.Cursor) bool {
	forgotten := slices.ContainsFunc(s.marks, func(m load.Mark) bool {
		return m.Stream == c.Stream && (m.Scope == "" || m.Scope == c.Scope)
	})
	return c.Complete && c.HistoryFrom == "" && inquiryOf(c.Fingerprint).Filter == "" && !forgotten
}

// judgeFlaws says what flaws come to. One that the source explains is no difference: when all rows that
// it is about were compared, or read anew, or when the last verification has found so and nothing
// about it has changed.
func (v *verification) judgeFlaws(flaws []load.Flaw) (all []finding) {
	for _, n := range flaws {
		f := finding{Check: v.stamp(n.Stream, n.Scope, load.Check{Kind: n.Kind, Detail: meanings[n.Kind](n), Here: new(n.Count)})}
		if n.Other != "" && n.Kind != load.Unequal {
			f.about = streamScope{n.Other, n.Scope}
		}
		f.Result = v.weigh(n, f)
		if f.bad() {
			f.Advice = repairing(f.culprit())
		}
		all = append(all, f)
	}
	return all
}

func (v *verification) weigh(n load.Flaw, f finding) string {
	about := f.culprit()
	c, compared := v.compared[about]
	proven := v.reread[about] != nil || compared && c.Same() && v.level[about] == checkContent
	switch n.Kind {
	case load.Misfit:
		return resultNote
	case load.Doubled, load.Keyless:
		return resultDiffers
	case load.Unequal, load.Unbalanced:
		switch {
		case proven || n.Kind == load.Unbalanced && v.even[n.Scope]:
			return resultSource
		case n.Kind == load.Unequal:
			return resultDiffers
		}
	default:
		switch {
		case proven || compared && c.Missing == 0:
			return resultSource
		case compared:
			return resultDiffers
		}
	}
	if v.known(f.Check) {
		return resultSource
	}
	return resultSuspect
}

// remarks are about what is not compared at all: reads that are late, left over or waiting. Streams of
// which nothing else is said are well.
func (s *stored) remarks(v *verification) (all []finding) {
	said := map[streamScope]bool{}
	for i := range v.found {
		said[v.found[i].at()] = true
	}
	place := map[schema.Scope]bool{shared: true}
	for _, p := range s.places {
		place[p.Scope] = true
	}
	for at, cursor := range s.cursors {
		c := s.chosen[at.stream]
		if c == nil {
			continue
		}
		remark := s.remark(c, cursor, place[at.scope], v.clock())
		switch {
		case remark.Kind != "":
			all = append(all, finding{Check: v.stamp(at.stream, at.scope, remark)})
		case !said[at] && place[at.scope]:
			all = append(all, finding{Check: v.stamp(at.stream, at.scope, load.Check{Kind: checkStored, Result: resultSame, Here: new(cursor.Rows)})})
		}
	}
	return all
}

func (s *stored) remark(c *config.Choice, cursor load.Cursor, chosen bool, now time.Time) load.Check {
	switch age := now.Sub(cursor.ReadAt); {
	case !chosen && !s.narrow && cursor.Rows > 0:
		return load.Check{
			Kind: checkLeft, Result: resultNote, Here: new(cursor.Rows), Detail: "the pipeline does not read this " + vendorNamed(cursor.Stream).words().place + " any more; its rows stay",
			Advice: "exactduck forget --" + placed(cursor.Stream, cursor.Scope),
		}
	case !chosen:
		return load.Check{}
	case !cursor.Complete:
		return load.Check{
			Kind: checkLoaded, Result: resultNote, Detail: "the next run reads it from its beginning",
			Advice: "exactduck sync --streams " + c.Stream.Name,
		}
	case c.MaxAge > 0 && age > c.MaxAge:
		return load.Check{
			Kind: checkAge, Result: resultNote, Detail: fmt.Sprintf("last read %s, and max_age is %s", ago(cursor.ReadAt, now), span(c.MaxAge)),
			Advice: "exactduck sync --streams " + c.Stream.Name,
		}
	}
	return load.Check{}
}

// waiting are the reads that were begun long ago and not ended.
func (v *verification) waiting() ([]finding, error) {
	paths, err := spool.List(v.spools)
	if err != nil {
		return nil, err
	}
	var all []finding
	for _, path := range paths {
		file, err := spool.Open(path)
		if err != nil {
			return nil, err
		}
		h, n := file.Header(), file.Pages()
		if err := file.Close(); err != nil {
			return nil, err
		}
		ours := slices.ContainsFunc(v.choices, func(c *config.Choice) bool { return c.Stream.Name == h.Stream })
		if age := v.clock().Sub(h.Began); ours && age > waitedFor {
			all = append(all, finding{Check: v.stamp(h.Stream, h.Scope, load.Check{
				Kind: checkWaiting, Result: resultNote, Here: new(int64(n)),
				Detail: fmt.Sprintf("a read of %s was begun %s and waits after %d pages", h.Variant, ago(h.Began, v.clock()), n),
				Advice: "exactduck sync --streams " + h.Stream,
			})})
		}
	}
	return all, nil
}

// inspect makes the checks that cost no call.
func (b *books) inspect(ctx context.Context, p *config.Pipeline, o verifyOptions) (done verified, err error) {
	done = verified{RunID: runID(b.clock()), Pipeline: p.Name()}
	v := &verification{o: o}
	if v.every, _, err = b.masked(p); err != nil {
		return done, err
	}
	r := &run{id: done.RunID, clock: b.clock, log: b.log, pipeline: p, spools: b.spools(p), target: target(p, done.RunID)}
	v.run = r
	if r.choices, err = among(p, v.every, o.streams); err != nil {
		return done, err
	}
	if r.warehouse, err = b.open(ctx, p, o.wait); err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, r.warehouse.Close()) }()
	if err := b.conceal(ctx, r.warehouse, p, done.RunID); err != nil { // it publishes
		return done, err
	}
	if err := v.inspect(ctx, b); err != nil {
		return done, err
	}
	if err := v.put(ctx, offlineChecks); err != nil {
		return done, err
	}
	done.Checks = checksOf(v.found)
	if done.Published, err = r.warehouse.Publish(ctx, r.target); err != nil {
		return done, err
	}
	return done, verdict(p.Name(), v.found)
}

func (v *verification) inspect(ctx context.Context, b *books) error {
	cursors, err := v.warehouse.Cursors(ctx)
	if err != nil {
		return err
	}
	v.planner = b.planner(v.pipeline, v.o.syncOptions, cursors)
	known, err := v.warehouse.Divisions(ctx)
	if err != nil {
		return err
	}
	if v.places, _, err = choosePlaces(v.pipeline, v.o.divisions, placesOnce(known), known); err != nil {
		return err
	}
	if v.marks, err = v.warehouse.Marks(ctx); err != nil {
		return err
	}
	v.places, _ = leaveForgotten(v.places, v.marks)
	if err := v.recall(ctx); err != nil {
		return err
	}
	flaws, err := v.warehouse.Flaws(ctx, v.stored().inspected())
	if err != nil {
		return err
	}
	v.found = v.judgeFlaws(flaws)
	waiting, err := v.waiting()
	if err != nil {
		return err
	}
	v.found = append(v.found, waiting...)
	v.found = append(v.found, v.stored().remarks(v)...)
	return nil
}
