package ledger

import "time"

// Rate is what an answer says about one window.
type Rate struct {
	Limit     int       // calls in a whole window; -1: unknown
	Remaining int       // calls that are left in this one; -1: unknown
	Reset     time.Time // when the window ends, by the vendor's clock; zero: unknown
}

// Known reports whether the answer said anything about the window.
func (r Rate) Known() bool { return r.Limit >= 0 || r.Remaining >= 0 || !r.Reset.IsZero() }

// Window is a span of the vendor's clock with a number of calls. The zero value is a window that is
// over.
type Window struct {
	Reset  time.Time `json:"reset,omitzero"`   // when it ends, by the vendor's clock
	Told   bool      `json:"told,omitempty"`   // Reset was read from an answer, and is not assumed
	Limit  int       `json:"limit,omitempty"`  // calls in it; 0: unknown
	Ours   int       `json:"ours,omitempty"`   // that we booked in it, those under way included
	Others int       `json:"others,omitempty"` // that other software has used, at least
	Busy   int       `json:"busy,omitempty"`   // what others used in a window lately
	Closed bool      `json:"closed,omitempty"` // the vendor said that it is used up
}

// Left is how many calls are left; -1: unknown.
func (w *Window) Left() int {
	switch {
	case w.Closed:
		return 0
	case w.Limit == 0:
		return -1
	}
	return max(0, w.Limit-w.Ours-w.Others)
}

// Shared reports that other software uses calls of the same windows, now or lately.
func (w *Window) Shared() bool { return w.Others > 0 || w.Busy > 0 }

// OthersToCome is how many calls other software is likely to use yet, going by the windows before.
func (w *Window) OthersToCome() int { return max(0, w.Busy-w.Others) }

// roll opens a new window when the old one is over, or ends later than can be true: after at most
// the given time from now. It reports whether it did. Calls under way are counted into the new one
// until their answers tell.
func (w *Window) roll(now time.Time, span, most time.Duration, underway int) bool {
	if now.Before(w.Reset) && w.Reset.Sub(now) <= most {
		return false
	}
	w.begin(now.Truncate(span).Add(span), false, underway)
	return true
}

func (w *Window) begin(reset time.Time, told bool, ours int) {
	*w = Window{Reset: reset, Told: told, Limit: w.Limit, Ours: ours, Busy: max(w.Others, w.Busy/2)}
}

// told is what an answer, or the moment at which it came, says of where a call was counted.
type told uint8

const (
	current told = iota
	earlier      // in a window before this one
	later        // in one that this answer opened
)

// place finds the window that an answer speaks of, and moves on to it when it is a later one.
func (w *Window) place(r Rate, now time.Time, span time.Duration, underway int) told {
	switch {
	case r.Reset.IsZero() || r.Reset.Sub(now) > 10*span: // not the end of a window like this
		return current
	case !r.Reset.After(now), w.Told && r.Reset.Before(w.Reset):
		return earlier
	case r.Reset.After(w.Reset) && (w.Told || r.Remaining >= 0):
		w.begin(r.Reset, true, underway+1)
		return later
	}
	w.Reset, w.Told = r.Reset, true
	return current
}

// correct takes over what an answer says of this window. Calls of ours that are under way may be
// counted already or not, so the vendor's number is a lower bound of what others have used; it is
// exact, and corrects our own count too, when the call was alone.
func (w *Window) correct(r Rate, alone bool) {
	if r.Limit > 0 {
		w.Limit = r.Limit
	}
	if r.Remaining < 0 {
		return
	}
	if w.Limit == 0 {
		w.Limit = w.Ours + w.Others + r.Remaining
	}
	used := max(0, w.Limit-r.Remaining)
	switch beyond := used - w.Ours; {
	case beyond > w.Others:
		w.Others = beyond
	case alone:
		w.Ours = max(0, used-w.Others)
	}
}
