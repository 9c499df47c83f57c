package load

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"exactduck/schema"
)

// Cursor says up to where the warehouse holds a stream of a scope, and how it came there.
type Cursor struct {
	Stream string       `json:"stream"` // "crm/Accounts"
	Scope  schema.Scope `json:"scope"`
	// Table is the full name in the database: crm.Accounts.
	Table       string          `json:"table"`
	Variant     string          `json:"variant"`
	Fingerprint string          `json:"fingerprint"`
	Epoch       string          `json:"epoch"`
	Position    schema.Position `json:"position"`
	// Complete says that a first load has ended: the rows are all there.
	Complete bool `json:"complete"`
	// HistoryFrom is the date from which on the rows are there; "" is from the beginning.
	HistoryFrom string `json:"history_from"`
	// ReadAt and SweptAt are when the last read and sweep began; zero: never.
	ReadAt  time.Time `json:"read_at,omitzero"`
	SweptAt time.Time `json:"swept_at,omitzero"`
	// Spool and SweepSpool are the ids of the last spools applied.
	Spool      string `json:"spool"`
	SweepSpool string `json:"sweep_spool"`
	// Rows is how many rows the scope has in the table, without those that are marked as deleted.
	Rows  int64  `json:"rows"`
	RunID string `json:"run_id"` // the run that wrote this cursor
}

const cursorColumns = `stream, scope, table_name, variant, fingerprint, epoch, position, complete,
	history_from, read_at, swept_at, spool, sweep_spool, rows, run_id`

// Cursor returns the cursor of a stream in a scope, and whether there is one.
func (w *Warehouse) Cursor(ctx context.Context, stream string, s schema.Scope) (Cursor, bool, error) {
	found, err := cursors(ctx, w.db, "prefix = ? AND stream = ? AND scope = ?", w.prefix, stream, string(s))
	if err != nil || len(found) == 0 {
		return Cursor{}, false, err
	}
	return found[0], true, nil
}

// Cursors returns all cursors of this connection, by stream and scope.
func (w *Warehouse) Cursors(ctx context.Context) ([]Cursor, error) { return w.CursorsOf(ctx, w.prefix) }

// CursorsOf returns those of the connection whose schemas have a prefix.
func (w *Warehouse) CursorsOf(ctx context.Context, prefix string) ([]Cursor, error) {
	return cursors(ctx, w.db, "prefix = ?", prefix)
}

// Cursors returns the cursors of all connections, as of the last publication.
func (r *Reader) Cursors(ctx context.Context) ([]Cursor, error) { return cursors(ctx, r.db, "true") }

func cursors(ctx context.Context, q querier, where string, args ...any) ([]Cursor, error) {
	rows, err := q.QueryContext(ctx, "SELECT "+cursorColumns+" FROM _exactduck.cursors WHERE "+where+
		" ORDER BY prefix, stream, scope", args...)
	if err != nil {
		return nil, fmt.Errorf("read cursors: %w", err)
	}
	defer rows.Close()
	var all []Cursor
	for rows.Next() {
		c, err := scanCursor(rows)
		if err != nil {
			return nil, fmt.Errorf("read cursors: %w", err)
		}
		all = append(all, c)
	}
	return all, rows.Err()
}

func scanCursor(rows *sql.Rows) (c Cursor, err error) {
	var read, swept sql.NullTime
	err = rows.Scan(&c.Stream, &c.Scope, &c.Table, &c.Variant, &c.Fingerprint, &c.Epoch, &c.Position, &c.Complete,
		&c.HistoryFrom, &read, &swept, &c.Spool, &c.SweepSpool, &c.Rows, &c.RunID)
	c.ReadAt, c.SweptAt = read.Time, swept.Time
	return c, err
}

// putCursors writes cursors in the transaction of c, in the place of those before.
func (w *Warehouse) putCursors(ctx context.Context, c *sql.Conn, all ...Cursor) error {
	var rows [][]any
	for _, n := range all {
		rows = append(rows, []any{
			w.prefix, n.Stream, string(n.Scope), n.Table, n.Variant, n.Fingerprint, n.Epoch, string(n.Position), n.Complete,
			n.HistoryFrom, orNull(n.ReadAt), orNull(n.SweptAt), n.Spool, n.SweepSpool, n.Rows, n.RunID,
		})
	}
	return wrap("write cursors", replaceRows(ctx, c, "_exactduck.cursors", "prefix, "+cursorColumns, 3, rows))
}

// orNull is the time in UTC, and NULL for the zero time.
func orNull(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC()
}
