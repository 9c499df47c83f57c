package load

import (
	"context"
	"errors"
	"os"
)

// StrayLog is the write-ahead log that lies beside the published file at target; "": there is none. It
// comes from somebody who has that file, or one that was published before under its name, open to write.
// Who opens the file reads what the log says as if it were in it.
func StrayLog(target string) string {
	path, err := resolve(target)
	if err != nil {
		return ""
	}
	if _, err := os.Lstat(path + ".wal"); err != nil {
		return ""
	}
	return path + ".wal"
}

// RemoveStray removes the stray log of a warehouse, as a publication would, when that takes nothing from
// anybody: the file is the one that was published last, and nobody has it open to write. While a run
// holds the warehouse nothing is done.
func RemoveStray(ctx context.Context, o Options) error {
	w, err := newWarehouse(o)
	if err != nil {
		return err
	}
	wal := StrayLog(o.Target)
	if wal == "" {
		return nil
	}
	o.Wait, o.Brief = false, true
	lock, err := acquire(ctx, w.beside(".lock"), o)
	if errors.As(err, new(*Busy)) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = lock.Close() }()
	path, err := resolve(o.Target)
	if err != nil {
		return err
	}
	if _, untouched := w.recognise(path); !untouched || writerOf(path) > 0 {
		return nil
	}
	return w.removeStray(ctx, &copied{path: path})
}
