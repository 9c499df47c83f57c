package load

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// olderMark is in the names of copies of the working database in an older format.
const olderMark = ".format"

// keepOlder copies the working database as it is, for whoever has to go back to the version of this
// program that wrote it, until the first publication in the new format. It fails with *[NoRoom],
// before anything is written, when the disk does not hold the copy.
func (w *Warehouse) keepOlder(ctx context.Context, format int) error {
	to := fmt.Sprintf("%s%s%d", w.path, olderMark, format)
	if err := w.settle(ctx); err != nil {
		return err
	}
	w.log.DebugContext(ctx, "copying working database", "to", to)
	if err := w.copyOlder(to); err != nil {
		return errors.Join(err, removeIfThere(to))
	}
	w.log.WarnContext(ctx, "the warehouse is brought to a new format; a copy of it as it was stays until the next publication",
		"from", format, "to", len(migrations), "copy", to)
	db, err := w.connect(ctx)
	if err != nil {
		return err
	}
	w.db = db
	return nil
}

// OlderCopy is the path of the copy of a working database that was kept in a format which a version of this
// program knows; "": there is none.
func OlderCopy(path string, known int) string {
	for format := known; format > 0; format-- {
		copied := fmt.Sprintf("%s%s%d", path, olderMark, format)
		if _, err := os.Stat(copied); err == nil {
			return copied
		}
	}
	return ""
}

func (w *Warehouse) copyOlder(to string) error {
	info, err := os.Stat(w.path)
	if err != nil {
		return err
	}
	if err := removeIfThere(to); err != nil { // a run that was killed left it
		return err
	}
	if w.clone(w.path, to) != nil {
		if err := errors.Join(removeIfThere(to), room(demand{to, info.Size()})); err != nil {
			return err
		}
		if _, err := copyContents(w.path, to); err != nil {
			return err
		}
	}
	return errors.Join(sealFile(to, 0o600), syncDir(filepath.Dir(to)))
}

// letGoOfOlder removes the copies in older formats.
func (w *Warehouse) letGoOfOlder(ctx context.Context) error {
	entries, err := os.ReadDir(w.state)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), filepath.Base(w.path)+olderMark) {
			continue
		}
		w.log.InfoContext(ctx, "removing the copy of the warehouse in an older format", "copy", e.Name())
		if err := removeIfThere(filepath.Join(w.state, e.Name())); err != nil {
			return err
		}
	}
	return nil
}
