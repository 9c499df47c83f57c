package load

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

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
	var touched []schema.Scope
	for _, p := range parts {
		if p.touched && !slices.Contains(touched, p.header.Scope) {
			touched = append(touched, p.header.Scope)
		}
	}
	if len(touched) > 0 && t.Service != ownSchema {
		if err := touch(ctx, a.c, name, touched...); err != nil {
			return err
		}
	}
	return a.storeCursors(ctx, parts, name, rows)
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

// streamScope names a cursor.
type streamScope struct {
	stream string
	scope  schema.Scope
}

func (p *portion) at() streamScope { return streamScope{p.header.Stream, p.header.Scope} }

// cursorsIn reads the cursors of the streams of parts as this transaction sees them.
func (a *application) cursorsIn(ctx context.Context, parts []*portion) (map[streamScope]Cursor, error) {
	found, asked := map[streamScope]Cursor{}, map[string]bool{}
	for _, p := range parts {
		if asked[p.header.Stream] {
			continue
		}
		asked[p.header.Stream] = true
		all, err := cursors(ctx, a.c, "prefix = ? AND stream = ?", a.prefix, p.header.Stream)
		if err != nil {
			return nil, err
		}
		for _, c := range all {
			found[streamScope{c.Stream, c.Scope}] = c
		}
	}
	return found, nil
}

// storeCursors moves the cursors to where the reads ended. A part that was suspect leaves its as it was.
func (a *application) storeCursors(ctx context.Context, parts []*portion, table string, rows map[schema.Scope]int64) error {
	now := map[streamScope]Cursor{}
	for _, p := range parts { // several of them may move one cursor
		now[p.at()] = p.before
	}
	changed := map[streamScope]bool{}
	for _, p := range parts {
		at := p.at()
		before := now[at]
		after, moves := p.move(before)
		if p.suspect() || !moves {
			continue
		}
		after.Table, after.Rows, after.RunID = table, rows[p.header.Scope], a.batch.Run
		if after != before {
			now[at], changed[at] = after, true
		}
	}
	var all []Cursor
	for at := range changed {
		all = append(all, now[at])
	}
	return a.putCursors(ctx, a.c, all...)
}

// move is the cursor as the part leaves it, and whether it may be stored. A window leaves it where it
// is, but for a history that begins earlier now: a later reload has to bring those rows too. A sweep
// only notes that it has been.
func (p *portion) move(before Cursor) (after Cursor, moves bool) {
	h := p.header
	switch after = before; h.Mode {
	case spool.Window:
		after.HistoryFrom = min(before.HistoryFrom, h.HistoryFrom)
		return after, before.Stream != ""
	case spool.Sweep:
		after.SweptAt, after.SweepSpool = h.Began, h.ID
		after.Complete = before.Complete && (!p.ReloadMissed || p.result.Missed == 0)
		return after, before.Stream != ""
	}
	after = Cursor{
		Stream: h.Stream, Scope: h.Scope, Variant: h.Variant, Fingerprint: h.Fingerprint,
		Epoch: h.Epoch, Position: p.File.Resume(), Complete: true, HistoryFrom: h.HistoryFrom, ReadAt: h.Began,
		SweptAt: before.SweptAt, Spool: h.ID, SweepSpool: before.SweepSpool,
	}
	if h.Mode == spool.Replace {
		after.SweptAt = h.Began // a read of everything finds what is gone as well
	}
	if p.result.Unproven {
		after.SweptAt = time.Time{} // it is made again
	}
	return after, true
}
