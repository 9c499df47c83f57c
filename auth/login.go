package auth

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/url"
	"time"

	"github.com/sethvargo/go-retry"
)

// LoginOptions says how a person logs in.
type LoginOptions struct {
	Options
	// Input is where the redirected address, or the bare code, is pasted, on a line of its own.
	// nil: nowhere. A read that nothing answers stays behind when the login ends otherwise.
	Input io.Reader
	// Announce is called once, before anything is waited for.
	Announce func(Prompt)
	// OpenBrowser opens the address; nil: nobody does. Its failure ends nothing.
	OpenBrowser func(url string) error
	// Reject is told of a pasted line that is of no use, and the next line is waited for. nil:
	// the first such line ends the login.
	Reject func(error)
	// Exchanging is told once that there is a code, and until when it is good at most; nil: nobody
	// is told.
	Exchanging func(until time.Time)
	// NoListener leaves out the listener for a redirect to this machine.
	NoListener bool
}

// Prompt is what a person needs to know to log in.
type Prompt struct {
	URL string // to be opened in a browser
	// Listening tells that the browser will come back to this machine by itself; with TLS it will
	// first warn of a certificate that nobody vouches for, because it was made on the spot.
	Listening bool
	TLS       bool
	Redirect  string // where the browser will end: the address to paste begins with it
	// ListenProblem says why there is no listener although the redirect leads to this machine.
	ListenProblem error
}

// Login gets the first pair of tokens: it has a person log in, takes the code from whichever
// comes first, the redirect to this machine or a pasted line, and exchanges it. The pair is in
// the store when it returns. A login that was there before stays until then; afterwards the server
// has ended it. Errors are those of [Transport.Fresh] and [ParseCode].
func Login(ctx context.Context, o LoginOptions) (Status, error) {
	t, err := New(o.Options)
	if err != nil {
		return Status{}, err
	}
	if redirect, err := url.Parse(o.App.RedirectURL); err != nil || redirect.Host == "" {
		return Status{}, errors.New("the redirect URL of the app registration is needed to log in")
	}
	// A store that cannot be used must show before the person goes through the login.
	if _, err := ReadStatus(ctx, t.store, t.clock()); err != nil {
		return Status{}, err
	}
	code, err := t.obtainCode(ctx, o)
	if err != nil {
		var login *LoginError
		if errors.As(err, &login) && login.Host == "" {
			login.Host = t.app.Host
		}
		return Status{}, err
	}
	if o.Exchanging != nil {
		o.Exchanging(t.clock().Add(codeLife))
	}
	return t.exchange(ctx, code)
}

// codeLife is how long a code is good. It was made a moment before it came here.
const codeLife = 3 * time.Minute

// obtained is what one of the two ways to a code ended with.
type obtained struct {
	code string
	err  error
}

// errNoInput is the end of the input without a line.
var errNoInput = fmt.Errorf("%w: the input ended before a code was given", ErrCode)

func (t *Transport) obtainCode(ctx context.Context, o LoginOptions) (string, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	state := rand.Text()
	prompt := Prompt{URL: t.app.AuthorizationURL(state), Redirect: t.app.RedirectURL}
	codes := make(chan obtained, 2)

	if redirect, err := url.Parse(t.app.RedirectURL); err == nil && !o.NoListener && loopback(redirect.Hostname()) {
		l, err := listen(redirect, state, t.clock(), t.log)
		if err == nil {
			prompt.Listening, prompt.TLS = true, redirect.Scheme == "https"
			defer l.close()
			defer cancel()
			l.serve(ctx, codes)
		}
		prompt.ListenProblem = err
	}
	if o.Input == nil && !prompt.Listening {
		return "", errors.Join(errNoInput, prompt.ListenProblem)
	}
	if o.Announce != nil {
		o.Announce(prompt)
	}
	if o.OpenBrowser != nil {
		if err := o.OpenBrowser(prompt.URL); err != nil {
			t.log.DebugContext(ctx, "could not open a browser", "error", err)
		}
	}
	if o.Input != nil {
		go paste(ctx, o, state, codes)
	}
	return wait(ctx, codes, prompt.Listening)
}

// wait takes the first code. The end of the input ends the wait only when nobody listens.
func wait(ctx context.Context, codes <-chan obtained, listening bool) (string, error) {
	for {
		select {
		case got := <-codes:
			if errors.Is(got.err, errNoInput) && listening {
				continue
			}
			return got.code, got.err
		case <-ctx.Done():
			return "", fmt.Errorf("wait for the login: %w", ctx.Err())
		}
	}
}

// paste reads lines until one of them holds a code.
func paste(ctx context.Context, o LoginOptions, state string, codes chan<- obtained) {
	lines := bufio.NewScanner(o.Input)
	for lines.Scan() && ctx.Err() == nil {
		code, err := ParseCode(lines.Text(), state)
		if err == nil || o.Reject == nil || errors.Is(err, ErrLoginRequired) {
			codes <- obtained{code, err}
			return
		}
		o.Reject(err)
	}
	codes <- obtained{err: errNoInput}
}

// exchange turns a code into the first pair. The lock is held all through it, so that no
// refresh of the login before can come between.
func (t *Transport) exchange(ctx context.Context, code string) (Status, error) {
	var s State
	err := t.store.Locked(ctx, func(slot Slot) error {
		var err error
		if s, err = slot.Load(); err != nil {
			return err
		}
		if s.Host != t.app.Host || s.ClientID != t.app.ClientID {
			s = State{Host: t.app.Host, ClientID: t.app.ClientID}
		}
		j := &journal{slot: slot, state: &s, clock: t.clock, self: t.self, log: t.log}
		a, err := t.trade(ctx, j, code)
		if err != nil {
			return err
		}
		return j.first(a)
	})
	if err != nil {
		return Status{}, err
	}
	return s.Status(t.clock()), nil
}

// trade sends the code. It works once, and for three minutes: a call that never left is made
// again, one that a server in trouble answered is too, and everything else needs a new code.
func (t *Transport) trade(ctx context.Context, j *journal, code string) (answer, error) {
	return retry.DoValue(ctx, retry.WithMaxRetries(3, retry.NewExponential(t.wait)), func(ctx context.Context) (answer, error) {
		if err := j.count(); err != nil {
			return answer{}, err
		}
		if err := j.slot.Save(*j.state); err != nil {
			return answer{}, err
		}
		a := t.call(ctx, url.Values{
			"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {t.app.RedirectURL},
		})
		switch a.outcome {
		case granted:
			if a.token.Refresh == "" {
				return a, &UnavailableError{Host: t.app.Host, Problem: "answered without a refresh token: log in again"}
			}
			return a, nil
		case notSent:
			j.state.Calls.add(t.clock(), -1)
			return a, retry.RetryableError(t.noAnswer(a))
		case unavailable:
			return a, retry.RetryableError(t.noAnswer(a))
		case refused:
			return a, &LoginError{Host: t.app.Host, Cause: a.cause, Detail: a.detail}
		case tooEarly:
			return a, &LoginError{Host: t.app.Host, Cause: Unclear, Detail: a.detail}
		default:
			return a, t.noAnswer(a)
		}
	})
}

// first saves the pair that a login brought. The pairs before belong to a login that the
// server has ended.
func (j *journal) first(a answer) error {
	*j.state = State{
		Host: j.state.Host, ClientID: j.state.ClientID, Calls: j.state.Calls,
		Now: a.token, LoggedInAt: j.clock().UTC().Round(0),
	}
	return j.slot.Save(*j.state)
}
