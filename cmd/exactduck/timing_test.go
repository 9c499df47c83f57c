package main

import (
	"testing"
	"time"

	"exactduck/cmd/exactduck/runs"
	"exactduck/extract/sandbox"
)

// within reports that parts make up a time, but for what is lost below a millisecond each.
func within(parts int64, whole time.Duration) bool {
	missing := whole.Milliseconds() - parts
	return missing >= 0 && missing <= 8
}

// The time of one read is told to where it went: into waiting for the quota, and into the answers. The
// phases of reads and of the run add up to what the clock on the wall says.
func TestTimeIsAccountedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, t.TempDir(), "      - financial/TransactionLines", sandbox.Options{Divisions: 1, Scale: 2, MinuteLimit: 3})
	w.wire.meet = func(*request) { w.clock.advance(700 * time.Millisecond) }
	result := w.run(syncOptions{})
	l := lines(result, "financial/TransactionLines")[0]
	if l.Pages < 6 || l.Calls < l.Pages || l.Retries != 0 || l.Bytes < 1000*int64(l.Pages) {
		t.Errorf("the read came to %+v", l)
	}
	if want := int64(l.Calls) * 700; l.Read < want || l.Read > want+100 {
		t.Errorf("%d calls were answered in %d ms, want %d", l.Calls, l.Read, want)
	}
	if minutes := int64(l.Pages/3-1) * 60_000; l.Wait < minutes-10_000 {
		t.Errorf("waited %d ms for three calls a minute, want about %d", l.Wait, minutes)
	}
	if wall := l.Ended.Sub(l.Started); !within(l.Time()+l.Idle, wall) {
		t.Errorf("the phases of the read are %+v, idle %d, of %v", l.Effort, l.Idle, wall)
	}
	accounted(t, result)
	if result.Read < l.Read || result.Wait < l.Wait-1000 || result.Other == 0 {
		t.Errorf("the run says %+v, other %d, of the read %+v", result.Effort, result.Other, l.Effort)
	}
}

// accounted fails the test when the phases of a run or of one of its reads do not add up.
func accounted(t *testing.T, result synced) {
	t.Helper()
	if wall := result.Ended.Sub(result.Started); !within(result.Time()+result.Other+result.Publish, wall) {
		t.Errorf("the phases of the run are %+v, other %d, publish %d, of %v", result.Effort, result.Other, result.Publish, wall)
	}
	for _, l := range result.Streams {
		if wall := l.Ended.Sub(l.Started); !within(l.Time()+l.Idle, wall) {
			t.Errorf("%s (%s): the phases are %+v, idle %d, of %v", l.Stream, l.Scope, l.Effort, l.Idle, wall)
		}
	}
}

// By a real clock, with many reads at once, applied together.
func TestTimeOfManyReadsIsAccountedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, t.TempDir(), "      - crm/*\n      - financial/TransactionLines", sandbox.Options{Divisions: 3, Scale: 0.5, MinuteLimit: -1, Clock: time.Now})
	w.books.clock = time.Now
	result := w.run(syncOptions{})
	accounted(t, result)
	sum := result.Totals()
	if sum.Read == 0 || sum.Spool == 0 || sum.Apply == 0 || result.Publish == 0 || result.Apply == 0 || result.Read == 0 {
		t.Errorf("the run says %+v, publish %d; its reads %+v", result.Effort, result.Publish, sum.Effort)
	}
	if sum.Apply > result.Apply+int64(len(result.Streams)) || sum.Apply*3 < result.Apply {
		t.Errorf("the run applied for %d ms, its reads for %d", result.Apply, sum.Apply)
	}
	if sum.Bytes == 0 || result.Bytes <= sum.Bytes || sum.Calls >= result.Calls {
		t.Errorf("the run says %d bytes and %d calls, its reads %d and %d: it asks for the divisions too", result.Bytes, result.Calls, sum.Bytes, sum.Calls)
	}
}

// Calls that are made again are counted where they were made.
func TestRetriesAreCounted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, t.TempDir(), "      - crm/Accounts\n      - crm/Contacts", sandbox.Options{Divisions: 1})
	// The first call is the one that looks for unknown properties.
	w.sandbox.Fault(sandbox.Fault{Path: "sync/CRM/Accounts", Nth: 2, Times: 2, Kind: sandbox.ServerError})
	result := w.run(syncOptions{})
	for stream, want := range map[string]int{"crm/Accounts": 2, "crm/Contacts": 0} {
		if l := lines(result, stream)[0]; l.Retries != want || want > 0 && l.Wait < 10_000 {
			t.Errorf("%s: %d retries, %d ms waited, want %d retries", stream, l.Retries, l.Wait, want)
		}
	}
	if result.Retries != 2 {
		t.Errorf("the run counts %d retries", result.Retries)
	}
	read, err := runs.Read(w.records() + "/" + result.ID + ".ndjson")
	if err != nil || read.Effort != result.Effort || read.Publish != result.Publish || read.Other != result.Other {
		t.Errorf("the record says %+v, %v; want %+v", read.Effort, err, result.Effort)
	}
}
