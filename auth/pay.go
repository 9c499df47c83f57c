package auth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"
)

// At Exact Payments a program reads with an application token: it does not expire, may do what it was
// made for, and is made by a user with e-mail and password ([PayLogin]). The user's own token lives for
// the length of that command, in memory, and is got again when its expiresAt has passed.
//
// An application token is journaled before it is asked for, under a label that no other has. A process
// that dies between the asking and the storing leaves that label in the store: [Status.Leftovers] tells
// of it, and the next [PayLogin] or [PayLogout] removes at the vendor what was made and never stored.

// PayApp is an application at one host of Exact Payments, and for what its tokens are made.
type PayApp struct {
	Host        string // "https://api-p2.exactpay.com"; http only for loopback
	Application string // its name
	// Organization or Account is what a token may see; without either, what its maker belongs to.
	Organization, Account string
}

// ID tells the logins of one host apart, as a client id does.
func (a PayApp) ID() string {
	switch {
	case a.Account != "":
		return a.Application + "/account/" + a.Account
	case a.Organization != "":
		return a.Application + "/organization/" + a.Organization
	}
	return a.Application
}

// tokens is where application tokens are listed and deleted, and where those of whoever asks are made.
func (a PayApp) tokens() string { return "/application/" + url.PathEscape(a.Application) + "/token" }

// making is where a token of the application is made by a user of an organization or account. What is
// said of tokens for another one comes from one source alone, so it is asked for only where it takes that.
func (a PayApp) making(home string) string {
	for _, of := range []struct{ kind, id string }{{"/account/", a.Account}, {"/organization/", a.Organization}} {
		if of.id != "" && of.id != home {
			return "/application/" + url.PathEscape(a.Application) + of.kind + url.PathEscape(of.id) + "/token"
		} else if of.id != "" {
			break
		}
	}
	return a.tokens()
}

// ApplicationToken is what reads at Exact Payments.
type ApplicationToken struct {
	ID          string
	Label       string
	Token       Secret
	Permissions []string
	MadeAt      time.Time
	By          Process
}

// String identifies the token without giving it away.
func (t ApplicationToken) String() string { return "application token " + t.Label }

// GoString is String.
func (t ApplicationToken) GoString() string { return t.String() }

// Format prints String for every verb, wrong ones included.
func (t ApplicationToken) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, t.String()) }

// Leftover is an application token that may be at the vendor though nobody here uses it.
type Leftover struct {
	Label string    `json:"label"`
	ID    string    `json:"id,omitempty"` // "": it was asked for, and no answer was kept
	At    time.Time `json:"at"`
	By    Process   `json:"by"`
}

// PayOptions say whose login is used, and what with.
type PayOptions struct {
	App     PayApp
	Store   Store             // of this app and host
	Base    http.RoundTripper // nil: http.DefaultTransport
	Clock   func() time.Time  // nil: time.Now
	Log     *slog.Logger      // nil: nothing is logged
	Command string            // stored with a token, to tell who got it
}

// payer is one use of the options.
type payer struct {
	PayOptions
	self Process
}

func newPayer(o PayOptions) (*payer, error) {
	app, err := (App{Host: o.App.Host, ClientID: "-", ClientSecret: "-"}).checked()
	if err != nil {
		return nil, err
	}
	o.App.Host = app.Host
	if o.Store == nil || o.App.Application == "" {
		return nil, errors.New("auth: no store, or no application")
	}
	p := &payer{PayOptions: o, self: Process{PID: os.Getpid(), Command: o.Command}}
	p.self.Machine, _ = os.Hostname()
	if p.Base == nil {
		p.Base = http.DefaultTransport
	}
	if p.Clock == nil {
		p.Clock = time.Now
	}
	if p.Log == nil {
		p.Log = slog.New(slog.DiscardHandler)
	}
	return p, nil
}

// load reads the login, which is empty when the store holds that of another app.
func (p *payer) load(slot Slot) (State, error) {
	s, err := slot.Load()
	if err == nil && (s.Host != p.App.Host || s.ClientID != p.App.ID()) {
		s = State{Host: p.App.Host, ClientID: p.App.ID()}
	}
	return s, err
}

// PayToken is the application token of the login in a store. Its errors are [*LoginError] and
// [*StoreError].
func PayToken(ctx context.Context, o PayOptions) (Secret, error) {
	p, err := newPayer(o)
	if err != nil {
		return "", err
	}
	var token Secret
	err = p.Store.Locked(ctx, func(slot Slot) error {
		s, err := p.load(slot)
		if err == nil && s.Application == nil {
			return &LoginError{Host: p.App.Host, Cause: NoLogin}
		}
		if err == nil {
			token = s.Application.Token
		}
		return err
	})
	return token, err
}

// PayTransport is an http.RoundTripper that puts a token as it is, without "Bearer", on requests to one
// host; any other is refused, so that a redirect cannot carry the token away. What the API makes of the
// token is for who asks to see.
type PayTransport struct {
	host  string
	token Secret
	base  http.RoundTripper
}

// NewPayTransport checks host and token. base may be nil.
func NewPayTransport(host string, token Secret, base http.RoundTripper) (*PayTransport, error) {
	app, err := (App{Host: host, ClientID: "-", ClientSecret: "-"}).checked()
	switch {
	case err != nil:
		return nil, err
	case token == "" || strings.ContainsFunc(string(token), func(r rune) bool { return r <= ' ' || r > '~' }):
		return nil, &LoginError{Host: app.Host, Cause: BadToken}
	case base == nil:
		base = http.DefaultTransport
	}
	return &PayTransport{app.Host, token, base}, nil
}

// Client returns an http.Client over t, which has no time limit of its own.
func (t *PayTransport) Client() *http.Client { return &http.Client{Transport: t} }

// RoundTrip implements http.RoundTripper.
func (t *PayTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if host := strings.ToLower(req.URL.Scheme + "://" + req.URL.Host); host != t.host {
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return nil, fmt.Errorf("refused to go to %s: the token belongs to %s", host, t.host)
	}
	carrying := req.Clone(req.Context())
	carrying.Header.Set("Authorization", string(t.token))
	return t.base.RoundTrip(carrying)
}

// without takes out what has an id or a label.
func without(all []Leftover, gone Leftover) []Leftover {
	return slices.DeleteFunc(slices.Clone(all), func(l Leftover) bool { return l.Label == gone.Label && l.ID == gone.ID })
}
