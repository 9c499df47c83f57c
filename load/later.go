package load

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Ahead is how far a moment that was noted may lie before us until a clock must have been wrong.
const Ahead = 10 * time.Minute

// Rejuvenate makes now of the moments that a clock has left which was ahead: no sweep would be due, and
// none would remove a row, until they have come. It returns the tables whose moments they were; the
// published file and the lake follow. History is left as it was told.
func (w *Warehouse) Rejuvenate(ctx context.Context) (tables []string, err error) {
	now := w.clock().UTC()
	rows, err := w.db.QueryContext(ctx, "SELECT DISTINCT table_name FROM _exactduck.cursors WHERE greatest(read_at, swept_at) > ?::TIMESTAMPTZ ORDER BY 1", now.Add(Ahead))
	if err != nil {
		return nil, wrap("look for moments to come", err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, wrap("look for moments to come", err)
		}
		tables = append(tables, name)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil || len(tables) == 0 {
		return nil, wrap("look for moments to come", err)
	}
	err = w.inTx(ctx, func(ctx context.Context, c *sql.Conn) error { return rejuvenate(ctx, c, tables, now) })
	return tables, wrap("make now of moments to come", err)
}

func rejuvenate(ctx context.Context, c *sql.Conn, tables []string, now time.Time) error {
	for _, table := range tables {
		service, name, _ := strings.Cut(table, ".")
		stored, err := storedColumns(ctx, c, service, name)
		if err != nil {
			return err
		}
		if len(stored) == 0 {
			continue
		}
		_, err = c.ExecContext(ctx, fmt.Sprintf("UPDATE %s.%s SET %s = ?::TIMESTAMPTZ WHERE %[3]s > ?::TIMESTAMPTZ",
			identifier(service), identifier(name), syncedAt), now, now.Add(Ahead))
		if err != nil {
			return err
		}
		if err := touch(ctx, c, table); err != nil {
			return err
		}
	}
	for _, at := range [][2]string{{"cursors", "read_at"}, {"cursors", "swept_at"}, {"discoveries", "looked_at"}} {
		_, err := c.ExecContext(ctx, fmt.Sprintf("UPDATE _exactduck.%s SET %s = ?::TIMESTAMPTZ WHERE %[2]s > ?::TIMESTAMPTZ", at[0], at[1]), now, now.Add(Ahead))
		if err != nil {
			return err
		}
	}
	return nil
}
