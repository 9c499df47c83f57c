package load

import (
	"testing"

	"exactduck/load/spool"
)

var withAccounts = Follow{HeaderTable: "crm.Accounts", HeaderKey: "Header"}

func lineRows(table string) string {
	return "SELECT _division, string_agg(Name, ' ' ORDER BY Name) FROM sales." + table + " WHERE _deleted_at IS NULL GROUP BY ALL ORDER BY ALL"
}

func TestLinesGoWithTheirHeader(t *testing.T) {
	b := newBooks(t)
	b.apply("r1", read{table: accounts, scope: "7", mode: spool.Merge, rows: manyAccounts(1, 4)})
	rows := [][]any{{5, id(11), id(1), "a"}, {9, id(12), id(1), "newer"}, {5, id(13), id(2), "b"}, {5, id(14), nil, "c"}, {nil, id(15), id(1), "d"}}
	late := read{table: lines, scope: "7", mode: spool.Merge, follow: withAccounts, rows: [][]any{
		{6, id(11), id(1), "read before the deletion"}, {6, id(13), id(1), "moved to the header before it went"}, {9, id(16), id(1), "made later"}, {8, id(17), id(1), "new, read before"},
	}}
	stale := b.batch("r5", late)
	b.apply("r2", read{table: lines, scope: "7", mode: spool.Merge, follow: withAccounts, rows: rows}, read{table: lines, scope: "8", mode: spool.Merge, follow: withAccounts, rows: rows})
	var loose [][]any
	for _, r := range rows {
		loose = append(loose, r[1:])
	}
	b.apply("r3", read{table: notes, scope: "7", mode: spool.Merge, follow: Follow{HeaderTable: "x.Unknown", HeaderKey: "Header", Entity: 2}, rows: loose})
	b.tick()
	b.expectResult(b.apply("r4", read{table: deletions, scope: "7", mode: spool.Merge, rows: [][]any{{8, 2, id(1)}}}), "read 1 inserted 1 updated 0 deleted 6 missed 0")
	b.expect("lines", lineRows("Lines"), "7|b c newer", "8|a b c d newer")
	b.expect("lines without a version", lineRows("Notes"), "7|b c")
	b.expect("tombstones are what was told", "SELECT EntityType, right(EntityKey::VARCHAR, 2) FROM _exactduck.tombstones", "2|01")
	b.expect("cursors", "SELECT stream, scope, rows FROM _exactduck.cursors ORDER BY ALL",
		"_exactduck/tombstones|7|1", "crm/Accounts|7|2", "sales/Lines|7|3", "sales/Lines|8|5", "sales/Notes|7|2")
	b.tick()
	b.expectResult(b.applyBatch(stale), "read 4 inserted 1 updated 0 deleted 1 missed 0")
	b.expect("none rises again", lineRows("Lines"), "7|c made later newer", "8|a b c d newer")
	b.expect("described", "SELECT name, header, header_key, header_entity, follow FROM _exactduck.tables ORDER BY ALL",
		"Accounts|-|-|-|false", "Lines|crm.Accounts|Header|-|true", "Notes|x.Unknown|Header|2|true")
}

func TestLinesStayWhereTheyAreNotToFollow(t *testing.T) {
	b := newBooks(t)
	b.apply("r1", read{table: accounts, scope: "7", mode: spool.Merge, rows: manyAccounts(1, 4)})
	rows := [][]any{{5, id(11), id(1), "a"}}
	b.apply("r2", read{table: lines, scope: "7", mode: spool.Merge, follow: withAccounts, rows: rows})
	b.tick()
	b.apply("r3", read{table: lines, scope: "7", mode: spool.Merge, rows: [][]any{{6, id(12), id(1), "b"}}}) // switched off
	b.apply("r4", read{table: deletions, scope: "7", mode: spool.Merge, rows: [][]any{{8, 2, id(1)}, {8, 3, id(11)}}})
	b.apply("r5", read{table: lines, scope: "7", mode: spool.Merge, rows: [][]any{{7, id(13), id(1), "c"}}})
	b.expect("only what was told of themselves", lineRows("Lines"), "7|b c")
}

// A read of everything that was begun before the header's deletion was known is older than that; one
// that was begun after it shows what is there.
func TestReadsOfEverythingAndLinesOfDeletedHeaders(t *testing.T) {
	b := newBooks(t)
	b.apply("r1", read{table: accounts, scope: "7", mode: spool.Merge, rows: manyAccounts(1, 4)})
	all := read{table: lines, scope: "7", mode: spool.Replace, follow: withAccounts, rows: [][]any{{5, id(11), id(1), "a"}, {9, id(12), id(1), "newer"}, {5, id(13), id(2), "b"}}}
	all.began = b.moment
	b.tick()
	b.apply("r2", read{table: deletions, scope: "7", mode: spool.Merge, rows: [][]any{{8, 2, id(1)}}})
	b.tick()
	b.apply("r3", all)
	b.expect("begun before", lineRows("Lines"), "7|b newer")
	all.began = b.tick()
	b.apply("r4", all)
	b.expect("begun after", lineRows("Lines"), "7|a b newer")
}

func TestTombstonesOfANewEpochAreBelieved(t *testing.T) {
	b := newBooks(t)
	b.apply("r1", read{table: deletions, scope: "7", mode: spool.Merge, epoch: "1", rows: [][]any{{800, 2, id(1)}, {700, 2, id(2)}}})
	b.tick()
	b.apply("r2", read{table: accounts, scope: "7", mode: spool.Replace, epoch: "2", rows: [][]any{{10, id(1), "made again", 1}, {10, id(3), "c", 1}}})
	b.tick()
	b.expectResult(b.apply("r3", read{table: deletions, scope: "7", mode: spool.Merge, epoch: "2", rows: [][]any{{12, 2, id(1)}, {13, 2, id(3)}, {11, 2, id(1)}}}),
		"read 3 inserted 1 updated 1 deleted 2 missed 0")
	b.expect("newest of the newest epoch", "SELECT right(EntityKey::VARCHAR, 1), Timestamp FROM _exactduck.tombstones ORDER BY ALL", "1|12", "2|700", "3|13")
	b.expect("rows", "SELECT count(*) FROM crm.Accounts", "0")
	b.expectResult(b.apply("r4", read{table: deletions, scope: "7", mode: spool.Merge, epoch: "2", rows: [][]any{{11, 2, id(1)}}}), "read 1 inserted 0 updated 0 deleted 0 missed 0")
}
