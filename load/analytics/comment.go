package analytics

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// edm is what Exact calls the types of which the warehouse makes a column's.
var edm = map[string]string{
	"BOOLEAN": "Edm.Boolean", "UTINYINT": "Edm.Byte", "SMALLINT": "Edm.Int16", "INTEGER": "Edm.Int32", "BIGINT": "Edm.Int64",
	"DOUBLE": "Edm.Double", "DECIMAL(18,4)": "Edm.Double, an amount", "TIMESTAMP": "Edm.DateTime", "UUID": "Edm.Guid",
	"VARCHAR": "Edm.String", "BLOB": "Edm.Binary",
}

// documented is the same for Exact Payments.
var documented = map[string]string{
	"BOOLEAN": "A boolean", "BIGINT": "A number", "VARCHAR": "A string", "TIMESTAMP WITH TIME ZONE": "Date and time, in UTC",
}

// comments are the statements that give every table, view and column the description that it
// should have and does not.
func (l Layer) comments(have stored) []string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(have)) {
		list = append(list, l.commentsOn(have[name])...)
	}
	return list
}

func (l Layer) commentsOn(t *table) []string {
	about, of := tableAbout(t), t.columnAbout
	if t.view {
		if t.schema != l.schema() {
			return nil // another connection's
		}
		about, of = viewAbout(t.name), func(f *field) string { return viewColumnAbout(t.name, f.name) }
	}
	var list []string
	full := identifier(t.schema) + "." + identifier(t.name)
	if about != t.comment {
		list = append(list, fmt.Sprintf("COMMENT ON %s %s IS %s", kindOf(t), full, literal(about)))
	}
	for _, name := range slices.Sorted(maps.Keys(t.columns)) {
		if f := t.columns[name]; of(f) != f.comment {
			list = append(list, fmt.Sprintf("COMMENT ON COLUMN %s.%s IS %s", full, identifier(f.name), literal(of(f))))
		}
	}
	return list
}

func kindOf(t *table) string {
	if t.view {
		return "VIEW"
	}
	return "TABLE"
}

func viewAbout(name string) string {
	for _, v := range library() {
		if v.name == name {
			return v.about
		}
	}
	return ""
}

func viewColumnAbout(view, column string) string {
	words := viewWords()
	if said := words[view+"."+column]; said != "" {
		return said
	}
	return words["."+column]
}

// base is the name of the table without the prefix of the connection.
func (t *table) base() string {
	return strings.ToLower(strings.TrimPrefix(t.schema, t.prefix) + "." + t.name)
}

// vendor is whose table it is.
func (t *table) vendor() string {
	if strings.HasPrefix(t.base(), "exactpay.") {
		return "Exact Payments"
	}
	return "Exact Online"
}

// tableAbout describes a table: our own words, if there are any, where it comes from, and its key.
func tableAbout(t *table) string {
	said := []string{tableWords()[t.base()]}
	if len(t.endpoints) > 0 {
		said = append(said, t.vendor()+": "+strings.Join(t.endpoints, ", ")+".")
	}
	if len(t.key) > 0 {
		said = append(said, "Key: "+strings.Join(t.key, ", ")+".")
	}
	return sentences(said)
}

// columnAbout describes a column: our own words of it in this table or in any, and the vendor's type.
func (t *table) columnAbout(f *field) string {
	words := tableWords()
	exact, kinds := true, edm
	if t.vendor() != "Exact Online" {
		exact, kinds = false, documented
	}
	said := words[t.base()+"."+strings.ToLower(f.name)]
	if said == "" && (exact || strings.HasPrefix(f.name, "_")) { // others mean something else by these names
		said = words["."+strings.ToLower(f.name)]
	}
	source := ""
	if kind := kinds[f.kind]; len(t.endpoints) > 0 && !strings.HasPrefix(f.name, "_") && kind != "" {
		source = kind + "."
		if slices.ContainsFunc(t.key, func(k string) bool { return strings.EqualFold(k, f.name) }) {
			source = kind + ", part of the key."
		}
	}
	return sentences([]string{said, source})
}

// sentences joins what is not empty.
func sentences(list []string) string {
	return strings.Join(slices.DeleteFunc(list, func(s string) bool { return s == "" }), " ")
}
