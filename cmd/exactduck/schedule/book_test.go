package schedule

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// desk is a book with a clock that stands still, and what is wanted of one pipeline.
type desk struct {
	*Book
	t      *testing.T
	at     time.Time
	wanted Wanted
	login  time.Time // when somebody logged in
}

// newDesk opens a book at a local time of 2026 in the zone of a schedule.
func newDesk(t *testing.T, expr, where, now string) *desk {
	t.Helper()
	d := &desk{t: t}
	if expr != "" {
		d.wanted.Spec = parsed(t, expr, where)
	}
	d.wanted.Pipeline, d.wanted.LoggedIn = "nightly", func() time.Time { return d.login }
	d.Book = Open(filepath.Join(t.TempDir(), "schedule"), func() time.Time { return d.at })
	d.set(where, now)
	d.due()
	return d
}

func (d *desk) set(where, now string) {
	d.t.Helper()
	var err error
	if d.at, err = time.ParseInLocation("01-02 15:04", now, zone(d.t, where)); err != nil {
		d.t.Fatal(err)
	}
	d.at = d.at.AddDate(2026, 0, 0)
}

func (d *desk) due() (Turn, bool) {
	d.t.Helper()
	turns, err := d.Due([]Wanted{d.wanted})
	if err != nil {
		d.t.Fatal(err)
	}
	if len(turns) == 0 {
		return Turn{}, false
	}
	return turns[0], true
}

func (d *desk) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) standing() Standing {
	d.t.Helper()
	all, err := d.Standings([]Wanted{d.wanted})
	d.must(err)
	return all[0]
}

// play lets time pass and runs what is due, minute by minute. Each run takes a while and ends with the
// next of the exit codes, at last with 0. It tells when runs began, and why.
func (d *desk) play(until time.Duration, takes time.Duration, exits ...int) (told []string) {
	d.t.Helper()
	for end := d.at.Add(until); d.at.Before(end); d.at = d.at.Add(time.Minute) {
		turn, due := d.due()
		if !due {
			continue
		}
		text := fmt.Sprintf("%s %s", d.at.Format("02 15:04"), turn.Why)
		if turn.Caught {
			text += " caught up"
		}
		told = append(told, text)
		d.must(d.Begin(turn))
		if _, again := d.due(); again {
			d.t.Fatal("what runs is due")
		}
		d.at = d.at.Add(takes)
		exit := 0
		if len(exits) > 0 {
			exit, exits = exits[0], exits[1:]
		}
		d.must(d.End(d.wanted, exit, d.at))
	}
	return told
}

func (d *desk) expect(got []string, want ...string) {
	d.t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		d.t.Error(diff)
	}
}

const amsterdam = "Europe/Amsterdam"

func TestRunsOfAWeekWithANightInWhichClocksChange(t *testing.T) {
	d := newDesk(t, "30 2 * * *", amsterdam, "03-27 12:00")
	d.expect(d.play(96*time.Hour, 20*time.Minute), "28 02:30 schedule", "29 03:00 schedule", "30 02:30 schedule", "31 02:30 schedule")
	d = newDesk(t, "30 2 * * *", amsterdam, "10-24 12:00")
	d.expect(d.play(48*time.Hour, 90*time.Minute), "25 02:30 schedule", "26 02:30 schedule")
}

func TestWhatWasMissedIsCaughtUpOnce(t *testing.T) {
	d := newDesk(t, "15 4 * * *", amsterdam, "11-01 12:00")
	d.set(amsterdam, "11-05 09:00")
	d.expect(d.play(24*time.Hour, 10*time.Minute), "05 09:00 schedule caught up", "06 04:15 schedule")
	if s := d.standing(); s.Caught || s.LastExit == nil || *s.LastExit != 0 || !s.Due.IsZero() || s.Next.Day() != 7 {
		t.Errorf("afterwards: %+v", s)
	}
}

func TestAPause(t *testing.T) {
	d := newDesk(t, "15 4 * * *", amsterdam, "11-01 12:00")
	d.must(d.Pause("nightly"))
	d.expect(d.play(72*time.Hour, time.Minute))
	if s := d.standing(); !s.Paused || !s.Due.IsZero() {
		t.Errorf("while paused: %+v", s)
	}
	d.must(d.Request("nightly"))
	d.expect(d.play(time.Hour, time.Minute), "04 12:00 requested")
	d.Book = Open(d.dir, d.clock) // another process
	d.must(d.Resume("nightly"))
	d.expect(d.play(24*time.Hour, time.Minute), "04 13:00 schedule caught up", "05 04:15 schedule")
	d.must(d.Pause("nightly"))
	d.must(d.Resume("nightly"))
	d.expect(d.play(12*time.Hour, time.Minute)) // nothing was missed
}

