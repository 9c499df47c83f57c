package main

import (
	"cmp"
	"slices"
	"time"

	"exactduck/extract"
	"exactduck/load/spool"
	"exactduck/schema"
)

// boundless is more calls of a day than anybody makes: a vendor that limits nobody.
const boundless = 1 << 30

// plannedDivision is what a plan costs one division.
type plannedDivision struct {
	Scope    string `json:"scope"`
	Name     string `json:"name"`
	Reads    int    `json:"reads"`
	Least    int    `json:"calls_least"`
	Expected *int   `json:"calls_expected"`
	// Minutes is how long the calls take at the limit of the minute.
	Minutes int `json:"minutes"`
	// Before and After are the calls of the day without what is reserved for other software; null
	// where no answer has told yet.
	Before *int `json:"calls_left_before"`
	After  *int `json:"calls_left_after"`
	PerDay int  `json:"calls_per_day"`
	// Assumed says that PerDay is Exact's default and not what an answer has told.
	Assumed  bool   `json:"calls_per_day_assumed,omitempty"`
	Days     int    `json:"days"`     // on which calls are made
	Done     string `json:"done_on"`  // a day in UTC
	Postpone int    `json:"postpone"` // reads that are not done today
}

// account adds up what one division has to pay.
type account struct {
	plannedDivision
	left    int // calls of the day that it has come to
	day     int // 0 is today
	again   int // calls that every following run makes too
	unknown bool
}

func open(scope schema.Scope, name string, l extract.Left, w words) *account {
	a := &account{plannedDivision: plannedDivision{Scope: string(scope), Name: name}}
	limit := l.DayLimit
	if a.Assumed = limit <= 0; a.Assumed {
		limit = cmp.Or(w.perDay, boundless)
	}
	a.PerDay = max(limit-l.Kept, 1)
	a.left = a.PerDay
	if l.DayKnown {
		before := max(l.Day-l.Kept, 0)
		a.Before, a.left = &before, before
	}
	return a
}

// pay books a read and returns on which day it is done.
func (a *account) pay(r *plannedRead) int {
	a.Reads++
	a.Least += r.Least
	calls := r.Least
	if r.Expected == nil {
		a.unknown = true
	} else {
		calls = *r.Expected
	}
	for more := calls; more > 0; {
		if a.left == 0 {
			a.day++
			a.left = max(a.PerDay-a.again, 1)
		}
		part := min(a.left, more)
		a.left, more = a.left-part, more-part
	}
	if a.day > 0 {
		a.Postpone++
	}
	if r.Mode != modeDiscovery && r.Mode != string(spool.Sweep) && r.Why != whyStranger {
		a.again++ // what is read by then is asked what changed
	}
	a.total(calls)
	return a.day
}

func (a *account) total(calls int) {
	if a.Expected == nil {
		a.Expected = new(int)
	}
	*a.Expected += calls
}

// close makes the sums.
func (a *account) close(now time.Time, perMinute int) plannedDivision {
	calls := 0
	if a.Expected != nil {
		calls = *a.Expected
	}
	a.Minutes = (calls + perMinute - 1) / perMinute
	a.Days, a.Done = a.day+1, onDay(now, a.day)
	if a.Before != nil {
		after := max(*a.Before-calls, 0)
		a.After = &after
	}
	if a.unknown {
		a.Expected = nil
	}
	return a.plannedDivision
}

func onDay(now time.Time, n int) string { return now.UTC().AddDate(0, 0, n).Format(time.DateOnly) }

// schedule says what fits into today's calls, and when the rest is done. What belongs to the
// connection is paid by one of the divisions.
func (o *outlook) schedule(now time.Time, w words, payer schema.Scope, left func(schema.Scope) extract.Left, chosen []extract.Place) {
	accounts := map[schema.Scope]*account{}
	var order []schema.Scope
	names := map[schema.Scope]string{}
	for _, p := range chosen {
		names[p.Scope] = p.Name
	}
	for _, i := range o.inLedger() {
		scope := schema.Scope(o.Reads[i].Scope)
		if scope == shared && payer != "" {
			scope = payer
		}
		if accounts[scope] == nil {
			accounts[scope] = open(scope, names[scope], left(scope), w)
			order = append(order, scope)
		}
		o.Reads[i].Done = onDay(now, accounts[scope].pay(&o.Reads[i]))
	}
	slices.SortFunc(order, byNumber)
	for _, scope := range order {
		l := left(scope)
		perMinute := l.MinuteLimit
		if perMinute <= 0 {
			perMinute = w.perMinute
		}
		o.Divisions = append(o.Divisions, accounts[scope].close(now, perMinute))
	}
}

// inLedger are the reads in the order in which they are paid: a call for the deletions is kept while
// the streams before them are read.
func (o *outlook) inLedger() []int {
	order := make([]int, len(o.Reads))
	for i := range order {
		order[i] = i
	}
	late := func(i int) int {
		if o.Reads[i].Mode == modePlaces || isFeed(o.Reads[i].Stream) {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(order, func(a, b int) int { return late(a) - late(b) })
	return order
}
