package main

import (
	"slices"
	"strings"
	"time"
)

// plan is what befalls the office during a month, and what must come of it by the rules that "serve
// --help" tells. It knows nothing of the program: not its cron, not its zones, not its book.
type plan struct {
	from, to time.Time
	spells   []spell // while something is wrong
	down     []spell // while nothing serves
	cuts     []time.Time
	logins   []time.Time
	every    time.Duration // the rhythm of the service
	tell     time.Duration // and of its looking after alerts
}

// spell is a stretch of time, in which runs end with exit.
type spell struct {
	from, to time.Time
	exit     int
}

func (s spell) has(at time.Time) bool { return !at.Before(s.from) && at.Before(s.to) }

// timetable is when a pipeline is to run: at these times of each of these weekdays in Amsterdam.
type timetable struct {
	pipeline, warehouse string
	days                []time.Weekday // none: every day
	times               []string
	maxAge              time.Duration
}

// timetables are those of monthPipelines, and then that of officePipeline.
var timetables = []timetable{
	{pipeline: "nightly", warehouse: "books", times: []string{"02:30"}, maxAge: 36 * time.Hour},
	{pipeline: "weekly", warehouse: "books", times: []string{"03:00"}, days: []time.Weekday{time.Sunday}},
	{
		pipeline: "office", warehouse: "items", times: []string{"08:00", "13:00", "18:00"},
		days: []time.Weekday{time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday},
	},
}

// inForce are those that the configuration has.
func inForce() []timetable { return timetables[:rounds(2, 3)] }

// lastSunday is when clocks change in Europe: at one in the morning, UTC, of the last Sunday of a month.
func lastSunday(year int, month time.Month) time.Time {
	at := time.Date(year, month, 31, 1, 0, 0, 0, time.UTC)
	return at.AddDate(0, 0, -int(at.Weekday()))
}

// inAmsterdam is when clocks there show a time for the first time; one that they leave out, when they
// go on.
func inAmsterdam(day time.Time, clock string) time.Time {
	wall, _ := time.Parse("15:04", clock) // written above
	shown := time.Date(day.Year(), day.Month(), day.Day(), wall.Hour(), wall.Minute(), 0, 0, time.UTC)
	spring, autumn := lastSunday(day.Year(), time.March), lastSunday(day.Year(), time.October)
	summer, winter := shown.Add(-2*time.Hour), shown.Add(-time.Hour)
	switch {
	case !summer.Before(spring) && summer.Before(autumn):
		return summer
	case winter.Before(spring) || !winter.Before(autumn):
		return winter
	}
	return spring
}

// occurrences are all during the month.
func (w timetable) occurrences(p *plan) (all []time.Time) {
	for day := p.from.AddDate(0, 0, -1); day.Before(p.to.AddDate(0, 0, 2)); day = day.AddDate(0, 0, 1) {
		if len(w.days) > 0 && !slices.Contains(w.days, day.Weekday()) {
			continue
		}
		for _, clock := range w.times {
			if at := inAmsterdam(day, clock); at.After(p.from) {
				all = append(all, at)
			}
		}
	}
	return all
}

// served is the moment, or the next one at which something serves.
func (p *plan) served(at time.Time) time.Time {
	for _, d := range p.down {
		if d.has(at) {
			return d.to
		}
	}
	return at
}

// expects is how a run that begins at a time must end.
func (p *plan) expects(r ranAt) int {
	for _, d := range p.down {
		if !r.start.After(d.from) && !r.end.Before(d.from) && r.end.After(r.start) {
			return exitInterrupted
		}
	}
	for _, s := range p.spells {
		if s.has(r.start) {
			return s.exit
		}
	}
	return 0
}

// footing is where a pipeline stands between two runs.
type footing struct {
	handled, retry time.Time
	tries          int
	login          bool
}

