package load

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// open opens a warehouse in dir for the length of the test.
func open(t *testing.T, dir string) *Warehouse {
	t.Helper()
	w, err := Open(t.Context(), Options{StateDir: filepath.Join(dir, "state"), Target: filepath.Join(dir, "warehouse.duckdb")})
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
		err := w.inTx(t.Context(), func(ctx context.Context, c *sql.Conn) error { return w.putCursor(ctx, c, cursor) })
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
	if err := w.Reload(t.Context(), "crm/Accounts", "123"); err != nil {
		t.Fatal(err)
	}
	all, err := w.Cursors(t.Context())
	if err != nil || len(all) != 1 || all[0].Complete || all[0].Position != want.Position {
		t.Errorf("Cursors = %v, %v; want one that has to be read again", all, err)
	}
	if _, found, err := w.Cursor(t.Context(), "crm/Accounts", "124"); found || err != nil {
		t.Errorf("Cursor of an unknown scope = %v, %v", found, err)
	}
}
