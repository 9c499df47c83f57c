package load

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"exactduck/extract/exactonline"
	"exactduck/load/spool"
	"exactduck/schema"
)

// filled are books that can put stored values into columns.
func filled(t *testing.T) *books {
	b := newBooks(t)
	b.convert = exactonline.Convert
	return b
}

// with is a table with other columns behind its own, or in the place of those of their name.
func with(t *schema.Table, columns ...schema.Column) *schema.Table {
	other := *t
	other.Columns = slices.Clone(t.Columns)
	for _, c := range columns {
		if at := other.Index(c.Name); at >= 0 {
			other.Columns[at].Type = c.Type
		} else {
			other.Columns = append(other.Columns, c)
		}
	}
	return &other
}

const shapes = "SELECT run_id, coalesce(column_name, ''), change, coalesce(detail, '') FROM _exactduck.schema_changes WHERE change <> 'table created' ORDER BY ALL"

// TestColumnIsFilledFromExtra gives unknown properties a column of every kind, by a read that brings
// nothing, and then reads it all again: what was filled equals what comes.
func TestColumnIsFilledFromExtra(t *testing.T) {
	b := filled(t)
	b.apply("r1",
		read{table: accounts, scope: "7", mode: spool.Replace, rows: [][]any{
			{1, id(1), "one", 1, `{"Shoe":43,"Hat":"a \"b\" é","Born":"/Date(1577836800123)/","Due":1.5e2}`},
			{2, id(2), "two", 1, `{"Shoe":"many","Hat":null,"shoe2":1}`},
			{3, id(3), "three", 1, `{"due":0.12345,"Other":{"Hat":"deep"}}`},
			{4, id(4), "four", 1},
		}},
		read{table: accounts, scope: "8", mode: spool.Replace, rows: [][]any{{1, id(5), "five", 1, `{"Shoe":1e3}`}}})
	wide := with(accounts, schema.Column{Name: "Shoe", Type: schema.Integer}, schema.Column{Name: "Hat", Type: schema.Varchar},
		schema.Column{Name: "Born", Type: schema.Timestamp}, schema.Column{Name: "Due", Type: schema.Decimal})
	b.tick()
	applied := b.apply("r2", read{table: wide, scope: "7", mode: spool.Merge})
	want := []string{
		`1|one|43|a "b" é|2020-01-01 00:00:00.123|150.0000|-|r1`,
		`2|two|-|-|-|-|{"Shoe":"many","shoe2":1}|r1`,
		`3|three|-|-|-|0.1234|{"due":0.12345,"Other":{"Hat":"deep"}}|r1`,
		"4|four|-|-|-|-|-|r1", "5|five|1000|-|-|-|-|r1",
	}
	const rows = "SELECT right(ID::VARCHAR, 1), Name, Shoe, Hat, Born, Due, _extra, _run_id FROM crm.Accounts ORDER BY ALL"
	b.expect("filled", rows, want...)
	b.expect("changes", shapes,
		"r2|Born|column added|TIMESTAMP, with 1 values from _extra", "r2|Due|column added|DECIMAL(18,4), with 1 values from _extra",
		"r2|Due|misfit|", "r2|Hat|column added|VARCHAR, with 1 values from _extra", "r2|Shoe|column added|INTEGER, with 2 values from _extra", "r2|Shoe|misfit|")
	if len(applied[0].News) != 6 {
		t.Errorf("news are %v", applied[0].News)
	}
	b.tick()
	b.expectResult(b.apply("r3", read{table: wide, scope: "7", mode: spool.Replace, rows: [][]any{
		{1, id(1), "one", 1, 43, `a "b" é`, 1_577_836_800_123_000, 1_500_000},
		{2, id(2), "two", 1, nil, nil, nil, nil, `{"Shoe":"many","shoe2":1}`},
		{3, id(3), "three", 1, nil, nil, nil, 1234, `{"due":0.12345,"Other":{"Hat":"deep"}}`},
		{4, id(4), "four", 1, nil, nil, nil, nil},
	}}), "read 4 inserted 0 updated 0 deleted 0 missed 0")
	b.expect("read again", rows, want...)
}

