package load

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestQueryGivesPlainValues(t *testing.T) {
	dir := t.TempDir()
	night(t, dir, "r1", 0, 1, "1")
	r, err := OpenReader(t.Context(), filepath.Join(dir, "warehouse.duckdb"))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	a, err := r.Query(t.Context(), `SELECT NULL AS n, true AS b, 42::INTEGER AS i, 170141183460469231731687303715884105727 AS h,
		1234.5600::DECIMAL(18,4) AS d, -0.5::DOUBLE AS f, 'nan'::DOUBLE AS x, 'text' AS t,
		'0f8fad5b-d9cb-469f-a165-70867728950e'::UUID AS u, '\xAA'::BLOB AS o, '{"a":[1,2.50,12345678901234567890]}'::JSON AS j, '"s"'::JSON AS j, -0.05::DECIMAL(9,2) AS m,
		DATE '2026-03-29' AS da, TIMESTAMP '2026-03-29 02:30:00.5' AS ts, TIMESTAMPTZ '2026-03-29 02:30:00+02' AS tz,
		[1.50::DECIMAL(4,2), NULL] AS l, {'k': 'v'} AS s`)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	want := []any{
		nil, true, json.Number("42"), json.Number("170141183460469231731687303715884105727"),
		json.Number("1234.5600"), json.Number("-0.5"), "NaN", "text",
		"0f8fad5b-d9cb-469f-a165-70867728950e",
		[]byte{0xAA},
		json.RawMessage(`{"a":[1,2.50,12345678901234567890]}`), json.RawMessage(`"s"`), json.Number("-0.05"),
		"2026-03-29", "2026-03-29 02:30:00.5", "2026-03-29T00:30:00Z",
		[]any{json.Number("1.50"), nil},
		map[string]any{"k": "v"},
	}
	n := 0
	for row, err := range a.Rows() {
		if err != nil {
			t.Fatal(err)
		}
		n++
		if d := cmp.Diff(want, row); d != "" {
			t.Error(d)
		}
	}
	if n != 1 || a.Columns[4] != (AnswerColumn{Name: "d", Type: "DECIMAL(18,4)"}) {
		t.Errorf("%d rows, column %+v", n, a.Columns[4])
	}
}

