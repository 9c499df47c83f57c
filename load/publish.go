package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
)

// Target is where a warehouse is published to.
type Target struct {
	DuckDB  string // the published file; "": none
	Parquet string // the folder of the Parquet lake; "": none
	// Keep is how many snapshots the lake holds; at least two, so that the one a reader has
	// resolved outlives the next publication.
	Keep  int
	RunID string // names the new snapshot of the lake
	// Alone removes all older snapshots, whatever Keep says: see [Warehouse.Purge].
	Alone bool
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
	defer func() { err = errors.Join(err, w.closeDatabase()) }()
	w.layOut(ctx)
	id, err := readIdentity(ctx, w.db)
	if err != nil {
		return p, fmt.Errorf("publish: %w", fileError(w.path, err))
	}
	file, err := w.fileDue(ctx, t.DuckDB, id)
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
	if file != nil {
		if c, err = w.slim(ctx); err != nil {
			return c, fmt.Errorf("compact the working database: %w", fileError(w.path, err))
		}
	}
	if err := w.settle(ctx); err != nil {
		return c, fmt.Errorf("settle the working database: %w", fileError(w.path, err))
	}
	if next != nil {
		if err := w.export(ctx, next); err != nil {
			return c, fmt.Errorf("publish %s: %w", next.lake, fileError(next.lake, err))
		}
	}
	if file != nil {
		if err := w.copyFile(ctx, file); err != nil {
			return c, fmt.Errorf("publish %s: %w", file.path, errors.Join(err, removeIfThere(file.temporary)))
		}
	}
	return c, nil
}

// export writes the snapshot from the settled database. It is opened anew for that: the memory that
// a DuckDB has used for large transactions is not given back, and writing Parquet needs as much.
func (w *Warehouse) export(ctx context.Context, next *snapshot) (err error) {
	if w.db, err = w.connect(ctx); err != nil {
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

// copied is a published file on its way.
type copied struct {
	path      string // of the file itself, links resolved
	temporary string
	identity  identity
	bytes     int64
}

// fileDue says what to publish to the file at path: nil when it already is what we have.
func (w *Warehouse) fileDue(ctx context.Context, path string, id identity) (*copied, error) {
	if path == "" {
		return nil, nil
	}
	if _, err := databaseName(path); err != nil {
		return nil, err
	}
	path, err := resolve(path)
	if err != nil {
		return nil, err
	}
	state, err := w.inspect(ctx, path)
	if err != nil {
		return nil, err
	}
	if state.known && state.identity.Warehouse != id.Warehouse {
		return nil, &Foreign{Path: path, Reason: "another working database is published there"}
	}
	if state.untouched && state.identity == id {
		return nil, nil
	}
	return &copied{
		path: path, identity: id,
		temporary: filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".publishing"),
	}, nil
}

// copyFile copies the closed working database beside the published one. What an earlier, killed
// publication left there is written over.
func (w *Warehouse) copyFile(ctx context.Context, f *copied) (err error) {
	if err := os.MkdirAll(filepath.Dir(f.path), 0o777); err != nil {
		return err
	}
	w.log.DebugContext(ctx, "copying working database", "to", f.temporary)
	if f.bytes, err = copyDurably(w.path, f.temporary, 0o444); err != nil {
		return err
	}
	w.log.DebugContext(ctx, "copied working database", "to", f.temporary, "bytes", f.bytes)
	return ctx.Err()
}

// replaceFile renames the copy over the published file. A WAL beside it can only come from someone
// who wrote to the published file; DuckDB would replay it into the new one.
func (w *Warehouse) replaceFile(ctx context.Context, f *copied) error {
	wal := f.path + ".wal"
	if _, err := os.Lstat(wal); err == nil {
		w.log.WarnContext(ctx, "removing stray write-ahead log: someone wrote to the published file", "path", wal)
		if err := os.Remove(wal); err != nil {
			return err
		}
	}
	w.log.DebugContext(ctx, "renaming published file", "path", f.path)
	if err := os.Rename(f.temporary, f.path); err != nil {
		return err
	}
	w.log.DebugContext(ctx, "renamed published file", "path", f.path)
	if err := syncDir(filepath.Dir(f.path)); err != nil {
		return err
	}
	return w.remember(ctx, f)
}

// copyDurably copies a file, and returns when the copy is on disk.
func copyDurably(from, to string, mode os.FileMode) (n int64, err error) {
	if err := removeIfThere(to); err != nil {
		return 0, err
	}
	in, err := os.Open(from)
	if err != nil {
		return 0, err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	if n, err = io.Copy(out, in); err != nil {
		return n, err
	}
	if err := out.Chmod(mode); err != nil {
		return n, err
	}
	return n, out.Sync()
}

// syncDir makes the names in a folder durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func removeIfThere(path string) error {
	if err := os.Remove(path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// resolve follows the links of a path whose last element need not exist.
func resolve(path string) (string, error) {
	resolved, err := filepath.EvalSymlinks(path)
	if errors.Is(err, os.ErrNotExist) {
		return filepath.Abs(path)
	}
	if err != nil {
		return "", err
	}
	return filepath.Abs(resolved)
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
