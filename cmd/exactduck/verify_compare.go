package main

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"exactduck/cmd/exactduck/config"
	"exactduck/load"
	"exactduck/load/spool"
	"exactduck/schema"
)

// whyVerify is the reason for a read that is only compared.
const whyVerify = "verify"

// comparisonKept is for how long a comparison that ran out of calls is gone on with.
const comparisonKept = 7 * 24 * time.Hour

// comparisons is where reads lie that are only compared.
func (b *books) comparisons(p *config.Pipeline) string {
	return filepath.Join(b.config.State(), "verify", p.Name())
}

// suspects are the streams of which rows are to be compared one by one: those that are counted
// otherwise at the source, and those of which others name rows that are missing.
func (v *verification) suspects(tasks map[streamScope]*task, counted map[streamScope]*tally, flaws []load.Flaw) []*task {
	wanted := map[streamScope]bool{}
	for at := range tasks {
		n := counted[at]
		wanted[at] = v.comparesAll() || n != nil && n.differs() && !v.explained(at, n)
	}
	for _, f := range flaws {
		if f.Other != "" && f.Kind != load.Unbalanced && !v.known(v.stamp(f.Stream, f.Scope, load.Check{Kind: f.Kind, Detail: meanings[f.Kind](f)})) {
			wanted[streamScope{f.Other, f.Scope}] = true
		}
	}
	var all []*task
	for at, t := range tasks {
		if !wanted[at] || v.reread[at] != nil {
			continue
		}
		if c := v.comparison(t); c != nil {
			all = append(all, c)
		}
	}
	slices.SortFunc(all, func(a, b *task) int { return inTurn(a, b) })
	return all
}

// comparison is the read that the stored rows are held against; nil: they have no key.
func (v *verification) comparison(t *task) *task {
	if v.o.deep {
		return v.comparisonBy(t, spool.Rows)
	}
	return v.comparisonBy(t, spool.Keys)
}

func (v *verification) comparisonBy(t *task, mode spool.Mode) *task {
	cursor := v.planner.cursors[placeOf(t)]
	switch {
	case len(t.table.Key) == 0:
		return nil
	case mode == spool.Rows:
		return v.everything(t, cursor)
	}
	c := &task{
		choice: t.choice, place: t.place, mode: mode, why: whyVerify, filter: t.filter, fingerprint: t.fingerprint,
		historyFrom: cursor.HistoryFrom, variant: cheapest(t.choice, inquiryOf(cursor.Fingerprint).Variant),
	}
	if c.variant.Windowed { // what is older is not looked at, and would take calls for every span
		c.since = momentOf(cursor.HistoryFrom)
	}
	c.table = c.variant.Table.Select(func(name string) bool { return name == c.variant.Dated })
	return c
}

// everything is the read that would load the rows anew.
func (v *verification) everything(t *task, cursor load.Cursor) *task {
	cursor.Complete = false
	p := &planner{now: v.clock(), cursors: maps.Clone(v.planner.cursors), feed: v.planner.feed, vendor: v.planner.vendor}
	p.cursors[placeOf(t)] = cursor
	c := p.read(t.choice, t.place)
	c.mode, c.why, c.also = spool.Rows, whyVerify, t.also
	return c
}

// consult reads what suspect rows are held against, and the balances that sums are, and then once more
// what has changed meanwhile.
func (v *verification) consult(ctx context.Context, suspects, samples []*task) error {
	if err := v.goOn(suspects); err != nil {
		return err
	}
	v.forecast.estimate(suspects)
	calls := 0
	for _, t := range suspects {
		calls += max(t.expected, t.least)
	}
	if len(suspects) > 0 && !v.comparesAll() {
		v.hint("%s: comparing the keys of %s takes about %s", v.pipeline.Name(), counting(int64(len(suspects)), "stream", "that may differ"), plural(calls, "call"))
	}
	whole, err := v.readAside(ctx, slices.Concat(suspects, samples))
	if err != nil {
		return err
	}
	balances, err := v.balances(ctx)
	if err != nil {
		return err
	}
	if err := v.catchUp(ctx, slices.Concat(whole, balances)); err != nil {
		return err
	}
	return v.hold(ctx, whole)
}

// goOn gives the tasks what an earlier verification has read for them. What no verification can use
// any more goes; the rest waits for one that asks for as much.
func (v *verification) goOn(tasks []*task) error {
	paths, err := spool.List(v.compare)
	if err != nil {
		return err
	}
	for _, path := range paths {
		file, err := spool.Open(path)
		if err != nil {
			return err
		}
		if err := v.adoptAside(file, tasks); err != nil {
			return err
		}
	}
	return nil
}