func TestQueryCannotWriteAnywhere(t *testing.T) {
	dir := t.TempDir()
	night(t, dir, "r1", 0, 3, "1")
	path, secret := filepath.Join(dir, "warehouse.duckdb"), filepath.Join(dir, "secret.csv")
	if err := os.WriteFile(secret, []byte("a\n1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	before := must(os.ReadFile(path))(t)
	r, err := OpenReader(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for _, q := range []string{
		"DELETE FROM crm.Accounts", "CREATE TABLE crm.x (i INTEGER)", "DROP TABLE crm.Accounts",
		"CREATE TABLE memory.main.lost AS SELECT 1", "COPY crm.Accounts TO " + literal(filepath.Join(dir, "out.csv")),
		"FROM read_csv(" + literal(secret) + ")", "FROM read_text(" + literal(secret) + ")", "FROM glob('/*')",
		"ATTACH " + literal(filepath.Join(dir, "other.duckdb")), "INSTALL httpfs", "LOAD httpfs",
		"SET enable_external_access = true", "RESET lock_configuration", "EXPORT DATABASE " + literal(filepath.Join(dir, "out")),
		"SELECT 1; DELETE FROM crm.Accounts", "SELEC 1", "",
	} {
		if a, err := r.Query(t.Context(), q); err == nil {
			for _, err := range a.Rows() {
				if err == nil {
					t.Errorf("%s went through", q)
				}
			}
			if err := a.Close(); err != nil {
				t.Error(err)
			}
			if len(a.Columns) > 0 && !strings.HasPrefix(q, "FROM") {
				t.Errorf("%s has an answer", q)
			}
		}
	}
	if !bytes.Equal(before, must(os.ReadFile(path))(t)) {
		t.Error("the published file has changed")
	}
	for _, name := range []string{"out.csv", "out", "other.duckdb", "warehouse.duckdb.wal"} {
		if _, err := os.Stat(filepath.Join(dir, name)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
	}
	a, err := r.Query(t.Context(), "SELECT count(*) FROM crm.Accounts")
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	for row, err := range a.Rows() {
		if d := cmp.Diff([]any{json.Number("3")}, row); d != "" || err != nil {
			t.Error(d, err)
		}
	}
}

func TestQueryStreamsAndSpills(t *testing.T) {
	dir := t.TempDir()
	night(t, dir, "r1", 0, 1, "1")
	r, err := OpenReader(t.Context(), filepath.Join(dir, "warehouse.duckdb"))
	if err != nil {
		t.Fatal(err)
	}
	a, err := r.Query(t.Context(), "FROM range(5000000)")
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range a.Rows() {
		if err != nil {
			t.Fatal(err)
		}
		break
	}
	if err := errors.Join(a.Close(), a.Close(), r.Close(), r.Close()); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(r.spill); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder for spilled rows is still there: %v", err)
	}
}

func TestQueryEndsWithItsContext(t *testing.T) {
	dir := t.TempDir()
	night(t, dir, "r1", 0, 1, "1")
	r, err := OpenReader(t.Context(), filepath.Join(dir, "warehouse.duckdb"))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if a, err := r.Query(ctx, "SELECT 1"); err == nil {
		t.Error("a cancelled query went through", a.Close())
	}
	if a, err := r.Query(t.Context(), "SELECT 1"); err != nil || a.Close() != nil {
		t.Errorf("the next query: %v", err)
	}
}

func TestOpenReaderErrors(t *testing.T) {
	dir := t.TempDir()
	if _, err := OpenReader(t.Context(), filepath.Join(dir, "none.duckdb")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	path := filepath.Join(dir, "text.duckdb")
	if err := os.WriteFile(path, []byte(strings.Repeat("nonsense ", 2000)), 0o644); err != nil {
		t.Fatal(err)
	}
	var damaged *Damaged
	if _, err := OpenReader(t.Context(), path); !errors.As(err, &damaged) || damaged.Path != path {
		t.Errorf("nonsense: %v", err)
	}
	var unnameable *Unnameable
	if _, err := OpenReader(t.Context(), filepath.Join(dir, "memory.duckdb")); !errors.As(err, &unnameable) {
		t.Errorf("memory: %v", err)
	}
}

func TestQueryTakesWhatPeopleType(t *testing.T) {
	dir := t.TempDir()
	night(t, dir, "r1", 0, 2, "1")
	path := filepath.Join(dir, "warehouse.duckdb")
	for query, want := range map[string]string{
		"SELECT N FROM crm.Accounts ORDER BY N DESC;":                 "1\n0\n",
		"FROM warehouse.crm.Accounts SELECT N -- all":                 "0\n1\n",
		"SELECT _extra FROM crm.Accounts LIMIT 1; ":                   "[123 34 97 34 58 49 125]\n",
		"SELECT N, N, _extra->>'a' FROM crm.Accounts":                 "0 0 1\n1 1 1\n",
		"SELECT 1; SELECT 2":                                          "2\n",
		"VALUES (1), (2)":                                             "1\n2\n",
		"WITH x AS (SELECT 3 AS i) SELECT i FROM x":                   "3\n",
		"SELECT 'a;b?' AS x":                                          "a;b?\n",
		"SELECT count(*) FROM (SHOW ALL TABLES) WHERE schema = 'crm'": "2\n",
	} {
		got, err := ask(t.Context(), path, query)
		if got != want || err != nil {
			t.Errorf("%s: %q, %v; want %q", query, got, err, want)
		}
	}
	for _, query := range []string{
		"DESCRIBE crm.Accounts", "SUMMARIZE crm.Accounts", "EXPLAIN SELECT 1", "EXPLAIN ANALYZE FROM crm.Accounts",
		"PRAGMA table_info('crm.Accounts')", "CALL duckdb_tables()", "SHOW ALL TABLES",
	} {
		if got, err := ask(t.Context(), path, query); got == "" || err != nil {
			t.Errorf("%s: %q, %v", query, got, err)
		}
	}
	if _, err := ask(t.Context(), path, "SELECT Nope FROM crm.Accounts"); err == nil || !strings.Contains(err.Error(), "Nope") ||
		strings.Contains(err.Error(), "DESCRIBE") {
		t.Errorf("unknown column: %v", err)
	}
}
