package load

import (
	"fmt"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"exactduck/load/spool"
	"exactduck/schema"
)

func (b *books) compare(reads ...read) []string {
	b.t.Helper()
	var files []*spool.File
	for _, r := range reads {
		files = append(files, b.spool(r))
	}
	before := b.query("FROM crm.Accounts ORDER BY ALL")
	all, err := b.Compare(b.t.Context(), files)
	if err != nil {
		b.t.Fatal(err)
	}
	if d := gocmp.Diff(before, b.query("FROM crm.Accounts ORDER BY ALL")); d != "" {
		b.t.Errorf("a comparison changes rows:\n%s", d)
	}
	var words []string
	for _, c := range all {
		text := fmt.Sprintf("%s read %d", c.Scope, c.Read)
		for _, kind := range []string{"missing", "older", "different", "gone"} {
			n := map[string]int64{"missing": c.Missing, "older": c.Older, "different": c.Different, "gone": c.Gone}[kind]
			if n > 0 {
				text += fmt.Sprintf(" %s %d: %s", kind, n, strings.ReplaceAll(c.Keys[kind], "ab000000-0000-0000-0000-00000000", ""))
			}
		}
		words = append(words, text)
	}
	return words
}

func (b *books) expectCompared(want []string, reads ...read) {
	b.t.Helper()
	if d := gocmp.Diff(want, b.compare(reads...)); d != "" {
		b.t.Errorf("compared (-want +got):\n%s", d)
	}
}

// five are rows 1 to 5 of accounts, with versions 11 to 15.
func five() (rows [][]any) {
	for n := range 5 {
		rows = append(rows, []any{11 + n, id(1 + n), "name", 1})
	}
	return rows
}

func TestCompareWithVersions(t *testing.T) {
	keys := accounts.Keys()
	b := newBooks(t)
	b.apply("r1", read{table: accounts, scope: "7", mode: spool.Replace, rows: five()}, read{table: accounts, scope: "8", mode: spool.Replace, rows: five()})
	b.tick()
	all, some := read{table: accounts, scope: "7", mode: spool.Rows, rows: five(), whole: true}, read{table: keys, scope: "8", mode: spool.Keys, rows: keysOf(five()), whole: true}
	b.expectCompared([]string{"7 read 5", "8 read 5"}, all, some)

	execute(t, b.Warehouse,
		"DELETE FROM crm.Accounts WHERE ID = '"+uuidText(1)+"'",
		"UPDATE crm.Accounts SET Timestamp = 1 WHERE ID = '"+uuidText(2)+"'",
		"UPDATE crm.Accounts SET Amount = 9.99 WHERE ID = '"+uuidText(3)+"'",
		"UPDATE crm.Accounts SET ID = '"+uuidText(9)+"' WHERE ID = '"+uuidText(4)+"'")
	b.expectCompared([]string{
		"7 read 5 missing 2: 0001, 0004 older 1: 0002 different 1: 0003 gone 1: 0009",
		"8 read 5 missing 2: 0001, 0004 older 1: 0002 gone 1: 0009",
	}, all, some)

	// What was stored after the read had begun is newer than the read, and what was deleted since is
	// no loss.
	all.began = b.moment
	b.tick()
	b.apply("r2", read{table: accounts, scope: "7", mode: spool.Merge, rows: [][]any{{21, id(3), "new", 1}, {22, id(9), "new", 1}}})
	b.apply("r2", read{table: deletions, scope: "7", mode: spool.Merge, rows: [][]any{{23, 2, id(1)}}})
	b.expectCompared([]string{"7 read 5 missing 1: 0004 older 1: 0002"}, all)
}

// day is midnight, as a timestamp is spooled.
func day(text string) int {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		panic(err)
	}
	return int(t.UnixMicro())
}

