package schedule

import (
	"cmp"
	"time"
)

// Why says what a run is for.
type Why string

// What runs are for.
const (
	Scheduled Why = "schedule"  // its time has come
	Requested Why = "requested" // somebody asked for it
	Again     Why = "again"     // the last try did not come far
)

// Turn is a run that is to be started.
type Turn struct {
	Pipeline  string
	Warehouse string
	Why       Why
	Due       time.Time
	// Occurrence is the last one of the schedule that the run is for; zero: it is for none.
	Occurrence time.Time
	Caught     bool // it makes up for a start that was missed
}

// tolerance is by how much later than due a start is still in time.
const tolerance = 2 * time.Minute

// entry is what is remembered of one pipeline.
type entry struct {
	Spec string `json:"schedule,omitempty"`
	Zone string `json:"timezone,omitempty"`
	// Handled is up to when the occurrences of the schedule are done with.
	Handled   time.Time `json:"handled,omitzero"`
	PausedAt  time.Time `json:"paused_at,omitzero"`
	Requested time.Time `json:"requested_at,omitzero"`
	Began     *began    `json:"began,omitempty"`
	Last      *last     `json:"last,omitempty"`
	// Tries counts the tries in vain since the last occurrence; RetryAt is the next, zero: none.
	Tries   int       `json:"tries,omitempty"`
	RetryAt time.Time `json:"retry_at,omitzero"`
	// NotBefore keeps off a warehouse that somebody else holds.
	NotBefore time.Time `json:"not_before,omitzero"`
	// LoginSince is when a run began that ended for want of a login.
	LoginSince time.Time `json:"login_since,omitzero"`
}

// began is a run that was started and of whose end nothing is known yet.
type began struct {
	At         time.Time `json:"at"`
	Why        Why       `json:"why"`
	Occurrence time.Time `json:"occurrence,omitzero"`
	Requested  time.Time `json:"requested_at,omitzero"`
	Caught     bool      `json:"caught_up,omitempty"`
}

// last is the run that ended last.
type last struct {
	Started time.Time `json:"started_at"`
	Ended   time.Time `json:"ended_at"`
	Exit    int       `json:"exit_code"`
	Caught  bool      `json:"caught_up,omitempty"`
}

// agree takes over what the configuration says and reports whether that is new.
func (e *entry) agree(w Wanted, now time.Time) bool {
	var spec, zone string
	if w.Spec != nil {
		spec, zone = w.Spec.String(), w.Spec.Zone().String()
	}
	if e.Spec != spec || e.Zone != zone {
		e.Spec, e.Zone, e.Handled = spec, zone, now
		return true
	}
	return e.comeBack(w, now)
}

// comeBack takes back what was noted while the clock was ahead, and reports whether that was much: an
// occurrence that is done with already is not repeated, but no more than one is left out for it.
func (e *entry) comeBack(w Wanted, now time.Time) bool {
	handled := e.Handled
	switch {
	case handled.After(now.Add(25 * time.Hour)):
		handled = now
	case w.Spec != nil && handled.After(now):
		if first := w.Spec.Next(now); !first.IsZero() && !w.Spec.Next(first).After(handled) {
			handled = first
		}
	}
	if handled.Equal(e.Handled) {
		return false
	}
	e.Handled = handled
	return true
}

// turn is the next run as far as it is known when that is; false: there is none.
func (e *entry) turn(w Wanted, now time.Time) (Turn, bool) {
	t := Turn{Pipeline: w.Pipeline, Warehouse: w.Warehouse, Why: Requested, Due: earlier(e.Requested, now)}
	switch {
	case e.Began != nil:
		return t, false
	case !e.Requested.IsZero():
		return e.notBefore(t, now), true
	case !e.PausedAt.IsZero() || e.lacksLogin(w, now):
		return t, false
	case !e.LoginSince.IsZero():
		t.Why, t.Due = Again, now
		return e.notBefore(t, now), true
	}
	scheduled, found := e.scheduled(w, now)
	if !e.RetryAt.IsZero() && (!found || e.RetryAt.Before(scheduled.Due)) {
		t.Why, t.Due = Again, e.RetryAt
		return e.notBefore(t, now), true
	}
	return e.notBefore(scheduled, now), found
}

// scheduled is the run that the schedule brings next, or has brought.
func (e *entry) scheduled(w Wanted, now time.Time) (Turn, bool) {
	t := Turn{Pipeline: w.Pipeline, Warehouse: w.Warehouse, Why: Scheduled}
	if w.Spec == nil {
		return t, false
	}
	if t.Occurrence = w.Spec.Next(e.Handled).UTC(); t.Occurrence.IsZero() {
		return t, false
	}
	t.Due = t.Occurrence.Add(w.Spec.delay(w.Pipeline, t.Occurrence, w.Jitter))
	t.Caught = now.Sub(t.Due) > tolerance
	return t, true
}

// notBefore puts a run off that is not to begin yet. What lies further ahead than anything is put off is
// from when the clock was.
func (e *entry) notBefore(t Turn, now time.Time) Turn {
	if e.NotBefore.After(t.Due) && !e.NotBefore.After(now.Add(restart<<mostTries)) {
		t.Due = e.NotBefore
	}
	return t
}

// lacksLogin reports whether a run failed for want of a login and nobody has logged in since. Of a run
// that is still to come, by a clock that was ahead, it is not known.
func (e *entry) lacksLogin(w Wanted, now time.Time) bool {
	if e.LoginSince.IsZero() || e.LoginSince.After(now) {
		return false
	}
	return w.LoggedIn == nil || !w.LoggedIn().After(e.LoginSince)
}

// inOrder puts runs that were asked for first, and those that have waited longest.
func inOrder(a, b Turn) int {
	if first := cmp.Compare(rank(a), rank(b)); first != 0 {
		return first
	}
	return a.Due.Compare(b.Due)
}

func rank(t Turn) int {
	if t.Why == Requested {
		return 0
	}
	return 1
}

func (e *entry) standing(w Wanted, now time.Time) Standing {
	s := Standing{
		Pipeline: w.Pipeline, Spec: e.Spec, Zone: e.Zone, Running: e.Began != nil, Tries: e.Tries,
		Paused: !e.PausedAt.IsZero(), PausedAt: e.PausedAt, Requested: e.Requested, NeedsLogin: e.lacksLogin(w, now),
	}
	if w.Spec != nil {
		if next := w.Spec.Next(now); !next.IsZero() {
			s.Next = next.Add(w.Spec.delay(w.Pipeline, next, w.Jitter)).UTC()
		}
	}
	if t, found := e.turn(w, now); found && (t.Why != Scheduled || !t.Due.After(now)) {
		s.Due, s.Why = t.Due, t.Why
	}
	if e.Last != nil {
		s.LastStarted, s.LastEnded, s.LastExit, s.Caught = e.Last.Started, e.Last.Ended, &e.Last.Exit, e.Last.Caught
	}
	if e.Began != nil {
		if !e.Requested.After(e.Began.Requested) {
			s.Requested = time.Time{} // it is being answered
		}
		s.LastStarted, s.LastEnded, s.LastExit, s.Caught = e.Began.At, time.Time{}, nil, e.Began.Caught
	}
	return s
}
