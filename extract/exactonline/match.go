package exactonline

import (
	"strings"

	"exactduck/extract"
)

// Match finds the streams that a pattern selects, sorted by name, as [extract.Match] does. Wildcards
// leave out the quiet streams, unless the pattern spells out what makes them quiet: read/financial/*
// selects them, * does not.
func Match(pattern string) ([]*extract.Stream, error) {
	return extract.Match(pattern, grouped().all, Lookup, spelledOut)
}

// spelledOut reports whether the text before the first wildcard names what makes a stream quiet.
func spelledOut(literal string, s *extract.Stream) bool {
	return strings.HasPrefix(literal, strings.ToLower(decided("quiet", s.Name)))
}
