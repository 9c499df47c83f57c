// Package schedule decides when pipelines run. It starts nothing: who does asks a [Book] what is due,
// tells it what was begun and how that ended, and may be killed at any moment in between.
//
// Begin with [Parse], which reads one schedule, and with [Book.Due], which holds the rules: what runs
// once a local day runs once on the nights in which the clocks change too, what was missed is caught
// up once, and what failed for want of a source, of calls or of a login is tried again when that can help.
package schedule

import (
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// Spec is one schedule in one zone. It is made by [Parse].
type Spec struct {
	text   string
	zone   *time.Location
	wall   *cron.SpecSchedule // on a clock that nobody changes
	hourly bool               // it means every hour, and not certain ones
}

// Malformed says what is wrong with a schedule, and what to write instead.
type Malformed struct{ Spec, Reason, Hint string }

func (e *Malformed) Error() string { return fmt.Sprintf("%q is no schedule: %s", e.Spec, e.Reason) }

// Parse reads five fields as in cron (minute hour day month weekday), or one of @hourly @daily @weekly
// @monthly @yearly. The error is a *[Malformed].
func Parse(expr string, zone *time.Location) (spec *Spec, err error) {
	defer func() {
		if recover() != nil { // the library indexes what it was not given
			spec, err = nil, malformed(expr, "it cannot be read")
		}
	}()
	text := strings.TrimSpace(expr)
	switch fields := strings.Fields(text); {
	case strings.Contains(text, "TZ="):
		return nil, &Malformed{expr, "the zone does not belong into it", "write timezone: beside schedule:"}
	case strings.HasPrefix(text, "@every"):
		return nil, &Malformed{expr, "@every counts from the start of a process", `write "*/30 * * * *" for every half hour`}
	case !strings.HasPrefix(text, "@") && len(fields) != 5:
		return nil, malformed(expr, fmt.Sprintf("it has %d fields", len(fields)))
	}
	parsed, err := cron.ParseStandard(text)
	if err != nil {
		return nil, malformed(expr, err.Error())
	}
	fields, ok := parsed.(*cron.SpecSchedule)
	if !ok {
		return nil, malformed(expr, "it cannot be read")
	}
	fields.Location = time.UTC
	return &Spec{text: text, zone: zone, wall: fields, hourly: fields.Hour&allHours == allHours}, nil
}

const allHours = 1<<24 - 1

func malformed(expr, reason string) error {
	hint := `write five fields, minute hour day month weekday, like "15 4 * * *"`
	if fields := strings.Fields(expr); len(fields) == 5 && strings.Contains(fields[4], "7") {
		hint = "weekdays go from 0, a Sunday, to 6"
	}
	return &Malformed{expr, reason, hint}
}

// String is the schedule as it was written.
func (s *Spec) String() string { return s.text }

// Zone is the zone that the schedule is in.
func (s *Spec) Zone() *time.Location { return s.zone }

// Next is the first occurrence after a time; the zero time: there is none within five years. What the
// clocks leave out happens when they go on, and what they repeat happens the first time only, unless
// the schedule means every hour.
func (s *Spec) Next(after time.Time) time.Time {
	from := clockface(after.In(s.zone))
	until := from
	if s.changes(after) {
		from, until = from.Add(-widest), from.Add(widest)
	}
	var first time.Time
	for wall := s.wall.Next(from); !wall.IsZero(); wall = s.wall.Next(wall) {
		for _, at := range s.instants(wall) {
			if at.After(after) && (first.IsZero() || at.Before(first)) {
				first = at
			}
		}
		if !first.IsZero() && wall.After(until) {
			break
		}
	}
	return first
}

// delay is by how much an occurrence is put off: less than jitter, less than the time until the next
// one, and the same for one pipeline during one local day.
func (s *Spec) delay(pipeline string, occurrence time.Time, jitter time.Duration) time.Duration {
	if next := s.Next(occurrence); !next.IsZero() {
		jitter = min(jitter, next.Sub(occurrence))
	}
	if jitter < time.Second {
		return 0
	}
	sum := fnv.New64a()
	_, _ = sum.Write([]byte(pipeline + occurrence.In(s.zone).Format(time.DateOnly))) // never fails
	seconds := uint64(jitter / time.Second)
	return time.Duration(sum.Sum64()%seconds) * time.Second
}
