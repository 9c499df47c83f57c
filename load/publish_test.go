package load

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"exactduck/schema"
)

// fill makes tables crm.Accounts and crm.Contacts hold rows numbered first … first+rows-1 in each
// scope, in one transaction with their generation.
func fill(t *testing.T, w *Warehouse, first, rows int, scopes ...schema.Scope) {
	t.Helper()
	if err := fillTables(t.Context(), w, []string{"Accounts", "Contacts"}, first, rows, scopes); err != nil {
		t.Fatal(err)
	}
}

func fillTables(ctx context.Context, w *Warehouse, tables []string, first, rows int, scopes []schema.Scope) error {
	return w.inTx(ctx, func(ctx context.Context, c *sql.Conn) error {
		for _, table := range tables {
			if err := fillTable(ctx, c, table, first, rows, scopes); err != nil {
				return err
			}
		}
		return nil
	})
}

func fillTable(ctx context.Context, c *sql.Conn, table string, first, rows int, scopes []schema.Scope) error {
	for _, s := range []string{
		"CREATE SCHEMA IF NOT EXISTS crm",
		`CREATE TABLE IF NOT EXISTS crm.` + table + ` (_division INTEGER, ID UUID, N BIGINT, Amount DECIMAL(18,4), "Name" VARCHAR,
			_synced_at TIMESTAMPTZ, _run_id VARCHAR, _deleted_at TIMESTAMPTZ, _extra JSON)`,
		`INSERT INTO _exactduck.tables (service, name, scope_column, key, version, entity) SELECT 'crm', '` + table + `', '_division', ['ID'], NULL, 0
			WHERE NOT EXISTS (FROM _exactduck.tables WHERE name = '` + table + `')`,
	} {
		if _, err := c.ExecContext(ctx, s); err != nil {
			return err
		}
	}
	for _, scope := range scopes {
		if _, err := c.ExecContext(ctx, "DELETE FROM crm."+table+" WHERE _division = ?::INTEGER", string(scope)); err != nil {
			return err
		}
		_, err := c.ExecContext(ctx, `INSERT INTO crm.`+table+` SELECT ?::INTEGER, uuid(), i, i / 3, 'name ' || i,
			now(), 'run', NULL, '{"a":1}' FROM range(?::BIGINT, ?::BIGINT) r(i)`, string(scope), first, first+rows)
		if err != nil {
			return err
		}
		if err := touch(ctx, c, "crm."+table, scope); err != nil {
			return err
		}
	}
	return nil
}

// night opens the warehouse of dir, fills it, and publishes it.
func night(t *testing.T, dir, run string, first, rows int, scopes ...schema.Scope) Published {
	t.Helper()
	w := open(t, dir)
	if len(scopes) > 0 {
		fill(t, w, first, rows, scopes...)
	}
	p := publish(t, w, dir, run)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return p
}

func target(dir, run string) Target {
	return Target{DuckDB: filepath.Join(dir, "warehouse.duckdb"), Parquet: filepath.Join(dir, "lake"), RunID: run}
}

