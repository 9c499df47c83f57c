package main

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/jedib0t/go-pretty/v6/table"
	pretty "github.com/jedib0t/go-pretty/v6/text"

	"exactduck/load"
)

// answer is what a query brought, with values as [load.Answer.Rows] makes them.
type answer struct {
	Columns []load.AnswerColumn
	Rows    [][]any
}

// widest is how much of a value a terminal shows.
const widest = 60

func (a *answer) add(row []any) error {
	a.Rows = append(a.Rows, row)
	return nil
}

// printAnswer writes what a query brings as a table.
func printAnswer(out io.Writer, rows *load.Answer) error {
	a := &answer{Columns: rows.Columns}
	for row, err := range rows.Rows() {
		if err != nil {
			return err
		}
		_ = a.add(row) // never fails
	}
	a.print(out, terminal(out))
	return nil
}

// print writes the answer as a table; long values can be cut, which only a terminal asks for.
func (a *answer) print(out io.Writer, cut bool) {
	header := make([]any, len(a.Columns))
	configs := make([]table.ColumnConfig, len(a.Columns))
	for i, c := range a.Columns {
		header[i] = printable(c.Name)
		align := pretty.AlignLeft
		if numeric(c.Type) {
			align = pretty.AlignRight
		}
		configs[i] = table.ColumnConfig{Number: i + 1, Align: align, AlignHeader: align}
	}
	t := newTable(out, header...)
	t.SetColumnConfigs(configs)
	for _, row := range a.Rows {
		cells := make([]any, len(row))
		for i, v := range row {
			cells[i] = cell(v, cut)
		}
		t.AppendRow(cells)
	}
	t.Render()
}

func numeric(typeName string) bool {
	return strings.HasSuffix(typeName, "INT") || strings.HasPrefix(typeName, "DECIMAL") ||
		slices.Contains([]string{"INTEGER", "UINTEGER", "FLOAT", "DOUBLE"}, typeName)
}

func cell(v any, cut bool) string {
	if v == nil {
		return "NULL"
	}
	s := printable(written(v))
	if runes := []rune(s); cut && len(runes) > widest {
		return string(runes[:widest-1]) + "…"
	}
	return s
}

// printable escapes what would steer a terminal or break a row.
func printable(s string) string {
	clean := func(r rune) bool { return unicode.IsControl(r) || unicode.In(r, unicode.Cf) }
	if !strings.ContainsFunc(s, clean) && utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if clean(r) {
			quoted := strconv.QuoteRuneToASCII(r)
			b.WriteString(quoted[1 : len(quoted)-1])
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// written is the text of a value that is not NULL.
func written(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case json.RawMessage:
		return string(v)
	case []byte:
		return hexed(v)
	case bool:
		return strconv.FormatBool(v)
	}
	encoded, err := encode(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(encoded)
}

// hexed writes bytes as DuckDB's hex() does.
func hexed(v []byte) string { return strings.ToUpper(hex.EncodeToString(v)) }

// encode writes a value as JSON, with letters as they are.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(deepHex(v)); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// deepHex writes the bytes within a value in hexadecimal.
func deepHex(v any) any {
	switch v := v.(type) {
	case []byte:
		return hexed(v)
	case []any:
		all := make([]any, len(v))
		for i, e := range v {
			all[i] = deepHex(e)
		}
		return all
	case map[string]any:
		all := make(map[string]any, len(v))
		for key, e := range v {
			all[key] = deepHex(e)
		}
		return all
	}
	return v
}

// MarshalJSON writes rows as objects, in the order of the columns.
func (a *answer) MarshalJSON() ([]byte, error) {
	type column struct {
		Name string `json:"name"`
		Type string `json:"type"`
	}
	columns := make([]column, len(a.Columns))
	keys := make([][]byte, len(a.Columns))
	for i, name := range distinct(a.Columns) {
		columns[i] = column{name, a.Columns[i].Type}
		key, err := encode(name)
		if err != nil {
			return nil, err
		}
		keys[i] = key
	}
	head, err := encode(columns)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"columns":%s,"rows":[`, head)
	for i, row := range a.Rows {
		if i > 0 {
			b.WriteByte(',')
		}
		if err := writeObject(&b, keys, row); err != nil {
			return nil, err
		}
	}
	b.WriteString("]}")
	return b.Bytes(), nil
}

func writeObject(b *bytes.Buffer, keys [][]byte, row []any) error {
	for i, v := range row {
		b.WriteByte("{,"[min(i, 1)])
		b.Write(keys[i])
		b.WriteByte(':')
		value, err := encode(v)
		if err != nil {
			return err
		}
		b.Write(value)
	}
	b.WriteByte('}')
	return nil
}

// distinct are the names of the columns, with a number behind those that were there before.
func distinct(columns []load.AnswerColumn) []string {
	names := make([]string, len(columns))
	taken := map[string]bool{}
	for _, c := range columns {
		taken[c.Name] = true
	}
	seen := map[string]bool{}
	for i, c := range columns {
		name := c.Name
		for n := 2; seen[name] || name != c.Name && taken[name]; n++ {
			name = fmt.Sprintf("%s_%d", c.Name, n)
		}
		seen[name], names[i] = true, name
	}
	return names
}

// csvWriter writes what RFC 4180 describes. encoding/csv cannot tell NULL from an empty text, and
// changes the line ends within values.
type csvWriter struct{ out *bufio.Writer }

func newCSV(out io.Writer) *csvWriter { return &csvWriter{bufio.NewWriter(out)} }

func (w *csvWriter) header(columns []load.AnswerColumn) error {
	names := make([]any, len(columns))
	for i, c := range columns {
		names[i] = c.Name
	}
	return w.row(names)
}

func (w *csvWriter) row(values []any) error {
	for i, v := range values {
		if i > 0 {
			w.out.WriteByte(',') //nolint:errcheck // the error stays, and the end of the row returns it
		}
		if v != nil {
			w.out.WriteString(quoted(written(v))) //nolint:errcheck // the error stays, and the end of the row returns it
		}
	}
	_, err := w.out.WriteString("\r\n")
	return err
}

func quoted(s string) string {
	if s != "" && !strings.ContainsAny(s, ",\"\r\n") {
		return s
	}
	return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
}

func (w *csvWriter) flush() error { return w.out.Flush() }
