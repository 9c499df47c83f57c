package load

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Drift is what is known of the shapes of stored tables, without asking the source.
type Drift struct {
	// Columns are the source's own columns of each table, with their types as DuckDB names them.
	Columns map[string]map[string]string
	// Beside counts the rows that hold a member of a name in _extra, by table and name.
	Beside map[string]map[string]int64
	// Discoveries are what was learnt of variants, Agreements the contracts of streams.
	Discoveries map[string]Discovery
	Agreements  map[string]Agreement
	Changes     []Change // the oldest first
	Cursors     []Cursor
}

// Drift looks at the named tables, which it names without the prefix, as they are now; those that are
// not there are left out.
func (w *Warehouse) Drift(ctx context.Context, tables ...string) (Drift, error) {
	return drift(ctx, w.db, w.prefix, tables)
}

// Drift looks at them as they were published.
func (r *Reader) Drift(ctx context.Context, prefix string, tables ...string) (Drift, error) {
	return drift(ctx, r.db, prefix, tables)
}

func drift(ctx context.Context, db *sql.DB, prefix string, tables []string) (d Drift, err error) {
	if d.Columns, err = columnsOf(ctx, db, prefix); err != nil {
		return d, err
	}
	d.Beside = map[string]map[string]int64{}
	for _, table := range tables {
		if d.Columns[table] == nil {
			continue
		}
		if d.Beside[table], err = beside(ctx, db, prefix+table); err != nil {
			return d, err
		}
	}
	if d.Changes, err = changes(ctx, db, prefix, time.Time{}); err != nil {
		return d, err
	}
	if d.Cursors, err = cursors(ctx, db, "prefix = ?", prefix); err != nil {
		return d, err
	}
	format, err := formatOf(ctx, db)
	if err != nil {
		return d, err
	}
	if format >= 2 { // else it was published by an earlier version
		if d.Discoveries, err = discoveries(ctx, db, "prefix = ?", prefix); err != nil {
			return d, err
		}
	}
	if format >= 4 {
		d.Agreements, err = agreements(ctx, db, prefix)
	}
	return d, err
}

// columnsOf are the source's columns of all tables, by name without the prefix.
func columnsOf(ctx context.Context, q querier, prefix string) (map[string]map[string]string, error) {
	rows, err := q.QueryContext(ctx, `SELECT t.service || '.' || t.name, t.scope_column, c.column_name, replace(c.data_type, 'TIMESTAMP WITH TIME ZONE', 'TIMESTAMPTZ')
		FROM _exactduck.tables t JOIN duckdb_columns() c ON c.schema_name = t.service AND c.table_name = t.name
		WHERE c.database_name = current_database() AND starts_with(t.service, ?)`, prefix)
	if err != nil {
		return nil, fmt.Errorf("list columns: %w", err)
	}
	defer rows.Close()
	all := map[string]map[string]string{}
	for rows.Next() {
		var table, scope, column, kind string
		if err := rows.Scan(&table, &scope, &column, &kind); err != nil {
			return nil, fmt.Errorf("list columns: %w", err)
		}
		table = strings.TrimPrefix(table, prefix)
		if all[table] == nil {
			all[table] = map[string]string{}
		}
		if !isOurs(column, scope) {
			all[table][column] = kind
		}
	}
	return all, rows.Err()
}

// beside counts the members of _extra.
func beside(ctx context.Context, q querier, table string) (map[string]int64, error) {
	service, name, _ := strings.Cut(table, ".")
	rows, err := q.QueryContext(ctx, fmt.Sprintf("SELECT k, count(*) FROM (SELECT unnest(json_keys(%s)) AS k FROM %s.%s WHERE %[1]s IS NOT NULL) GROUP BY k",
		extra, identifier(service), identifier(name)))
	if err != nil {
		return nil, fmt.Errorf("count what is beside the columns of %s: %w", table, err)
	}
	defer rows.Close()
	found := map[string]int64{}
	for rows.Next() {
		var key string
		var n int64
		if err := rows.Scan(&key, &n); err != nil {
			return nil, fmt.Errorf("count what is beside the columns of %s: %w", table, err)
		}
		found[key] = n
	}
	return found, rows.Err()
}

// Changes returns the changes of shapes since a moment, the oldest first, with tables named without
// the prefix.
func (w *Warehouse) Changes(ctx context.Context, since time.Time) ([]Change, error) {
	return changes(ctx, w.db, w.prefix, since)
}

// Changes is what [Warehouse.Changes] is, as of the last publication.
func (r *Reader) Changes(ctx context.Context, prefix string, since time.Time) ([]Change, error) {
	return changes(ctx, r.db, prefix, since)
}

func changes(ctx context.Context, q querier, prefix string, since time.Time) ([]Change, error) {
	rows, err := q.QueryContext(ctx, `SELECT changed_at, coalesce(run_id, ''), table_name, coalesce(column_name, ''), change, coalesce(detail, '')
		FROM _exactduck.schema_changes WHERE changed_at >= ? AND starts_with(table_name, ?) ORDER BY ALL`, since.UTC(), prefix)
	if err != nil {
		return nil, fmt.Errorf("read changes of shape: %w", err)
	}
	defer rows.Close()
	var all []Change
	for rows.Next() {
		var n Change
		if err := rows.Scan(&n.At, &n.Run, &n.Table, &n.Column, &n.Kind, &n.Detail); err != nil {
			return nil, fmt.Errorf("read changes of shape: %w", err)
		}
		n.At, n.Table = n.At.UTC(), strings.TrimPrefix(n.Table, prefix)
		all = append(all, n)
	}
	return all, rows.Err()
}

// News notes the changes of shape that nobody has noted before, with tables named without the prefix,
// and returns them. Without any it writes nothing.
func (w *Warehouse) News(ctx context.Context, run string, noted []Change) ([]Change, error) {
	if len(noted) == 0 {
		return nil, nil
	}
	known, err := w.Changes(ctx, time.Time{})
	if err != nil {
		return nil, err
	}
	news := slices.DeleteFunc(slices.Clone(noted), func(n Change) bool {
		return slices.ContainsFunc(known, func(k Change) bool { return k.Table == n.Table && k.Column == n.Column && k.Kind == n.Kind })
	})
	if len(news) == 0 {
		return nil, nil
	}
	named := slices.Clone(news)
	for i := range named {
		named[i].Table = w.prefix + named[i].Table
	}
	err = w.inTx(ctx, func(ctx context.Context, c *sql.Conn) error { return recordChanges(ctx, c, run, named) })
	return news, wrap("note changes of shape", err)
}
