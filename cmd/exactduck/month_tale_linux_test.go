package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"exactduck/extract/sandbox"
)

// tale is what befalls an office, both as a plan and as what is done at each moment.
type tale struct {
	*month
	plan
	moments []happens
}

type happens struct {
	at time.Time
	do func()
}

func (x *tale) at(at time.Time, do func()) { x.moments = append(x.moments, happens{at, do}) }

// outage keeps the source from being reached.
func (x *tale) outage(from, to time.Time) {
	x.spells = append(x.spells, spell{from, to, exitSource})
	x.at(from, func() { x.sandbox.Fault(sandbox.Fault{Times: -1, Kind: sandbox.CutBefore}) })
	x.at(to, x.sandbox.ClearFaults)
}

// loggedOut ends the login until somebody logs in.
func (x *tale) loggedOut(from, to time.Time) {
	x.spells, x.logins = append(x.spells, spell{from, to, exitLogin}), append(x.logins, to)
	x.at(from, x.elsewhere)
	x.at(to, x.login)
}

// reboot ends the service as a system does, and starts it again.
func (x *tale) reboot(from, to time.Time) {
	x.down = append(x.down, spell{from: from, to: to})
	x.at(from, func() { x.stop() })
	x.at(to, x.boot)
}

// blackout takes the power while a run waits for an answer: what lay on the disk at that moment is what
// there is afterwards.
func (x *tale) blackout(at, to time.Time) {
	x.down, x.cuts = append(x.down, spell{from: at, to: to}), append(x.cuts, at)
	x.at(at.Add(-time.Hour), func() {
		x.sandbox.Fault(sandbox.Fault{Path: "/crm/Accounts", Times: -1, Delay: 2 * time.Hour})
	})
	kept := filepath.Join(x.t.TempDir(), "kept")
	x.at(at, func() {
		x.shell("cp", "-a", x.dir, kept)
		x.stop()
		x.sandbox.ClearFaults()
		x.shell("find", x.dir, "-mindepth", "1", "-delete")
		x.shell("cp", "-a", kept+"/.", x.dir)
	})
	x.at(to, x.boot)
}

// fullDisk leaves room for small files only.
func (x *tale) fullDisk(from, to time.Time) {
	x.spells = append(x.spells, spell{from, to, exitMachine})
	var ballast string
	x.at(from, func() { ballast = cram(x.t, x.dir, 64<<10) })
	x.at(to, func() { x.must(os.Remove(ballast)) })
}

func (x *tale) shell(command ...string) {
	x.t.Helper()
	if out, err := exec.CommandContext(x.t.Context(), command[0], command[1:]...).CombinedOutput(); err != nil {
		x.t.Fatalf("%q: %v: %s", command, err, out)
	}
}

// tell lets it all happen. Work is done every day; at what weekly reads, until its last run.
func (x *tale) tell() {
	x.t.Helper()
	var last time.Time
	for _, at := range timetables[1].occurrences(&x.plan) {
		if at.Before(x.to) {
			last = at
		}
	}
	for noon := x.from.Add(12 * time.Hour); noon.Before(x.to.AddDate(0, 0, -1)); noon = noon.AddDate(0, 0, 1) {
		x.at(noon, func() { x.change("crm/Accounts", "crm/Addresses", "crm/Contacts") })
		if noon.Before(last) {
			x.at(noon, func() { x.change("logistics/Items") })
		}
	}
	slices.SortStableFunc(x.moments, func(a, b happens) int { return a.at.Compare(b.at) })
	x.boot()
	for _, m := range x.moments {
		x.until(m.at)
		m.do()
	}
	x.until(x.to)
	x.stop()
}

// judge holds what came of it against what had to.
func (x *tale) judge() {
	x.t.Helper()
	x.runs(&x.plan)
	x.alerted(&x.plan)
	x.equal()
	if !x.t.Failed() {
		x.t.Logf("%d runs and %d messages from %v on", len(x.ran), len(x.alerts), x.from)
		return
	}
	for _, r := range x.ran {
		x.t.Logf("%s from %v for %v: %d", r.pipeline, r.start, r.end.Sub(r.start), r.exit)
	}
	for _, a := range x.alerts {
		x.t.Logf("told at %v: %+v", a.at, a.message)
	}
}

// local is when clocks in Amsterdam show a time of the n-th day.
func (x *tale) local(n int, clock string) time.Time {
	return inAmsterdam(x.from.Add(2*time.Hour).AddDate(0, 0, n), clock)
}

// newTale begins at a midnight in Amsterdam.
func newTale(t *testing.T, dir string, told *confidant, year int, month time.Month, day, days int) *tale {
	t.Helper()
	from := inAmsterdam(time.Date(year, month, day, 0, 0, 0, 0, time.UTC), "00:00")
	x := &tale{month: newMonth(t, dir, told, from)}
	x.plan = plan{from: from, to: inAmsterdam(time.Date(year, month, day+days, 0, 0, 0, 0, time.UTC), "00:00"), every: x.month.every, tell: x.tells}
	return x
}

// Everything befalls the office: what has to run runs when it has to, whoever has to be told is told,
// once, and in the end all is as at the source.
func TestAMonthOfServe(t *testing.T) {
	warmUp(t)
	hangups(t.Context()) // for the same reason
	for _, span := range []struct {
		name       string
		year       int
		month      time.Month
		day, after int // the day before the clocks change in the night after this many days
	}{
		{"autumn", 2026, time.October, 22, 3},
		{"spring", 2027, time.March, 25, 3},
	} {
		if span.name == "spring" && !long() {
			continue
		}
		t.Run(span.name, func(t *testing.T) {
			told, dir := newConfidant(t), t.TempDir()
			small := mounted(t, dir)
			synctest.Test(t, func(t *testing.T) {
				if long() {
					x := newTale(t, dir, told, span.year, span.month, span.day-11, 30)
					x.wholeMonth(small)
					return
				}
				x := newTale(t, dir, told, span.year, span.month, span.day, 6)
				x.fewDays(small)
			})
		})
	}
}

// fewDays have a bit of everything.
func (x *tale) fewDays(small bool) {
	x.outage(x.local(0, "20:00"), x.local(1, "03:30"))
	x.blackout(x.local(2, "02:33"), x.local(2, "05:00"))
	x.loggedOut(x.local(3, "20:00"), x.local(4, "10:00"))
	if small {
		x.fullDisk(x.local(4, "22:00"), x.local(5, "02:35"))
	}
	x.reboot(x.local(5, "03:30"), x.local(5, "05:00"))
	x.tell()
	x.judge()
}

// wholeMonth has a week without the source, and a night between any two evils.
func (x *tale) wholeMonth(small bool) {
	x.reboot(x.local(1, "01:00"), x.local(1, "05:00"))
	x.blackout(x.local(2, "02:31"), x.local(2, "05:00"))
	x.outage(x.local(3, "11:00"), x.local(10, "11:30"))
	x.loggedOut(x.local(12, "06:00"), x.local(13, "15:20"))
	// the clocks change in the 15th night
	if small {
		x.fullDisk(x.local(17, "21:00"), x.local(18, "04:00"))
	}
	x.reboot(x.local(20, "12:59"), x.local(23, "07:10"))
	x.reboot(x.local(25, "02:29"), x.local(25, "02:32"))
	x.tell()
	x.judge()
}
