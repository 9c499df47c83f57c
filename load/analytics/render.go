package analytics

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// definition is a view as it is to be.
type definition struct{ name, about, query string }

var token = regexp.MustCompile(`\{([^{}]+)\}`)

// definitions are the views that can be made from what is stored, in the order in which to make
// them. Those that only support others are made where one of these is.
func (l Layer) definitions(have stored) []definition {
	made := map[string]bool{}
	for _, v := range library() {
		made[v.name] = l.possible(v, have, made)
	}
	wanted := map[string]bool{}
	for i := len(library()) - 1; i >= 0; i-- {
		v := library()[i]
		if !made[v.name] || v.supports && !wanted[v.name] {
			continue
		}
		wanted[v.name] = true
		for _, other := range v.uses {
			wanted[other] = true
		}
	}
	var list []definition
	for _, v := range library() {
		if wanted[v.name] {
			list = append(list, definition{v.name, v.about, l.render(v, have)})
		}
	}
	return list
}

// possible says whether all is there that a view needs.
func (l Layer) possible(v *view, have stored, made map[string]bool) bool {
	for _, other := range v.uses {
		if !made[other] {
			return false
		}
	}
	for _, s := range v.sources {
		if !s.needed {
			continue
		}
		t := have[l.chosen(s, have)]
		if t == nil {
			return false
		}
		for _, c := range s.columns {
			if c.needed && !t.holds(c.name) && (l.fixed(s, c, have) == "") {
				return false
			}
		}
	}
	return true
}

// fixed is the value that a column has in all rows, where the table that is taken instead does not
// have it; "": none.
func (l Layer) fixed(s *source, c column, have stored) string {
	if s.instead == "" || l.chosen(s, have) != strings.ToLower(l.Prefix+s.instead) {
		return ""
	}
	return s.fixed[c.name]
}

// chosen is the name of the stored table that a source is read from, in lower case.
func (l Layer) chosen(s *source, have stored) string {
	name := strings.ToLower(l.Prefix + s.table)
	if other := strings.ToLower(l.Prefix + s.instead); have[name] == nil && s.instead != "" && have[other] != nil {
		return other
	}
	return name
}

// render is the query of a view.
func (l Layer) render(v *view, have stored) string {
	return token.ReplaceAllStringFunc(v.body, func(match string) string {
		word, rest, _ := strings.Cut(strings.Trim(match, "{}"), " ")
		switch {
		case word == "prefix":
			return literal(l.Prefix)
		case word == "labels":
			return labelRows()
		case word == "utc":
			return fmt.Sprintf("timezone('UTC', timezone(%s, %s))", literal(l.zone()), rest)
		case word == "stream":
			return literal(l.stream(v.source(rest), have))
		case word == "missing":
			return strconv.FormatBool(have[l.chosen(v.source(rest), have)] == nil)
		case strings.HasPrefix(word, schemaName+"."):
			return identifier(l.schema()) + "." + identifier(strings.TrimPrefix(word, schemaName+"."))
		}
		return l.rows(v.source(word), have)
	})
}

// stream is the name of the stream that fills the table of a source.
func (l Layer) stream(s *source, have stored) string {
	name := s.table
	if l.chosen(s, have) == strings.ToLower(l.Prefix+s.instead) {
		name = s.instead
	}
	return strings.Replace(name, ".", "/", 1)
}

// rows is the table of a source with exactly the columns of the source; without such a table, no
// rows.
func (l Layer) rows(s *source, have stored) string {
	t := have[l.chosen(s, have)]
	columns := []string{"CAST(NULL AS INTEGER) AS _division"}
	if t != nil {
		columns[0] = "_division"
	}
	for _, c := range s.columns {
		if value := l.fixed(s, c, have); value != "" {
			columns = append(columns, fmt.Sprintf("CAST(%s AS %s) AS %s", value, c.kind, identifier(c.name)))
			continue
		}
		columns = append(columns, t.shown(c))
	}
	list := strings.Join(columns, ", ")
	if t == nil {
		return "(SELECT " + list + " WHERE false)"
	}
	return fmt.Sprintf("(SELECT %s FROM %s.%s WHERE _deleted_at IS NULL)", list, identifier(t.schema), identifier(t.name))
}

// shown is a column in the type that views count on. What a mask or the configuration has turned
// into another type and is no such value any more is NULL: one of them must not fail a whole view.
func (t *table) shown(c column) string {
	name := identifier(c.name)
	var have *field
	if t != nil {
		have = t.columns[strings.ToLower(c.name)]
	}
	switch {
	case have == nil:
		return fmt.Sprintf("CAST(NULL AS %s) AS %s", c.kind, name)
	case have.kind == c.kind:
		return name
	}
	return fmt.Sprintf("TRY_CAST(%s AS %s) AS %s", name, c.kind, name)
}

// identifier quotes the name of a schema, table or column.
func identifier(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// literal quotes a text.
func literal(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }
