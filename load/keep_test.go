package load

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func init() { children["meddle"] = meddleInChild }

// kept are the files beside the published one that have its name and a time.
func kept(t *testing.T, dir string) []string {
	t.Helper()
	var names []string
	for _, path := range must(filepath.Glob(filepath.Join(dir, "warehouse_*")))(t) {
		names = append(names, filepath.Base(path))
	}
	return names
}

// dated publishes number n on the nth of the month, keeping some.
func dated(t *testing.T, dir string, n int, change func(*Target)) Published {
	t.Helper()
	o := options(dir)
	o.Clock = func() time.Time { return time.Date(2026, 11, n, 4, 15, 0, 0, time.UTC) }
	w, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer closeIt(t, w)
	number(t, w, n)
	to := target(dir, "r"+strconv.Itoa(n))
	change(&to)
	p, err := w.Publish(t.Context(), to)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestOlderFilesStayUnderTheirDate(t *testing.T) {
	dir := t.TempDir()
	keep := func(n int) func(*Target) { return func(to *Target) { to.Keep = n } }
	mine := filepath.Join(dir, "warehouse_20200101_000000.duckdb")
	if err := os.WriteFile(mine, []byte("mine, and no database"), 0o600); err != nil {
		t.Fatal(err)
	}
	other := t.TempDir()
	night(t, other, "r1", 0, 1, "1")
	theirs := filepath.Join(dir, "warehouse_20260101_000000_2.duckdb")
	if err := os.Rename(filepath.Join(other, "warehouse.duckdb"), theirs); err != nil {
		t.Fatal(err)
	}
	foreign := []string{filepath.Base(mine), filepath.Base(theirs)}
	for n := 1; n <= 4; n++ {
		dated(t, dir, n, keep(2))
	}
	want := append(foreign, "warehouse_20261102_041500.duckdb", "warehouse_20261103_041500.duckdb")
	if d := cmp.Diff(want, kept(t, dir)); d != "" {
		t.Fatal(d)
	}
	for n := 2; n <= 3; n++ {
		path := filepath.Join(dir, fmt.Sprintf("warehouse_2026110%d_041500.duckdb", n))
		if got := answer(t, path, "SELECT N FROM crm.Accounts"); got != fmt.Sprintln(n) {
			t.Errorf("%s holds %q", path, got)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o444 {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
		// DuckDB attaches it under a name that needs no quotes.
		name := fmt.Sprintf("warehouse_2026110%d_041500", n)
		got := query(t, "ATTACH "+literal(path)+" (READ_ONLY); ATTACH "+literal(filepath.Join(dir, "warehouse.duckdb"))+
			" (READ_ONLY); SELECT a.N || '-' || b.N FROM warehouse.crm.Accounts a, "+name+".crm.Accounts b")
		if d := cmp.Diff([]string{"4-" + strconv.Itoa(n)}, got); d != "" {
			t.Error(d)
		}
	}
	if runs := must(os.ReadDir(filepath.Join(dir, "lake", "runs")))(t); len(runs) != 3 {
		t.Errorf("%d snapshots, want 3", len(runs))
	}

	w := open(t, dir) // nothing to publish, and fewer to keep
	to := target(dir, "r5")
	to.Keep = 1
	if p := must(w.Publish(t.Context(), to))(t); p.DuckDB {
		t.Error("published what had not changed")
	}
	closeIt(t, w)
	if d := cmp.Diff(append(foreign, "warehouse_20261103_041500.duckdb"), kept(t, dir)); d != "" {
		t.Error(d)
	}
	dated(t, dir, 6, func(to *Target) { to.Keep, to.Alone = 5, true })
	if d := cmp.Diff(foreign, kept(t, dir)); d != "" {
		t.Error(d)
	}
	if runs := must(os.ReadDir(filepath.Join(dir, "lake", "runs")))(t); len(runs) != 1 {
		t.Errorf("%d snapshots, want 1", len(runs))
	}
}

func TestTwoFilesOfOneMomentAreBothKept(t *testing.T) {
	dir := t.TempDir()
	for n := range 3 {
		o := options(dir)
		o.Clock = func() time.Time { return time.Date(2026, 11, 1, 4, 15, 0, 0, time.UTC) }
		w := must(Open(t.Context(), o))(t)
		number(t, w, n)
		to := target(dir, "r"+strconv.Itoa(n))
		to.Keep = 5
		must(w.Publish(t.Context(), to))(t)
		closeIt(t, w)
	}
	if d := cmp.Diff([]string{"warehouse_20261101_041500.duckdb", "warehouse_20261101_041500_2.duckdb"}, kept(t, dir)); d != "" {
		t.Error(d)
	}
}

func TestFileThatSomebodyChangedIsNotKept(t *testing.T) {
	dir := t.TempDir()
	keep := func(to *Target) { to.Keep = 5 }
	dated(t, dir, 1, keep)
	meddle(t, filepath.Join(dir, "warehouse.duckdb"), "DELETE FROM crm.Accounts")
	dated(t, dir, 2, keep)
	if got := kept(t, dir); len(got) > 0 {
		t.Errorf("kept %v", got)
	}
}

// meddle writes to a database that nobody should write to.
func meddle(t *testing.T, path, statement string) {
	t.Helper()
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	db := must(sql.Open("duckdb", path))(t)
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestKeepWhereNothingCanBeLinked(t *testing.T) {
	dir := t.TempDir()
	from := filepath.Join(dir, "warehouse.duckdb")
	if err := os.WriteFile(from, []byte("a night"), 0o444); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "warehouse_20261101_041500.duckdb")
	f := &copied{path: from}
	if err := f.copyAs(name); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(name); err != nil || string(text) != "a night" {
		t.Errorf("%q, %v", text, err)
	}
	if _, err := os.Stat(f.keeping()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("left: %v", err)
	}
}

func TestCloneTakesNoRoom(t *testing.T) {
	dir := t.TempDir()
	disk := smallDisk(t, "4m")
	w := open(t, dir)
	fill(t, w, 0, 150_000, "1")
	to := Target{DuckDB: filepath.Join(disk, "warehouse.duckdb"), RunID: "r1"}
	_, err := w.Publish(t.Context(), to)
	if full, ok := errors.AsType[*NoRoom](err); !ok || full.Missing() < 1<<20 {
		t.Fatalf("Publish = %v, want *NoRoom", err)
	}
	if left := must(os.ReadDir(disk))(t); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	closeIt(t, w)

	w = open(t, dir)
	cloned := false
	w.clone = func(from, temporary string) error { // as a file system that shares blocks would
		cloned = from == w.path
		return os.Symlink(from, temporary)
	}
	if _, err := w.Publish(t.Context(), to); errors.Is(err, syscall.ENOSPC) || !cloned {
		t.Errorf("cloned %v; Publish = %v", cloned, err)
	}
}

// meddleInChild opens the published file to write, as nobody should, changes rows, and waits.
func meddleInChild() error {
	path := filepath.Join(os.Getenv("EXACTDUCK_DIR"), "warehouse.duckdb")
	if err := os.Chmod(path, 0o600); err != nil {
		return err
	}
	db, err := sql.Open("duckdb", path)
	if err != nil {
		return err
	}
	for statement := range strings.SplitSeq(os.Getenv("EXACTDUCK_SQL"), ";") {
		if _, err := db.ExecContext(context.Background(), statement); err != nil {
			return err
		}
	}
	fmt.Fprintln(os.Stdout, "meddled")
	if _, err = io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	if _, err = db.ExecContext(context.Background(), "UPDATE crm.Accounts SET N = 97"); err != nil {
		return err
	}
	fmt.Fprintln(os.Stdout, "meddled again")
	if os.Getenv("EXACTDUCK_STAYS") != "" {
		select {} // until it is killed
	}
	return db.Close()
}

// TestMeddlerWhoWasKilledDoesNoHarm: somebody, root for example, opened the published file to write and was
// killed. Whatever that left, after the next night readers see what was loaded, whether there was
// anything new or not.
func TestMeddlerWhoWasKilledDoesNoHarm(t *testing.T) {
	for name, statements := range map[string]string{
		"in the log":  "UPDATE crm.Accounts SET N = 99",
		"in the file": "UPDATE crm.Accounts SET N = 98;CHECKPOINT;UPDATE crm.Accounts SET N = 99",
		"only opened": "SELECT 1",
	} {
		for _, fresh := range []int{1, 2} { // nothing new, and something
			t.Run(fmt.Sprint(name, ", ", fresh), func(t *testing.T) {
				dir := t.TempDir()
				dated(t, dir, 1, func(*Target) {})
				meddler := spawn(t, "meddle", "EXACTDUCK_DIR="+dir, "EXACTDUCK_SQL="+statements)
				lines, _ := talk(t, meddler)
				if line := <-lines; line != "meddled" {
					t.Fatalf("the meddler says %q", line)
				}
				if err := meddler.Process.Kill(); err != nil {
					t.Fatal(err)
				}
				if err := meddler.Wait(); !killed(err) {
					t.Fatal(err)
				}
				w := open(t, dir)
				if fresh > 1 {
					number(t, w, fresh)
				}
				publish(t, w, dir, "r2")
				closeIt(t, w)
				sees(t, dir, fresh, fresh)
				tidy(t, dir)
			})
		}
	}
}

// TestMeddlerWhoIsStillThere has the published file open to write while the next night is published: that is
// published nevertheless, and nothing that the meddler does then reaches the night that was kept, nor
// readers once exactduck has run again.
func TestMeddlerWhoIsStillThere(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, statements, stays string }{
		{"wrote to the log", "UPDATE crm.Accounts SET N = 99", ""},
		{"wrote to the file", "UPDATE crm.Accounts SET N = 98;CHECKPOINT;UPDATE crm.Accounts SET N = 99", "until killed"},
		{"only opened it", "SELECT 1", ""},
		{"only opened it and is killed", "SELECT 1", "until killed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			dated(t, dir, 1, func(*Target) {})
			meddler := spawn(t, "meddle", "EXACTDUCK_DIR="+dir, "EXACTDUCK_SQL="+c.statements, "EXACTDUCK_STAYS="+c.stays)
			lines, end := talk(t, meddler)
			if line := <-lines; line != "meddled" {
				t.Fatalf("the meddler says %q", line)
			}
			dated(t, dir, 2, func(to *Target) { to.Keep = 1 })
			sees(t, dir, 2, 2)
			end()
			if line := <-lines; line != "meddled again" {
				t.Fatalf("the meddler says %q", line)
			}
			if c.stays != "" {
				if err := meddler.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
			if err := meddler.Wait(); err != nil && !killed(err) {
				t.Fatal(err)
			}
			for _, name := range kept(t, dir) {
				if got := answer(t, filepath.Join(dir, name), "SELECT N FROM crm.Accounts"); got != "1\n" {
					t.Errorf("%s holds %q", name, got)
				}
			}
			w := open(t, dir)
			publish(t, w, dir, "r3") // nothing new
			closeIt(t, w)
			sees(t, dir, 2, 2)
			tidy(t, dir)
		})
	}
}

// TestOlderNightCanBePutBack: whoever wants the night before puts its file in the place of the published one
// and removes the state directory.
func TestOlderNightCanBePutBack(t *testing.T) {
	dir := t.TempDir()
	for n := 1; n <= 2; n++ {
		dated(t, dir, n, func(to *Target) { to.Keep = 1 })
	}
	path := filepath.Join(dir, "warehouse.duckdb")
	err := errors.Join(os.Rename(filepath.Join(dir, kept(t, dir)[0]), path), os.RemoveAll(filepath.Join(dir, "state")))
	if err != nil {
		t.Fatal(err)
	}
	w := open(t, dir)
	number(t, w, 3)
	if p := publish(t, w, dir, "r3"); !p.DuckDB || !p.Parquet || p.Reused != 0 {
		t.Errorf("%+v, want everything anew", p)
	}
	closeIt(t, w)
	sees(t, dir, 3, 3)
}
