package exactpay

import (
	"bytes"
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"github.com/go-faster/jx"
	"github.com/google/uuid"

	"exactduck/extract/rawjson"
	"exactduck/schema"
)

// fit is how well a value went into its column.
type fit uint8

const (
	fits    fit = iota
	rounded     // a value is in the column, but not exactly the one that came
	misfits     // nothing was added to the column
)

// Convert adds a JSON value as the service writes it, other than null, to a vector, by the rules by
// which pages are decoded. It tells whether the vector has it now, and whether that is exactly what
// was written.
func Convert(v *schema.Vector, value []byte) (added, exact bool) {
	if len(value) == 0 || jx.DecodeBytes(value).Validate() != nil {
		return false, false
	}
	how := convert(v, bytes.TrimSpace(value))
	return how != misfits, how == fits
}

// convert adds a JSON value other than null to a column.
func convert(v *schema.Vector, raw jx.Raw) fit {
	if v.Type == schema.JSON {
		return added(rawjson.Unicode(raw) && v.AppendText(raw))
	}
	if raw[0] == '{' || raw[0] == '[' {
		return misfits
	}
	text, ok := plain(raw)
	if !ok {
		return misfits
	}
	switch v.Type {
	case schema.Varchar:
		return appendString(v, raw, text)
	case schema.TimestampTZ, schema.Timestamp:
		return added(appendInstant(v, text))
	case schema.Boolean:
		return added(text == "true" && v.AppendInt(1) || text == "false" && v.AppendInt(0))
	case schema.UUID:
		return added(appendUUID(v, text))
	case schema.Decimal:
		return added(appendAmount(v, text))
	case schema.Double:
		f, err := strconv.ParseFloat(text, 64)
		return added(err == nil && isNumber(text) && v.AppendFloat(f))
	case schema.Blob:
		decoded, err := base64.StdEncoding.DecodeString(text)
		return added(err == nil && raw[0] == '"' && v.AppendText(decoded))
	}
	return added(appendInteger(v, text))
}

func added(ok bool) fit {
	if ok {
		return fits
	}
	return misfits
}

// plain is the text of a string, or the JSON text of a number or boolean.
func plain(raw jx.Raw) (string, bool) {
	if raw[0] != '"' {
		return string(raw), true
	}
	text, err := jx.DecodeBytes(raw).Str()
	return text, err == nil
}

// appendString takes numbers and booleans too, as they are written: the vendor's examples have numbers
// where its schemas have strings.
func appendString(v *schema.Vector, raw jx.Raw, text string) fit {
	if rawjson.Unicode(raw) {
		return added(v.AppendText([]byte(text)))
	}
	if v.AppendText([]byte(strings.ToValidUTF8(text, "\uFFFD"))) {
		return rounded
	}
	return misfits
}

// appendInstant takes an ISO time with its zone. Without one nobody knows which instant is meant.
func appendInstant(v *schema.Vector, text string) bool {
	t, err := time.Parse(time.RFC3339, text) // takes fractions too
	return err == nil && t.UTC().Year() >= 1 && t.UTC().Year() <= 9999 && t.Nanosecond()%1000 == 0 && v.AppendInt(t.UnixMicro())
}

func appendUUID(v *schema.Vector, text string) bool {
	id, err := uuid.Parse(text)
	if err != nil || len(text) != 36 {
		return false
	}
	v.AppendUUID(id)
	return true
}

// isNumber tells whether a text is a number as JSON writes it.
func isNumber(text string) bool {
	return text != "" && jx.DecodeStr(text).Next() == jx.Number && jx.Valid([]byte(text))
}

// parts of a number: its digits before and after the point. An exponent is none.
func parts(text string) (whole, fraction string, ok bool) {
	whole, fraction, _ = strings.Cut(text, ".")
	return whole, strings.TrimRight(fraction, "0"), isNumber(text) && !strings.ContainsAny(text, "eE")
}

// appendInteger takes 100 and 100.0: an amount of minor units with a fraction is another unit.
func appendInteger(v *schema.Vector, text string) bool {
	whole, fraction, ok := parts(text)
	n, err := strconv.ParseInt(whole, 10, 64)
	return ok && fraction == "" && err == nil && v.AppendInt(n)
}

func appendAmount(v *schema.Vector, text string) bool {
	whole, fraction, ok := parts(text)
	if !ok || len(fraction) > schema.DecimalScale {
		return false
	}
	n, err := strconv.ParseInt(whole+fraction+strings.Repeat("0", schema.DecimalScale-len(fraction)), 10, 64)
	return err == nil && v.AppendInt(n)
}
