package exactonline

import "time"

// Exact dates its records with a wall clock and writes that as if it were UTC. Once a year an
// hour of it comes twice.

// wall is what the clock in a zone shows at an instant, as if it were UTC.
func wall(t time.Time, zone *time.Location) time.Time {
	_, offset := t.In(zone).Zone()
	return t.UTC().Add(time.Duration(offset) * time.Second)
}

// reading is what a time shows, whatever its zone, as if it were UTC.
func reading(t time.Time) time.Time {
	_, offset := t.Zone()
	return t.UTC().Add(time.Duration(offset) * time.Second)
}

// latest is the last instant at which the clock in a zone shows a wall time, or, of one that it
// skips, the later of the two that could be meant.
func latest(shown time.Time, zone *time.Location) time.Time {
	var found, skipped time.Time
	for _, around := range []time.Duration{-24 * time.Hour, 24 * time.Hour} {
		_, offset := shown.Add(around).In(zone).Zone()
		t := shown.Add(-time.Duration(offset) * time.Second)
		if t.After(skipped) {
			skipped = t
		}
		if wall(t, zone).Equal(shown) && t.After(found) {
			found = t
		}
	}
	if found.IsZero() {
		return skipped
	}
	return found
}

// settled reports whether a wall time, in microseconds, lies before an instant however it is read.
func settled(us int64, before time.Time, zone *time.Location) bool {
	shown := time.UnixMicro(us).UTC()
	limit := wall(before, zone)
	switch { // nearly always
	case shown.Before(limit.Add(-3 * time.Hour)):
		return true
	case shown.After(limit.Add(3 * time.Hour)):
		return false
	}
	return !latest(shown, zone).After(before)
}

// stamp writes a wall time in microseconds, or a dash.
func stamp(us int64, known bool) string {
	if !known {
		return "-"
	}
	return time.UnixMicro(us).UTC().Format(wallFormat + ".000")
}
