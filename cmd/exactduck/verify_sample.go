package main

import (
	"context"
	"slices"
	"time"

	"exactduck/load"
	"exactduck/load/spool"
)

// samples are reads of some pages of each task, from a date on that is chosen by chance: that of some
// stored row.
func (v *verification) samples(ctx context.Context, tasks map[streamScope]*task) (all []*task, err error) {
	if v.o.sample == 0 || v.o.deep {
		return nil, nil
	}
	for at, t := range tasks {
		c := v.sampleOf(t)
		if c == nil || v.reread[at] != nil {
			continue
		}
		if c.table.Index(c.variant.Dated) >= 0 {
			from, known, err := v.warehouse.SomeDate(ctx, c.table, c.variant.Dated, at.scope)
			if err != nil {
				return nil, err
			}
			if known && from.After(c.since) {
				c.since = from.Truncate(time.Second)
			}
		}
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b *task) int { return inTurn(a, b) })
	return all, nil
}

// sampleOf reads as many pages as are wanted from the beginning; nil: the rows have no key.
func (v *verification) sampleOf(t *task) *task {
	c := v.comparisonBy(t, spool.Rows)
	if c != nil {
		c.mode, c.most = spool.Some, v.o.sample
	}
	return c
}

// judgeSamples says what the samples come to.
func (v *verification) judgeSamples() (all []finding) {
	for at, c := range v.sampled {
		f := finding{Check: v.stamp(at.stream, at.scope, load.Check{Kind: checkSample, Result: resultSame, Here: new(c.Read)})}
		if !c.Same() {
			f.Result, f.Detail, f.Advice = resultDiffers, comparedInWords(c), repairing(at)
		}
		all = append(all, f)
	}
	return all
}
