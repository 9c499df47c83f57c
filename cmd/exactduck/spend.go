package main

import (
	"fmt"
	"slices"

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

// left says the same in few words: of the scope that has the fewest.
func (c *connection) left() string {
	least, scope := -1, ""
	for s, n := range c.callsLeft() {
		if least < 0 || n < least || n == least && s < scope {
			least, scope = n, s
		}
	}
	if least < 0 {
		return fmt.Sprintf("%d calls", c.calls())
	}
	return fmt.Sprintf("%d calls, %d left today, %d this minute", c.calls(), least, c.source.Caller().Left(schema.Scope(scope)).Minute)
}

// scopesOf sorts the keys of a map of what is left.
func scopesOf(left map[string]int) []string {
	scopes := make([]string, 0, len(left))
	for s := range left {
		scopes = append(scopes, s)
	}
	slices.Sort(scopes)
	return scopes
}
