package load

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/duckdb/duckdb-go/v2"

	"exactduck/schema"
)

// TypeChange is a column whose type differs from what the table holds. The types of columns never
// change by themselves: the rows before would have to be read again.
type TypeChange struct{ Table, Column, Have, Want string }

func (t *TypeChange) Error() string {
	return fmt.Sprintf("%s: column %s is %s in the warehouse and %s at the source", t.Table, t.Column, t.Have, t.Want)
}

// change is one row of _exactduck.schema_changes.
type change struct{ column, what, detail string }

// ours are the names that a column of a source must not have.
var ours = []string{syncedAt, runID, deletedAt, extra, partColumn, ordinalColumn, outColumn, "rowid"}

// checkNames refuses columns that DuckDB could not tell apart: it ignores case.
func checkNames(t *schema.Table) error {
	seen := map[string]string{strings.ToLower(t.Scope.Name): t.Scope.Name}
	for _, name := range ours {
		seen[name] = name
	}
	for _, c := range t.Columns {
		low := strings.ToLower(c.Name)
		if other, ok := seen[low]; ok {
			return fmt.Errorf("%s: columns %s and %s have the same name to DuckDB, which ignores case", t.FullName(), other, c.Name)
		}
		seen[low] = c.Name
	}
	return nil
}

// evolve gives the table of the database all columns of t, and makes it when there is none. It
// returns the source's columns as they are stored then. DuckDB refuses changes of shape after
// changes of rows in one transaction, so this comes first.
func (a *application) evolve(ctx context.Context, t *schema.Table) ([]field, error) {
	if err := checkNames(t); err != nil {
		return nil, err
	}
	service := a.service(t)
	stored, err := storedColumns(ctx, a.c, service, t.Name)
	if err != nil {
		return nil, err
	}
	if stored == nil {
		return a.create(ctx, service, t)
	}
	if have, ok := find(stored, t.Scope.Name); !ok || have.kind != t.Scope.Type.String() {
		return nil, &TypeChange{Table: service + "." + t.Name, Column: t.Scope.Name, Have: have.kind, Want: t.Scope.Type.String()}
	}
	for _, c := range t.Columns {
		have, ok := find(stored, c.Name)
		if ok && have.kind != c.Type.String() {
			return nil, &TypeChange{Table: service + "." + t.Name, Column: c.Name, Have: have.kind, Want: c.Type.String()}
		}
		if !ok {
			if _, err := a.exec(ctx, "add column", addColumn(service, t.Name, c)); err != nil {
				return nil, err
			}
			a.changes = append(a.changes, change{c.Name, "column added", c.Type.String()})
			stored = append(stored, field{c.Name, c.Type.String()})
		}
	}
	return slices.DeleteFunc(stored, func(f field) bool { return isOurs(f.name, t.Scope.Name) }), nil
}

func (a *application) create(ctx context.Context, service string, t *schema.Table) ([]field, error) {
	if _, err := a.exec(ctx, "create schema", "CREATE SCHEMA IF NOT EXISTS "+identifier(service)); err != nil {
		return nil, err
	}
	if _, err := a.exec(ctx, "create table", createTable(service, t)); err != nil {
		return nil, err
	}
	a.changes = append(a.changes, change{"", "table created", fmt.Sprintf("%d columns", len(t.Columns))})
	var stored []field
	for _, c := range t.Columns {
		stored = append(stored, field{c.Name, c.Type.String()})
	}
	return stored, nil
}

func find(fields []field, name string) (field, bool) {
	i := slices.IndexFunc(fields, func(f field) bool { return strings.EqualFold(f.name, name) })
	if i < 0 {
		return field{kind: "missing"}, false
	}
	return fields[i], true
}

func isOurs(name, scope string) bool {
	return strings.EqualFold(name, scope) || slices.Contains(ours, strings.ToLower(name))
}

