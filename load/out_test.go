package load

import (
	"slices"
	"testing"

	"exactduck/load/spool"
	"exactduck/schema"
)

// out marks the rows of a read by their place.
func out(r read, marked ...int) read {
	first := 0
	r.tell = func(p *schema.Page) {
		p.Out = make([]bool, p.Rows)
		for i := range p.Out {
			p.Out[i] = slices.Contains(marked, first+i)
		}
		first += p.Rows
	}
	return r
}

func TestRowsThatTheFilterLetGo(t *testing.T) {
	b := newBooks(t)
	b.apply("r1", read{table: accounts, scope: "7", mode: spool.Merge, rows: [][]any{
		{10, id(1), "leaves", 1}, {10, id(2), "leaves and comes back", 1}, {20, id(3), "is newer", 1}, {10, id(4), "stays", 1},
	}}, read{table: accounts, scope: "8", mode: spool.Merge, rows: [][]any{{10, id(1), "another scope", 1}}})
	b.tick()
	b.expectResult(b.apply("r2", out(read{table: accounts, scope: "7", mode: spool.Merge, size: 2, rows: [][]any{
		{11, id(1), "out", 1},
		{11, id(2), "out", 1},
		{12, id(2), "in again", 1},
		{19, id(3), "out, but older", 1},
		{10, id(4), "out, of the same version", 1},
		{13, id(5), "never stored", 1},
		{14, id(6), "in", 1},
		{15, id(6), "out at last", 1},
	}}, 0, 1, 3, 4, 5, 7)), "read 2 inserted 0 updated 1 deleted 1 missed 0")
	b.expect("rows", names, "0001|10|another scope", "0002|12|in again", "0003|20|is newer", "0004|10|stays")
	b.expect("cursor", "SELECT scope, rows FROM _exactduck.cursors ORDER BY ALL", "7|3", "8|1")
	b.tick()
	b.expectResult(b.apply("r3", read{table: accounts, scope: "7", mode: spool.Window, rows: [][]any{{30, id(1), "wanted again", 1}}}),
		"read 1 inserted 1 updated 0 deleted 0 missed 0")
	b.expectResult(b.apply("r4", out(read{table: accounts, scope: "7", mode: spool.Window, rows: [][]any{{31, id(1), "out", 1}}}, 0)),
		"read 0 inserted 0 updated 0 deleted 1 missed 0")
}

// A merge may let all rows go: the source has said of each what became of it. A read of everything may
// not, because there a row that does not come is not spoken of.
func TestShrinkGuardAndRowsThatTheFilterLetGo(t *testing.T) {
	b := newBooks(t)
	three := manyAccounts(1, 4)
	b.apply("r1", read{table: accounts, scope: "7", mode: spool.Replace, rows: three}, read{table: accounts, scope: "8", mode: spool.Replace, rows: three})
	b.tick()
	b.expectResult(b.apply("r2", out(read{table: accounts, scope: "7", mode: spool.Replace, rows: three}, 0, 1, 2)),
		"read 0 inserted 0 updated 0 deleted 0 missed 0 suspect 3 of 3")
	b.expectResult(b.apply("r3", out(read{table: accounts, scope: "7", mode: spool.Replace, rows: append(three, []any{9, id(3), "later, and in", 1})}, 0, 2)),
		"read 2 inserted 0 updated 1 deleted 1 missed 0")
	newer := [][]any{{11, id(1), "", 1}, {12, id(2), "", 1}, {13, id(3), "", 1}}
	b.expectResult(b.apply("r4", out(read{table: accounts, scope: "8", mode: spool.Merge, rows: newer}, 0, 1, 2)),
		"read 0 inserted 0 updated 0 deleted 3 missed 0")
	b.expect("rows", "SELECT _division, Name FROM crm.Accounts ORDER BY ALL", "7|later, and in", "7|n2")
}

func TestRowsWithoutAVersionThatTheFilterLetGo(t *testing.T) {
	b := newBooks(t)
	b.apply("r1", read{table: items, scope: "7", mode: spool.Merge, rows: [][]any{{"A", 1, "x", nil}, {"B", 1, "x", nil}, {"C", 1, "x", nil}}})
	b.tick()
	b.expectResult(b.apply("r2", out(read{table: items, scope: "7", mode: spool.Merge, rows: [][]any{
		{"A", 1, "x", nil}, {"B", 1, "out, then in", nil}, {"B", 1, "y", nil}, {"C", 1, "z", nil}, {"C", 1, "in, then out", nil}, {"D", 1, "new", nil},
	}}, 0, 1, 4, 5)), "read 2 inserted 0 updated 1 deleted 2 missed 0")
	b.expect("rows", "SELECT Code, Name FROM logistics.Items ORDER BY ALL", "B|y")
}

func TestRowsWithoutAKeyThatTheFilterLetGo(t *testing.T) {
	b := newBooks(t)
	rows := [][]any{{"a", 1.5}, {"b", 1.5}, {"c", 1.5}, {"d", 1.5}}
	b.expectResult(b.apply("r1", out(read{table: balances, scope: "7", mode: spool.Replace, rows: rows}, 1)), "read 3 inserted 3 updated 0 deleted 0 missed 0")
	b.tick()
	b.expectResult(b.apply("r2", out(read{table: balances, scope: "7", mode: spool.Replace, rows: rows}, 1)), "read 3 inserted 0 updated 0 deleted 0 missed 0")
	b.expectResult(b.apply("r3", out(read{table: balances, scope: "7", mode: spool.Replace, rows: rows}, 0, 3), read{table: balances, scope: "8", mode: spool.Replace, rows: rows[:1]}),
		"read 2 inserted 2 updated 0 deleted 3 missed 0", "read 1 inserted 1 updated 0 deleted 0 missed 0")
	b.expect("rows", "SELECT _division, Account FROM financial.Balances ORDER BY ALL", "7|b", "7|c", "8|a")
	b.expectResult(b.apply("r4", out(read{table: balances, scope: "7", mode: spool.Replace, rows: rows[1:3]}, 0, 1)), "read 0 inserted 0 updated 0 deleted 0 missed 0 suspect 2 of 2")
}

func TestRowsThatTheFilterLetGoAreMarked(t *testing.T) {
	b := newBooks(t)
	soft := func(run string, r read) []Applied {
		b.tick()
		batch := b.batch(run, r)
		batch.Soft = true
		return b.applyBatch(batch)
	}
	rows := func(version int) read {
		return read{table: accounts, scope: "7", mode: spool.Merge, rows: [][]any{{version, id(1), "n", 1}}}
	}
	soft("r1", rows(1))
	b.expectResult(soft("r2", out(rows(2), 0)), "read 0 inserted 0 updated 0 deleted 1 missed 0")
	const marks = "SELECT Timestamp, _run_id, _deleted_at::TIMESTAMP::VARCHAR FROM crm.Accounts"
	b.expect("marked", marks, "1|r2|2026-11-21 04:02:00")
	b.expectResult(soft("r3", out(rows(3), 0)), "read 0 inserted 0 updated 0 deleted 0 missed 0")
	b.expect("marked once", marks, "1|r2|2026-11-21 04:02:00")
	b.expectResult(soft("r4", rows(4)), "read 1 inserted 0 updated 1 deleted 0 missed 0")
	b.expect("unmarked when it is wanted again", marks, "4|r4|-")
}
