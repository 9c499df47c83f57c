package load

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"exactduck/load/spool"
	"exactduck/schema"
)

func TestNewestOfAKeyWins(t *testing.T) {
	b := newBooks(t)
	b.expectResult(b.apply("r1", read{table: accounts, scope: "7", mode: spool.Merge, next: "30", rows: [][]any{
		{10, id(1), "first", 12500},
		{30, id(2), "newest", 1},
		{20, id(2), "older, later", 1},
		{nil, id(3), "no version", nil},
		{11, id(1), "second", 12500},
		{11, id(1), "same version, last", -12500},
		{12, nil, "no key", 5},
		{13, nil, "no key, newer", 5},
	}}), "read 8 inserted 4 updated 0 deleted 0 missed 0")
	want := []string{"-|13|no key, newer", "0001|11|same version, last", "0002|30|newest", "0003|-|no version"}
	slices.SortFunc(want, func(x, y string) int {
		return strings.Compare(strings.ReplaceAll(x, "-|1", "z"), strings.ReplaceAll(y, "-|1", "z"))
	})
	b.expect("rows", names, want...)
	b.expect("amount to the cent", `SELECT Amount FROM crm.Accounts WHERE ID::VARCHAR LIKE '%0001'`, "-1.2500")

	b.tick()
	b.expectResult(b.apply("r2", read{table: accounts, scope: "7", mode: spool.Merge, rows: [][]any{
		{11, id(1), "not newer", 0}, {31, id(2), "newer", 2}, {5, id(3), "now with a version", 0}, {nil, id(4), "new", 0}, {14, nil, "key still NULL", 5},
	}}), "read 5 inserted 1 updated 3 deleted 0 missed 0")
	b.expect("who changed what", `SELECT Name, _run_id, _synced_at::TIMESTAMP::VARCHAR FROM crm.Accounts ORDER BY ALL`,
		"key still NULL|r2|2026-11-21 04:01:00", "new|r2|2026-11-21 04:01:00", "newer|r2|2026-11-21 04:01:00",
		"now with a version|r2|2026-11-21 04:01:00", "same version, last|r1|2026-11-21 04:00:00")
}

func TestApplyTwiceEqualsOnce(t *testing.T) {
	for _, mode := range []spool.Mode{spool.Merge, spool.Replace, spool.Window, spool.Sweep} {
		for _, table := range []*schema.Table{accounts, items} {
			b := newBooks(t)
			rows := [][]any{{10, id(1), "a", 1}, {10, id(2), "b", 1}, {10, id(3), "b", 1}}
			if table == items {
				rows = [][]any{{"A", 1, "x", nil}, {"A", 2, "y", nil}, {"B", 2, "y", nil}}
			}
			b.apply("r1", read{table: table, scope: "7", mode: spool.Replace, rows: rows})
			b.tick()
			columns := table
			rows = append([][]any{{11, id(1), "new", 1}}, rows[1:2]...)
			if table == items {
				rows = [][]any{{"A", 1, "new", nil}, {"A", 2, "y", nil}}
			}
			if mode == spool.Sweep {
				columns = table.Keys()
				for i := range rows {
					rows[i] = rows[i][:2]
				}
			}
			batch := b.batch("r2", read{table: columns, scope: "7", mode: mode, rows: rows})
			b.applyBatch(batch)
			dump := "SELECT COLUMNS(c -> c <> 'generation') FROM " + table.FullName() + " ORDER BY ALL"
			once, cursors := b.query(dump), b.query("FROM _exactduck.cursors")
			generation := b.query("FROM _exactduck.parts")
			b.tick()
			batch.Run = "r3"
			again := b.applyBatch(batch)[0]
			if again.Already != (mode != spool.Window) || again.Inserted+again.Updated+again.Deleted+again.Missed != 0 {
				t.Errorf("%s %s again: %s", mode, table.Name, result(again))
			}
			b.expect("rows after twice", dump, once...)
			if mode != spool.Window {
				b.expect("cursors after twice", "FROM _exactduck.cursors", cursors...)
			}
			b.expect("generation after twice", "FROM _exactduck.parts", generation...)
		}
	}
}

