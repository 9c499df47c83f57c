// Package rawjson keeps JSON values to the letter. Sources put what has no column beside the columns
// exactly as it came; what is no text at all has to be wrapped for that. Begin with [Append].
package rawjson

import (
	"bytes"
	"encoding/json"
	"strconv"
	"unicode/utf8"
)

// Append appends a JSON value as it is or, when some of its text is not Unicode and so could not be
// JSON, as {"_base64": the value as it came, in base64}.
func Append(to, raw []byte) []byte {
	if Unicode(raw) {
		return append(to, raw...)
	}
	wrapped, _ := json.Marshal(map[string][]byte{"_base64": bytes.Clone(raw)}) // cannot fail
	return append(to, wrapped...)
}

// Unicode reports whether all text of a JSON value is Unicode: valid UTF-8, and no half of a
// surrogate pair alone among its escapes. A text that was cut in the middle of an emoji ends so.
func Unicode(raw []byte) bool {
	if !utf8.Valid(raw) {
		return false
	}
	for {
		at := bytes.IndexByte(raw, '\\')
		if at < 0 {
			return true
		}
		r, ok := escaped(raw[at:])
		size := 2
		switch {
		case ok && r >= 0xD800 && r < 0xDC00:
			low, ok := escaped(raw[at+6:])
			if !ok || low < 0xDC00 || low > 0xDFFF {
				return false
			}
			size = 12
		case ok && r >= 0xDC00 && r <= 0xDFFF:
			return false
		case ok:
			size = 6
		}
		raw = raw[at+size:]
	}
}

// escaped reads a character that is written as \u and four hexadecimal digits at the beginning of some
// JSON.
func escaped(raw []byte) (uint64, bool) {
	if len(raw) < 6 || raw[0] != '\\' || raw[1] != 'u' {
		return 0, false
	}
	r, err := strconv.ParseUint(string(raw[2:6]), 16, 32)
	return r, err == nil
}