// storedColumns lists the columns of a table; nil when there is no such table.
func storedColumns(ctx context.Context, q querier, service, table string) ([]field, error) {
	// duckdb_columns() lists those of all tables each time.
	rows, err := q.QueryContext(ctx, "SELECT name, replace(type, 'TIMESTAMP WITH TIME ZONE', 'TIMESTAMPTZ') FROM pragma_table_info("+
		literal(identifier(service)+"."+identifier(table))+") ORDER BY cid")
	if e, ok := errors.AsType[*duckdb.Error](err); ok && e.Type == duckdb.ErrorTypeCatalog {
		return nil, nil // there is no such table
	}
	if err != nil {
		return nil, fmt.Errorf("list columns of %s.%s: %w", service, table, err)
	}
	defer rows.Close()
	var fields []field
	for rows.Next() {
		var f field
		if err := rows.Scan(&f.name, &f.kind); err != nil {
			return nil, fmt.Errorf("list columns of %s.%s: %w", service, table, err)
		}
		fields = append(fields, f)
	}
	return fields, rows.Err()
}

// describe keeps _exactduck.tables true: it is how tombstones and the lake find a table's key.
func (a *application) describe(ctx context.Context, t *schema.Table, f Follow) error {
	key := make([]string, len(t.Key))
	for i, k := range t.Key {
		key[i] = literal(k)
	}
	header := ""
	if f.HeaderTable != "" {
		header = a.prefix + f.HeaderTable
	}
	row := fmt.Sprintf("(%s, %s, %s, [%s]::VARCHAR[], nullif(%s, ''), nullif(%d, 0), nullif(%s, ''), nullif(%s, ''), nullif(%d, 0), %t)",
		literal(a.service(t)), literal(t.Name), literal(t.Scope.Name), strings.Join(key, ", "), literal(t.Version), t.Entity,
		literal(header), literal(f.HeaderKey), f.Entity, f.HeaderKey != "")
	const columns = "service, name, scope_column, key, version, entity, header, header_key, header_entity, follow"
	var same bool
	err := a.c.QueryRowContext(ctx, "SELECT count(*) > 0 FROM (SELECT "+columns+" FROM _exactduck.tables) t, (VALUES "+row+") n ("+columns+
		") WHERE t IS NOT DISTINCT FROM n").Scan(&same)
	if err != nil || same {
		return wrap("look up table", err)
	}
	if _, err := a.exec(ctx, "describe table", "DELETE FROM _exactduck.tables WHERE service = ? AND name = ?", a.service(t), t.Name); err != nil {
		return err
	}
	_, err = a.exec(ctx, "describe table", "INSERT INTO _exactduck.tables ("+columns+") VALUES "+row)
	return err
}

// recordChanges writes down what has changed in the shape of the table, and what was seen for
// the first time without having a place in it.
func (a *application) recordChanges(ctx context.Context, table string) error {
	for kind, names := range a.seen {
		for name := range names {
			a.changes = append(a.changes, change{name, kind, ""})
		}
	}
	slices.SortFunc(a.changes, func(x, y change) int { return strings.Compare(x.what+x.column, y.what+y.column) })
	shape := false
	for _, ch := range a.changes {
		known := " WHERE NOT EXISTS (FROM _exactduck.schema_changes s WHERE s.table_name = n.table_name AND s.column_name = n.column_name AND s.change = n.change)"
		if ch.what == "column added" || ch.what == "column retyped" || ch.what == "table created" {
			known, shape = "", true
		}
		added, err := a.exec(ctx, "record change of shape", `INSERT INTO _exactduck.schema_changes (changed_at, run_id, table_name, column_name, change, detail)
			SELECT * FROM (VALUES (?::TIMESTAMPTZ, ?, ?, nullif(?, ''), ?, nullif(?, ''))) n (moment, run_id, table_name, column_name, change, detail)`+known,
			a.now.Format(time.RFC3339Nano), a.batch.Run, table, ch.column, ch.what, ch.detail)
		if err != nil {
			return err
		}
		if added > 0 {
			a.news = append(a.news, Change{a.now, a.batch.Run, table, ch.column, ch.what, ch.detail})
		}
	}
	if shape {
		return touch(ctx, a.c, table)
	}
	return nil
}

func wrap(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", doing, err)
}
