package main

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"exactduck/cmd/exactduck/config"
	"exactduck/cmd/exactduck/runs"
	"exactduck/extract"
	"exactduck/extract/sandbox"
	"exactduck/load/spool"
	"exactduck/schema"
)

// unhurried is a source whose pages take a minute each, and which tells in which order they were asked for.
type unhurried struct {
	extract.Source
	clock *clock
	pages map[schema.Scope]int // of every read
	mu    sync.Mutex
	asked []string
}

func (s *unhurried) Pages(_ context.Context, r extract.Read) iter.Seq2[*schema.Page, error] {
	return func(yield func(*schema.Page, error) bool) {
		from := 0
		if r.Resume != "" {
			_, _ = fmt.Sscan(string(r.Resume), &from)
		}
		for n := from + 1; n <= s.pages[r.Scope]; n++ {
			s.clock.advance(time.Minute)
			s.mu.Lock()
			s.asked = append(s.asked, fmt.Sprintf("%s %s %d", r.Scope, r.Stream, n))
			s.mu.Unlock()
			p := schema.NewPage(r.Table, r.Scope, 0)
			p.Next, p.Done = schema.Position(fmt.Sprint(n)), n == s.pages[r.Scope]
			if !yield(p, nil) {
				return
			}
		}
	}
}

// fetching is a run that can fetch and nothing else.
func fetching(t *testing.T, s *unhurried, atOnce int) *run {
	t.Helper()
	dir := t.TempDir()
	record, err := runs.Create(filepath.Join(dir, "runs"), runs.Record{ID: "r"})
	if err != nil {
		t.Fatal(err)
	}
	return &run{
		id: "r", source: s, record: record, clock: s.clock.time, log: slog.New(slog.DiscardHandler), atOnce: atOnce,
		spools: filepath.Join(dir, "spool"),
	}
}

func readOf(t *testing.T, stream string, scope schema.Scope, mode spool.Mode, why string) *task {
	t.Helper()
	c := chosen(t, stream)
	v := c.Stream.Variants[0]
	return &task{
		choice: c, place: extract.Place{Scope: scope}, variant: v, table: v.Table, mode: mode, why: why, cost: cost{1, unknown},
		fingerprint: fingerprint(v, c),
	}
}

// A division whose reads take hours does not keep the others waiting for ever; nothing that it has
// read is read again when its turn comes back.
func TestDivisionsTakeTurns(t *testing.T) {
	t.Parallel()
	s := &unhurried{clock: &clock{now: night}, pages: map[schema.Scope]int{"1": 40, "2": 3, "3": 40, "4": 2}}
	r := fetching(t, s, 1)
	var tasks []*task
	for _, scope := range []schema.Scope{"1", "2", "3", "4"} {
		tasks = append(tasks, readOf(t, "crm/Accounts", scope, spool.Replace, whyFirst))
	}
	var ended []string
	for task := range r.fetchAll(t.Context(), tasks, func(err error) { t.Error(err) }) {
		ended = append(ended, string(task.place.Scope))
		if !task.done || task.file.Pages() != s.pages[task.place.Scope] {
			t.Errorf("division %s: %v, %d pages", task.place.Scope, task.err, task.file.Pages())
		}
	}
	if got := strings.Join(ended, " "); got != "2 4 1 3" {
		t.Errorf("ended in the order %s", got)
	}
	if len(s.asked) != 85 || len(slices.Compact(slices.Sorted(slices.Values(s.asked)))) != 85 {
		t.Errorf("%d pages are asked for, want each of 85 once", len(s.asked))
	}
}

