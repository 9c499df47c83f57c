package load

import (
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// keptTime is how the name of an older published file tells when it was published, in UTC. It stands
// before the first dot, so that DuckDB attaches each under a name of its own that needs no quotes:
// warehouse_20261120_041500.duckdb is warehouse_20261120_041500.
const keptTime = "20060102_150405"

func keptName(path string, at time.Time, n int) string {
	dir, base := filepath.Split(path)
	name, rest, dotted := strings.Cut(base, ".")
	name += "_" + at.UTC().Format(keptTime)
	if n > 1 {
		name += "_" + strconv.Itoa(n)
	}
	if dotted {
		name += "." + rest
	}
	return filepath.Join(dir, name)
}

// keepOld gives the published file a second name under which it stays. A file that somebody has
// changed is not what was published, and is not kept.
func (w *Warehouse) keepOld(ctx context.Context, f *copied) error {
	if f.keep == 0 || !f.untouched {
		return nil
	}
	info, err := os.Stat(f.path)
	if err != nil {
		return err
	}
	for n := 1; ; n++ {
		name := keptName(f.path, info.ModTime(), n)
		other, err := os.Lstat(name)
		if err == nil && os.SameFile(info, other) {
			return nil // a publication killed before it renamed has done this
		}
		if errors.Is(err, fs.ErrNotExist) {
			w.log.DebugContext(ctx, "keeping published file", "as", name)
			err = w.keepAs(f, name)
			w.log.DebugContext(ctx, "kept published file", "as", name)
			return err
		}
		if err != nil {
			return err
		}
	}
}

// keepAs gives the file a second name. Where the file system has no hard links it is copied, and also
// when somebody has it open to write, whose next checkpoint would change the night that is kept.
func (w *Warehouse) keepAs(f *copied, name string) error {
	if f.writer == 0 && os.Link(f.path, name) == nil {
		return nil
	}
	if err := f.copyAs(name); err != nil {
		return err
	}
	if _, untouched := w.recognise(f.path); !untouched { // changed while it was copied
		return os.Remove(name)
	}
	return nil
}

// writerOf is the process that has a database open to write, as its lock tells; 0: none is known.
func writerOf(path string) int32 {
	file, err := os.Open(path)
	if err != nil {
		return 0
	}
	defer file.Close()
	lock := syscall.Flock_t{Type: syscall.F_RDLCK, Whence: io.SeekStart}
	if syscall.FcntlFlock(file.Fd(), syscall.F_GETLK, &lock) != nil || lock.Type == syscall.F_UNLCK {
		return 0
	}
	return lock.Pid
}

func (f *copied) copyAs(name string) error {
	temporary := f.keeping()
	if err := copyDurably(f.path, temporary, 0o444); err != nil {
		return errors.Join(err, removeIfThere(temporary))
	}
	return os.Rename(temporary, name)
}

// keeping is where a file that cannot be linked is copied to; a killed publication leaves it.
func (f *copied) keeping() string {
	return filepath.Join(filepath.Dir(f.path), "."+filepath.Base(f.path)+".keeping")
}

// pruneKept removes the oldest of the files that were kept, beyond as many as are to stay. What has
// such a name and is not ours counts for nothing and stays.
func (w *Warehouse) pruneKept(ctx context.Context, f *copied) error {
	names, err := f.kept()
	if err != nil {
		return err
	}
	ours := 0
	for _, name := range names {
		id, err := inspectFile(ctx, name, w.spill())
		if err != nil || id.Warehouse != f.identity.Warehouse {
			w.log.DebugContext(ctx, "leaving a file that was not published here", "path", name, "reason", err)
			continue
		}
		if ours++; ours <= f.keep {
			continue
		}
		w.log.DebugContext(ctx, "removing older published file", "path", name)
		if err := errors.Join(os.Remove(name), removeIfThere(name+".wal")); err != nil {
			return err
		}
	}
	return removeIfThere(f.keeping())
}

// ahead is 1 for a night of a time that has not come: a clock was wrong, and it is not the newest.
func (f *copied) ahead(at string) int {
	if at > f.at.Add(Ahead).UTC().Format(keptTime) {
		return 1
	}
	return 0
}

// kept are the files beside the published one that are named as older ones are, newest first.
func (f *copied) kept() ([]string, error) {
	dir, base := filepath.Split(f.path)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	name, rest, dotted := strings.Cut(base, ".")
	if dotted {
		rest = "." + rest
	}
	pattern := regexp.MustCompile(`^` + regexp.QuoteMeta(name) + `_([0-9]{8}_[0-9]{6})(?:_([0-9]{1,9}))?` + regexp.QuoteMeta(rest) + `$`)
	type candidate struct {
		name, at string
		n        int
	}
	var found []candidate
	for _, e := range entries {
		if m := pattern.FindStringSubmatch(e.Name()); m != nil && e.Type().IsRegular() {
			n, _ := strconv.Atoi(m[2]) // none is the first
			found = append(found, candidate{filepath.Join(dir, e.Name()), m[1], n})
		}
	}
	slices.SortFunc(found, func(a, b candidate) int {
		return cmp.Or(f.ahead(a.at)-f.ahead(b.at), cmp.Compare(b.at, a.at), cmp.Compare(b.n, a.n))
	})
	names := make([]string, len(found))
	for i, c := range found {
		names[i] = c.name
	}
	return names, nil
}
