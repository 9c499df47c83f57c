package load

import (
	"context"
	"database/sql"
	"fmt"

	"exactduck/load/spool"
	"exactduck/schema"
)

// conclude writes what is now true beside the rows: cursors, changes of shape, generations.
func (a *application) conclude(ctx context.Context, parts []*portion) error {
	t := parts[0].header.Table
	name := a.service(t) + "." + t.Name
	if err := a.recordChanges(ctx, name); err != nil {
		return err
	}
	rows, err := a.liveRows(ctx, t)
	if err != nil {
		return err
	}
	touched := map[schema.Scope]bool{}
	for _, p := range parts {
		if p.touched && !touched[p.header.Scope] && t.Service != ownSchema {
			if err := touch(ctx, a.c, name, p.header.Scope); err != nil {
				return err
			}
			touched[p.header.Scope] = true
		}
		if !p.suspect() {
			if err := a.storeCursor(ctx, p, name, rows[p.header.Scope]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (a *application) liveRows(ctx context.Context, t *schema.Table) (map[schema.Scope]int64, error) {
	rows := map[schema.Scope]int64{}
	query := fmt.Sprintf("SELECT %s::VARCHAR, count(*) FROM %s.%s WHERE %s IS NULL GROUP BY ALL",
		identifier(t.Scope.Name), identifier(a.service(t)), identifier(t.Name), deletedAt)
	err := a.each(ctx, "count rows", query, nil, func(r *sql.Rows) error {
		var scope string
		var n int64
		err := r.Scan(&scope, &n)
		rows[schema.Scope(scope)] = n
		return err
	})
	return rows, err
}

// cursorIn reads the cursor as this transaction sees it; zero when there is none.
func (a *application) cursorIn(ctx context.Context, h spool.Header) (found Cursor, err error) {
	err = a.each(ctx, "read cursor", "SELECT "+cursorColumns+" FROM _exactduck.cursors WHERE prefix = ? AND stream = ? AND scope = ?",
		[]any{a.prefix, h.Stream, string(h.Scope)}, func(rows *sql.Rows) (err error) {
			found, err = scanCursor(rows)
			return err
		})
	return found, err
}

// storeCursor moves the cursor to where the part's read ended. A window leaves it alone, and a
// sweep only notes that it has been.
func (a *application) storeCursor(ctx context.Context, p *portion, table string, rows int64) error {
	before, err := a.cursorIn(ctx, p.header) // another part of the batch may have moved it
	if err != nil {
		return err
	}
	h, after := p.header, before
	switch {
	case h.Mode == spool.Window && before.Stream == "", h.Mode == spool.Sweep && before.Stream == "":
		return nil
	case h.Mode == spool.Window:
	case h.Mode == spool.Sweep:
		after.SweptAt, after.SweepSpool = h.Began, h.ID
	default:
		after = Cursor{
			Stream: h.Stream, Scope: h.Scope, Table: table, Variant: h.Variant, Fingerprint: h.Fingerprint,
			Epoch: h.Epoch, Position: p.File.Resume(), Complete: true, HistoryFrom: h.HistoryFrom, ReadAt: h.Began,
			SweptAt: before.SweptAt, Spool: h.ID, SweepSpool: before.SweepSpool,
		}
		if h.Mode == spool.Replace {
			after.SweptAt = h.Began // a read of everything finds what is gone as well
		}
	}
	after.Rows, after.RunID = rows, a.batch.Run
	if after == before {
		return nil
	}
	return a.putCursor(ctx, a.c, after)
}
