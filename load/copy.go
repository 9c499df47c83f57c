package load

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"
)

// copied is a published file on its way.
type copied struct {
	path      string // of the file itself, links resolved
	temporary string
	identity  identity
	keep      int  // how many older files stay beside it
	untouched bool // what is there now is what we put there
	bytes     int64
	cloned    bool // temporary is there already, and took no room
	at        time.Time
	writer    int32 // the process that has the published file open to write; 0: none is known
}

// fileDue says what to publish to the file: nil when it already is what we have.
func (w *Warehouse) fileDue(ctx context.Context, t Target, id identity) (*copied, error) {
	if t.DuckDB == "" {
		return nil, nil
	}
	if _, err := databaseName(t.DuckDB); err != nil {
		return nil, err
	}
	path, err := resolve(t.DuckDB)
	if err != nil {
		return nil, err
	}
	state, err := w.inspect(ctx, path)
	if _, held := errors.AsType[*Busy](err); held {
		state, err = w.inspectHeld(ctx, path, err)
	}
	if err != nil {
		return nil, err
	}
	if state.known && state.identity.Warehouse != id.Warehouse {
		return nil, &Foreign{Path: path, Reason: "another working database is published there"}
	}
	f := &copied{
		path: path, identity: id, keep: t.older(), untouched: state.untouched, at: w.clock(),
		temporary: filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".publishing"),
	}
	if state.untouched && state.identity == id {
		return nil, errors.Join(w.removeStray(ctx, f), w.pruneKept(ctx, f))
	}
	return f, nil
}

// begin finds out how large the copy will be, and makes it at once where the file system can let two
// files share their blocks: that takes no room. What an earlier, killed publication left is written over.
func (w *Warehouse) begin(ctx context.Context, f *copied) error {
	info, err := os.Stat(w.path)
	if err != nil {
		return err
	}
	f.bytes = info.Size()
	if err := os.MkdirAll(filepath.Dir(f.path), 0o777); err != nil {
		return err
	}
	if err := removeIfThere(f.temporary); err != nil {
		return err
	}
	w.log.DebugContext(ctx, "cloning working database", "to", f.temporary)
	if err := w.clone(w.path, f.temporary); err != nil {
		return removeIfThere(f.temporary)
	}
	f.cloned = true
	w.log.DebugContext(ctx, "cloned working database", "to", f.temporary)
	return nil
}

// demand is the room that the copy takes.
func (f *copied) demand() demand {
	if f == nil || f.cloned {
		return demand{}
	}
	return demand{f.path, f.bytes}
}

// copyFile copies the closed working database beside the published one, unless that was done by begin.
func (w *Warehouse) copyFile(ctx context.Context, f *copied) (err error) {
	if !f.cloned {
		w.log.DebugContext(ctx, "copying working database", "to", f.temporary)
		if f.bytes, err = copyContents(w.path, f.temporary); err != nil {
			return err
		}
		w.log.DebugContext(ctx, "copied working database", "to", f.temporary, "bytes", f.bytes)
	}
	if err := os.Chtimes(f.temporary, f.at, f.at); err != nil {
		return err
	}
	if err := sealFile(f.temporary, 0o444); err != nil {
		return err
	}
	return ctx.Err()
}

// replaceFile renames the copy over the published file, which stays under another name if that is wanted.
func (w *Warehouse) replaceFile(ctx context.Context, f *copied) error {
	if f.writer = writerOf(f.path); f.writer > 0 {
		w.log.WarnContext(ctx, "someone has the published file open to write; end that process, or readers may see what it writes until the next run",
			"path", f.path, "process", f.writer)
	}
	if err := w.removeStray(ctx, f); err != nil {
		return err
	}
	if err := w.keepOld(ctx, f); err != nil {
		return err
	}
	w.log.DebugContext(ctx, "renaming published file", "path", f.path)
	if err := os.Rename(f.temporary, f.path); err != nil {
		return err
	}
	w.log.DebugContext(ctx, "renamed published file", "path", f.path)
	if err := syncDir(filepath.Dir(f.path)); err != nil {
		return err
	}
	return errors.Join(w.remember(ctx, f), w.pruneKept(ctx, f))
}

// removeStray removes a WAL beside the published file. It can only come from someone who wrote to
// that file; readers would see what it says, and DuckDB would replay it into the next file.
func (w *Warehouse) removeStray(ctx context.Context, f *copied) error {
	wal := f.path + ".wal"
	if _, err := os.Lstat(wal); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	w.log.WarnContext(ctx, "removing stray write-ahead log: someone wrote to the published file", "path", wal)
	return removeIfThere(wal)
}

// copyDurably copies a file, and returns when the copy is on disk.
func copyDurably(from, to string, mode os.FileMode) error {
	if err := removeIfThere(to); err != nil {
		return err
	}
	if err := cloneFile(from, to); err != nil {
		if err := removeIfThere(to); err != nil {
			return err
		}
		if _, err := copyContents(from, to); err != nil {
			return err
		}
	}
	return sealFile(to, mode)
}

// copyContents copies a file to a path where there is none.
func copyContents(from, to string) (n int64, err error) {
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
	return io.Copy(out, in)
}

// sealFile gives a file its mode and makes it durable.
func sealFile(path string, mode os.FileMode) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(file.Chmod(mode), file.Sync(), file.Close())
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
