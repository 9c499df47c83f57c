package exactonline

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// inWords says what a parameter of a type may be.
func inWords(edm string) string {
	switch edm {
	case edmGUID:
		return "a GUID"
	case edmDateTime:
		return "a date like 2024-01-31 or 2024-01-31T16:30:00"
	case edmBoolean:
		return "true or false"
	case edmByte, edmInt16, edmInt32, edmInt64:
		return "a whole number"
	case edmDouble:
		return "a number"
	}
	return "a text"
}

// encodeAs writes a value as OData does a literal of a type.
func encodeAs(edm string, given any) (string, error) {
	text := spelled(given)
	switch edm {
	case edmGUID:
		if id, err := uuid.Parse(text); err == nil {
			return "guid'" + id.String() + "'", nil
		}
	case edmDateTime:
		if us, ok := parseWall(text); ok {
			return "datetime'" + time.UnixMicro(us).UTC().Format(wallFormat) + "'", nil
		}
	case edmBoolean:
		if t := strings.ToLower(text); t == "true" || t == "false" {
			return t, nil
		}
	case edmByte, edmInt16, edmInt32, edmInt64:
		if n, ok := whole(edm, text); ok {
			return n, nil
		}
	case edmDouble:
		if f, err := strconv.ParseFloat(text, 64); err == nil && !math.IsNaN(f) && !math.IsInf(f, 0) {
			return strconv.FormatFloat(f, 'g', -1, 64) + "d", nil
		}
	case edmString:
		if scalar(given) {
			return "'" + strings.ReplaceAll(text, "'", "''") + "'", nil
		}
	}
	return "", fmt.Errorf("%v is not %s", given, inWords(edm))
}

func whole(edm, text string) (string, bool) {
	bits, suffix := 32, ""
	switch edm {
	case edmInt16:
		bits = 16
	case edmInt64:
		bits, suffix = 64, "L"
	case edmByte:
		n, err := strconv.ParseUint(text, 10, 8)
		return strconv.FormatUint(n, 10), err == nil
	}
	n, err := strconv.ParseInt(text, 10, bits)
	return strconv.FormatInt(n, 10) + suffix, err == nil
}

// asItLooks writes a value of a parameter that is not documented as what it looks like.
func asItLooks(given any) (string, error) {
	for _, edm := range looks(given) {
		if text, err := encodeAs(edm, given); err == nil {
			return text, nil
		}
	}
	return "", fmt.Errorf("%v is neither a text, a number, a date nor true or false", given)
}

// looks are the types that a value may be of, the likeliest first. What a configuration has as a
// text is no number.
func looks(given any) []string {
	switch given.(type) {
	case string:
		return []string{edmGUID, edmDateTime, edmString}
	case time.Time:
		return []string{edmDateTime}
	case bool:
		return []string{edmBoolean}
	}
	return []string{edmInt32, edmInt64, edmDouble}
}

func scalar(given any) bool {
	switch given.(type) {
	case string, bool, int, int64, uint64, int32, uint32, float64, time.Time:
		return true
	}
	return false
}

// spelled is a value as people would write it.
func spelled(given any) string {
	switch given := given.(type) {
	case time.Time:
		return reading(given).Format(wallFormat)
	case float64:
		if given == math.Trunc(given) && math.Abs(given) < 1<<53 {
			return strconv.FormatInt(int64(given), 10)
		}
		return strconv.FormatFloat(given, 'g', -1, 64)
	case string:
		return given
	}
	return fmt.Sprint(given)
}
