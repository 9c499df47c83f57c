package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"

	"exactduck/auth"
	"exactduck/cmd/exactduck/config"
	"exactduck/extract"
	"exactduck/extract/exactonline"
	"exactduck/schema"
)

// exactOnline is the vendor of accounting.
type exactOnline struct{}

func (exactOnline) catalogue() config.Catalogue {
	return config.Catalogue{
		Lookup: exactonline.Lookup, Match: exactonline.Match, Streams: exactonline.Streams,
		Call: callFunction, Define: defineStream, CheckFilter: checkFilter, TypeNamed: exactonline.TypeNamed,
	}
}

func (exactOnline) deletions() *extract.Stream { return exactonline.Deletions() }

func (exactOnline) places() (list, stranger string) { return "system/Divisions", "system/Me" }

func (exactOnline) describe(p schema.Position) string { return exactonline.Describe(p) }

func (exactOnline) asksFilter(v *extract.Variant, filter string) bool {
	return exactonline.FilterWhere(v, filter)
}

func (exactOnline) convert(v *schema.Vector, value []byte) (added, exact bool) {
	return exactonline.Convert(v, value)
}

func (exactOnline) explain(err error) (means, do string, known bool) {
	e, known := exactonline.Explain(err)
	return e.Means, e.Do, known
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

func (exactOnline) documented(v *extract.Variant) documentation {
	e := exactonline.EndpointOf(v)
	d := documentation{
		Path: e.Path, Methods: e.Methods, Permission: e.OAuthScope, Filterable: e.Filterable, Selective: e.SelectRequired,
		Parameters: []parameterFacts{},
	}
	for _, p := range e.Parameters {
		d.Parameters = append(d.Parameters, parameterFacts{p.Name, p.Edm, p.Mandatory})
	}
	for _, p := range e.Properties {
		if p.Guessed {
			d.Guessed = append(d.Guessed, p.Name)
		}
	}
	return d
}

func (exactOnline) dial(ctx context.Context, k *call, name string, division schema.Scope) (source, error) {
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
	return source, nil
}

func dropped(log *slog.Logger) func(exactonline.Dropped) {
	return func(d exactonline.Dropped) {
		log.Warn("Exact does not know a column any more; it stays NULL", "stream", d.Stream, "variant", d.Variant, "column", d.Column)
	}
}
