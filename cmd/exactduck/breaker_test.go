package main

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"exactduck/extract/sandbox"
)

const refusing = "      - crm/Accounts\n      - general/Currencies"

// refusals is how often the endpoint that refuses everything was asked.
func (o *office) refusals() int { return o.calls("/sync/CRM/Accounts") }

// refusal makes an endpoint refuse everything.
func (o *office) refusal() {
	o.sandbox.Fault(sandbox.Fault{Path: "/sync/CRM/Accounts", Times: -1, Kind: sandbox.BadRequest})
}

// Exact blocks an endpoint after ten errors within an hour. However many processes meet one that
// refuses, one after another, it sees no more than five of them in any hour; the other streams go
// on, and everybody is told.
func TestRefusingEndpointIsParked(t *testing.T) {
	t.Parallel()
	o := newOffice(t, refusing, sandbox.Options{Divisions: 1, Scale: 0.1})
	o.refusal()
	before := 0
	for hour := range rounds(2, 5) {
		for range 5 {
			said := o.run(exitPartial, "sync", "-q")
			if !strings.Contains(said, "crm/Accounts") {
				t.Errorf("a run that left a stream out says %q", said)
			}
		}
		n := o.refusals() - before
		if before += n; n < 1 || n > 5 {
			t.Errorf("in hour %d five processes were refused %d times", hour, n)
		}
		if hour == 0 && n < 4 {
			t.Errorf("the first hour saw only %d refusals: what is proven by that?", n)
		}
		if n := o.ask(`SELECT count(*) FROM general.Currencies`); n == "0" {
			t.Error("the other stream did not go on")
		}
		o.told()
		o.later(61 * time.Minute)
	}
	o.sandbox.ClearFaults()
	o.run(0, "sync", "-q")
	o.equal()
}

// told fails the test unless status names the endpoint that is left alone, and until when.
func (o *office) told() {
	o.t.Helper()
	var said bytes.Buffer
	c := o.process("status")
	c.Stdout = &said
	if err := c.Run(); err != nil {
		o.t.Fatal(err)
	}
	if text := said.String(); !strings.Contains(text, "sync/CRM/Accounts") || !strings.Contains(text, "left alone") {
		o.t.Errorf("status says nothing of the endpoint that is left alone: %s", text)
	}
}

// The same with ten processes at once, each with a warehouse of its own and all with one login.
func TestRefusingEndpointIsParkedForAll(t *testing.T) {
	t.Parallel()
	o := newOffice(t, refusing, sandbox.Options{Divisions: 1, Scale: 0.1})
	const crowd = 10
	o.pipelines(crowd, refusing)
	o.refusal()
	for range rounds(1, 5) {
		before := o.refusals()
		o.together(crowd, exitPartial)
		if n := o.refusals() - before; n < 1 || n > 5 {
			t.Errorf("%d processes at once were refused %d times", crowd, n)
		}
		o.later(61 * time.Minute)
	}
}

// pipelines adds so many to the configuration, each with a warehouse of its own.
func (o *office) pipelines(n int, streams string) {
	o.t.Helper()
	text, err := os.ReadFile(o.file("pipelines.yaml"))
	if err != nil {
		o.t.Fatal(err)
	}
	for i := range n {
		text = fmt.Appendf(text, "  own%d:\n    from: books\n    streams:\n%s\n    to: {duckdb: own%d.duckdb}\n", i, streams, i)
	}
	if err := os.WriteFile(o.file("pipelines.yaml"), text, 0o600); err != nil {
		o.t.Fatal(err)
	}
}

// together runs the first of these pipelines at once, a process each, and counts how many end with
// which exit code; others than those expected fail the test.
func (o *office) together(n int, codes ...int) map[int]int {
	o.t.Helper()
	var all sync.WaitGroup
	var mu sync.Mutex
	ended := map[int]int{}
	for i := range n {
		c := o.process("sync", fmt.Sprintf("own%d", i), "-q")
		var said bytes.Buffer
		c.Stderr = &said
		all.Go(func() {
			code := codeOf(c.Run())
			mu.Lock()
			defer mu.Unlock()
			if ended[code]++; !slices.Contains(codes, code) {
				o.t.Errorf("one of %d processes ends with %d, want %v: %s", n, code, codes, said.String())
			}
		})
	}
	all.Wait()
	return ended
}
