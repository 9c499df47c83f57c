package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"exactduck/cmd/exactduck/config"
	"exactduck/extract"
	"exactduck/load"
	"exactduck/schema"
)

// verifyOptions are what the command line says about a verification.
type verifyOptions struct {
	syncOptions
	keys, deep, repair, offline bool
	dry                         bool              // only say what it would cost
	sample                      int               // pages of each stream and division to compare
	say                         func(text string) // to whoever waits; may be nil
}

// verified is what became of a verification.
type verified struct {
	RunID     string         `json:"run_id"`
	Pipeline  string         `json:"pipeline"`
	Calls     int            `json:"calls"`
	Checks    []load.Check   `json:"checks"`
	Published load.Published `json:"published"`
	warnings  []string
}

// verification compares what is stored with itself and with the source. It begins as a run of the
// streams that go on from a cursor, so that what has changed since is no difference, and it finds
// differences in an order in which each look costs no more than it must: what is stored, counts,
// keys or rows of what is suspect, sums.
type verification struct {
	*run
	o       verifyOptions
	every   []*config.Choice // of the pipeline
	places  []extract.Place
	before  map[string]load.Check // what the last verification found, by what is looked at
	fresh   map[streamScope]*task // what was brought up to date
	whole   map[streamScope]*task // what every run reads from its beginning, and this one only to mend it
	compare string                // where reads lie that are only compared
	found   []finding
	files   []load.Check // what was found of the dataset

	compared map[streamScope]load.Compared
	level    map[streamScope]string // by what it was compared: checkKeys or checkContent
	sampled  map[streamScope]load.Compared
	kept     map[streamScope]*task // whole reads that were compared and differ, to mend with
	reread   map[streamScope]*task // what was mended by reading it again
	// unbelieved is what was read again and not applied.
	unbelieved map[streamScope]bool
	even       map[schema.Scope]bool // whose ledger adds up to what the balances say
	failing    sync.Mutex            // of run.failures
}

// verify verifies one pipeline. The result is of use even when there is an error.
func (b *books) verify(ctx context.Context, p *config.Pipeline, o verifyOptions) (verified, error) {
	if o.offline {
		return b.inspect(ctx, p, o)
	}
	every, _, err := b.masked(p)
	if err != nil {
		return verified{Pipeline: p.Name()}, err
	}
	v := &verification{o: o, every: every, compare: b.comparisons(p)}
	result, err := b.pass(ctx, p, o.syncOptions, func(r *run, ctx context.Context) error {
		v.run = r
		return v.do(ctx)
	})
	done := verified{
		RunID: result.ID, Pipeline: p.Name(), Calls: result.Calls, Published: result.Published, warnings: result.Warnings,
		Checks: checksOf(v.found),
	}
	return done, err
}

func checksOf(found []finding) []load.Check {
	all := make([]load.Check, len(found))
	for i, f := range found {
		all[i] = f.Check
	}
	return all
}

// do makes the verification.
func (v *verification) do(ctx context.Context) error {
	census, err := v.meet(ctx)
	if err != nil {
		return err
	}
	v.places = census.chosen
	if err := v.recall(ctx); err != nil {
		return err
	}
	v.planner.changes = true // comparing finds what a reconciliation would
	tasks := v.fit(v.announce(ctx, census, v.planner.reads(v.choices, census.chosen)))
	v.foretell(tasks)
	if v.o.dry {
		v.found = nil
		return nil
	}
	if err := v.bring(ctx, tasks); err != nil {
		return err
	}
	for _, t := range tasks {
		switch {
		case !t.done || t.err != nil:
		case t.why == whyWhole:
			v.madeEqual(t)
		default:
			v.fresh[placeOf(t)] = t
		}
	}
	found, err := v.look(ctx, v.fresh)
	if err != nil {
		return err
	}
	v.found = append(v.found, found...)
	if v.o.repair {
		if err := v.mend(ctx); err != nil {
			return err
		}
	}
	waiting, err := v.waiting()
	if err != nil {
		return err
	}
	v.found = append(v.found, waiting...)
	v.found = append(v.found, v.stored().remarks(v)...)
	return v.end(ctx, tasks)
}

