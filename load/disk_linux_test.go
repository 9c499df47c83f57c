package load

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"exactduck/schema"
)

// smallDisk mounts a file system of the given size.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("a full disk needs a small file system, and mounting one is not permitted: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func TestFullDiskWherePublishedKeepsTheOldNight(t *testing.T) {
	dir := t.TempDir()
	disk := smallDisk(t, "12m")
	to := func(run string) Target {
		return Target{DuckDB: filepath.Join(disk, "warehouse.duckdb"), Parquet: filepath.Join(disk, "lake"), RunID: run}
	}
	publishTo := func(rows int, run string) error {
		w, err := Open(t.Context(), Options{StateDir: filepath.Join(dir, "state"), Target: to(run).DuckDB})
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		fill(t, w, 0, rows, "1")
		_, err = w.Publish(t.Context(), to(run))
		return err
	}
	if err := publishTo(10, "r1"); err != nil {
		t.Fatal(err)
	}
	for run, rows := range map[string]int{"copy": 150_000, "lake": 500_000} {
		if err := publishTo(rows, run); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("%s: Publish = %v, want ENOSPC", run, err)
		}
		if got := answer(t, to("").DuckDB, "SELECT count(*) FROM crm.Accounts"); got != "10\n" {
			t.Errorf("%s: a reader sees %q, want 10", run, got)
		}
		if n := must(filepath.EvalSymlinks(filepath.Join(disk, "lake", "current")))(t); filepath.Base(n) != "r1" {
			t.Errorf("%s: the lake shows %s, want r1", run, n)
		}
		tidyLake(t, disk)
	}
	if err := publishTo(20, "r2"); err != nil {
		t.Errorf("once there is room again: %v", err)
	}
}

// tidyLake fails the test when the failed publication left its files on the full disk.
func tidyLake(t *testing.T, disk string) {
	t.Helper()
	for _, pattern := range []string{".*", "lake/.*", "lake/runs/.*"} {
		if left := must(filepath.Glob(filepath.Join(disk, pattern)))(t); len(left) > 0 {
			t.Errorf("left on the full disk: %v", left)
		}
	}
}

func TestFullDiskOfTheStateDirectoryLosesNothing(t *testing.T) {
	disk := smallDisk(t, "12m")
	dir := t.TempDir()
	options := Options{StateDir: filepath.Join(disk, "state"), Target: filepath.Join(dir, "warehouse.duckdb")}
	w, err := Open(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	fill(t, w, 0, 10, "1")
	if err := fillTables(t.Context(), w, []string{"Accounts"}, 0, 2_000_000, []schema.Scope{"1"}); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("transaction on a full disk = %v, want ENOSPC", err)
	}
	_ = w.Close() // DuckDB may have given up the database; what counts is what is on disk
	if err := os.RemoveAll(filepath.Join(disk, "state", "tmp")); err != nil {
		t.Fatal(err)
	}
	w, err = Open(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	count := func(ctx context.Context, c *sql.Conn) error {
		var n int
		if err := c.QueryRowContext(ctx, "SELECT count(*) FROM crm.Accounts").Scan(&n); err != nil {
			return err
		}
		if n != 10 {
			t.Errorf("%d rows, want the 10 that were committed", n)
		}
		return nil
	}
	if err := w.inTx(t.Context(), count); err != nil {
		t.Error(err)
	}
}
