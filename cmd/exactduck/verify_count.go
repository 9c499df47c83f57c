package main

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"exactduck/extract"
	"exactduck/load"
	"exactduck/schema"
)

// tally is how many rows there are of a stream in a scope.
type tally struct {
	here, there int64
	why         string // there is unknown; "": it is not
}

// differs tells that the source counts more or fewer.
func (t *tally) differs() bool { return t.why == "" && t.here != t.there }

// countable is the question how many rows there are at the source, and why it cannot be asked. Only
// standard endpoints count; that of a stream has the same records under the same key, or it would be
// another stream.
func (v *verification) countable(t *task) (extract.Read, string) {
	cursor := v.planner.cursors[streamScope{t.choice.Stream.Name, t.place.Scope}]
	for _, variant := range t.choice.Stream.Variants {
		switch {
		case !variant.Countable:
		case t.filter != "":
			return extract.Read{}, "the source cannot count what a filter keeps; --keys compares"
		case cursor.HistoryFrom != "" && !variant.Begins():
			return extract.Read{}, "the source cannot count from a date on; --keys compares"
		default:
			return extract.Read{
				Stream: t.choice.Stream.Name, Variant: variant, Table: variant.Table, Scope: t.place.Scope,
				Since: momentOf(cursor.HistoryFrom), Moved: t.place.Epoch != "",
			}, ""
		}
	}
	return extract.Read{}, "none of its endpoints counts; --keys compares"
}

// count asks for the numbers of rows of tasks, several divisions at once, one call each. What is to
// be compared row by row need not be counted.
func (v *verification) count(ctx context.Context, tasks map[streamScope]*task, flaws []load.Flaw) (map[streamScope]*tally, error) {
	all, err := v.here(ctx, tasks, flaws)
	if err != nil || v.comparesAll() {
		return all, err
	}
	divisions, ctx := errgroup.WithContext(ctx)
	divisions.SetLimit(max(v.atOnce, 1))
	of := map[schema.Scope][]*task{}
	for _, t := range tasks {
		of[t.place.Scope] = append(of[t.place.Scope], t)
	}
	for _, tasks := range of {
		divisions.Go(func() error {
			for _, t := range tasks {
				if err := v.ask(ctx, t, all[placeOf(t)]); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return all, divisions.Wait()
}

func placeOf(t *task) streamScope { return streamScope{t.choice.Stream.Name, t.place.Scope} }

// comparesAll tells that every row is compared anyway.
func (v *verification) comparesAll() bool { return v.o.keys || v.o.deep }

// here counts what is stored, each key once.
func (v *verification) here(ctx context.Context, tasks map[streamScope]*task, flaws []load.Flaw) (map[streamScope]*tally, error) {
	var cursors []load.Cursor
	for at := range tasks {
		cursors = append(cursors, v.planner.cursors[at])
	}
	rows, err := v.warehouse.Count(ctx, cursors)
	if err != nil {
		return nil, err
	}
	all := map[streamScope]*tally{}
	for i, c := range cursors {
		all[streamScope{c.Stream, c.Scope}] = &tally{here: rows[i], why: "its rows are compared one by one"}
	}
	for _, f := range flaws {
		if t := all[streamScope{f.Stream, f.Scope}]; t != nil && f.Kind == load.Doubled {
			t.here -= f.Count
		}
	}
	return all, nil
}

// ask asks for one number. An error ends the verification.
func (v *verification) ask(ctx context.Context, t *task, n *tally) error {
	read, why := v.countable(t)
	if n.why = why; why != "" {
		return nil
	}
	err := v.exhausted(t.place.Scope)
	if err == nil {
		n.there, err = v.source.Count(ctx, read)
	}
	switch {
	case err == nil:
		return nil
	case concernsAll(err):
		return err
	case postponed(err):
		v.exhaust(t.place.Scope, err)
		v.miss(t, err)
		n.why = "there are no calls left to count"
	case errors.Is(err, extract.ErrUncounted):
		n.why = "the source does not say how many there are; --keys compares"
	case as[*extract.Refused](err) || as[*extract.Blocked](err):
		n.why = fmt.Sprintf("the source refuses to count: %v", err)
	default:
		v.miss(t, err)
		n.why = fmt.Sprintf("it could not be counted: %v", err)
	}
	return nil
}

// miss notes that something could not be looked at.
func (v *verification) miss(t *task, err error) {
	v.failing.Lock()
	defer v.failing.Unlock()
	v.reads++
	v.failures = append(v.failures, &streamError{t.choice.Stream.Name, t.place.Scope, err})
}
