package exactonline

import (
	"testing"

	"exactduck/schema"
)

func TestDescribe(t *testing.T) {
	for p, want := range map[schema.Position]string{
		"": "the beginning",
		encode(cursor{Version: 1, Kind: "timestamp", From: 42}):                     "Timestamp above 42",
		encode(cursor{Version: 1, Kind: "timestamp", Since: "2026-01-31T00:00:00"}): "what was modified since 2026-01-31T00:00:00",
		encode(cursor{Version: 1, Kind: "modified", Wall: "2026-11-20T01:30:00"}):   "what was modified since 2026-11-20T01:30:00",
		encode(cursor{Version: 1, Kind: "whole"}):                                   "everything, every time",
		"no position": "no position",
	} {
		if got := Describe(p); got != want {
			t.Errorf("%q is described as %q, want %q", p, got, want)
		}
	}
}
