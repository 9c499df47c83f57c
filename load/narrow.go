package load

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"exactduck/schema"
)

// Narrowing makes stored rows hold what a read of less would have brought, without the read.
type Narrowing struct {
	Run    string // the id of the run, kept with every row that changes
	Stream string
	Scope  schema.Scope
	Table  *schema.Table // where the rows are
	// Drop names the columns that are not wanted any more: their values become NULL, and what is kept
	// of them in _extra goes. The key and the version cannot be dropped.
	Drop []string
	// Since removes the rows of which Dated is earlier, in the source's own wall time; zero: none. Rows
	// without a date stay, as they do in a read that the source limits itself.
	Since time.Time
	Dated string
	// Soft marks these rows as deleted instead of removing them.
	Soft bool
	// Fingerprint and HistoryFrom are what the cursor says afterwards.
	Fingerprint, HistoryFrom string
}

// Narrow does what n says to the rows of one stream and scope, and to its cursor, in one transaction.
// No shrink guard asks: it is the user who wants less. Done again it changes nothing. It fails when
// there is no cursor, because then there is nothing to narrow.
func (w *Warehouse) Narrow(ctx context.Context, n Narrowing) error {
	err := w.inTx(ctx, func(ctx context.Context, c *sql.Conn) error {
		a := &application{Warehouse: w, c: c, batch: Batch{Run: n.Run, Soft: n.Soft}, now: w.clock().UTC().Truncate(time.Microsecond)}
		return a.narrow(ctx, n)
	})
	if err != nil {
		return fmt.Errorf("narrow %s (%s): %w", n.Stream, n.Scope, err)
	}
	return nil
}

func (a *application) narrow(ctx context.Context, n Narrowing) error {
	found, err := cursors(ctx, a.c, "prefix = ? AND stream = ? AND scope = ?", a.prefix, n.Stream, string(n.Scope))
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return errors.New("the stream was never read there")
	}
	before := found[0]
	c, err := a.cut(ctx, n)
	if err != nil {
		return err
	}
	changed, err := c.apply(ctx)
	if err != nil {
		return err
	}
	after := before
	after.Fingerprint, after.HistoryFrom = n.Fingerprint, n.HistoryFrom
	if !changed && after == before {
		return nil
	}
	if err := touch(ctx, a.c, c.of.fullName(), n.Scope); err != nil {
		return err
	}
	after.RunID = a.batch.Run
	if err := a.putCursors(ctx, a.c, after); err != nil {
		return err
	}
	return a.recount(ctx, c.of, []schema.Scope{n.Scope})
}

// cut is a narrowing of a table as it is stored.
type cut struct {
	on    *application
	of    shape
	place any      // the scope as its column has it
	drop  []string // the columns of the table that are to be emptied
	names []string // the properties that are to be taken out of _extra
	deep  bool     // out of what it holds at any depth
	dated string   // "": no row is too old
	since time.Time
}

func (a *application) cut(ctx context.Context, n Narrowing) (c cut, err error) {
	t := n.Table
	c = cut{on: a, since: n.Since}
	c.of = shape{service: a.service(t), name: t.Name, scope: t.Scope.Name, soft: n.Soft}
	if c.place, err = scopeValue(t.Scope.Type, n.Scope); err != nil {
		return c, err
	}
	if c.of.stored, err = storedColumns(ctx, a.c, c.of.service, c.of.name); err != nil {
		return c, err
	}
	for _, name := range n.Drop {
		column, ok := find(c.of.stored, name)
		if isOurs(name, c.of.scope) || strings.EqualFold(name, t.Version) || t.IsKey(name) {
			return c, fmt.Errorf("column %s cannot be dropped: without it the rows cannot be told apart", name)
		}
		if ok {
			c.drop = append(c.drop, column.name)
		}
	}
	c.names = c.drop
	if dated, ok := find(c.of.stored, n.Dated); ok && !n.Since.IsZero() {
		c.dated = dated.name
	} else if !n.Since.IsZero() {
		return c, fmt.Errorf("%s has no column %q to tell which rows are too old", c.of.fullName(), n.Dated)
	}
	return c, nil
}

// apply removes the old rows first: the column that dates them may be one of those that go.
func (c cut) apply(ctx context.Context) (changed bool, err error) {
	for _, step := range []func(context.Context) (int64, error){c.removeOld, c.emptyColumns, c.emptyExtra} {
		n, err := step(ctx)
		if err != nil {
			return false, err
		}
		changed = changed || n > 0
	}
	return changed, nil
}

func (c cut) removeOld(ctx context.Context) (int64, error) {
	if c.dated == "" {
		return 0, nil
	}
	where := fmt.Sprintf(" WHERE %s = ? AND %s < ?::TIMESTAMP", identifier(c.of.scope), identifier(c.dated))
	since := c.since.Format("2006-01-02 15:04:05.999999")
	if !c.of.soft {
		return c.on.exec(ctx, "remove old rows", "DELETE FROM "+c.of.table()+where, c.place, since)
	}
	return c.on.exec(ctx, "mark old rows", fmt.Sprintf("UPDATE %s SET %s = ?::TIMESTAMPTZ, %s = ?::TIMESTAMPTZ, %s = ?%s AND %s IS NULL",
		c.of.table(), deletedAt, syncedAt, runID, where, deletedAt), c.on.now, c.on.now, c.on.batch.Run, c.place, since)
}

// emptyColumns updates in place, which touches no other column: what is overwritten DuckDB puts on the
// disk where its memory does not hold it. Writing the rows anew takes twenty times as long.
func (c cut) emptyColumns(ctx context.Context) (int64, error) {
	if len(c.drop) == 0 {
		return 0, nil
	}
	var empty, full []string
	for _, name := range c.drop {
		empty, full = append(empty, identifier(name)+" = NULL"), append(full, identifier(name)+" IS NOT NULL")
	}
	return c.on.exec(ctx, "empty columns", fmt.Sprintf("UPDATE %s SET %s, %s = ?::TIMESTAMPTZ, %s = ? WHERE %s = ? AND (%s)",
		c.of.table(), strings.Join(empty, ", "), syncedAt, runID, identifier(c.of.scope), strings.Join(full, " OR ")),
		c.on.now, c.on.batch.Run, c.place)
}
