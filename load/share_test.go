package load

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"exactduck/load/spool"
	"exactduck/schema"
)

// entries has a date, as the tables of documents have.
var entries = &schema.Table{
	Service: "financialtransaction", Name: "TransactionLines", Scope: division, Key: []string{"ID"}, Version: "Timestamp", Entity: 9,
	Columns: []schema.Column{
		{Name: "Timestamp", Type: schema.BigInt},
		{Name: "ID", Type: schema.UUID},
		{Name: "Date", Type: schema.Timestamp},
		{Name: "Division", Type: schema.Integer},
		{Name: "AmountDC", Type: schema.Decimal},
	},
}

// entry is a row of entries.
func entry(n, version int, year int) []any {
	var date any
	if year > 0 {
		date = int(time.Date(year, time.Month(n%12+1), n%28+1, 0, 0, 0, 0, time.UTC).UnixMicro())
	}
	return []any{version, bigID(n), date, 99, n}
}

// lake publishes to a lake that is divided by years.
func (b *books) lake(run string) Published {
	b.t.Helper()
	return b.publishTo(Target{Parquet: filepath.Join(b.dir, "lake"), DuckDB: filepath.Join(b.dir, "warehouse.duckdb"), Partition: ByYear, RunID: run})
}

func (b *books) publishTo(to Target) Published {
	b.t.Helper()
	p, err := b.Publish(b.t.Context(), to)
	if err := errors.Join(err, b.Close()); err != nil {
		b.t.Fatal(err)
	}
	b.open()
	return p
}

// files are the folders of those of a table in the current snapshot, with what is said of each.
func (b *books) files(table string, say func(ManifestFile) string) []string {
	b.t.Helper()
	m, err := ReadManifest(filepath.Join(b.dir, "lake", "current"))
	if err != nil {
		b.t.Fatal(err)
	}
	var all []string
	for _, f := range m.Files {
		if f.Table == table {
			all = append(all, strings.TrimPrefix(path.Dir(f.Path), strings.ReplaceAll(table, ".", "/")+"/")+say(f))
		}
	}
	slices.Sort(all)
	return all
}

func nothing(ManifestFile) string { return "" }

func rowsOf(f ManifestFile) string { return fmt.Sprintf(" %d by %v", f.Rows, f.SortedBy) }

const entryLines = "financialtransaction.TransactionLines"

func TestOneFileForEachYear(t *testing.T) {
	b := newBooks(t)
	b.apply("r1",
		read{table: entries, scope: "7", mode: spool.Merge, rows: [][]any{
			entry(1, 1, 2024), entry(2, 2, 2024), entry(3, 3, 2025), entry(4, 4, 1753), entry(5, 5, 9999), entry(6, 6, 0),
		}},
		read{table: entries, scope: "8", mode: spool.Merge, rows: [][]any{entry(7, 7, 2025)}},
		read{table: entries, scope: "9", mode: spool.Merge})
	b.apply("r1", read{table: accounts, scope: "7", mode: spool.Merge, rows: [][]any{{1, id(1), "Bakery", 1}}})
	b.lake("r1")
	want := []string{
		"in_division=7/in_year=1753 1 by [Date ID]",
		"in_division=7/in_year=2024 2 by [Date ID]",
		"in_division=7/in_year=2025 1 by [Date ID]",
		"in_division=7/in_year=9999 1 by [Date ID]",
		"in_division=7/in_year=__HIVE_DEFAULT_PARTITION__ 1 by [Date ID]",
		"in_division=8/in_year=2025 1 by [Date ID]",
	}
	if d := cmp.Diff(want, b.files(entryLines, rowsOf)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"in_division=7 1 by [ID]"}, b.files("crm.Accounts", rowsOf)); d != "" {
		t.Error(d)
	}
	b.lakeEqualsTables()
	glob := "read_parquet(" + literal(filepath.Join(b.dir, "lake", "current", "financialtransaction", "TransactionLines", "**", "*.parquet")) + ")"
	// The names of the folders do not come between readers and the columns of the table.
	got := query(t, "SELECT concat_ws(' ', in_division, in_year, _division, Division) FROM "+glob+" WHERE in_year = 2025 OR in_year IS NULL ORDER BY ALL")
	if d := cmp.Diff([]string{"7 2025 7 99", "7 7 99", "8 2025 8 99"}, got); d != "" {
		t.Error(d)
	}
}

