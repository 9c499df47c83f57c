package load

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Condition is how the files of a warehouse are, without anything being changed.
type Condition struct {
	Working, Published FileCondition
	// Busy is who holds the lock; nil: nobody. Then the working database was not looked into.
	Busy *Busy
}

// FileCondition is how a database file is. The zero value is a file that is not there.
type FileCondition struct {
	Path   string
	There  bool
	Size   int64
	Format int // that it is in; 0: unknown
	// Err is what is wrong with it: *[Damaged], *[Newer], *[Foreign], or of the file system.
	Err error
}

// Examine looks at the files of a warehouse as [Open] would, and makes none. While it looks into the
// working database it holds the lock, as a run would.
func Examine(ctx context.Context, o Options) (c Condition, err error) {
	w, err := newWarehouse(o)
	if err != nil {
		return c, err
	}
	if w.target != "" {
		c.Published = examine(ctx, w.target, w.spill()+".published")
	}
	c.Working = FileCondition{Path: w.path}
	if _, err := os.Stat(w.path); errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	lock, err := acquire(ctx, w.beside(".lock"), Options{Brief: true})
	if busy, ok := errors.AsType[*Busy](err); ok {
		c.Busy = busy
		c.Working, _ = measure(w.path)
		return c, nil
	}
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	c.Working = examine(ctx, w.path, w.spill()+".examined")
	return c, nil
}

func measure(path string) (f FileCondition, err error) {
	f.Path = path
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err != nil {
		f.There, f.Err = true, err
		return f, err
	}
	f.There, f.Size = true, info.Size()
	return f, nil
}

func examine(ctx context.Context, path, spill string) FileCondition {
	f, err := measure(path)
	if err != nil || !f.There {
		return f
	}
	f.Format, f.Err = peruse(ctx, path, spill)
	return f
}

// peruse reads the format of a database file of ours.
func peruse(ctx context.Context, path, spill string) (format int, err error) {
	db, err := openReadOnly(ctx, path, "examined", spill)
	if err != nil {
		return 0, fmt.Errorf("open %s: %w", path, err)
	}
	defer func() { err = errors.Join(err, db.Close(), os.RemoveAll(spill)) }()
	if format, err = formatOf(ctx, db); err != nil {
		return 0, fileError(path, err)
	}
	switch {
	case format == 0:
		return 0, &Foreign{Path: path, Reason: "it is a database without our mark"}
	case format > len(migrations):
		return format, &Newer{Path: path, Format: format, Known: len(migrations)}
	}
	return format, nil
}
