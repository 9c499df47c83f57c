package analytics

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Querier is a *sql.DB or a *sql.Conn on which the warehouse is the current database.
type Querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// stored is every table and view of the warehouse by its name in lower case, prefix included.
type stored map[string]*table

type table struct {
	schema, name string
	view         bool
	comment      string
	columns      map[string]*field // by name in lower case
	// Of tables that a stream fills: the prefix of its connection, its endpoints, and the table's key.
	prefix    string
	endpoints []string
	key       []string
	asked     []inquiry
}

// inquiry is what the configuration says of the columns of a stream, as its cursors keep it. A column
// that was left out or masked later is still there, and says nothing.
type inquiry struct {
	Columns []string          `json:"columns"` // the only ones beside the key; none: all
	Without []string          `json:"without"`
	Mask    map[string]string `json:"mask"`
}

func (i inquiry) hides(name string) bool {
	is := func(other string) bool { return strings.EqualFold(name, other) }
	for masked := range i.Mask {
		if is(masked) {
			return true
		}
	}
	return slices.ContainsFunc(i.Without, is) || len(i.Columns) > 0 && !slices.ContainsFunc(i.Columns, is)
}

// holds says whether a column is there and has the values of the source, for one division at least.
func (t *table) holds(name string) bool {
	if t.columns[strings.ToLower(name)] == nil {
		return false
	}
	if slices.ContainsFunc(t.key, func(k string) bool { return strings.EqualFold(k, name) }) {
		return true
	}
	return len(t.asked) == 0 || slices.ContainsFunc(t.asked, func(i inquiry) bool { return !i.hides(name) })
}

type field struct{ name, kind, comment string }

// each calls f for every row of an answer.
func each(ctx context.Context, q Querier, query string, f func(*sql.Rows) error, args ...any) error {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// read finds out what is stored.
func read(ctx context.Context, q Querier) (stored, error) {
	have := stored{}
	steps := []func(context.Context, Querier) error{have.readTables, have.readColumns, have.readKeys, have.readEndpoints}
	for _, step := range steps {
		if err := step(ctx, q); err != nil {
			return nil, fmt.Errorf("look at the tables of the warehouse: %w", err)
		}
	}
	return have, nil
}

func (s stored) readTables(ctx context.Context, q Querier) error {
	return each(ctx, q, `SELECT schema_name, table_name, false, coalesce(comment, '') FROM duckdb_tables()
			WHERE database_name = current_database() AND NOT internal
		UNION ALL
		SELECT schema_name, view_name, true, coalesce(comment, '') FROM duckdb_views()
			WHERE database_name = current_database() AND NOT internal`, func(rows *sql.Rows) error {
		t := &table{columns: map[string]*field{}}
		err := rows.Scan(&t.schema, &t.name, &t.view, &t.comment)
		s[strings.ToLower(t.schema+"."+t.name)] = t
		return err
	})
}

func (s stored) readColumns(ctx context.Context, q Querier) error {
	return each(ctx, q, `SELECT schema_name || '.' || table_name, column_name, data_type, coalesce(comment, '') FROM duckdb_columns()
		WHERE database_name = current_database() AND NOT internal`, func(rows *sql.Rows) error {
		var name string
		var f field
		if err := rows.Scan(&name, &f.name, &f.kind, &f.comment); err != nil {
			return err
		}
		if t := s[strings.ToLower(name)]; t != nil {
			t.columns[strings.ToLower(f.name)] = &f
		}
		return nil
	})
}

func (s stored) readKeys(ctx context.Context, q Querier) error {
	return each(ctx, q, `SELECT service || '.' || name, unnest(key) FROM _exactduck.tables`, func(rows *sql.Rows) error {
		var name, key string
		err := rows.Scan(&name, &key)
		if t := s[strings.ToLower(name)]; t != nil {
			t.key = append(t.key, key)
		}
		return err
	})
}

func (s stored) readEndpoints(ctx context.Context, q Querier) error {
	// The variant that read everything: the one that reads what changed may take turns with it.
	return each(ctx, q, `SELECT DISTINCT prefix, table_name, coalesce(TRY_CAST(fingerprint AS JSON) ->> '$.variant', variant), fingerprint
		FROM _exactduck.cursors ORDER BY ALL`, func(rows *sql.Rows) error {
		var prefix, name, variant, fingerprint string
		err := rows.Scan(&prefix, &name, &variant, &fingerprint)
		t := s[strings.ToLower(name)]
		if t == nil || err != nil {
			return err
		}
		if !slices.Contains(t.endpoints, variant) {
			t.prefix, t.endpoints = prefix, append(t.endpoints, variant)
		}
		var asked inquiry
		if json.Unmarshal([]byte(fingerprint), &asked) != nil {
			asked = inquiry{} // of another kind of source: it hides nothing
		}
		t.asked = append(t.asked, asked)
		return nil
	})
}