// lakeEqualsTables compares every row of every table with the files.
func (b *books) lakeEqualsTables() {
	b.t.Helper()
	folder := must(filepath.EvalSymlinks(filepath.Join(b.dir, "lake", "current")))
	b.t.Helper()
	attach := "ATTACH " + literal(filepath.Join(b.dir, "warehouse.duckdb")) + " AS held (READ_ONLY); "
	tables := query(b.t.(*testing.T), attach+`SELECT service || '.' || name FROM held._exactduck.tables WHERE service <> '_exactduck' ORDER BY ALL`)
	for _, table := range tables {
		files := literal(filepath.Join(folder(b.t.(*testing.T)), strings.ReplaceAll(table, ".", "/"), "**", "*.parquet"))
		exported := "(FROM read_parquet(" + files + ", hive_partitioning = false))"
		differing := query(b.t.(*testing.T), attach+fmt.Sprintf(`SELECT x::VARCHAR FROM ((FROM held.%[1]s EXCEPT ALL FROM %[2]s) UNION ALL (FROM %[2]s EXCEPT ALL FROM held.%[1]s)) x`,
			table, exported))
		if len(differing) > 0 {
			b.t.Errorf("%s: %d rows differ, such as %s", table, len(differing), differing[0])
		}
	}
}

func TestOnlyTheYearThatChangedIsWritten(t *testing.T) {
	b := newBooks(t)
	rows := [][]any{entry(1, 1, 2023), entry(2, 2, 2024), entry(3, 3, 2025), entry(4, 4, 2025)}
	b.apply("r1", read{table: entries, scope: "7", rows: rows, mode: spool.Replace}, read{table: entries, scope: "8", rows: [][]any{entry(9, 1, 2023)}, mode: spool.Replace})
	b.lake("r1")
	year := func(y string) string { return "in_division=7/in_year=" + y }
	const other = "in_division=8/in_year=2023"
	for _, step := range []struct {
		what   string
		rows   [][]any
		reused int
		want   []string
	}{
		{"a changed row", [][]any{rows[0], rows[1], entry(3, 30, 2025), rows[3]}, 3, []string{year("2023"), year("2024"), year("2025"), other}},
		{"the same again", [][]any{rows[0], rows[1], entry(3, 30, 2025), rows[3]}, -1, []string{year("2023"), year("2024"), year("2025"), other}},
		{"a row that is gone", [][]any{rows[0], entry(3, 30, 2025), rows[3]}, 3, []string{year("2023"), year("2025"), other}},
		{"a row of another year", [][]any{rows[0], entry(3, 31, 2023), rows[3]}, 1, []string{year("2023"), year("2025"), other}},
		{"nothing is left", [][]any{}, 1, []string{year("__HIVE_DEFAULT_PARTITION__"), other}},
	} {
		b.tick()
		b.apply("r2", read{table: entries, scope: "7", rows: step.rows, mode: spool.Replace, accept: true})
		p := b.lake("r2")
		if p.Parquet != (step.reused >= 0) || p.Parquet && p.Reused != step.reused {
			t.Errorf("%s: %+v, want %d files reused", step.what, p, step.reused)
		}
		if d := cmp.Diff(step.want, b.files(entryLines, nothing)); d != "" {
			t.Errorf("%s: %s", step.what, d)
		}
		b.lakeEqualsTables()
	}
}

