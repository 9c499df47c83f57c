package load

import (
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// query answers one text column from a DuckDB of its own.
func query(t *testing.T, text string) []string {
	t.Helper()
	db, err := sql.Open("duckdb", "?threads=1")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.QueryContext(t.Context(), text)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

func current(t *testing.T, dir string) string {
	t.Helper()
	folder, err := filepath.EvalSymlinks(filepath.Join(dir, "lake", "current"))
	if err != nil {
		t.Fatal(err)
	}
	return folder
}

func TestLakeHasTheRowsColumnsAndTypesOfTheTables(t *testing.T) {
	dir := t.TempDir()
	night(t, dir, "r1", 0, 10, "1", "2")
	table := "published.crm.Accounts"
	attach := "ATTACH " + literal(filepath.Join(dir, "warehouse.duckdb")) + " AS published (READ_ONLY); "
	glob := literal(filepath.Join(current(t, dir), "crm", "Accounts", "**", "*.parquet"))
	describe := " SELECT string_agg(column_name || ' ' || column_type, ', ') FROM (DESCRIBE FROM "
	for name, from := range map[string]string{
		"plain":         "read_parquet(" + glob + ", hive_partitioning = false)",
		"hive":          "(FROM read_parquet(" + glob + ", hive_partitioning = true) SELECT * EXCLUDE in_division)",
		"autodetection": "(FROM read_parquet(" + glob + ") SELECT * EXCLUDE in_division)",
	} {
		want := query(t, attach+describe+"(SELECT * REPLACE (ID::VARCHAR AS ID) FROM "+table+"))")
		if d := cmp.Diff(want, query(t, describe+from+")")); d != "" {
			t.Errorf("%s: columns: %s", name, d)
		}
		ordered := " SELECT COLUMNS(*)::VARCHAR FROM %s ORDER BY ALL"
		rows := func(before, from string) []string {
			return query(t, before+"SELECT x::VARCHAR FROM ("+strings.ReplaceAll(ordered, "%s", from)+") x")
		}
		got := rows("", from)
		if d := cmp.Diff(rows(attach, table), got); d != "" || len(got) != 20 {
			t.Errorf("%s: %d rows: %s", name, len(got), d)
		}
	}
	pruned := query(t, "SELECT count(*)::VARCHAR FROM read_parquet("+glob+", hive_partitioning = true) WHERE in_division = 2 AND _division = 2")
	if d := cmp.Diff([]string{"10"}, pruned); d != "" {
		t.Error(d)
	}
}

func TestManifestTellsEveryFile(t *testing.T) {
	dir := t.TempDir()
	p := night(t, dir, "r1", 0, 10, "1", "2")
	if p.Snapshot != current(t, dir) {
		t.Errorf("Snapshot = %s, want %s", p.Snapshot, current(t, dir))
	}
	m, err := ReadManifest(current(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]bool{manifestName: true}
	for _, f := range m.Files {
		told[f.Path] = true
		text, err := os.ReadFile(filepath.Join(current(t, dir), f.Path))
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(text)
		if f.SHA256 != hex.EncodeToString(sum[:]) || f.Bytes != int64(len(text)) || f.Rows != 10 || f.Generation == 0 {
			t.Errorf("%+v does not tell of a file of %d bytes", f, len(text))
		}
	}
	err = filepath.WalkDir(current(t, dir), func(path string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			name, _ := filepath.Rel(current(t, dir), path)
			if !told[filepath.ToSlash(name)] {
				t.Errorf("%s is not in the manifest", name)
			}
			if info, err := e.Info(); err != nil || info.Mode().Perm()&0o222 != 0 {
				t.Errorf("%s can be written to", name)
			}
		}
		return err
	})
	if err != nil || len(told) != 5 {
		t.Errorf("%d files, %v; want 5", len(told), err)
	}
}

func TestFilesThatDidNotChangeAreHardLinks(t *testing.T) {
	dir := t.TempDir()
	night(t, dir, "r1", 0, 10, "1", "2")
	first := current(t, dir)
	night(t, dir, "r2", 5, 10, "2")
	second := current(t, dir)
	for _, f := range must(ReadManifest(second))(t).Files {
		old, err := os.Stat(filepath.Join(first, f.Path))
		is, err2 := os.Stat(filepath.Join(second, f.Path))
		if err2 != nil {
			t.Fatal(err2)
		}
		if same := err == nil && os.SameFile(old, is); same != (f.Scope == "1") {
			t.Errorf("%s: hard link is %v", f.Path, same)
		}
	}
}

func must[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// TestShapeOfATableReachesAllItsFiles: a change of shape touches no rows, but every file.
func TestShapeOfATableReachesAllItsFiles(t *testing.T) {
	dir := t.TempDir()
	night(t, dir, "r1", 0, 1, "1", "2")
	w := open(t, dir)
	execute(t, w, "ALTER TABLE crm.Accounts ADD COLUMN Fresh INTEGER")
	if err := w.inTx(t.Context(), touchAll("crm.Accounts")); err != nil {
		t.Fatal(err)
	}
	if p := publish(t, w, dir, "r2"); p.Files != 4 || p.Reused != 2 {
		t.Errorf("%+v, want 2 of 4 files reused", p)
	}
	glob := literal(filepath.Join(current(t, dir), "crm", "Accounts", "*", "*.parquet"))
	if got := query(t, "SELECT count(Fresh IS NULL)::VARCHAR FROM read_parquet("+glob+")"); got[0] != "2" {
		t.Errorf("rows with the new column: %v", got)
	}
}

func TestKeepSnapshots(t *testing.T) {
	dir := t.TempDir()
	runs := filepath.Join(dir, "lake", "runs")
	if err := os.MkdirAll(filepath.Join(runs, "somebody else's"), 0o755); err != nil {
		t.Fatal(err)
	}
	for n, run := range []string{"r1", "r2", "r3", "r4"} {
		w := open(t, dir)
		fill(t, w, n, 1, "1")
		to := target(dir, run)
		to.Keep = 2
		if _, err := w.Publish(t.Context(), to); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	var names []string
	for _, e := range must(os.ReadDir(runs))(t) {
		names = append(names, e.Name())
	}
	if d := cmp.Diff([]string{"r2", "r3", "r4", "somebody else's"}, names); d != "" {
		t.Error(d)
	}
}

func TestRunThatPublishesTwiceWritesTwoSnapshots(t *testing.T) {
	dir := t.TempDir()
	night(t, dir, "r1", 0, 1, "1")
	first := current(t, dir)
	night(t, dir, "r1", 1, 1, "1")
	if second := current(t, dir); second == first {
		t.Errorf("the snapshot %s was written over", first)
	}
}

func TestSnapshotWithAMissingFileIsWrittenAgain(t *testing.T) {
	dir := t.TempDir()
	night(t, dir, "r1", 0, 1, "1", "2")
	m := must(ReadManifest(current(t, dir)))(t)
	if err := os.Remove(filepath.Join(current(t, dir), m.Files[0].Path)); err != nil {
		t.Fatal(err)
	}
	p := night(t, dir, "r2", 0, 0)
	if p.DuckDB || !p.Parquet || p.Reused != 3 {
		t.Errorf("%+v, want the lake alone with 3 files reused", p)
	}
	if !must(ReadManifest(current(t, dir)))(t).intact(current(t, dir)) {
		t.Error("the new snapshot is not whole")
	}
}

func TestForeignLakeIsNeverTouched(t *testing.T) {
	for name, make := range map[string]func(lake string) error{
		"folder":   func(lake string) error { return os.MkdirAll(filepath.Join(lake, "current"), 0o755) },
		"link out": func(lake string) error { return os.Symlink("/", filepath.Join(lake, "current")) },
		"no manifest": func(lake string) error {
			return errors.Join(os.MkdirAll(filepath.Join(lake, "runs", "x"), 0o755), os.Symlink("runs/x", filepath.Join(lake, "current")))
		},
		"file": func(lake string) error { return errors.Join(os.Remove(lake), os.WriteFile(lake, []byte("x"), 0o644)) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			lake := filepath.Join(dir, "lake")
			if err := os.Mkdir(lake, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := make(lake); err != nil {
				t.Fatal(err)
			}
			w := open(t, dir)
			fill(t, w, 0, 1, "1")
			_, err := w.Publish(t.Context(), target(dir, "r1"))
			if _, ok := errors.AsType[*Foreign](err); !ok {
				t.Errorf("Publish = %v, want *Foreign", err)
			}
			if _, err := os.Stat(filepath.Join(dir, "warehouse.duckdb")); err == nil {
				t.Error("the file was published nevertheless")
			}
		})
	}
}

func TestRunIDThatIsNoName(t *testing.T) {
	for _, run := range []string{"", ".", "..", "a/b", "../../etc", ".hidden"} {
		w := open(t, t.TempDir())
		if _, err := w.Publish(t.Context(), Target{Parquet: filepath.Join(t.TempDir(), "lake"), RunID: run}); err == nil {
			t.Errorf("published a snapshot named %q", run)
		}
	}
}
