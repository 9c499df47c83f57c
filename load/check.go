package load

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"exactduck/schema"
)

// Check is what a look at the rows of a stream in a scope has found, see [Warehouse.RecordChecks].
type Check struct {
	Run    string       `json:"run_id"`
	At     time.Time    `json:"checked_at"`
	Stream string       `json:"stream"`
	Scope  schema.Scope `json:"scope"`
	Table  string       `json:"table"` // as in the database: crm.Accounts
	Kind   string       `json:"kind"`  // what was looked at
	Result string       `json:"result"`
	// Here and There are how many rows, or other things that the kind speaks of, there are in the
	// warehouse and at the source; nil: nobody counted.
	Here   *int64 `json:"here,omitempty"`
	There  *int64 `json:"there,omitempty"`
	Detail string `json:"detail,omitempty"`
	// Advice is what to type next.
	Advice string `json:"advice,omitempty"`
}

// Checked is what a verification has looked at and what it has found.
type Checked struct {
	Scopes map[schema.Scope]bool
	// Streams and Kinds say what the findings take the place of: what was found before of these kinds
	// in these streams and Scopes.
	Streams, Kinds []string
	Found          []Check
}

const checkColumns = "prefix, stream, scope, table_name, kind, result, rows_here, rows_there, detail, advice, run_id, checked_at"

// RecordChecks keeps the newest result of each check, in the place of those before. Readers are to see
// what it says: it counts as a change when it says something else than before, at whatever time.
func (w *Warehouse) RecordChecks(ctx context.Context, k Checked) error {
	err := w.inTx(ctx, func(ctx context.Context, c *sql.Conn) error {
		before, err := checks(ctx, c, w.prefix)
		if err != nil {
			return err
		}
		before = slices.DeleteFunc(before, func(n Check) bool { return !k.replaces(n) })
		if err := w.replaceChecks(ctx, c, k); err != nil {
			return err
		}
		if sameChecks(before, k.Found) {
			return nil
		}
		_, err = nextGeneration(ctx, c)
		return err
	})
	return wrap("record checks", err)
}

func (k Checked) replaces(c Check) bool {
	return k.Scopes[c.Scope] && slices.Contains(k.Streams, c.Stream) && slices.Contains(k.Kinds, c.Kind)
}

func (w *Warehouse) replaceChecks(ctx context.Context, c *sql.Conn, k Checked) error {
	scopes := make([]string, 0, len(k.Scopes))
	for s := range k.Scopes {
		scopes = append(scopes, string(s))
	}
	_, err := c.ExecContext(ctx, `DELETE FROM _exactduck.checks WHERE prefix = ? AND list_contains(?::VARCHAR[], scope)
		AND list_contains(?::VARCHAR[], stream) AND list_contains(?::VARCHAR[], kind)`, w.prefix, scopes, orNone(k.Streams), orNone(k.Kinds))
	if err != nil {
		return err
	}
	rows := make([][]any, len(k.Found))
	for i, n := range k.Found {
		rows[i] = []any{
			w.prefix, n.Stream, string(n.Scope), n.Table, n.Kind, n.Result, counted(n.Here), counted(n.There), n.Detail, n.Advice,
			n.Run, n.At.UTC(),
		}
	}
	return insertRows(ctx, c, "_exactduck.checks", checkColumns, rows)
}

// orNone is a list that is never NULL.
func orNone(list []string) []string { return append([]string{}, list...) }

func counted(n *int64) any {
	if n == nil {
		return nil
	}
	return *n
}

// sameChecks tells whether two sets of findings say the same, apart from when and by which run.
func sameChecks(a, b []Check) bool {
	words := func(all []Check) []string {
		list := make([]string, len(all))
		for i, n := range all {
			list[i] = fmt.Sprintf("%q", []any{n.Stream, n.Scope, n.Kind, n.Result, n.Detail, n.Advice, counted(n.Here), counted(n.There)})
		}
		slices.Sort(list)
		return list
	}
	return slices.Equal(words(a), words(b))
}

// Checks returns the newest result of each check of this connection, by stream, scope and kind.
func (w *Warehouse) Checks(ctx context.Context) ([]Check, error) { return checks(ctx, w.db, w.prefix) }

// Checks is what [Warehouse.Checks] is, as of the last publication.
func (r *Reader) Checks(ctx context.Context, prefix string) ([]Check, error) {
	format, err := formatOf(ctx, r.db)
	if err != nil || format < 3 { // published by an earlier version
		return nil, wrap("read checks", err)
	}
	return checks(ctx, r.db, prefix)
}

func checks(ctx context.Context, q querier, prefix string) ([]Check, error) {
	rows, err := q.QueryContext(ctx, "SELECT stream, scope, table_name, kind, result, rows_here, rows_there, detail, advice, run_id, checked_at"+
		" FROM _exactduck.checks WHERE prefix = ? ORDER BY stream, scope, kind", prefix)
	if err != nil {
		return nil, fmt.Errorf("read checks: %w", err)
	}
	defer rows.Close()
	var all []Check
	for rows.Next() {
		var c Check
		var here, there sql.NullInt64
		if err := rows.Scan(&c.Stream, &c.Scope, &c.Table, &c.Kind, &c.Result, &here, &there, &c.Detail, &c.Advice, &c.Run, &c.At); err != nil {
			return nil, fmt.Errorf("read checks: %w", err)
		}
		c.Here, c.There = orNil(here), orNil(there)
		all = append(all, c)
	}
	return all, rows.Err()
}

func orNil(n sql.NullInt64) *int64 {
	if !n.Valid {
		return nil
	}
	return &n.Int64
}

// SomeDate is the value of a column of dates in some row of a stream in a scope, by chance; false: there
// is none.
func (w *Warehouse) SomeDate(ctx context.Context, t *schema.Table, column string, scope schema.Scope) (time.Time, bool, error) {
	i := &inspection{w: w}
	stored, err := storedColumns(ctx, w.db, w.prefix+t.Service, t.Name)
	if f, _ := find(stored, column); err != nil || f.kind != schema.Timestamp.String() && f.kind != schema.TimestampTZ.String() {
		return time.Time{}, false, wrap("choose a date", err)
	}
	var at sql.NullTime
	err = w.db.QueryRowContext(ctx, fmt.Sprintf("SELECT max(%s) FROM (SELECT %[1]s FROM %s WHERE %s::VARCHAR = ? USING SAMPLE reservoir(1 ROWS))",
		identifier(column), i.name(t), identifier(t.Scope.Name)), string(scope)).Scan(&at)
	return at.Time, at.Valid, wrap("choose a date", err)
}

// Count counts the rows that are stored of the stream and scope of each cursor, without those that are
// marked as deleted.
func (w *Warehouse) Count(ctx context.Context, all []Cursor) ([]int64, error) {
	return countRows(ctx, w.db, all)
}