func TestEqualContentLeavesTheRowAlone(t *testing.T) {
	b := newBooks(t)
	rows := [][]any{
		{"A", 1, nil, 1_000_000}, {"A ", 1, "trailing blank in the key", nil}, {"A", nil, "NULL in the key", nil}, {"a", 1, "other case", nil, `{"Odd": 1.10}`},
	}
	b.apply("r1", read{table: items, scope: "7", mode: spool.Merge, rows: rows})
	b.tick()
	rows[0] = []any{"A", 1, "", 1_000_000} // an empty text is not NULL
	rows[3] = []any{"a", 1, "other case", nil, `{"Odd": 1.11}`}
	for _, mode := range []spool.Mode{spool.Merge, spool.Replace} {
		run := string(mode)
		b.apply(run, read{table: items, scope: "7", mode: mode, rows: rows})
		b.expect(run, "SELECT Code, Line, Name, _run_id, _extra::VARCHAR FROM logistics.Items ORDER BY ALL",
			"A|1||merge|-", "A|-|NULL in the key|r1|-", "A |1|trailing blank in the key|r1|-", `a|1|other case|merge|{"Odd": 1.11}`)
	}
	b.expect("no row twice", "SELECT count(*) FROM logistics.Items GROUP BY Code, Line HAVING count(*) > 1")
}

func TestReplaceDoesNotBelieveVersions(t *testing.T) {
	b := newBooks(t)
	b.apply("r1", read{table: accounts, scope: "7", mode: spool.Merge, rows: [][]any{{1000, id(1), "a", 1}, {1001, id(2), "b", 1}}})
	b.tick()
	b.expectResult(b.apply("r2", read{table: accounts, scope: "7", mode: spool.Replace, rows: [][]any{{5, id(1), "renumbered", 1}, {1001, id(2), "b", 1}}}),
		"read 2 inserted 0 updated 1 deleted 0 missed 0")
	b.expect("rows", `SELECT Name, Timestamp, _run_id FROM crm.Accounts ORDER BY ALL`, "b|1001|r1", "renumbered|5|r2")
}

func manyAccounts(from, to int) (rows [][]any) {
	for n := from; n < to; n++ {
		rows = append(rows, []any{n, id(n), fmt.Sprint("n", n), n})
	}
	return rows
}

func keysOf(rows [][]any) (keys [][]any) {
	for _, r := range rows {
		keys = append(keys, r[:2])
	}
	return keys
}

func TestShrinkGuard(t *testing.T) {
	cases := []struct {
		have, left int
		suspect    bool
	}{{1, 0, true}, {3, 1, false}, {500, 400, false}, {500, 399, true}, {510, 409, false}, {150, 50, false}, {150, 49, true}, {0, 0, false}}
	for _, c := range cases {
		for _, mode := range []spool.Mode{spool.Replace, spool.Sweep} {
			b := newBooks(t)
			if c.have > 0 {
				b.apply("r1", read{table: accounts, scope: "7", mode: spool.Merge, rows: manyAccounts(0, c.have), size: 1000},
					read{table: accounts, scope: "8", mode: spool.Merge, rows: manyAccounts(0, 3)})
			}
			cursors := b.query("FROM _exactduck.cursors WHERE scope = '7'")
			b.tick()
			table, all := accounts, manyAccounts(0, c.left)
			if mode == spool.Sweep {
				table, all = accounts.Keys(), keysOf(all)
			}
			batch := b.batch("r2", read{table: table, scope: "7", mode: mode, rows: all, size: 1000})
			a := b.applyBatch(batch)[0]
			if (a.Suspect != nil) != c.suspect {
				t.Fatalf("%s %d of %d: %s", mode, c.left, c.have, result(a))
			}
			if !c.suspect {
				if a.Deleted != int64(c.have-c.left) {
					t.Errorf("%s %d of %d: %s", mode, c.left, c.have, result(a))
				}
				continue
			}
			if *a.Suspect != (Shrink{"crm.Accounts", "crm/Accounts", "7", int64(c.have), int64(c.have - c.left)}) || a.Deleted != 0 {
				t.Errorf("%s: %+v", mode, a.Suspect)
			}
			b.expect("rows stay", "SELECT count(*) FROM crm.Accounts WHERE _division = 7 AND _run_id = 'r1'", fmt.Sprint(c.have))
			b.expect("cursor stays", "FROM _exactduck.cursors WHERE scope = '7'", cursors...)
			batch.Parts[0].Accept = true
			if a := b.applyBatch(batch)[0]; a.Suspect != nil || a.Deleted != int64(c.have-c.left) {
				t.Errorf("%s accepted: %s", mode, result(a))
			}
			b.expect("only that scope", "SELECT _division, count(*) FROM crm.Accounts WHERE _division = 8 GROUP BY ALL", "8|3")
		}
	}
}

