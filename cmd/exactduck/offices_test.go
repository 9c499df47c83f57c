package main

import (
	"context"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
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

// An accountant's office has hundreds of administrations. All of them are read in one run, which needs
// no more memory for it, and one that cannot be read does not hold the others.
func TestManyDivisionsInOneRun(t *testing.T) {
	count := rounds(40, 500)
	w := newWorld(t, t.TempDir(), officeStreams, sandbox.Options{Divisions: count, Scale: 0.1})
	w.pipelineLines = lakeless
	w.reconfigure(officeStreams)
	all := w.sandbox.Divisions()
	down := strconv.Itoa(all[count/2+1])
	w.sandbox.Fault(sandbox.Fault{Path: "/" + down + "/", Times: -1, Kind: sandbox.ServerError})
	peak := watch(t.Context())
	began := time.Now()
	result, err := w.sync(t.Context(), w.pipeline(), syncOptions{})
	memory, goroutines := peak()
	if exitCode(err) != exitPartial {
		t.Fatalf("code %d: %v", exitCode(err), err)
	}
	for _, l := range result.Streams {
		if (l.Status == "done") == (l.Scope == down) {
			t.Errorf("%s of division %s is %s", l.Stream, l.Scope, l.Status)
		}
	}
	if n := len(of(w.wire.calls(0), "system/Divisions")); n != 1 {
		t.Errorf("the divisions are asked for %d times", n)
	}
	t.Logf("%d divisions in %v with %d calls: %d MB at most, %d goroutines", count, time.Since(began), len(w.wire.calls(0)), memory>>20, goroutines)
	if memory > 700<<20 || goroutines > 200 {
		t.Errorf("it takes %d MB and %d goroutines", memory>>20, goroutines)
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

// watch notes how much memory the process has, and how many goroutines, until it is asked for the
// most of each.
func watch(ctx context.Context) func() (memory uint64, goroutines int) {
	ctx, stop := context.WithCancel(ctx)
	var most, many atomic.Int64
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			most.Store(max(most.Load(), resident()))
			many.Store(max(many.Load(), int64(runtime.NumGoroutine())))
			_ = pause(ctx, 20*time.Millisecond)
		}
	}()
	return func() (uint64, int) {
		stop()
		<-ended
		return uint64(most.Load()), int(many.Load())
	}
}

// resident is the memory that the process has now; 0 where the system does not say.
func resident() int64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	pages, _ := strconv.ParseInt(strings.Fields(string(text))[1], 10, 64)
	return pages * int64(os.Getpagesize())
}
