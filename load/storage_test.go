package load

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// storage is the format that DuckDB says a file is in.
func storage(t *testing.T, path string) string {
	t.Helper()
	return query(t, "ATTACH "+literal(path)+" AS d (READ_ONLY); SELECT tags['storage_version']::VARCHAR FROM duckdb_databases() WHERE database_name = 'd'")[0]
}

// TestPublishedFilesCanBeReadByOldDuckDBs: another DuckDB in this program may write another format by
// itself, which would lock readers of older ones out.
func TestPublishedFilesCanBeReadByOldDuckDBs(t *testing.T) {
	dir := t.TempDir()
	night(t, dir, "r1", 0, 10, "1")
	path := filepath.Join(dir, "warehouse.duckdb")
	if got := storage(t, path); got != storageVersion+"+" {
		t.Errorf("a new file is in format %s, want %s", got, storageVersion)
	}
}

// TestFileOfAnotherFormatOfDuckDB is used as it is, and comes to the format of ours when it is compacted.
func TestFileOfAnotherFormatOfDuckDB(t *testing.T) {
	dir := t.TempDir()
	night(t, dir, "r1", 0, 10, "1")
	working := filepath.Join(dir, "state", "warehouse.work.duckdb")
	old := filepath.Join(dir, "old.duckdb")
	if err := os.Rename(working, old); err != nil {
		t.Fatal(err)
	}
	query(t, "ATTACH "+literal(old)+" AS o (READ_ONLY); ATTACH "+literal(working)+" AS n (STORAGE_VERSION 'v1.2.0'); COPY FROM DATABASE o TO n; SELECT ''")
	if p := night(t, dir, "r2", 50, 1, "1"); !p.DuckDB {
		t.Errorf("published %+v", p)
	}
	path := filepath.Join(dir, "warehouse.duckdb")
	if got := []string{storage(t, path), answer(t, path, "SELECT N FROM crm.Accounts")}; cmp.Diff([]string{"v1.2.0+", "50\n"}, got) != "" {
		t.Errorf("as it was: %q", got)
	}
	w := open(t, dir)
	if _, err := w.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	publish(t, w, dir, "r3")
	if got := []string{storage(t, path), answer(t, path, "SELECT N FROM crm.Accounts")}; cmp.Diff([]string{storageVersion + "+", "50\n"}, got) != "" {
		t.Errorf("compacted: %q", got)
	}
}

// TestFileOfALaterDuckDBIsLeftAlone: it holds what this program cannot read, and is no damaged file.
func TestFileOfALaterDuckDBIsLeftAlone(t *testing.T) {
	dir := t.TempDir()
	night(t, dir, "r1", 0, 10, "1")
	working := filepath.Join(dir, "state", "warehouse.work.duckdb")
	later := must(os.ReadFile(working))(t)
	later[12] = 99
	sum := uint64(5381) // as DuckDB reckons it
	for at := 8; at < 4096; at += 8 {
		sum ^= binary.LittleEndian.Uint64(later[at:]) * 0xbf58476d1ce4e5b9
	}
	binary.LittleEndian.PutUint64(later, sum)
	if err := os.WriteFile(working, later, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), options(dir))
	newer, ok := errors.AsType[*Newer](err)
	if !ok || newer.Format != 99 || newer.Known < 64 || newer.Path != working {
		t.Errorf("Open = %v, want *Newer", err)
	}
	if !bytes.Equal(later, must(os.ReadFile(working))(t)) {
		t.Error("the file was changed")
	}
}
