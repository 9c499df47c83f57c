package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"strconv"
	"testing"
	"time"

	"exactduck/cmd/exactduck/config"
	"exactduck/extract/sandbox"
)

const officeStreams = `      - crm/Accounts
      - financial/GLAccounts
      - cashflow/Receivables
      - general/Currencies
      - read/financial/ReceivablesList`

// An accountant's office has hundreds of administrations. All of them are read in one run, in no
// more goroutines, and one that cannot be read does not hold the others.
func TestManyDivisionsInOneRun(t *testing.T) { // alone: it counts goroutines
	count := rounds(40, 500)
	w := newWorld(t, t.TempDir(), officeStreams, sandbox.Options{Divisions: count, Scale: 0.1})
	all := w.sandbox.Divisions()
	down := strconv.Itoa(all[count/2+1])
	w.sandbox.Fault(sandbox.Fault{Path: "/" + down + "/", Times: -1, Kind: sandbox.ServerError})
	before := runtime.NumGoroutine() // of tests that wait for their turn
	most := watch(t.Context())
	began := time.Now()
	result, err := w.sync(t.Context(), w.pipeline(), syncOptions{})
	goroutines := most() - before
	if exitCode(err) != exitPartial {
		t.Fatalf("code %d: %v", exitCode(err), err)
	}
	for _, l := range result.Streams {
		if (l.Status == "done") == (l.Scope == down) {
			t.Errorf("%s of division %s is %s", l.Stream, l.Scope, l.Status)
		}
	}
	if n := len(of(w.wire.calls(0), "system/Divisions")); n != (count+59)/60 {
		t.Errorf("the divisions are asked for %d times", n)
	}
	t.Logf("%d divisions in %v with %d calls: %d goroutines more at most", count, time.Since(began), len(w.wire.calls(0)), goroutines)
	if goroutines > 200 {
		t.Errorf("it takes %d goroutines more", goroutines)
	}
	w.sample(count/8, "")
	w.sandbox.ClearFaults()
	w.clock.advance(day24)
	w.run(syncOptions{})
	w.sample(count/8, down)
}

// sample compares every n-th division with its books, and one more.
func (w *world) sample(every int, also string) {
	w.t.Helper()
	p := *w.pipeline()
	var some config.Divisions
	for i, division := range w.sandbox.Divisions() {
		if code := strconv.Itoa(division); i%every == 0 || code == also {
			some = append(some, code)
		}
	}
	p.Divisions = some
	comparison{w.t, w.published(), &p, w.sandbox}.equal()
}

// watch notes how many goroutines there are, until it is asked for the most.
func watch(ctx context.Context) func() int {
	ctx, stop := context.WithCancel(ctx)
	most := make(chan int)
	go func() {
		n := 0
		for ctx.Err() == nil {
			n = max(n, runtime.NumGoroutine())
			_ = pause(ctx, 20*time.Millisecond)
		}
		most <- n
	}()
	return func() int {
		stop()
		return <-most
	}
}

// needs is how many megabytes a process has had at most, as far as the system tells, while ctx lasts.
func needs(ctx context.Context, pid int) (most int64) {
	peak := regexp.MustCompile(`VmHWM:\s+(\d+) kB`)
	for ctx.Err() == nil {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if m := peak.FindSubmatch(text); err == nil && m != nil {
			kilobytes, _ := strconv.ParseInt(string(m[1]), 10, 64) // digits, by the pattern
			most = max(most, kilobytes>>10)
		}
		_ = pause(ctx, 10*time.Millisecond)
	}
	return most
}

// A process that reads hundreds of divisions needs hardly more memory than one that reads few.
func TestManyDivisionsInLittleMemory(t *testing.T) {
	t.Parallel()
	peak := func(count int) int64 {
		o := newOffice(t, officeStreams, sandbox.Options{Divisions: count, Scale: 0.1})
		c := o.process("sync", "-q")
		var said bytes.Buffer
		c.Stderr = &said
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		most := make(chan int64)
		go func() { most <- needs(ctx, c.Process.Pid) }()
		err := c.Wait()
		stop()
		if err != nil {
			t.Errorf("%v: %s", err, said.String())
		}
		return <-most
	}
	few, many := peak(2), peak(rounds(20, 500))
	t.Logf("two divisions take %d MB, %d take %d MB", few, rounds(20, 500), many)
	if many > 400 { // 0: this system does not tell
		t.Errorf("%d divisions take %d MB", rounds(20, 500), many)
	}
}