// recall reads what the last verification found.
func (v *verification) recall(ctx context.Context) error {
	v.before, v.fresh, v.whole = map[string]load.Check{}, map[streamScope]*task{}, map[streamScope]*task{}
	v.compared, v.level = map[streamScope]load.Compared{}, map[streamScope]string{}
	v.sampled = map[streamScope]load.Compared{}
	v.kept, v.reread = map[streamScope]*task{}, map[streamScope]*task{}
	v.unbelieved = map[streamScope]bool{}
	all, err := v.warehouse.Checks(ctx)
	for _, c := range all {
		v.before[sameLook(c)] = c
	}
	return err
}

// sameLook is what two findings share that say the same of the same rows.
func sameLook(c load.Check) string {
	return fmt.Sprintf("%q", []any{c.Stream, c.Scope, c.Kind, c.Detail})
}

// known tells that a finding was explained by the source before, and is still the same.
func (v *verification) known(c load.Check) bool { return v.before[sameLook(c)].Result == resultSource }

// fit leaves the reads that go on from a cursor. What the next sync would read from its beginning
// anyway is not compared with what there is; a repair reads it, which an earlier one may have begun.
func (v *verification) fit(tasks []*task) []*task {
	return slices.DeleteFunc(tasks, func(t *task) bool {
		cursor, known := v.planner.cursors[streamScope{t.choice.Stream.Name, t.place.Scope}]
		switch {
		case !known:
			v.skip(t, "it was never read", "exactduck sync --streams "+t.choice.Stream.Name)
		case !cursor.Complete && v.o.repair:
			return false
		case !cursor.Complete && v.doubted(placeOf(t)):
			v.note(t.choice.Stream.Name, t.place.Scope, load.Check{
				Kind: checkLoaded, Result: resultSuspect, Detail: "it was to be mended, and has not been read again yet", Advice: repairing(placeOf(t)),
			})
		case !cursor.Complete:
			v.skip(t, "it is to be read from its beginning", "exactduck sync --streams "+t.choice.Stream.Name)
		case t.why == whyWhole && v.o.deep:
			v.whole[placeOf(t)] = t
			return false
		case t.why == whyWhole:
			v.whole[placeOf(t)] = t
			v.skip(t, "every sync reads all of it, and makes it equal", "exactduck sync --streams "+t.choice.Stream.Name)
		case t.why != whyNews || t.becomes != same:
			v.skip(t, "the next sync changes what is stored: "+t.why, "exactduck sync --streams "+t.choice.Stream.Name)
		default:
			return false
		}
		return true
	})
}

// madeEqual says what it took to make a stream equal that every run reads whole: its rows were held against
// all that Exact sends, and those that differed are as they should be.
func (v *verification) madeEqual(t *task) {
	c := load.Check{Kind: checkContent, Result: resultSame, Here: new(t.said.Rows), There: new(t.said.Rows)}
	if t.said.Inserted+t.said.Updated+t.said.Deleted > 0 {
		c.Result, c.Detail = resultNote, "as every sync does, this has made it equal: "+repairedInWords("", t)
	}
	v.note(t.choice.Stream.Name, t.place.Scope, c)
}

// doubted tells that the last verification has found something wrong with a stream.
func (v *verification) doubted(at streamScope) bool {
	for _, c := range v.before {
		if f := (finding{Check: c}); f.at() == at && f.bad() {
			return true
		}
	}
	return false
}

// skip notes that a stream is not compared.
func (v *verification) skip(t *task, why, next string) {
	v.note(t.choice.Stream.Name, t.place.Scope, load.Check{Kind: checkLoaded, Result: resultSkipped, Detail: why, Advice: next})
}

// note adds a finding about a stream.
func (v *verification) note(stream string, scope schema.Scope, c load.Check) {
	v.found = append(v.found, finding{Check: v.stamp(stream, scope, c)})
}

func (v *verification) stamp(stream string, scope schema.Scope, c load.Check) load.Check {
	c.Run, c.At, c.Stream, c.Scope = v.id, v.clock().UTC().Truncate(time.Microsecond), stream, scope
	if cursor, known := v.planner.cursors[streamScope{stream, scope}]; known {
		c.Table = cursor.Table
	}
	return c
}

// hint says something to whoever waits.
func (v *verification) hint(format string, args ...any) {
	if v.o.say != nil {
		v.o.say(fmt.Sprintf(format, args...))
	}
}

