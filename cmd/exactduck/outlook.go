package main

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"exactduck/cmd/exactduck/config"
	"exactduck/extract"
	"exactduck/load"
	"exactduck/load/spool"
	"exactduck/schema"
)

// outlook is what a run of a pipeline would read now, and what it would cost.
type outlook struct {
	Pipeline  string            `json:"pipeline"`
	Reads     []plannedRead     `json:"reads"`
	Divisions []plannedDivision `json:"divisions"`
	Warnings  []string          `json:"-"`
}

// plannedRead is one read. What nobody knows is null.
type plannedRead struct {
	Pipeline string `json:"pipeline"`
	Stream   string `json:"stream"`
	Scope    string `json:"scope"`
	Variant  string `json:"variant"`
	Mode     string `json:"mode"` // of a spool; or places, discovery
	Why      string `json:"why"`
	How      string `json:"how,omitempty"`
	Rewrite  string `json:"rewrite,omitempty"` // of stored rows, before the read
	Begun    int    `json:"pages_begun,omitempty"`
	Least    int    `json:"calls_least"`
	Expected *int   `json:"calls_expected"`
	Done     string `json:"done_on"` // a day in UTC
}

// The modes of what is asked beside the reads.
const (
	modePlaces    = "places"
	modeDiscovery = "discovery"
)

// The reasons for it.
const (
	whyStranger  = "an address to ask at, the first time"
	whyDiscovery = "properties that the catalogue lacks, once a week"
)

// outlook makes the plan of one pipeline. It costs the call for the divisions, and with count one for
// each read of unknown size.
func (b *books) outlook(ctx context.Context, p *config.Pipeline, o syncOptions, count bool) (*outlook, error) {
	choices, _, err := b.masked(p)
	if err != nil {
		return nil, err
	}
	choices, err = among(p, choices, o.streams)
	if err != nil {
		return nil, err
	}
	known, err := b.knowledge(ctx, p, o.wait)
	if err != nil {
		return nil, err
	}
	asked, stranger := vendorOf(p).asks(b.config.Connections[p.From], known.Divisions, known.Cursors)
	c, err := b.dial(ctx, p.From, asked)
	if err != nil {
		return nil, err
	}
	out := &outlook{Pipeline: p.Name()}
	out.warn(known.warning)
	all, err := out.places(ctx, c.source, known)
	if err != nil {
		return nil, err
	}
	chosen, vanished, err := choosePlaces(p, o.divisions, all, known.Divisions)
	if err != nil {
		return nil, err
	}
	for _, err := range vanished {
		out.warn(err.Error())
	}
	chosen, forgotten := leaveForgotten(chosen, known.Marks)
	for _, text := range forgotten {
		out.warn(text)
	}
	r := &run{planner: b.planner(p, o, known.Cursors)}
	tasks, held := holdBack(newcomers(p, chosen, known.unmet(all)), r.planner.reads(choices, chosen))
	for _, place := range chosen {
		if n := held[place.Scope]; n > 0 {
			out.warn(newcomer(place, n))
		}
	}
	for _, text := range r.planner.unveiled(tasks, known.Discoveries) {
		out.warn(text)
	}
	looks := known.discoveries(b.clock(), tasks)
	tasks = slices.Concat(tasks, r.planner.deletionReads(tasks), r.planner.sweeps(tasks, nil))
	r.match(known, tasks)
	if err := b.size(ctx, p, r, c.source, known, tasks, count); err != nil {
		return nil, err
	}
	if asked == "" && len(chosen) > 0 {
		asked = chosen[0].Scope
	}
	out.fill(vendorOf(p), b.config.Connections[p.From], tasks, looks, asked, stranger)
	out.schedule(b.clock(), vendorOf(p).words(), asked, c.source.Caller().Left, chosen)
	return out, nil
}

func (o *outlook) warn(text string) {
	if text != "" {
		o.Warnings = append(o.Warnings, text)
	}
}

// places asks which divisions there are. When there is no call left for it, which is when a plan is
// wanted most, those of the last run have to do.
func (o *outlook) places(ctx context.Context, source extract.Source, k knowledge) ([]extract.Place, error) {
	all, err := source.Places(ctx)
	if !as[*extract.QuotaError](err) || len(k.Divisions) == 0 {
		return all, err
	}
	o.warn(o.Pipeline + ": " + noCallToAsk)
	return stillThere(k.Divisions), nil
}

