package load

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/duckdb/duckdb-go/v2"

	"exactduck/schema"
)

// Forgetting says what is to be erased: a whole scope, or with a Stream one row and its lines.
type Forgetting struct {
	Scope  schema.Scope // with a Stream: where the row is; "" is wherever it is
	Stream string
	Table  *schema.Table // of the stream
	Key    []string      // the values of the table's key, as DuckDB writes them
	Lines  []Lines
	// Hash names a row so that reads can keep it out; the key itself is kept nowhere.
	Hash func(stream string, key ...string) string
}

// Lines is a stream of lines that go with a row.
type Lines struct {
	Stream, HeaderKey string
	Table             *schema.Table
}

// Forgotten says what was erased, by table.
type Forgotten struct {
	Rows   int64            `json:"rows"`
	Tables map[string]int64 `json:"tables"`
	// Untold are tables of rows that may go with it and stay: the column that would tell is not stored.
	Untold []string `json:"untold,omitempty"`
}

// Mark is something that was forgotten and is kept out: a scope, when Stream is "", or a row.
type Mark struct {
	Scope  schema.Scope `json:"scope,omitempty"` // "": wherever the row is
	Stream string       `json:"stream,omitempty"`
	Hash   string       `json:"hash,omitempty"`
	At     time.Time    `json:"at"`
}

// Forget erases rows from the tables and all that is noted of them, in one transaction, and notes in the
// same that what files still hold of them has to be purged: see [Warehouse.Purge]. What stays is the
// mark that they are forgotten. Done again it changes nothing but that.
func (w *Warehouse) Forget(ctx context.Context, f Forgetting) (gone Forgotten, err error) {
	gone.Tables = map[string]int64{}
	err = w.inTx(ctx, func(ctx context.Context, c *sql.Conn) error {
		a := &application{Warehouse: w, c: c, now: w.clock().UTC().Truncate(time.Microsecond)}
		o := oblivion{application: a, gone: &gone}
		forget := o.scope
		if f.Stream != "" {
			forget = o.row
		}
		if err := forget(ctx, f); err != nil {
			return err
		}
		if _, err := nextGeneration(ctx, c); err != nil {
			return err
		}
		return setMeta(ctx, c, purgeDue, "1")
	})
	if err != nil {
		return Forgotten{}, fmt.Errorf("forget: %w", err)
	}
	for _, n := range gone.Tables {
		gone.Rows += n
	}
	return gone, nil
}

// oblivion is one call of Forget inside its transaction.
type oblivion struct {
	*application
	gone *Forgotten
}

// scope erases all that is of one scope of the connection.
func (o oblivion) scope(ctx context.Context, f Forgetting) error {
	tables := map[string]string{} // the column of the scope
	err := o.each(ctx, "list tables", `SELECT service || '.' || name, scope_column FROM _exactduck.tables
		WHERE service || '.' || name IN (SELECT table_name FROM _exactduck.cursors WHERE prefix = ?)`, []any{o.prefix}, func(rows *sql.Rows) error {
		var table, column string
		err := rows.Scan(&table, &column)
		tables[table] = column
		return err
	})
	if err != nil {
		return err
	}
	if stored, err := storedColumns(ctx, o.c, ownSchema, "tombstones"); err != nil {
		return err
	} else if stored != nil {
		tables[tombstones] = stored[0].name
	}
	for table, column := range tables {
		service, name, _ := strings.Cut(table, ".")
		n, err := o.exec(ctx, "erase rows", fmt.Sprintf("DELETE FROM %s.%s WHERE %s::VARCHAR = ?", identifier(service), identifier(name), identifier(column)), string(f.Scope))
		if err != nil {
			return err
		}
		if n > 0 {
			o.gone.Tables[table] += n
		}
		if _, err := o.exec(ctx, "erase part", "DELETE FROM _exactduck.parts WHERE table_name = ? AND scope = ?", table, string(f.Scope)); err != nil {
			return err
		}
	}
	return o.notes(ctx, f.Scope)
}

// notes erases what is noted of a scope, and marks it.
func (o oblivion) notes(ctx context.Context, s schema.Scope) error {
	scope := string(s)
	for _, step := range []struct {
		sql  string
		args []any
	}{
		{"DELETE FROM _exactduck.cursors WHERE prefix = ? AND scope = ?", []any{o.prefix, scope}},
		{"DELETE FROM _exactduck.run_streams WHERE scope = ?", []any{scope}},
		{"DELETE FROM _exactduck.calls WHERE scope = ?", []any{scope}},
		{"DELETE FROM _exactduck.checks WHERE scope = ? AND coalesce(prefix, '') = ?", []any{scope, o.prefix}},
		{"UPDATE _exactduck.runs SET message = '' WHERE contains(message, ?)", []any{scope}},
		{"UPDATE _exactduck.divisions SET name = '' WHERE prefix = ? AND source = ? AND scope = ?", []any{o.prefix, o.source, scope}},
		{"DELETE FROM _exactduck.forgotten WHERE prefix = ? AND scope = ? AND stream = ''", []any{o.prefix, scope}},
		{"INSERT INTO _exactduck.forgotten (prefix, scope, stream, key_hash, forgotten_at) VALUES (?, ?, '', '', ?::TIMESTAMPTZ)", []any{o.prefix, scope, o.now}},
	} {
		if _, err := o.exec(ctx, "erase notes", step.sql, step.args...); err != nil {
			return err
		}
	}
	return nil
}

