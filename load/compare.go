package load

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"exactduck/load/spool"
	"exactduck/schema"
)

// Compared says how the stored rows of a stream in a scope differ from a whole read of them. Rows that
// were stored after the read had begun are left out: of them the read does not know.
type Compared struct {
	Stream string
	Scope  schema.Scope
	Read   int64
	// Missing rows are at the source and not stored, Older ones are stored as they were before they
	// changed, and Different ones hold something else though neither is newer. Gone are stored and not
	// at the source. A read of keys tells no Different ones, and one of some rows none that are Gone.
	Missing, Older, Different, Gone int64
	Keys                            map[string]string // some of each kind: missing, older, different, gone
}

// Same says that nothing differs.
func (c Compared) Same() bool { return c.Missing+c.Older+c.Different+c.Gone == 0 }

// errCompared ends a transaction of which nothing is to stay.
var errCompared = errors.New("compared")

// Compare holds stored rows against reads of one table, in mode [spool.Keys], [spool.Rows] or
// [spool.Some], and changes nothing. What changed at the source while it was read must have been applied before, or it
// differs too: a read from the cursor that was begun after these were. The result has one entry for
// each file, in order.
func (w *Warehouse) Compare(ctx context.Context, files []*spool.File) ([]Compared, error) {
	if len(files) == 0 {
		return nil, nil
	}
	results := make([]Compared, len(files))
	parts := make([]*portion, len(files))
	for i, f := range files {
		h := f.Header()
		results[i] = Compared{Stream: h.Stream, Scope: h.Scope, Read: f.Rows() - f.Marked(), Keys: map[string]string{}}
		parts[i] = &portion{Part: Part{File: f}, header: h, result: &Applied{}, compared: &results[i]}
		if err := canCompare(f, parts[0].header.Table); err != nil {
			return nil, fmt.Errorf("compare %s (%s): %w", h.Stream, h.Scope, err)
		}
	}
	table := parts[0].header.Table.FullName()
	if err := w.pages.register(ctx, w.db); err != nil {
		return nil, fmt.Errorf("compare %s: let DuckDB read spools: %w", table, err)
	}
	err := w.inTx(ctx, func(ctx context.Context, c *sql.Conn) error {
		a := &application{Warehouse: w, c: c, now: w.clock().UTC().Truncate(time.Microsecond), seen: map[string]map[string]bool{}}
		if err := a.compareAll(ctx, parts); err != nil {
			return err
		}
		return errCompared
	})
	if !errors.Is(err, errCompared) {
		return nil, fmt.Errorf("compare %s: %w", table, err)
	}
	return results, nil
}

func canCompare(f *spool.File, t *schema.Table) error {
	h := f.Header()
	switch {
	case !f.Done():
		return errors.New("the read is not whole")
	case !slices.Contains([]spool.Mode{spool.Keys, spool.Rows, spool.Some}, h.Mode):
		return fmt.Errorf("it was read to be applied, as %s", h.Mode)
	case len(h.Table.Key) == 0:
		return errors.New("the rows have no key")
	case h.Table.FullName() != t.FullName():
		return fmt.Errorf("the other reads are of %s", t.FullName())
	}
	return nil
}

func (a *application) compareAll(ctx context.Context, parts []*portion) error {
	known, err := storedColumns(ctx, a.c, ownSchema, "tombstones")
	if err != nil {
		return err
	}
	a.buries = known != nil
	for _, g := range group(parts) {
		if a.stored, err = a.evolve(ctx, g[0].header.Table); err != nil { // columns that it adds go again
			return err
		}
		if err := a.compareGroup(ctx, g); err != nil {
			return err
		}
	}
	return nil
}

func (a *application) compareGroup(ctx context.Context, g []*portion) error {
	s := a.shapeOf(g)
	s.mode = spool.Sweep
	if g[0].header.Mode != spool.Keys {
		s.mode = spool.Replace
	}
	if dated := g[0].header.Dated; s.has(dated) {
		s.dated = dated
	}
	if _, err := a.offerParts(ctx, s, g); err != nil {
		return err
	}
	if err := a.meet(ctx, s, g); err != nil {
		return err
	}
	if _, err := a.exec(ctx, "find rows that differ", s.createFound(g[0].header.Mode != spool.Some)); err != nil {
		return err
	}
	err := a.each(ctx, "count rows that differ", countFound, nil, func(rows *sql.Rows) error {
		var number int
		var kind, keys string
		var n int64
		err := rows.Scan(&number, &kind, &n, &keys)
		if err == nil {
			g[number].compared.note(kind, n, keys)
		}
		return err
	})
	if err != nil {
		return err
	}
	_, err = a.exec(ctx, "drop steps", dropSteps+"; DROP TABLE temp.found")
	return err
}

func (c *Compared) note(kind string, n int64, keys string) {
	c.Keys[kind] = keys
	switch kind {
	case "missing":
		c.Missing = n
	case "older":
		c.Older = n
	case "different":
		c.Different = n
	case "gone":
		c.Gone = n
	}
}

const countFound = `SELECT part, kind, count(*), coalesce(array_to_string(min(key, 3), ', '), '')
FROM temp.found WHERE kind IS NOT NULL GROUP BY ALL ORDER BY ALL`

// createFound lists what differs, by key. Of rows from before the history that is kept nobody says
// that they must be there, and of a read of some rows nothing is gone.
func (s shape) createFound(whole bool) string {
	before := "t." + syncedAt + " < p.began"
	kept, keptHere := "p.history IS NULL", "true"
	if s.dated != "" {
		kept = "coalesce(s.dated >= p.history, true)"
		keptHere = "coalesce(t." + identifier(s.dated) + " >= p.history, true)"
	}
	spooled, stored := s.keyText("s.k%[2]d"), s.keyText("t.%[1]s")
	found := `CREATE TEMP TABLE found AS
SELECT s.part, 'missing' AS kind, ` + spooled + ` AS key
FROM temp.newest s JOIN temp.part p ON p.part = s.part ANTI JOIN temp.met m ON m.ordinal = s.ordinal
WHERE ` + kept + `
UNION ALL
SELECT s.part, ` + s.differing() + `, ` + spooled + `
FROM temp.newest s JOIN temp.part p ON p.part = s.part JOIN temp.met m ON m.ordinal = s.ordinal JOIN ` + s.table() + ` t ON t.rowid = m.existing
WHERE ` + before
	if !whole {
		return found
	}
	return found + `
UNION ALL
SELECT p.part, 'gone', ` + stored + `
FROM ` + s.table() + ` t JOIN temp.part p ON t.` + identifier(s.scope) + ` = p.scope
WHERE t.rowid NOT IN (SELECT existing FROM temp.met) AND t.` + deletedAt + ` IS NULL AND ` + before + ` AND ` + keptHere
}

// differing says how a stored row t differs from the spooled row s of its key; NULL: not at all.
func (s shape) differing() string {
	older := "false"
	switch {
	case s.version != "":
		older = "t." + identifier(s.version) + " < s.version"
	case s.dated != "":
		older = "t." + identifier(s.dated) + " < s.dated"
	}
	same := "true"
	if s.byContent() {
		same = "m.stays"
		if s.version != "" {
			same += " OR t." + identifier(s.version) + " > s.version"
		}
	}
	return "CASE WHEN t." + deletedAt + " IS NOT NULL THEN 'missing' WHEN " + older + " THEN 'older' WHEN NOT (" + same + ") THEN 'different' END"
}

// keyText is the key as people can search for it.
func (s shape) keyText(format string) string {
	return "concat_ws(' ', " + strings.Join(s.keyed(format), ", ") + ")"
}
