// Package schema holds the nouns that every other package speaks, and the typed columns that
// carry rows from a source to the warehouse. It imports nothing of ours. Begin with [Page].
//
// The words, each with one meaning everywhere:
//
//   - connection: one login at one vendor, with which one or more scopes can be read.
//   - scope: what a set of books belongs to: an Exact Online division, an ExactPay account.
//   - stream: one logical entity of a source (crm/Accounts), feeding one table.
//   - variant: one of the endpoints that serve a stream (sync, bulk or standard).
//   - page: what one answer of the source became, typed.
//   - position: a place in a stream that only its source can read; stored, never interpreted.
//   - cursor: the position up to which the warehouse holds a stream of a scope, and how it came there.
//   - spool: the pages of one read, on disk, until the warehouse has applied them.
//   - tombstone: the source's word that a key is gone.
//   - sweep: a read of keys only, which finds the rows that are gone where no tombstones tell.
//   - shrink guard: the refusal to remove more than there is reason to believe.
//   - run: one pass over one pipeline.
package schema

import (
	"slices"
	"strings"
)

// Scope names what rows belong to: "123456" is a division of Exact Online, "0" the connection
// as a whole. The zero value is no scope.
type Scope string

// Position is a place in a stream that only the source that made it can read. The zero value is
// the beginning.
type Position string

// Column is one column of a table.
type Column struct {
	Name string `json:"name"`
	Type Type   `json:"type"`
	// Source is the type in the source's own words ("Edm.Guid"), for documentation only.
	Source string `json:"source,omitempty"`
}

// Table describes the rows of one stream as one of its variants delivers them. Tables are values
// that nobody changes once they are made.
type Table struct {
	Service string   `json:"service"` // the DuckDB schema: "crm"
	Name    string   `json:"name"`    // the DuckDB table: "Accounts"
	Scope   Column   `json:"scope"`   // the first column, part of the key: _division INTEGER
	Key     []string `json:"key,omitempty"`
	// Version names the column that orders two states of one key; empty: content decides.
	Version string `json:"version,omitempty"`
	// Entity is the number under which the deletions feed reports rows of this table; 0: it does not.
	Entity  int32    `json:"entity,omitempty"`
	Columns []Column `json:"columns"`
}

// FullName is the name that a query uses: crm.Accounts.
func (t *Table) FullName() string { return t.Service + "." + t.Name }

// Index is the place of a column in Columns, or -1. Case does not matter, as in DuckDB.
func (t *Table) Index(name string) int {
	return slices.IndexFunc(t.Columns, func(c Column) bool { return strings.EqualFold(c.Name, name) })
}

// IsKey tells whether a column is part of the key beside the scope. Case does not matter.
func (t *Table) IsKey(name string) bool {
	return slices.ContainsFunc(t.Key, func(k string) bool { return strings.EqualFold(k, name) })
}

// Select returns the table with only the named columns, the key and the version among them
// whether named or not, in the order of t.
func (t *Table) Select(keep func(name string) bool) *Table {
	narrow := *t
	narrow.Columns = slices.DeleteFunc(slices.Clone(t.Columns), func(c Column) bool {
		return !keep(c.Name) && c.Name != t.Version && !slices.Contains(t.Key, c.Name)
	})
	return &narrow
}

// Keys returns the table with nothing but its key and version: what a sweep reads.
func (t *Table) Keys() *Table { return t.Select(func(string) bool { return false }) }

// Page is one answer of the source, checked whole and typed. Rows of a page are in the order in
// which the source gave them; the later of two rows with equal key and version is the newer.
type Page struct {
	Table   *Table
	Scope   Scope
	Rows    int
	Columns []Vector // one for each of Table.Columns, Rows long
	// Extra holds, as one JSON object a row, what has no column or does not fit its column's
	// type, under the property's own name and exactly as it came; NULL where there is nothing.
	Extra Vector
	// Out marks the rows that the read's filter does not want and that may be stored as they were
	// before: they are to be removed. nil: none is.
	Out []bool
	// Next is where to go on after this page, or, when Done, the cursor of the whole read.
	Next Position
	Done bool
	// Unproven says, of a page that is Done, that the source cannot vouch for having brought every
	// row: rows that the read did not bring may be there nevertheless, and are not to be removed.
	Unproven bool
	// Unknown names the properties found in the page that have no column; Misfits the columns
	// of which a value did not fit. Both are sorted and hold each name once.
	Unknown, Misfits []string
}

// NewPage returns an empty page with room for rows rows.
func NewPage(t *Table, s Scope, rows int) *Page {
	p := &Page{Table: t, Scope: s, Columns: make([]Vector, len(t.Columns)), Extra: NewVector(JSON, rows)}
	for i, c := range t.Columns {
		p.Columns[i] = NewVector(c.Type, rows)
	}
	return p
}