func (v *verification) adoptAside(file *spool.File, tasks []*task) error {
	h := file.Header()
	if h.Mode == spool.Some { // chance has chosen others by now
		return file.Remove()
	}
	for _, t := range tasks {
		if t.file == nil && placeOf(t) == (streamScope{h.Stream, h.Scope}) && t.mode == h.Mode && v.usable(h, t) {
			t.file = file
			return nil
		}
	}
	t := v.fresh[streamScope{h.Stream, h.Scope}]
	if t != nil && v.usable(h, v.comparisonBy(t, h.Mode)) {
		return file.Close()
	}
	return file.Remove()
}

// usable tells that going on with what was read answers the question of a task.
func (v *verification) usable(h spool.Header, t *task) bool {
	return t != nil && t.fingerprint == h.Fingerprint && t.place.Epoch == h.Epoch && t.variant.Name == h.Variant &&
		v.clock().Sub(h.Began) < comparisonKept
}

// readAside makes the reads that are only compared. Those that are whole are returned; the others stay
// for the next verification.
func (v *verification) readAside(ctx context.Context, tasks []*task) (whole []*task, err error) {
	spools := v.spools
	v.spools = v.compare
	defer func() { v.spools = spools }()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	v.reads += len(tasks)
	v.lap(idle)
	for t := range v.fetchAll(ctx, tasks, stop) {
		v.lap(reading)
		if !t.done {
			v.fail(ctx, t)
			continue
		}
		line := v.last(t, 0)
		line.Status = "done"
		if err := v.record.Stream(line); err != nil {
			return nil, err
		}
		whole = append(whole, t)
	}
	return whole, context.Cause(ctx)
}

// catchUp reads once more what has changed, of the streams of tasks and of the ledger whose balances
// were read.
func (v *verification) catchUp(ctx context.Context, tasks []*task) error {
	cursors, err := v.warehouse.Cursors(ctx)
	if err != nil {
		return err
	}
	p := newPlanner(v.clock(), cursors, v.planner.vendor)
	p.changes = true
	var reads []*task
	seen := map[streamScope]bool{}
	for _, t := range tasks {
		at := placeOf(t)
		if at.stream == reportedStream {
			at.stream = ledgerStream
		}
		first := v.fresh[at]
		if seen[at] || first == nil {
			continue
		}
		seen[at] = true
		next := p.read(first.choice, first.place)
		next.also, next.behind = first.also, first
		reads = append(reads, next)
	}
	if err := v.read(ctx, reads); err != nil {
		return err
	}
	if err := v.read(ctx, p.deletionReads(reads)); err != nil {
		return err
	}
	for _, t := range reads {
		if t.err != nil || !t.done { // what changed while it was compared is not known
			delete(v.fresh, placeOf(t))
		}
	}
	if cursors, err = v.warehouse.Cursors(ctx); err == nil {
		v.planner.cursors = byPlace(cursors)
	}
	return err
}

// hold compares whole reads with what is stored, and throws away those that mend nothing.
func (v *verification) hold(ctx context.Context, whole []*task) error {
	tables := map[string][]*task{}
	for _, t := range whole {
		tables[t.table.FullName()] = append(tables[t.table.FullName()], t)
	}
	for _, tasks := range tables {
		var files []*spool.File
		for _, t := range tasks {
			files = append(files, t.file)
		}
		results, err := v.warehouse.Compare(ctx, files)
		if err != nil {
			return err
		}
		for i, t := range tasks {
			v.conclude(t, results[i])
			if v.kept[placeOf(t)] == t {
				continue
			}
			if err := t.file.Remove(); err != nil {
				return err
			}
		}
	}
	v.tidy(ctx)
	return nil
}

// conclude notes what a comparison has shown, and keeps what was read for it when it can mend.
func (v *verification) conclude(t *task, c load.Compared) {
	at := placeOf(t)
	if v.fresh[at] == nil {
		return
	}
	if t.mode == spool.Some {
		v.sampled[at] = c
		return
	}
	v.compared[at], v.level[at] = c, checkKeys
	if t.mode != spool.Rows {
		return
	}
	v.level[at] = checkContent
	if v.o.repair && !c.Same() {
		v.kept[at] = t
	}
}

// tidy removes the folder of what is only compared, if it is empty.
func (v *verification) tidy(ctx context.Context) {
	if err := os.Remove(v.compare); err != nil && !os.IsNotExist(err) {
		v.log.DebugContext(ctx, "reads of this verification stay for the next", "path", v.compare)
	}
}

