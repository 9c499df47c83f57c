package exactonline

import (
	"strings"

	"exactduck/schema"
)

// newTable is the table of a stream as one of its endpoints fills it.
func newTable(stream string, e *Endpoint, types map[string]schema.Type, entity int32) *schema.Table {
	service, name := tableName(stream)
	t := &schema.Table{Service: service, Name: name, Scope: scopeColumn, Key: e.Identity, Entity: entity}
	if decided("keyless", stream) != "" {
		t.Key = nil
	}
	if e.Kind == "sync" {
		t.Version = "Timestamp"
	}
	for _, p := range e.Properties {
		if p.column() {
			t.Columns = append(t.Columns, schema.Column{Name: p.Name, Type: types[p.Name], Source: p.Edm})
		}
	}
	return t
}

// tableName is where the rows of a stream live: the service is the schema, what follows the table.
// DuckDB keeps the schema name "system" for itself.
func tableName(stream string) (service, table string) {
	for _, prefix := range []string{"read/", "beta/"} {
		stream = strings.TrimPrefix(stream, prefix)
	}
	service, rest, _ := strings.Cut(stream, "/")
	if service == "system" {
		service = "exact_system"
	}
	return service, strings.ReplaceAll(rest, "/", "_")
}

// columnTypesOf finds one type for each column of a stream. Where its endpoints disagree, the
// cheapest decides, because it is the one that is read.
func columnTypesOf(stream string, endpoints []*Endpoint) map[string]schema.Type {
	types := map[string]schema.Type{}
	for _, e := range endpoints {
		for _, p := range e.Properties {
			if _, known := types[p.Name]; !known && p.column() {
				types[p.Name] = columnType(stream, p)
			}
		}
	}
	return types
}
