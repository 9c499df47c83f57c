package load

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func init() { children["compact"] = compactInChild }

// compactInChild opens the warehouse of EXACTDUCK_DIR and compacts it.
func compactInChild() error {
	dir := os.Getenv("EXACTDUCK_DIR")
	w, err := openToDie(dir)
	if err != nil {
		return err
	}
	_, err = w.Compact(context.Background())
	return errors.Join(err, w.Close())
}

// bloat writes rows and removes most of them.
func bloat(t *testing.T, w *Warehouse, rows int) {
	t.Helper()
	fill(t, w, 0, rows, "1", "2")
	execute(t, w, "CHECKPOINT "+catalog)
	execute(t, w, "DELETE FROM crm.Accounts WHERE N % 100 <> 0")
	execute(t, w, "DELETE FROM crm.Contacts WHERE N % 100 <> 0")
}

// inside is everything that a database holds, as text: shapes, descriptions, views and rows.
func inside(t *testing.T, path string) []string {
	t.Helper()
	attach := "ATTACH " + literal(path) + " AS d (READ_ONLY); USE d; "
	all := query(t, attach+`SELECT sql || coalesce(comment, '-') FROM duckdb_tables() WHERE NOT internal
		UNION ALL SELECT sql || coalesce(comment, '-') FROM duckdb_views() WHERE NOT internal
		UNION ALL SELECT table_name || '.' || column_name || ': ' || comment FROM duckdb_columns() WHERE comment IS NOT NULL ORDER BY ALL`)
	for _, table := range query(t, attach+`SELECT schema_name || '.' || table_name FROM duckdb_tables() WHERE NOT internal ORDER BY ALL`) {
		where := ""
		if table == "_exactduck.meta" {
			where = " WHERE key NOT IN ('generation', 'commits')"
		}
		for _, row := range query(t, attach+"SELECT t::VARCHAR FROM (FROM "+table+where+") t ORDER BY ALL") {
			all = append(all, table+" "+row)
		}
	}
	return all
}

func TestCompactKeepsEverythingInLess(t *testing.T) {
	dir := t.TempDir()
	w := open(t, dir)
	fill(t, w, 0, 3, "1")
	execute(t, w, "COMMENT ON COLUMN crm.Accounts.N IS 'a number, said by ''us'''")
	execute(t, w, "CREATE SCHEMA readers")
	execute(t, w, "CREATE VIEW readers.sums AS SELECT _division, sum(N) AS n FROM crm.Accounts GROUP BY ALL")
	bloat(t, w, 60_000)
	publish(t, w, dir, "r1")
	closeIt(t, w)
	held := inside(t, w.path)
	first := current(t, dir)

	w = open(t, dir)
	before, err := readIdentity(t.Context(), w.db)
	if err != nil {
		t.Fatal(err)
	}
	c, err := w.Compact(t.Context())
	if err != nil || c.After == 0 || c.After > c.Before {
		t.Fatalf("Compact = %+v, %v", c, err)
	}
	after, err := readIdentity(t.Context(), w.db)
	if before.Generation++; err != nil || after != before {
		t.Errorf("identity %+v, %v; want %+v", after, err, before)
	}
	p := publish(t, w, dir, "r2")
	closeIt(t, w)
	if !p.DuckDB || !p.Parquet || p.Reused != p.Files || p.Compacted != nil {
		t.Errorf("published %+v, want the file, and the lake with all files reused", p)
	}
	for _, path := range []string{w.path, target(dir, "").DuckDB} {
		if d := cmp.Diff(held, inside(t, path)); d != "" {
			t.Errorf("%s: %s", path, d)
		}
	}
	if second := current(t, dir); second == first {
		t.Error("the lake was not published again")
	}
	closeIt(t, open(t, dir))
	tidy(t, dir)
}