// judgeRows says what counts and comparisons come to.
func (v *verification) judgeRows(tasks map[streamScope]*task, counted map[streamScope]*tally) (all []finding) {
	for at, t := range tasks {
		n := counted[at]
		if n == nil {
			continue
		}
		f := finding{Check: v.stamp(at.stream, at.scope, load.Check{Kind: checkCount, Result: resultSame, Here: new(n.here)})}
		if n.why == "" {
			f.There = new(n.there)
		}
		c, compared := v.compared[at]
		switch {
		case v.reread[at] != nil:
			if n.differs() {
				f.Result, f.Detail = resultSource, "it was read anew, and the source counts otherwise"
			} else if n.why != "" {
				f.Detail = "it was read anew"
			}
		case compared:
			v.judgeCompared(&f, t, n, c)
		case n.why != "":
			f.Result, f.Detail = resultSkipped, n.why
		case v.explained(at, n):
			f.Kind, f.Result, f.Detail = checkKeys, resultSource, countsOtherwise
		case n.differs():
			f.Result = resultSuspect
			f.Detail = counting(n.there-n.here, "row", "more at the source, and nobody has seen which")
			if n.there < n.here {
				f.Detail = counting(n.here-n.there, "row", "fewer at the source, and nobody has seen which")
			}
			f.Advice = "exactduck verify" + only(at)
		}
		all = append(all, f)
	}
	return all
}

// judgeCompared says what a comparison comes to. Where Exact does not tell of deletions, rows that are
// gone there are no difference before the next sweep.
func (v *verification) judgeCompared(f *finding, t *task, n *tally, c load.Compared) {
	f.Kind = v.level[f.at()]
	if n.why != "" {
		f.There = new(c.Read)
	}
	told := t.table.Entity != 0 && v.heard(t.place.Scope)
	switch {
	case !load.Believable(n.here, c.Gone):
		f.Result, f.Detail, f.Advice = resultDiffers, comparedInWords(c)+"; so many look like rights that were taken away", repairing(f.at())
	case !c.Same() && (told || c.Missing+c.Older+c.Different > 0):
		f.Result, f.Detail, f.Advice = resultDiffers, comparedInWords(c), repairing(f.at())
	case c.Gone > 0:
		f.Result, f.Detail = resultNote, counting(c.Gone, "row", "gone at the source since the last sweep, removed by the next")+sampled(c.Keys["gone"])
	case n.differs() && c.Read != n.here && v.planner.cursors[f.at()].HistoryFrom == "":
		f.There, f.Detail = nil, countedMeanwhile
	case n.differs():
		f.Result, f.Detail = resultSource, countsOtherwise
	}
}

const (
	countsOtherwise = "every key is as the source lists them, though it counts otherwise"
	// countedMeanwhile is to be said of this time only: the next time as many may be missing.
	countedMeanwhile = "rows came or went while they were counted, and every key is as the source lists them"
)

// explained tells that the source counted so many more or fewer before too, when its keys were
// compared and found to be those that are stored.
func (v *verification) explained(at streamScope, n *tally) bool {
	for _, kind := range []string{checkKeys, checkContent} {
		c := v.before[sameLook(load.Check{Stream: at.stream, Scope: at.scope, Kind: kind, Detail: countsOtherwise})]
		if c.Result == resultSource && c.Here != nil && c.There != nil && *c.There-*c.Here == n.there-n.here {
			return true
		}
	}
	return false
}

// heard tells that this run has read what was deleted in a division.
func (v *verification) heard(scope schema.Scope) bool {
	feed, known := v.planner.cursors[streamScope{v.planner.feed.Name, scope}]
	return known && !feed.ReadAt.Before(v.record.Record().Started)
}

func repairing(at streamScope) string {
	return "exactduck verify --repair" + only(at)
}

// only narrows a command to a stream in a division.
func only(at streamScope) string {
	if at.scope == shared {
		return " --streams " + at.stream
	}
	return " --streams " + at.stream + " --" + vendorNamed(at.stream).words().place + " " + string(at.scope)
}

func comparedInWords(c load.Compared) string {
	var text string
	for _, part := range []struct {
		n          int64
		kind, what string
	}{
		{c.Missing, "missing", "missing here"},
		{c.Older, "older", "out of date here"},
		{c.Different, "different", "with other values here"},
		{c.Gone, "gone", "gone at the source"},
	} {
		if part.n == 0 {
			continue
		}
		if text != "" {
			text += "; "
		}
		text += counting(part.n, "row", part.what) + sampled(c.Keys[part.kind])
	}
	return text
}
