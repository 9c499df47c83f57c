package exactpay

import (
	"path"
	"strings"

	"exactduck/extract"
)

// Lookup finds a stream by its name, in any case, with exactpay/ before it or without. No name forces
// a variant: there is one of each. The error is an [*extract.UnknownStream].
func Lookup(name string) (*extract.Stream, *extract.Variant, error) {
	for _, s := range Streams() {
		if strings.EqualFold(s.Name, name) || strings.EqualFold(path.Base(s.Name), name) {
			return s, nil, nil
		}
	}
	return nil, nil, extract.Unknown(name, Streams())
}

// Match finds the streams that a pattern selects, sorted by name, as [extract.Match] does. Wildcards
// leave out the quiet streams.
func Match(pattern string) ([]*extract.Stream, error) {
	return extract.Match(pattern, Streams(), Lookup, nil)
}
