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

// Batch is what one transaction applies.
type Batch struct {
	Run string // the id of the run, kept with every row that changes
	// Soft marks rows that are gone at the source by _deleted_at instead of removing them.
	// Tables without a key are rewritten nevertheless: their rows have no identity to keep.
	Soft  bool
	Parts []Part // whole reads into one table, at most one of a stream and scope
	// Contract is what the shape of the table must not go beyond; nil: it may become what it likes.
	Contract *Contract
	// Void are columns of which stored values are none, being hashes: they go when their column gets
	// another type.
	Void []string
}

// Part is one whole read.
type Part struct {
	File *spool.File
	// Accept says that it is true when the read removes more than the shrink guard believes.
	Accept bool
	// ReloadMissed says of a sweep that the next run is to read the stream from its beginning when
	// rows were missed; it is noted in the same transaction.
	ReloadMissed bool
	// Follow says with what the rows go; zero: each goes by itself.
	Follow Follow
	// Compared says of a read in mode [spool.Rows], which was made to be compared, that it is to take the
	// place of what is stored, as one in mode [spool.Replace] does.
	Compared bool
}

// Applied says what became of a part.
type Applied struct {
	Stream string
	Scope  schema.Scope
	// Read counts the spooled rows but for those that are marked as [schema.Page.Out] does; of them
	// Inserted had no row before and Updated replaced one.
	// Deleted rows were removed or marked. Missed rows were found by a sweep and are not, or
	// only as an older version, in the warehouse: an earlier read has overlooked them.
	Read, Inserted, Updated, Deleted, Missed int64
	// Already says that the spool had been applied before; nothing was done.
	Already bool
	// Unproven says of a read of everything that its source cannot vouch for having brought every row:
	// what it brought was applied, and no row was removed because it did not come.
	Unproven bool
	// Suspect says that the shrink guard refused; nothing of the part was applied.
	Suspect *Shrink
	// News are the changes of the table's shape, and what was met for the first time without having a
	// place in it; they are with the first part.
	News []Change
}

// portion is a Part on its way.
type portion struct {
	Part
	header spool.Header
	before Cursor // zero when there was none
	number int    // among the parts that are applied by the same statements
	result *Applied
	// compared is what is found where nothing is applied.
	compared *Compared
	// touched says that rows of the part's scope have changed.
	touched bool
	// renumbered says of tombstones that their versions cannot be compared with those before.
	renumbered bool
}

func (p *portion) suspect() bool { return p.result.Suspect != nil }

// application is one call of Apply inside its transaction.
type application struct {
	*Warehouse
	c       *sql.Conn
	batch   Batch
	now     time.Time
	stored  []field
	buries  bool // there are tombstones to honour
	changes []change
	news    []Change                   // those of them that nobody has been told yet
	seen    map[string]map[string]bool // unknown properties and misfits of all pages
}

