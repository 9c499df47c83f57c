package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"exactduck/cmd/exactduck/config"
	"exactduck/extract"
	"exactduck/extract/exactonline"
	"exactduck/extract/sandbox"
	"exactduck/load"
	"exactduck/schema"
)

// comparison is of a published file with the books that it is a copy of.
type comparison struct {
	t         *testing.T
	published string
	pipeline  *config.Pipeline
	sandbox   *sandbox.Sandbox
}

func (w *world) equal(except ...string) {
	w.t.Helper()
	comparison{w.t, w.published(), w.pipeline(), w.sandbox}.equal(except...)
}

// equal holds the published tables against the truth of the sandbox, column by column. except
// names streams whose deletions may still be outstanding: their tables may hold rows too many.
func (w comparison) equal(except ...string) {
	w.t.Helper()
	reader, err := load.OpenReader(w.t.Context(), w.published)
	if err != nil {
		w.t.Fatal(err)
	}
	defer reader.Close()
	w.compare(reader, func(table *schema.Table) map[string]map[string]any { return tableRows(w.t, reader, table) }, except...)
}

// compare holds the rows that held brings of each table against the truth.
func (w comparison) compare(reader *load.Reader, held func(*schema.Table) map[string]map[string]any, except ...string) {
	w.t.Helper()
	choices, err := w.pipeline.Choices(catalogue)
	if err != nil {
		w.t.Fatal(err)
	}
	cursors, err := reader.Cursors(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	readWith := map[streamScope]string{} // a variant may lack columns that another has
	for _, c := range cursors {
		readWith[streamScope{c.Stream, c.Scope}] = c.Variant
	}
	for _, c := range choices {
		table := identified(c.Stream.Variants[0])
		stored := held(table)
		for _, division := range w.divisions() {
			scope := strconv.Itoa(division)
			if c.Stream.Shared {
				scope = string(shared)
			}
			truth := map[string]map[string]any{}
			path := pathOf(c.Stream, readWith[streamScope{c.Stream.Name, schema.Scope(scope)}])
			for _, record := range w.sandbox.Records(division, path) {
				truth[keyOf(table, scope, func(name string) string { return textOf(record[name]) })] = record
			}
			w.same(table, scope, stored, truth, slices.Contains(except, c.Stream.Name))
		}
	}
}

// divisions are those of the pipeline: all, or those that it names by their codes.
func (w comparison) divisions() []int {
	return slices.DeleteFunc(w.sandbox.Divisions(), func(division int) bool {
		return !slices.Contains(w.pipeline.Divisions, "all") && !slices.Contains(w.pipeline.Divisions, strconv.Itoa(division))
	})
}

// pathOf is where a stream was read: the path of the variant that a cursor names, or of the first.
func pathOf(s *extract.Stream, variant string) string {
	at := max(0, slices.IndexFunc(s.Variants, func(v *extract.Variant) bool { return v.Name == variant }))
	return exactonline.EndpointOf(s.Variants[at]).Path
}

// same compares one division of one table.
func (w comparison) same(t *schema.Table, division string, stored map[string]map[string]any, truth map[string]map[string]any, more bool) {
	w.t.Helper()
	have := map[string]map[string]any{}
	for k, row := range stored {
		if row["_division"] == division {
			have[k] = row
		}
	}
	for k, record := range truth {
		row, ok := have[k]
		if !ok {
			w.t.Errorf("%s: row %s is missing", t.FullName(), k)
			continue
		}
		for name, value := range row {
			want, known := record[name]
			if known && !sameValue(value, want) && !keptExactly(row, name, want) {
				w.t.Errorf("%s: row %s: %s is %v, at the source %v", t.FullName(), k, name, value, want)
			}
		}
	}
	for k := range have {
		if truth[k] == nil && !more {
			w.t.Errorf("%s: row %s is gone at the source", t.FullName(), k)
		}
	}
}

// tableRows reads a whole table and fails on a key that is there twice.
func tableRows(t *testing.T, r *load.Reader, table *schema.Table) map[string]map[string]any {
	t.Helper()
	answer, err := r.Query(t.Context(), fmt.Sprintf(`SELECT * FROM %q.%q WHERE _deleted_at IS NULL`, table.Service, table.Name))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Close()
	rows := map[string]map[string]any{}
	for values, err := range answer.Rows() {
		if err != nil {
			t.Fatal(err)
		}
		row := map[string]any{}
		for i, c := range answer.Columns {
			row[c.Name] = values[i]
		}
		row["_division"] = textOf(row["_division"])
		k := keyOf(table, row["_division"].(string), func(name string) string { return textOf(row[name]) })
		if rows[k] != nil {
			t.Errorf("%s: row %s is there twice", table.FullName(), k)
		}
		rows[k] = row
	}
	return rows
}

// identified is the table of a variant; one without a key gets the documented one, which tells its
// rows apart as long as nobody reads again.
func identified(v *extract.Variant) *schema.Table {
	if len(v.Table.Key) > 0 {
		return v.Table
	}
	keyed := *v.Table
	keyed.Key = exactonline.EndpointOf(v).Identity
	return &keyed
}

func keyOf(t *schema.Table, division string, value func(string) string) string {
	parts := []string{division}
	for _, name := range t.Key {
		parts = append(parts, value(name))
	}
	return strings.Join(parts, "|")
}

func textOf(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case []byte:
		return base64.StdEncoding.EncodeToString(v)
	case time.Time:
		return v.Format("2006-01-02 15:04:05.999999")
	}
	return fmt.Sprint(v)
}

// keptExactly reports that a value which does not fit its column is in _extra as it came.
func keptExactly(row map[string]any, name string, want any) bool {
	raw, ok := row["_extra"].(json.RawMessage)
	var extra map[string]json.Number
	return ok && json.Unmarshal(raw, &extra) == nil && extra[name] != "" && sameValue(extra[name], want)
}

// sameValue compares what DuckDB holds with what the source says: numbers by value, since the
// source sends amounts with binary noise, and everything else to the letter.
func sameValue(have, want any) bool {
	if have == nil || want == nil {
		return have == nil && want == nil
	}
	if _, ok := want.(json.Number); ok {
		a, errA := strconv.ParseFloat(textOf(have), 64)
		b, errB := strconv.ParseFloat(textOf(want), 64)
		return errA == nil && errB == nil && math.Abs(a-b) < 1e-7
	}
	if b, ok := have.(bool); ok {
		return b == want || want == map[bool]int64{true: 1, false: 0}[b]
	}
	if b, ok := want.(bool); ok { // a column has one type, whichever of its endpoints calls it otherwise
		return textOf(have) == map[bool]string{true: "1", false: "0"}[b]
	}
	if at, ok := want.(time.Time); ok {
		got, err := time.Parse("2006-01-02 15:04:05.999999", strings.Replace(textOf(have), "T", " ", 1))
		return err == nil && got.Equal(at)
	}
	return textOf(have) == textOf(want)
}
