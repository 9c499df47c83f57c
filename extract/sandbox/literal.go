package sandbox

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// The values of a record. A record holds nil, bool, int64, num, string, guid, stamp or blob.
type (
	// num is the exact decimal text of an Edm.Double, as the company's books have it.
	num string
	// guid is the lower-case text of a guid.
	guid string
	// stamp is a local wall time as milliseconds since 1970, encoded as if it were UTC.
	stamp int64
	// blob is the content of an Edm.Binary.
	blob string
)

var errLiteral = errors.New("not a literal")

const wallLayout = "2006-01-02T15:04:05.999"

// parseLiteral reads one OData V2 literal: guid'…', datetime'…', 'text', 12, 12L, 1.5d, true, null.
func parseLiteral(s string) (any, error) {
	switch {
	case s == "null":
		return nil, nil
	case s == "true", s == "false":
		return s == "true", nil
	case strings.HasPrefix(s, "'"):
		return unquote(s)
	case strings.HasPrefix(s, "guid'"):
		return parseGUID(s)
	case strings.HasPrefix(s, "datetime'"):
		return parseStamp(s)
	}
	return parseNumber(s)
}

func unquote(s string) (string, error) {
	if len(s) < 2 || s[0] != '\'' || s[len(s)-1] != '\'' {
		return "", fmt.Errorf("%w: %s", errLiteral, s)
	}
	return strings.ReplaceAll(s[1:len(s)-1], "''", "'"), nil
}

func parseGUID(s string) (any, error) {
	text, err := unquote(strings.TrimPrefix(s, "guid"))
	if err != nil || !isGUID(text) {
		return nil, fmt.Errorf("%w: %s", errLiteral, s)
	}
	return guid(strings.ToLower(text)), nil
}

func isGUID(s string) bool {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return false
	}
	_, err := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
	return err == nil
}

func parseStamp(s string) (any, error) {
	text, err := unquote(strings.TrimPrefix(s, "datetime"))
	if err != nil {
		return nil, err
	}
	for _, layout := range []string{"2006-01-02T15:04:05.999999999", "2006-01-02T15:04", "2006-01-02"} {
		if t, err := time.Parse(layout, text); err == nil {
			return stamp(t.UnixMilli()), nil
		}
	}
	return nil, fmt.Errorf("%w: %s", errLiteral, s)
}

func parseNumber(s string) (any, error) {
	if n, err := strconv.ParseInt(strings.TrimRight(s, "Ll"), 10, 64); err == nil {
		return n, nil
	}
	text := strings.TrimRight(s, "dDmMfF")
	if f, err := strconv.ParseFloat(text, 64); err == nil && !math.IsInf(f, 0) && !math.IsNaN(f) {
		return num(text), nil
	}
	return nil, fmt.Errorf("%w: %s", errLiteral, s)
}

// literal writes a value as $skiptoken and key addresses have it; big marks an Int64.
func literal(v any, big bool) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return strconv.FormatBool(v)
	case int64:
		if big {
			return strconv.FormatInt(v, 10) + "L"
		}
		return strconv.FormatInt(v, 10)
	case num:
		return string(v) + "D"
	case guid:
		return "guid'" + string(v) + "'"
	case stamp:
		return "datetime'" + strings.ReplaceAll(v.time().Format(wallLayout), ":", "%3A") + "'"
	case string:
		return "'" + escapeQuery(strings.ReplaceAll(v, "'", "''")) + "'"
	}
	return "''"
}

func (s stamp) time() time.Time { return time.UnixMilli(int64(s)).UTC() }

// wall is the clock on the wall at t, as if it were UTC, in the steps of 0, 3 and 7 ms in which
// SQL Server keeps a datetime.
func wall(t time.Time, zone *time.Location) stamp {
	local := t.In(zone)
	_, offset := local.Zone()
	ms := local.UnixMilli() + int64(offset)*1000
	last := ms % 10
	return stamp(ms - last + []int64{0, 0, 0, 3, 3, 3, 3, 7, 7, 7}[(last+10)%10])
}

// compare orders two values of one column as SQL Server would: nulls first, guids by their last
// group first. The answer is meaningless for values of different kinds, which comparable excludes.
func compare(a, b any) int {
	if a == nil || b == nil {
		return cmp.Compare(btoi(a != nil), btoi(b != nil))
	}
	switch a := a.(type) {
	case bool:
		return cmp.Compare(btoi(a), btoi(b.(bool)))
	case guid:
		return compareGUIDs(a, b.(guid))
	case stamp:
		return cmp.Compare(a, b.(stamp))
	case string:
		return strings.Compare(strings.ToLower(strings.TrimRight(a, " ")), strings.ToLower(strings.TrimRight(b.(string), " ")))
	case blob:
		return strings.Compare(string(a), string(b.(blob)))
	}
	return compareNumbers(a, b)
}

func compareNumbers(a, b any) int {
	x, xInt := a.(int64)
	y, yInt := b.(int64)
	if xInt && yInt {
		return cmp.Compare(x, y)
	}
	return cmp.Compare(float(a), float(b))
}

func float(v any) float64 {
	switch v := v.(type) {
	case int64:
		return float64(v)
	case num:
		f, _ := strconv.ParseFloat(string(v), 64)
		return f
	}
	return math.NaN()
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// guidGroups are the places of a guid's text in the order in which uniqueidentifier sorts: the last
// group first, and the bytes of the first three backwards.
var guidGroups = [][2]int{{24, 36}, {19, 23}, {16, 18}, {14, 16}, {11, 13}, {9, 11}, {6, 8}, {4, 6}, {2, 4}, {0, 2}}

func compareGUIDs(a, b guid) int {
	if len(a) != 36 || len(b) != 36 {
		return strings.Compare(string(a), string(b))
	}
	for _, g := range guidGroups {
		if c := strings.Compare(string(a[g[0]:g[1]]), string(b[g[0]:g[1]])); c != 0 {
			return c
		}
	}
	return 0
}

// kind groups values that may be compared with each other.
func kind(v any) string {
	switch v.(type) {
	case bool:
		return "Edm.Boolean"
	case int64, num:
		return "number"
	case guid:
		return "Edm.Guid"
	case stamp:
		return "Edm.DateTime"
	case string:
		return "Edm.String"
	case blob:
		return "Edm.Binary"
	}
	return "null"
}

// kindOf is the kind of the values of an Edm type.
func kindOf(edm string) string {
	switch edm {
	case "Edm.Int16", "Edm.Int32", "Edm.Int64", "Edm.Byte", "Edm.Double":
		return "number"
	}
	return edm
}
