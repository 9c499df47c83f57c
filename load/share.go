package load

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// ByYear is the value of [Target.Partition] that gives each year of each division a file of its own.
const ByYear = "year"

// dates are the columns that say of which day an entry, an invoice or an order is, best first. A table
// with none of them holds master data, which no year divides; Created and Modified are about the record
// and not about what it records.
var dates = []string{"Date", "EntryDate", "InvoiceDate", "OrderDate", "TransactionDate", "DocumentDate", "QuotationDate"}

// nowhere is what readers of hive partitions take for NULL.
const nowhere = "__HIVE_DEFAULT_PARTITION__"

// part is the rows of one table in one scope.
type part struct {
	service, table, column string // column is that of the scope
	fields                 []field
	key                    []string
	scope                  string
	generation             int64
}

// share is what one file of the lake holds: a part, or the rows of it that are of one year.
type share struct {
	part
	dated   string // the column that tells the year; "": the file holds all years
	year    string // "2024", or nowhere
	rows    int64
	content string        // tells rows of one year from others; "": the generation does
	last    *ManifestFile // the file of the snapshot before; nil: there is none that can be used
	reused  bool          // that holds the very rows; else they are written
}

// path is where the share lies in a snapshot, when it was written in this generation. No folder is named
// as a column of any table, for readers would take the value in the name for that of the column (nearly
// every entity has a Division, which need not be the one that it was read from), nor begins with _,
// for pandas and Spark do not look into such.
func (s share) path() string {
	folders := []string{s.service, s.table, "in_" + strings.TrimLeft(s.column, "_") + "=" + url.PathEscape(s.scope)}
	if s.dated != "" {
		folders = append(folders, "in_year="+s.year)
	}
	return path.Join(path.Join(folders...), fmt.Sprintf("part-%d.parquet", s.generation))
}

