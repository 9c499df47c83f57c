package schema

import "fmt"

// Type is how a column is stored. The zero value is no type.
type Type uint8

// The types of the warehouse, and the field of a [Vector] that carries each.
const (
	Boolean     Type = iota + 1 // Ints: 0 or 1
	UTinyInt                    // Ints: 0 to 255
	SmallInt                    // Ints: 16 bits
	Integer                     // Ints: 32 bits
	BigInt                      // Ints: 64 bits
	Double                      // Floats, never NaN or infinite
	Decimal                     // Ints: the amount times 10⁴, at most 18 digits: DECIMAL(18,4)
	Timestamp                   // Ints: microseconds since 1970 of a wall clock without a zone
	TimestampTZ                 // Ints: microseconds since 1970 in UTC: an instant
	UUID                        // UUIDs
	Varchar                     // Text, valid UTF-8
	Blob                        // Text, any bytes
	JSON                        // Text, one JSON value
)

// DecimalScale is the number of digits that [Decimal] keeps behind the point.
const DecimalScale = 4

var typeNames = [...]string{
	Boolean: "BOOLEAN", UTinyInt: "UTINYINT", SmallInt: "SMALLINT", Integer: "INTEGER", BigInt: "BIGINT",
	Double: "DOUBLE", Decimal: "DECIMAL(18,4)", Timestamp: "TIMESTAMP", TimestampTZ: "TIMESTAMPTZ", UUID: "UUID",
	Varchar: "VARCHAR", Blob: "BLOB", JSON: "JSON",
}

// Dates tells whether values of the type are points in time.
func (t Type) Dates() bool { return t == Timestamp || t == TimestampTZ }

// String is the type as DuckDB writes it.
func (t Type) String() string {
	if t == 0 || int(t) >= len(typeNames) {
		return fmt.Sprintf("type(%d)", uint8(t))
	}
	return typeNames[t]
}

// MarshalText writes the type as DuckDB does, so that files outlive a reordering of the constants.
func (t Type) MarshalText() ([]byte, error) {
	if t == 0 || int(t) >= len(typeNames) {
		return nil, fmt.Errorf("no such column type: %d", uint8(t))
	}
	return []byte(typeNames[t]), nil
}

// UnmarshalText reads what MarshalText wrote.
func (t *Type) UnmarshalText(text []byte) error {
	found, err := ParseType(string(text))
	*t = found
	return err
}

// ParseType finds a type by DuckDB's name for it.
func ParseType(name string) (Type, error) {
	for i, n := range typeNames {
		if n != "" && n == name {
			return Type(i), nil
		}
	}
	return 0, fmt.Errorf("no such column type: %q", name)
}

// limits are the least and the greatest value of the types that live in Ints.
var limits = [...][2]int64{
	Boolean: {0, 1}, UTinyInt: {0, 255}, SmallInt: {-1 << 15, 1<<15 - 1}, Integer: {-1 << 31, 1<<31 - 1},
	BigInt: {-1 << 63, 1<<63 - 1}, Decimal: {-999_999_999_999_999_999, 999_999_999_999_999_999},
	// DuckDB's own bounds for TIMESTAMP are ± infinity at the ends of int64.
	Timestamp: {-1<<63 + 2, 1<<63 - 2}, TimestampTZ: {-1<<63 + 2, 1<<63 - 2},
}
