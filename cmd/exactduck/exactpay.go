package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"exactduck/auth"
	"exactduck/cmd/exactduck/config"
	"exactduck/extract"
	"exactduck/extract/exactpay"
	"exactduck/load"
	"exactduck/schema"
)

// exactPay is the vendor of payments.
type exactPay struct{}

func (exactPay) kind() extract.Kind { return exactpay.Kind() }

// extras leave it at the streams: there are no filters, no functions and no other endpoints.
func (exactPay) extras() config.Catalogue { return config.Catalogue{Out: unlisted, Whence: whence} }

// unlisted says of a list of an organization that a connection without one cannot ask for it.
func unlisted(c *config.Connection, s *extract.Stream) error {
	if e := exactpay.EndpointOf(s.Variants[0]); c.Organization != "" || e.Account != "" || e.Own != "" {
		return nil
	}
	return config.Misplaced(fmt.Errorf("%s is a list of an organization, and the connection names none", s.Name), 0, "stream").
		Hint("write organization: and its id at the connection, or leave the stream out")
}

// whence tells environments and organizations apart, of which the shared streams have the same scope.
func whence(c *config.Connection, s *extract.Stream) string {
	if s.Shared && c.Organization != "" {
		return c.BaseURL + " " + c.Organization
	}
	return c.BaseURL
}

func (exactPay) words() words {
	return words{
		name: "Exact Payments", place: "account", asleep: "disabled", permission: "permission", site: "environment",
		closed:      "check organization: in pipelines.yaml, and for which accounts the token was made",
		credentials: "there is a token, or an application to log in to", scopes: "permissions that a token of %s", known: "is where the token goes",
		patience:  "an endpoint that refuses again and again is left alone for an hour",
		perMinute: 300,
	}
}

func (exactPay) places(c *config.Connection) (list, stranger string) {
	if c.Organization == "" {
		return "", ""
	}
	return exactpay.Service + "/accounts", ""
}

func (exactPay) asks(*config.Connection, []load.Division, []load.Cursor) (at schema.Scope, stranger bool) {
	return shared, false
}

// need are the permissions that the pipelines of a connection need of a token, and no more.
func (v exactPay) need(cfg *config.Config, connection string) (all []string, err error) {
	add := func(variant *extract.Variant) {
		for p := range strings.FieldsSeq(exactpay.Kind().Documented(variant).Permission) {
			all = including(all, p)
		}
	}
	if list, _ := v.places(cfg.Connections[connection]); list != "" {
		if s, _, err := exactpay.Lookup(list); err == nil {
			add(s.Variants[0])
		}
	}
	for _, name := range cfg.PipelineNames() {
		p := cfg.Pipelines[name]
		if p.From != connection {
			continue
		}
		choices, err := p.Choices(catalogue)
		if err != nil {
			return nil, err
		}
		for _, c := range choices {
			add(c.Stream.Variants[0])
		}
	}
	slices.Sort(all)
	return all, nil
}

// accounts are those that the pipelines of a connection list by their ids.
func (v exactPay) accounts(cfg *config.Config, connection string) (all []string) {
	for _, name := range cfg.PipelineNames() {
		for _, entry := range cfg.Pipelines[name].Divisions {
			if cfg.Pipelines[name].From == connection && exactpay.Kind().Owns(schema.Scope(entry)) {
				all = including(all, entry)
			}
		}
	}
	slices.Sort(all)
	return all
}

func (v exactPay) login(k *call, name string) (*login, error) {
	c := k.cfg.Connections[name]
	given, err := k.cfg.Token(name, k.getenv)
	if err != nil {
		return nil, err
	}
	id := "token " + auth.Secret(given).Fingerprint()
	if given == "" {
		id = v.app(k, name).ID()
	}
	store, err := k.store(name, id)
	if err != nil {
		return nil, err
	}
	return &login{app: auth.App{Host: c.BaseURL}, store: store, given: auth.Secret(given), application: v.app(k, name)}, nil
}

// app is for what tokens are made: all of an organization, or the one account that is read.
func (v exactPay) app(k *call, name string) auth.PayApp {
	c := k.cfg.Connections[name]
	app := auth.PayApp{Host: c.BaseURL, Application: c.Application, Organization: c.Organization}
	if accounts := v.accounts(k.cfg, name); c.Organization == "" && len(accounts) == 1 {
		app.Account = accounts[0]
	}
	return app
}

// pay are what the auth package needs to use the login.
func (l *login) pay(k *call) auth.PayOptions {
	return auth.PayOptions{
		App: l.application, Store: l.store, Base: extract.Wire(nil), Clock: k.clock, Log: k.log, Command: "exactduck " + k.name,
	}
}

