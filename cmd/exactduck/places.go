package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"exactduck/cmd/exactduck/config"
	"exactduck/extract"
	"exactduck/load"
	"exactduck/schema"
)

// vanished says that a division which the pipeline names is out of reach. What was loaded of it stays.
type vanished struct{ division load.Division }

func (e *vanished) Error() string {
	if e.division.GoneSince.IsZero() {
		return fmt.Sprintf("%s %s %s is %s; what was loaded of it stays", placeWord(e.division.Scope), e.division.Code, e.division.Name, asleep(e.division.Scope))
	}
	return fmt.Sprintf("%s %s %s is out of reach since %s; what was loaded of it stays",
		placeWord(e.division.Scope), e.division.Code, e.division.Name, day(e.division.GoneSince))
}

// census is which divisions a run reads, and what is new about them.
type census struct {
	chosen   []extract.Place
	new      []extract.Place // that nobody could know of before this run
	vanished []error
	gone     []load.Division // noticed by this run
}

// meet asks once which divisions there are, and compares them with those of the last time.
func (r *run) meet(ctx context.Context) (census, error) {
	all, err := r.source.Places(ctx)
	if as[*extract.QuotaError](err) {
		return r.meetAgain(ctx, err)
	}
	if err != nil {
		return census{}, err
	}
	if err := r.rejuvenate(ctx); err != nil {
		return census{}, err
	}
	last, _, err := r.warehouse.LastRun(ctx, r.pipeline.Name())
	if err != nil {
		return census{}, err
	}
	_, gone, err := r.warehouse.MeetDivisions(ctx, r.id, divisionsOf(all))
	if err != nil {
		return census{}, err
	}
	known, err := r.warehouse.Divisions(ctx)
	if err != nil {
		return census{}, err
	}
	c := census{gone: gone}
	if c.chosen, c.vanished, err = choosePlaces(r.pipeline, r.only, all, known); err != nil {
		return census{}, err
	}
	var forgotten []string
	c.chosen, forgotten = leaveForgotten(c.chosen, r.marks)
	for _, text := range forgotten {
		r.warn(ctx, text)
	}
	c.new = newcomers(r.pipeline, c.chosen, newSince(known, last))
	return c, nil
}

// meetAgain does with the divisions of the last time, when the one whose calls the question costs has
// none left: the others may have. By that none is new or gone that was not before.
func (r *run) meetAgain(ctx context.Context, quota error) (c census, err error) {
	known, err := r.warehouse.Divisions(ctx)
	if err != nil {
		return census{}, err
	}
	all := stillThere(known)
	if len(all) == 0 {
		return census{}, quota
	}
	last, _, err := r.warehouse.LastRun(ctx, r.pipeline.Name())
	if err != nil {
		return census{}, err
	}
	r.warn(ctx, noCallToAsk)
	if c.chosen, c.vanished, err = choosePlaces(r.pipeline, r.only, all, known); err != nil {
		return census{}, err
	}
	c.new = newcomers(r.pipeline, c.chosen, newSince(known, last))
	return c, nil
}

const noCallToAsk = "there are no calls left to ask which there are to read; these are those of the last run"

// stillThere are the divisions that were there the last time.
func stillThere(known []load.Division) (all []extract.Place) {
	for _, d := range known {
		if d.GoneSince.IsZero() {
			all = append(all, extract.Place{Scope: d.Scope, Code: d.Code, Name: d.Name, Currency: d.Currency, Epoch: d.Epoch, Active: d.Active})
		}
	}
	return all
}

// newcomers are the chosen divisions that are new, and that the pipeline does not name by their code:
// whoever does so knows them.
func newcomers(p *config.Pipeline, chosen []extract.Place, isNew map[schema.Scope]bool) []extract.Place {
	return slices.DeleteFunc(slices.Clone(chosen), func(place extract.Place) bool {
		return !isNew[place.Scope] || slices.Contains(p.Divisions, place.Code)
	})
}

func divisionsOf(places []extract.Place) []load.Division {
	all := make([]load.Division, len(places))
	for i, p := range places {
		all[i] = load.Division{Scope: p.Scope, Code: p.Code, Name: p.Name, Currency: p.Currency, Epoch: p.Epoch, Active: p.Active}
	}
	return all
}

// newSince are the divisions that were met after the last run of a pipeline. Those of the first run
// of all are not new: somebody has just chosen them.
func newSince(known []load.Division, last load.Run) map[schema.Scope]bool {
	fresh := map[schema.Scope]bool{}
	if last.ID == "" || len(known) == 0 {
		return fresh
	}
	told := last.Ended // what was met in a run that was killed nobody has been told
	if told.IsZero() {
		told = last.Started
	}
	first := slices.MinFunc(known, func(a, b load.Division) int { return a.FirstSeen.Compare(b.FirstSeen) }).FirstSeen
	for _, d := range known {
		fresh[d.Scope] = d.FirstSeen.After(told) && d.FirstSeen.After(first)
	}
	return fresh
}

