package load

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/google/renameio/v2"
)

// Compacted says what a compaction did to the working database.
type Compacted struct {
	Before int64 `json:"before"` // its bytes
	After  int64 `json:"after"`
}

// fat is by how much a file may be larger than a fresh one would be until it is written anew. The
// promise is 1.3; what lies between is for how DuckDB packs the same rows better one day than another.
const fat = 1.2

// idle is how many bytes too many are not worth the work, however small the file: so much a single night
// leaves, since what changes is written before the room of what was there is free.
const idle = 2 << 20

// Compact writes the working database into a fresh file, without the room that removed rows have left
// and without anything that can still be read there of them, and puts it in the place of the old one
// in one step: killed anywhere, the next [Open] finds the old file or the new one. Identity, history
// and cursors stay. The generation counts on, so that the next publication replaces the published
// file; of the lake, no file changes. It fails with *[NoRoom], before anything is written, when the disk
// cannot hold a second file.
func (w *Warehouse) Compact(ctx context.Context) (c Compacted, err error) {
	g, err := w.girth(ctx)
	if err != nil {
		return c, fmt.Errorf("compact: %w", err)
	}
	err = w.rewrite(ctx, g, func(ctx context.Context, c *sql.Conn) error {
		_, err := nextGeneration(ctx, c)
		return err
	})
	if err != nil {
		err = fmt.Errorf("compact: %w", err)
	}
	c = Compacted{Before: g.size}
	if info, failed := os.Stat(w.path); failed == nil {
		c.After = info.Size()
	}
	if w.db == nil {
		err = errors.Join(err, w.reopen(ctx))
	}
	return c, err
}

// slim compacts before a publication when the file has grown fat. Readers do not wait for that: when
// it fails for any reason but a damaged file, the fat file is published, with a warning.
func (w *Warehouse) slim(ctx context.Context) (*Compacted, error) {
	g, err := w.girth(ctx)
	if err == nil && g.lean.Values == 0 {
		err = w.note(girth{size: g.used, live: g.live}) // after a first load
	}
	if err != nil || !g.fat() {
		return nil, err
	}
	err = w.rewrite(ctx, g, func(context.Context, *sql.Conn) error { return nil })
	if _, damaged := errors.AsType[*Damaged](err); damaged || ctx.Err() != nil {
		return nil, err
	}
	if err != nil {
		w.log.WarnContext(ctx, "the working database could not be compacted; it is published as it is", "error", err)
		return nil, nil
	}
	info, err := os.Stat(w.path)
	if err != nil {
		return nil, err
	}
	w.log.InfoContext(ctx, "compacted working database", "before", g.size, "after", info.Size())
	return &Compacted{Before: g.size, After: info.Size()}, nil
}

// What a transaction writes is a row group of its own, and what it removes leaves holes in others. DuckDB
// gathers what is left at every checkpoint when that makes fewer row groups, and then writes all columns of
// all rows anew: for one row in ten that has changed this takes four times as long as storing what has, and
// leaves as much room unused in the file. So in a file from so many bytes on it may do that only once in so
// many runs. In smaller ones it takes no time, and every checkpoint takes whole blocks for few rows.
const (
	large     = 64 << 20
	scattered = 32
)

// maxVacuum is the setting of DuckDB that says how often it may gather rows at one checkpoint.
const maxVacuum = "max_vacuum_tasks"

// gathering says whether checkpoints gather rows until [Warehouse.gather] says otherwise.
func (w *Warehouse) gathering() []string {
	if info, err := os.Stat(w.path); err != nil || info.Size() < large {
		return nil
	}
	return []string{"SET GLOBAL " + maxVacuum + " = 0", "SET GLOBAL allowed_configs = [" + literal(maxVacuum) + "]"}
}

// gather lets DuckDB gather rows until the database is closed, if it is time.
func (w *Warehouse) gather(ctx context.Context) error {
	l := w.noted()
	if l.Runs++; l.Runs < scattered {
		return w.noteLeanness(l)
	}
	l.Runs = 0
	var most int64
	err := w.db.QueryRowContext(ctx, "SELECT current_setting("+literal(maxVacuum)+")::BIGINT").Scan(&most)
	if err == nil && most == 0 {
		w.log.DebugContext(ctx, "gathering rows at the next checkpoint", "path", w.path)
		_, err = w.db.ExecContext(ctx, "SET GLOBAL "+maxVacuum+" = 100")
	}
	if err != nil {
		return fmt.Errorf("gather rows: %w", err)
	}
	return w.noteLeanness(l)
}

// girth is how large the working database is, and why.
type girth struct {
	size, used int64 // bytes of the file, and of the blocks in it that hold something
	live, held int64 // values of the rows that there are, and of all that these blocks hold
	lean       leanness
}

