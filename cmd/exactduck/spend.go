package main

import (
	"fmt"
	"time"

	"exactduck/load"
	"exactduck/schema"
)

// calls is how many calls the connection has made.
func (c *connection) calls() int {
	sum := 0
	for _, n := range c.source.Caller().Calls() {
		sum += n.Calls
	}
	return sum
}

// maxCalls is how many calls the connection that is dialled next may make; see extract.Options.
func (k *call) maxCalls() int {
	most := k.Int("max-calls")
	if most == 0 {
		return 0
	}
	for _, c := range k.dialled {
		most -= c.calls()
	}
	if most <= 0 {
		return -1
	}
	return most
}

// spent is where they went.
func (c *connection) spent() []load.Calls {
	var all []load.Calls
	for _, n := range c.source.Caller().Calls() {
		all = append(all, load.Calls{Scope: string(n.Scope), Endpoint: n.Endpoint, Calls: int64(n.Calls)})
	}
	return all
}

// callsLeft is what is left of the day for each scope that was called.
func (c *connection) callsLeft() map[string]int {
	left := map[string]int{}
	for _, n := range c.source.Caller().Calls() {
		if l := c.source.Caller().Left(n.Scope); l.DayKnown {
			left[string(n.Scope)] = l.Day
		}
	}
	return left
}

// budget is what is left of the day for one scope, without what is reserved for others; false: nobody
// knows.
func (c *connection) budget(scope schema.Scope) (left int, known bool) {
	l := c.source.Caller().Left(scope)
	return l.Day - l.Kept, l.DayKnown
}

// reset is when a scope has the calls of another day.
func (c *connection) reset(scope schema.Scope) time.Time {
	return c.source.Caller().Left(scope).DayReset
}

// left says the same in few words: of the division that has the fewest.
func (c *connection) left() string {
	scope, least := fewest(c.callsLeft())
	if scope == "" {
		return fmt.Sprintf("%d calls", c.calls())
	}
	return fmt.Sprintf("%d calls, %d left today, %d this minute", c.calls(), least, c.source.Caller().Left(schema.Scope(scope)).Minute)
}

// fewest is the division with the fewest calls left; "" when nothing is known of any. Calls of the
// connection's own are not what a run runs out of.
func fewest(left map[string]int) (scope string, least int) {
	for s, n := range left {
		if s != string(shared) && (scope == "" || n < least || n == least && s < scope) {
			scope, least = s, n
		}
	}
	return scope, least
}