func TestSuspectPartDoesNotHoldUpOthers(t *testing.T) {
	b := newBooks(t)
	three := manyAccounts(0, 3)
	b.apply("r1", read{table: accounts, scope: "7", mode: spool.Replace, rows: three}, read{table: accounts, scope: "8", mode: spool.Replace, rows: three})
	b.tick()
	b.expectResult(b.apply("r2", read{table: accounts, scope: "7", mode: spool.Replace}, read{table: accounts, scope: "8", mode: spool.Replace, rows: manyAccounts(1, 4)}),
		"read 0 inserted 0 updated 0 deleted 0 missed 0 suspect 3 of 3", "read 3 inserted 1 updated 0 deleted 1 missed 0")
	b.expect("rows", "SELECT _division, string_agg(Name, ' ' ORDER BY Name) FROM crm.Accounts GROUP BY ALL ORDER BY ALL", "7|n0 n1 n2", "8|n1 n2 n3")
	b.expect("cursors", "SELECT scope, run_id, rows, complete FROM _exactduck.cursors ORDER BY ALL", "7|r1|3|true", "8|r2|3|true")
	b.expect("parts", "SELECT scope, generation > 4 FROM _exactduck.parts ORDER BY ALL", "7|false", "8|true")
}

func TestSweep(t *testing.T) {
	b := newBooks(t)
	b.apply("r1", read{table: accounts, scope: "7", mode: spool.Merge, rows: manyAccounts(1, 7)})
	began := b.tick()
	b.tick()
	b.apply("r2", read{table: accounts, scope: "7", mode: spool.Merge, rows: [][]any{{50, id(50), "came after the sweep began", 1}}})
	b.tick()
	keys := keysOf([][]any{{1, id(1)}, {2, id(2)}, {99, id(3)}, {4, id(4)}, {77, id(77)}})
	b.expectResult(b.apply("r3", read{table: accounts.Keys(), scope: "7", mode: spool.Sweep, id: "s1", rows: keys, began: began}),
		"read 5 inserted 0 updated 0 deleted 2 missed 2")
	b.expect("rows", names, "0001|1|n1", "0002|2|n2", "0003|3|n3", "0004|4|n4", "0032|50|came after the sweep began")
	b.expect("cursor", "SELECT run_id, sweep_spool, rows, swept_at::TIMESTAMP::VARCHAR FROM _exactduck.cursors", "r3|s1|5|2026-11-21 04:01:00")
}

// What was written while or shortly before a sweep was made is no miss: the next read brings it.
func TestSweepTellsMissesFromNews(t *testing.T) {
	b := newBooks(t)
	b.apply("r1", read{table: items, scope: "7", mode: spool.Merge, rows: [][]any{{"A", 1, "known", 0}}})
	b.tick()
	at := func(ago time.Duration) int { return int(b.moment.Add(-ago).UnixMicro()) }
	dated := items.Select(func(name string) bool { return name == "Changed" })
	keys := [][]any{{"A", 1, at(0)}, {"B", 1, at(time.Minute)}, {"C", 1, at(23 * time.Hour)}, {"D", 1, at(25 * time.Hour)}, {"E", 1, nil}}
	b.expectResult(b.apply("r2", read{table: dated, scope: "7", mode: spool.Sweep, rows: keys, dated: "Changed", began: b.moment}),
		"read 5 inserted 0 updated 0 deleted 0 missed 2")
	before := [][]any{{"A", 1, at(0)}, {"F", 1, int(time.Date(2019, 12, 31, 23, 0, 0, 0, time.UTC).UnixMicro())}, {"G", 1, int(time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro())}}
	b.expectResult(b.apply("r4", read{table: dated, scope: "7", mode: spool.Sweep, rows: before, dated: "Changed", began: b.moment}),
		"read 3 inserted 0 updated 0 deleted 0 missed 1")
	b.expectResult(b.apply("r3", read{table: items.Keys(), scope: "7", mode: spool.Sweep, rows: keysOf(keys), began: b.moment}),
		"read 5 inserted 0 updated 0 deleted 0 missed 4")
}