// unmet are the divisions that no run has met.
func (k *knowledge) unmet(all []extract.Place) map[schema.Scope]bool {
	isNew := newSince(k.Divisions, k.Last)
	for _, p := range all {
		met := slices.ContainsFunc(k.Divisions, func(d load.Division) bool { return d.Scope == p.Scope })
		isNew[p.Scope] = isNew[p.Scope] || !met && len(k.Divisions) > 0
	}
	return isNew
}

// discoveries are the reads whose variants are due to be looked through for unknown properties.
func (k *knowledge) discoveries(now time.Time, tasks []*task) []*task {
	seen := map[string]bool{}
	var due []*task
	for _, t := range tasks {
		if !seen[t.variant.Name] && now.Sub(k.Discoveries[t.variant.Name].At) >= discoverEvery && t.variant.Searchable {
			due = append(due, t)
		}
		seen[t.variant.Name] = true
	}
	return due
}

// match gives the tasks the spools that a run would go on with.
func (r *run) match(k knowledge, tasks []*task) {
	for _, file := range k.spools {
		h := file.Header()
		for _, t := range tasks {
			if t.choice.Stream.Name == h.Stream && t.place.Scope == h.Scope && r.useful(t, h) {
				t.take(file)
				break
			}
		}
	}
}

// size says how many calls the reads take.
func (b *books) size(ctx context.Context, p *config.Pipeline, r *run, source extract.Source, k knowledge, tasks []*task, ask bool) error {
	newForecast(r.planner.now, r.planner.cursors, k.Needs, nil).estimate(tasks)
	rows, err := b.count(ctx, p, source, tasks, ask)
	if err != nil {
		return err
	}
	newForecast(r.planner.now, r.planner.cursors, k.Needs, rows).estimate(tasks)
	return nil
}

// fill lists what is asked in the order in which it is.
// Where no division is known yet, one is asked for, to have something for the address of the list.
func (o *outlook) fill(v vendor, c *config.Connection, tasks, looks []*task, payer schema.Scope, stranger bool) {
	one := 1
	list, first := v.places(c)
	if stranger && first != "" {
		o.Reads = append(o.Reads, plannedRead{
			Pipeline: o.Pipeline, Stream: first, Scope: string(payer), Variant: first, Mode: modePlaces,
			Why: whyStranger, Least: 1, Expected: &one,
		})
	}
	if list != "" {
		o.Reads = append(o.Reads, plannedRead{
			Pipeline: o.Pipeline, Stream: list, Scope: string(payer), Variant: list, Mode: modePlaces,
			Why: "which " + v.words().place + "s there are", Least: 1, Expected: &one,
		})
	}
	for _, t := range looks {
		o.Reads = append(o.Reads, plannedRead{
			Pipeline: o.Pipeline, Stream: t.choice.Stream.Name, Scope: string(t.place.Scope), Variant: t.variant.Name,
			Mode: modeDiscovery, Why: whyDiscovery, Least: 1, Expected: &one,
		})
	}
	for _, t := range slices.SortedStableFunc(slices.Values(tasks), inTurn) {
		o.Reads = append(o.Reads, o.planned(t))
	}
}

// inTurn orders reads as a run makes them: the deletions behind the streams, and then the sweeps.
func inTurn(a, b *task) int {
	step := func(t *task) int {
		switch {
		case t.mode == spool.Sweep:
			return 2
		case isFeed(t.choice.Stream.Name):
			return 1
		}
		return 0
	}
	return cmp.Or(step(a)-step(b), urgency(a, b), byNumber(a.place.Scope, b.place.Scope))
}

func (o *outlook) planned(t *task) plannedRead {
	r := plannedRead{
		Pipeline: o.Pipeline, Stream: t.choice.Stream.Name, Scope: string(t.place.Scope), Variant: t.variant.Name,
		Mode: string(t.mode), Why: t.why, How: t.how, Least: t.least,
	}
	if t.expected != unknown {
		r.Expected = &t.expected
	}
	if t.file != nil {
		r.Begun = t.file.Pages()
	}
	if n := t.narrowing; n != nil {
		r.Rewrite = n.words()
	}
	return r
}

// words say what becomes of the stored rows.
func (n *narrowing) words() string {
	var parts []string
	if len(n.drop) > 0 {
		parts = append(parts, "empties "+strings.Join(n.drop, ", "))
	}
	if !n.since.IsZero() {
		parts = append(parts, "removes what was modified before "+moment(n.since))
	}
	return strings.Join(parts, "; ")
}