func TestColumnTakesAnotherType(t *testing.T) {
	b := filled(t)
	b.apply("r1", read{table: accounts, scope: "7", mode: spool.Replace, rows: [][]any{
		{1, id(1), "12", 15_000, `{"Amount":1.50001}`}, {2, id(2), "Q", 20_000}, {3, id(3), nil, nil, `{"Amount":"n/a"}`},
	}})
	other := with(accounts, schema.Column{Name: "Amount", Type: schema.Double}, schema.Column{Name: "Name", Type: schema.Integer})
	b.tick()
	b.apply("r2", read{table: other, scope: "8", mode: spool.Replace, rows: [][]any{{1, id(4), 4, 0.1}}})
	b.expect("retyped", "SELECT right(ID::VARCHAR, 1), Name, Amount, _extra, _run_id, typeof(Amount), typeof(Name) FROM crm.Accounts ORDER BY ALL",
		"1|12|1.50001|-|r1|DOUBLE|INTEGER", `2|-|2.0|{"Name":"Q"}|r1|DOUBLE|INTEGER`, `3|-|-|{"Amount":"n/a"}|r1|DOUBLE|INTEGER`, "4|4|0.1|-|r2|DOUBLE|INTEGER")
	b.expect("changes", shapes,
		"r2|Amount|column retyped|from DECIMAL(18,4) to DOUBLE, with 1 values from _extra", "r2|Amount|misfit|",
		"r2|Name|column retyped|from VARCHAR to INTEGER", "r2|Name|misfit|")
	b.tick()
	b.apply("r3", read{table: accounts, scope: "8", mode: spool.Replace, rows: [][]any{{1, id(4), "4", 1000}}})
	b.expect("and back", "SELECT right(ID::VARCHAR, 1), Name, Amount, _extra, _run_id FROM crm.Accounts ORDER BY ALL",
		`1|12|1.5000|{"Amount":1.50001}|r1`, "2|Q|2.0000|-|r1", `3|-|-|{"Amount":"n/a"}|r1`, "4|4|0.1000|-|r2")

	b.tick()
	broken := with(accounts, schema.Column{Name: "ID", Type: schema.Integer})
	_, err := b.Apply(t.Context(), b.batch("r4", read{table: broken, scope: "7", mode: spool.Replace, rows: [][]any{{3, 1, "", 1}}}))
	if change, ok := errors.AsType[*TypeChange](err); !ok || change.Column != "ID" {
		t.Errorf("keys that do not fit: %v", err)
	}
	b.expect("nothing happened", "SELECT count(*), max(_run_id) FROM crm.Accounts", "4|r2")
}

// TestEveryTypeBecomesEveryOther goes through all pairs: a value fits and means the same, or its text
// is kept, and back again nothing is lost.
func TestEveryTypeBecomesEveryOther(t *testing.T) {
	kinds := []schema.Type{
		schema.Boolean, schema.UTinyInt, schema.SmallInt, schema.Integer, schema.BigInt, schema.Double, schema.Decimal,
		schema.Timestamp, schema.TimestampTZ, schema.UUID, schema.Varchar, schema.Blob, schema.JSON,
	}
	values := map[schema.Type][]any{
		schema.Boolean: {0, 1}, schema.UTinyInt: {0, 255}, schema.SmallInt: {-32768, 7}, schema.Integer: {-1 << 31, 12},
		schema.BigInt: {-1 << 53, 1 << 53}, schema.Double: {1e-5, -2.5e300}, // a DOUBLE holds no more digits
		schema.Decimal:   {-999_999_999_999_999, 12_345},
		schema.Timestamp: {-6_847_804_800_000_000, 253_402_300_799_999_999}, schema.TimestampTZ: {-6_847_804_800_000_000, 1_706_659_200_123_456}, schema.UUID: {id(1), [16]byte{}},
		schema.Varchar: {"", "a\"\\\n é"}, schema.Blob: {"\xff\x00", "b"}, schema.JSON: {`{"a" :[1.0]}`, `1.50`},
	}
	for _, from := range kinds {
		t.Run(from.String(), func(t *testing.T) {
			b := filled(t)
			key := schema.Column{Name: "K", Type: schema.Integer}
			table := &schema.Table{Service: "odd", Name: "t", Scope: division, Key: []string{"K"}, Columns: []schema.Column{key}}
			before, after := []any{0}, []any{1}
			for _, to := range kinds {
				table.Columns = append(table.Columns, schema.Column{Name: fmt.Sprintf("C%d", to), Type: from})
				before, after = append(before, values[from][0]), append(after, values[from][1])
			}
			b.apply("r1", read{table: table, scope: "7", mode: spool.Replace, rows: [][]any{before, after}})
			const all = "SELECT COLUMNS('C.*')::VARCHAR FROM odd.t ORDER BY K"
			stored := b.query(all)
			other := *table
			other.Columns = []schema.Column{key}
			for _, to := range kinds {
				other.Columns = append(other.Columns, schema.Column{Name: fmt.Sprintf("C%d", to), Type: to})
			}
			b.apply("r2", read{table: &other, scope: "7", mode: spool.Merge})
			for _, to := range kinds {
				name := fmt.Sprintf("C%d", to)
				b.expect(to.String(), fmt.Sprintf("SELECT count(*) FROM odd.t WHERE %s IS NULL AND json_extract(_extra, '%s') IS NULL", name, name), "0")
				b.expect(to.String(), "SELECT DISTINCT replace(typeof("+name+"), 'TIMESTAMP WITH TIME ZONE', 'TIMESTAMPTZ') FROM odd.t", to.String())
			}
			b.apply("r3", read{table: table, scope: "7", mode: spool.Merge})
			if from == schema.JSON { // 1.50 is a number to a DOUBLE, and written shorter
				return
			}
			b.expect("back again", all, stored...)
			b.expect("left in _extra", "SELECT count(*) FROM odd.t WHERE _extra IS NOT NULL", "0")
		})
	}
}

