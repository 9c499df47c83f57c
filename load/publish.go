package load

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// Target is where a warehouse is published to.
type Target struct {
	DuckDB  string // the published file; "": none
	Parquet string // the folder of the Parquet lake; "": none
	// Partition is [ByYear] or "": how finely the files of the lake divide the rows of a division.
	Partition string
	// Keep is how many older published files stay beside the file, and how many older snapshots in the
	// lake; of those at least one, so that what a reader has resolved outlives the next publication.
	Keep int
	// Alone says that nothing older stays, because it holds what nobody is to find any more.
	Alone bool
	RunID string // names the new snapshot of the lake
	// Spoilt are the files of the current snapshot that the next one is not to take over, see [SpoiltFiles].
	Spoilt []Spoilt
}

// older is how many older files are to stay.
func (t Target) older() int {
	if t.Alone {
		return 0
	}
	return max(t.Keep, 0)
}

// snapshots is how many snapshots the lake is to hold.
func (t Target) snapshots() int {
	if t.Alone {
		return 1
	}
	return max(t.Keep, 1) + 1
}

// Published says what a publication did.
type Published struct {
	DuckDB, Parquet bool  // whether each was written: what has not changed is left alone
	Bytes           int64 // of the published file, when it was written
	Files, Reused   int   // of the lake, when it was written; Reused counts hard links among Files
	Snapshot        string
	Compacted       *Compacted // nil: the working database was not written anew
}

// Publish gives the state of the warehouse to its readers and closes the warehouse, whether it
// succeeds or not; the lock is kept until [Warehouse.Close]. Both targets are prepared completely
// before either is switched, and killed at any point each is the old one or the new one. It fails
// with *[Foreign], before anything is written, when a target is not ours.
func (w *Warehouse) Publish(ctx context.Context, t Target) (p Published, err error) {
	defer func() {
		err = errors.Join(err, w.closeDatabase())
		if err == nil {
			err = w.letGoOfOlder(ctx)
		}
	}()
	w.layOut(ctx)
	if err := w.gather(ctx); err != nil {
		return p, fmt.Errorf("publish: %w", fileError(w.path, err))
	}
	id, err := readIdentity(ctx, w.db)
	if err != nil {
		return p, fmt.Errorf("publish: %w", fileError(w.path, err))
	}
	file, err := w.fileDue(ctx, t, id)
	if err != nil {
		return p, fmt.Errorf("publish %s: %w", t.DuckDB, err)
	}
	next, err := w.lakeDue(ctx, t, id)
	if err != nil {
		return p, fmt.Errorf("publish %s: %w", t.Parquet, err)
	}
	if file == nil && next == nil {
		w.log.DebugContext(ctx, "nothing to publish", "generation", id.Generation)
		return p, nil
	}
	if p.Compacted, err = w.prepare(ctx, file, next); err != nil {
		next.discard()
		return p, err
	}
	err = w.switchTo(ctx, file, next, &p)
	return p, err
}

// prepare writes all that is new, where no reader looks for it.
func (w *Warehouse) prepare(ctx context.Context, file *copied, next *snapshot) (c *Compacted, err error) {
	if c, err = w.slim(ctx); err != nil {
		return c, fmt.Errorf("compact the working database: %w", fileError(w.path, err))
	}
	if err := w.settle(ctx); err != nil {
		return c, fmt.Errorf("settle the working database: %w", fileError(w.path, err))
	}
	if file != nil {
		if err := w.begin(ctx, file); err != nil {
			return c, fmt.Errorf("publish %s: %w", file.path, err)
		}
	}
	if err := w.write(ctx, file, next); err != nil {
		if file != nil {
			err = errors.Join(err, removeIfThere(file.temporary))
		}
		return c, err
	}
	return c, nil
}

// write writes the snapshot and the copy, once there is room for both.
func (w *Warehouse) write(ctx context.Context, file *copied, next *snapshot) error {
	if next != nil {
		if err := w.export(ctx, next, file.demand()); err != nil {
			return fmt.Errorf("publish %s: %w", next.lake, fileError(next.lake, err))
		}
	}
	if file != nil {
		err := room(file.demand())
		if err == nil {
			err = w.copyFile(ctx, file)
		}
		if err != nil {
			return fmt.Errorf("publish %s: %w", file.path, err)
		}
	}
	return nil
}

// export writes the snapshot from the settled database. It is opened anew for that: the memory that
// a DuckDB has used for large transactions is not given back, and writing Parquet needs as much.
func (w *Warehouse) export(ctx context.Context, next *snapshot, other demand) (err error) {
	if w.db, err = w.connect(ctx); err != nil {
		return err
	}
	if err := w.planSnapshot(ctx, next); err != nil {
		return err
	}
	if err := room(next.demand(), other); err != nil {
		return err
	}
	if err := w.writeSnapshot(ctx, next); err != nil {
		return err
	}
	return w.settle(ctx)
}

// switchTo lets readers see what prepare has written.
func (w *Warehouse) switchTo(ctx context.Context, file *copied, next *snapshot, p *Published) error {
	if file != nil {
		if err := w.replaceFile(ctx, file); err != nil {
			return fmt.Errorf("publish %s: %w", file.path, err)
		}
		p.DuckDB, p.Bytes = true, file.bytes
	}
	if next != nil {
		if err := w.switchLink(ctx, next); err != nil {
			return fmt.Errorf("publish %s: %w", next.lake, err)
		}
		p.Parquet, p.Files, p.Reused = true, len(next.manifest.Files), next.reused
		p.Snapshot = filepath.Join(next.lake, "runs", next.name)
	}
	w.log.InfoContext(ctx, "published", "duckdb", p.DuckDB, "parquet", p.Parquet, "bytes", p.Bytes,
		"files", p.Files, "reused", p.Reused)
	return nil
}

// settle writes everything into the working file and closes it, so that the file alone is the
// whole database and nothing of it is open in this process: closing any other handle of a file
// that DuckDB has open would drop DuckDB's lock on it.
func (w *Warehouse) settle(ctx context.Context) error {
	if w.db == nil {
		return nil // it already is
	}
	w.log.DebugContext(ctx, "checkpointing working database", "path", w.path)
	if _, err := w.db.ExecContext(ctx, "CHECKPOINT "+catalog); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	if n := w.db.Stats().InUse; n > 0 {
		return fmt.Errorf("%d queries are still open", n)
	}
	if err := w.closeDatabase(); err != nil {
		return fmt.Errorf("close: %w", err)
	}
	wal, err := os.Stat(w.path + ".wal")
	if err == nil && wal.Size() > 0 {
		return fmt.Errorf("%s still holds %d bytes", w.path+".wal", wal.Size())
	}
	w.log.DebugContext(ctx, "closed working database", "path", w.path)
	return nil
}

// identity is what tells one state of one warehouse from every other.
type identity struct {
	Warehouse  string `json:"warehouse"`
	History    string `json:"history"` // new whenever generations may be counted a second time
	Generation int64  `json:"generation"`
}

func readIdentity(ctx context.Context, q rowQuerier) (id identity, err error) {
	var generation string
	for key, value := range map[string]*string{
		"warehouse": &id.Warehouse, "history": &id.History, "generation": &generation,
	} {
		if *value, err = meta(ctx, q, key); err != nil {
			return id, err
		}
	}
	id.Generation, err = strconv.ParseInt(generation, 10, 64)
	return id, err
}
