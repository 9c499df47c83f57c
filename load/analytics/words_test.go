package analytics_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"exactduck/extract"
	"exactduck/extract/exactonline"
	"exactduck/extract/exactpay"
)

// word is a line of a list: the heading that it stands under, and its first word.
type word struct{ heading, name string }

func wordsOf(t *testing.T, file string) []word {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var list []word
	heading := ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			heading = strings.Trim(line, "[]")
		} else if name, _, ok := strings.Cut(line, " | "); ok && !strings.HasPrefix(line, "#") {
			list = append(list, word{heading, name})
		}
	}
	return list
}

// What a new migration brings needs words as well: a line in tables.txt.
func TestNothingPublishedIsWithoutWords(t *testing.T) {
	_, r := company(t)
	const silent = "NOT internal AND database_name = 'books' AND coalesce(comment, '') = ''"
	r.expect("tables", "SELECT schema_name, table_name FROM duckdb_tables() WHERE "+silent)
	r.expect("views", "SELECT view_name FROM duckdb_views() WHERE "+silent)
	r.expect("columns", "SELECT schema_name, table_name, column_name FROM duckdb_columns() WHERE "+silent)
}

// No list says a thing twice, or of what does not exist.
func TestNoWordIsLeftOver(t *testing.T) {
	_, r := company(t)
	columns := map[string]bool{} // "schema.table", "schema.table.column" and ".column", all in lower case
	add := func(table, column string) {
		columns[strings.ToLower(table)], columns[strings.ToLower(table+"."+column)], columns[strings.ToLower("."+column)] = true, true, true
	}
	for _, row := range r.rows("SELECT schema_name || '.' || table_name, column_name FROM duckdb_columns() WHERE schema_name IN ('_exactduck', 'crm', 'analytics')") {
		table, column, _ := strings.Cut(row, " | ")
		add(strings.TrimPrefix(table, "analytics."), column)
	}
	views := len(columns)
	add("exactpay", "_account")
	for _, s := range slices.Concat(exactonline.Streams(), exactpay.Streams(), []*extract.Stream{exactonline.Deletions()}) {
		for _, v := range s.Variants {
			for _, c := range v.Table.Columns {
				add(v.Table.FullName(), c.Name)
			}
		}
	}
	if views < 200 || len(columns) < 5000 {
		t.Fatalf("%d names of views and %d in all prove little", views, len(columns))
	}
	for _, file := range []string{"columns.txt", "tables.txt"} {
		seen := map[word]bool{}
		for _, w := range wordsOf(t, file) {
			name := w.heading + "." + w.name
			if w.name == "-" {
				name = w.heading
			}
			if !columns[strings.ToLower(name)] {
				t.Errorf("%s: there is no %s", file, name)
			}
			if seen[w] {
				t.Errorf("%s says twice what %s is", file, name)
			}
			seen[w] = true
		}
	}
}

// Each kind of label is asked for by a view, and no code has two meanings.
func TestLabels(t *testing.T) {
	_, r := company(t)
	r.expect("two meanings", "SELECT kind, code FROM books.analytics.labels GROUP BY ALL HAVING count(*) > 1")
	files, err := os.ReadDir("views")
	if err != nil {
		t.Fatal(err)
	}
	queries := ""
	for _, f := range files {
		text, err := os.ReadFile("views/" + f.Name())
		if err != nil {
			t.Fatal(err)
		}
		queries += string(text)
	}
	for _, kind := range r.rows("SELECT DISTINCT kind FROM books.analytics.labels") {
		if !strings.Contains(queries, ".kind = '"+kind+"'") {
			t.Errorf("no view asks for %s", kind)
		}
	}
}
