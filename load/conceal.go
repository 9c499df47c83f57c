package load

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"exactduck/schema"
)

// Concealment empties what is stored of properties whose values are to be on no disk any more.
type Concealment struct {
	Run    string // the id of the run, kept with every row that changes
	Prefix string // of the connection's schemas
	Stream string
	Scope  schema.Scope
	Table  *schema.Table // where the rows are
	// Names are the properties, in any case: their columns become NULL, and what is kept of them in
	// _extra goes, at any depth.
	Names []string
	// Fingerprint is what the cursor says afterwards.
	Fingerprint string
}

// Conceal does what the concealments say, each with its cursor in one transaction, and notes in the
// same that what files still hold of the values has to be purged: see [Warehouse.Purge]. Done again it
// changes nothing. Columns that tell rows apart must not be among them.
func (w *Warehouse) Conceal(ctx context.Context, all ...Concealment) error {
	for _, n := range all {
		of := &Warehouse{db: w.db, clock: w.clock, log: w.log, path: w.path, prefix: n.Prefix}
		err := w.inTx(ctx, func(ctx context.Context, c *sql.Conn) error {
			a := &application{Warehouse: of, c: c, batch: Batch{Run: n.Run}, now: w.clock().UTC().Truncate(time.Microsecond)}
			return a.conceal(ctx, n)
		})
		if err != nil {
			return fmt.Errorf("mask what is stored of %s (%s): %w", n.Stream, n.Scope, err)
		}
	}
	return nil
}

func (a *application) conceal(ctx context.Context, n Concealment) error {
	stored, err := storedColumns(ctx, a.c, a.service(n.Table), n.Table.Name)
	if err != nil {
		return err
	}
	if stored != nil {
		if err := a.concealIn(ctx, n, stored); err != nil {
			return err
		}
	}
	_, err = a.exec(ctx, "note mask", "UPDATE _exactduck.cursors SET fingerprint = ? WHERE prefix = ? AND stream = ? AND scope = ?",
		n.Fingerprint, a.prefix, n.Stream, string(n.Scope))
	if err != nil {
		return err
	}
	// What was found of rows tells some of what they held.
	_, err = a.exec(ctx, "erase checks", "DELETE FROM _exactduck.checks WHERE coalesce(prefix, '') = ? AND scope = ?", a.prefix, string(n.Scope))
	if err != nil {
		return err
	}
	if _, err := nextGeneration(ctx, a.c); err != nil { // readers see cursors too
		return err
	}
	return setMeta(ctx, a.c, purgeDue, "1")
}

func (a *application) concealIn(ctx context.Context, n Concealment, stored []field) (err error) {
	t := n.Table
	c := cut{on: a, of: shape{service: a.service(t), name: t.Name, scope: t.Scope.Name, stored: stored}, names: n.Names, deep: true}
	if c.place, err = scopeValue(t.Scope.Type, n.Scope); err != nil {
		return err
	}
	for _, name := range n.Names {
		if isOurs(name, t.Scope.Name) || strings.EqualFold(name, t.Version) || t.IsKey(name) {
			return fmt.Errorf("column %s cannot be emptied: without it the rows cannot be told apart", name)
		}
		if column, ok := find(stored, name); ok {
			c.drop = append(c.drop, column.name)
		}
	}
	changed, err := c.apply(ctx)
	if err != nil || !changed {
		return err
	}
	return touch(ctx, a.c, c.of.fullName(), n.Scope)
}