// choosePlaces are those that the pipeline reads, or of them those that the command line names. A
// division that is named, and was there once, does not keep the others from being read.
func choosePlaces(p *config.Pipeline, only []string, all []extract.Place, known []load.Division) ([]extract.Place, []error, error) {
	chosen, gone, err := selectPlaces(p.Divisions, all, known)
	if err != nil || len(only) == 0 {
		return chosen, gone, inWordsOf(vendorOf(p), err)
	}
	if len(gone) > 0 { // of them those that the command line names
		gone = slices.DeleteFunc(gone, func(err error) bool { return !slices.Contains(only, find[*vanished](err).division.Code) })
		only = slices.DeleteFunc(slices.Clone(only), func(code string) bool {
			return slices.ContainsFunc(gone, func(err error) bool { return find[*vanished](err).division.Code == code })
		})
		if len(only) == 0 {
			return nil, gone, nil
		}
	}
	chosen, err = config.Divisions(only).Select(chosen)
	return chosen, gone, inWordsOf(vendorOf(p), err)
}

func selectPlaces(wanted config.Divisions, all []extract.Place, known []load.Division) ([]extract.Place, []error, error) {
	var gone []error
	for {
		chosen, err := wanted.Select(all)
		missing := find[*config.UnknownDivision](err)
		if missing == nil || len(all) == 0 {
			return chosen, gone, err
		}
		once, unheard := config.Divisions{missing.Division}.Select(placesOnce(known))
		if unheard != nil {
			return nil, nil, err
		}
		for _, p := range once {
			at := slices.IndexFunc(known, func(d load.Division) bool { return d.Scope == p.Scope })
			gone = append(gone, &vanished{known[at]})
		}
		wanted = slices.DeleteFunc(slices.Clone(wanted), func(entry string) bool { return strings.TrimSpace(entry) == missing.Division })
		if !slices.ContainsFunc(wanted, func(entry string) bool { return !strings.HasPrefix(entry, "!") }) { // which would mean all
			return nil, gone, nil
		}
	}
}

// placesOnce are the divisions that were ever there.
func placesOnce(known []load.Division) []extract.Place {
	places := make([]extract.Place, len(known))
	for i, d := range known {
		places[i] = extract.Place{Scope: d.Scope, Code: d.Code, Name: d.Name, Active: true}
	}
	return places
}

// announce tells of divisions that came and went, and holds back what is personal of the new ones
// until the next run, so that somebody can object.
func (r *run) announce(ctx context.Context, c census, tasks []*task) []*task {
	r.failures = append(r.failures, c.vanished...)
	for _, err := range c.vanished {
		r.log.WarnContext(ctx, "a division that the pipeline names is out of reach", "error", err)
	}
	for _, d := range c.gone {
		if slices.ContainsFunc(c.vanished, func(err error) bool { return find[*vanished](err).division.Scope == d.Scope }) {
			continue
		}
		r.warn(ctx, fmt.Sprintf("%s %s %s is out of reach from now on; what was loaded of it stays", placeWord(d.Scope), d.Code, d.Name))
	}
	kept, held := holdBack(c.new, tasks)
	for _, p := range c.new {
		r.warn(ctx, newcomer(p, held[p.Scope]))
	}
	return kept
}

// holdBack takes the personal streams of new divisions out of the reads, and tells how many of each.
func holdBack(newcomers []extract.Place, tasks []*task) (kept []*task, held map[schema.Scope]int) {
	isNew := map[schema.Scope]bool{}
	for _, p := range newcomers {
		isNew[p.Scope] = true
	}
	held = map[schema.Scope]int{}
	return slices.DeleteFunc(slices.Clone(tasks), func(t *task) bool {
		hold := isNew[t.place.Scope] && t.choice.Stream.Personal
		if hold {
			held[t.place.Scope]++
		}
		return hold
	}), held
}

func newcomer(p extract.Place, held int) string {
	text := fmt.Sprintf("%s %s %s is new", placeWord(p.Scope), p.Code, p.Name)
	if held > 0 {
		text += fmt.Sprintf("; the run after this one reads its %d streams of personal data too, unless pipelines.yaml leaves it out: %ss: [all, \"!%s\"]", held, placeWord(p.Scope), p.Code)
	}
	return text
}

// warn notes what a person should know though nothing failed.
func (r *run) warn(ctx context.Context, text string) {
	r.log.WarnContext(ctx, "worth knowing", "what", text)
	if err := r.record.Warn(text); err != nil {
		r.failures = append(r.failures, err)
	}
}

// someDivision is the one that goes into addresses that need one and do not look at it: asking which
// there are costs a call. It is the lowest number that is not known to be gone, and nothing that
// anybody has clicked on. A warehouse of an earlier version knows only which was read last.
func someDivision(known []load.Division, cursors []load.Cursor) (some schema.Scope) {
	for _, d := range known {
		if d.Active && d.GoneSince.IsZero() && (some == "" || byNumber(d.Scope, some) < 0) {
			some = d.Scope
		}
	}
	if len(known) > 0 {
		return some
	}
	var at time.Time
	for _, c := range cursors {
		if (exactOnline{}).kind().Owns(c.Scope) && (some == "" || c.ReadAt.After(at)) {
			some, at = c.Scope, c.ReadAt
		}
	}
	return some
}

func byNumber(a, b schema.Scope) int {
	return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
}