// Apply brings whole reads of one table into the warehouse, their cursors with them, in one
// transaction: after an error nothing of it has happened. A part that the shrink guard refuses
// is left out and reported; the others go on. The result has one entry for each part, in order.
// The spools stay where they are: whoever made them removes them, and does not offer one that was
// begun before the last one that was applied.
func (w *Warehouse) Apply(ctx context.Context, b Batch) ([]Applied, error) {
	parts, results, err := prepare(b)
	if err != nil || len(parts) == 0 {
		return nil, err
	}
	table := parts[0].header.Table.FullName()
	if err := w.pages.register(ctx, w.db); err != nil {
		return nil, fmt.Errorf("apply %s: let DuckDB read spools: %w", table, err)
	}
	err = w.inTx(ctx, func(ctx context.Context, c *sql.Conn) error {
		a := &application{Warehouse: w, c: c, batch: b, now: w.clock().UTC().Truncate(time.Microsecond)}
		a.seen = map[string]map[string]bool{}
		if err := a.run(ctx, parts); err != nil {
			return err
		}
		results[0].News = a.news
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("apply %s: %w", table, err)
	}
	if err := w.relieve(ctx); err != nil {
		return nil, fmt.Errorf("after applying %s: %w", table, err)
	}
	return results, nil
}

func prepare(b Batch) ([]*portion, []Applied, error) {
	results := make([]Applied, len(b.Parts))
	var parts []*portion
	for i, p := range b.Parts {
		h := p.File.Header()
		if !p.File.Done() {
			return nil, nil, fmt.Errorf("apply %s: the read of scope %s is not whole", h.Stream, h.Scope)
		}
		if p.Compared && h.Mode == spool.Rows {
			h.Mode = spool.Replace
		}
		unproven := h.Mode == spool.Replace && p.File.Unproven()
		if unproven && len(h.Table.Key) == 0 {
			return nil, nil, fmt.Errorf("apply %s: the read of scope %s may have missed rows, and there is no key to merge it by", h.Stream, h.Scope)
		}
		if unproven {
			h.Mode = spool.Merge
		}
		if slices.Contains([]spool.Mode{spool.Keys, spool.Rows, spool.Some}, h.Mode) {
			return nil, nil, fmt.Errorf("apply %s: the read of scope %s was made to be compared", h.Stream, h.Scope)
		}
		if i > 0 && h.Table.FullName() != parts[0].header.Table.FullName() {
			return nil, nil, fmt.Errorf("apply %s: %s is another table", parts[0].header.Table.FullName(), h.Table.FullName())
		}
		results[i] = Applied{Stream: h.Stream, Scope: h.Scope, Unproven: unproven, Read: p.File.Rows() - p.File.Marked()}
		parts = append(parts, &portion{Part: p, header: h, result: &results[i]})
	}
	return parts, results, nil
}

// run does all of the transaction: shapes first, then rows, then cursors.
func (a *application) run(ctx context.Context, parts []*portion) error {
	todo, err := a.unapplied(ctx, parts)
	if err != nil || len(todo) == 0 {
		return err
	}
	groups := group(todo)
	if err := a.batch.Contract.holds(groups); err != nil {
		return err
	}
	if err := a.reshape(ctx, groups); err != nil {
		return err
	}
	for _, g := range groups {
		if err := a.shapeUp(ctx, g[0]); err != nil {
			return err
		}
	}
	if known, err := storedColumns(ctx, a.c, ownSchema, "tombstones"); err != nil {
		return err
	} else if known != nil && todo[0].header.Table.Service != ownSchema {
		a.buries = true
	}
	for _, g := range groups {
		if err := a.applyGroup(ctx, g); err != nil {
			return err
		}
	}
	if isTombstones(todo[0].header.Table) {
		if err := a.bury(ctx, todo); err != nil {
			return err
		}
	}
	if err := a.batch.Contract.held(todo[0].header.Table, a.seen); err != nil {
		return err
	}
	return a.conclude(ctx, todo)
}

// unapplied leaves out what the cursors say has been applied.
func (a *application) unapplied(ctx context.Context, parts []*portion) (todo []*portion, err error) {
	known, err := a.cursorsIn(ctx, parts)
	if err != nil {
		return nil, err
	}
	for _, p := range parts {
		p.before = known[p.at()]
		p.renumbered = isTombstones(p.header.Table) && p.before.Stream != "" && p.before.Epoch != p.header.Epoch
		applied := p.before.Spool
		if p.header.Mode == spool.Sweep {
			applied = p.before.SweepSpool
		}
		if applied == p.header.ID {
			p.result.Already = true
			continue
		}
		todo = append(todo, p)
	}
	return todo, nil
}

func (a *application) shapeUp(ctx context.Context, p *portion) (err error) {
	h := p.header
	if a.stored, err = a.evolve(ctx, h.Table); err != nil {
		return err
	}
	if h.Mode == spool.Sweep || h.Table.Service == ownSchema {
		return nil
	}
	return a.describe(ctx, h.Table, p.Follow)
}

// group puts together what the same statements can apply: small tables cost what a statement
// costs, however many divisions there are.
func group(parts []*portion) (groups [][]*portion) {
	for _, p := range parts {
		i := slices.IndexFunc(groups, func(g []*portion) bool {
			first := g[0].header
			return first.Mode == p.header.Mode && g[0].Follow == p.Follow && g[0].renumbered == p.renumbered && slices.Equal(first.Table.Columns, p.header.Table.Columns) &&
				slices.Equal(first.Table.Key, p.header.Table.Key) && first.Table.Version == p.header.Table.Version &&
				!slices.ContainsFunc(g, func(o *portion) bool { return o.header.Scope == p.header.Scope })
		})
		if i < 0 {
			i, groups = len(groups), append(groups, nil)
		}
		p.number = len(groups[i])
		groups[i] = append(groups[i], p)
	}
	return groups
}

// service is the schema in which a table of the source lies.
func (a *application) service(t *schema.Table) string {
	if t.Service == ownSchema {
		return t.Service
	}
	return a.prefix + t.Service
}

func (a *application) shapeOf(g []*portion) shape {
	h := g[0].header
	s := shape{
		service: a.service(h.Table), name: h.Table.Name, scope: h.Table.Scope.Name, key: h.Table.Key,
		version: h.Table.Version, stored: a.stored, mode: h.Mode, soft: a.batch.Soft,
		renumbered: g[0].renumbered, out: slices.ContainsFunc(g, func(p *portion) bool { return p.File.Marked() > 0 }),
	}
	for _, c := range h.Table.Columns {
		s.spooled = append(s.spooled, c.Name)
	}
	if h.Mode == spool.Sweep && s.has(h.Dated) {
		s.dated = h.Dated
	}
	if header, _ := find(a.stored, g[0].Follow.HeaderKey); a.buries && s.has(header.name) && header.kind == schema.UUID.String() {
		s.header = header.name
	}
	return s
}

func (a *application) applyGroup(ctx context.Context, g []*portion) error {
	s := a.shapeOf(g)
	if s.key == nil && s.mode != spool.Replace {
		return fmt.Errorf("%s has no key: it can only be replaced whole, not by %s", s.fullName(), s.mode)
	}
	have, err := a.offerParts(ctx, s, g)
	if err != nil {
		return err
	}
	s.fresh = len(have) == 0
	switch {
	case s.key == nil:
		err = a.rewrite(ctx, s, g, have)
	case s.mode == spool.Sweep:
		err = a.sweep(ctx, s, g, have)
	default:
		err = a.merge(ctx, s, g, have)
	}
	if err != nil {
		return err
	}
	_, err = a.exec(ctx, "drop steps", dropSteps)
	return err
}

// extent counts stored rows: all, and those that are not marked as deleted.
type extent struct{ all, live int64 }

// offerParts lists the parts in a temporary table and counts what is stored of each. Parts of
// which nothing is stored are not in the answer.
func (a *application) offerParts(ctx context.Context, s shape, g []*portion) (map[int]extent, error) {
	scope := g[0].header.Table.Scope.Type
	if _, err := a.exec(ctx, "list parts", createPart(scope.String())); err != nil {
		return nil, err
	}
	for some := range slices.Chunk(g, together) {
		var args []any
		for _, p := range some {
			value, err := scopeValue(scope, p.header.Scope)
			if err != nil {
				return nil, err
			}
			args = append(args, p.number, value, p.header.Began.UTC(), p.header.HistoryFrom)
		}
		if _, err := a.exec(ctx, "list parts", addParts(len(some)), args...); err != nil {
			return nil, err
		}
	}
	return a.extents(ctx, "count stored rows", s.countStored())
}

func (a *application) extents(ctx context.Context, step, statement string) (map[int]extent, error) {
	found := map[int]extent{}
	err := a.each(ctx, step, statement, nil, func(rows *sql.Rows) error {
		var number int
		var e extent
		err := rows.Scan(&number, &e.all, &e.live)
		found[number] = e
		return err
	})
	return found, err
}

// exec runs one statement; every one of them must succeed for the transaction to mean anything.
func (a *application) exec(ctx context.Context, step, statement string, args ...any) (int64, error) {
	a.log.DebugContext(ctx, "statement begins", "step", step)
	r, err := a.c.ExecContext(ctx, statement, args...)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", step, err)
	}
	a.log.DebugContext(ctx, "statement ended", "step", step)
	return r.RowsAffected()
}

