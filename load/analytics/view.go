package analytics

import (
	"embed"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"
)

//go:embed views/*.sql
var files embed.FS

// schemaName is the schema of the views, behind the prefix of the connection.
const schemaName = "analytics"

// view is one file of views/.
type view struct {
	name     string
	about    string   // what it shows
	supports bool     // made only for the sake of others
	uses     []string // other views that must be there
	sources  []*source
	body     string
}

// source is a table that a view reads. It is shown to the view with exactly these columns, and
// without the rows that are marked as deleted.
type source struct {
	table   string // financial.GLAccounts
	instead string // the table to take when there is no such table; "": none
	// fixed are columns that the other table does not have, with the value that says the same of each
	// of its rows.
	fixed   map[string]string
	needed  bool
	columns []column
}

type column struct {
	name, kind string // as DuckDB writes the type
	needed     bool
}

// library is all views, each after those that it uses.
var library = sync.OnceValue(func() []*view {
	entries, err := files.ReadDir("views")
	if err != nil {
		panic(err)
	}
	byName := map[string]*view{}
	for _, e := range entries {
		text, err := files.ReadFile("views/" + e.Name())
		if err != nil {
			panic(err)
		}
		v, err := parseView(strings.TrimSuffix(e.Name(), path.Ext(e.Name())), string(text))
		if err != nil {
			panic(err)
		}
		byName[v.name] = v
	}
	var list []*view
	for _, e := range entries {
		list = placed(list, byName, strings.TrimSuffix(e.Name(), path.Ext(e.Name())))
	}
	return list
})

// placed appends a view behind those that it uses.
func placed(list []*view, all map[string]*view, name string) []*view {
	v := all[name]
	if v == nil {
		panic("no view " + name)
	}
	if slices.Contains(list, v) {
		return list
	}
	for _, other := range v.uses {
		list = placed(list, all, other)
	}
	return append(list, v)
}

// parseView reads a file: a head of comment lines, and the query.
func parseView(name, text string) (*view, error) {
	v := &view{name: name}
	var about, directives []string
	for rest := text; ; {
		line, after, _ := strings.Cut(rest, "\n")
		said, ok := strings.CutPrefix(line, "--")
		if !ok {
			v.body = strings.TrimSpace(rest)
			break
		}
		rest = after
		word, _, _ := strings.Cut(strings.TrimSpace(said), " ")
		switch {
		case slices.Contains([]string{"supports", "needs", "wants", "instead"}, word) && strings.HasPrefix(said, " "+word):
			directives = append(directives, strings.TrimSpace(said))
		case strings.HasPrefix(said, "   ") && len(directives) > 0:
			directives[len(directives)-1] += " " + strings.TrimSpace(said)
		default:
			about = append(about, strings.TrimSpace(said))
		}
	}
	v.about = strings.TrimSpace(strings.Join(about, " "))
	for _, d := range directives {
		if err := v.direct(d); err != nil {
			return nil, fmt.Errorf("view %s: %q: %w", name, d, err)
		}
	}
	return v, nil
}

// direct takes in one directive: "supports", "needs analytics.x", "needs T: columns", "wants T:
// columns" or "instead T: U, fixed columns".
func (v *view) direct(text string) error {
	word, rest, _ := strings.Cut(text, " ")
	name, list, _ := strings.Cut(rest, ":")
	if word == "supports" {
		v.supports = true
		return nil
	}
	if used, ok := strings.CutPrefix(name, schemaName+"."); ok && word == "needs" {
		v.uses = append(v.uses, used)
		return nil
	}
	s := v.source(name)
	if s == nil {
		s = &source{table: name}
		v.sources = append(v.sources, s)
	}
	if word == "instead" {
		other, fixed, _ := strings.Cut(list, ",")
		s.instead, s.fixed = strings.TrimSpace(other), map[string]string{}
		for item := range strings.SplitSeq(fixed, ",") {
			if name, value, ok := strings.Cut(strings.TrimSpace(item), " "); ok {
				s.fixed[name] = value
			}
		}
		return nil
	}
	columns, err := parseColumns(list, word == "needs")
	s.columns = append(s.columns, columns...)
	s.needed = s.needed || word == "needs"
	return err
}

func (v *view) source(table string) *source {
	for _, s := range v.sources {
		if s.table == table {
			return s
		}
	}
	return nil
}

// parseColumns reads "ID UUID, AmountDC DECIMAL(18,4)".
func parseColumns(list string, needed bool) ([]column, error) {
	var columns []column
	for item := range strings.SplitSeq(strings.ReplaceAll(list, "(18,4)", "(18;4)"), ",") {
		name, kind, ok := strings.Cut(strings.TrimSpace(item), " ")
		if !ok {
			return nil, fmt.Errorf("%q is no column with its type", item)
		}
		columns = append(columns, column{name, strings.ReplaceAll(kind, ";", ","), needed})
	}
	return columns, nil
}
