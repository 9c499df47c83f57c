package main

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"

	"exactduck/auth"
	"exactduck/cmd/exactduck/config"
	"exactduck/extract"
	"exactduck/extract/exactonline"
	"exactduck/schema"
)

// connection is a source with a login.
type connection struct {
	source *exactonline.Source
}

// login is where the login of a connection lives, and what it is of.
type login struct {
	app   auth.App
	store *auth.File
}

// login finds the login of a connection of the configuration; it need not exist yet.
func (k *call) login(name string) (*login, error) {
	cfg, err := k.configuration()
	if err != nil {
		return nil, err
	}
	c := cfg.Connections[name]
	id, secret, err := cfg.Credentials(name, k.getenv)
	if err != nil {
		return nil, err
	}
	dir := cfg.Logins()
	if dir == "" {
		if dir, err = auth.DefaultDir(); err != nil {
			return nil, err
		}
	}
	app := auth.App{Host: c.BaseURL, ClientID: id, ClientSecret: auth.Secret(secret), RedirectURL: c.RedirectURL}
	store, err := k.store(name, dir, id)
	if err != nil {
		return nil, err
	}
	return &login{app, store}, nil
}

// store is where a login lives, in the form that token_store says.
func (k *call) store(name, dir, id string) (*auth.File, error) {
	c := k.cfg.Connections[name]
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
		App: l.app, Store: l.store, Base: extract.Wire(nil), Clock: k.clock, Log: k.log, Command: "exactduck " + k.name,
	}
}

// dial makes the source of a connection and sees to it that its token is fresh; see books.dial.
func (k *call) dial(ctx context.Context, name string, division schema.Scope) (*connection, error) {
	l, err := k.login(name)
	if err != nil {
		return nil, err
	}
	transport, err := auth.New(l.options(k))
	if err != nil {
		return nil, err
	}
	before, err := auth.ReadStatus(ctx, l.store, k.clock())
	if err != nil {
		return nil, err
	}
	if err := transport.Fresh(ctx); err != nil {
		if warning := loginWarning(before); warning != "" {
			k.warnings = append(k.warnings, warning)
		}
		return nil, err
	}
	c := k.cfg.Connections[name]
	if c.Division != 0 {
		division = schema.Scope(strconv.Itoa(c.Division))
	}
	source, err := exactonline.New(exactonline.Config{
		BaseURL: c.BaseURL, Client: transport.Client(), Language: c.Language, Zone: c.ServerTimezone.Location,
		Division: division, Clock: k.clock, Log: k.log, Permanent: isLogin, Dropped: dropped(k.log),
		Ledger: l.ledger(k), Reserve: reserve(c.Reserve), MaxCalls: k.maxCalls(), LoggedIn: before.LoggedInAt,
	})
	if err != nil {
		return nil, fmt.Errorf("connection %s: %w", name, err)
	}
	dialled := &connection{source}
	k.dialled = append(k.dialled, dialled)
	return dialled, nil
}

func dropped(log *slog.Logger) func(exactonline.Dropped) {
	return func(d exactonline.Dropped) {
		log.Warn("Exact does not know a column any more; it stays NULL", "stream", d.Stream, "variant", d.Variant, "column", d.Column)
	}
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
