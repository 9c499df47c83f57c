package load

import (
	"fmt"
	"slices"
	"strings"

	"exactduck/load/spool"
	"exactduck/schema"
)

// The columns that every table has beside the scope, which comes first, and the source's own.
const (
	syncedAt  = "_synced_at"
	runID     = "_run_id"
	deletedAt = "_deleted_at"
	extra     = "_extra"
)

// What the table function adds to the columns of a spool.
const (
	partColumn    = "_part"
	ordinalColumn = "_ordinal"
	outColumn     = "_out"
)

// field is a column as the database has it.
type field struct{ name, kind string }

// shape is what the statements of an apply depend on: a table as it is stored, and what is
// spooled for it. The statements share four narrow temporary tables:
//
//	part   part, scope, began             what is applied now
//	newest part, ordinal, scope, key...   the newest spooled row of each key
//	met    part, ordinal, existing, stays the stored rows of those keys, by rowid
//	gone   part, existing, live           the stored rows whose key did not come, by rowid
type shape struct {
	service, name string // as in the database, prefix included
	scope         string
	key           []string
	version       string   // empty where content decides
	dated         string   // of a sweep: the column that says when a row was modified; empty: none
	stored        []field  // the source's own columns, in the order of the table
	spooled       []string // those of them that the spool has
	mode          spool.Mode
	soft          bool
	// renumbered says that versions order the spooled rows among each other only.
	renumbered bool
	// out says that spooled rows are marked as schema.Page.Out does.
	out    bool
	header string // of lines that go with their header: the column with its key; empty: they do not
	// fresh says that the table has no row of these scopes: nothing can be met.
	fresh bool
}

func (s shape) table() string { return identifier(s.service) + "." + identifier(s.name) }

func (s shape) fullName() string { return s.service + "." + s.name }

// byContent says that equal content, not the version, keeps a stored row.
func (s shape) byContent() bool {
	return !s.fresh && s.mode != spool.Sweep && (s.version == "" || s.mode == spool.Replace || s.renumbered)
}

// marks says that some of the newest rows may have to go instead of being stored.
func (s shape) marks() bool { return s.out || s.header != "" }

// merges says that only what came can change: what did not come stays.
func (s shape) merges() bool { return s.mode == spool.Merge || s.mode == spool.Window }

// has says whether the spool brings the column.
func (s shape) has(column string) bool {
	return slices.ContainsFunc(s.spooled, func(n string) bool { return strings.EqualFold(n, column) })
}

// keyed lists the key with a prefix, under the names k0, k1, ...
func (s shape) keyed(format string) []string {
	var list []string
	for i, k := range s.key {
		list = append(list, fmt.Sprintf(format, identifier(k), i))
	}
	return list
}

const dropSteps = `DROP TABLE IF EXISTS temp.part;
DROP TABLE IF EXISTS temp.newest;
DROP TABLE IF EXISTS temp.met;
DROP TABLE IF EXISTS temp.content;
DROP TABLE IF EXISTS temp.gone`

func createPart(scopeKind string) string {
	return "CREATE TEMP TABLE part (part INTEGER, scope " + scopeKind + ", began TIMESTAMPTZ, history TIMESTAMP)"
}

// addParts takes, for each part, the date from which on rows are kept as text; "" is from the beginning.
func addParts(n int) string {
	return "INSERT INTO temp.part VALUES " + strings.Repeat(", (?, ?, ?, nullif(?, '')::TIMESTAMP)", n)[2:]
}

// content hashes what a row would hold after it was replaced by what is spooled: a column that
// the spool does not have becomes NULL.
func (s shape) content(table string) string {
	var list []string
	for _, f := range s.stored {
		switch {
		case table != "":
			list = append(list, table+"."+identifier(f.name))
		case s.has(f.name):
			list = append(list, identifier(f.name))
		default:
			list = append(list, "NULL::"+f.kind)
		}
	}
	if table != "" {
		table += "."
	}
	return strings.Join(append(list, table+identifier(extra)), ", ")
}

// createNewest keeps of each key the row with the highest version, and of equal ones the last.
// The content is hashed below the window, which would otherwise sort whole rows.
func (s shape) createNewest() string {
	columns := []string{identifier(partColumn) + " AS part", identifier(ordinalColumn) + " AS ordinal", identifier(s.scope) + " AS scope"}
	columns = append(columns, s.keyed("%s AS k%d")...)
	order := "ordinal DESC"
	if s.version != "" {
		columns = append(columns, identifier(s.version)+" AS version")
		order = "version DESC NULLS LAST, " + order
	}
	if s.byContent() {
		columns = append(columns, "hash("+s.content("")+") AS content")
	}
	if s.dated != "" {
		columns = append(columns, identifier(s.dated)+" AS dated")
	}
	if s.header != "" {
		columns = append(columns, identifier(s.header)+" AS header")
	}
	if s.out {
		columns = append(columns, outColumn+" AS out")
	} else if s.marks() {
		columns = append(columns, "false AS out")
	}
	return "CREATE TEMP TABLE newest AS FROM (SELECT " + strings.Join(columns, ", ") + `
FROM exactduck_pages(?))
QUALIFY row_number() OVER (PARTITION BY ` + strings.Join(append([]string{"scope"}, s.keyed("k%[2]d")...), ", ") + " ORDER BY " + order + ") = 1"
}