// parts lists all parts of all tables that readers see.
func parts(ctx context.Context, db *sql.DB) ([]part, error) {
	columns, err := columnsOfAll(ctx, db)
	if err != nil {
		return nil, err
	}
	rows, err := db.QueryContext(ctx, `SELECT t.service, t.name, t.scope_column, array_to_string(t.key, chr(0)), p.scope, p.generation
		FROM _exactduck.tables t JOIN _exactduck.parts p ON p.table_name = t.service || '.' || t.name
		WHERE t.service <> '_exactduck' ORDER BY ALL`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []part
	for rows.Next() {
		var p part
		var key sql.NullString
		if err := rows.Scan(&p.service, &p.table, &p.column, &key, &p.scope, &p.generation); err != nil {
			return nil, err
		}
		if p.fields = columns[strings.ToLower(p.service+"."+p.table)]; len(p.fields) == 0 {
			continue // the table is not made yet
		}
		if key.String != "" {
			p.key = strings.Split(key.String, "\x00")
		}
		if !filepath.IsLocal(filepath.FromSlash(share{part: p}.path())) {
			return nil, fmt.Errorf("%s.%s cannot name a folder", p.service, p.table)
		}
		all = append(all, p)
	}
	return all, rows.Err()
}

// columnsOfAll are the columns of all tables, by the name of the table in lower case.
func columnsOfAll(ctx context.Context, db *sql.DB) (map[string][]field, error) {
	rows, err := db.QueryContext(ctx, `SELECT lower(c.schema_name || '.' || c.table_name), c.column_name, c.data_type
		FROM duckdb_columns() c JOIN duckdb_tables() t USING (database_name, schema_name, table_name)
		WHERE c.database_name = current_database() AND NOT c.internal ORDER BY c.table_oid, c.column_index`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := map[string][]field{}
	for rows.Next() {
		var table string
		var f field
		if err := rows.Scan(&table, &f.name, &f.kind); err != nil {
			return nil, err
		}
		all[table] = append(all[table], f)
	}
	return all, rows.Err()
}

// date is the column that says of which day a row is; "" if none does.
func (p part) date() string {
	for _, name := range dates {
		if f, ok := find(p.fields, name); ok && f.kind == "TIMESTAMP" {
			return f.name
		}
	}
	return ""
}

// order is by what the rows of a file are sorted, so that those of a day lie together.
func (p part) order() []string {
	var by []string
	if date := p.date(); date != "" {
		by = append(by, date)
	}
	for _, name := range p.key {
		if f, ok := find(p.fields, name); ok && !slices.Contains(by, f.name) {
			by = append(by, f.name)
		}
	}
	return by
}

// sortable is how many values DuckDB sorts within its memory, with room for long texts. Larger files
// keep the order in which the rows came, which is roughly that of their modification.
const sortable = 4_000_000

// sorting is by what the rows of the share are sorted; nil: there are too many.
func (s share) sorting() []string {
	if s.rows*int64(len(s.fields)) > sortable {
		return nil
	}
	return s.order()
}

// shares divides a part into files, and says which of them the snapshot before holds already.
func (w *Warehouse) shares(ctx context.Context, s *snapshot, p part) ([]share, error) {
	whole := share{part: p}
	if s.manifest.Partition != ByYear || p.date() == "" {
		if s.find(&whole); whole.last != nil && whole.last.Generation == p.generation {
			whole.reused = true
			return []share{whole}, nil
		}
		err := w.db.QueryRowContext(ctx, "SELECT count(*) FROM "+whole.from()).Scan(&whole.rows)
		return []share{whole}, err
	}
	if all := s.unchanged(p); all != nil {
		return all, nil
	}
	return w.years(ctx, s, p)
}

// unchanged are the files of a part that has not changed since the snapshot before.
func (s *snapshot) unchanged(p part) []share {
	var all []share
	whole := share{part: p, dated: p.date()}
	for _, f := range s.before(p) {
		if !whole.ofAnyYear(f) || f.Seen != p.generation || !f.liesIn(s.folderBefore()) {
			return nil
		}
		all = append(all, share{part: p, dated: p.date(), year: f.Year, content: f.Content, rows: f.Rows, last: &f, reused: true})
	}
	return all
}

// years finds the years that a part has rows of, and compares the rows of each with those of the snapshot
// before: a change of a part is mostly one of its last year. Every value counts, as its hash.
func (w *Warehouse) years(ctx context.Context, s *snapshot, p part) ([]share, error) {
	date := p.date()
	values := make([]string, len(p.fields))
	shape := make([]string, len(p.fields))
	for i, f := range p.fields {
		values[i], shape[i] = identifier(f.name), f.name+" "+f.kind
	}
	rows, err := w.db.QueryContext(ctx, fmt.Sprintf(`SELECT coalesce(year(%s)::VARCHAR, %s), count(*), hash(%s)::VARCHAR || '-' || sum(hash(%s))::VARCHAR
		FROM %s GROUP BY 1 ORDER BY 1`, identifier(date), literal(nowhere), literal(strings.Join(shape, ", ")), strings.Join(values, ", "), share{part: p}.from()))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []share
	for rows.Next() {
		one := share{part: p, dated: date}
		if err := rows.Scan(&one.year, &one.rows, &one.content); err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	if len(all) == 0 { // so that the table can be read
		all = []share{{part: p, dated: date, year: nowhere, content: "none"}}
	}
	for i := range all {
		s.find(&all[i])
		f := all[i].last
		all[i].reused = f != nil && f.Content == all[i].content && f.Rows == all[i].rows
	}
	return all, rows.Err()
}

// from is the rows of a share, as a clause.
func (s share) from() string {
	from := fmt.Sprintf("%s.%s WHERE %s = %s", identifier(s.service), identifier(s.table), identifier(s.column), literal(s.scope))
	date := identifier(s.dated)
	switch s.year {
	case "":
		return from
	case nowhere:
		return from + " AND " + date + " IS NULL"
	default:
		return fmt.Sprintf("%s AND %s >= make_timestamp(%s, 1, 1, 0, 0, 0) AND %s < make_timestamp(%s + 1, 1, 1, 0, 0, 0)", from, date, s.year, date, s.year)
	}
}

func (s share) ofAnyYear(f ManifestFile) bool { return (f.Year != "") == (s.dated != "") }

// find looks for the file of a share in the snapshot before.
func (s *snapshot) find(one *share) {
	for _, f := range s.before(one.part) {
		if one.ofAnyYear(f) && f.Year == one.year && f.liesIn(s.folderBefore()) {
			one.last = &f
		}
	}
}

// before are the files of a part in the snapshot before, if what that holds can be used again.
func (s *snapshot) before(p part) []ManifestFile {
	if s.files == nil {
		s.files = map[[2]string][]ManifestFile{}
		if s.previous != nil && s.previous.History == s.manifest.History && s.previous.Format == s.manifest.Format {
			for _, f := range s.previous.Files {
				of := [2]string{f.Table, f.Scope}
				s.files[of] = append(s.files[of], f)
			}
		}
	}
	return s.files[[2]string{p.service + "." + p.table, p.scope}]
}