// foretell says what the verification will cost, before it does.
func (v *verification) foretell(tasks []*task) {
	v.forecast.estimate(tasks)
	deletions := v.planner.deletionReads(tasks)
	v.forecast.estimate(deletions)
	least, counts, more, again := v.calls()+len(deletions), 0, 0, 0
	for _, t := range tasks {
		least += t.least
		if t.why == whyWhole {
			continue
		}
		read, _ := v.countable(t)
		if read.Variant != nil && !v.comparesAll() {
			counts++
		}
		compared := v.sized(v.comparison(t))
		if !v.comparesAll() {
			more, compared = more+compared, 0
		}
		if v.o.sample > 0 && !v.o.deep {
			compared += min(v.o.sample, v.sized(v.sampleOf(t)))
		}
		if compared > 0 {
			least, again = least+compared, again+1
		}
	}
	if again > 0 { // what has changed since is read once more
		least += again + len(deletions)
	}
	text := fmt.Sprintf("%s: at least %s, %d of them for counts", v.pipeline.Name(), plural(least+counts, "call"), counts)
	if more > 0 {
		text += fmt.Sprintf("; up to %d more where keys have to be compared", more)
	}
	if v.o.repair {
		text += "; and what it takes to read again what differs"
	}
	v.hint("%s", text)
}

// sized is how many calls a comparison takes; 0: none is possible.
func (v *verification) sized(t *task) int {
	if t == nil {
		return 0
	}
	v.forecast.estimate([]*task{t})
	return max(t.expected, t.least, 0)
}

// look makes all checks that compare rows with each other, and those of tasks that compare them with
// the source.
func (v *verification) look(ctx context.Context, tasks map[streamScope]*task) ([]finding, error) {
	cursors, err := v.warehouse.Cursors(ctx)
	if err != nil {
		return nil, err
	}
	v.planner.cursors = byPlace(cursors)
	flaws, err := v.warehouse.Flaws(ctx, v.stored().inspected())
	if err != nil {
		return nil, err
	}
	counted, err := v.count(ctx, tasks, flaws)
	if err != nil {
		return nil, err
	}
	samples, err := v.samples(ctx, tasks)
	if err != nil {
		return nil, err
	}
	clear(v.sampled)
	if err := v.consult(ctx, v.suspects(tasks, counted, flaws), samples); err != nil {
		return nil, err
	}
	sums, err := v.addUp(ctx)
	if err != nil {
		return nil, err
	}
	return slices.Concat(v.judgeRows(tasks, counted), v.judgeSamples(), v.judgeFlaws(flaws), sums), nil
}

func byPlace(cursors []load.Cursor) map[streamScope]load.Cursor {
	all := map[streamScope]load.Cursor{}
	for _, c := range cursors {
		all[streamScope{c.Stream, c.Scope}] = c
	}
	return all
}

// end writes down what was found, and ends the run.
func (v *verification) end(ctx context.Context, tasks []*task) error {
	kinds := append(slices.Clone(offlineChecks), checkCount, checkKeys, load.Unequal)
	if v.o.deep {
		kinds = append(kinds, checkContent, checkSample)
	}
	if v.o.sample > 0 {
		kinds = append(kinds, checkSample)
	}
	if err := v.put(ctx, kinds); err != nil {
		return err
	}
	v.verdict = verdict(v.pipeline.Name(), v.found)
	return v.finish(ctx, tasks)
}

// put records what was found, with all that is known of the dataset.
func (v *verification) put(ctx context.Context, kinds []string) error {
	if err := v.warehouse.RecordChecks(ctx, v.checked(kinds)); err != nil {
		return err
	}
	if err := v.dataset(ctx); err != nil {
		return err
	}
	if err := v.recordFiles(ctx); err != nil {
		return err
	}
	inOrder(v.found)
	return nil
}

// checked is what was looked at.
func (v *verification) checked(kinds []string) load.Checked {
	k := load.Checked{Scopes: map[schema.Scope]bool{shared: true}, Kinds: kinds, Found: checksOf(v.found)}
	for _, p := range v.places {
		k.Scopes[p.Scope] = true
	}
	streams := map[string]bool{}
	for _, c := range v.choices {
		streams[c.Stream.Name] = true
	}
	for _, f := range v.found {
		streams[f.Stream], k.Scopes[f.Scope] = true, true
	}
	k.Streams = slices.Sorted(maps.Keys(streams))
	return k
}
