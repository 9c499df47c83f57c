// Package mask takes personal values out of pages before anything of them reaches a disk: a rule
// drops a property, or puts a keyed hash in its place. Begin with [New] and [Mask.Page].
//
// A hash is the HMAC-SHA256, under the pipeline's key, of the value's canonical text, as lower-case
// hexadecimal digits, of which the first 32 are kept. The canonical text of a text is the text as it
// came; that of a number or a time is what DuckDB makes of the column without a mask by a cast to
// VARCHAR (an amount is 12.5000, a time 2024-01-31 00:00:00), but that a double has all its digits
// and no exponent; that of a UUID is in lower case; that of a BLOB is its bytes. So whoever has the
// key computes in Python:
//
//	hmac.new(key.encode(), "info@example.com".encode(), "sha256").hexdigest()[:32]
//
// Equal values have equal hashes in all tables, which can be joined by them. NULL stays NULL.
package mask

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-faster/jx"
	"github.com/google/uuid"

	"exactduck/schema"
)

// Rule says what becomes of a property.
type Rule string

// The rules.
const (
	// Hash puts a keyed hash in the place of the value; the column is VARCHAR.
	Hash Rule = "hash"
	// Drop leaves the property out; there is no column of it.
	Drop Rule = "drop"
)

// Rules are the rules of one stream by the names of properties. Case does not matter; no two names
// may differ in nothing else. The zero value masks nothing.
type Rules map[string]Rule

// Of is the rule for a property; "": there is none.
func (r Rules) Of(name string) Rule {
	if rule, ok := r[name]; ok {
		return rule
	}
	for other, rule := range r {
		if strings.EqualFold(name, other) {
			return rule
		}
	}
	return ""
}

// Table is the table that is left of t: without the columns that are dropped, and with those that
// are hashed as VARCHAR. It is t itself when no rule concerns it.
func (r Rules) Table(t *schema.Table) *schema.Table {
	if !slices.ContainsFunc(t.Columns, func(c schema.Column) bool { return r.Of(c.Name) != "" }) {
		return t
	}
	masked := *t
	masked.Columns = nil
	for _, c := range t.Columns {
		switch r.Of(c.Name) {
		case Drop:
			continue
		case Hash:
			c.Type = schema.Varchar
		}
		masked.Columns = append(masked.Columns, c)
	}
	return &masked
}

// Mask applies rules. It may be used by several goroutines. A nil Mask masks nothing.
type Mask struct {
	rules Rules
	key   []byte
}

// New fails when there is a rule that is none, or a hash without a key.
func New(rules Rules, key []byte) (*Mask, error) {
	for name, rule := range rules {
		switch {
		case rule != Hash && rule != Drop:
			return nil, fmt.Errorf("mask %s: there is no rule %q", name, rule)
		case rule == Hash && len(key) == 0:
			return nil, fmt.Errorf("mask %s: a hash needs a key", name)
		}
	}
	return &Mask{rules: rules, key: key}, nil
}

// Check is a short text that tells one key from another and does not tell the key.
func Check(key []byte) string {
	sum := hmac.New(sha256.New, key)
	sum.Write([]byte("exactduck: which key is this"))
	return hex.EncodeToString(sum.Sum(nil)[:6])
}

// Page is the page that is left of p, whose own vectors stay as they are. Properties of a record
// that have no column are masked by the same rules, and so are those of objects in them. The names of
// properties are not.
func (m *Mask) Page(p *schema.Page) (*schema.Page, error) {
	if m == nil || len(m.rules) == 0 {
		return p, nil
	}
	masked := *p
	masked.Table, masked.Columns = m.rules.Table(p.Table), nil
	h := hmac.New(sha256.New, m.key)
	for i, c := range p.Table.Columns {
		switch m.rules.Of(c.Name) {
		case Drop:
		case Hash:
			masked.Columns = append(masked.Columns, hashed(h, &p.Columns[i]))
		default:
			masked.Columns = append(masked.Columns, p.Columns[i])
		}
	}
	var err error
	masked.Extra, err = m.extra(h, &p.Extra)
	return &masked, err
}

// hashed is a column with hashes in the place of its values.
func hashed(h hash.Hash, v *schema.Vector) schema.Vector {
	masked := schema.NewVector(schema.Varchar, v.Len())
	var text []byte
	for i, valid := range v.Valid {
		if !valid {
			masked.AppendNull()
			continue
		}
		text = appendText(text[:0], v, i)
		masked.AppendText(digits(h, text)) // digits are few, and UTF-8
	}
	return masked
}

