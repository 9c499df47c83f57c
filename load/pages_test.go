package load

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"exactduck/load/spool"
)

// TestPagesThatCannotBeRead makes the table function fail in every way; the statement must fail
// with it, and the connection must go on working.
func TestPagesThatCannotBeRead(t *testing.T) {
	b := newBooks(t)
	b.expectResult(b.apply("r1", read{table: accounts, scope: "7", mode: spool.Replace, rows: manyAccounts(0, 4)}), "read 4 inserted 4 updated 0 deleted 0 missed 0")
	f := b.spool(read{table: accounts, scope: "7", mode: spool.Merge, rows: manyAccounts(0, 4)})
	closed := b.spool(read{table: accounts, scope: "7", mode: spool.Merge, rows: manyAccounts(0, 4)})
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		file  *spool.File
		spoil func(*pageSource)
		want  string
	}{
		"panic":       {f, func(s *pageSource) { s.wanted = bitmap{} }, "panic: runtime error"},
		"closed file": {closed, func(*pageSource) {}, os.ErrClosed.Error()},
	}
	for name, c := range cases {
		source, err := newPageSource([]*spool.File{c.file}, []string{ordinalColumn, "ID"})
		if err != nil {
			t.Fatal(err)
		}
		c.spoil(source)
		n, withdraw := b.pages.offer(source)
		err = b.inTx(t.Context(), func(ctx context.Context, c *sql.Conn) error {
			_, err := c.ExecContext(ctx, `INSERT INTO crm.Accounts (_division, ID) SELECT 1, "ID" FROM exactduck_pages(?) WHERE _ordinal >= 0`, n)
			return err
		})
		if err == nil || source.err == nil || !strings.Contains(source.err.Error(), c.want) {
			t.Errorf("%s: %v, beside it %v", name, err, source.err)
		}
		withdraw()
		b.expect(name, "SELECT count(*) FROM crm.Accounts", "4")
	}
	if _, err := b.db.ExecContext(t.Context(), "FROM exactduck_pages(99)"); err == nil || !strings.Contains(err.Error(), "no pages are offered as 99") {
		t.Errorf("pages that nobody offers: %v", err)
	}
	if _, err := newPageSource([]*spool.File{f}, []string{"Nothing"}); err == nil {
		t.Error("a column that is not there was offered")
	}
}

func TestScopeMustFitItsColumn(t *testing.T) {
	b := newBooks(t)
	f, err := spool.Create(filepath.Join(b.dir, "spool"), spool.Header{Stream: "crm/Accounts", Scope: "99999999999", Table: accounts, Mode: spool.Merge})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p := pageOf(t, accounts, "99999999999", nil)
	p.Done = true
	if err := f.Append(p); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Apply(t.Context(), Batch{Run: "r", Parts: []Part{{File: f}}}); err == nil || !strings.Contains(err.Error(), `scope "99999999999" is no number`) {
		t.Errorf("a scope that does not fit: %v", err)
	}
}

// TestContentIsHashedBelowTheWindow keeps whole rows out of the sort, where a million of them
// would not fit into memory.
func TestContentIsHashedBelowTheWindow(t *testing.T) {
	b := newBooks(t)
	b.apply("r1", read{table: items, scope: "7", mode: spool.Replace, rows: [][]any{{"A", 1, "x", nil}}})
	f := b.spool(read{table: items, scope: "7", mode: spool.Merge, rows: [][]any{{"A", 1, "x", nil}}})
	source, err := newPageSource([]*spool.File{f}, []string{partColumn, ordinalColumn, "_division", "Code", "Line", "Name", "Changed", extra})
	if err != nil {
		t.Fatal(err)
	}
	n, withdraw := b.pages.offer(source)
	defer withdraw()
	s := shape{scope: "_division", key: items.Key, mode: spool.Merge, spooled: []string{"Code", "Line", "Name", "Changed"}}
	for _, c := range items.Columns {
		s.stored = append(s.stored, field{c.Name, c.Type.String()})
	}
	var kind, plan string
	if err := b.db.QueryRowContext(t.Context(), "EXPLAIN "+s.createNewest(), n).Scan(&kind, &plan); err != nil {
		t.Fatal(err)
	}
	// DuckDB may turn the window into an aggregate; the plan is printed from the top down.
	narrowing := max(strings.LastIndex(plan, "WINDOW"), strings.LastIndex(plan, "GROUP_BY"))
	if narrowing < 0 || !strings.Contains(plan[narrowing:], "content") {
		t.Errorf("the content is not hashed before rows are compared:\n%s", plan)
	}
}

func TestSecondConnectionKeepsToItsSchemas(t *testing.T) {
	b := newBooks(t)
	rows := manyAccounts(0, 2)
	b.apply("r1", read{table: accounts, scope: "7", mode: spool.Replace, rows: rows})
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	w, err := Open(t.Context(), Options{StateDir: filepath.Join(b.dir, "state"), Prefix: "second_"})
	if err != nil {
		t.Fatal(err)
	}
	b.Warehouse = w
	b.expectResult(b.apply("r2", read{table: accounts, scope: "7", mode: spool.Replace, rows: rows[:1]}), "read 1 inserted 1 updated 0 deleted 0 missed 0")
	b.expect("tables", "SELECT service, name FROM _exactduck.tables ORDER BY ALL", "crm|Accounts", "second_crm|Accounts")
	b.expect("rows", "SELECT (SELECT count(*) FROM crm.Accounts), (SELECT count(*) FROM second_crm.Accounts)", "2|1")
	b.expect("cursors", "SELECT prefix, table_name, rows FROM _exactduck.cursors ORDER BY ALL", "|crm.Accounts|2", "second_|second_crm.Accounts|1")
	b.apply("r3", read{table: deletions, scope: "7", mode: spool.Merge, rows: [][]any{{90, 2, id(0)}}})
	b.expect("a deletion is true for both", "SELECT (SELECT count(*) FROM crm.Accounts), (SELECT count(*) FROM second_crm.Accounts)", "1|0")
}