// leanness is what the state directory remembers of the working database as it was when it was fresh.
// Noted in the database itself it would make that less so.
type leanness struct {
	Bytes  int64 `json:"bytes"`
	Values int64 `json:"values"`
	// Runs is how many publications, or attempts, there were since, or since DuckDB last gathered rows.
	Runs int `json:"runs"`
}

func (w *Warehouse) leannessPath() string { return w.beside(".fresh.json") }

// note remembers how large a fresh file is. Without the note the next file counts as fresh.
func (w *Warehouse) note(g girth) error {
	return w.noteLeanness(leanness{Bytes: g.size, Values: g.live})
}

func (w *Warehouse) noteLeanness(l leanness) error {
	text, err := json.Marshal(l)
	if err != nil {
		return err
	}
	return renameio.WriteFile(w.leannessPath(), text, 0o600)
}

// noted is what note remembers; zero: nothing that can be read.
func (w *Warehouse) noted() (l leanness) {
	text, err := os.ReadFile(w.leannessPath())
	if err != nil || json.Unmarshal(text, &l) != nil || l.Bytes < 0 || l.Values < 0 || l.Runs < 0 {
		return leanness{}
	}
	return l
}

// girth measures the file once everything is in it. It reads no rows.
func (w *Warehouse) girth(ctx context.Context) (g girth, err error) {
	w.log.DebugContext(ctx, "checkpointing working database", "path", w.path)
	if _, err := w.db.ExecContext(ctx, "CHECKPOINT "+catalog); err != nil {
		return g, fmt.Errorf("checkpoint: %w", fileError(w.path, err))
	}
	info, err := os.Stat(w.path)
	if err != nil {
		return g, err
	}
	g.size = info.Size()
	err = w.db.QueryRowContext(ctx, `SELECT block_size * used_blocks FROM pragma_database_size()
		WHERE database_name = current_database()`).Scan(&g.used)
	if err != nil {
		return g, fmt.Errorf("measure: %w", fileError(w.path, err))
	}
	g.lean = w.noted()
	var counts []string
	err = w.eachTable(ctx, catalog, func(service, name string, columns, held int64) {
		g.held += columns * held
		counts = append(counts, fmt.Sprintf("SELECT %d * count(*) AS n FROM %s.%s", columns, identifier(service), identifier(name)))
	})
	if err != nil || len(counts) == 0 {
		return g, err
	}
	err = w.db.QueryRowContext(ctx, "SELECT sum(n)::BIGINT FROM ("+strings.Join(counts, " UNION ALL ")+")").Scan(&g.live)
	if err != nil {
		return g, fmt.Errorf("count rows: %w", fileError(w.path, err))
	}
	return g, nil
}

// eachTable calls f for every table of a database, with the number of its columns and of the rows that
// it holds, those included that are removed and whose place is not free yet.
func (w *Warehouse) eachTable(ctx context.Context, database string, f func(service, name string, columns, held int64)) error {
	rows, err := w.db.QueryContext(ctx, `SELECT schema_name, table_name, column_count, estimated_size FROM duckdb_tables()
		WHERE database_name = ? AND NOT internal ORDER BY ALL`, database)
	if err != nil {
		return fmt.Errorf("list tables: %w", fileError(w.path, err))
	}
	defer rows.Close()
	for rows.Next() {
		var service, name string
		var columns, held int64
		if err := rows.Scan(&service, &name, &columns, &held); err != nil {
			return fmt.Errorf("list tables: %w", err)
		}
		f(service, name, columns, held)
	}
	return rows.Err()
}

// fresh is about how large the file would be if it were written anew: removed rows take as much of the
// used blocks as others, and go; and a value takes as much as it did in the last fresh file, since what
// many small changes have written is packed less well. That does not tell how small a smaller file is.
func (g girth) fresh() int64 {
	fresh := g.used
	if g.live < g.held {
		fresh = scale(g.used, g.live, g.held)
	}
	if l := g.lean; l.Values > 0 {
		fresh = min(fresh, scale(l.Bytes, max(g.live, l.Values), l.Values))
	}
	return fresh
}

func scale(n, by, of int64) int64 { return int64(float64(n) * float64(by) / float64(of)) }

// fat does not hold again soon after a compaction, however wrong the estimates are: then all blocks are
// used, all rows are there, and how large a fresh file is has just been noted.
func (g girth) fat() bool {
	fresh := g.fresh()
	return g.size-fresh > idle && float64(g.size) > fat*float64(fresh)
}

// storageVersion is the format that DuckDB gives our files: the oldest that it writes, so that readers
// of every version since 1.0 can open what is published. A compaction brings files of other formats to it.
const storageVersion = "v1.0.0"

