package main

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"exactduck/cmd/exactduck/runs"
)

// audit is of one table of one account after one run.
type audit struct {
	*bookkeeper
	k    ofAccount
	line *runs.Stream // nil: the run does not say that it is done
	// base is what there was when the read began, which may have been in a run before.
	base, before, after, held, stored rowsOf
	unproven                          bool
}

func (a *audit) errorf(format string, args ...any) {
	a.t.Helper()
	a.doubtful = append(a.doubtful, a.k)
	a.t.Errorf("%s of %s: %s", a.k.stream, a.k.account, fmt.Sprintf(format, args...))
}

func (a *audit) run() {
	a.t.Helper()
	if a.line == nil {
		if !identical(a.held, a.stored) {
			a.errorf("the table changed, and the run does not say so")
		}
		return
	}
	whole := a.line.Mode == "replace"
	for key, was := range a.base {
		if is := a.after[key]; is == nil || a.before[key] == nil {
			continue
		} else if alike := maps.Equal(was, is) && maps.Equal(was, a.before[key]); a.stored[key] == nil {
			a.missing(key, whole)
		} else if alike && (whole || a.recent(is)) && !a.unproven && !equal(is, a.stored[key]) {
			a.errorf("row %s is\n%v, at the source\n%v", key, a.stored[key], is)
		}
	}
	for key, row := range a.stored {
		a.spare(key, row, whole)
	}
	if whole && !a.unproven && identical(a.base, a.after) && identical(a.before, a.after) {
		a.exact++
		if !identical(a.after, a.stored) {
			a.errorf("it is not what there is")
		}
	}
}

// missing is about a row that was there all the time, and is not in the table.
func (a *audit) missing(key string, whole bool) {
	a.t.Helper()
	switch {
	case a.held[key] != nil:
		a.errorf("row %s was removed, and is at the source", key)
	case (whole || a.recent(a.base[key])) && !a.unproven:
		a.errorf("row %s is missing, and nobody was told", key)
	}
}

// spare is about a row of the table.
func (a *audit) spare(key string, row record, whole bool) {
	a.t.Helper()
	there := slices.ContainsFunc(append([]rowsOf{a.base, a.before, a.after}, a.withheld[a.k]...), func(of rowsOf) bool { return of[key] != nil })
	switch {
	case a.held[key] == nil && !there && a.stir == nil:
		a.errorf("row %s has never been at the source", key)
	case a.held[key] != nil && !there && whole && !a.unproven && a.stir == nil:
		a.errorf("row %s is gone at the source", key)
	case a.stir == nil && !a.hasBeen(key, row):
		a.errorf("row %s is %v, which it has never been", key, row)
	}
}

// hasBeen tells whether a row is as it was at some time that the table may be of.
func (a *audit) hasBeen(key string, row record) bool {
	return slices.ContainsFunc(append([]rowsOf{a.base, a.before, a.after, a.held}, a.withheld[a.k]...), func(of rowsOf) bool { return equal(of[key], row) })
}

// recent tells whether a read from a cursor has to bring a row: it looks back 35 days for payments, 31 for
// orders, and an hour for customers.
func (a *audit) recent(r record) bool {
	date, back := r["createdAt"], 35*day24
	switch a.k.stream {
	case "exactpay/orders":
		date, back = r["(made)"], 30*day24 // it is made in the second before
	case "exactpay/customers":
		date, back = r["updatedAt"], time.Hour
	}
	at, err := time.Parse(time.RFC3339Nano, date)
	return err == nil && !at.Before(a.read[a.k].Add(-back))
}

// equal compares a record with a row, which has no notes of ours.
func equal(is, row record) bool {
	for name, v := range is {
		if name[0] != '(' && row[name] != v {
			return false
		}
	}
	for name := range row {
		if _, known := is[name]; !known {
			return false
		}
	}
	return len(row) > 0
}

func identical(is, rows rowsOf) bool {
	return len(is) == len(rows) && !slices.ContainsFunc(slices.Collect(maps.Keys(is)), func(key string) bool { return !equal(is[key], rows[key]) })
}

// withhold is about a run that was interrupted: nothing of it is published, whatever it has done.
func (a *audit) withhold() {
	a.t.Helper()
	if len(a.withheld[a.k]) == 0 && !identical(a.held, a.stored) {
		a.errorf("the table changed by a run that was interrupted")
	}
	a.withheld[a.k] = append(a.withheld[a.k], a.base, a.before, a.after)
	a.read[a.k] = a.clock.time() // it may have been read
}