// next is when it must run next; zero: not any more.
func (p *plan) next(t footing, occurrences []time.Time, after time.Time) (due time.Time, scheduled bool) {
	if t.login {
		at := slices.IndexFunc(p.logins, func(l time.Time) bool { return l.After(after) })
		if at < 0 {
			return time.Time{}, false
		}
		return p.served(p.logins[at]), false
	}
	for _, o := range occurrences {
		if o.After(t.handled) {
			due, scheduled = o, true
			break
		}
	}
	if !t.retry.IsZero() && (due.IsZero() || t.retry.Before(due)) {
		due, scheduled = t.retry, false
	}
	return p.served(due), scheduled
}

// after is where a pipeline stands after a run.
func (p *plan) after(t footing, r ranAt, scheduled bool, occurrences []time.Time) footing {
	if scheduled {
		t.tries = 0
	}
	t.retry, t.login = time.Time{}, r.exit == exitLogin
	again := time.Duration(0)
	end := r.end
	switch {
	case r.exit == exitInterrupted && slices.Contains(p.cuts, r.end): // the next service finds it dead
		end = p.served(r.end)
		again = time.Minute
	case r.exit == exitInterrupted: // it is gone on with
		return t
	case r.exit == exitSource || r.exit == exitMachine:
		again = 10 * time.Minute
	}
	for _, o := range occurrences {
		if !o.After(end) {
			t.handled = o
		}
	}
	switch {
	case again == 0:
		t.tries = 0
	case t.tries < 6:
		t.retry = end.Add(again << t.tries)
		t.tries++
	default:
		t.retry = end.Add(24 * time.Hour)
	}
	return t
}

// runs holds what ran against what had to run.
func (m *month) runs(p *plan) {
	m.t.Helper()
	for _, w := range inForce() {
		ran := slices.DeleteFunc(slices.Clone(m.ran), func(r ranAt) bool { return r.pipeline != w.pipeline })
		occurrences := w.occurrences(p)
		t, last := footing{handled: p.from}, p.from
		for i := 0; ; i++ {
			due, scheduled := p.next(t, occurrences, last)
			if due.IsZero() || !due.Before(p.to) {
				for _, r := range ran[i:] {
					m.t.Errorf("%s ran at %v, which it must not", w.pipeline, r.start)
				}
				break
			}
			if i == len(ran) {
				m.t.Errorf("%s did not run at %v", w.pipeline, due)
				break
			}
			r := ran[i]
			if late := r.start.Sub(p.writable(m.freed(w, due, r.start), r.start)); late < 0 || late > 2*p.every {
				m.t.Errorf("%s ran at %v, which is due at %v", w.pipeline, r.start, due)
			}
			if want := p.expects(r); r.exit != want {
				m.t.Errorf("%s at %v ends with %d, want %d", w.pipeline, r.start, r.exit, want)
			}
			t, last = p.after(t, r, scheduled, occurrences), r.start
		}
	}
}

// freed is when a run that is due has its warehouse for itself.
func (m *month) freed(w timetable, due, start time.Time) time.Time {
	for _, other := range m.ran {
		at := slices.IndexFunc(timetables, func(o timetable) bool { return o.pipeline == other.pipeline })
		if timetables[at].warehouse == w.warehouse && other.pipeline != w.pipeline && other.end.After(due) && !other.end.After(start) {
			due = other.end
		}
	}
	return due
}

// writable is when what begins can be noted: not while the disk has no room even for that.
func (p *plan) writable(due, start time.Time) time.Time {
	for _, s := range p.spells {
		if s.exit == exitMachine && s.has(due) && !s.has(start) {
			return s.to
		}
	}
	return due
}

// plight is a condition that must be told of as long as it lasts.
type plight struct {
	cause    string
	from, to time.Time // to zero: it lasts
}