func (exactPay) enter(ctx context.Context, k *call, name string, l *login) (*view, error) {
	if l.given != "" {
		return nil, &usageError{"the token of connection " + name + " is in the configuration: there is nothing to log in to", "put another token where token: leads; or write application: in its place, and log in then"}
	}
	needed, err := exactPay{}.need(k.cfg, name)
	if err != nil {
		return nil, err
	}
	user, err := k.person(ctx)
	if err != nil {
		return nil, err
	}
	in, err := auth.PayLogin(ctx, l.pay(k), user, needed)
	if err != nil {
		return nil, err
	}
	if len(in.Lacking) > 0 {
		k.warnings = append(k.warnings, "the user lacks "+strings.Join(in.Lacking, ", ")+", and so does the token: what needs it cannot be read")
	}
	k.warnings = append(k.warnings, leftoverWarnings(in.Status)...)
	return &view{data: loginStatus{Connection: name, Status: in.Status}, text: func(out io.Writer) {
		mode := ""
		if in.Mode != "" {
			mode = " for mode " + printable(in.Mode)
		}
		fmt.Fprintf(out, "logged in at %s with an application token of its own%s: it has %s and nothing else, and does not expire\n\nnext, type:\n  exactduck sync\n",
			in.Host, mode, strings.Join(in.Permissions, ", "))
	}}, nil
}

func (exactPay) connect(ctx context.Context, k *call, l *login) (*http.Client, error) {
	token := l.given
	if token == "" {
		var err error
		if token, err = auth.PayToken(ctx, l.pay(k)); err != nil {
			return nil, err
		}
	}
	transport, err := auth.NewPayTransport(l.app.Host, token, extract.Wire(nil))
	if err != nil {
		return nil, err
	}
	return transport.Client(), nil
}

// leave deletes the token, which may not do so itself unless it is allowed more than we ask for.
func (exactPay) leave(ctx context.Context, k *call, l *login) error {
	var user auth.PayUser
	var err error
	if k.String("email") != "" {
		if user, err = k.person(ctx); err != nil {
			return err
		}
	}
	err = auth.PayLogout(ctx, l.pay(k), user)
	if no := find[*auth.LoginError](err); no == nil || no.Cause != auth.NotAllowed || user.Email != "" {
		return err
	}
	if user, err = k.person(ctx); err != nil {
		return err
	}
	return auth.PayLogout(ctx, l.pay(k), user)
}

func (exactPay) stays() error {
	return &usageError{
		"a login at Exact Payments is not moved: its token does not expire, and other machines may have their own",
		`type "exactduck auth login" on the other machine, and "exactduck auth logout" here when it is not needed any more`,
	}
}

func (v exactPay) open(k *call, name string, l *login, o opening) (source, error) {
	c := k.cfg.Connections[name]
	at := exactpay.Config{
		BaseURL: c.BaseURL, Client: o.client, Organization: c.Organization, Application: c.Application, Clock: k.clock, Log: k.log,
		Ledger: l.ledger(k), Reserve: reserve(c.Reserve), MaxCalls: o.maxCalls, LoggedIn: o.loggedIn, AskAgain: o.once, Permanent: isLogin,
	}
	if c.Organization == "" {
		at.Accounts = v.accounts(k.cfg, name)
	}
	if o.once {
		at.Attempts = 1
	}
	return exactpay.New(at)
}

// permits are the application tokens at the vendor, and what is to be said of them.
func (exactPay) permits(ctx context.Context, k *call, name string, l *login, s auth.Status) (all []auth.PayPermit, said []string) {
	said = leftoverWarnings(s)
	if needed, err := (exactPay{}).need(k.cfg, name); err == nil && !s.Given {
		for _, p := range needed {
			if !slices.Contains(s.Permissions, p) {
				said = append(said, fmt.Sprintf(`the token of %s lacks %s, which the chosen streams need: "exactduck auth login" makes another one`, name, p))
			}
		}
	}
	if l.application.Application == "" {
		return nil, said
	}
	all, err := auth.PayPermits(ctx, l.pay(k), l.given)
	if err != nil && find[*auth.LoginError](err) == nil {
		said = append(said, fmt.Sprintf("the tokens of application %s could not be listed: %v", l.application.Application, err))
	}
	return all, said
}

func leftoverWarnings(s auth.Status) (all []string) {
	for _, l := range s.Leftovers {
		all = append(all, fmt.Sprintf(`an application token labelled %q, asked for at %s, may be at %s though nobody here uses it: "exactduck auth login" and "auth logout" delete it there`,
			l.Label, minute(l.At), s.Host))
	}
	return all
}