func TestContract(t *testing.T) {
	b := filled(t)
	contract := &Contract{Columns: map[string]schema.Type{}}
	for _, c := range accounts.Columns {
		contract.Columns[c.Name] = c.Type
	}
	frozen := func(run string, r read) error {
		batch := b.batch(run, r)
		batch.Contract = contract
		_, err := b.Apply(t.Context(), batch)
		return err
	}
	rows := [][]any{{1, id(1), "one", 1}}
	if err := frozen("r1", read{table: accounts, scope: "7", mode: spool.Replace, rows: rows}); err != nil {
		t.Fatal(err)
	}
	for want, r := range map[string]read{
		"crm.Accounts: the contract is broken: new property Shoe (INTEGER)": {
			table: with(accounts, schema.Column{Name: "Shoe", Type: schema.Integer}), rows: [][]any{{2, id(1), "two", 1, 43}},
		},
		"crm.Accounts: the contract is broken: retyped property Amount (DECIMAL(18,4) to DOUBLE)": {
			table: with(accounts, schema.Column{Name: "Amount", Type: schema.Double}), rows: [][]any{{2, id(1), "two", 1.0}},
		},
		"crm.Accounts: the contract is broken: misfit Amount (a value does not fit DECIMAL(18,4)), new property Hat": {
			table: accounts, rows: [][]any{{2, id(1), "two", nil, `{"Hat":1,"Amount":"x"}`}},
			tell: func(p *schema.Page) { p.Unknown, p.Misfits = []string{"Hat"}, []string{"Amount"} },
		},
	} {
		r.scope, r.mode = "7", spool.Merge
		err := frozen("r2", r)
		bad, ok := errors.AsType[*Broken](err)
		if !ok || bad.Error() != want {
			t.Errorf("got %v, want %s", err, want)
			continue
		}
		if err := b.Break(t.Context(), "crm/Accounts", bad.Breaches); err != nil {
			t.Fatal(err)
		}
	}
	b.expect("nothing was applied", names, "0001|1|one")
	b.expect("no shape changed", shapes)
	all, err := b.Agreements(t.Context())
	if n := all["crm/Accounts"]; err != nil || len(n.Broken) != 4 || n.BrokenAt.IsZero() {
		t.Errorf("agreement %+v, %v", n, err)
	}
	next := contract.Accept(all["crm/Accounts"].Broken, contract.Columns)
	if err := b.Agree(t.Context(), "crm/Accounts", next); err != nil {
		t.Fatal(err)
	}
	all, err = b.Agreements(t.Context())
	if n := all["crm/Accounts"]; err != nil || n.Broken != nil || strings.Join(n.Contract.Unknown, " ") != "Hat Shoe" || strings.Join(n.Contract.Misfits, " ") != "Amount" {
		t.Errorf("agreement %+v, %v", n, err)
	}
	*contract = next
	err = frozen("r3", read{
		table: accounts, scope: "7", mode: spool.Merge, rows: [][]any{{2, id(1), "two", nil, `{"Hat":1,"Amount":"x"}`}},
		tell: func(p *schema.Page) { p.Unknown, p.Misfits = []string{"Hat"}, []string{"Amount"} },
	})
	if err != nil {
		t.Error(err)
	}
	b.expect("what was accepted", names, "0001|2|two")
}

// TestManyValuesAreFilled goes through more rows than are converted at once.
func TestManyValuesAreFilled(t *testing.T) {
	b := filled(t)
	random := rand.New(rand.NewPCG(5, 7))
	var rows [][]any
	sum := int64(0)
	for i := range atOnce*2 + 17 {
		cents := random.Int64N(1_000_000) - 500_000
		sum += cents
		rows = append(rows, []any{i, id(i), "n", nil, fmt.Sprintf(`{"Cents":%d.%02d,"Keep":%d}`, cents/100, max(cents%100, -cents%100), i)})
		if cents < 0 && cents > -100 {
			rows[i][4] = fmt.Sprintf(`{"Cents":-0.%02d,"Keep":%d}`, -cents, i)
		}
	}
	b.apply("r1", read{table: accounts, scope: "7", mode: spool.Replace, rows: rows, size: 1000})
	b.apply("r2", read{table: with(accounts, schema.Column{Name: "Cents", Type: schema.Decimal}), scope: "7", mode: spool.Merge})
	b.expect("sum", "SELECT (sum(Cents) * 100)::BIGINT, count(Cents), count(*) FILTER (_extra::VARCHAR = '{\"Keep\":' || Timestamp || '}') FROM crm.Accounts",
		fmt.Sprintf("%d|%d|%d", sum, len(rows), len(rows)))
}
