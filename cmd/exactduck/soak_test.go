package main

import (
	"context"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"exactduck/cmd/exactduck/schedule"
	"exactduck/extract/sandbox"
)

// burden is what a serving process needs at a moment.
type burden struct{ megabytes, routines, files float64 }

// A serve that works without a pause, and is looked at all the while, needs no more in the end than in
// the beginning; nor do its runs.
func TestSoak(t *testing.T) {
	if !long() {
		t.Skip("it takes ten minutes: EXACTDUCK_LONG=1")
	}
	lasts := 11 * time.Minute
	if d, err := time.ParseDuration(os.Getenv("EXACTDUCK_SOAK")); err == nil {
		lasts = d
	}
	o := newOffice(t, changing, sandbox.Options{Divisions: 2, Scale: 0.2, MinuteLimit: -1, DayLimit: -1})
	o.rewrite("    from: books\n", "    from: books\n    schedule: \"0 0 1 1 *\"\n    timezone: UTC\n")
	o.listened()
	s := o.serve("--listen", "127.0.0.1:0")
	book := schedule.Open(o.file("state/schedule"), o.now)
	ctx, stop := context.WithTimeout(t.Context(), lasts)
	defer stop()
	var scrapes atomic.Int64
	go func() {
		for ; ctx.Err() == nil; scrapes.Add(1) {
			paths := []string{"/", "/metrics", "/api/v1/status", "/readyz", "/healthz", "/nowhere"}
			s.scrape(ctx, paths[int(scrapes.Load())%len(paths)])
			_ = pauseFor(ctx, 100*time.Millisecond)
		}
	}()
	var serving []burden
	var peaks []float64
	for ctx.Err() == nil {
		o.change(
			sandbox.Change{Entity: "crm/Accounts", Insert: 1, Update: 3, Delete: 1},
			sandbox.Change{Entity: "financial/TransactionLines", Insert: 2, Update: 2},
		)
		if err := book.Request("nightly"); err != nil {
			t.Fatal(err)
		}
		peaks = append(peaks, o.followRun(ctx))
		serving = append(serving, s.burden(ctx))
	}
	serving, peaks = serving[:len(serving)-1], peaks[:len(peaks)-1] // the last ones were cut short
	o.until("the last run ends", func() bool { return !o.standing().Running })
	s.stop()
	ended := 0
	for _, r := range o.ran() {
		if r.Status == "done" {
			ended++
		}
	}
	t.Logf("%d runs, %d of whose records are kept, and %d scrapes in %v", len(peaks), ended, scrapes.Load(), lasts)
	of := func(part func(burden) float64) []float64 {
		var all []float64
		for _, b := range serving {
			all = append(all, part(b))
		}
		return all
	}
	flat(t, "megabytes of serve", of(func(b burden) float64 { return b.megabytes }), 1.2, 15)
	flat(t, "goroutines of serve", of(func(b burden) float64 { return b.routines }), 1, 10)
	flat(t, "open files of serve", of(func(b burden) float64 { return b.files }), 1, 5)
	flat(t, "megabytes of a run", peaks, 1.2, 25)
	o.equal("cashflow/Payments", "salesinvoice/SalesInvoices")
}

// flat fails the test when something has grown from the second fifth to the last by more than a factor
// and an amount.
func flat(t *testing.T, what string, all []float64, factor, amount float64) {
	t.Helper()
	fifth := len(all) / 5
	if fifth < 3 {
		t.Fatalf("%s: only %d measurements", what, len(all))
	}
	middle := func(some []float64) float64 {
		some = slices.Sorted(slices.Values(some))
		return some[len(some)/2]
	}
	before, after := middle(all[fifth:2*fifth]), middle(all[len(all)-fifth:])
	t.Logf("%s: %.0f, then %.0f; at most %.0f", what, before, after, slices.Max(all))
	if after > before*factor+amount {
		t.Errorf("%s grow from %.0f to %.0f", what, before, after)
	}
}

// followRun waits for the run that was asked for, and returns how many megabytes it needed at most.
func (o *office) followRun(ctx context.Context) float64 {
	o.t.Helper()
	before := len(o.ran())
	newest := ""
	if before > 0 {
		newest = o.ran()[before-1].ID
	}
	var most int64
	for ctx.Err() == nil {
		all := o.ran()
		if n := len(all); n > 0 && all[n-1].ID != newest {
			r := all[n-1]
			if r.Status != "running" {
				break
			}
			within, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
			most = max(most, needs(within, r.PID))
			cancel()
			continue
		}
		_ = pauseFor(ctx, 20*time.Millisecond)
	}
	return float64(most)
}

// scrape asks a serving process for something, and for nothing of the answer.
func (s *server) scrape(ctx context.Context, path string) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url()+path[1:], nil)
	if err != nil {
		return
	}
	if answer, err := http.DefaultClient.Do(r); err == nil {
		_ = answer.Body.Close()
	}
}

var figure = regexp.MustCompile(`(?m)^(go_goroutines|process_open_fds|process_resident_memory_bytes) (\S+)$`)

// burden is what /metrics says that the process needs.
func (s *server) burden(ctx context.Context) (b burden) {
	s.o.t.Helper()
	if ctx.Err() != nil {
		return b
	}
	_, text := s.fetch("/metrics")
	for _, m := range figure.FindAllStringSubmatch(text, -1) {
		n, err := strconv.ParseFloat(m[2], 64)
		if err != nil {
			s.o.t.Errorf("%s: %v", m[0], err)
		}
		switch m[1] {
		case "go_goroutines":
			b.routines = n
		case "process_open_fds":
			b.files = n
		default:
			b.megabytes = n / (1 << 20)
		}
	}
	return b
}
