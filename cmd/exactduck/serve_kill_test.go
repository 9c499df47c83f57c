package main

import (
	"bytes"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"exactduck/cmd/exactduck/schedule"
	"exactduck/extract/sandbox"
)

// often is how far apart the runs of a hurried office are.
const often = 10 * time.Minute

// newHurried is an office whose pipeline runs often, and which somebody is told of.
func newHurried(t *testing.T) (*office, *listener) {
	t.Helper()
	o := newOffice(t, "      - crm/Accounts\n      - crm/Contacts", sandbox.Options{Divisions: 1, Scale: 0.1})
	o.rewrite("    from: books\n", "    from: books\n    schedule: \"*/10 * * * *\"\n    timezone: UTC\n")
	return o, o.listened()
}

// A serve is killed at any moment, with its run or without, or its run alone. No run is lost by it and
// none made twice, and nobody is told more than there is to tell.
func TestServesThatAreKilled(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	dice := rand.New(rand.NewPCG(seed, 0))
	o, l := newHurried(t)
	o.sandbox.Fault(sandbox.Fault{Path: "/api/v1/", Times: -1, Delay: 100 * time.Millisecond})
	killed := map[string]int{}
	for n := range rounds(3, 200) {
		if n == 0 || dice.IntN(2) == 0 { // else the next one meets what this one left
			o.until("no run is on, whose clock would stay behind", o.isIdle)
			o.change(sandbox.Change{Entity: "crm/Accounts", Insert: 1, Update: 1, Delete: 1}, sandbox.Change{Entity: "crm/Contacts", Update: 1})
			o.later(often)
		}
		s := o.started("serve", "--listen", "off")
		o.pass(dice.IntN(2500))
		switch dice.IntN(4) {
		case 0: // a run alone, and serve sees it
			killed["run"] += o.killRun()
			o.pass(dice.IntN(1000))
		case 1: // both, as when the power goes
			killed["run"] += o.killRun()
		}
		if err := s.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := <-s.ended; err == nil {
			t.Error("a serve that is killed ends well")
		}
		killed["serve"]++
		o.nothingLost()
		if t.Failed() {
			t.FailNow()
		}
	}
	o.until("no run is on", o.isIdle)
	o.sandbox.ClearFaults()
	o.later(often)
	s := o.serve()
	caughtUp := func() bool { return strings.Contains(s.said.String(), "msg=\"run ended\"") && !o.standing().Running }
	for end := time.Now().Add(3 * time.Minute); !caughtUp() && time.Now().Before(end); {
		if err := pauseFor(t.Context(), 100*time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
	if !caughtUp() {
		t.Fatalf("nothing is caught up: %+v: %s", o.standing(), s.said)
	}
	s.stop()
	o.nothingLost()
	o.nothingTwice(killed["run"])
	l.calm(t, killed["run"])
	t.Logf("killed: %v; %d runs", killed, len(o.ran()))
	o.equal()
	o.tidy()
}

// A run outlives its serve although nobody reads any more what it says.
func TestARunOutlivesWhoReadsItsLog(t *testing.T) {
	t.Parallel()
	o, _ := newHurried(t)
	o.sandbox.Fault(sandbox.Fault{Path: "/api/v1/", Nth: 2, Delay: 3 * time.Second})
	s := o.started("serve", "--listen", "off", "-v")
	o.run(0, "schedule", "run", "nightly", "-q")
	latest := func() string {
		all := o.ran()
		if len(all) == 0 {
			return ""
		}
		return all[len(all)-1].Status
	}
	o.until("a run is on", func() bool { return latest() == "running" })
	if err := s.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := <-s.ended; err == nil { // from here on there is no other end of the pipe
		t.Error("a serve that is killed ends well")
	}
	o.until("no run is on", o.isIdle)
	if status := latest(); status != "done" {
		t.Errorf("it ends as %s", status)
	}
}

// started is a server of which nothing is awaited.
func (o *office) started(args ...string) *server {
	o.t.Helper()
	s := &server{Cmd: o.process(args...), o: o, said: &overheard{}, ended: make(chan error, 1)}
	s.Stderr = s.said
	s.WaitDelay = time.Second // its child may hold the pipe for longer
	if err := s.Start(); err != nil {
		o.t.Fatal(err)
	}
	go func() { s.ended <- s.Wait() }()
	o.t.Cleanup(func() { _ = s.Process.Kill() })
	return s
}

func (o *office) pass(milliseconds int) {
	o.t.Helper()
	if err := pauseFor(o.t.Context(), time.Duration(milliseconds)*time.Millisecond); err != nil {
		o.t.Fatal(err)
	}
}

// isIdle reports whether no run is on, not even one that has not come to write its record.
func (o *office) isIdle() bool {
	lock, err := lockRun(o.file("state/schedule"), "nightly")
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	return lock.Close() == nil
}

// killRun kills the run that is on, and returns how many it killed.
func (o *office) killRun() int {
	o.t.Helper()
	all := o.ran()
	if len(all) == 0 || all[len(all)-1].Status != "running" {
		return 0
	}
	pid := all[len(all)-1].PID
	line, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
	if err != nil || !bytes.Contains(line, []byte("sync")) || syscall.Kill(pid, syscall.SIGKILL) != nil {
		return 0 // it has ended meanwhile
	}
	return 1
}

// nothingLost fails the test when the last start of the schedule is neither made up for, nor on, nor due.
func (o *office) nothingLost() {
	o.t.Helper()
	spec, err := schedule.Parse("*/10 * * * *", time.UTC)
	if err != nil {
		o.t.Fatal(err)
	}
	all, err := schedule.Open(o.file("state/schedule"), o.now).Standings([]schedule.Wanted{{Pipeline: "nightly", Spec: spec}})
	if err != nil {
		o.t.Fatal(err)
	}
	if st := all[0]; st.Running || !st.Due.IsZero() || st.Tries > 0 || st.LastExit == nil {
		return // it is on, or due, or will be tried again, or no service came to see the schedule
	}
	last, ran := o.now().Truncate(often), o.ran()
	for _, r := range ran {
		if r.Status == "done" && !r.Ended.Before(last) { // what comes due while a run is on is not run behind it
			return
		}
	}
	o.t.Errorf("the start of %v is lost: %+v, with %d runs", last, all[0], len(ran))
}

// nothingTwice fails the test when runs were on side by side, or when one was made again that had ended
// well.
func (o *office) nothingTwice(killed int) {
	o.t.Helper()
	good, dead := map[time.Time]int{}, 0
	all := o.ran()
	for i, r := range all {
		if i > 0 && all[i-1].Ended.After(r.Started) {
			o.t.Errorf("a run begins at %v while one is on that ends at %v", r.Started, all[i-1].Ended)
		}
		switch r.Status {
		case "done":
			good[r.Started.Truncate(often)]++
		case "killed":
			dead++
		default:
			o.t.Errorf("a run is %s: %s", r.Status, r.Message)
		}
	}
	for start, n := range good {
		if n > 1 {
			o.t.Errorf("what was due at %v has run well %d times", start, n)
		}
	}
	if dead > killed {
		o.t.Errorf("%d runs are dead, of which %d were killed", dead, killed)
	}
}

// calm fails the test when a listener was told of something twice, or of more than was killed.
func (l *listener) calm(t *testing.T, killed int) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	var told []heard
	for _, h := range l.got {
		if h.Kind == "ping" || h.Kind == "drift" || slices.ContainsFunc(told, func(o heard) bool { return o.ID == h.ID }) {
			continue // news, or told again because of a kill before it was noted
		}
		told = append(told, h)
	}
	open := map[string]bool{}
	problems := 0
	for _, h := range told {
		cause := h.Kind + " " + h.Subject
		if h.Status == "problem" == open[cause] {
			t.Errorf("told out of turn: %+v", h)
		}
		open[cause] = h.Status == "problem"
		if open[cause] {
			problems++
		}
	}
	for cause, is := range open {
		if is {
			t.Errorf("never told that it is over: %s", cause)
		}
	}
	if problems > killed {
		t.Errorf("told of %d problems after %d kills: %+v", problems, killed, told)
	}
}