func TestSoftDeletionAndRevival(t *testing.T) {
	b := newBooks(t)
	soft := func(run string, reads ...read) []Applied {
		b.tick()
		batch := b.batch(run, reads...)
		batch.Soft = true
		return b.applyBatch(batch)
	}
	rows := manyAccounts(1, 4)
	soft("r1", read{table: accounts, scope: "7", mode: spool.Replace, rows: rows})
	b.expectResult(soft("r2", read{table: accounts, scope: "7", mode: spool.Replace, rows: rows[:2]}), "read 2 inserted 0 updated 0 deleted 1 missed 0")
	const marks = "SELECT Name, _run_id, _deleted_at::TIMESTAMP::VARCHAR FROM crm.Accounts ORDER BY ALL"
	b.expect("marked", marks, "n1|r1|-", "n2|r1|-", "n3|r2|2026-11-21 04:02:00")
	b.expectResult(soft("r3", read{table: accounts, scope: "7", mode: spool.Replace, rows: rows[:2]}), "read 2 inserted 0 updated 0 deleted 0 missed 0")
	b.expect("marked once", marks, "n1|r1|-", "n2|r1|-", "n3|r2|2026-11-21 04:02:00")
	b.expectResult(soft("r4", read{table: accounts, scope: "7", mode: spool.Merge, rows: rows[2:]}), "read 1 inserted 0 updated 1 deleted 0 missed 0")
	b.expect("revived", marks, "n1|r1|-", "n2|r1|-", "n3|r4|-")
	soft("r5", read{table: deletions, scope: "7", mode: spool.Merge, rows: [][]any{{90, 2, id(2)}}})
	b.expect("buried softly", marks, "n1|r1|-", "n2|r5|2026-11-21 04:05:00", "n3|r4|-")
	b.tick()
	b.apply("r6", read{table: accounts, scope: "7", mode: spool.Replace, rows: append(rows[:1:1], rows[2])})
	b.expect("removed once deletions are hard", marks, "n1|r1|-", "n3|r4|-")
}

func TestTombstones(t *testing.T) {
	b := newBooks(t)
	both := func(rows [][]any) []read {
		return []read{{table: accounts, scope: "7", mode: spool.Merge, rows: rows}, {table: accounts, scope: "8", mode: spool.Merge, rows: rows}}
	}
	b.apply("r1", both(manyAccounts(1, 6))...)
	late := b.batch("r3", both([][]any{{3, id(3), "spooled before its deletion", 1}, {41, id(4), "changed after a deletion", 1}, {nil, id(6), "no version", 1}})...)
	b.tick()
	b.expectResult(b.apply("r2", read{table: deletions, scope: "7", mode: spool.Merge, rows: [][]any{
		{30, 2, id(3)}, {40, 2, id(4)}, {2, 2, id(5)}, {50, 2, id(6)}, {60, 9, id(1)},
	}}),
		"read 5 inserted 5 updated 0 deleted 2 missed 0")
	b.expect("buried in their scope, if not newer", "SELECT _division, string_agg(Name, ' ' ORDER BY Name) FROM crm.Accounts GROUP BY ALL ORDER BY ALL",
		"7|n1 n2 n5", "8|n1 n2 n3 n4 n5")
	b.expect("parts", "SELECT table_name, scope, generation > 4 FROM _exactduck.parts ORDER BY ALL", "crm.Accounts|7|true", "crm.Accounts|8|false")
	b.tick()
	b.applyBatch(late)
	b.expect("nothing rises again", "SELECT _division, string_agg(Name, ' ' ORDER BY Name) FROM crm.Accounts GROUP BY ALL ORDER BY ALL",
		"7|changed after a deletion n1 n2 n5", "8|changed after a deletion n1 n2 n3 n5 no version")
	began := b.tick()
	b.tick()
	b.apply("r4", read{table: accounts, scope: "7", mode: spool.Replace, began: began, rows: [][]any{{1, id(1), "n1", 1}, {2, id(2), "n2", 1}, {3, id(3), "the source shows it again", 1}}})
	b.expect("a read of everything knows better than what was known before it", "SELECT Name FROM crm.Accounts WHERE _division = 7 ORDER BY ALL",
		"n1", "n2", "the source shows it again")
	b.apply("r5", read{table: accounts, scope: "7", mode: spool.Replace, began: began.Add(-time.Hour), rows: [][]any{{1, id(1), "n1", 1}, {2, id(2), "n2", 1}, {3, id(3), "stale", 1}}})
	b.expect("but not than what came later", "SELECT Name FROM crm.Accounts WHERE _division = 7 ORDER BY ALL", "n1", "n2")
}

