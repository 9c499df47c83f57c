package auth

import (
	"context"
	"errors"
	"net/url"
	"time"

	"github.com/sethvargo/go-retry"
)

// A token is refreshed when it is this old, and never before: the server refuses a refresh
// within 570 s, and counts the refusals.
const dueAge = 575 * time.Second

// due tells whether a refresh may be sent at now. It counts from when the answer came: the
// pair cannot be younger than that says.
func (t *Token) due(now time.Time) bool { return now.Sub(t.ObtainedAt) >= dueAge }

// dueAtMost tells whether the pair may be old enough. It counts from when the pair was asked for;
// a clock that was set back says nothing, and then the server has to.
func (t *Token) dueAtMost(now time.Time) bool {
	return now.Sub(t.AskedAt) >= dueAge || now.Before(t.AskedAt)
}

// held tells whether the server has asked to wait with a refresh.
func (s *State) held(now time.Time) bool {
	wait := s.NotBefore.Sub(now)
	return wait > 0 && wait <= earlyWait
}

// refresh renews the login in s, which is the slot's. It returns nil when s.Now may be used: a new
// pair, saved, or the old one that the server says is still good.
//
// When the server refuses a pair that never worked, in a way that does not say that the pair was
// used, the one before it is tried once: the server may have lost what it last handed out.
func (t *Transport) refresh(ctx context.Context, slot Slot, s *State) error {
	j := &journal{slot: slot, state: s, clock: t.clock, self: t.self, log: t.log}
	err := t.renew(ctx, j, s.Now)
	var no *LoginError
	if !errors.As(err, &no) {
		return err
	}
	if s.Previous != nil && (no.Cause == BrokenChain || no.Cause == Mangled || no.Cause == Unclear) {
		t.log.WarnContext(ctx, "the token server refused the newest pair, trying the one before", "host", s.Host, "cause", string(no.Cause))
		again := t.renew(ctx, j, s.Previous)
		if !errors.As(again, new(*LoginError)) {
			return again
		}
	}
	switch no.Cause {
	case Reused, AnswerLost, Expired, BrokenChain:
		return errors.Join(no, j.broke(no))
	}
	return no
}

// renew sends the refresh token of pair until there is an answer to go by. A call that never
// left, or that a server in trouble answered, is made again up to three times; after an answer
// was lost the same token is sent once more and no further.
func (t *Transport) renew(ctx context.Context, j *journal, pair *Token) error {
	wasLost := false
	backoff := retry.WithMaxRetries(3, retry.NewExponential(t.wait))
	return retry.Do(ctx, backoff, func(ctx context.Context) error {
		if err := j.sending(pair); err != nil {
			return err
		}
		a := t.call(ctx, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {string(pair.Refresh)}})
		switch a.outcome {
		case granted:
			return j.granted(ctx, a, pair)
		case tooEarly:
			t.log.WarnContext(ctx, "the token server says that it is too early to refresh", "host", t.app.Host)
			return j.early()
		case refused:
			return t.noMore(j, a)
		case notSent:
			return t.again(a, j.unsent())
		case unavailable:
			return t.again(a, j.unanswered(a.problem))
		case lost:
			if wasLost {
				return errors.Join(t.noAnswer(a), j.unanswered(a.problem))
			}
			wasLost = true
			return t.again(a, j.unanswered(a.problem))
		default:
			return errors.Join(t.noAnswer(a), j.settled())
		}
	})
}

// noMore turns a refusal into its explanation. A token that "had been used" when it was sent
// before without an answer was used by us.
func (t *Transport) noMore(j *journal, a answer) error {
	e := &LoginError{Host: t.app.Host, Cause: a.cause, Detail: a.detail}
	attempt := j.state.Attempt
	if a.cause == Reused && attempt.Tries > 1 {
		e.Cause, e.Sent = AnswerLost, attempt.First
		return e
	}
	return errors.Join(e, j.settled())
}

// again asks for one more try, unless the journal could not be written.
func (t *Transport) again(a answer, journalErr error) error {
	if journalErr != nil {
		return errors.Join(t.noAnswer(a), journalErr)
	}
	return retry.RetryableError(t.noAnswer(a))
}

func (t *Transport) noAnswer(a answer) error {
	return &UnavailableError{Host: t.app.Host, Problem: a.problem, Err: a.err}
}
