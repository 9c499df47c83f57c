package main

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"exactduck/extract/sandbox"
)

// pressing are streams of many pages, read side by side.
const pressing = `      - standard/financial/TransactionLines
      - standard/cashflow/Receivables
      - salesentry/SalesEntryLines
      - crm/Accounts`

// warm syncs once outside of any bubble: what the libraries set up at first use, and keep for the
// life of the process, must not belong to one.
var warm sync.Once

func warmUp(t *testing.T) {
	t.Helper()
	warm.Do(func() {
		newWorld(t, t.TempDir(), "      - general/Currencies", sandbox.Options{Divisions: 1}).run(syncOptions{})
	})
}

// hurried is a world in which time runs by itself: within a bubble of package synctest, where it
// jumps to whatever is waited for next. Exact's clock is ahead of ours by so much.
func hurried(t *testing.T, streams string, ahead time.Duration, o sandbox.Options) *world {
	t.Helper()
	began := time.Now()
	starts := time.Date(2026, 11, 21, 3, 0, 17, 0, time.UTC)
	o.Clock = func() time.Time { return starts.Add(time.Since(began)).Add(ahead) }
	w := newWorld(t, t.TempDir(), streams, o)
	w.clock.now, w.clock.since = starts, began
	w.reconfigure(streams)
	w.wire.latency = 90 * time.Millisecond
	return w
}

// minutes counts the calls of each division in each full minute of Exact's clock: those between
// the first and the last in which there was a call. It also counts the refusals of each minute.
func minutes(calls []request) (full map[string]int, refused map[string]int) {
	first, last := map[string]time.Time{}, map[string]time.Time{}
	full, refused = map[string]int{}, map[string]int{}
	of := func(r request) (string, time.Time) {
		return strings.Split(strings.TrimPrefix(r.path, "/api/v1/"), "/")[0], r.at.Truncate(time.Minute)
	}
	for _, r := range calls {
		division, at := of(r)
		if first[division].IsZero() || at.Before(first[division]) {
			first[division] = at
		}
		if at.After(last[division]) && !strings.HasSuffix(r.path, "sync/Deleted") { // which comes when everybody is done
			last[division] = at
		}
	}
	for _, r := range calls {
		division, at := of(r)
		name := fmt.Sprintf("%s %s", division, at.Format("15:04"))
		if r.status == http.StatusTooManyRequests {
			refused[name]++
		} else if at.After(first[division]) && at.Before(last[division]) {
			full[name]++
		}
	}
	return full, refused
}

// Of the calls that each minute allows, none that could be used is left, and not one more is tried.
func TestEveryMinuteIsUsed(t *testing.T) {
	t.Parallel()
	warmUp(t)
	for _, ahead := range []time.Duration{0, 7300 * time.Millisecond, -41900 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			w := hurried(t, pressing, ahead, sandbox.Options{PageSize: rounds(12, 2)})
			w.run(syncOptions{})
			full, refused := minutes(w.wire.calls(0))
			least := 60
			for minute, n := range full {
				if least = min(least, n); n < 58 || n > 60 {
					t.Errorf("%d calls in %s", n, minute)
				}
			}
			if len(refused) > 0 || len(full) < 4 {
				t.Errorf("of %d full minutes were refused: %v", len(full), refused)
			}
			t.Logf("Exact's clock %v ahead: %d calls in %d full minutes of two divisions, the least used with %d", ahead, len(w.wire.calls(0)), len(full), least)
			w.equal()
		})
	}
}

// With another client that eats half of the quota it is no more than one refusal a minute, and the
// run still ends with everything.
func TestAnotherClientEatsHalf(t *testing.T) {
	t.Parallel()
	warmUp(t)
	for _, latency := range []time.Duration{20 * time.Millisecond, 400 * time.Millisecond, 2 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			w := hurried(t, pressing, 3*time.Second, sandbox.Options{PageSize: rounds(12, 2), Others: 30})
			w.wire.latency = latency
			w.run(syncOptions{})
			full, refused := minutes(w.wire.calls(0))
			sum := 0
			for minute, n := range refused {
				if sum += n; n > 1 {
					t.Errorf("%d refusals in %s", n, minute)
				}
			}
			t.Logf("answers after %v: %d calls, %d of them refused, in %d full minutes of two divisions", 2*latency, len(w.wire.calls(0)), sum, len(full))
			w.equal()
		})
	}
}
