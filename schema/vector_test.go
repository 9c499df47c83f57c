package schema

import (
	"math"
	"testing"
)

// DuckDB wraps or cuts what is out of range without a word, so the vectors must refuse it.
func TestVectorRefusesWhatItsTypeCannotHold(t *testing.T) {
	for _, tc := range []struct {
		typ       Type
		low, high int64
	}{
		{Boolean, 0, 1},
		{UTinyInt, 0, 255},
		{SmallInt, math.MinInt16, math.MaxInt16},
		{Integer, math.MinInt32, math.MaxInt32},
		{Decimal, -999_999_999_999_999_999, 999_999_999_999_999_999},
	} {
		v := NewVector(tc.typ, 2)
		if !v.AppendInt(tc.low) || !v.AppendInt(tc.high) {
			t.Errorf("%v: its own bounds are refused", tc.typ)
		}
		if v.AppendInt(tc.low-1) || v.AppendInt(tc.high+1) {
			t.Errorf("%v: a value beyond its bounds is taken", tc.typ)
		}
		if v.Len() != 2 || len(v.Ints) != 2 {
			t.Errorf("%v: %d rows and %d values after two were taken", tc.typ, v.Len(), len(v.Ints))
		}
	}
	big := NewVector(BigInt, 2)
	if !big.AppendInt(math.MinInt64) || !big.AppendInt(math.MaxInt64) {
		t.Error("BIGINT: its own bounds are refused")
	}
	d := NewVector(Double, 1)
	if d.AppendFloat(math.NaN()) || d.AppendFloat(math.Inf(-1)) || !d.AppendFloat(-0.01) || d.Len() != 1 {
		t.Error("DOUBLE: takes what is no number, or refuses one")
	}
}

func TestVectorText(t *testing.T) {
	v := NewVector(Varchar, 4)
	for _, s := range []string{"één", "", "FR "} {
		if !v.AppendText([]byte(s)) {
			t.Fatalf("%q is refused", s)
		}
	}
	v.AppendNull()
	if v.AppendText([]byte{0xff, 'a'}) {
		t.Error("VARCHAR takes invalid UTF-8, which DuckDB would turn into NULL")
	}
	for i, want := range []string{"één", "", "FR ", ""} {
		if got := string(v.At(i)); got != want {
			t.Errorf("row %d is %q, want %q", i, got, want)
		}
	}
	if v.Valid[1] != true || v.Valid[3] != false {
		t.Error("an empty text and NULL are not told apart")
	}
	b := NewVector(Blob, 1)
	if !b.AppendText([]byte{0xff}) {
		t.Error("BLOB refuses bytes")
	}
}

func TestTypeText(t *testing.T) {
	for typ := Boolean; typ <= JSON; typ++ {
		text, err := typ.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		var back Type
		if err := back.UnmarshalText(text); err != nil || back != typ {
			t.Errorf("%s comes back as %v, %v", text, back, err)
		}
	}
	if _, err := Type(0).MarshalText(); err == nil {
		t.Error("no type is written as one")
	}
	if _, err := ParseType("HUGEINT"); err == nil {
		t.Error("a type we do not have is read")
	}
}

func TestSelectKeepsKeyAndVersion(t *testing.T) {
	table := &Table{Service: "crm", Name: "Accounts", Key: []string{"ID"}, Version: "Timestamp", Columns: []Column{
		{Name: "Timestamp", Type: BigInt}, {Name: "ID", Type: UUID}, {Name: "Name", Type: Varchar}, {Name: "Email", Type: Varchar},
	}}
	got := table.Select(func(name string) bool { return name == "Name" })
	if len(got.Columns) != 3 || got.Index("email") >= 0 || got.Index("NAME") != 2 {
		t.Errorf("columns are %v", got.Columns)
	}
	if keys := table.Keys(); len(keys.Columns) != 2 || len(table.Columns) != 4 {
		t.Errorf("keys are %v, and the table itself has now %d columns", keys.Columns, len(table.Columns))
	}
}
