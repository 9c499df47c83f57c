package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"exactduck/auth"
	"exactduck/cmd/exactduck/config"
	"exactduck/extract"
	"exactduck/schema"
)

// connection is a source with a login.
type connection struct {
	source source
}

// login is where the login of a connection lives, and what it is of.
type login struct {
	app   auth.App // the host at least
	store *auth.File
	given auth.Secret // a token that the configuration has in the place of a login

	application auth.PayApp // of Exact Payments
}

// status is how the login is at now; none is no error.
func (l *login) status(ctx context.Context, now time.Time) (auth.Status, error) {
	if l.given != "" {
		return auth.Status{Host: l.app.Host, LoggedIn: true, Lasting: true, Given: true}, nil
	}
	return auth.ReadStatus(ctx, l.store, now)
}

// login finds the login of a connection of the configuration; it need not exist yet.
func (k *call) login(name string) (*login, error) {
	cfg, err := k.configuration()
	if err != nil {
		return nil, err
	}
	return vendors[cfg.Connections[name].Type].login(k, name)
}

// store is where a login lives, in the form that token_store says.
func (k *call) store(name, id string) (*auth.File, error) {
	c, dir := k.cfg.Connections[name], k.cfg.Logins()
	if dir == "" {
		var err error
		if dir, err = auth.DefaultDir(); err != nil {
			return nil, err
		}
	}
	text, err := k.cfg.TokenKey(name, k.getenv)
	if err != nil {
		return nil, err
	}
	if text == "" {
		return auth.NewFile(dir, c.BaseURL, id, k.log), nil
	}
	key, err := auth.ParseKey(auth.Secret(text))
	if err != nil {
		return nil, &usageError{
			fmt.Sprintf("connections.%s.token_key is %v", name, err),
			`"exactduck auth key" makes one; what is encrypted already needs the key that it was encrypted with`,
		}
	}
	if c.TokenStore == config.PlainFile {
		return auth.NewDecryptedFile(dir, c.BaseURL, id, key, k.log), nil
	}
	return auth.NewEncryptedFile(dir, c.BaseURL, id, key, k.log), nil
}

// options are what the auth package needs to use the login.
func (l *login) options(k *call) auth.Options {
	return auth.Options{
		App: l.app, Store: l.store, Base: extract.Wire(k.wire), Clock: k.clock, Log: k.log, Command: "exactduck " + k.name,
	}
}

// dial makes the source of a connection; see books.dial.
func (k *call) dial(ctx context.Context, name string, known schema.Scope) (*connection, error) {
	l, err := k.login(name)
	if err != nil {
		return nil, err
	}
	before, err := l.status(ctx, k.clock())
	if err != nil {
		return nil, err
	}
	o := opening{at: known, loggedIn: before.LoggedInAt, maxCalls: k.maxCalls()}
	if o.client, err = k.vendorOn(name).connect(ctx, k, l); err != nil {
		if warning := loginWarning(before); warning != "" {
			k.warnings = append(k.warnings, warning)
		}
		return nil, err
	}
	source, err := k.vendorOn(name).open(k, name, l, o)
	if err != nil {
		return nil, fmt.Errorf("connection %s: %w", name, err)
	}
	dialled := &connection{source}
	k.dialled = append(k.dialled, dialled)
	return dialled, nil
}

// books are what runs of this configuration need.
func (k *call) books() (*books, error) {
	cfg, err := k.configuration()
	if err != nil {
		return nil, err
	}
	b := &books{config: cfg, dial: k.dial, clock: k.clock, log: k.log, journal: k.journal, verbose: k.Bool("v"), getenv: k.getenv, logins: k.login}
	if terminal(k.err) && !k.Bool("q") && !k.Bool("v") {
		b.watch = func(left func() string) (func(progress), func()) {
			m := newMeter(k.err, left)
			return m.step, m.close
		}
	}
	return b, nil
}

// connectionName is the connection that --connection names, or the only one.
func (k *call) connectionName() (string, error) {
	cfg, err := k.configuration()
	if err != nil {
		return "", err
	}
	all, name := cfg.ConnectionNames(), k.String("connection")
	switch {
	case name == "" && len(all) == 1:
		return all[0], nil
	case name == "":
		return "", &usageError{"there are several connections", "name one with --connection: " + strings.Join(all, ", ")}
	case cfg.Connections[name] == nil:
		return "", &usageError{fmt.Sprintf("there is no connection %q", name), "use one of " + strings.Join(all, ", ")}
	}
	return name, nil
}

// pipelines are those that the arguments name, or all of them.
func (k *call) pipelines() ([]*config.Pipeline, error) {
	cfg, err := k.configuration()
	if err != nil {
		return nil, err
	}
	wanted := k.Args().Slice()
	if len(wanted) == 0 {
		wanted = cfg.PipelineNames()
	}
	var found []*config.Pipeline
	for _, name := range wanted {
		p := cfg.Pipelines[name]
		if p == nil {
			return nil, &usageError{fmt.Sprintf("there is no pipeline %q", name), "use one of " + strings.Join(cfg.PipelineNames(), ", ")}
		}
		found = append(found, p)
	}
	return found, nil
}
