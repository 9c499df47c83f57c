// Package auth keeps a login at Exact Online alive. Refresh tokens there work once, live for
// 30 days, and cannot be had again without a person and a second factor: the package is built
// so that none is ever lost. It imports nothing of ours and prints nothing.
//
// Begin with [New], which makes an http.RoundTripper whose requests carry a fresh access token,
// and [Login], which gets the first pair of tokens. [File] is where they live; [ReadStatus] tells
// how they are; [Export] and [Import] move them to another machine. Logins at Exact Payments are another
// matter, see [PayLogin].
//
// The rules, which hold across processes:
//
//   - A refresh is sent only for a token that is at least 575 s old, under the store's lock, after
//     reading the store again.
//   - The attempt is on disk before it is sent; the answer is on disk before it is used; a
//     refresh that was sent is waited for, whatever ctx says.
//   - The pair before stays until the new one has worked once.
//   - A 401 on a younger token: the store is read again, the request is tried once more, and then
//     a person must log in.
//
// What cannot be survived is an answer that is lost between the server and this disk: the
// server has then spent the only refresh token there was. The next refresh says so.
package auth

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"
)

// App is one app registration at one host. Registrations are per region.
type App struct {
	Host         string // "https://start.exactonline.nl"; http only for loopback
	ClientID     string
	ClientSecret Secret
	RedirectURL  string // as registered; only [Login] needs it
}

const (
	authorizePath = "/api/oauth2/auth"
	tokenPath     = "/api/oauth2/token"
)

func (a App) endpoint(path string) string { return a.Host + path }

// oauth is the app in the terms of x/oauth2. Its token calls are not used: they lose a refresh
// token whose answer is malformed, and there is no place in them for the journal.
func (a App) oauth() *oauth2.Config {
	return &oauth2.Config{
		ClientID: a.ClientID, ClientSecret: string(a.ClientSecret), RedirectURL: a.RedirectURL,
		Endpoint: oauth2.Endpoint{
			AuthURL: a.endpoint(authorizePath), TokenURL: a.endpoint(tokenPath),
			AuthStyle: oauth2.AuthStyleInParams,
		},
	}
}

// AuthorizationURL is where a person logs in. state comes back in the redirect.
func (a App) AuthorizationURL(state string) string { return a.oauth().AuthCodeURL(state) }

// checked returns the app with its host in canonical form.
func (a App) checked() (App, error) {
	host, err := url.Parse(strings.TrimRight(a.Host, "/"))
	if err != nil || host.Host == "" || host.User != nil || host.RawQuery != "" || host.Path != "" {
		return a, fmt.Errorf("host %q is not an address like https://start.exactonline.nl", a.Host)
	}
	if host.Scheme != "https" && (host.Scheme != "http" || !loopback(host.Hostname())) {
		return a, fmt.Errorf("host %q must be https", a.Host)
	}
	a.Host = host.Scheme + "://" + strings.ToLower(host.Host)
	if a.ClientID == "" || a.ClientSecret == "" {
		return a, fmt.Errorf("client id and client secret of the app at %s are needed", a.Host)
	}
	return a, nil
}

func loopback(host string) bool {
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}

// Options says whose login a [Transport] uses, and what with.
type Options struct {
	App     App
	Store   Store             // of this app and host
	Base    http.RoundTripper // nil: http.DefaultTransport
	Clock   func() time.Time  // nil: time.Now
	Log     *slog.Logger      // nil: nothing is logged
	Command string            // stored with each token, to tell who got it: "exactduck sync"
	// RetryWait is the first pause after a token call that may be made again; each further
	// one is twice as long. Zero: 2 s.
	RetryWait time.Duration
}

// Transport is an http.RoundTripper that adds a fresh access token, to requests to the app's
// host only; any other host is refused, so that a redirect cannot carry the token away. It
// takes requests without a body and may be used by several goroutines.
type Transport struct {
	app   App
	store Store
	base  http.RoundTripper
	clock func() time.Time
	log   *slog.Logger
	self  Process
	wait  time.Duration
	held  atomic.Pointer[holding]
}

// holding is the pair that this process uses, so that most requests need not read the store.
type holding struct {
	token    Token
	unproven atomic.Bool // the pair before it is still kept
}

// New returns a transport. It reads nothing yet; [Transport.Fresh] tells whether there is a login.
func New(o Options) (*Transport, error) {
	app, err := o.App.checked()
	if err != nil {
		return nil, err
	}
	if o.Store == nil {
		return nil, errors.New("auth: no store")
	}
	t := &Transport{app: app, store: o.Store, base: o.Base, clock: o.Clock, log: o.Log, wait: o.RetryWait}
	t.self = Process{PID: os.Getpid(), Command: o.Command}
	t.self.Machine, _ = os.Hostname()
	if t.base == nil {
		t.base = http.DefaultTransport
	}
	if t.clock == nil {
		t.clock = time.Now
	}
	if t.log == nil {
		t.log = slog.New(slog.DiscardHandler)
	}
	if t.wait <= 0 {
		t.wait = 2 * time.Second
	}
	return t, nil
}

// Client returns an http.Client over t. It has no time limit of its own: requests bring theirs
// in their context.
func (t *Transport) Client() *http.Client { return &http.Client{Transport: t} }

// Fresh makes sure at the start of a run that there is a login, and refreshes it when that is
// due. Its errors: [*LoginError], [*UnavailableError], [*BudgetError], [*StoreError], or ctx's.
func (t *Transport) Fresh(ctx context.Context) error {
	_, err := t.fromStore(ctx, "")
	return err
}