func publish(t *testing.T, w *Warehouse, dir, run string) Published {
	t.Helper()
	p, err := w.Publish(t.Context(), target(dir, run))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// answer reads a single number from the published file.
func answer(t *testing.T, path, query string) string {
	t.Helper()
	text, err := ask(t.Context(), path, query)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func ask(ctx context.Context, path, query string) (text string, err error) {
	r, err := OpenReader(ctx, path)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	a, err := r.Query(ctx, query)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	for row, err := range a.Rows() {
		if err != nil {
			return "", err
		}
		text += fmt.Sprintln(row...)
	}
	return text, nil
}

func TestPublishOnlyWhatChanged(t *testing.T) {
	dir := t.TempDir()
	if p := night(t, dir, "r1", 0, 10, "1", "2"); !p.DuckDB || !p.Parquet || p.Files != 4 || p.Reused != 0 || p.Bytes == 0 {
		t.Errorf("first night: %+v", p)
	}
	before, err := os.Stat(filepath.Join(dir, "warehouse.duckdb"))
	if err != nil {
		t.Fatal(err)
	}
	if p := night(t, dir, "r2", 0, 0); p.DuckDB || p.Parquet {
		t.Errorf("a night without changes: %+v", p)
	}
	after, err := os.Stat(filepath.Join(dir, "warehouse.duckdb"))
	if err != nil || !os.SameFile(before, after) || after.Mode().Perm() != 0o444 {
		t.Errorf("published file was replaced, or has mode %v, %v", after.Mode(), err)
	}
	if p := night(t, dir, "r3", 100, 5, "2"); !p.DuckDB || !p.Parquet || p.Files != 4 || p.Reused != 2 {
		t.Errorf("a night with changes: %+v", p)
	}
	got := answer(t, filepath.Join(dir, "warehouse.duckdb"), "SELECT _division, count(*), min(N) FROM crm.Accounts GROUP BY 1 ORDER BY 1")
	if want := "1 10 0\n2 5 100\n"; got != want {
		t.Errorf("published: %q, want %q", got, want)
	}
}

func TestHistoryAloneIsNotPublished(t *testing.T) {
	dir := t.TempDir()
	night(t, dir, "r1", 0, 1, "1")
	w := open(t, dir)
	if err := w.Record(t.Context(), Run{ID: "r2"}, nil, nil, nil); err != nil {
		t.Fatal(err)
	}
	if p := publish(t, w, dir, "r2"); p.DuckDB || p.Parquet {
		t.Errorf("published %+v for a run record", p)
	}
}

func TestPublishedFileThatWasTamperedWithIsReplaced(t *testing.T) {
	dir := t.TempDir()
	night(t, dir, "r1", 0, 3, "1")
	path := filepath.Join(dir, "warehouse.duckdb")
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("duckdb", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), "DELETE FROM crm.Accounts"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if p := night(t, dir, "r2", 0, 0); !p.DuckDB {
		t.Error("the file that somebody changed was left as it was")
	}
	if got := answer(t, path, "SELECT count(*) FROM crm.Accounts"); got != "3\n" {
		t.Errorf("rows = %q, want 3", got)
	}
}

func TestForeignFileIsNeverReplaced(t *testing.T) {
	for name, make := range map[string]func(t *testing.T, path string){
		"text": func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte("my notes, more than a few bytes of them"), 0o644); err != nil {
				t.Fatal(err)
			}
		},
		"empty": func(t *testing.T, path string) {
			if err := os.WriteFile(path, nil, 0o644); err != nil {
				t.Fatal(err)
			}
		},
		"folder": func(t *testing.T, path string) {
			if err := os.Mkdir(path, 0o755); err != nil {
				t.Fatal(err)
			}
		},
		"database": func(t *testing.T, path string) {
			db, err := sql.Open("duckdb", path)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := db.ExecContext(t.Context(), "CREATE TABLE mine (i INTEGER)"); err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
		},
		"other warehouse": func(t *testing.T, path string) {
			other := t.TempDir()
			night(t, other, "r1", 0, 1, "1")
			if err := os.Rename(filepath.Join(other, "warehouse.duckdb"), path); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			w := open(t, dir)
			fill(t, w, 0, 1, "1")
			make(t, filepath.Join(dir, "warehouse.duckdb"))
			before, err := os.Stat(filepath.Join(dir, "warehouse.duckdb"))
			if err != nil {
				t.Fatal(err)
			}
			_, err = w.Publish(t.Context(), target(dir, "r1"))
			if _, ok := errors.AsType[*Foreign](err); !ok {
				t.Errorf("Publish = %v, want *Foreign", err)
			}
			after, err := os.Stat(filepath.Join(dir, "warehouse.duckdb"))
			if err != nil || !os.SameFile(before, after) {
				t.Errorf("the file was touched: %v", err)
			}
			if _, err := os.Stat(filepath.Join(dir, "lake")); err == nil {
				t.Error("the lake was written nevertheless")
			}
		})
	}
}

func TestForeignFileIsRefusedBeforeAnythingIsLoaded(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "warehouse.duckdb")
	if err := os.WriteFile(path, []byte("not a database at all, whatever its name says"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), options(dir))
	if _, ok := errors.AsType[*Foreign](err); !ok {
		t.Errorf("Open = %v, want *Foreign", err)
	}
}

func TestLostStateDirectoryIsRecoveredFromThePublishedFile(t *testing.T) {
	dir := t.TempDir()
	w := open(t, dir)
	fill(t, w, 0, 7, "1")
	err := w.inTx(t.Context(), func(ctx context.Context, c *sql.Conn) error {
		return w.putCursors(ctx, c, Cursor{Stream: "crm/Accounts", Scope: "1", Table: "crm.Accounts", Position: "p7"})
	})
	if err != nil {
		t.Fatal(err)
	}
	publish(t, w, dir, "r1")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "state")); err != nil {
		t.Fatal(err)
	}
	w = open(t, dir)
	cursor, found, err := w.Cursor(t.Context(), "crm/Accounts", "1")
	if err != nil || !found || cursor.Position != "p7" {
		t.Errorf("Cursor = %+v, %v, %v; want position p7", cursor, found, err)
	}
	fill(t, w, 50, 1, "1") // the number of this generation may have been used before
	if p := publish(t, w, dir, "r2"); !p.DuckDB || !p.Parquet || p.Reused != 0 {
		t.Errorf("Published = %+v, want everything anew", p)
	}
	if got := answer(t, filepath.Join(dir, "warehouse.duckdb"), "SELECT N FROM crm.Accounts"); got != "50\n" {
		t.Errorf("rows = %q, want 50", got)
	}
}