// What changed is read in all divisions before anything is read for the first time, and what the
// configuration prefers before that.
func TestFreshThingsAreReadFirst(t *testing.T) {
	t.Parallel()
	var tasks []*task
	for _, scope := range []schema.Scope{"1", "2"} {
		dear, cheap := readOf(t, "crm/Contacts", scope, spool.Merge, whyNews), readOf(t, "crm/Accounts", scope, spool.Merge, whyNews)
		dear.expected, cheap.expected = 9, 1
		first := readOf(t, "logistics/Items", scope, spool.Replace, whyFirst)
		preferred := readOf(t, "crm/Addresses", scope, spool.Replace, whyFirst)
		preferred.choice = &config.Choice{Stream: preferred.choice.Stream, Priority: 5}
		tasks = append(tasks, first, dear, preferred, cheap)
	}
	var order []string
	q := newQueue(lanesOf(tasks))
	for l := q.take(); l != nil; l = q.take() {
		for next := l.next(); next != nil; next = l.next() {
			if more, _ := q.press(next); more {
				l.back(next)
				break
			}
			order = append(order, string(next.place.Scope)+" "+next.choice.Stream.Name)
		}
		q.leave(l)
	}
	want := []string{
		"1 crm/Addresses", "2 crm/Addresses", "2 crm/Accounts", "2 crm/Contacts", "1 crm/Accounts", "1 crm/Contacts", "1 logistics/Items", "2 logistics/Items",
	}
	if !slices.Equal(order, want) {
		t.Errorf("read in the order %q", order)
	}
}

// A division without calls is not asked for each of its streams, and the others go on.
func TestQuotaPostponesTheRestOfADivision(t *testing.T) {
	t.Parallel()
	w := newWorld(t, t.TempDir(), "      - crm/*\n      - general/Currencies\n      - vat/VATCodes\n      - logistics/Items", sandbox.Options{Divisions: 2, Scale: 0.05})
	w.sandbox.Fault(sandbox.Fault{Path: "/123457/", Kind: sandbox.DayLimit})
	result, err := w.sync(t.Context(), w.pipeline(), syncOptions{})
	if exitCode(err) != exitQuota {
		t.Fatalf("code %d: %v", exitCode(err), err)
	}
	refused := 0
	for _, r := range w.wire.seen {
		if r.status == 429 {
			refused++
		}
	}
	if refused != 1 {
		t.Errorf("%d calls were refused", refused)
	}
	for _, l := range result.Streams {
		if want := map[string]string{"123456": "done", "123457": "postponed"}[l.Scope]; l.Status != want {
			t.Errorf("%s (%s) is %s", l.Stream, l.Scope, l.Status)
		}
	}
	w.clock.advance(day24)
	w.run(syncOptions{})
	w.equal()
}

// Where the day's calls do not suffice, what has changed is read whole before a first load gets any,
// however slowly its pages come.
func TestWhatIsFreshHasItsCalls(t *testing.T) {
	t.Parallel()
	w := newWorld(t, t.TempDir(), "      - crm/Accounts", sandbox.Options{Divisions: 1, PageSize: 10, DayLimit: 40})
	w.run(syncOptions{})
	w.clock.advance(day24)
	if err := w.sandbox.Change(sandbox.Change{Entity: "crm/Accounts", Update: 75}); err != nil {
		t.Fatal(err)
	}
	w.clock.advance(time.Hour)
	w.sandbox.Fault(sandbox.Fault{Path: "/CRM/Accounts", Times: -1, Delay: 100 * time.Millisecond})
	w.reconfigure("      - crm/Accounts\n      - financial/TransactionLines")
	_, err := w.sync(t.Context(), w.pipeline(), syncOptions{})
	if code := exitCode(err); code != exitQuota {
		t.Fatalf("the day suffices: %v", err)
	}
	slow, last := 0, 0
	for i, r := range w.wire.calls(0) {
		switch {
		case strings.HasSuffix(r.path, "/CRM/Accounts"):
			slow, last = slow+1, i
		case strings.HasSuffix(r.path, "/Financial/TransactionLines") && i < last:
			t.Errorf("call %d is of the first load", i)
		}
	}
	if slow < 15 {
		t.Errorf("%d calls are too few to show anything", slow)
	}
	w.sandbox.ClearFaults()
	w.reconfigure("      - crm/Accounts")
	w.equal()
}
