package schema

import (
	"math"
	"unicode/utf8"
)

// Vector is one column of a page. Exactly one of the value fields is in use, as its [Type] says,
// and holds a zero for a row that is NULL. The Append methods refuse, by returning false and
// adding nothing, what the type cannot hold: DuckDB itself would wrap or cut it without a word.
type Vector struct {
	Type   Type
	Valid  []bool // false: NULL
	Ints   []int64
	Floats []float64
	UUIDs  [][16]byte
	Ends   []uint32 // where the text of each row ends in Text; it begins where the one before ended
	Text   []byte
}

// NewVector returns an empty vector with room for rows values.
func NewVector(t Type, rows int) Vector {
	v := Vector{Type: t, Valid: make([]bool, 0, rows)}
	switch t {
	case Double:
		v.Floats = make([]float64, 0, rows)
	case UUID:
		v.UUIDs = make([][16]byte, 0, rows)
	case Varchar, Blob, JSON:
		v.Ends = make([]uint32, 0, rows)
	default:
		v.Ints = make([]int64, 0, rows)
	}
	return v
}

// Len is the number of rows.
func (v *Vector) Len() int { return len(v.Valid) }

// AppendNull adds a row without a value.
func (v *Vector) AppendNull() {
	v.Valid = append(v.Valid, false)
	switch v.Type {
	case Double:
		v.Floats = append(v.Floats, 0)
	case UUID:
		v.UUIDs = append(v.UUIDs, [16]byte{})
	case Varchar, Blob, JSON:
		v.Ends = append(v.Ends, uint32(len(v.Text)))
	default:
		v.Ints = append(v.Ints, 0)
	}
}

// AppendInt adds a value to a vector of one of the types that live in Ints; for [Decimal] it is
// the amount times 10⁴, for [Timestamp] and [TimestampTZ] microseconds.
func (v *Vector) AppendInt(n int64) bool {
	if l := limits[v.Type]; n < l[0] || n > l[1] {
		return false
	}
	v.Valid, v.Ints = append(v.Valid, true), append(v.Ints, n)
	return true
}

// AppendFloat adds a value to a [Double] vector; NaN and infinity are refused.
func (v *Vector) AppendFloat(f float64) bool {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return false
	}
	v.Valid, v.Floats = append(v.Valid, true), append(v.Floats, f)
	return true
}

// AppendUUID adds a value to a [UUID] vector.
func (v *Vector) AppendUUID(id [16]byte) {
	v.Valid, v.UUIDs = append(v.Valid, true), append(v.UUIDs, id)
}

// AppendText adds a value to a [Varchar], [Blob] or [JSON] vector. Text that is not valid UTF-8 is
// refused unless the type is [Blob], and so is what would make the vector larger than 4 GiB.
func (v *Vector) AppendText(text []byte) bool {
	if v.Type != Blob && !utf8.Valid(text) || len(v.Text)+len(text) > math.MaxUint32 {
		return false
	}
	v.Text = append(v.Text, text...)
	v.Valid, v.Ends = append(v.Valid, true), append(v.Ends, uint32(len(v.Text)))
	return true
}

// Cut shortens the vector to its first rows.
func (v *Vector) Cut(rows int) {
	v.Valid = v.Valid[:rows]
	switch v.Type {
	case Double:
		v.Floats = v.Floats[:rows]
	case UUID:
		v.UUIDs = v.UUIDs[:rows]
	case Varchar, Blob, JSON:
		v.Ends = v.Ends[:rows]
		v.Text = v.Text[:0]
		if rows > 0 {
			v.Text = v.Text[:v.Ends[rows-1]]
		}
	default:
		v.Ints = v.Ints[:rows]
	}
}

// At returns the bytes of row i of a text vector; they stay valid as long as the vector does.
func (v *Vector) At(i int) []byte {
	begin := uint32(0)
	if i > 0 {
		begin = v.Ends[i-1]
	}
	return v.Text[begin:v.Ends[i]]
}
