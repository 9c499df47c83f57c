package auth

import (
	"context"
	"log/slog"
	"time"
)

// MaxCalls is how many token calls a day the server allows one app and user.
const MaxCalls = 200

// journal keeps the store in step with one series of token calls, so that a process that dies
// anywhere leaves behind what was known:
//
//	sending    the attempt is on disk before anything is sent
//	unsent     nothing left this machine: the attempt is taken back
//	settled    the server did nothing with it, and said so: taken back too, but counted
//	unanswered the attempt stays, with what came instead of an answer
//	early      the server says that the pair is still good
//	granted    the new pair is on disk, and the one that was used stays beside it
//	broke      the server's last word
//
// A process that finds an attempt in the store knows that the refresh token in use may have been
// sent. It sends it again: if the server never acted, that works, and if it did, nothing else would.
type journal struct {
	slot  Slot
	state *State
	clock func() time.Time
	self  Process
	log   *slog.Logger
}

// count notes one token call on disk, or refuses it when today's are used up.
func (j *journal) count() error {
	now := j.clock().UTC()
	if used := j.state.Calls.On(now); used >= MaxCalls {
		return &BudgetError{Host: j.state.Host, Calls: used, Reset: now.Truncate(24 * time.Hour).Add(24 * time.Hour)}
	}
	j.state.Calls.add(now, 1)
	return nil
}

// sending must return before the refresh token of pair is sent.
func (j *journal) sending(pair *Token) error {
	if err := j.count(); err != nil {
		return err
	}
	now, sent := j.clock().UTC(), pair.fingerprint()
	if j.state.Attempt == nil || j.state.Attempt.Pair != sent {
		j.state.Attempt = &Attempt{Pair: sent, First: now}
	}
	a := j.state.Attempt
	a.Last, a.By, a.Outcome = now, j.self, ""
	a.Tries++
	return j.slot.Save(*j.state)
}

func (j *journal) unsent() error {
	j.state.Calls.add(j.clock(), -1)
	return j.settled()
}

// settled takes back the last try. Those before it, whose answers were lost, stay open.
func (j *journal) settled() error {
	if a := j.state.Attempt; a.Tries > 1 {
		a.Tries--
	} else {
		j.state.Attempt = nil
	}
	return j.slot.Save(*j.state)
}

func (j *journal) unanswered(problem string) error {
	j.state.Attempt.Outcome = problem
	return j.slot.Save(*j.state)
}

// earlyWait is how long a refresh that was refused as too early is put off: the token still
// lives for 30 s then, and some servers refuse until it is dead.
const earlyWait = 30 * time.Second

// early keeps the pair. When the same refresh token was sent before without an answer the
// attempt stays: "too early" may then mean that it was that one which was carried out.
func (j *journal) early() error {
	if j.state.Attempt.Tries <= 1 {
		j.state.Attempt = nil
	}
	j.state.NotBefore = j.clock().UTC().Add(earlyWait)
	return j.slot.Save(*j.state)
}

// granted saves the pair that an answer brought. used is the pair that was sent for it.
func (j *journal) granted(ctx context.Context, a answer, used *Token) error {
	fresh := *a.token
	if fresh.Refresh == "" {
		fresh.Refresh = used.Refresh
	}
	j.state.Now, j.state.Previous = &fresh, used
	j.state.NotBefore, j.state.Broken = time.Time{}, nil
	if a.token.Refresh == "" && !a.whole {
		j.state.Attempt.Outcome = "the answer was cut before the refresh token"
		j.log.WarnContext(ctx, "the answer of the token server was cut: a login may be needed in ten minutes", "host", j.state.Host)
	} else {
		j.state.Attempt = nil
	}
	return j.slot.Save(*j.state)
}

// broke stores that this login will never be renewed, so that nobody asks again.
func (j *journal) broke(e *LoginError) error {
	j.state.Attempt = nil
	j.state.Broken = &Broken{Cause: e.Cause, Detail: e.Detail, At: j.clock().UTC(), Sent: e.Sent}
	return j.slot.Save(*j.state)
}
