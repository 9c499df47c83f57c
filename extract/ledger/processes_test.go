package ledger

import (
	"bufio"
	"bytes"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// Processes that book side by side never take more than there is, nor less.
func TestProcessesNeverBookMoreThanThereIs(t *testing.T) {
	dir := t.TempDir()
	const limit = 3000
	opened(t, dir, limit)
	var all sync.WaitGroup
	outputs := make([]bytes.Buffer, 6)
	for i := range outputs {
		c := child(t, dir)
		c.Stdout, c.Stderr = &outputs[i], os.Stderr
		all.Go(func() {
			if err := c.Run(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	sum, busy := 0, 0
	for i := range outputs {
		n := strings.Count(outputs[i].String(), "booked\n")
		if sum += n; n > 0 {
			busy++
		}
	}
	if sum != limit {
		t.Errorf("%d calls booked of %d", sum, limit)
	}
	if busy < 2 {
		t.Errorf("one process booked all: nothing is shown")
	}
}

// A process that is killed while it books leaves a ledger that others go on with, in which every
// call that it said it had booked is booked.
func TestKilledProcessesLeaveAWholeLedger(t *testing.T) {
	dir := t.TempDir()
	const limit = 1 << 20
	l := opened(t, dir, limit)
	said := 0
	for round := range 25 {
		c := child(t, dir)
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			said++
			if n == 5+round {
				time.AfterFunc(time.Duration(round)*37*time.Microsecond, func() { _ = c.Process.Kill() })
			}
		}
		_ = c.Wait() // killed
		a := read(t, l)
		if a.Minute.Ours < said || a.Minute.Ours > said+round+1 { // one a kill may be booked and not said
			t.Fatalf("after %d kills %d calls are booked, %d were said", round+1, a.Minute.Ours, said)
		}
		if len(a.UnderWay) > round+1 {
			t.Errorf("%d calls under way", len(a.UnderWay))
		}
	}
	if !take(l, true) {
		t.Error("no call can be booked any more")
	}
	if a := read(t, l); len(a.UnderWay) > 0 {
		t.Errorf("an endpoint that answers has %d calls of dead processes under way", len(a.UnderWay))
	}
}
