package mask_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"exactduck/extract/mask"
	"exactduck/schema"
)

func table(columns ...schema.Column) *schema.Table {
	return &schema.Table{Service: "crm", Name: "Accounts", Scope: schema.Column{Name: "_division", Type: schema.Integer}, Columns: columns}
}

func masked(t *testing.T, rules mask.Rules, key string, p *schema.Page) *schema.Page {
	t.Helper()
	m, err := mask.New(rules, []byte(key))
	if err != nil {
		t.Fatal(err)
	}
	page, err := m.Page(p)
	if err != nil {
		t.Fatal(err)
	}
	return page
}

// texts are the values of a text column; NULL for NULL.
func texts(v schema.Vector) (all []string) {
	for i, valid := range v.Valid {
		if !valid {
			all = append(all, "NULL")
			continue
		}
		all = append(all, string(v.At(i)))
	}
	return all
}

func TestAHashIsTheOneThatEveryLanguageComputes(t *testing.T) {
	p := schema.NewPage(table(schema.Column{Name: "Words", Type: schema.Varchar}), "1", 3)
	p.Columns[0].AppendText([]byte("what do ya want for nothing?")) // RFC 4231, test case 2
	p.Columns[0].AppendNull()
	p.Columns[0].AppendText(nil)
	p.Rows = 3
	for range 3 {
		p.Extra.AppendNull()
	}
	got := masked(t, mask.Rules{"WORDS": mask.Hash}, "Jefe", p)
	want := []string{"5bdcc146bf60754e6a042426089575c7", "NULL", "923598ca6d64af2a5dba79dcd021a8a0"}
	if diff := cmp.Diff(want, texts(got.Columns[0])); diff != "" {
		t.Error(diff)
	}
	if string(p.Columns[0].At(0)) != "what do ya want for nothing?" {
		t.Error("the page that was handed over has changed")
	}
}

// Values of any type are hashed as the text that DuckDB makes of them.
func TestCanonicalText(t *testing.T) {
	types := []schema.Type{
		schema.Boolean, schema.UTinyInt, schema.BigInt, schema.Double, schema.Double, schema.Decimal, schema.Decimal,
		schema.Timestamp, schema.Timestamp, schema.UUID, schema.Blob, schema.TimestampTZ,
	}
	texts := []string{
		"true", "7", "-9", "0.1", "100000000000000000000000", "-0.0500", "12.5000", "2024-01-31 00:00:00", "1969-12-31 23:59:59.123",
		"0000000a-0000-0000-0000-000000000000", "\xff\x00", "2024-01-31 00:00:00.5+00",
	}
	columns := make([]schema.Column, 2*len(types))
	rules := mask.Rules{}
	for i := range columns {
		columns[i] = schema.Column{Name: "c" + string(rune('a'+i)), Type: schema.Varchar}
		if i < len(types) {
			columns[i].Type = types[i]
		}
		rules[columns[i].Name] = mask.Hash
	}
	p := schema.NewPage(table(columns...), "1", 1)
	p.Rows = 1
	p.Extra.AppendNull()
	for i, n := range map[int]int64{0: 1, 1: 7, 2: -9, 5: -500, 6: 125_000, 7: 1_706_659_200_000_000, 8: -877_000, 11: 1_706_659_200_500_000} {
		p.Columns[i].AppendInt(n)
	}
	p.Columns[3].AppendFloat(0.1)
	p.Columns[4].AppendFloat(1e23)
	p.Columns[9].AppendUUID([16]byte{3: 10})
	p.Columns[10].AppendText([]byte("\xff\x00"))
	for i, text := range texts { // the same as a text, but for what is none
		v := &p.Columns[len(types)+i]
		v.Valid, v.Text = []bool{true}, []byte(text)
		v.Ends = []uint32{uint32(len(text))}
	}
	got := masked(t, rules, "key", p)
	for i := range types {
		a, b := got.Columns[i], got.Columns[len(types)+i]
		if a.Type != schema.Varchar || string(a.At(0)) != string(b.At(0)) {
			t.Errorf("%s: the text is not %q", types[i], texts[i])
		}
	}
}

func TestWhatHasNoColumnIsMaskedToo(t *testing.T) {
	p := schema.NewPage(table(schema.Column{Name: "Name", Type: schema.Varchar}, schema.Column{Name: "Phone", Type: schema.Varchar}), "1", 4)
	for _, extra := range []string{
		`{"EMAIL":"what do ya want for nothing?","Rank":1.50,"phone":"06"}`, `{"Phone":"06"}`, "", `{"Email":null,"Nested":[ {"email":"what do ya want for nothing?"}, {"PHONE": 6, "Rank": {"phone":[]} }], "As it came": {"a" : 1.0} }`,
	} {
		p.Columns[0].AppendText([]byte("a"))
		p.Columns[1].AppendText([]byte("b"))
		if extra == "" {
			p.Extra.AppendNull()
		} else {
			p.Extra.AppendText([]byte(extra))
		}
	}
	p.Rows, p.Unknown = 4, []string{"EMAIL"}
	got := masked(t, mask.Rules{"Email": mask.Hash, "Phone": mask.Drop}, "Jefe", p)
	want := []string{
		`{"EMAIL":"5bdcc146bf60754e6a042426089575c7","Rank":1.50}`, "NULL", "NULL",
		`{"Email":null,"Nested":[{"email":"5bdcc146bf60754e6a042426089575c7"},{"Rank":{}}],"As it came":{"a" : 1.0}}`,
	}
	if diff := cmp.Diff(want, texts(got.Extra)); diff != "" {
		t.Error(diff)
	}
	if len(got.Columns) != 1 || len(got.Table.Columns) != 1 || got.Table.Columns[0].Name != "Name" || got.Unknown[0] != "EMAIL" {
		t.Errorf("left are %v and %v", got.Table.Columns, got.Unknown)
	}
}

func TestAPageThatCannotBeMaskedIsNotQuoted(t *testing.T) {
	p := schema.NewPage(table(), "1", 1)
	p.Rows = 1
	p.Extra.AppendText([]byte(`["canary"]`))
	m, err := mask.New(mask.Rules{"Email": mask.Drop}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = m.Page(p); err == nil || strings.Contains(err.Error(), "canary") {
		t.Errorf("the error is %v", err)
	}
}

func TestRulesThatCannotBeKept(t *testing.T) {
	for _, rules := range []mask.Rules{{"Email": "hide"}, {"Email": mask.Hash}} {
		if _, err := mask.New(rules, nil); err == nil {
			t.Errorf("%v was taken", rules)
		}
	}
	if mask.Check([]byte("a")) == mask.Check([]byte("b")) {
		t.Error("two keys look the same")
	}
}