func TestWALWithoutDatabaseIsNotReplayed(t *testing.T) {
	dir := t.TempDir()
	wal := filepath.Join(dir, "state", "warehouse.work.duckdb.wal")
	if err := os.MkdirAll(filepath.Dir(wal), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(wal, []byte("left over"), 0o600); err != nil {
		t.Fatal(err)
	}
	open(t, dir)
	if _, err := os.Stat(wal + ".orphan"); err != nil {
		t.Errorf("the orphan was not kept: %v", err)
	}
}

func TestStrayWALOfThePublishedFileIsRemoved(t *testing.T) {
	dir := t.TempDir()
	night(t, dir, "r1", 0, 1, "1")
	path := filepath.Join(dir, "warehouse.duckdb")
	if err := os.WriteFile(path+".wal", []byte("somebody wrote here"), 0o644); err != nil {
		t.Fatal(err)
	}
	night(t, dir, "r2", 5, 1, "1")
	if _, err := os.Stat(path + ".wal"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("stray wal: %v", err)
	}
	if got := answer(t, path, "SELECT N FROM crm.Accounts"); got != "5\n" {
		t.Errorf("rows = %q, want 5", got)
	}
}

func TestPublishThroughALink(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	behind := filepath.Join(elsewhere, "real.duckdb")
	night(t, dir, "r1", 0, 1, "1")
	if err := os.Rename(filepath.Join(dir, "warehouse.duckdb"), behind); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(behind, filepath.Join(dir, "warehouse.duckdb")); err != nil {
		t.Fatal(err)
	}
	night(t, dir, "r2", 8, 1, "1")
	if got := answer(t, behind, "SELECT N FROM crm.Accounts"); got != "8\n" {
		t.Errorf("the file behind the link has %q, want 8", got)
	}
	if to, err := os.Readlink(filepath.Join(dir, "warehouse.duckdb")); err != nil || to != behind {
		t.Errorf("the link leads to %q, %v", to, err)
	}
}

func TestOpenHandleKeepsTheOldNight(t *testing.T) {
	dir := t.TempDir()
	night(t, dir, "r1", 1, 1, "1")
	old, err := OpenReader(t.Context(), filepath.Join(dir, "warehouse.duckdb"))
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	night(t, dir, "r2", 2, 1, "1")
	if got := answer(t, filepath.Join(dir, "warehouse.duckdb"), "SELECT N FROM crm.Accounts"); got != "2\n" {
		t.Errorf("a new reader sees %q, want 2", got)
	}
	var n int
	if err := old.db.QueryRowContext(t.Context(), "SELECT N FROM crm.Accounts").Scan(&n); err != nil || n != 1 {
		t.Errorf("the old reader sees %d, %v; want 1", n, err)
	}
}

func TestPublishRefusesWhileAQueryIsOpen(t *testing.T) {
	dir := t.TempDir()
	w := open(t, dir)
	fill(t, w, 0, 1, "1")
	conn, err := w.db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := w.Publish(t.Context(), target(dir, "r1")); err == nil {
		t.Error("published a file that this process had open")
	}
	if _, err := os.Stat(filepath.Join(dir, "warehouse.duckdb")); err == nil {
		t.Error("a file was published")
	}
}

func TestUnwritableTarget(t *testing.T) {
	if os.Geteuid() == 0 {
		// Root may write anywhere but below a file.
		dir := t.TempDir()
		w := open(t, dir)
		fill(t, w, 0, 1, "1")
		if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := w.Publish(t.Context(), Target{DuckDB: filepath.Join(dir, "file", "x.duckdb"), RunID: "r"})
		if !errors.Is(err, syscall.ENOTDIR) {
			t.Errorf("Publish = %v, want ENOTDIR", err)
		}
		return
	}
	dir := t.TempDir()
	w := open(t, dir)
	fill(t, w, 0, 1, "1")
	closed := filepath.Join(dir, "closed")
	if err := os.Mkdir(closed, 0o500); err != nil {
		t.Fatal(err)
	}
	_, err := w.Publish(t.Context(), Target{DuckDB: filepath.Join(closed, "x.duckdb"), RunID: "r"})
	if !errors.Is(err, os.ErrPermission) {
		t.Errorf("Publish = %v, want a permission error", err)
	}
}
