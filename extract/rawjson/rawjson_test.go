package rawjson

import (
	"encoding/json"
	"testing"
	"unicode/utf8"
)

func TestWhatIsNoTextIsWrapped(t *testing.T) {
	for raw, want := range map[string]string{
		`{"a" : 1.50}`:      `{"a" : 1.50}`,
		`"\ud83e\udd86"`:    `"\ud83e\udd86"`,
		`"\ud83e"`:          `{"_base64":"Ilx1ZDgzZSI="}`,
		`"\udd86"`:          `{"_base64":"Ilx1ZGQ4NiI="}`,
		"\"\xff\"":          `{"_base64":"Iv8i"}`,
		`"\\ud83e"`:         `"\\ud83e"`,
		`"\ud83e\\u0041"`:   `{"_base64":"Ilx1ZDgzZVxcdTAwNDEi"}`,
		`"\ud83e\u0041\"x"`: `{"_base64":"Ilx1ZDgzZVx1MDA0MVwieCI="}`,
	} {
		if got := string(Append(nil, []byte(raw))); got != want {
			t.Errorf("%s becomes %s, want %s", raw, got, want)
		}
	}
}

func FuzzAppend(f *testing.F) {
	f.Add([]byte(`"\ud83e"`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if !json.Valid(raw) {
			return
		}
		got := Append(nil, raw)
		if !json.Valid(got) || !utf8.Valid(got) || !Unicode(got) {
			t.Errorf("%q becomes %q", raw, got)
		}
	})
}
