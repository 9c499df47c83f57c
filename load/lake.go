package load

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"exactduck/schema"
)

// unfinished begins the names of folders that no reader is ever led to, temporaryLink those of links.
const (
	unfinished    = ".unfinished-"
	temporaryLink = ".current-"
)

// snapshot is a snapshot of the lake on its way.
type snapshot struct {
	lake     string
	name     string // of its folder in runs/
	folder   string // where it is written
	keep     int
	manifest Manifest
	previous *Manifest                    // the current snapshot; nil: none of ours to reuse
	files    map[[2]string][]ManifestFile // of that one, by table and scope
	shares   []share
	reused   int
}

// lakeDue says what to write to the lake: nil when its current snapshot already is what we have.
func (w *Warehouse) lakeDue(ctx context.Context, t Target, id identity) (*snapshot, error) {
	if t.Parquet == "" {
		return nil, nil
	}
	lake, err := resolve(t.Parquet)
	if err != nil {
		return nil, err
	}
	current, previous, err := currentSnapshot(lake)
	if err != nil {
		return nil, err
	}
	if previous != nil {
		if previous.Warehouse != id.Warehouse {
			return nil, &Foreign{Path: lake, Reason: "another working database is published there"}
		}
		previous.distrust(t.Spoilt)
		if len(t.Spoilt) == 0 && previous.identity == id && previous.Format == lakeFormat && previous.Partition == t.Partition && previous.intact(filepath.Join(lake, "runs", current)) {
			// A publication killed after it switched the link has not cleaned up.
			return nil, w.prune(ctx, &snapshot{lake: lake, name: current, keep: t.snapshots(), manifest: *previous})
		}
	}
	name, err := snapshotName(lake, t.RunID)
	if err != nil {
		return nil, err
	}
	w.log.DebugContext(ctx, "lake is due", "snapshot", name, "previous", current)
	return &snapshot{
		lake: lake, name: name, folder: filepath.Join(lake, "runs", unfinished+name), keep: t.snapshots(), previous: previous,
		manifest: Manifest{
			Mark: mark, Format: lakeFormat, identity: id, RunID: t.RunID, WrittenAt: w.clock().UTC(), Previous: current, Partition: t.Partition,
		},
	}, nil
}

// currentSnapshot reads where the link of the lake leads: to no folder yet, which is not an
// error, or to one of ours.
func currentSnapshot(lake string) (name string, m *Manifest, err error) {
	link := filepath.Join(lake, "current")
	to, err := os.Readlink(link)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil, nil
	}
	if err != nil {
		return "", nil, &Foreign{Path: link, Reason: "it is not a link"}
	}
	dir, name := path.Split(filepath.ToSlash(to))
	if dir != "runs/" || name == "" {
		return "", nil, &Foreign{Path: link, Reason: "it leads to " + to}
	}
	folder := filepath.Join(lake, "runs", name)
	if _, err := os.Stat(folder); errors.Is(err, fs.ErrNotExist) {
		return "", nil, nil // someone removed the snapshots; they can be written again
	}
	m, err = ReadManifest(folder)
	return name, m, err
}