// bar drops spooled rows that a tombstone covers.
func (s shape) bar() string {
	return "DELETE FROM temp.newest WHERE ordinal IN (" + s.covered("k0") + ")"
}

// barLines marks the spooled lines whose header has a tombstone that covers them: they went with it.
func (s shape) barLines() string {
	return "UPDATE temp.newest SET out = true WHERE ordinal IN (" + s.covered("header") + ")"
}

// covered finds the spooled rows that are not newer than a tombstone of the key in a column; it takes
// the entity. In a read of everything a tombstone counts only when it came to be known after the read
// began: what the source shows in spite of one that is older is there.
func (s shape) covered(key string) string {
	covers := ""
	if s.version != "" {
		covers += "\nAND (s.version IS NULL OR s.version <= d." + identifier(tombstoneVersion) + ")"
	}
	if s.mode == spool.Replace {
		covers += "\nAND d." + syncedAt + " >= p.began"
	}
	return `
SELECT s.ordinal FROM temp.newest s JOIN temp.part p ON p.part = s.part
JOIN ` + tombstones + " d ON d." + identifier(tombstoneEntity) + " = ? AND d." + identifier(s.scope) + " = s.scope AND d." + identifier(tombstoneKey) + " = s." + key + covers
}

// createOut finds the stored rows that are older than a spooled row which is to go.
func (s shape) createOut() string {
	where := "s.out"
	if s.version != "" {
		where += " AND coalesce(t." + identifier(s.version) + " < s.version, s.version IS NOT NULL)"
	}
	if s.soft {
		where += " AND t." + deletedAt + " IS NULL"
	}
	return "CREATE TEMP TABLE gone AS SELECT s.part, t.rowid AS existing, t." + deletedAt + ` IS NULL AS live
FROM temp.newest s JOIN ` + s.table() + " t ON " + s.sameKey() + " WHERE " + where
}

const dropOut = "DELETE FROM temp.newest WHERE out"

// sameKey joins a stored row t with a spooled one s.
func (s shape) sameKey() string {
	on := append([]string{"t." + identifier(s.scope) + " = s.scope"}, s.keyed("t.%s IS NOT DISTINCT FROM s.k%d")...)
	return strings.Join(on, " AND ")
}

// createMet finds the stored rows of the spooled keys. stays is already right where versions
// decide, and for what content decides still false.
func (s shape) createMet() string {
	stays := "t." + deletedAt + " IS NULL"
	carried := ""
	switch {
	case s.byContent():
		stays, carried = "false", ", s.content, "+stays+" AS live"
	case s.version != "":
		stays += " AND (s.version IS NULL OR coalesce(t." + identifier(s.version) + " >= s.version, false))"
	}
	return "CREATE TEMP TABLE met AS SELECT s.part, s.ordinal, t.rowid AS existing, " + stays + " AS stays" + carried + `
FROM temp.newest s JOIN ` + s.table() + " t ON " + s.sameKey()
}

// compareContent lets stored rows stay that equal what is spooled.
func (s shape) compareContent() []string {
	return []string{
		"CREATE TEMP TABLE content AS SELECT t.rowid AS existing, hash(" + s.content("t") + `) AS content
FROM ` + s.table() + ` t WHERE t.rowid IN (SELECT existing FROM temp.met WHERE live)`,
		`UPDATE temp.met SET stays = true FROM temp.content c
WHERE c.existing = met.existing AND c.content = met.content AND met.live`,
	}
}

// leaveDoubles lets one stored row of each key stay. There should be no other: only somebody who wrote
// into the table can have made them.
const leaveDoubles = `UPDATE temp.met SET stays = false FROM (SELECT ordinal, min(existing) AS first FROM temp.met
WHERE stays GROUP BY ordinal HAVING count(*) > 1) d WHERE d.ordinal = met.ordinal AND met.existing <> d.first`

// createGone finds the stored rows that a complete read did not bring. A sweep leaves alone what
// came after it had begun. Rows that were only marked as deleted go too, unless marks are wanted.
func (s shape) createGone() string {
	where := "t.rowid NOT IN (SELECT existing FROM temp.met)"
	if s.mode == spool.Sweep {
		where += " AND t." + syncedAt + " < p.began"
	}
	if s.soft {
		where += " AND t." + deletedAt + " IS NULL"
	}
	return "CREATE TEMP TABLE gone AS SELECT p.part, t.rowid AS existing, t." + deletedAt + ` IS NULL AS live
FROM ` + s.table() + " t JOIN temp.part p ON t." + identifier(s.scope) + " = p.scope WHERE " + where
}

// countStored counts the rows of each part's scope: all, and those not marked as deleted.
func (s shape) countStored() string {
	return "SELECT p.part, count(*), count(*) FILTER (t." + deletedAt + ` IS NULL)
FROM ` + s.table() + " t JOIN temp.part p ON t." + identifier(s.scope) + " = p.scope GROUP BY p.part"
}