// row erases a row, its tombstone, and its lines, each of which is marked too: a read of keys alone
// does not show to which header they belong.
func (o oblivion) row(ctx context.Context, f Forgetting) error {
	if len(f.Key) == 0 || len(f.Key) != len(f.Table.Key) {
		return fmt.Errorf("the key of %s is %s", f.Stream, strings.Join(f.Table.Key, ", "))
	}
	if err := o.mark(ctx, f.Scope, f.Stream, f.Hash(f.Stream, f.Key...)); err != nil {
		return err
	}
	// What was found of rows tells their keys.
	_, err := o.exec(ctx, "erase checks", "DELETE FROM _exactduck.checks WHERE coalesce(prefix, '') = ? AND ? IN ('', scope)", o.prefix, string(f.Scope))
	if err != nil {
		return err
	}
	if err := o.rows(ctx, f, f.Stream, f.Table, f.Table.Key, f.Key); err != nil {
		return err
	}
	for _, l := range f.Lines {
		if len(f.Key) == 1 {
			if err := o.rows(ctx, f, l.Stream, l.Table, []string{l.HeaderKey}, f.Key); err != nil {
				return err
			}
		}
	}
	stored, err := storedColumns(ctx, o.c, ownSchema, "tombstones")
	if err != nil || stored == nil || len(f.Key) != 1 {
		return err
	}
	_, err = o.exec(ctx, "erase tombstone", fmt.Sprintf("DELETE FROM %s WHERE %s::VARCHAR = ?", tombstones, identifier(tombstoneKey)), f.Key[0])
	return err
}

// rows erases the rows of a table of which some columns have some values.
func (o oblivion) rows(ctx context.Context, f Forgetting, stream string, t *schema.Table, columns, values []string) error {
	s := shape{service: o.service(t), name: t.Name, scope: t.Scope.Name}
	stored, err := storedColumns(ctx, o.c, s.service, s.name)
	if err != nil || stored == nil {
		return err
	}
	where, args := []string{}, []any{}
	for i, name := range columns {
		if _, ok := find(stored, name); !ok {
			o.gone.Untold = append(o.gone.Untold, s.fullName())
			return nil
		}
		where, args = append(where, identifier(name)+"::VARCHAR = ?"), append(args, values[i])
	}
	if f.Scope != "" {
		where, args = append(where, identifier(s.scope)+"::VARCHAR = ?"), append(args, string(f.Scope))
	}
	condition := " WHERE " + strings.Join(where, " AND ")
	var scopes []schema.Scope
	var keys [][]string
	key := []string{identifier(s.scope) + "::VARCHAR"}
	for _, k := range t.Key {
		key = append(key, "coalesce("+identifier(k)+"::VARCHAR, '')")
	}
	err = o.each(ctx, "find rows", "SELECT ["+strings.Join(key, ", ")+"] FROM "+s.table()+condition, args, func(rows *sql.Rows) error {
		var found duckdb.Composite[[]string]
		err := rows.Scan(&found)
		if err == nil {
			scopes, keys = append(scopes, schema.Scope(found.Get()[0])), append(keys, found.Get()[1:])
		}
		return err
	})
	if err != nil || len(keys) == 0 {
		return err
	}
	for _, k := range keys {
		if stream == f.Stream || len(k) == 0 {
			continue
		}
		if err := o.mark(ctx, f.Scope, stream, f.Hash(stream, k...)); err != nil {
			return err
		}
	}
	n, err := o.exec(ctx, "erase rows", "DELETE FROM "+s.table()+condition, args...)
	if err != nil {
		return err
	}
	o.gone.Tables[s.fullName()] += n
	slices.Sort(scopes)
	scopes = slices.Compact(scopes)
	if err := touch(ctx, o.c, s.fullName(), scopes...); err != nil {
		return err
	}
	return o.recount(ctx, s, scopes)
}

func (o oblivion) mark(ctx context.Context, s schema.Scope, stream, hash string) error {
	_, err := o.exec(ctx, "mark what is forgotten", `INSERT INTO _exactduck.forgotten (prefix, scope, stream, key_hash, forgotten_at)
		SELECT ?, ?, ?, ?, ?::TIMESTAMPTZ
		WHERE NOT EXISTS (FROM _exactduck.forgotten WHERE prefix = ? AND stream = ? AND key_hash = ? AND scope IN ('', ?))`,
		o.prefix, string(s), stream, hash, o.now, o.prefix, stream, hash, string(s))
	return err
}

// Remember lets a scope that was forgotten be read again, and tells whether it was.
func (w *Warehouse) Remember(ctx context.Context, s schema.Scope) (was bool, err error) {
	err = w.inTx(ctx, func(ctx context.Context, c *sql.Conn) error {
		r, err := c.ExecContext(ctx, "DELETE FROM _exactduck.forgotten WHERE prefix = ? AND scope = ? AND stream = ''", w.prefix, string(s))
		if err != nil {
			return err
		}
		n, err := r.RowsAffected()
		was = n > 0
		return err
	})
	if err != nil {
		return false, fmt.Errorf("remember %s: %w", s, err)
	}
	return was, nil
}

// Marks are what was forgotten of this connection.
func (w *Warehouse) Marks(ctx context.Context) ([]Mark, error) { return marks(ctx, w.db, w.prefix) }

func marks(ctx context.Context, q querier, prefix string) ([]Mark, error) {
	rows, err := q.QueryContext(ctx, "SELECT scope, stream, key_hash, forgotten_at FROM _exactduck.forgotten WHERE prefix = ? ORDER BY ALL", prefix)
	if err != nil {
		return nil, fmt.Errorf("read what was forgotten: %w", err)
	}
	defer rows.Close()
	var all []Mark
	for rows.Next() {
		var m Mark
		if err := rows.Scan(&m.Scope, &m.Stream, &m.Hash, &m.At); err != nil {
			return nil, fmt.Errorf("read what was forgotten: %w", err)
		}
		m.At = m.At.UTC()
		all = append(all, m)
	}
	return all, rows.Err()
}
