package load

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"github.com/google/renameio/v2"
	"github.com/google/uuid"
)

// published is what is known of the file at a target.
type published struct {
	known     bool // it is one of ours
	untouched bool // it is the very file that we put there, so identity needs no second look
	identity  identity
}

// imprint is how we know a published file again without opening it, kept in the state directory.
type imprint struct {
	Path     string   `json:"path"`
	Inode    uint64   `json:"inode"`
	Size     int64    `json:"size"`
	Modified int64    `json:"modified"` // nanoseconds
	Identity identity `json:"identity"`
}

func (w *Warehouse) imprintPath() string { return w.beside(".published.json") }

func takeImprint(path string, id identity) (imprint, error) {
	info, err := os.Stat(path)
	if err != nil {
		return imprint{}, err
	}
	mark := imprint{Path: path, Size: info.Size(), Modified: info.ModTime().UnixNano(), Identity: id}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		mark.Inode = stat.Ino
	}
	return mark, nil
}

// remember takes the imprint of a file just published.
func (w *Warehouse) remember(ctx context.Context, f *copied) error {
	mark, err := takeImprint(f.path, f.identity)
	if err != nil {
		return err
	}
	text, err := json.Marshal(mark)
	if err != nil {
		return err
	}
	w.log.DebugContext(ctx, "noting published file", "path", w.imprintPath())
	if err := renameio.WriteFile(w.imprintPath(), text, 0o600); err != nil {
		return err
	}
	w.log.DebugContext(ctx, "noted published file", "path", w.imprintPath())
	return nil
}

// inspect looks at the file at path. It fails with *[Foreign] when that is none of ours, and with
// *[Busy] when somebody writes to it.
func (w *Warehouse) inspect(ctx context.Context, path string) (published, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return published{}, nil
	}
	if err != nil {
		return published{}, err
	}
	if !info.Mode().IsRegular() {
		return published{}, &Foreign{Path: path, Reason: "it is not a file"}
	}
	if id, ok := w.recognise(path); ok {
		return published{known: true, untouched: true, identity: id}, nil
	}
	id, err := inspectFile(ctx, path, w.spill())
	return published{known: err == nil, identity: id}, err
}

// inspectHeld looks at a copy of a file that somebody writes to, which DuckDB does not open. A copy that does
// not show that the file is ours may be torn: then it stays at what inspect said.
func (w *Warehouse) inspectHeld(ctx context.Context, path string, busy error) (_ published, err error) {
	look := w.beside(".inspecting")
	defer func() { err = errors.Join(err, removeIfThere(look)) }()
	if err := copyDurably(path, look, 0o600); err != nil {
		return published{}, errors.Join(busy, err)
	}
	id, err := inspectFile(ctx, look, w.spill())
	if err != nil {
		return published{}, busy
	}
	return published{known: true, identity: id}, nil
}

// recognise tells whether the file at path is the one that we put there last.
func (w *Warehouse) recognise(path string) (identity, bool) {
	text, err := os.ReadFile(w.imprintPath())
	if err != nil {
		return identity{}, false
	}
	var was imprint
	if json.Unmarshal(text, &was) != nil {
		return identity{}, false
	}
	is, err := takeImprint(path, was.Identity)
	return was.Identity, err == nil && is == was
}

// inspectFile reads the identity of a database that may not be ours.
func inspectFile(ctx context.Context, path, spill string) (id identity, err error) {
	db, err := openReadOnly(ctx, path, "published", spill)
	if _, damaged := errors.AsType[*Damaged](err); damaged {
		return id, &Foreign{Path: path, Reason: "it is not a DuckDB database"}
	}
	if err != nil {
		return id, fmt.Errorf("inspect: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	format, err := formatOf(ctx, db)
	if err != nil || format == 0 {
		return id, &Foreign{Path: path, Reason: "it is a database without our mark"}
	}
	found, err := meta(ctx, db, "mark")
	if err != nil || found != mark {
		return id, &Foreign{Path: path, Reason: "it is a database without our mark"}
	}
	return readIdentity(ctx, db)
}

// adopt makes the published file the working database when there is none: it carries the cursors.
// A published file that is not ours is refused here already, before anything is loaded.
func (w *Warehouse) adopt(ctx context.Context) error {
	if _, err := os.Stat(w.path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := w.setAside(ctx, w.path+".wal"); err != nil {
		return err
	}
	if w.target == "" {
		return nil
	}
	path, err := resolve(w.target)
	if err != nil {
		return err
	}
	state, err := w.inspect(ctx, path)
	if err != nil || !state.known {
		return err
	}
	w.log.WarnContext(ctx, "the working database is missing: going on from the published file", "path", path)
	if err := w.adoptFile(ctx, path); err != nil {
		return fmt.Errorf("go on from %s: %w", path, err)
	}
	return nil
}

// setAside moves a WAL without a database out of the way: DuckDB would replay it into a new one.
func (w *Warehouse) setAside(ctx context.Context, wal string) error {
	err := os.Rename(wal, wal+".orphan")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		w.log.WarnContext(ctx, "a write-ahead log without its database was set aside", "path", wal+".orphan")
	}
	return err
}

// adoptFile copies the published file, begins a new history in the copy, and makes it the working
// database. The published file may be an old one, put back by hand; its generations would then be
// counted a second time, and the lake already holds files by those numbers.
func (w *Warehouse) adoptFile(ctx context.Context, path string) error {
	copyPath := w.path + ".adopting"
	w.log.DebugContext(ctx, "copying published file", "to", copyPath)
	if err := copyDurably(path, copyPath, 0o600); err != nil {
		return errors.Join(err, removeIfThere(copyPath))
	}
	if err := removeIfThere(copyPath + ".wal"); err != nil {
		return err
	}
	adopted := &Warehouse{path: copyPath, state: w.state, log: w.log, memory: w.memory, threads: w.threads}
	if err := adopted.beginHistory(ctx); err != nil {
		return errors.Join(fileError(copyPath, err), adopted.closeDatabase())
	}
	w.log.DebugContext(ctx, "renaming working database", "path", w.path)
	if err := os.Rename(copyPath, w.path); err != nil {
		return err
	}
	w.log.DebugContext(ctx, "renamed working database", "path", w.path)
	return syncDir(w.state)
}

func (w *Warehouse) beginHistory(ctx context.Context) (err error) {
	if w.db, err = w.connect(ctx); err != nil {
		return err
	}
	err = w.inTx(ctx, func(ctx context.Context, c *sql.Conn) error {
		return setMeta(ctx, c, "history", uuid.NewString())
	})
	if err != nil {
		return err
	}
	return w.settle(ctx)
}