const countGone = "SELECT part, count(*), count(*) FILTER (live) FROM temp.gone GROUP BY part"

// dropPart takes a part out of what is applied.
var dropPart = []string{
	"DELETE FROM temp.part WHERE part = ?",
	"DELETE FROM temp.newest WHERE part = ?",
	"DELETE FROM temp.met WHERE part = ?",
	"DELETE FROM temp.gone WHERE part = ?",
}

// countMerged counts, by part, the rows that are new and those that replace another.
const countMerged = `SELECT s.part, count(*) FILTER (m.ordinal IS NULL), count(*) FILTER (NOT m.stays)
FROM temp.newest s LEFT JOIN (SELECT ordinal, bool_and(stays) AS stays FROM temp.met GROUP BY ordinal) m ON m.ordinal = s.ordinal
GROUP BY s.part`

// countMissed counts, by part, the swept rows that are not, or only as an older version, in the
// table. Rows that may just have been written are no miss: they came after the last read. A day
// covers the difference between the clocks, whatever zone the source's is in. Nor are rows from
// before the history that is kept.
func (s shape) countMissed() string {
	if s.dated == "" {
		return countMerged
	}
	return strings.Replace(countMerged, "\nGROUP BY", `
JOIN temp.part p ON p.part = s.part WHERE (s.dated IS NULL OR s.dated < (p.began AT TIME ZONE 'UTC') - INTERVAL 1 DAY)
AND coalesce(s.dated >= p.history, true)
GROUP BY`, 1)
}

// selectWanted lists the places of the spooled rows that are to be stored.
const selectWanted = "SELECT s.ordinal FROM temp.newest s ANTI JOIN (SELECT ordinal FROM temp.met WHERE stays) m ON m.ordinal = s.ordinal"

func (s shape) deleteReplaced() string {
	return "DELETE FROM " + s.table() + " WHERE rowid IN (SELECT existing FROM temp.met WHERE NOT stays)"
}

// removeGone takes when and run as its arguments where rows are marked.
func (s shape) removeGone() string {
	if s.soft {
		return fmt.Sprintf("UPDATE %s SET %s = $1, %s = $1, %s = $2 WHERE rowid IN (SELECT existing FROM temp.gone)",
			s.table(), deletedAt, syncedAt, runID)
	}
	return "DELETE FROM " + s.table() + " WHERE rowid IN (SELECT existing FROM temp.gone)"
}

// insertWanted takes when, run and the place of the pages.
func (s shape) insertWanted() string {
	var columns []string
	for _, name := range append([]string{s.scope}, s.spooled...) {
		columns = append(columns, identifier(name))
	}
	list := strings.Join(columns, ", ")
	return fmt.Sprintf("INSERT INTO %s (%s, %s, %s, %s)\nSELECT %s, ?::TIMESTAMPTZ, ?, %s FROM exactduck_pages(?)",
		s.table(), list, syncedAt, runID, extra, list, extra)
}

// sums tells multisets of rows apart.
func sums(content string) string {
	return "count(*), sum(hash(" + content + ")::HUGEINT)::VARCHAR, sum(hash('again', " + content + ")::HUGEINT)::VARCHAR"
}

// sumSpooled and sumStored describe the rows of each part, for tables without a key.
func (s shape) sumSpooled() string {
	return "SELECT " + identifier(partColumn) + " AS part, " + sums(s.content("")) + "\nFROM exactduck_pages(?) GROUP BY " + identifier(partColumn)
}

func (s shape) sumStored() string {
	return "SELECT p.part, " + sums(s.content("t")) + "\nFROM " + s.table() + " t JOIN temp.part p ON t." + identifier(s.scope) + " = p.scope GROUP BY p.part"
}

// deletePart removes all rows of a part's scope.
func (s shape) deletePart() string {
	return fmt.Sprintf("DELETE FROM %s WHERE %s IN (SELECT scope FROM temp.part WHERE part = ?)", s.table(), identifier(s.scope))
}

// createTable makes the table with all columns of t.
func createTable(service string, t *schema.Table) string {
	var b strings.Builder
	fmt.Fprintf(&b, "CREATE TABLE %s.%s (\n\t%s %s", identifier(service), identifier(t.Name), identifier(t.Scope.Name), t.Scope.Type)
	for _, c := range t.Columns {
		fmt.Fprintf(&b, ",\n\t%s %s", identifier(c.Name), c.Type)
	}
	for _, f := range []field{{syncedAt, "TIMESTAMPTZ"}, {runID, "VARCHAR"}, {deletedAt, "TIMESTAMPTZ"}, {extra, "JSON"}} {
		fmt.Fprintf(&b, ",\n\t%s %s", identifier(f.name), f.kind)
	}
	return b.String() + ")"
}

func addColumn(service, table string, c schema.Column) string {
	return fmt.Sprintf("ALTER TABLE %s.%s ADD COLUMN %s %s", identifier(service), identifier(table), identifier(c.Name), c.Type)
}
