package exactonline

import (
	"strings"

	"exactduck/schema"
)

// The types of OData that the API uses. There is no decimal among them: money is a Double.
const (
	edmGUID     = "Edm.Guid"
	edmString   = "Edm.String"
	edmInt32    = "Edm.Int32"
	edmInt16    = "Edm.Int16"
	edmInt64    = "Edm.Int64"
	edmByte     = "Edm.Byte"
	edmBoolean  = "Edm.Boolean"
	edmDouble   = "Edm.Double"
	edmDateTime = "Edm.DateTime"
	edmBinary   = "Edm.Binary"
)

var columnTypes = map[string]schema.Type{
	edmGUID:     schema.UUID,
	edmString:   schema.Varchar,
	edmInt32:    schema.Integer,
	edmInt16:    schema.SmallInt,
	edmInt64:    schema.BigInt,
	edmByte:     schema.UTinyInt,
	edmBoolean:  schema.Boolean,
	edmDouble:   schema.Double,
	edmDateTime: schema.Timestamp,
	edmBinary:   schema.Blob,
}

// TypeNamed finds the type of a column by the name that OData or DuckDB has for it: "Guid", "Edm.Int32",
// "UUID", in any case.
func TypeNamed(name string) (schema.Type, bool) {
	edm, ok := edmNamed(name)
	if name = strings.ToUpper(name); ok && strings.HasPrefix(name, "DECIMAL") {
		return schema.Decimal, true
	}
	return columnTypes[edm], ok
}

// columnType is the type of a property's column in the table of a stream. Only data says which
// floating-point numbers are money, see amounts.txt.
func columnType(stream string, p Property) schema.Type {
	if p.Edm == edmDouble && amounts().money(stream, p.Name) {
		return schema.Decimal
	}
	return columnTypes[p.Edm]
}