// failures are the conditions that runs of a pipeline bring about.
func (m *month) failures(p *plan, w timetable) (all []plight) {
	word := map[int]string{exitSource: "source", exitMachine: "machine"}
	open := func(cause string, at time.Time) {
		if n := len(all); n > 0 && all[n-1].to.IsZero() && all[n-1].cause == cause {
			return
		}
		all = append(all, plight{cause: cause, from: at})
	}
	for _, r := range m.ran {
		switch {
		case r.pipeline != w.pipeline:
		case r.exit == 0:
			if n := len(all); n > 0 && all[n-1].to.IsZero() {
				all[n-1].to = r.end
			}
		case word[r.exit] != "":
			open("failure "+w.pipeline+" "+word[r.exit], r.end)
		case slices.Contains(p.cuts, r.end):
			open("failure "+w.pipeline+" killed", p.served(r.end))
		}
	}
	return all
}

// staleness is when tables of a pipeline are older than they may be.
func (m *month) staleness(p *plan, w timetable) (all []plight) {
	var last time.Time
	note := func(until time.Time) {
		from := last.Add(w.maxAge)
		if !last.IsZero() && p.served(from).Add(2*p.tell).Before(until) { // else it is just being made up for
			all = append(all, plight{"stale " + w.pipeline, from, until})
		}
		last = until
	}
	for _, r := range m.ran {
		if r.pipeline == w.pipeline && r.exit == 0 {
			note(r.end)
		}
	}
	note(p.to)
	return all
}

// lockedOut is when somebody had to log in.
func (m *month) lockedOut(p *plan) (all []plight) {
	for _, login := range p.logins {
		for _, r := range m.ran {
			if r.exit == exitLogin && r.end.Before(login) {
				all = append(all, plight{"login books", r.end, login})
				break
			}
		}
	}
	return all
}

// alerted holds what was told against what had to be: each cause once, again every day while it lasts,
// and once that it is over. Each good run is pinged for, once.
func (m *month) alerted(p *plan) {
	m.t.Helper()
	must := m.lockedOut(p)
	for _, w := range inForce() {
		must = append(must, m.failures(p, w)...)
		if w.maxAge > 0 {
			must = append(must, m.staleness(p, w)...)
		}
	}
	slices.SortStableFunc(must, func(a, b plight) int { return a.from.Compare(b.from) })
	told, pings, ids := map[string][]toldAt{}, 0, map[string]bool{}
	for _, a := range m.alerts {
		switch {
		case a.Kind == "ping":
			pings++
		case ids[a.ID]:
			m.t.Errorf("told twice: %+v", a)
		case a.Kind != "drift": // which is news
			ids[a.ID] = true
			cause := strings.Join(strings.Fields(a.Kind+" "+a.Pipeline+" "+a.Subject), " ")
			told[cause] = append(told[cause], a)
		}
	}
	for _, w := range must {
		told[w.cause] = m.lasted(p, w, told[w.cause])
	}
	for _, rest := range told {
		for _, a := range rest {
			m.t.Errorf("told without a cause: %+v", a)
		}
	}
	good := 0
	for _, r := range m.ran {
		good += map[bool]int{true: 1}[r.exit == 0]
	}
	if pings != good {
		m.t.Errorf("%d pings for %d good runs", pings, good)
	}
}

// lasted takes the messages of one condition off those of its cause.
func (m *month) lasted(p *plan, w plight, told []toldAt) []toldAt {
	m.t.Helper()
	status, due := "problem", p.served(w.from)
	end := p.served(w.to)
	for {
		if !w.to.IsZero() && !due.Before(end) {
			status, due = "recovered", end
		}
		if w.to.IsZero() && !due.Before(p.to) {
			return told
		}
		if len(told) == 0 {
			m.t.Errorf("not told: %s of %s at %v", status, w.cause, due)
			return nil
		}
		a := told[0]
		if late := a.at.Sub(due); a.Status != status || late < 0 || late > 2*p.tell {
			m.t.Errorf("%s of %s told at %v, want %s at %v", a.Status, w.cause, a.at, status, due)
		}
		told = told[1:]
		if status == "recovered" {
			return told
		}
		due = p.served(a.at.Add(24 * time.Hour))
	}
}
