package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"exactduck/extract/sandbox"
)

// typed runs a command line as if somebody had typed it into a pipe.
func typed(ctx context.Context, input string, args ...string) (code int, out, complaints string) {
	var stdout, stderr bytes.Buffer
	a := newApp(strings.NewReader(input), &stdout, &stderr)
	code = execute(ctx, a, append([]string{"exactduck"}, args...))
	return code, stdout.String(), stderr.String()
}

// publishedBooks is a folder with a configuration and a published file.
func publishedBooks(t *testing.T) (dir, config, file string) {
	t.Helper()
	dir = t.TempDir()
	w := newWorld(t, dir, "      - general/Currencies", sandbox.Options{Divisions: 1, Scale: 0.02})
	w.run(syncOptions{})
	config = filepath.Join(dir, "pipelines.yaml")
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.Replace(text, []byte("client_secret: secret"), []byte("client_secret: ${EXACT_CLIENT_SECRET}"), 1) // or there is a warning
	if err := os.WriteFile(config, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir, config, w.published()
}

func TestQuery(t *testing.T) {
	t.Parallel()
	_, config, file := publishedBooks(t)
	const sql = "SELECT _division, Code FROM general.Currencies WHERE Code = 'EUR'"
	ask := func(input string, args ...string) string {
		t.Helper()
		code, out, complaints := typed(t.Context(), input, append([]string{"query", "--config", config}, args...)...)
		if code != 0 || complaints != "" {
			t.Fatalf("exit code %d: %s", code, complaints)
		}
		return out
	}
	table := ask("", sql)
	if want := " _division  Code \n─────────────────\n    123456  EUR  \n"; table != want {
		t.Errorf("table: %s", cmp.Diff(want, table))
	}
	if got := ask("", "--output", "csv", sql); got != "_division,Code\r\n123456,EUR\r\n" {
		t.Errorf("csv: %q", got)
	}
	for _, args := range [][]string{{}, {"-"}} {
		if got := ask("-- a remark\n"+sql+";\n", args...); got != table {
			t.Errorf("from standard input: %q", got)
		}
	}
	if got := ask("", "--config", "none.yaml", "--duckdb", file, sql); got != table {
		t.Errorf("by file: %q", got)
	}
	report := filepath.Join(t.TempDir(), "report.sql")
	if err := os.WriteFile(report, []byte("-- a remark\n"+sql+"\n;\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"-f", report}, {"--file", report}, {"-- a remark\n" + sql}, {"--a-remark\n" + sql}, {"--", "-- a remark\n" + sql}, {"--a b\n" + sql, "-q"}} {
		if got := ask("", args...); got != table {
			t.Errorf("%q: %q", args, got)
		}
	}
	if got := ask("", "--pipeline", "nightly", sql); got != table {
		t.Errorf("by pipeline: %q", got)
	}
	var envelope struct {
		Command string
		Data    struct {
			Columns []struct{ Name, Type string }
			Rows    []map[string]any
		}
	}
	if err := json.Unmarshal([]byte(ask("", "--output", "json", sql)), &envelope); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]map[string]any{{"_division": 123456.0, "Code": "EUR"}}, envelope.Data.Rows); d != "" || envelope.Command != "query" {
		t.Error(envelope.Command, d)
	}
}

func TestQueryWithoutRowsSaysSo(t *testing.T) {
	t.Parallel()
	_, config, _ := publishedBooks(t)
	const sql = "SELECT Code FROM general.Currencies WHERE false"
	for format, want := range map[string]string{"table": " Code \n──────\n", "csv": "Code\r\n"} {
		code, out, complaints := typed(t.Context(), "", "query", "--config", config, "--output", format, sql)
		if code != 0 || out != want || complaints != "no rows\n" {
			t.Errorf("%s: exit code %d, %q, %q", format, code, out, complaints)
		}
		if _, _, complaints = typed(t.Context(), "", "query", "-q", "--config", config, "--output", format, sql); complaints != "" {
			t.Errorf("%s: -q does not keep it quiet: %q", format, complaints)
		}
	}
}

func TestQueryErrors(t *testing.T) {
	t.Parallel()
	dir, config, file := publishedBooks(t)
	garbage := filepath.Join(dir, "garbage.duckdb")
	if err := os.WriteFile(garbage, bytes.Repeat([]byte("garbage "), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"SELECT Cod FROM general.Currencies"}, 2, "error: Binder Error: Referenced column \"Cod\" not found in FROM clause!\nhint: Candidate bindings: \"Code\""},
		{[]string{"SELECT Cod FROM general.Currencies"}, 2, "\nhint: LINE 1: SELECT Cod FROM general.Currencies\nhint:                ^\n"},
		{[]string{"--output", "csv", "SELECT Cod FROM general.Currencies"}, 2, "\nhint: LINE 1: SELECT Cod"},
		{[]string{"FROM general.Currency"}, 2, `hint: Did you mean "Currencies"?`},
		{[]string{"FROM general.Currency"}, 2, `hint: "SHOW ALL TABLES" lists the tables`},
		{[]string{"SELEC 1"}, 2, `error: Parser Error: syntax error at or near "SELEC"`},
		{[]string{"SELECT 'x'::INTEGER"}, 2, "error: Conversion Error: "},
		{[]string{"/* nothing */"}, 2, "error: empty query"},
		{[]string{" ; "}, 2, "error: there is no SQL"},
		{nil, 2, "error: there is no SQL"},
		{[]string{"SELECT", "1"}, 2, "hint: type: exactduck query \"SELECT …\", with the SQL in quotes"},
		{[]string{"--output", "xml", "SELECT 1"}, 2, "hint: use one of table, json, csv"},
		{[]string{"--pipeline", "weekly", "SELECT 1"}, 2, `error: there is no pipeline "weekly"`},
		{[]string{"--duckdb", filepath.Join(dir, "none.duckdb"), "SELECT 1"}, 2, "none.duckdb\nhint: --duckdb names a DuckDB file"},
		{[]string{"--duckdb", garbage, "SELECT 1"}, 10, "error: open " + garbage},
	} {
		code, out, complaints := typed(t.Context(), "", append([]string{"query", "--config", config}, test.args...)...)
		if code != test.code || out != "" || !strings.Contains(complaints, test.want) {
			t.Errorf("%q: exit code %d, %q, and it says\n%s", test.args, code, out, complaints)
		}
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	code, _, complaints := typed(t.Context(), "", "query", "--config", config, "SELECT 1")
	if want := "error: " + file + " has not been published yet\nhint: run \"exactduck sync\" first\n"; code != 2 || complaints != want {
		t.Errorf("before the first sync: exit code %d, %s", code, complaints)
	}
}

func TestQueryAsksWhichFileIsMeant(t *testing.T) {
	t.Parallel()
	dir, path, _ := publishedBooks(t)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	more := string(text) + "  weekly:\n    streams: [crm/Accounts]\n    to: {duckdb: other.duckdb}\n"
	if err := os.WriteFile(path, []byte(more), 0o600); err != nil {
		t.Fatal(err)
	}
	code, _, complaints := typed(t.Context(), "", "query", "--config", path, "SELECT 1")
	want := "error: the pipelines publish several files\nhint: --pipeline nightly asks " + filepath.Join(dir, "books.duckdb") +
		"\nhint: --pipeline weekly asks " + filepath.Join(dir, "other.duckdb") + "\n"
	if d := cmp.Diff(want, complaints); code != 2 || d != "" {
		t.Errorf("exit code %d, %s", code, d)
	}
	if code, _, complaints := typed(t.Context(), "", "query", "--config", path, "--pipeline", "nightly", "SELECT 1"); code != 0 {
		t.Errorf("--pipeline: exit code %d, %s", code, complaints)
	}
}

func TestQueryCannotWrite(t *testing.T) {
	t.Parallel()
	dir, config, file := publishedBooks(t)
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	beside := func(name string) string { return "'" + filepath.Join(dir, name) + "'" }
	for _, sql := range []string{
		"DELETE FROM general.Currencies", "COMMIT; DELETE FROM general.Currencies", "DROP TABLE general.Currencies",
		"CREATE TABLE general.Mine (i INTEGER)", "COPY general.Currencies TO " + beside("out.csv"), "EXPORT DATABASE " + beside("out"),
		"ATTACH " + beside("new.duckdb"), "DETACH books; ATTACH " + beside("books.duckdb"), "FROM read_text(" + beside("pipelines.yaml") + ")",
		"SET enable_external_access = true", "LOAD httpfs",
	} {
		code, out, complaints := typed(t.Context(), "", "query", "--config", config, sql)
		if code != 2 || out != "" || !strings.HasPrefix(complaints, "error: ") {
			t.Errorf("%s: exit code %d, %s%s", sql, code, out, complaints)
		}
	}
	after, err := os.ReadFile(file)
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("the published file is another, or gone: %v", err)
	}
	for _, name := range []string{"out.csv", "out", "new.duckdb", "books.duckdb.wal"} {
		if _, err := os.Stat(filepath.Join(dir, name)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is there: %v", name, err)
		}
	}
}

// full is a disk without space.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

// A result that does not arrive is an error, whatever its format.
func TestQueryNoticesThatNothingArrives(t *testing.T) {
	t.Parallel()
	_, _, file := publishedBooks(t)
	for _, format := range []string{"table", "csv", "json"} {
		var stderr bytes.Buffer
		a := newApp(strings.NewReader(""), full{}, &stderr)
		code := execute(t.Context(), a, []string{"exactduck", "query", "--output", format, "--duckdb", file, "SELECT 1"})
		if code != exitMachine || !strings.Contains(stderr.String(), "error: ") {
			t.Errorf("%s: exit code %d, %s", format, code, &stderr)
		}
	}
}

func TestQueryEndsWithCtrlC(t *testing.T) {
	t.Parallel()
	_, _, file := publishedBooks(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if code, _, complaints := typed(ctx, "", "query", "--duckdb", file, "SELECT 1"); code != exitInterrupted {
		t.Errorf("exit code %d, %s", code, complaints)
	}
}