// each runs one query and calls f for every row of the answer.
func (a *application) each(ctx context.Context, step, query string, args []any, f func(*sql.Rows) error) error {
	rows, err := a.c.QueryContext(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("%s: %w", step, err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(rows); err != nil {
			return fmt.Errorf("%s: %w", step, err)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("%s: %w", step, err)
	}
	return nil
}

// reading offers the named columns of the spools of g to a statement that ends in
// exactduck_pages(?). What goes wrong in the spools comes back as what it is, not as DuckDB's
// text of it.
func (a *application) reading(g []*portion, columns []string, wanted bitmap, f func(pages int64) error) error {
	var files []*spool.File
	for _, p := range g {
		files = append(files, p.File)
	}
	source, err := newPageSource(files, columns)
	if err != nil {
		return err
	}
	source.wanted, source.unmarked = wanted, g[0].header.Table.Key == nil
	defer source.close()
	n, withdraw := a.pages.offer(source)
	defer withdraw()
	if err := f(n); err != nil {
		if source.err != nil {
			return fmt.Errorf("read spooled pages: %w", source.err)
		}
		return err
	}
	for kind, names := range source.seen {
		if a.seen[kind] == nil {
			a.seen[kind] = map[string]bool{}
		}
		for name := range names {
			a.seen[kind][name] = true
		}
	}
	return nil
}
