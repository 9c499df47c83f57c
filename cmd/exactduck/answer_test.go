package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"exactduck/load"
)

// mixedAnswer has a value of every kind, and those that formats stumble over.
func mixedAnswer() *answer {
	return &answer{
		Columns: []load.AnswerColumn{
			{Name: "n", Type: "INTEGER"},
			{Name: "t", Type: "VARCHAR"},
			{Name: "d", Type: "DECIMAL(18,4)"},
			{Name: "b", Type: "BLOB"},
			{Name: "ok", Type: "BOOLEAN"},
			{Name: "l", Type: "BLOB[]"},
			{Name: "j", Type: "JSON"},
			{Name: "t", Type: "VARCHAR"},
		},
		Rows: [][]any{
			{json.Number("1"), "a,\"b\"\r\nc\n", json.Number("12345678901234.5600"), []byte{0, 0xAB}, true, []any{[]byte{1}, nil}, json.RawMessage(`{"k":1.50}`), "<é>"},
			{nil, nil, nil, nil, nil, nil, nil, ""},
		},
	}
}

func TestAnswerAsCSV(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	a := mixedAnswer()
	w := newCSV(&out)
	if err := errors.Join(w.header(a.Columns), w.row(a.Rows[0]), w.row(a.Rows[1]), w.flush()); err != nil {
		t.Fatal(err)
	}
	want := "n,t,d,b,ok,l,j,t\r\n" +
		"1,\"a,\"\"b\"\"\r\nc\n\",12345678901234.5600,00AB,true,\"[\"\"01\"\",null]\",\"{\"\"k\"\":1.50}\",<é>\r\n" +
		",,,,,,,\"\"\r\n"
	if d := cmp.Diff(want, out.String()); d != "" {
		t.Error(d)
	}
	read, err := csv.NewReader(&out).ReadAll()
	if err != nil || len(read) != 3 || read[1][5] != `["01",null]` {
		t.Errorf("another reader finds %q, %v", read, err)
	}
}

func TestAnswerAsJSON(t *testing.T) {
	t.Parallel()
	got, err := json.Marshal(mixedAnswer())
	if err != nil {
		t.Fatal(err)
	}
	want := `{"columns":[{"name":"n","type":"INTEGER"},{"name":"t","type":"VARCHAR"},{"name":"d","type":"DECIMAL(18,4)"},` +
		`{"name":"b","type":"BLOB"},{"name":"ok","type":"BOOLEAN"},{"name":"l","type":"BLOB[]"},{"name":"j","type":"JSON"},` +
		`{"name":"t_2","type":"VARCHAR"}],"rows":[` +
		`{"n":1,"t":"a,\"b\"\r\nc\n","d":12345678901234.5600,"b":"00AB","ok":true,"l":["01",null],"j":{"k":1.50},"t_2":"\u003cé\u003e"},` +
		`{"n":null,"t":null,"d":null,"b":null,"ok":null,"l":null,"j":null,"t_2":""}]}`
	if d := cmp.Diff(want, string(got)); d != "" {
		t.Error(d)
	}
	if got, err := json.Marshal(&answer{}); err != nil || string(got) != `{"columns":[],"rows":[]}` {
		t.Errorf("nothing is %s, %v", got, err)
	}
}

func TestDistinctNames(t *testing.T) {
	t.Parallel()
	var columns []load.AnswerColumn
	for name := range strings.FieldsSeq("N N N_2 N A") {
		columns = append(columns, load.AnswerColumn{Name: name})
	}
	if d := cmp.Diff(strings.Fields("N N_3 N_2 N_4 A"), distinct(columns)); d != "" {
		t.Error(d)
	}
}

func TestAnswerAsTable(t *testing.T) {
	t.Parallel()
	a := &answer{
		Columns: []load.AnswerColumn{{Name: "amount", Type: "DECIMAL(9,2)"}, {Name: "n", Type: "HUGEINT"}, {Name: "text", Type: "VARCHAR"}},
		Rows: [][]any{
			{json.Number("1.50"), nil, "x\x1b[31m\ny\u202e"},
			{json.Number("-1234.00"), json.Number("12"), strings.Repeat("é", 300)},
		},
	}
	var out bytes.Buffer
	a.print(&out, false)
	long := strings.Repeat("é", 300)
	want := "   amount     n  text" + strings.Repeat(" ", 297) + "\n" + strings.Repeat("─", 318) + "\n" +
		`     1.50  NULL  x\x1b[31m\ny\u202e` + strings.Repeat(" ", 300-18) + " \n" +
		" -1234.00    12  " + long + " \n"
	if d := cmp.Diff(want, out.String()); d != "" {
		t.Error(d)
	}
}

// What a terminal shows of a value has an end; nothing else cuts.
func TestCellsAreCutOnlyWhereAskedFor(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", widest+1)
	if got := cell(long, true); got != strings.Repeat("é", widest-1)+"…" {
		t.Errorf("cut: %q", got)
	}
	if got := cell(long, false); got != long {
		t.Errorf("not cut: %q", got)
	}
	if got := cell(long[:2*widest], true); got != long[:2*widest] {
		t.Errorf("just short enough: %q", got)
	}
}