func TestRequests(t *testing.T) {
	d := newDesk(t, "15 4 * * *", amsterdam, "11-01 12:00")
	d.must(d.Request("nightly"))
	d.at = d.at.Add(time.Second)
	d.must(d.Request("nightly")) // is one with the first
	turn, _ := d.due()
	d.must(d.Begin(turn))
	if s := d.standing(); !s.Running || !s.Requested.IsZero() {
		t.Errorf("while it runs: %+v", s)
	}
	d.must(d.End(d.wanted, 0, d.at))
	d.expect(d.play(time.Hour, time.Minute))

	d.must(d.Request("nightly"))
	turn, _ = d.due()
	d.must(d.Begin(turn))
	d.at = d.at.Add(time.Second)
	d.must(d.Request("nightly")) // of one that runs: it comes after that
	if s := d.standing(); s.Requested.IsZero() {
		t.Errorf("asked for while it runs: %+v", s)
	}
	d.must(d.End(d.wanted, 0, d.at))
	d.expect(d.play(time.Hour, time.Minute), "01 13:00 requested")
}

// What somebody asks for does not take the place of what the schedule brings.
func TestARequestIsNoOccurrence(t *testing.T) {
	d := newDesk(t, "15 4 * * *", amsterdam, "11-02 04:10")
	d.must(d.Request("nightly"))
	d.expect(d.play(time.Hour, 10*time.Minute), "02 04:10 requested", "02 04:21 schedule caught up")
}

func TestOccurrencesDuringARunAreNotRunBehindIt(t *testing.T) {
	d := newDesk(t, "*/10 * * * *", amsterdam, "11-02 04:05")
	d.expect(d.play(time.Hour, 25*time.Minute), "02 04:10 schedule", "02 04:40 schedule")
}

func TestWhatFollowsAnExitCode(t *testing.T) {
	for _, c := range []struct {
		name  string
		exits []int
		want  []string
	}{
		{"a bug waits", []int{1}, []string{"02 04:15 schedule", "03 04:15 schedule"}},
		{"a wrong configuration waits", []int{2}, []string{"02 04:15 schedule", "03 04:15 schedule"}},
		{"failed streams wait", []int{3}, []string{"02 04:15 schedule", "03 04:15 schedule"}},
		{"a broken contract waits", []int{8}, []string{"02 04:15 schedule", "03 04:15 schedule"}},
		{"a login is waited for", []int{4}, []string{"02 04:15 schedule"}},
		{"an unreachable source", []int{5, 5, 0}, []string{"02 04:15 schedule", "02 04:26 again", "02 04:47 again", "03 04:15 schedule"}},
		{"an outage of a night", []int{5, 5, 5, 5, 5, 5, 5}, []string{
			"02 04:15 schedule", "02 04:26 again", "02 04:47 again", "02 05:28 again", "02 06:49 again", "02 09:30 again", "02 14:51 again", "03 04:15 schedule",
		}},
		{"calls used up", []int{7, 7}, []string{"02 04:15 schedule", "03 01:05 again", "03 04:15 schedule"}},
		{"a full disk", []int{10}, []string{"02 04:15 schedule", "02 04:26 again", "03 04:15 schedule"}},
		{"another run is on", []int{9, 9}, []string{"02 04:15 schedule", "02 04:17 schedule", "02 04:19 schedule caught up", "03 04:15 schedule"}},
		{"killed", []int{-1}, []string{"02 04:15 schedule", "02 04:17 again", "03 04:15 schedule"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, "15 4 * * *", amsterdam, "11-02 04:00")
			d.expect(d.play(48*time.Hour-2*time.Hour, time.Minute, c.exits...), c.want...)
		})
	}
}

// What runs seldom is tried every day when an evening was not enough, until the source is back.
func TestAnOutageThatLastsForDays(t *testing.T) {
	d := newDesk(t, "15 4 * * 0", amsterdam, "11-01 04:00")
	d.expect(d.play(14*24*time.Hour, time.Minute, 5, 5, 5, 5, 5, 5, 5, 5, 5, 0),
		"01 04:15 schedule", "01 04:26 again", "01 04:47 again", "01 05:28 again", "01 06:49 again", "01 09:30 again", "01 14:51 again",
		"02 14:52 again", "03 14:53 again", "04 14:54 again", "08 04:15 schedule")
}

