package spool

import (
	"encoding/binary"
	"math"
	"slices"

	"exactduck/schema"
)

// appendVector writes the length of what follows, a bitmap of the rows that have a value, and the
// values of all rows in the width that the type needs.
func appendVector(to []byte, v *schema.Vector) []byte {
	begin := len(to)
	to = slices.Grow(to, 4+len(v.Valid)/8+1+len(v.Valid)*width(v.Type)+len(v.Text))
	to = append(to, 0, 0, 0, 0)
	to = appendBits(to, v.Valid)
	switch v.Type {
	case schema.Boolean, schema.UTinyInt:
		for _, n := range v.Ints {
			to = append(to, byte(n))
		}
	case schema.SmallInt:
		for _, n := range v.Ints {
			to = binary.LittleEndian.AppendUint16(to, uint16(n))
		}
	case schema.Integer:
		for _, n := range v.Ints {
			to = binary.LittleEndian.AppendUint32(to, uint32(n))
		}
	case schema.Double:
		for _, f := range v.Floats {
			to = binary.LittleEndian.AppendUint64(to, math.Float64bits(f))
		}
	case schema.UUID:
		for i := range v.UUIDs {
			to = append(to, v.UUIDs[i][:]...)
		}
	case schema.Varchar, schema.Blob, schema.JSON:
		for _, end := range v.Ends {
			to = binary.LittleEndian.AppendUint32(to, end)
		}
		to = append(to, v.Text...)
	default:
		for _, n := range v.Ints {
			to = binary.LittleEndian.AppendUint64(to, uint64(n))
		}
	}
	binary.LittleEndian.PutUint32(to[begin:], uint32(len(to)-begin-4))
	return to
}

func appendBits(to []byte, set []bool) []byte {
	for i := 0; i < len(set); i += 8 {
		var bits byte
		for j, ok := range set[i:min(i+8, len(set))] {
			if ok {
				bits |= 1 << j
			}
		}
		to = append(to, bits)
	}
	return to
}

func decodeBits[S ~[]byte | ~string](from S, into []bool) {
	for i := range into {
		into[i] = from[i/8]>>(i%8)&1 == 1
	}
}

// width is how many bytes a value takes; for text it is the place where the value ends.
func width(t schema.Type) int {
	switch t {
	case schema.Boolean, schema.UTinyInt:
		return 1
	case schema.SmallInt:
		return 2
	case schema.Integer, schema.Varchar, schema.Blob, schema.JSON:
		return 4
	case schema.UUID:
		return 16
	}
	return 8
}

// decodeVector reads what appendVector wrote and says whether it added up.
func decodeVector(from []byte, v *schema.Vector, rows int) bool {
	bitmap := (rows + 7) / 8
	if len(from) < bitmap+rows*width(v.Type) {
		return false
	}
	v.Valid = sized(v.Valid, rows)
	decodeBits(from, v.Valid)
	values, rest := from[bitmap:bitmap+rows*width(v.Type)], from[bitmap+rows*width(v.Type):]
	switch v.Type {
	case schema.Varchar, schema.Blob, schema.JSON:
		return decodeText(values, rest, v, rows)
	case schema.Double:
		v.Floats = sized(v.Floats, rows)
		for i := range v.Floats {
			v.Floats[i] = math.Float64frombits(binary.LittleEndian.Uint64(values[8*i:]))
		}
	case schema.UUID:
		v.UUIDs = sized(v.UUIDs, rows)
		for i := range v.UUIDs {
			v.UUIDs[i] = [16]byte(values[16*i:])
		}
	default:
		v.Ints = sized(v.Ints, rows)
		decodeInts(values, v.Type, v.Ints)
	}
	return len(rest) == 0
}

func decodeInts(values []byte, t schema.Type, into []int64) {
	switch width(t) {
	case 1:
		for i := range into {
			into[i] = int64(values[i])
		}
	case 2:
		for i := range into {
			into[i] = int64(int16(binary.LittleEndian.Uint16(values[2*i:])))
		}
	case 4:
		for i := range into {
			into[i] = int64(int32(binary.LittleEndian.Uint32(values[4*i:])))
		}
	default:
		for i := range into {
			into[i] = int64(binary.LittleEndian.Uint64(values[8*i:]))
		}
	}
}

func decodeText(ends, text []byte, v *schema.Vector, rows int) bool {
	v.Ends = sized(v.Ends, rows)
	last := uint32(0)
	for i := range v.Ends {
		end := binary.LittleEndian.Uint32(ends[4*i:])
		if end < last {
			return false
		}
		v.Ends[i], last = end, end
	}
	v.Text = append(v.Text[:0], text...)
	return int(last) == len(text)
}

// sized is s with n elements, in its own memory where that is large enough.
func sized[E any](s []E, n int) []E {
	return slices.Grow(s[:0], n)[:n]
}
