package main

import (
	"context"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"exactduck/auth"
	"exactduck/cmd/exactduck/schedule"
)

// house is a place where pipelines run by schedule in simulated time: everything but the runs is real.
type house struct {
	t      *testing.T
	book   *schedule.Book
	wanted []schedule.Wanted
	off    time.Duration // from the time of the bubble to that of the house
	takes  time.Duration // each run
	exits  map[string][]int
	most   int

	mu   sync.Mutex
	told []string
	on   map[string]bool    // warehouses in which something runs
	left map[string]remains // of runs that go on without the service
}

func newHouse(t *testing.T, now time.Time, wanted ...schedule.Wanted) *house {
	t.Helper()
	h := &house{
		t: t, wanted: wanted, off: time.Until(now), takes: 9*time.Minute + 30*time.Second, exits: map[string][]int{}, most: 4,
		on: map[string]bool{}, left: map[string]remains{},
	}
	h.book = schedule.Open(filepath.Join(t.TempDir(), "schedule"), h.now)
	return h
}

func wants(t *testing.T, pipeline, warehouse, expr string) schedule.Wanted {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Amsterdam")
	if err != nil {
		t.Fatal(err)
	}
	spec, err := schedule.Parse(expr, zone)
	if err != nil {
		t.Fatal(err)
	}
	return schedule.Wanted{Pipeline: pipeline, Warehouse: warehouse, Spec: spec}
}

func (h *house) now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.clock()
}

// clock is now for who holds the lock.
func (h *house) clock() time.Time { return time.Now().Add(h.off) }

func (h *house) start(ctx context.Context, turn schedule.Turn) int {
	h.mu.Lock()
	h.note(h.clock().In(h.wanted[0].Spec.Zone()).Format("01-02 15:04 MST "), turn.Pipeline)
	if h.on[turn.Warehouse] || len(h.on) >= h.most {
		h.t.Errorf("%s runs beside %v", turn.Pipeline, h.on)
	}
	h.on[turn.Warehouse] = true
	exit := 0
	if exits := h.exits[turn.Pipeline]; len(exits) > 0 {
		exit, h.exits[turn.Pipeline] = exits[0], exits[1:]
	}
	h.mu.Unlock()
	err := pauseFor(ctx, h.takes)
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.on, turn.Warehouse)
	if err != nil {
		return exitInterrupted
	}
	return exit
}

// note tells of what begins; what begins in the same minute is told by name.
func (h *house) note(minute, pipeline string) {
	at := len(h.told)
	for at > 0 && strings.HasPrefix(h.told[at-1], minute) && h.told[at-1] > minute+pipeline {
		at--
	}
	h.told = slices.Insert(h.told, at, minute+pipeline)
}

func (h *house) found(pipeline string, _ time.Time) remains {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.left[pipeline]
}

func (h *house) wants() []schedule.Wanted {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.wanted
}

// serve lets a service run for a while, and returns what began.
func (h *house) serve(d time.Duration) []string {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), d)
	defer cancel()
	h.told = nil
	r := &roster{
		book: h.book, wanted: h.wants, start: h.start, found: h.found, every: time.Minute,
		most: h.most, clock: h.now, log: slog.New(slog.NewTextHandler(h.t.Output(), nil)),
	}
	r.run(ctx)
	return h.told
}

func (h *house) expect(got []string, want ...string) {
	h.t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		h.t.Error(diff)
	}
}

func (h *house) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func at(t *testing.T, text string) time.Time {
	t.Helper()
	moment, err := time.Parse(time.DateTime, text)
	if err != nil {
		t.Fatal(err)
	}
	return moment
}

func TestPipelinesOfOneWarehouseTakeTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, at(t, "2026-10-24 10:00:00"),
			wants(t, "sales", "a", "15 2 * * *"), wants(t, "finance", "a", "15 2 * * *"), wants(t, "others", "b", "20 2 * * *"))
		h.expect(h.serve(24*time.Hour),
			"10-25 02:15 CEST sales", "10-25 02:20 CEST others", "10-25 02:24 CEST finance")
		h.most = 1
		h.expect(h.serve(24*time.Hour),
			"10-26 02:15 CET sales", "10-26 02:24 CET finance", "10-26 02:34 CET others")
	})
}

// A service that is stopped ends what runs, and the next goes on with it; what fell in between is
// caught up once.
func TestAStopAndAStart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, at(t, "2026-11-02 03:00:00"), wants(t, "nightly", "a", "15 4 * * *"))
		h.takes = time.Hour
		h.expect(h.serve(45*time.Minute), "11-02 04:15 CET nightly")
		h.must(pauseFor(t.Context(), 50*time.Hour))
		h.expect(h.serve(2*time.Hour), "11-04 06:45 CET nightly")
		h.expect(h.serve(22*time.Hour), "11-05 04:15 CET nightly")
	})
}