// RoundTrip implements http.RoundTripper. Beside the errors of the connection it returns those
// of [Transport.Fresh].
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := t.mayCarry(req); err != nil {
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return nil, err
	}
	ctx := req.Context()
	h, err := t.current(ctx)
	if err != nil {
		return nil, err
	}
	resp, err := t.send(req, h)
	if err != nil || resp.StatusCode != http.StatusUnauthorized {
		return resp, err
	}
	discard(resp)
	t.log.DebugContext(ctx, "access token refused, reading the store again", "host", t.app.Host, "token", h.token.fingerprint())
	if h, err = t.fromStore(ctx, h.token.Access); err != nil {
		return nil, err
	}
	resp, err = t.send(req, h)
	if err != nil || resp.StatusCode != http.StatusUnauthorized {
		return resp, err
	}
	discard(resp)
	return nil, &LoginError{Host: t.app.Host, Cause: AccessRefused, Detail: scrub(challenge(resp), h.token.Access)}
}

func (t *Transport) mayCarry(req *http.Request) error {
	if host := strings.ToLower(req.URL.Scheme + "://" + req.URL.Host); host != t.app.Host {
		return fmt.Errorf("refused to go to %s: the login belongs to %s", host, t.app.Host)
	}
	if req.Body != nil && req.Body != http.NoBody {
		return errors.New("auth: only requests without a body are supported")
	}
	return nil
}

// send makes one try of a request; req itself stays as it is.
func (t *Transport) send(req *http.Request, h *holding) (*http.Response, error) {
	carrying := req.Clone(req.Context())
	carrying.Header.Set("Authorization", "Bearer "+string(h.token.Access))
	resp, err := t.base.RoundTrip(carrying)
	if err == nil && resp.StatusCode/100 == 2 {
		t.proven(req.Context(), h)
	}
	return resp, err
}

func discard(resp *http.Response) {
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10)
	_ = resp.Body.Close()
}

// challenge is the reason of a 401, which comes percent-encoded in a header.
func challenge(resp *http.Response) string {
	_, rest, _ := strings.Cut(resp.Header.Get("WWW-Authenticate"), `error_description="`)
	words, _, _ := strings.Cut(rest, `"`)
	if plain, err := url.PathUnescape(words); err == nil {
		return plain
	}
	return words
}

// current returns the pair to use, from memory while it is not due.
func (t *Transport) current(ctx context.Context) (*holding, error) {
	if h := t.held.Load(); h != nil && !h.token.due(t.clock()) {
		return h, nil
	}
	return t.fromStore(ctx, "")
}

// fromStore reads the login under its lock, refreshes it when that is due, and keeps it in
// memory. refused is the access token that the API has just refused, if any.
func (t *Transport) fromStore(ctx context.Context, refused Secret) (*holding, error) {
	var h *holding
	err := t.store.Locked(ctx, func(slot Slot) error {
		s, err := t.load(slot)
		if err != nil {
			return err
		}
		now := t.clock()
		again := refused != "" && refused == s.Now.Access
		if (s.Now.due(now) && !s.held(now)) || (again && s.Now.dueAtMost(now)) {
			if err := t.refresh(ctx, slot, &s); err != nil {
				return err
			}
		}
		if s.Now.Access == "" {
			return &UnavailableError{Host: t.app.Host, Problem: "sent a damaged access token", Retry: s.Now.ObtainedAt.Add(dueAge)}
		}
		h = &holding{token: *s.Now}
		h.unproven.Store(s.Previous != nil)
		return nil
	})
	if err != nil {
		return nil, err
	}
	t.held.Store(h)
	return h, nil
}

// load reads the login and refuses one that cannot be used.
func (t *Transport) load(slot Slot) (State, error) {
	s, err := slot.Load()
	switch {
	case err != nil:
		return s, err
	case s.Now == nil:
		return s, &LoginError{Host: t.app.Host, Cause: NoLogin}
	case s.Host != t.app.Host || subtle.ConstantTimeCompare([]byte(s.ClientID), []byte(t.app.ClientID)) == 0:
		return s, &LoginError{Host: t.app.Host, Cause: OtherLogin}
	case s.Sealed != nil:
		return s, &LoginError{Host: t.app.Host, Cause: Sealed, Moved: s.Sealed}
	case s.Broken != nil:
		return s, s.Broken.err(t.app.Host)
	}
	return s, nil
}

func (b *Broken) err(host string) *LoginError {
	return &LoginError{Host: host, Cause: b.Cause, Detail: b.Detail, Sent: b.Sent}
}

// provenLimit bounds the wait for the lock after a request that has already succeeded.
const provenLimit = 2 * time.Second

// proven lets go of the pair before this one, now that this one has worked. Failing to do so
// costs nothing: the pair is let go of later.
func (t *Transport) proven(ctx context.Context, h *holding) {
	if !h.unproven.CompareAndSwap(true, false) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), provenLimit)
	defer cancel()
	err := t.store.Locked(ctx, func(slot Slot) error {
		s, err := slot.Load()
		if err != nil || s.Previous == nil || s.Now == nil || s.Now.Access != h.token.Access {
			return err
		}
		s.Previous = nil
		return slot.Save(s)
	})
	if err != nil {
		t.log.WarnContext(ctx, "could not let go of the previous tokens", "error", err)
	}
}
