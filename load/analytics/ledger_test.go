package analytics_test

import (
	"database/sql"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	_ "github.com/duckdb/duckdb-go/v2"

	"exactduck/extract/exactonline"
	"exactduck/extract/exactpay"
	"exactduck/load/analytics"
)

// ledger is a warehouse of which a test writes every row, to say what no sandbox says. The
// database is attached as the real working database is.
type ledger struct {
	reader
	layer analytics.Layer
	path  string
	keys  int
}

const own = `CREATE SCHEMA _exactduck;
CREATE TABLE _exactduck.meta (key VARCHAR, value VARCHAR);
CREATE TABLE _exactduck.tables (service VARCHAR, name VARCHAR, key VARCHAR[]);
CREATE TABLE _exactduck.divisions (prefix VARCHAR, scope VARCHAR, name VARCHAR, currency VARCHAR);
CREATE TABLE _exactduck.cursors (prefix VARCHAR, stream VARCHAR, scope VARCHAR, table_name VARCHAR, variant VARCHAR,
	fingerprint VARCHAR, complete BOOLEAN, history_from VARCHAR, read_at TIMESTAMPTZ, rows BIGINT);`

func newLedger(t testing.TB, streams ...string) *ledger {
	t.Helper()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(1)
	l := &ledger{reader: reader{t, db}, path: filepath.Join(t.TempDir(), "books.duckdb")}
	l.do("ATTACH '" + l.path + "' AS _work")
	l.do("USE _work")
	l.do(own)
	for _, name := range streams {
		l.stream(name)
	}
	return l
}

// stream makes the table of a stream, complete in divisions 1 and 2.
func (l *ledger) stream(name string) {
	l.t.Helper()
	stream, _, err := exactonline.Lookup(name)
	if strings.HasPrefix(name, exactpay.Service) {
		stream, _, err = exactpay.Lookup(name)
	}
	if err != nil {
		l.t.Fatal(err)
	}
	table := stream.Variants[0].Table
	columns := []string{fmt.Sprintf("%s %s", table.Scope.Name, table.Scope.Type)}
	for _, c := range table.Columns {
		columns = append(columns, fmt.Sprintf("%q %s", c.Name, c.Type))
	}
	columns = append(columns, "_synced_at TIMESTAMPTZ", "_run_id VARCHAR", "_deleted_at TIMESTAMPTZ", "_extra JSON")
	service := l.layer.Prefix + table.Service
	l.do("CREATE SCHEMA IF NOT EXISTS " + service)
	l.do(fmt.Sprintf("CREATE TABLE %s.%s (%s)", service, table.Name, strings.Join(columns, ", ")))
	l.do(fmt.Sprintf("INSERT INTO _exactduck.tables VALUES ('%s', '%s', ['%s'])", service, table.Name, strings.Join(table.Key, "', '")))
	l.do(fmt.Sprintf("INSERT INTO _exactduck.cursors SELECT '%s', '%s', unnest(['1', '2']), '%s.%s', '%s', '{}', true, '', now(), 0",
		l.layer.Prefix, stream.Name, service, table.Name, stream.Variants[0].Name))
}

// add writes a row: columns and values as SQL. Without an ID it gets the next one.
func (l *ledger) add(table string, values map[string]any) {
	l.t.Helper()
	l.keys++
	names, list := []string{}, []string{}
	if _, ok := values["_division"]; !ok {
		values["_division"] = 1
	}
	for name, v := range values {
		names = append(names, fmt.Sprintf("%q", name))
		if text, ok := v.(string); ok {
			v = "'" + text + "'"
		}
		list = append(list, fmt.Sprint(v))
	}
	l.do(fmt.Sprintf("INSERT INTO %s%s (%s) VALUES (%s)", l.layer.Prefix, table, strings.Join(names, ", "), strings.Join(list, ", ")))
}

// key is a UUID that says its number.
func key(n int) string { return fmt.Sprintf("00000000-0000-0000-0000-%012d", n) }

// account opens a ledger account; its key says its code.
func (l *ledger) account(code, kind int, balance, side string) {
	l.t.Helper()
	l.add("financial.GLAccounts", map[string]any{
		"ID": key(code), "Code": fmt.Sprint(code), "Description": fmt.Sprint("account ", code), "Type": kind, "BalanceType": balance, "BalanceSide": side,
	})
}

// entry books an entry: date, type, and lines of account and amount in cents. Line 0 is the first.
func (l *ledger) entry(date string, kind int, lines ...[2]int) {
	l.t.Helper()
	l.entryWith(date, kind, nil, lines...)
}

func (l *ledger) entryWith(date string, kind int, more map[string]any, lines ...[2]int) {
	l.t.Helper()
	entry := key(900_000 + l.keys)
	for i, line := range lines {
		f := map[string]any{
			"ID": key(1_000_000 + l.keys), "EntryID": entry, "EntryNumber": l.keys, "LineNumber": i, "Date": date,
			"FinancialYear": date[:4], "FinancialPeriod": date[5:7], "Type": kind, "Status": 50, "GLAccount": key(line[0]),
			"GLAccountCode": fmt.Sprint(line[0]), "AmountDC": fmt.Sprintf("%d.%02d", line[1]/100, max(line[1], -line[1])%100),
			"AmountFC": fmt.Sprintf("%d.%02d", line[1]/100, max(line[1], -line[1])%100),
		}
		if line[1] < 0 && line[1] > -100 {
			f["AmountDC"], f["AmountFC"] = "-"+f["AmountDC"].(string), "-"+f["AmountFC"].(string)
		}
		maps.Copy(f, more)
		l.add("financial.TransactionLines", f)
	}
}

// refresh brings the views up to date in a transaction, as a run does.
func (l *ledger) refresh() {
	l.t.Helper()
	conn, err := l.db.Conn(l.t.Context())
	if err != nil {
		l.t.Fatal(err)
	}
	defer conn.Close()
	for _, step := range []func() error{
		func() error { _, err := conn.ExecContext(l.t.Context(), "BEGIN"); return err },
		func() error { return l.layer.Refresh(l.t.Context(), conn) },
		func() error { _, err := conn.ExecContext(l.t.Context(), "COMMIT"); return err },
	} {
		if err := step(); err != nil {
			l.t.Fatal(err)
		}
	}
}

func (l *ledger) due() bool {
	l.t.Helper()
	due, err := l.layer.Due(l.t.Context(), l.db)
	if err != nil {
		l.t.Fatal(err)
	}
	return due
}

// views are the names of the views that there are.
func (l *ledger) views() []string {
	l.t.Helper()
	return l.rows("SELECT view_name FROM duckdb_views() WHERE NOT internal AND database_name = '_work' ORDER BY ALL")
}

// publish closes the file and leaves it read-only, as readers find it.
func (l *ledger) publish() string {
	l.t.Helper()
	l.do("CHECKPOINT _work")
	if err := l.db.Close(); err != nil {
		l.t.Fatal(err)
	}
	if err := os.Chmod(l.path, 0o444); err != nil {
		l.t.Fatal(err)
	}
	return l.path
}

// expect compares an answer with the lines that are wanted.
func (r reader) expect(what, query string, want ...string) {
	r.t.Helper()
	if d := cmp.Diff(want, r.rows(query)); d != "" {
		r.t.Errorf("%s (-want +got):\n%s", what, d)
	}
}