func TestMissingFileOfAYearIsWrittenAgain(t *testing.T) {
	b := newBooks(t)
	b.apply("r1", read{table: entries, scope: "7", mode: spool.Merge, rows: [][]any{entry(1, 1, 2023), entry(2, 2, 2024)}})
	b.lake("r1")
	missing := must(filepath.Glob(filepath.Join(b.dir, "lake", "current", "financialtransaction", "TransactionLines", "in_division=7", "in_year=2023", "*")))(t)
	if err := os.Remove(missing[0]); err != nil {
		t.Fatal(err)
	}
	if p := b.lake("r2"); !p.Parquet || p.DuckDB || p.Reused != 1 || p.Files != 2 {
		t.Errorf("%+v, want the lake with one of two files reused", p)
	}
	b.lakeEqualsTables()
}

// TestAnotherDivisionOfFilesWritesThemAnew: from years to none and back, and from the names of format 1.
func TestAnotherDivisionOfFilesWritesThemAnew(t *testing.T) {
	b := newBooks(t)
	b.apply("r1", read{table: entries, scope: "7", mode: spool.Merge, rows: [][]any{entry(1, 1, 2023), entry(2, 2, 2024)}})
	to := Target{Parquet: filepath.Join(b.dir, "lake"), DuckDB: filepath.Join(b.dir, "warehouse.duckdb"), RunID: "r"}
	for _, step := range []struct {
		partition string
		files     []string
	}{
		{"", []string{"in_division=7"}},
		{ByYear, []string{"in_division=7/in_year=2023", "in_division=7/in_year=2024"}},
		{"", []string{"in_division=7"}},
	} {
		to.Partition = step.partition
		if p := b.publishTo(to); !p.Parquet || p.Reused != 0 {
			t.Errorf("%q: %+v, want all files anew", step.partition, p)
		}
		if d := cmp.Diff(step.files, b.files(entryLines, nothing)); d != "" {
			t.Error(d)
		}
		if p := b.publishTo(to); p.Parquet {
			t.Errorf("%q: published again: %+v", step.partition, p)
		}
		b.lakeEqualsTables()
	}
	manifest := filepath.Join(b.dir, "lake", "current", manifestName)
	old := strings.Replace(string(must(os.ReadFile(manifest))(t)), fmt.Sprintf(`"format": %d`, lakeFormat), `"format": 1`, 1)
	if err := errors.Join(os.Remove(manifest), os.WriteFile(manifest, []byte(old), 0o444)); err != nil {
		t.Fatal(err)
	}
	if p := b.publishTo(to); !p.Parquet || p.DuckDB || p.Reused != 0 {
		t.Errorf("%+v, want a lake of the old format written anew", p)
	}
}

// TestRowsOfAFileLieInOrder, unless they are too many to be sorted.
func TestRowsOfAFileLieInOrder(t *testing.T) {
	b := newBooks(t)
	var rows [][]any
	for n := range 500 {
		rows = append(rows, entry(n*7919%500, n+1, 2020+n%3))
	}
	b.apply("r1", read{table: entries, scope: "7", mode: spool.Merge, rows: rows, size: 100})
	b.publishTo(Target{Parquet: filepath.Join(b.dir, "lake"), RunID: "r1"})
	glob := literal(filepath.Join(b.dir, "lake", "current", "financialtransaction", "**", "*.parquet"))
	disorder := `SELECT count(*)::VARCHAR FROM (SELECT (Date, ID) < lag((Date, ID)) OVER (ORDER BY file_row_number) AS back
		FROM read_parquet(` + glob + `, file_row_number = true)) WHERE back`
	if got := query(t, disorder); got[0] != "0" {
		t.Errorf("%s of 500 rows come too late", got[0])
	}
	big := share{part: part{fields: make([]field, 85), key: []string{"ID"}}, rows: sortable/85 + 1}
	if by := big.sorting(); by != nil {
		t.Errorf("%d values are sorted by %v", sortable, by)
	}
}