// Without versions the date of the last change tells which of two rows is older, and rows from before
// the history that is kept, 2020 here, need not be there.
func TestCompareWithDates(t *testing.T) {
	b := newBooks(t)
	rows := [][]any{{"A", 1, "a", day("2024-05-01")}, {"B", 1, "b", day("2024-05-02")}, {"C", 1, "c", nil}}
	b.apply("r1", read{table: items, scope: "7", mode: spool.Replace, rows: rows, dated: "Changed"})
	b.apply("r1", read{table: accounts, scope: "7", mode: spool.Replace})
	b.tick()
	whole := read{table: items, scope: "7", mode: spool.Rows, rows: append(rows, []any{"D", 1, "d", day("2019-12-31")}), dated: "Changed"}
	b.expectCompared([]string{"7 read 4"}, whole)
	execute(t, b.Warehouse,
		"UPDATE logistics.Items SET Name = 'x' WHERE Code IN ('A', 'C')",
		"UPDATE logistics.Items SET Changed = '2024-05-01' WHERE Code = 'B'")
	b.expectCompared([]string{"7 read 4 older 1: B 1 different 2: A 1, C 1"}, whole)
	keys := items.Select(func(name string) bool { return name == "Changed" })
	b.expectCompared([]string{"7 read 2 older 1: B 1 gone 1: A 1"}, read{
		table: keys, scope: "7", mode: spool.Keys, dated: "Changed",
		rows: [][]any{{"B", 1, day("2024-05-02")}, {"C", 1, nil}},
	})
}

// Rows that are marked as deleted are missing when the source shows them, and not gone when it does not.
func TestCompareWithMarkedRows(t *testing.T) {
	b := newBooks(t)
	b.apply("r1", read{table: accounts, scope: "7", mode: spool.Replace, rows: five()})
	execute(t, b.Warehouse, "UPDATE crm.Accounts SET _deleted_at = now() WHERE Timestamp < 13")
	b.tick()
	b.expectCompared([]string{"7 read 4 missing 1: 0002"}, read{table: accounts, scope: "7", mode: spool.Rows, rows: five()[1:]})
}

func TestCompareRefuses(t *testing.T) {
	b := newBooks(t)
	whole := b.spool(read{table: accounts, scope: "7", mode: spool.Rows, rows: five()})
	for _, other := range []read{
		{table: accounts, scope: "8", mode: spool.Replace}, {table: balances, scope: "7", mode: spool.Rows}, {table: items, scope: "7", mode: spool.Rows},
	} {
		if _, err := b.Compare(t.Context(), []*spool.File{whole, b.spool(other)}); err == nil {
			t.Errorf("a read of %s to %s is compared", other.table.FullName(), other.mode)
		}
	}
	if _, err := b.Apply(t.Context(), Batch{Run: "r1", Parts: []Part{{File: whole}}}); err == nil {
		t.Error("what was read to be compared is applied")
	}
}

// A read of everything that was compared can take the place of what it was compared with.
func TestApplyWhatWasCompared(t *testing.T) {
	b := newBooks(t)
	b.apply("r1", read{table: accounts, scope: "7", mode: spool.Replace, rows: five()})
	execute(t, b.Warehouse, "UPDATE crm.Accounts SET Amount = 9.99 WHERE ID = '"+uuidText(3)+"'", "DELETE FROM crm.Accounts WHERE ID = '"+uuidText(1)+"'",
		"INSERT INTO crm.Accounts FROM crm.Accounts WHERE ID = '"+uuidText(2)+"'")
	b.tick()
	whole := b.spool(read{table: accounts, scope: "7", mode: spool.Rows, rows: five()})
	applied, err := b.Apply(t.Context(), Batch{Run: "r2", Parts: []Part{{File: whole, Compared: true}}})
	if err != nil {
		t.Fatal(err)
	}
	b.expectResult(applied, "read 5 inserted 1 updated 2 deleted 0 missed 0")
	b.tick()
	b.expectCompared([]string{"7 read 5"}, read{table: accounts, scope: "7", mode: spool.Rows, rows: five()})
	if n := b.query("SELECT count(*) FROM crm.Accounts"); n[0] != "5" {
		t.Errorf("%v rows", n)
	}
}

// A row that somebody has doubled is there once after a read of everything, which leaves the others as
// they are.
func TestReplaceLeavesNoDoubles(t *testing.T) {
	unversioned := *accounts
	unversioned.Version = ""
	for _, table := range []*schema.Table{accounts, &unversioned} {
		b := newBooks(t)
		b.apply("r1", read{table: table, scope: "7", mode: spool.Replace, rows: five()})
		execute(t, b.Warehouse, "INSERT INTO crm.Accounts FROM crm.Accounts WHERE ID = '"+uuidText(2)+"'")
		b.tick()
		b.expectResult(b.apply("r2", read{table: table, scope: "7", mode: spool.Replace, rows: five()}), "read 5 inserted 0 updated 1 deleted 0 missed 0")
		if d := gocmp.Diff([]string{"r1 5 5"}, b.query("SELECT max(_run_id) || ' ' || count(*) || ' ' || count(DISTINCT ID) FROM crm.Accounts")); d != "" {
			t.Errorf("rows (-want +got):\n%s", d)
		}
	}
}
