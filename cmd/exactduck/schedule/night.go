package schedule

import (
	"fmt"
	"slices"
	"time"
)

// widest is more than any change of clocks moves them by, other than across the date line.
const widest = 26 * time.Hour

// clockface is what the clocks of a time's zone show, as a time in UTC.
func clockface(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}

// changes reports whether the clocks change around a time.
func (s *Spec) changes(around time.Time) bool {
	start, end := around.In(s.zone).ZoneBounds()
	return !start.IsZero() && around.Sub(start) < widest || !end.IsZero() && end.Sub(around) < widest
}

// instants are when the clocks of the zone show what wall says, as far as the schedule counts that:
// usually once.
func (s *Spec) instants(wall time.Time) []time.Time {
	near := time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), 0, 0, s.zone)
	start, end := near.ZoneBounds()
	sides := []time.Time{near}
	for _, change := range []time.Time{start, end} {
		if !change.IsZero() {
			sides = append(sides, change.Add(-time.Nanosecond), change)
		}
	}
	var shown []time.Time
	for _, side := range sides {
		at := near.Add(wall.Sub(clockface(near)) + shift(side, near))
		if clockface(at).Equal(wall) && !slices.ContainsFunc(shown, at.Equal) {
			shown = append(shown, at)
		}
	}
	slices.SortFunc(shown, time.Time.Compare)
	switch {
	case s.hourly || len(shown) == 1:
		return shown
	case len(shown) > 1:
		return shown[:1]
	}
	return leftOut(wall, start, end)
}

// shift is what has to be added to a time with the clocks of near when those of side are meant.
func shift(side, near time.Time) time.Duration {
	_, with := side.Zone()
	_, without := near.Zone()
	return time.Duration(without-with) * time.Second
}

// leftOut is when the clocks go on that leave out what wall says; never, if they leave out the whole day.
func leftOut(wall time.Time, changes ...time.Time) []time.Time {
	for _, change := range changes {
		if change.IsZero() {
			continue
		}
		before := clockface(change.Add(-time.Nanosecond)).Add(time.Nanosecond)
		after := clockface(change)
		if !wall.Before(before) && wall.Before(after) && after.Sub(before) < 24*time.Hour {
			return []time.Time{change}
		}
	}
	return nil
}

// Warnings say what is odd about the schedule and no reason to refuse it.
func (s *Spec) Warnings() []string {
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	if s.Next(begin).IsZero() {
		return []string{"never comes: there is no such day"}
	}
	if s.hourly {
		return nil
	}
	change := begin
	for range 12 {
		_, end := change.In(s.zone).ZoneBounds()
		if end.IsZero() || end.Year() > begin.Year()+10 {
			return nil
		}
		if from, to := span(end); s.within(from, to) {
			return []string{fmt.Sprintf("is between %s and %s, which one night a year skips and one has twice; it runs once on both",
				from.Format("15:04"), to.Add(-time.Minute).Format("15:04"))}
		}
		change = end
	}
	return nil
}

// span is what the clocks leave out or repeat at a change.
func span(change time.Time) (from, to time.Time) {
	before := clockface(change.Add(-time.Nanosecond)).Add(time.Nanosecond)
	after := clockface(change)
	if before.After(after) {
		return after, before
	}
	return before, after
}

// within reports whether the schedule has a time of day in between.
func (s *Spec) within(from, to time.Time) bool {
	for at := from; at.Before(to); at = at.Add(time.Minute) {
		if s.wall.Hour>>at.Hour()&1 == 1 && s.wall.Minute>>at.Minute()&1 == 1 {
			return true
		}
	}
	return false
}
