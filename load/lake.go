package load

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
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
	previous *Manifest // the current snapshot; nil: none of ours to reuse
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
		if previous.identity == id && previous.intact(filepath.Join(lake, "runs", current)) {
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
		manifest: Manifest{Mark: mark, Format: 1, identity: id, RunID: t.RunID, WrittenAt: w.clock().UTC(), Previous: current},
	}, nil
}

// snapshots is how many of them the lake holds afterwards.
func (t Target) snapshots() int {
	if t.Alone {
		return 1
	}
	return max(t.Keep, 2)
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

// part is the rows of one table in one scope.
type part struct {
	service, table, column string
	columns                int
	scope                  string
	generation             int64
}

// path is where the rows of the part lie in a snapshot.
func (p part) path() string {
	return path.Join(p.service, p.table, p.column+"="+url.PathEscape(p.scope), fmt.Sprintf("part-%d.parquet", p.generation))
}

// parts lists all parts of all tables that readers see.
func parts(ctx context.Context, db *sql.DB) ([]part, error) {
	rows, err := db.QueryContext(ctx, `SELECT t.service, t.name, t.scope_column, d.column_count, p.scope, p.generation
		FROM _exactduck.tables t JOIN _exactduck.parts p ON p.table_name = t.service || '.' || t.name
		JOIN duckdb_tables() d ON d.database_name = current_database() AND d.schema_name = t.service AND d.table_name = t.name
		WHERE t.service <> '_exactduck' ORDER BY ALL`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []part
	for rows.Next() {
		var p part
		if err := rows.Scan(&p.service, &p.table, &p.column, &p.columns, &p.scope, &p.generation); err != nil {
			return nil, err
		}
		if !filepath.IsLocal(filepath.FromSlash(p.path())) {
			return nil, fmt.Errorf("%s.%s cannot name a folder", p.service, p.table)
		}
		all = append(all, p)
	}
	return all, rows.Err()
}

// writeSnapshot writes the snapshot where no reader looks for it.
func (w *Warehouse) writeSnapshot(ctx context.Context, s *snapshot) error {
	all, err := parts(ctx, w.db)
	if err != nil {
		return err
	}
	if err := os.RemoveAll(s.folder); err != nil {
		return err
	}
	w.log.DebugContext(ctx, "writing snapshot", "folder", s.folder, "parts", len(all))
	if err := os.MkdirAll(s.folder, 0o777); err != nil {
		return err
	}
	for _, p := range all {
		f, err := w.writePart(ctx, s, p)
		if err != nil {
			return fmt.Errorf("%s.%s of %s: %w", p.service, p.table, p.scope, err)
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

// writePart puts the rows of one part into the snapshot: the file of the snapshot before once
// more, if they have not changed since, else a new one.
func (w *Warehouse) writePart(ctx context.Context, s *snapshot, p part) (ManifestFile, error) {
	to := filepath.Join(s.folder, filepath.FromSlash(p.path()))
	if err := os.MkdirAll(filepath.Dir(to), 0o777); err != nil {
		return ManifestFile{}, err
	}
	if f, ok := s.reuse(p, to); ok {
		return f, nil
	}
	return w.exportPart(ctx, p, to)
}

// reuse links the file of the snapshot before. Where that is impossible, be it for the file system
// or because somebody removed the file, it is written anew.
func (s *snapshot) reuse(p part, to string) (ManifestFile, bool) {
	if s.previous == nil || s.previous.History != s.manifest.History {
		return ManifestFile{}, false
	}
	f, ok := s.previous.find(p.service+"."+p.table, p.scope, p.generation)
	folder := filepath.Join(s.lake, "runs", s.manifest.Previous)
	if !ok || !f.liesIn(folder) || os.Link(filepath.Join(folder, filepath.FromSlash(f.Path)), to) != nil {
		return ManifestFile{}, false
	}
	f.Path = p.path()
	s.reused++
	return f, true
}

// exportPart writes the rows of a part to a Parquet file. The column of the scope is in the file
// as well as in the folder's name, so that a file read on its own has all columns and their types.
func (w *Warehouse) exportPart(ctx context.Context, p part, to string) (ManifestFile, error) {
	f := ManifestFile{Path: p.path(), Table: p.service + "." + p.table, Scope: p.scope, Generation: p.generation}
	w.log.DebugContext(ctx, "writing file", "path", to)
	query := fmt.Sprintf("COPY (FROM %s.%s WHERE %s = %s) TO %s (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE %d)",
		identifier(p.service), identifier(p.table), identifier(p.column), literal(p.scope), literal(to), p.rowGroup())
	if err := w.db.QueryRowContext(ctx, query).Scan(&f.Rows); err != nil {
		return f, err
	}
	if err := f.seal(to); err != nil {
		return f, err
	}
	w.log.DebugContext(ctx, "wrote file", "path", to, "rows", f.Rows, "bytes", f.Bytes)
	return f, nil
}

// rowGroup is how many rows DuckDB is to hold in memory until it writes them: as many as it would by
// itself, but no more than some two million values, since it does that outside its memory limit.
func (p part) rowGroup() int {
	const whole, values = 122_880, 2_000_000
	return min(whole, max(2048, values/max(p.columns, 1)))
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