func closeIt(t *testing.T, w *Warehouse) {
	t.Helper()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestFatFileIsCompactedWhenPublished, and only then.
func TestFatFileIsCompactedWhenPublished(t *testing.T) {
	dir := t.TempDir()
	w := open(t, dir)
	bloat(t, w, 100_000)
	p := publish(t, w, dir, "r1")
	closeIt(t, w)
	if p.Compacted == nil || p.Compacted.Before < 2*p.Compacted.After || p.Bytes != p.Compacted.After {
		t.Fatalf("published %+v, want a file of less than half the size", p.Compacted)
	}
	if got := answer(t, target(dir, "").DuckDB, "SELECT count(*), sum(N) FROM crm.Accounts"); got != "2000 99900000\n" {
		t.Errorf("rows: %q", got)
	}
	for n := range 5 {
		if p := night(t, dir, "n"+strconv.Itoa(n), n, 10, "1"); p.Compacted != nil {
			t.Errorf("night %d: compacted again: %+v", n, *p.Compacted)
		}
	}
}

// TestKillDuringCompaction kills a compaction at each of its steps.
func TestKillDuringCompaction(t *testing.T) {
	t.Parallel()
	template := t.TempDir()
	for n, run := range []string{"r1", "r2"} {
		w := open(t, template)
		number(t, w, n)
		publish(t, w, template, run)
		closeIt(t, w)
	}
	w := open(t, template)
	number(t, w, 2)
	closeIt(t, w)
	killAtEachStep(t, "compact", template, 20, func(t *testing.T, dir string) { sees(t, dir, 1, 2) })
}

func TestCompactWithoutRoomChangesNothing(t *testing.T) {
	dir := t.TempDir()
	disk := smallDisk(t, "64m")
	w, err := Open(t.Context(), Options{StateDir: disk, Target: target(dir, "").DuckDB})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	fill(t, w, 0, 150_000, "1", "2")
	execute(t, w, "FROM crm.Accounts LIMIT 1")
	ballast := cram(t, disk, 6<<20)
	_, err = w.Compact(t.Context())
	full, ok := errors.AsType[*NoRoom](err)
	if !ok || full.Missing() <= 0 || full.Free > 6<<20 {
		t.Fatalf("Compact = %v, want *NoRoom", err)
	}
	left, err := filepath.Glob(filepath.Join(disk, "*.compacting*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	execute(t, w, "DELETE FROM crm.Accounts") // the warehouse is still open
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Compact(t.Context()); err != nil {
		t.Error(err)
	}
}

// cram fills a disk until there is room for so many bytes.
func cram(t *testing.T, disk string, room int64) (path string) {
	t.Helper()
	_, free, ok := freeAt(disk)
	if !ok {
		t.Fatal("the disk does not tell how much is free")
	}
	path = filepath.Join(disk, "ballast")
	if err := os.WriteFile(path, make([]byte, free-room), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRoomAddsUpWhatGoesToOneDisk(t *testing.T) {
	dir := t.TempDir()
	_, free, ok := freeAt(filepath.Join(dir, "not", "there", "yet"))
	if !ok || free < 1<<20 {
		t.Fatalf("free = %d, %v", free, ok)
	}
	half := demand{filepath.Join(dir, "a"), free/2 + free/8}
	if err := room(half); err != nil {
		t.Errorf("room for one: %v", err)
	}
	err := room(half, demand{filepath.Join(dir, "b", "c"), half.bytes})
	full, ok := errors.AsType[*NoRoom](err)
	if !ok || full.Need != 2*half.bytes || full.Path != half.path {
		t.Errorf("room for both = %v", err)
	}
	if text := fmt.Sprint(err); full != nil && text != fmt.Sprintf("no space left on device: %s needs %d bytes, and %d are free", full.Path, full.Need, full.Free) {
		t.Error(text)
	}
}

// TestFewChangesOfALargeFileAreNotPaidWithAllOfIt replaces one row in ten of a large table: what stays is not
// written anew, apart from once in many runs.
func TestFewChangesOfALargeFileAreNotPaidWithAllOfIt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := open(t, dir)
	execute(t, w, "CREATE SCHEMA crm")
	execute(t, w, "CREATE TABLE crm.Wide AS SELECT i, uuid() AS a, uuid() AS b, uuid() AS c, uuid() AS d, uuid() AS e FROM range(1_000_000) r(i)")
	closeIt(t, w)
	replace := func(w *Warehouse, n int) {
		t.Helper()
		execute(t, w, fmt.Sprintf("DELETE FROM crm.Wide WHERE i %% 10 = %d", n))
		execute(t, w, fmt.Sprintf("INSERT INTO crm.Wide SELECT i, uuid(), uuid(), uuid(), uuid(), uuid() FROM range(%d, 1_000_000, 10) r(i)", n))
		execute(t, w, "CHECKPOINT "+catalog)
	}
	groups := func() string {
		t.Helper()
		return query(t, "ATTACH "+literal(w.path)+" AS d (READ_ONLY); USE d; SELECT count(DISTINCT row_group_id)::VARCHAR FROM pragma_storage_info('crm.Wide')")[0]
	}
	fresh := must(os.Stat(w.path))(t).Size()
	if before := groups(); fresh < large || before != "9" {
		t.Fatalf("%d bytes in %s groups", fresh, before)
	}
	w = open(t, dir)
	replace(w, 1)
	closeIt(t, w)
	if size := must(os.Stat(w.path))(t).Size(); size > fresh*5/4 {
		t.Errorf("the file grew from %d to %d bytes", fresh, size)
	}
	if now := groups(); now != "10" {
		t.Errorf("%s groups, want one more", now)
	}

	if err := w.noteLeanness(leanness{Runs: scattered - 1, Bytes: 1 << 30, Values: 1}); err != nil {
		t.Fatal(err)
	}
	w = open(t, dir)
	replace(w, 2)
	if _, err := w.Publish(t.Context(), target(dir, "r1")); err != nil {
		t.Fatal(err)
	}
	closeIt(t, w)
	if now := groups(); now != "9" {
		t.Errorf("%s groups, want as few as possible", now)
	}
	if l := w.noted(); l.Runs != 0 {
		t.Errorf("noted %+v", l)
	}
}