// A service that is killed leaves a run behind: the next one starts nothing beside it, takes over how it
// ended, or starts it anew when it did not.
func TestARunThatOutlivesItsService(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, at(t, "2026-11-02 03:14:00"), wants(t, "nightly", "a", "15 4 * * *"), wants(t, "second", "a", "0 4 * * *"))
		h.must(second(h.book.Due(h.wanted)))
		h.must(h.book.Begin(schedule.Turn{Pipeline: "nightly", Why: schedule.Scheduled, Occurrence: at(t, "2026-11-02 03:15:00")}))
		h.must(h.book.Request("second"))
		h.left["nightly"] = remains{on: true}
		h.expect(h.serve(30 * time.Minute))
		h.left["nightly"] = remains{ended: h.now(), exit: 0}
		h.expect(h.serve(30*time.Minute), "11-02 04:44 CET second")

		h.must(h.book.Begin(schedule.Turn{Pipeline: "nightly", Why: schedule.Scheduled, Occurrence: at(t, "2026-11-03 03:15:00")}))
		h.left["nightly"] = remains{ended: h.now(), exit: killed}
		h.expect(h.serve(30*time.Minute), "11-02 05:15 CET nightly")

		h.must(h.book.Begin(schedule.Turn{Pipeline: "nightly", Why: schedule.Requested}))
		h.left = map[string]remains{}
		h.must(h.book.Request("nightly"))
		h.expect(h.serve(30*time.Minute), "11-02 05:44 CET nightly")
	})
}

func second[T any](_ T, err error) error { return err }

// A run that waits for a warehouse, which somebody holds who started a sync by hand, keeps asking.
func TestABusyWarehouseIsWaitedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, at(t, "2026-11-02 03:00:00"), wants(t, "nightly", "a", "15 4 * * *"))
		h.takes = 10 * time.Second
		h.exits["nightly"] = slices.Repeat([]int{exitBusy}, 3)
		h.expect(h.serve(24*time.Hour-time.Hour),
			"11-02 04:15 CET nightly", "11-02 04:16 CET nightly", "11-02 04:17 CET nightly", "11-02 04:18 CET nightly")
	})
}

// A token that is given and is refused is tried now and then, and not again and again: nobody tells when
// another one is given.
func TestAGivenTokenIsTriedNowAndThen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, at(t, "2026-11-02 03:00:00"), wants(t, "nightly", "a", "15 4 * * *"))
		h.takes = time.Minute
		h.wanted[0].LoggedIn = func() time.Time { return loggedInAt(auth.Status{LoggedIn: true, Given: true}, h.now()) }
		h.exits["nightly"] = []int{exitLogin, exitLogin}
		h.expect(h.serve(24*time.Hour), "11-02 04:15 CET nightly", "11-02 05:00 CET nightly", "11-02 06:00 CET nightly")
	})
}

// When the book cannot be written nothing is started, and nothing is forgotten.
func TestABookThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, at(t, "2026-11-02 03:00:00"), wants(t, "nightly", "a", "15 4 * * *"))
		h.expect(h.serve(time.Minute))
		whole := h.book
		h.book = schedule.Open("/dev/null/schedule", h.now)
		h.expect(h.serve(time.Hour))
		h.book = whole
		h.expect(h.serve(time.Hour), "11-02 05:01 CET nightly")
	})
}

// A pipeline that goes from the configuration while it runs comes to its end, and what takes its place in
// the warehouse waits for that.
func TestAPipelineThatIsRenamedWhileItRuns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, at(t, "2026-11-02 03:00:00"), wants(t, "nightly", "a", "15 4 * * *"))
		h.takes = time.Hour
		go func() {
			_ = pauseFor(t.Context(), 30*time.Minute)
			h.mu.Lock()
			defer h.mu.Unlock()
			h.wanted = []schedule.Wanted{wants(t, "evenly", "a", "45 4 * * *")}
		}()
		h.expect(h.serve(24*time.Hour), "11-02 04:15 CET nightly", "11-02 05:15 CET evenly")
		h.expect(h.serve(2*time.Hour), "11-03 04:45 CET evenly")
	})
}

// Clocks are put forward and back by hours while a service goes on, and a machine sleeps for a day: what
// runs daily leaves out one occurrence at most, and makes up once for what it slept through.
func TestClocksThatJump(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, at(t, "2026-11-02 11:00:00"), wants(t, "nightly", "a", "15 4 * * *"), wants(t, "hourly", "b", "0 * * * *"))
		jump := func(after, by time.Duration) {
			_ = pauseFor(t.Context(), after)
			h.mu.Lock()
			defer h.mu.Unlock()
			h.off += by
		}
		h.takes = time.Minute
		go func() {
			jump(89*time.Minute+30*time.Second, 5*time.Hour) // at 13:29:30, between two rounds
			jump(10*time.Minute, -5*time.Hour)               // at 18:39:30
			jump(55*time.Minute, -2*time.Second)             // at 14:34:30
			jump(30*time.Minute, 24*time.Hour)               // asleep from 15:04 on
			jump(10*time.Minute, -90*time.Second)            // at 15:14
		}()
		h.expect(h.serve(4*time.Hour+10*time.Minute),
			"11-02 13:00 CET hourly", "11-02 18:30 CET hourly", "11-02 15:00 CET hourly",
			"11-03 15:04 CET hourly", "11-03 15:04 CET nightly", "11-03 16:00 CET hourly")
	})
}