func TestTableWithoutKeyIsRewrittenWhenItDiffers(t *testing.T) {
	b := newBooks(t)
	rows := [][]any{{"a", 1.5}, {"a", 1.5}, {nil, nil, `{"x":1}`}, {"c", -0.25}}
	b.expectResult(b.apply("r1", read{table: balances, scope: "7", mode: spool.Replace, rows: rows}, read{table: balances, scope: "8", mode: spool.Replace, rows: rows}),
		"read 4 inserted 4 updated 0 deleted 0 missed 0", "read 4 inserted 4 updated 0 deleted 0 missed 0")
	b.tick()
	slices.Reverse(rows)
	fewer := append([][]any{{"c", -0.25}}, rows...) // one of them twice, another once less
	fewer = fewer[:4]
	b.expectResult(b.apply("r2", read{table: balances, scope: "7", mode: spool.Replace, rows: rows}, read{table: balances, scope: "8", mode: spool.Replace, rows: fewer}),
		"read 4 inserted 0 updated 0 deleted 0 missed 0", "read 4 inserted 4 updated 0 deleted 4 missed 0")
	b.expect("rows", "SELECT _division, Account, Amount, _run_id, count(*) FROM financial.Balances GROUP BY ALL ORDER BY ALL",
		"7|a|1.5|r1|2", "7|c|-0.25|r1|1", "7|-|-|r1|1", "8|a|1.5|r2|1", "8|c|-0.25|r2|2", "8|-|-|r2|1")
	b.expectResult(b.apply("r3", read{table: balances, scope: "7", mode: spool.Replace}), "read 0 inserted 0 updated 0 deleted 0 missed 0 suspect 4 of 4")
	b.expectResult(b.apply("r4", read{table: balances, scope: "7", mode: spool.Replace, accept: true}), "read 0 inserted 0 updated 0 deleted 4 missed 0")
	if _, err := b.Apply(t.Context(), b.batch("r5", read{table: balances, scope: "7", mode: spool.Merge})); err == nil || !strings.Contains(err.Error(), "has no key") {
		t.Errorf("merged into a table without a key: %v", err)
	}
}

func TestEvolve(t *testing.T) {
	b := newBooks(t)
	narrow := accounts.Select(func(name string) bool { return name == "Amount" })
	b.apply("r1", read{table: narrow, scope: "7", mode: spool.Replace, rows: [][]any{{1, id(1), 5}, {2, id(2), 5}}})
	b.tick()
	b.apply("r2", read{
		table: accounts, scope: "7", mode: spool.Replace, rows: [][]any{{1, id(1), "a name", 5}, {2, id(2), nil, 5}},
		tell: func(p *schema.Page) { p.Unknown, p.Misfits = []string{"Novelty"}, []string{"Amount"} },
	})
	b.expect("rows", "SELECT Name, Amount, _run_id FROM crm.Accounts ORDER BY ALL", "a name|0.0005|r2", "-|0.0005|r1")
	b.tick()
	b.apply("r3", read{
		table: narrow, scope: "7", mode: spool.Merge, rows: [][]any{{3, id(1), 6}},
		tell: func(p *schema.Page) { p.Unknown = []string{"Novelty"} },
	})
	b.expect("a variant without a column", "SELECT Name, Amount, _run_id FROM crm.Accounts ORDER BY ALL", "-|0.0005|r1", "-|0.0006|r3")
	b.expect("changes", "SELECT run_id, table_name, column_name, change FROM _exactduck.schema_changes ORDER BY ALL",
		"r1|crm.Accounts|-|table created", "r2|crm.Accounts|Amount|misfit", "r2|crm.Accounts|Name|column added", "r2|crm.Accounts|Novelty|unknown property")
	b.expect("tables", "SELECT * FROM _exactduck.tables", "crm|Accounts|_division|[ID]|Timestamp|2|-|-|-|false")

	other := *accounts
	other.Columns = slices.Clone(accounts.Columns)
	other.Columns[3].Type = schema.Double
	var conflict *TypeChange
	_, err := b.Apply(t.Context(), b.batch("r4", read{table: &other, scope: "7", mode: spool.Merge, rows: [][]any{{3, id(1), "", 6.0}}}))
	if !errors.As(err, &conflict) || *conflict != (TypeChange{"crm.Accounts", "Amount", "DECIMAL(18,4)", "DOUBLE"}) {
		t.Errorf("a type that changed: %v", err)
	}
	for _, name := range []string{"NAME", "_Synced_At", "_division"} {
		other.Columns[3] = schema.Column{Name: name, Type: schema.Varchar}
		_, err = b.Apply(t.Context(), b.batch("r4", read{table: &other, scope: "7", mode: spool.Merge, rows: [][]any{{3, id(1), "", ""}}}))
		if err == nil || !strings.Contains(err.Error(), "ignores case") {
			t.Errorf("column %s: %v", name, err)
		}
	}
}

