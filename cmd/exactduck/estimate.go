package main

import (
	"time"

	"exactduck/extract"
	"exactduck/load"
	"exactduck/load/spool"
)

// forecast knows what reads have cost so far, and so what they will.
type forecast struct {
	now     time.Time
	cursors map[streamScope]load.Cursor
	needs   map[need]int          // pages that earlier reads took
	counts  map[streamScope]int64 // rows, as the source has counted them
}

type need struct {
	streamScope
	mode spool.Mode
}

func newForecast(now time.Time, cursors map[streamScope]load.Cursor, needs []load.Need, counts map[streamScope]int64) *forecast {
	f := &forecast{now: now, cursors: cursors, needs: map[need]int{}, counts: counts}
	for _, n := range needs {
		f.needs[need{streamScope{n.Stream, n.Scope}, spool.Mode(n.Mode)}] = n.Pages
	}
	return f
}

// cost is what a read takes in calls.
type cost struct{ least, expected int }

// unknown is the expected number of calls of a read of which nobody knows the size.
const unknown = -1

// estimate fills in how many calls the reads take at least, and how many they will probably take.
func (f *forecast) estimate(tasks []*task) {
	for _, t := range tasks {
		t.least, t.expected = f.of(t)
		if t.file != nil {
			t.least, t.expected = t.rest(t.least), t.rest(t.expected)
		} else if looksUp(t) {
			t.least++
			if t.expected != unknown {
				t.expected++
			}
		}
		if t.expected != unknown {
			t.expected = max(t.expected, t.least)
		}
	}
}

// of is the size of a read in pages.
func (f *forecast) of(t *task) (least, expected int) {
	at := streamScope{t.choice.Stream.Name, t.place.Scope}
	seen, hasSeen := f.needs[need{at, t.mode}]
	if t.mode == spool.Merge {
		return 1, max(seen, 1)
	}
	rows, known := f.rows(t, at)
	switch spans := f.spans(t); {
	case spans > 0 && known:
		return spans, max(seen, spans-1+pagesFor(rows, t.variant.PageSize))
	case spans > 0:
		return spans, unknown
	case t.variant.Each != "":
		each := int(f.cursors[streamScope{t.variant.Each, t.place.Scope}].Rows)
		if each == 0 && !hasSeen {
			return 1, unknown
		}
		return max(each, 1), max(each, seen)
	case known:
		return pagesFor(rows, t.variant.PageSize), pagesFor(rows, t.variant.PageSize)
	case hasSeen:
		return 1, seen
	}
	return 1, unknown
}

// spans is how many spans of time a read that is no merge asks for, each with a call or more; 0: it asks
// for none.
func (f *forecast) spans(t *task) int {
	if t.variant.Span == 0 {
		return 0
	}
	from := t.variant.Earliest
	if !t.since.IsZero() {
		from = t.since
	}
	return max(1, int((f.now.Sub(from)+t.variant.Span-1)/t.variant.Span))
}

// rows is how many a read of everything brings, as far as somebody knows.
func (f *forecast) rows(t *task, at streamScope) (int64, bool) {
	if n, counted := f.counts[at]; counted {
		return n, true
	}
	c, held := f.cursors[at]
	if !held || c.Rows == 0 || t.mode == spool.Window || t.choice.Filter != "" || t.historyFrom != c.HistoryFrom {
		return 0, false
	}
	return c.Rows, true
}

func pagesFor(rows int64, size int) int {
	size = max(size, 1)
	return max(1, int((rows+int64(size)-1)/int64(size)))
}

// rest is what is left of so many calls for a read that an earlier run has begun.
func (t *task) rest(calls int) int {
	switch {
	case t.file.Done():
		return 0
	case calls == unknown:
		return unknown
	}
	return max(1, calls-t.file.Pages())
}

// looksUp tells whether a read by row versions first asks where its date begins.
func looksUp(t *task) bool {
	return !t.since.IsZero() && t.from == "" && t.variant.Cursor == extract.Versioned && asksSince(t)
}
