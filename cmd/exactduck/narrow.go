package main

import (
	"context"

	"exactduck/cmd/exactduck/runs"
	"exactduck/load"
)

// modeNarrow is the mode, in the record of a run, of what is done to stored rows without a read.
const modeNarrow = "narrow"

// narrow cuts stored rows down to what the tasks ask for, where that is less. Each cut and the
// fingerprint that goes with it are one transaction: a run that dies is followed by one that finds
// either.
func (r *run) narrow(ctx context.Context, tasks []*task) error {
	for _, t := range tasks {
		if t.narrowing == nil {
			continue
		}
		n, s := t.narrowing, runs.Stream{
			Stream: t.choice.Stream.Name, Scope: string(t.place.Scope), Variant: t.variant.Name, Mode: modeNarrow,
			Why: whyNarrowed, Status: "done", Started: r.clock(),
		}
		r.log.InfoContext(ctx, "cutting stored rows down to what is asked for", "stream", s.Stream, "scope", s.Scope,
			"columns", n.drop, "since", moment(n.since))
		err := r.warehouse.Narrow(ctx, load.Narrowing{
			Run: r.id, Stream: s.Stream, Scope: t.place.Scope, Table: t.table, Soft: r.pipeline.Soft(),
			Drop: n.drop, Since: n.since, Dated: n.dated,
			Fingerprint: t.fingerprint, HistoryFrom: n.historyFrom,
		})
		if err != nil {
			return err
		}
		s.Ended = r.clock()
		s.Apply = s.Ended.Sub(s.Started).Milliseconds()
		if err := r.record.Stream(s); err != nil {
			return err
		}
	}
	return nil
}
