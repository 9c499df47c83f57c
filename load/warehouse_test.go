package load

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// options are those of the warehouse that the tests keep in dir.
func options(dir string) Options {
	return Options{StateDir: filepath.Join(dir, "state"), Target: filepath.Join(dir, "warehouse.duckdb")}
}

// open opens a warehouse in dir for the length of the test.
func open(t *testing.T, dir string) *Warehouse {
	t.Helper()
	w, err := Open(t.Context(), options(dir))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func execute(t *testing.T, w *Warehouse, statements ...string) {
	t.Helper()
	err := w.inTx(t.Context(), func(ctx context.Context, c *sql.Conn) error {
		for _, s := range statements {
			if _, err := c.ExecContext(ctx, s); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestStatementErrorIsNeverCommitted(t *testing.T) {
	w := open(t, t.TempDir())
	execute(t, w, "CREATE TABLE main.a (i INTEGER)")
	err := w.inTx(t.Context(), func(ctx context.Context, c *sql.Conn) error {
		if _, err := c.ExecContext(ctx, "INSERT INTO main.a VALUES (1)"); err != nil {
			return err
		}
		_, err := c.ExecContext(ctx, "INSERT INTO main.a VALUES ('x')")
		if err == nil {
			t.Error("the bad statement went through")
		}
		return nil // forgotten by the caller
	})
	if err == nil {
		t.Error("a transaction with a failed statement was reported as committed")
	}
	var n int
	if err := w.db.QueryRowContext(t.Context(), "SELECT count(*) FROM main.a").Scan(&n); err != nil || n != 0 {
		t.Errorf("count = %d, %v; want 0", n, err)
	}
}

func TestTransactionRollsBackOnError(t *testing.T) {
	w := open(t, t.TempDir())
	execute(t, w, "CREATE TABLE main.a (i INTEGER)")
	stop := errors.New("stop")
	err := w.inTx(t.Context(), func(ctx context.Context, c *sql.Conn) error {
		if _, err := c.ExecContext(ctx, "INSERT INTO main.a VALUES (1)"); err != nil {
			return err
		}
		return stop
	})
	if !errors.Is(err, stop) {
		t.Errorf("inTx = %v, want %v", err, stop)
	}
	execute(t, w, "INSERT INTO main.a VALUES (2)")
	var sum int
	if err := w.db.QueryRowContext(t.Context(), "SELECT sum(i) FROM main.a").Scan(&sum); err != nil || sum != 2 {
		t.Errorf("sum = %d, %v; want 2", sum, err)
	}
}

func TestCursorComesBackAsWritten(t *testing.T) {
	w := open(t, t.TempDir())
	want := Cursor{
		Stream: "crm/Accounts", Scope: "123", Table: "crm.Accounts", Variant: "sync/CRM/Accounts", Fingerprint: "f",
		Epoch: "e", Position: "p", Complete: true, HistoryFrom: "2020-01-01",
		ReadAt: time.Date(2026, 3, 29, 1, 2, 3, 4000, time.UTC), Spool: "s", SweepSpool: "t", Rows: 7, RunID: "r",
	}
	for _, rows := range []int64{6, 7} {
		cursor := want
		cursor.Rows = rows
		err := w.inTx(t.Context(), func(ctx context.Context, c *sql.Conn) error { return w.putCursors(ctx, c, cursor) })
		if err != nil {
			t.Fatal(err)
		}
	}
	got, found, err := w.Cursor(t.Context(), "crm/Accounts", "123")
	if err != nil || !found {
		t.Fatalf("Cursor = %v, %v", found, err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if err := w.ResetCursor(t.Context(), "crm/Accounts", "123"); err != nil {
		t.Fatal(err)
	}
	want.Complete, want.Position = false, ""
	all, err := w.Cursors(t.Context())
	if d := cmp.Diff([]Cursor{want}, all); err != nil || d != "" {
		t.Errorf("Cursors = %v; want one that has to be read again: %s", err, d)
	}
	if err := w.ResetCursor(t.Context(), "crm/Accounts", "124"); err == nil {
		t.Error("a cursor that is not there was reset")
	}
	if _, found, err := w.Cursor(t.Context(), "crm/Accounts", "124"); found || err != nil {
		t.Errorf("Cursor of an unknown scope = %v, %v", found, err)
	}
}

func touchAll(table string) func(context.Context, *sql.Conn) error {
	return func(ctx context.Context, c *sql.Conn) error { return touch(ctx, c, table) }
}

func TestGenerationCountsChangesOnly(t *testing.T) {
	w := open(t, t.TempDir())
	generation := func() int64 {
		t.Helper()
		id, err := readIdentity(t.Context(), w.db)
		if err != nil {
			t.Fatal(err)
		}
		return id.Generation
	}
	fill(t, w, 0, 1, "1")
	before := generation()
	execute(t, w, "UPDATE _exactduck.meta SET value = value")
	if after := generation(); after != before {
		t.Errorf("generation went from %d to %d without a change", before, after)
	}
	fill(t, w, 1, 1, "1")
	if after := generation(); after <= before {
		t.Errorf("generation stayed at %d", after)
	}
	stop := errors.New("stop")
	before = generation()
	err := w.inTx(t.Context(), func(ctx context.Context, c *sql.Conn) error {
		return errors.Join(touch(ctx, c, "crm.Accounts", "1"), stop)
	})
	if after := generation(); after != before || !errors.Is(err, stop) {
		t.Errorf("a change that was rolled back counts: %d, %d, %v", before, after, err)
	}
}

func TestOpenAgainKeepsEverything(t *testing.T) {
	dir := t.TempDir()
	w := open(t, dir)
	fill(t, w, 7, 1, "1")
	before, err := readIdentity(t.Context(), w.db)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Close(), w.Close()); err != nil {
		t.Fatal(err)
	}
	w = open(t, dir)
	after, err := readIdentity(t.Context(), w.db)
	if err != nil || after != before {
		t.Errorf("identity %+v became %+v, %v", before, after, err)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "state", ".gitignore")); err != nil || string(text) != "*\n" {
		t.Errorf(".gitignore: %q, %v", text, err)
	}
	if info, err := os.Stat(filepath.Join(dir, "state")); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("state directory: %v, %v", info.Mode(), err)
	}
}

func TestNewerFileIsRefused(t *testing.T) {
	dir := t.TempDir()
	w := open(t, dir)
	execute(t, w, "UPDATE _exactduck.meta SET value = '99' WHERE key = 'format'")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), options(dir))
	var newer *Newer
	if !errors.As(err, &newer) || newer.Format != 99 {
		t.Errorf("Open = %v, want *Newer", err)
	}
}

func TestDamagedFileIsReportedAndKept(t *testing.T) {
	whole := t.TempDir()
	w := open(t, whole)
	fill(t, w, 0, 20000, "1")
	if _, err := w.db.ExecContext(t.Context(), "CHECKPOINT"); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	sound, err := os.ReadFile(w.Path())
	if err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(b []byte) []byte{
		"nonsense":      func([]byte) []byte { return []byte(strings.Repeat("nonsense ", 1000)) },
		"broken header": func(b []byte) []byte { clear(b[:4096]); return b },
		"both headers":  func(b []byte) []byte { clear(b[4096:12288]); return b },
		"cut short":     func(b []byte) []byte { return b[:20000] },
		"cut in two":    func(b []byte) []byte { return b[:len(b)/2] },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "state", "warehouse.work.duckdb")
			if err := os.Mkdir(filepath.Join(dir, "state"), 0o700); err != nil {
				t.Fatal(err)
			}
			spoiled := spoil(bytes.Clone(sound))
			if err := os.WriteFile(path, spoiled, 0o600); err != nil {
				t.Fatal(err)
			}
			w, err := Open(t.Context(), options(dir))
			if err == nil {
				_, err = w.db.ExecContext(t.Context(), "SELECT sum(hash(COLUMNS(*))) FROM crm.Accounts")
				err = errors.Join(fileError(path, err), w.Close())
			}
			var damaged *Damaged
			if !errors.As(err, &damaged) || damaged.Path != path {
				t.Errorf("Open = %v, want *Damaged", err)
			}
			if left, err := os.ReadFile(path); err != nil || !bytes.Equal(left, spoiled) {
				t.Errorf("the damaged file was changed: %v", err)
			}
		})
	}
}