// digits is the hash of a text as it is kept.
func digits(h hash.Hash, text []byte) []byte {
	h.Reset()
	h.Write(text)
	return hex.AppendEncode(nil, h.Sum(nil)[:16])
}

// appendText appends the canonical text of a value.
func appendText(text []byte, v *schema.Vector, i int) []byte {
	switch v.Type {
	case schema.Varchar, schema.Blob, schema.JSON:
		return append(text, v.At(i)...)
	case schema.UUID:
		return append(text, uuid.UUID(v.UUIDs[i]).String()...)
	case schema.Double:
		return strconv.AppendFloat(text, v.Floats[i], 'f', -1, 64)
	case schema.Boolean:
		return strconv.AppendBool(text, v.Ints[i] == 1)
	case schema.Decimal:
		return appendAmount(text, v.Ints[i])
	case schema.Timestamp:
		return time.UnixMicro(v.Ints[i]).UTC().AppendFormat(text, "2006-01-02 15:04:05.999999")
	case schema.TimestampTZ:
		return time.UnixMicro(v.Ints[i]).UTC().AppendFormat(text, "2006-01-02 15:04:05.999999+00")
	}
	return strconv.AppendInt(text, v.Ints[i], 10)
}

// appendAmount writes an amount, given times 10⁴, with four digits behind the point.
func appendAmount(text []byte, n int64) []byte {
	if n < 0 {
		text, n = append(text, '-'), -n
	}
	return fmt.Appendf(text, "%d.%04d", n/10_000, n%10_000)
}

// extra masks what has no column.
func (m *Mask) extra(h hash.Hash, v *schema.Vector) (schema.Vector, error) {
	masked := schema.NewVector(schema.JSON, v.Len())
	for i, valid := range v.Valid {
		if !valid {
			masked.AppendNull()
			continue
		}
		object, err := m.object(h, v.At(i))
		if err != nil {
			return masked, err
		}
		if object == nil {
			masked.AppendNull()
		} else if !masked.AppendText(object) {
			return masked, errors.New("mask what has no column: it is no text")
		}
	}
	return masked, nil
}

// object is a JSON object with its members masked, and those of the objects in it, the others to the
// letter; nil when none is left.
func (m *Mask) object(h hash.Hash, object []byte) ([]byte, error) {
	masked, found, err := m.value(h, object)
	switch {
	case err != nil || jx.Raw(object).Type() != jx.Object:
		return nil, errors.New("mask what has no column: it is no JSON object") // the error's text could quote it
	case !found:
		return object, nil
	case string(masked) == "{}":
		return nil, nil
	}
	return masked, nil
}

// value is a JSON value with the members of all objects in it masked, and tells whether there were any.
func (m *Mask) value(h hash.Hash, value jx.Raw) (masked []byte, found bool, err error) {
	switch value.Type() {
	case jx.Object:
		err = jx.DecodeBytes(value).ObjBytes(func(d *jx.Decoder, key []byte) error {
			member, err := d.Raw()
			if err != nil {
				return err
			}
			var name jx.Encoder
			name.ByteStr(key)
			switch m.rules.Of(string(key)) {
			case Drop:
				found = true
				return nil
			case Hash:
				found = true
				masked = append(append(append(comma(masked), name.Bytes()...), ':'), hashedJSON(h, member)...)
				return nil
			}
			below, some, err := m.value(h, member)
			masked, found = append(append(append(comma(masked), name.Bytes()...), ':'), below...), found || some
			return err
		})
		masked = slices.Concat([]byte{'{'}, masked, []byte{'}'})
	case jx.Array:
		err = jx.DecodeBytes(value).Arr(func(d *jx.Decoder) error {
			member, err := d.Raw()
			if err != nil {
				return err
			}
			below, some, err := m.value(h, member)
			masked, found = append(comma(masked), below...), found || some
			return err
		})
		masked = slices.Concat([]byte{'['}, masked, []byte{']'})
	}
	if err != nil || !found {
		return value, false, err
	}
	return masked, true, nil
}

// comma goes between the members of an object or an array.
func comma(members []byte) []byte {
	if len(members) == 0 {
		return members
	}
	return append(members, ',')
}

// hashedJSON is the hash of a JSON value as a string: that of the text of a string, and that of
// anything else as it is written. null stays null.
func hashedJSON(h hash.Hash, value jx.Raw) []byte {
	if value.Type() == jx.Null {
		return value
	}
	text := []byte(value)
	if value.Type() == jx.String {
		if plain, err := jx.DecodeBytes(value).StrBytes(); err == nil {
			text = plain
		}
	}
	return append(append([]byte{'"'}, digits(h, text)...), '"')
}
