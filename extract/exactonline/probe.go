package exactonline

import (
	"context"
	"fmt"
	"slices"

	"exactduck/extract"
	"exactduck/schema"
)

// Probe asks for the key of one record in a scope, to find out whether the login may read there. It
// makes one request, in the form in which a read would make it, and returns how many records came:
// 0 or 1. None may also mean that the rights are missing.
func (s *Source) Probe(ctx context.Context, scope schema.Scope, v *extract.Variant) (int, error) {
	e := EndpointOf(v)
	if e == nil {
		return 0, fmt.Errorf("probe: %q is not in the catalogue", v.Name)
	}
	table := v.Table.Select(func(name string) bool { return slices.Contains(v.Table.Key, name) })
	if len(table.Columns) == 0 {
		table = v.Table.Select(func(name string) bool { return name == v.Table.Columns[0].Name })
	}
	link, pays, err := s.link(ctx, e, scope, probing(v, table))
	if err != nil {
		return 0, err
	}
	answer, err := s.caller.Get(ctx, pays, v.Name, link)
	if err != nil {
		return 0, err
	}
	page, _, err := newDecoder(table, scope).decode(answer.Body)
	if err != nil {
		return 0, &extract.Malformed{Endpoint: v.Name, Scope: scope, Err: err}
	}
	return page.Rows, nil
}

// probing is the query. It has a filter that all records pass where the endpoint takes one, so that
// an endpoint which insists on one answers.
func probing(v *extract.Variant, t *schema.Table) string {
	names := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		names[i] = c.Name
	}
	condition := ""
	switch e := EndpointOf(v); {
	case v.Cursor == extract.Versioned:
		condition = "Timestamp gt 0L"
	case v.Cursor == extract.Modified && cursorOf(e) == extract.Modified: // a bulk read may only end in one
		condition = v.Dated + " ge " + longAgo
	}
	return queryOf(v, "$top=1", selecting(names), filtering(condition))
}