// compacting is where the fresh file is written. Only a killed compaction leaves it.
func (w *Warehouse) compacting() string { return w.path + ".compacting" }

func (w *Warehouse) clearCompacting() error {
	return errors.Join(removeIfThere(w.compacting()), removeIfThere(w.compacting()+".wal"), os.RemoveAll(w.compacting()+".tmp"))
}

// rewrite settles the working database, copies it into a fresh file, lets last change that, and renames
// it over the old one. It leaves the database closed, apart from when it fails early.
func (w *Warehouse) rewrite(ctx context.Context, g girth, last func(context.Context, *sql.Conn) error) (err error) {
	if err := room(demand{w.path, g.fresh()}); err != nil {
		return err
	}
	if err := w.settle(ctx); err != nil {
		return err
	}
	if err := w.clearCompacting(); err != nil {
		return err
	}
	w.log.DebugContext(ctx, "writing working database anew", "path", w.compacting())
	if err := w.copyRows(ctx, last); err != nil {
		return errors.Join(fileError(w.path, err), w.clearCompacting())
	}
	w.log.DebugContext(ctx, "wrote working database anew", "path", w.compacting())
	if err := sealFresh(w.path, w.compacting()); err != nil {
		return errors.Join(err, w.clearCompacting())
	}
	w.log.DebugContext(ctx, "renaming working database", "path", w.path)
	if err := os.Rename(w.compacting(), w.path); err != nil {
		return errors.Join(err, w.clearCompacting())
	}
	w.log.DebugContext(ctx, "renamed working database", "path", w.path)
	info, err := os.Stat(w.path)
	if err != nil {
		return err
	}
	g.size = info.Size()
	return errors.Join(w.note(g), syncDir(w.state))
}

// sealFresh makes the fresh file durable. The WAL of the old one is empty, or it would not be settled.
func sealFresh(old, fresh string) error {
	info, err := os.Stat(old)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(fresh, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if err := errors.Join(file.Chmod(info.Mode().Perm()), file.Sync(), file.Close()); err != nil {
		return err
	}
	return removeIfThere(old + ".wal")
}

// before is the name under which a compaction sees the old database.
const before = "_before"

// copyRows copies shapes, descriptions and views in one step and then the rows, table by table and in
// the order in which they lie: sorting them would take the memory of all of them.
func (w *Warehouse) copyRows(ctx context.Context, last func(context.Context, *sql.Conn) error) (err error) {
	fresh := &Warehouse{path: w.compacting(), state: w.state, log: w.log, memory: w.memory, threads: w.threads}
	fresh.db, err = fresh.connectWith(ctx,
		"SET GLOBAL checkpoint_threshold = '1TB'", // what is written in one go is packed best
		"ATTACH "+literal(w.path)+" AS "+before+" (READ_ONLY)",
		"ATTACH "+literal(fresh.path)+" AS "+catalog+" (STORAGE_VERSION "+literal(storageVersion)+")")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, fresh.closeDatabase()) }()
	if _, err := fresh.db.ExecContext(ctx, "COPY FROM DATABASE "+before+" TO "+catalog+" (SCHEMA)"); err != nil {
		return fmt.Errorf("copy shapes: %w", err)
	}
	var tables []string
	err = fresh.eachTable(ctx, before, func(service, name string, _, _ int64) {
		tables = append(tables, identifier(service)+"."+identifier(name))
	})
	if err != nil {
		return err
	}
	for _, table := range tables {
		if err := fresh.copyTable(ctx, table); err != nil {
			return fmt.Errorf("copy %s: %w", table, err)
		}
	}
	if err := fresh.inTx(ctx, last); err != nil {
		return err
	}
	return fresh.settle(ctx)
}

// copyTable copies the rows of a table and makes sure that none is missing.
func (w *Warehouse) copyTable(ctx context.Context, table string) error {
	var all int64
	if err := w.db.QueryRowContext(ctx, "SELECT count(*) FROM "+before+"."+table).Scan(&all); err != nil {
		return err
	}
	if all == 0 {
		return nil
	}
	w.log.DebugContext(ctx, "copying table", "table", table, "rows", all)
	r, err := w.db.ExecContext(ctx, "INSERT INTO "+catalog+"."+table+" FROM "+before+"."+table)
	if err != nil {
		return err
	}
	n, err := r.RowsAffected()
	if err != nil {
		return err
	}
	if n != all {
		return fmt.Errorf("%d of %d rows arrived", n, all)
	}
	w.log.DebugContext(ctx, "copied table", "table", table, "rows", n)
	return w.relieve(ctx)
}
