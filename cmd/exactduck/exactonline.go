package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"

	"exactduck/auth"
	"exactduck/cmd/exactduck/config"
	"exactduck/extract"
	"exactduck/extract/exactonline"
	"exactduck/load"
	"exactduck/schema"
)

// exactOnline is the vendor of accounting.
type exactOnline struct{}

func (exactOnline) kind() extract.Kind { return exactonline.Kind() }

func (exactOnline) extras() config.Catalogue {
	return config.Catalogue{
		Call: callFunction, Define: defineStream, CheckFilter: checkFilter, TypeNamed: exactonline.TypeNamed,
	}
}

func (exactOnline) words() words {
	return words{
		name: "Exact", place: "division", asleep: "archived, inactive or blocked", permission: "OAuth scope", site: "region",
		closed:      "grant the app access to an administration at Exact and log in again",
		credentials: "client id and secret are there", scopes: "scopes that the app registration of %s", known: "knows this client id",
		patience:  "Exact blocks an endpoint after ten errors within an hour",
		perMinute: 60, perDay: 5000,
	}
}

func (exactOnline) places(*config.Connection) (list, stranger string) {
	return "system/Divisions", "system/Me"
}

func (exactOnline) asks(c *config.Connection, met []load.Division, cursors []load.Cursor) (at schema.Scope, stranger bool) {
	if c.Division != 0 {
		return schema.Scope(strconv.Itoa(c.Division)), false
	}
	at = someDivision(met, cursors)
	return at, at == ""
}

func callFunction(name string, params map[string]any, as string) (*extract.Stream, error) {
	s, err := exactonline.Call(name, params, as)
	bad, ok := errors.AsType[*exactonline.BadParameter](err)
	if !ok {
		return s, err
	}
	at := []string{"params", bad.Parameter}
	switch bad.Parameter {
	case "as":
		at = at[1:]
	case "any":
		at = at[:1]
	}
	return nil, config.Misplaced(errors.New(bad.Problem), 0, at...)
}

func defineStream(d config.Definition) (*extract.Stream, error) {
	s, err := exactonline.Define(exactonline.Definition(d))
	if bad, ok := errors.AsType[*exactonline.BadDefinition](err); ok {
		return nil, config.Misplaced(errors.New(bad.Problem), 0, bad.Field)
	}
	return s, err
}

func checkFilter(s *extract.Stream, filter string) error {
	err := exactonline.CheckFilter(s, filter)
	if bad, ok := errors.AsType[*exactonline.BadFilter](err); ok {
		return config.Misplaced(errors.New(bad.Problem), bad.At)
	}
	return err
}

func (exactOnline) login(k *call, name string) (*login, error) {
	c := k.cfg.Connections[name]
	id, secret, err := k.cfg.Credentials(name, k.getenv)
	if err != nil {
		return nil, err
	}
	store, err := k.store(name, id)
	if err != nil {
		return nil, err
	}
	app := auth.App{Host: c.BaseURL, ClientID: id, ClientSecret: auth.Secret(secret), RedirectURL: c.RedirectURL}
	return &login{app: app, store: store}, nil
}

func (exactOnline) connect(ctx context.Context, k *call, l *login) (*http.Client, error) {
	transport, err := auth.New(l.options(k))
	if err != nil {
		return nil, err
	}
	return transport.Client(), transport.Fresh(ctx)
}

// leave leaves it to the server to let the login lapse.
func (exactOnline) leave(context.Context, *call, *login) error { return nil }

func (exactOnline) stays() error { return nil }

func (exactOnline) open(k *call, name string, l *login, o opening) (source, error) {
	c, at := k.cfg.Connections[name], exactonline.Config{
		Client: o.client, Division: o.at, Clock: k.clock, Log: k.log, Permanent: isLogin, Dropped: dropped(k.log),
		Ledger: l.ledger(k), MaxCalls: o.maxCalls, LoggedIn: o.loggedIn, AskAgain: o.once,
	}
	at.BaseURL, at.Language, at.Zone, at.Reserve = c.BaseURL, c.Language, c.ServerTimezone.Location, reserve(c.Reserve)
	if o.once {
		at.Attempts = 1
	}
	return exactonline.New(at)
}

func dropped(log *slog.Logger) func(exactonline.Dropped) {
	return func(d exactonline.Dropped) {
		log.Warn("Exact does not know a column any more; it stays NULL", "stream", d.Stream, "variant", d.Variant, "column", d.Column)
	}
}
