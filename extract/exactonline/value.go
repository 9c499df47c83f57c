package exactonline

import (
	"bytes"
	"encoding/base64"
	"strconv"
	"time"

	"exactduck/extract/rawjson"
	"exactduck/schema"

	"github.com/go-faster/jx"
	"github.com/google/uuid"
)

// fit is how well a value went into its column.
type fit uint8

const (
	fits    fit = iota
	rounded     // a value is in the column, but not exactly the one that came
	misfits     // nothing was added to the column
)

// convert adds a JSON value other than null to a column.
func (d *decoder) convert(v *schema.Vector, raw jx.Raw) fit {
	if v.Type == schema.JSON {
		return d.document(v, raw)
	}
	if raw[0] == '{' || raw[0] == '[' {
		return misfits
	}
	text, ok := d.plain(raw)
	if !ok {
		return misfits
	}
	switch v.Type {
	case schema.Varchar:
		return appendString(v, raw, text)
	case schema.UUID:
		return appendGUID(v, text)
	case schema.Timestamp:
		return added(appendMoment(v, text))
	case schema.TimestampTZ:
		return added(appendInstant(v, text))
	case schema.Double:
		return added(appendDouble(v, text))
	case schema.Decimal:
		return appendAmount(v, text)
	case schema.Boolean:
		return added(appendBoolean(v, text))
	case schema.Blob:
		return d.binary(v, raw, text)
	default:
		return added(appendInteger(v, text))
	}
}

func added(ok bool) fit {
	if ok {
		return fits
	}
	return misfits
}

// plain is the text of a string, or the JSON text of a number or boolean. It stays valid until
// the next call.
func (d *decoder) plain(raw jx.Raw) ([]byte, bool) {
	if raw[0] != '"' {
		return raw, true
	}
	text := raw[1 : len(raw)-1]
	if bytes.IndexByte(text, '\\') < 0 {
		return text, true
	}
	d.inner.ResetBytes(raw)
	unescaped, err := d.inner.StrAppend(d.text[:0])
	if err != nil {
		return nil, false
	}
	d.text = unescaped
	return unescaped, true
}

func (d *decoder) document(v *schema.Vector, raw jx.Raw) fit {
	return added(rawjson.Unicode(raw) && v.AppendText(raw))
}

func (d *decoder) binary(v *schema.Vector, raw jx.Raw, text []byte) fit {
	if raw[0] != '"' {
		return misfits
	}
	decoded := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, err := base64.StdEncoding.Decode(decoded, text)
	return added(err == nil && v.AppendText(decoded[:n]))
}

// appendString takes numbers and booleans too, as they are written: the types of a few properties
// are guessed.
func appendString(v *schema.Vector, raw jx.Raw, text []byte) fit {
	if rawjson.Unicode(raw) {
		return added(v.AppendText(text))
	}
	if v.AppendText(bytes.ToValidUTF8(text, []byte("\uFFFD"))) {
		return rounded
	}
	return misfits
}

// appendGUID takes a GUID in any case, in braces or not.
func appendGUID(v *schema.Vector, text []byte) fit {
	if len(text) == 38 && text[0] == '{' && text[37] == '}' {
		text = text[1:37]
	}
	if len(text) != 36 {
		return misfits
	}
	id, err := uuid.ParseBytes(text)
	if err != nil {
		return misfits
	}
	v.AppendUUID(id)
	return fits
}

// appendInteger takes true and false for 1 and 0: endpoints of one entity do not always agree on
// which of the two a property is.
func appendInteger(v *schema.Vector, text []byte) bool {
	n, ok := parseDecimal(text)
	if !ok {
		return appendBoolean(v, text)
	}
	i, whole := n.integer()
	return whole && v.AppendInt(i)
}

func appendBoolean(v *schema.Vector, text []byte) bool {
	switch string(text) {
	case "true", "True", "1":
		return v.AppendInt(1)
	case "false", "False", "0":
		return v.AppendInt(0)
	}
	return false
}

func appendMoment(v *schema.Vector, text []byte) bool {
	us, ok := parseMoment(text)
	return ok && v.AppendInt(us)
}

// appendInstant takes an ISO time with its zone, for columns that somebody else gave the type.
func appendInstant(v *schema.Vector, text []byte) bool {
	t, err := time.Parse(time.RFC3339, string(text)) // takes fractions too
	return err == nil && v.AppendInt(t.UnixMicro())
}

// The years 1 to 9999 in milliseconds: what the vendor's DateTime can hold.
const firstMilli, lastMilli = -62_135_596_800_000, 253_402_300_799_999

// parseMoment reads /Date(ms)/, the wall clock of Exact as if it were UTC, in microseconds. It
// takes an ISO time without a zone too. A zone, in either form, says that the value is something
// else than a wall clock: it is not taken.
func parseMoment(text []byte) (int64, bool) {
	digits, ok := bytes.CutPrefix(text, []byte("/Date("))
	if !ok {
		return parseISO(text)
	}
	digits, ok = bytes.CutSuffix(digits, []byte(")/"))
	if !ok {
		return 0, false
	}
	ms, ok := parseInteger(digits)
	if !ok || ms < firstMilli || ms > lastMilli {
		return 0, false
	}
	return ms * 1000, true
}

func parseISO(text []byte) (int64, bool) {
	if len(text) < len("2006-01-02T15:04:05") || len(text) > 27 || text[10] != 'T' {
		return 0, false
	}
	t, err := time.Parse("2006-01-02T15:04:05", string(text)) // takes fractions too
	if err != nil || t.Year() < 1 {
		return 0, false
	}
	return t.UnixMicro(), true
}

func appendDouble(v *schema.Vector, text []byte) bool {
	n, ok := parseDecimal(text)
	if !ok {
		return false
	}
	if f, exact := n.float(); exact {
		return v.AppendFloat(f)
	}
	f, err := strconv.ParseFloat(string(text), 64)
	return err == nil && v.AppendFloat(f)
}

// Convert adds a JSON value as the service writes it, other than null, to a vector, by the rules by
// which pages are decoded. It tells whether the vector has it now, and whether that is exactly what
// was written, but for the noise of binary numbers.
func Convert(v *schema.Vector, value []byte) (added, exact bool) {
	if len(value) == 0 || jx.DecodeBytes(value).Validate() != nil {
		return false, false
	}
	var d decoder
	switch d.convert(v, jx.Raw(value)) {
	case fits:
		return true, true
	case rounded:
		return true, false
	}
	return false, false
}