// snapshotName is a name for the snapshot of a run that no folder has yet.
func snapshotName(lake, run string) (string, error) {
	if run == "" || strings.HasPrefix(run, ".") || strings.ContainsAny(run, `/\`) {
		return "", fmt.Errorf("the run id %q cannot name a folder", run)
	}
	name := run
	for n := 2; ; n++ {
		_, err := os.Lstat(filepath.Join(lake, "runs", name))
		if errors.Is(err, fs.ErrNotExist) {
			return name, nil
		}
		if err != nil {
			return "", err
		}
		name = run + "." + strconv.Itoa(n)
	}
}

// planSnapshot finds out what the snapshot consists of, and what of that has to be written.
func (w *Warehouse) planSnapshot(ctx context.Context, s *snapshot) error {
	all, err := parts(ctx, w.db)
	if err != nil {
		return err
	}
	for _, p := range all {
		shares, err := w.shares(ctx, s, p)
		if err != nil {
			return fmt.Errorf("%s.%s of %s: %w", p.service, p.table, p.scope, err)
		}
		s.shares = append(s.shares, shares...)
	}
	return nil
}

// demand is the room that the files to be written take: as much as those in whose place they come, or a
// byte a value, which is little.
func (s *snapshot) demand() demand {
	var bytes int64
	for _, one := range s.shares {
		switch {
		case one.reused:
		case one.last != nil:
			bytes += one.last.Bytes
		default:
			bytes += one.rows * int64(len(one.fields))
		}
	}
	return demand{s.folder, bytes}
}

// writeSnapshot writes the snapshot where no reader looks for it.
func (w *Warehouse) writeSnapshot(ctx context.Context, s *snapshot) error {
	if err := os.RemoveAll(s.folder); err != nil {
		return err
	}
	w.log.DebugContext(ctx, "writing snapshot", "folder", s.folder, "files", len(s.shares))
	if err := os.MkdirAll(s.folder, 0o777); err != nil {
		return err
	}
	for _, one := range s.shares {
		f, err := w.writeShare(ctx, s, one)
		if err != nil {
			return fmt.Errorf("%s.%s of %s: %w", one.service, one.table, one.scope, err)
		}
		s.manifest.Files = append(s.manifest.Files, f)
	}
	if err := s.manifest.write(s.folder); err != nil {
		return err
	}
	if err := syncTree(s.folder); err != nil {
		return err
	}
	w.log.DebugContext(ctx, "wrote snapshot", "folder", s.folder, "files", len(s.manifest.Files), "reused", s.reused)
	return nil
}

// writeShare puts the rows of one file into the snapshot: the file of the snapshot before once more, if
// they have not changed since and the file system can, else a new one.
func (w *Warehouse) writeShare(ctx context.Context, s *snapshot, one share) (ManifestFile, error) {
	if f := one.last; one.reused {
		from, to := filepath.FromSlash(f.Path), filepath.Join(s.folder, filepath.FromSlash(f.Path))
		if err := os.MkdirAll(filepath.Dir(to), 0o777); err != nil {
			return *f, err
		}
		if os.Link(filepath.Join(s.folderBefore(), from), to) == nil {
			s.reused++
			f.Seen = one.generation
			return *f, nil
		}
	}
	return w.exportShare(ctx, s, one)
}

// folderBefore is where the snapshot before lies.
func (s *snapshot) folderBefore() string { return filepath.Join(s.lake, "runs", s.manifest.Previous) }

// exportShare writes the rows of a share to a Parquet file. The column of the scope is in the file
// as well as in the folder's name, so that a file read on its own has all columns and their types.
func (w *Warehouse) exportShare(ctx context.Context, s *snapshot, one share) (ManifestFile, error) {
	f := ManifestFile{
		Path: one.path(), Table: one.service + "." + one.table, Scope: one.scope, Year: one.year, Content: one.content,
		Generation: one.generation, Seen: one.generation,
	}
	to := filepath.Join(s.folder, filepath.FromSlash(f.Path))
	if err := os.MkdirAll(filepath.Dir(to), 0o777); err != nil {
		return f, err
	}
	w.log.DebugContext(ctx, "writing file", "path", to)
	if err := w.exportSorted(ctx, one, to, &f); err != nil {
		return f, err
	}
	if err := f.seal(to); err != nil {
		return f, err
	}
	w.log.DebugContext(ctx, "wrote file", "path", to, "rows", f.Rows, "bytes", f.Bytes)
	return f, nil
}

// exportSorted sorts the rows if there are not too many to be sorted, nor turn out to be.
func (w *Warehouse) exportSorted(ctx context.Context, one share, to string, f *ManifestFile) error {
	if by := one.sorting(); len(by) > 0 {
		quoted := make([]string, len(by))
		for i, name := range by {
			quoted[i] = identifier(name)
		}
		err := w.exportInOrder(ctx, one, " ORDER BY "+strings.Join(quoted, ", "), to, f)
		if err == nil {
			f.SortedBy = by
			return nil
		}
		if !strings.Contains(err.Error(), "Out of Memory") {
			return err
		}
		w.log.DebugContext(ctx, "too much to sort", "path", to)
		if err := removeIfThere(to); err != nil {
			return err
		}
	}
	return w.exportInOrder(ctx, one, "", to, f)
}

func (w *Warehouse) exportInOrder(ctx context.Context, one share, order, to string, f *ManifestFile) error {
	return w.db.QueryRowContext(ctx, fmt.Sprintf("COPY (SELECT %s FROM %s%s) TO %s (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE %d)",
		one.columns(), one.from(), order, literal(to), one.rowGroup())).Scan(&f.Rows)
}

// columns are all columns, as they are in the files: of the same types, but for UUIDs, which are text there.
// Spark refuses a file with a UUID in it, and to pandas and Polars it is sixteen bytes.
func (p part) columns() string {
	list := make([]string, len(p.fields))
	for i, f := range p.fields {
		if list[i] = identifier(f.name); f.kind == schema.UUID.String() {
			list[i] += "::VARCHAR AS " + list[i]
		}
	}
	return strings.Join(list, ", ")
}

// rowGroup is how many rows DuckDB is to hold in memory until it writes them: as many as it would by
// itself, but no more than some two million values, since it does that outside its memory limit.
func (p part) rowGroup() int {
	const whole, values = 122_880, 2_000_000
	return min(whole, max(2048, values/max(len(p.fields), 1)))
}

// discard removes what was written of a snapshot that will not be; should that fail, the next
// publication does it.
func (s *snapshot) discard() {
	if s != nil {
		_ = os.RemoveAll(s.folder)
	}
}

// switchLink makes the snapshot the current one and removes what nobody needs any more.
func (w *Warehouse) switchLink(ctx context.Context, s *snapshot) error {
	runs := filepath.Join(s.lake, "runs")
	w.log.DebugContext(ctx, "renaming snapshot", "name", s.name)
	if err := os.Rename(s.folder, filepath.Join(runs, s.name)); err != nil {
		return err
	}
	if err := syncDir(runs); err != nil {
		return err
	}
	temporary := filepath.Join(s.lake, temporaryLink+s.name)
	if err := os.Symlink(filepath.Join("runs", s.name), temporary); err != nil {
		return err
	}
	w.log.DebugContext(ctx, "switching link", "snapshot", s.name)
	if err := os.Rename(temporary, filepath.Join(s.lake, "current")); err != nil {
		return errors.Join(err, removeIfThere(temporary))
	}
	w.log.DebugContext(ctx, "switched link", "snapshot", s.name)
	if err := syncDir(s.lake); err != nil {
		return err
	}
	return w.prune(ctx, s)
}

// prune removes the snapshots beyond those to keep, and what killed publications left.
func (w *Warehouse) prune(ctx context.Context, s *snapshot) error {
	kept, err := s.chain()
	if err != nil {
		return err
	}
	runs := filepath.Join(s.lake, "runs")
	entries, err := os.ReadDir(runs)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if kept[e.Name()] || !s.ours(e) {
			continue
		}
		w.log.DebugContext(ctx, "removing snapshot", "name", e.Name())
		if err := removeSnapshot(runs, e.Name()); err != nil {
			return err
		}
	}
	return removeLinks(s.lake)
}

// removeLinks removes the links that a killed publication had not renamed yet.
func removeLinks(lake string) error {
	entries, err := os.ReadDir(lake)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), temporaryLink) {
			if err := removeIfThere(filepath.Join(lake, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// chain names the snapshot and as many of those before it as are to be kept.
func (s *snapshot) chain() (map[string]bool, error) {
	kept := map[string]bool{s.name: true}
	for previous := s.manifest.Previous; previous != "" && len(kept) < s.keep && !kept[previous]; {
		kept[previous] = true
		m, err := ReadManifest(filepath.Join(s.lake, "runs", previous))
		if _, gone := errors.AsType[*Foreign](err); gone {
			break // removed by hand
		}
		if err != nil {
			return nil, err
		}
		previous = m.Previous
	}
	return kept, nil
}

// ours tells whether a folder is one that we wrote for this warehouse.
func (s *snapshot) ours(e fs.DirEntry) bool {
	if strings.HasPrefix(e.Name(), unfinished) {
		return true
	}
	m, err := ReadManifest(filepath.Join(s.lake, "runs", e.Name()))
	return err == nil && m.Warehouse == s.manifest.Warehouse
}

// removeSnapshot removes a folder under a name that the next publication would remove, too.
func removeSnapshot(runs, name string) error {
	if !strings.HasPrefix(name, unfinished) {
		if err := os.Rename(filepath.Join(runs, name), filepath.Join(runs, unfinished+name)); err != nil {
			return err
		}
		name = unfinished + name
	}
	return os.RemoveAll(filepath.Join(runs, name))
}

// syncTree makes all names below dir durable.
func syncTree(dir string) error {
	return filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.IsDir() {
			return err
		}
		return syncDir(path)
	})
}
