package analytics

import (
	_ "embed"
	"fmt"
	"strings"
	"sync"
)

var (
	//go:embed labels.txt
	labelText string
	//go:embed columns.txt
	columnText string
	//go:embed tables.txt
	tableText string
)

// entry is one line of a list: the words under a heading, between bars.
type entry struct {
	heading string
	words   []string
}

// entries reads a list: lines of words with bars between them, under headings in brackets. Lines
// that begin with # are left out.
func entries(text string) []entry {
	var list []entry
	heading := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if name, ok := strings.CutPrefix(line, "["); ok {
			heading = strings.TrimSuffix(name, "]")
			continue
		}
		e := entry{heading: heading}
		for word := range strings.SplitSeq(line, "|") {
			e.words = append(e.words, strings.TrimSpace(word))
		}
		list = append(list, e)
	}
	return list
}

// labelRows are the rows of the view labels.
var labelRows = sync.OnceValue(func() string {
	var rows []string
	for _, e := range entries(labelText) {
		rows = append(rows, fmt.Sprintf("(%s, %s, %s, %s)", literal(e.heading), e.words[0], literal(e.words[1]), literal(e.words[2])))
	}
	return strings.Join(rows, ", ")
})

// viewWords say what the columns of the views are, by "column" and by "view.column".
var viewWords = sync.OnceValue(func() map[string]string { return dictionary(columnText) })

// tableWords say what the tables and columns of Exact and our own are: by "schema.table", by
// "schema.table.column", and, for a column of any table, by ".column".
var tableWords = sync.OnceValue(func() map[string]string { return dictionary(tableText) })

// dictionary joins headings and first words; the first word "-" speaks of the heading itself.
func dictionary(text string) map[string]string {
	words := map[string]string{}
	for _, e := range entries(text) {
		name := e.heading + "." + e.words[0]
		if e.words[0] == "-" {
			name = e.heading
		}
		words[strings.ToLower(name)] = e.words[1]
	}
	return words
}
