package main

import (
	"cmp"
	"strings"

	"exactduck/extract"
	"exactduck/load/spool"
)

// how says in words how a read keeps to the date and the filter that were asked for; "" where none
// was.
func (p *planner) how(t *task) string {
	var parts []string
	for _, part := range []string{p.howSince(t), p.howFilter(t)} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, "; ")
}

func (p *planner) howSince(t *task) string {
	wanted := later(p.since, t.choice.Since)
	switch {
	case t.mode == spool.Sweep:
		return ""
	case !t.variant.Begins() && (!wanted.IsZero() || t.choice.Undated):
		return "no date: its rows do not say when they were modified"
	case t.mode == spool.Merge && t.variant.Lookback > 0:
		return "from " + span(cmp.Or(t.choice.Lookback, t.variant.Lookback)) + " before the last"
	case wanted.IsZero(), t.mode == spool.Merge:
		return ""
	case t.since.IsZero():
		return "read whole, as in every run"
	case asksSince(t):
		return "asked from " + moment(t.since)
	}
	return "read whole, filtered here from " + moment(t.since)
}

// asksSince tells whether the source can be asked for what was modified since a date.
func asksSince(t *task) bool {
	switch t.variant.Cursor {
	case extract.Modified:
		return true
	case extract.Versioned:
		return t.place.Epoch == "" && t.variant.Indexed
	}
	return false
}

// howFilter: what comes from a cursor is always judged here, so that rows are seen to leave.
func (p *planner) howFilter(t *task) string {
	switch {
	case t.choice.Filter == "":
		return ""
	case t.mode != spool.Merge && p.vendor.kind().AsksFilter(t.variant, t.choice.Filter):
		return "filter asked"
	}
	return "filtered here"
}