func TestNothingRunsBetweenALostLoginAndTheNext(t *testing.T) {
	d := newDesk(t, "15 4 * * *", amsterdam, "11-02 04:00")
	d.login = d.at.Add(-time.Hour)
	d.expect(d.play(72*time.Hour, time.Minute, 4), "02 04:15 schedule")
	if s := d.standing(); !s.NeedsLogin {
		t.Errorf("it needs a login: %+v", s)
	}
	d.must(d.Request("nightly")) // who asks is answered
	d.expect(d.play(time.Hour, time.Minute, 4), "05 04:00 requested")
	d.login = d.at
	d.expect(d.play(24*time.Hour, time.Minute), "05 05:00 again", "06 04:15 schedule")
	if s := d.standing(); s.NeedsLogin {
		t.Errorf("somebody has logged in: %+v", s)
	}
}

// Whoever was killed between the start of a run and its end leaves it begun: nobody starts it a second
// time before it is known what became of it.
func TestARunThatWasBegunIsNotDue(t *testing.T) {
	d := newDesk(t, "15 4 * * *", amsterdam, "11-02 04:00")
	d.at = d.at.Add(20 * time.Minute)
	turn, _ := d.due()
	d.must(d.Begin(turn))
	d.Book = Open(d.dir, d.clock)
	d.at = d.at.Add(72 * time.Hour)
	if _, due := d.due(); due || !d.standing().Running {
		t.Errorf("it is due again: %+v", d.standing())
	}
	d.must(d.Abandon("nightly"))
	d.expect(d.play(time.Hour, time.Minute), "05 04:20 schedule caught up")

	turn = Turn{Pipeline: "nightly", Why: Scheduled, Occurrence: d.at}
	d.must(d.Begin(turn))
	over := d.at.Add(time.Minute)
	d.at = d.at.Add(48 * time.Hour)
	d.must(d.End(d.wanted, 0, over)) // it ended long before anybody could write it down
	d.expect(d.play(time.Hour, time.Minute), "07 05:20 schedule caught up")
}

func TestARequestThatWasKilledIsStillAskedFor(t *testing.T) {
	d := newDesk(t, "15 4 * * *", amsterdam, "11-02 12:00")
	d.must(d.Pause("nightly"))
	d.must(d.Request("nightly"))
	d.expect(d.play(time.Hour, time.Minute, -1, -1), "02 12:00 requested", "02 12:02 requested", "02 12:05 requested")
}

func TestAnotherScheduleBeginsWhenItIsSeen(t *testing.T) {
	d := newDesk(t, "15 4 * * *", amsterdam, "11-02 12:00")
	d.wanted.Spec = parsed(t, "0 9 * * *", amsterdam)
	d.expect(d.play(24*time.Hour, time.Minute), "03 09:00 schedule")
	d.wanted.Spec = nil
	d.expect(d.play(48*time.Hour, time.Minute))
	if s := d.standing(); !s.Next.IsZero() || s.Spec != "" {
		t.Errorf("without a schedule: %+v", s)
	}
	d.must(d.Request("nightly"))
	d.expect(d.play(time.Hour, time.Minute), "05 12:00 requested")
}

// A clock that was a year ahead for a moment must not silence a pipeline for a year.
func TestAClockThatWasWrong(t *testing.T) {
	d := newDesk(t, "15 4 * * *", amsterdam, "11-02 12:00")
	d.at = d.at.AddDate(1, 0, 0)
	d.play(24*time.Hour, time.Minute)
	d.set(amsterdam, "11-02 13:00")
	d.expect(d.play(24*time.Hour, time.Minute), "03 04:15 schedule")
}

func TestManyProcessesWriteOneBook(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "schedule")
	var all sync.WaitGroup
	for n := range 8 {
		b := Open(dir, time.Now)
		all.Go(func() {
			for range 20 {
				if err := errors.Join(b.Pause(fmt.Sprint("p", n)), b.Request(fmt.Sprint("p", n))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	for n := range 8 {
		s, err := Open(dir, time.Now).Standings([]Wanted{{Pipeline: fmt.Sprint("p", n)}})
		if err != nil || !s[0].Paused || s[0].Requested.IsZero() {
			t.Errorf("p%d is %+v, %v", n, s, err)
		}
	}
}

func TestADamagedBookIsRefused(t *testing.T) {
	for _, text := range []string{`{"version": 1, "pipe`, `{"version": 2}`} {
		d := newDesk(t, "", "", "01-01 00:00")
		d.must(os.MkdirAll(d.dir, 0o700))
		d.must(os.WriteFile(d.path(), []byte(text), 0o600))
		_, err := d.Standings(nil)
		if bad, ok := errors.AsType[*Damaged](err); !ok || !strings.Contains(bad.Error(), "book.json") {
			t.Errorf("%s gives %v", text, err)
		}
		if err := d.Pause("nightly"); !errors.As(err, new(*Damaged)) {
			t.Errorf("a pause on %s gives %v", text, err)
		}
	}
}