func TestNamesThatAreNoDatabase(t *testing.T) {
	for name, fine := range map[string]bool{
		"warehouse.duckdb": true, "a b'c%zz#.duckdb": true, "é.db": true, "two.parts.duckdb": true,
		"memory.duckdb": false, "System.duckdb": false, "temp.db": false, "_exactduck.duckdb": false, ".duckdb": false, "a?b.duckdb": false,
	} {
		dir := t.TempDir()
		w, err := Open(t.Context(), Options{StateDir: filepath.Join(dir, "st'ate%zz#"), Target: filepath.Join(dir, name)})
		var unnameable *Unnameable
		if fine != (err == nil) || !fine && !errors.As(err, &unnameable) {
			t.Errorf("%s: Open = %v", name, err)
		}
		if err != nil {
			continue
		}
		fill(t, w, 4, 1, "1")
		if _, err := w.Publish(t.Context(), Target{DuckDB: filepath.Join(dir, name)}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got := answer(t, filepath.Join(dir, name), "SELECT N FROM crm.Accounts"); got != "4\n" {
			t.Errorf("%s: %q", name, got)
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestErrorsOfTheFileSystemAreTyped(t *testing.T) {
	for text, want := range map[string]error{
		`IO Error: Could not write file "x": No space left on device`: syscall.ENOSPC,
		`IO Error: Cannot open file "x": Permission denied`:           fs.ErrPermission,
		`IO Error: Cannot open file "x": No such file or directory`:   fs.ErrNotExist,
		`IO Error: Cannot open file "x": Read-only file system`:       syscall.EROFS,
	} {
		if err := fileError("x", errors.New(text)); !errors.Is(err, want) {
			t.Errorf("%s is %v, want %v", text, err, want)
		}
	}
	if err := fileError("x", nil); err != nil {
		t.Error(err)
	}
}
