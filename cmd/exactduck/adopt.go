package main

import (
	"context"
	"slices"

	"exactduck/cmd/exactduck/config"
	"exactduck/extract"
	"exactduck/load/spool"
	"exactduck/schema"
)

// adopt gives every task the spool that an earlier run left for it, removes the spools that are of no
// use any more, and cuts stored rows down to what is wanted by now. A spool is finished as it was
// begun, whatever the configuration says now; what it says is done behind that, see [run.behind].
// Sweeps and deletions are planned later in a run: theirs are kept for [run.adopted].
func (r *run) adopt(ctx context.Context, tasks []*task) error {
	paths, err := spool.List(r.spools)
	if err != nil {
		return err
	}
	for _, path := range paths {
		file, err := spool.Open(path)
		if err != nil {
			return err
		}
		h := file.Header()
		if h.Mode == spool.Sweep || h.Stream == r.planner.feed.Name {
			r.left = append(r.left, file)
			continue
		}
		if err := r.place(ctx, file, tasks); err != nil {
			return err
		}
	}
	return r.narrow(ctx, tasks)
}

// adopted does the same for the sweeps, or for the reads of deletions.
func (r *run) adopted(ctx context.Context, mode spool.Mode, tasks []*task) []*task {
	for _, file := range r.left {
		if file.Header().Mode != mode {
			continue
		}
		if err := r.place(ctx, file, tasks); err != nil {
			r.failures = append(r.failures, err)
		}
	}
	return tasks
}

// place hands a spool to its task. One that no task of this run wants waits for a run that reads
// its stream; one that its own task cannot use goes.
func (r *run) place(ctx context.Context, file *spool.File, tasks []*task) error {
	h := file.Header()
	wanted := r.ours(h.Stream) && !r.settled(h)
	for _, t := range tasks {
		if t.choice.Stream.Name != h.Stream || t.place.Scope != h.Scope {
			continue
		}
		if r.useful(t, h) {
			r.log.DebugContext(ctx, "going on with a spool", "stream", h.Stream, "scope", h.Scope, "pages", file.Pages())
			t.take(file)
			t.narrowed = fewer(r.planner.cursors[streamScope{h.Stream, h.Scope}].Fingerprint, h.Fingerprint)
			return nil
		}
		wanted = false
	}
	if wanted {
		return file.Close()
	}
	r.log.InfoContext(ctx, "a spool of an earlier run is not needed any more", "stream", h.Stream, "scope", h.Scope, "mode", h.Mode)
	return file.Remove()
}

// useful tells whether finishing the spool brings the warehouse nearer to what the task wants.
func (r *run) useful(t *task, h spool.Header) bool {
	cursor := r.planner.cursors[streamScope{h.Stream, h.Scope}]
	switch {
	case t.file != nil, h.Epoch != t.place.Epoch, r.settled(h), (h.Mode == spool.Sweep) != (t.mode == spool.Sweep):
		return false
	case len(differing(h.Table, t.choice.Shape())) > 0: // the table would have to change, and to change back
		return false
	case h.Mode == spool.Sweep: // to one of another choice rows are missing that are not wanted any more
		return h.Fingerprint == t.fingerprint
	case h.Mode == spool.Window:
		return t.mode == spool.Window && h.HistoryFrom == t.historyFrom
	case h.Mode == spool.Merge:
		return t.mode == spool.Merge && h.From == cursor.Position
	}
	return h.Began.After(cursor.ReadAt)
}

// differing are the columns of a table that a shape has with another type.
func differing(t *schema.Table, shape map[string]schema.Type) []schema.Column {
	return slices.DeleteFunc(slices.Clone(t.Columns), func(c schema.Column) bool {
		kind, there := shape[c.Name]
		return !there || kind == c.Type
	})
}

// settled tells that the warehouse has applied the spool, or has been swept since it was begun.
func (r *run) settled(h spool.Header) bool {
	cursor := r.planner.cursors[streamScope{h.Stream, h.Scope}]
	if h.Mode == spool.Sweep {
		return h.ID == cursor.SweepSpool || h.Began.Before(cursor.SweptAt)
	}
	return h.ID == cursor.Spool
}

// take makes the task the one that the spool was begun for: the same table, date, filter and
// parameters.
func (t *task) take(file *spool.File) {
	h := file.Header()
	was := inquiryOf(h.Fingerprint)
	if t.changed = h.Fingerprint != t.fingerprint; t.changed {
		t.narrowing = nil // it would be undone
	}
	t.file, t.table, t.mode, t.from, t.fingerprint, t.historyFrom = file, h.Table, h.Mode, h.From, h.Fingerprint, h.HistoryFrom
	t.asked = unhashed(h.Table, t.choice.Mask, (&config.Choice{Stream: t.choice.Stream, Types: was.Types}).Table(variantCalled(t.choice.Stream, h.Variant, t.variant)))
	t.filter, t.since = was.Filter, momentOf(was.Since)
	if h.Mode == spool.Replace || h.Mode == spool.Window {
		t.since = momentOf(h.HistoryFrom) // zero: all of the history
	}
	for _, v := range t.choice.Stream.Variants {
		if v.Name == h.Variant && v.Name != t.variant.Name {
			t.variant = v
			if h.Mode == spool.Replace {
				t.variant, _ = bothWays(t.choice.Stream, v)
			}
		}
	}
	if was.Variant == t.variant.Name && was.Params != t.variant.Query {
		begun := *t.variant
		begun.Query, t.variant = was.Params, &begun
	}
	// Row versions come in order: a read by them that goes on ends with the latest changes.
	t.stale = file.Done() || t.variant.Cursor != extract.Versioned
}

// variantCalled is the variant of a stream with a name, or another where it has none of that.
func variantCalled(s *extract.Stream, name string, other *extract.Variant) *extract.Variant {
	for _, v := range s.Variants {
		if v.Name == name {
			return v
		}
	}
	return other
}

// again is the read that a task would be now.
func (p *planner) again(t *task) *task {
	if t.choice.Stream == p.feed {
		return p.deletionRead(t.place)
	}
	return p.read(t.choice, t.place)
}

// behind are the reads that follow those of an earlier run's reads among tasks which are applied by
// now: of what changed since these were begun, or of everything, where the configuration has changed
// meanwhile. Behind them the tables are what a read of this run would have made of them. What has no
// cursor is left to the next run.
func (r *run) behind(ctx context.Context, tasks []*task) []*task {
	tasks = slices.DeleteFunc(slices.Clone(tasks), func(t *task) bool { return !t.stale && !t.changed || !t.done || t.err != nil })
	if len(tasks) == 0 {
		return nil
	}
	cursors, err := r.warehouse.Cursors(ctx)
	if err != nil {
		r.failures = append(r.failures, err)
		return nil
	}
	p := newPlanner(r.planner.now, cursors, r.planner.vendor)
	var reads, cuts []*task
	for _, t := range tasks {
		next := p.again(t)
		if next.narrowing != nil {
			cuts = append(cuts, next)
		}
		if next.why == whyNews && t.stale || next.why != whyNews && t.changed && next.becomes != same {
			next.also, next.behind = t.also, t
			reads = append(reads, next)
		}
	}
	if err := r.narrow(ctx, cuts); err != nil {
		r.failures = append(r.failures, err)
		return nil
	}
	return reads
}
