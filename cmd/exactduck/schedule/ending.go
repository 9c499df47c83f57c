package schedule

import "time"

// The exit codes of a run after which another try may help. Of the others 0 is a good end, and what is
// left comes with the next occurrence: nothing but a person, or time, changes a bug, a configuration,
// a stream that is refused or a contract that is broken.
const (
	exitLogin       = 4
	exitSource      = 5
	exitQuota       = 7
	exitBusy        = 9
	exitMachine     = 10
	exitInterrupted = 130
	killed          = -1 // by a signal
)

const (
	// mostTries is how often a run is tried again within a day, before it is left to the next occurrence
	// or to the next day: it outlasts an evening's outage. mostDays is the same for calls that are used up: for a first load.
	mostTries, mostDays = 6, 31
	// The first of these waits, which double with every try, is for a source or a machine to recover;
	// the second is for a run that was killed.
	recovery, restart = 10 * time.Minute, time.Minute
	// busyRetry is when a warehouse that somebody else holds is asked for again.
	busyRetry = time.Minute
	// pastMidnight is when the calls of a new day are there for certain: Exact's days begin at midnight, UTC.
	pastMidnight = 5 * time.Minute
)

// end draws the consequences of how a run ended.
func (e *entry) end(w Wanted, exit int, now time.Time) {
	run := e.Began
	if run == nil {
		return
	}
	e.Began = nil
	if exit == exitBusy { // it was not even begun
		e.NotBefore = now.Add(busyRetry)
		return
	}
	e.Last = &last{Started: run.At, Ended: now, Exit: exit, Caught: run.Caught}
	if run.Why == Scheduled {
		e.Tries = 0
	}
	if run.Why != Requested {
		e.Handled = handled(w, later(e.Handled, run.Occurrence), now)
	}
	e.LoginSince = time.Time{}
	if exit == exitLogin {
		e.LoginSince = run.At
	}
	e.RetryAt = e.retry(w, exit, now)
	if e.Tries++; e.RetryAt.IsZero() {
		e.Tries = 0
	}
	if again := !e.RetryAt.IsZero() && (exit == exitInterrupted || exit == killed); again && run.Why == Requested {
		e.NotBefore, e.RetryAt = e.RetryAt, time.Time{} // it is still asked for, paused or not
		return
	}
	if !e.Requested.After(run.Requested) {
		e.Requested = time.Time{}
	}
}

// handled is up to when the schedule is done with after a run for an occurrence: what came due while
// it was on is not run again behind it.
func handled(w Wanted, occurrence, now time.Time) time.Time {
	if w.Spec == nil {
		return occurrence
	}
	for next := w.Spec.Next(occurrence); !next.IsZero(); next = w.Spec.Next(next) {
		if next.Add(w.Spec.delay(w.Pipeline, next, w.Jitter)).After(now) {
			break
		}
		occurrence = next
	}
	return occurrence
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// retry is when the run is tried again; never, if that would not help or was tried often enough.
func (e *entry) retry(w Wanted, exit int, now time.Time) time.Time {
	switch exit {
	case exitSource, exitMachine:
		if e.Tries < mostTries {
			return now.Add(recovery << e.Tries)
		}
		if w.Spec != nil { // the next occurrence may be a month away
			return now.Add(24 * time.Hour)
		}
	case exitInterrupted, killed:
		if e.Tries < mostTries {
			return now.Add(restart << e.Tries)
		}
	case exitQuota:
		if e.Tries < mostDays {
			return now.UTC().Truncate(24 * time.Hour).Add(24*time.Hour + pastMidnight)
		}
	}
	return time.Time{}
}
