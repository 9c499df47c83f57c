package exactpay

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"exactduck/extract"
	"exactduck/schema"
)

// accountsList is the list of accounts of an organization.
const accountsList = Service + "/accounts"

// sole is the place of what the token itself stands for.
var sole = extract.Place{Scope: connection, Code: string(connection), Name: "what the token stands for", Active: true}

// Places lists the accounts of the organization, by id, or those of them that were chosen. Chosen
// accounts that the organization does not list, or that it may not be asked for, are there nevertheless,
// without a name. Where neither an organization nor an account is known there is one place, what the
// token itself stands for: its scope is "0", like that of everything else that belongs to the connection.
func (s *Source) Places(ctx context.Context) ([]extract.Place, error) {
	c := s.config
	if c.Organization == "" && len(c.Accounts) == 0 {
		return []extract.Place{sole}, nil
	}
	var places []extract.Place
	if c.Organization != "" {
		var err error
		places, err = s.accounts(ctx)
		if refused, ok := errors.AsType[*extract.Refused](err); ok && refused.Status != http.StatusUnauthorized && len(c.Accounts) > 0 {
			s.log.WarnContext(ctx, "the accounts of the organization cannot be listed, going on without their names", "error", err)
		} else if err != nil {
			return nil, err
		}
	}
	if len(c.Accounts) > 0 {
		places = slices.DeleteFunc(places, func(p extract.Place) bool { return !slices.Contains(c.Accounts, p.Code) })
	}
	for _, a := range c.Accounts {
		if !slices.ContainsFunc(places, func(p extract.Place) bool { return p.Code == a }) {
			places = append(places, extract.Place{Scope: schema.Scope(a), Code: a, Active: true})
		}
	}
	slices.SortFunc(places, func(a, b extract.Place) int { return strings.Compare(a.Code, b.Code) })
	return places, nil
}

// accounts are those of the organization.
func (s *Source) accounts(ctx context.Context) ([]extract.Place, error) {
	list, _, err := Lookup(accountsList)
	if err != nil {
		return nil, err
	}
	v := list.Variants[0]
	places := map[string]extract.Place{}
	for page, err := range s.Pages(ctx, extract.Read{Stream: list.Name, Variant: v, Scope: connection}) {
		if err != nil {
			return nil, err
		}
		text := func(column string, row int) string {
			if c := &page.Columns[v.Table.Index(column)]; c.Valid[row] {
				return strings.TrimSpace(string(c.At(row)))
			}
			return ""
		}
		disabled := &page.Columns[v.Table.Index("isDisabled")]
		for i := range page.Rows {
			id := text("id", i)
			if err := CheckIdentity("account", id); err != nil {
				return nil, &extract.Malformed{Endpoint: v.Name, Scope: connection, Err: err}
			}
			places[id] = extract.Place{
				Scope: schema.Scope(id), Code: id, Name: cmp.Or(text("dbaName", i), text("name", i)),
				Active: !disabled.Valid[i] || disabled.Ints[i] == 0,
			}
		}
	}
	var all []extract.Place
	for _, p := range places {
		all = append(all, p)
	}
	return all, nil
}

// Discover finds nothing, without a call: every answer has all properties, so that each page tells what
// the catalogue lacks.
func (s *Source) Discover(context.Context, schema.Scope, *extract.Variant) ([]string, error) {
	return nil, nil
}
