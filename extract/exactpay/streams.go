package exactpay

import (
	"exactduck/extract"
	"exactduck/schema"
)

// Service is the schema of all tables, and what names of streams begin with.
const Service = "exactpay"

// connection is the scope of what belongs to the connection.
const connection schema.Scope = "0"

// pageSize is what the vendor documents as the most that one answer holds.
const pageSize = 100

// Streams are all there are, sorted by name. Nobody changes them.
func Streams() []*extract.Stream { return loaded().streams }

func (e *Endpoint) stream() *extract.Stream {
	t := &schema.Table{
		Service: Service, Name: e.Name, Key: e.Key,
		Scope: schema.Column{Name: "_account", Type: schema.Varchar},
	}
	for _, c := range e.Columns {
		t.Columns = append(t.Columns, schema.Column{Name: c.Name, Type: c.Type, Source: c.Kind})
	}
	v := &extract.Variant{
		Name: Service + "/" + e.Name, Kind: "list", Table: t, PageSize: pageSize, Dated: e.Cursor, Origin: e,
		Countable: e.Total == "header", Lookback: e.Lookback, Windowed: e.Span > 0,
	}
	if v.Windowed {
		v.Span, v.Earliest = e.Span, earliest
	}
	if e.Each != "" {
		v.Each = Service + "/" + e.Each
	}
	if e.Cursor != "" || v.Windowed {
		v.Cursor, v.Reconciled = extract.Modified, true
	}
	return &extract.Stream{
		Name: v.Name, Shared: e.Shared, Quiet: e.Quiet != "", Personal: e.Personal, Variants: []*extract.Variant{v},
	}
}