func TestEveryTypeArrivesAsItIs(t *testing.T) {
	b := newBooks(t)
	var columns []schema.Column
	for k := schema.Boolean; k <= schema.JSON; k++ {
		columns = append(columns, schema.Column{Name: fmt.Sprint("select ", k), Type: k}) // names need quoting
	}
	table := &schema.Table{Service: "odd", Name: "group", Scope: schema.Column{Name: "_account", Type: schema.Varchar}, Key: []string{"select BIGINT"}, Columns: columns}
	rows := [][]any{
		{1, 255, -32768, -1 << 31, 1, 0.1, -999_999_999_999_999_999, -6_847_804_800_000_000, -6_847_804_800_000_000, id(1), "é\x00 '", "\xff\x00", `{"a" :  [1.0]}`},
		{0, 0, 32767, 1<<31 - 1, 2, -1e300, 999_999_999_999_999_999, 253_402_300_799_999_999, 1_763_683_200_123_456, [16]byte{}, "", "", `""`},
		{nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil},
	}
	b.apply("r1", read{table: table, scope: "5f0c", mode: spool.Replace, rows: rows})
	b.expect("values", `SELECT COLUMNS(* EXCLUDE (_synced_at, _run_id, _deleted_at, _extra))::VARCHAR FROM odd."group" ORDER BY "select BIGINT"`,
		"5f0c|true|255|-32768|-2147483648|1|0.1|-99999999999999.9999|1753-01-01 00:00:00|1753-01-01 00:00:00+00|ab000000-0000-0000-0000-000000000001|é\x00 '|\\xFF\\x00|{\"a\" :  [1.0]}",
		"5f0c|false|0|32767|2147483647|2|-1e+300|99999999999999.9999|9999-12-31 23:59:59.999999|2025-11-21 00:00:00.123456+00|00000000-0000-0000-0000-000000000000|||\"\"",
		"5f0c|-|-|-|-|-|-|-|-|-|-|-|-|-")
	b.tick()
	b.expectResult(b.apply("r2", read{table: table, scope: "5f0c", mode: spool.Replace, rows: rows}), "read 3 inserted 0 updated 0 deleted 0 missed 0")
}

func TestFailedApplyChangesNothing(t *testing.T) {
	b := newBooks(t)
	b.apply("r1", read{table: accounts, scope: "7", mode: spool.Replace, rows: manyAccounts(0, 5)})
	before := b.query("SELECT * FROM crm.Accounts ORDER BY ALL")
	b.tick()
	wide := *accounts
	wide.Columns = append(slices.Clone(accounts.Columns), schema.Column{Name: "More", Type: schema.Integer})
	batch := b.batch("r2", read{table: &wide, scope: "7", mode: spool.Replace, rows: [][]any{{1, id(1), "x", 1, 1}, {2, id(2), "x", 1, 1}, {3, id(3), "x", 1, 1}, {4, id(4), "x", 1, 1}}, size: 2})
	f, err := os.OpenFile(batch.Parts[0].File.Path(), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if s, err := f.Stat(); err != nil {
		t.Fatal(err)
	} else if _, err := f.WriteAt([]byte{0xff, 0xfe}, s.Size()-3); err != nil {
		t.Fatal(err)
	}
	var damaged *spool.Damaged
	if _, err := b.Apply(t.Context(), batch); !errors.As(err, &damaged) {
		t.Fatalf("a damaged spool: %v", err)
	}
	b.expect("rows", "SELECT * FROM crm.Accounts ORDER BY ALL", before...)
	b.expect("cursor", "SELECT run_id FROM _exactduck.cursors", "r1")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Apply(ctx, b.batch("r3", read{table: accounts, scope: "7", mode: spool.Replace, rows: manyAccounts(0, 9)})); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled apply: %v", err)
	}
	unfinished, err := spool.Create(t.TempDir(), spool.Header{Stream: "crm/Accounts", Scope: "7", Table: accounts, Mode: spool.Merge})
	if err != nil {
		t.Fatal(err)
	}
	defer unfinished.Close()
	if _, err := b.Apply(t.Context(), Batch{Parts: []Part{{File: unfinished}}}); err == nil {
		t.Error("a read that is not whole was applied")
	}
	b.expectResult(b.apply("r4", read{table: accounts, scope: "7", mode: spool.Replace, rows: manyAccounts(0, 6)}), "read 6 inserted 1 updated 0 deleted 0 missed 0")
}
