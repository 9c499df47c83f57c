package exactonline

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/xrash/smetrics"

	"exactduck/extract"
)

// Match finds the streams that a pattern selects, sorted by name. In a pattern, in any case,
// * stands for any text without a slash, ? for one character and [a-c] for one of several; a
// pattern of * alone selects every stream. Wildcards leave out the quiet streams, unless the
// pattern spells out what makes them quiet: read/financial/* selects them, * does not. A pattern
// without wildcards is a name, see [Lookup]. That nothing is selected is an error.
func Match(pattern string) ([]*extract.Stream, error) {
	lower := strings.ToLower(pattern)
	wild := strings.IndexAny(lower, `*?[\`)
	if wild < 0 {
		s, _, err := Lookup(pattern)
		if err != nil {
			return nil, err
		}
		return []*extract.Stream{s}, nil
	}
	var selected []*extract.Stream
	for _, s := range grouped().all {
		hit, err := path.Match(lower, strings.ToLower(s.Name))
		if err != nil {
			return nil, fmt.Errorf("pattern %q: %w", pattern, err)
		}
		if (hit || lower == "*") && spelledOut(lower[:wild], s) {
			selected = append(selected, s)
		}
	}
	if len(selected) == 0 {
		return nil, &UnknownStream{Name: pattern, Near: nearest(lower, patterns(), patternDistance)}
	}
	return selected, nil
}

// spelledOut reports whether the text before the first wildcard names what makes a stream quiet,
// if anything does.
func spelledOut(literal string, s *extract.Stream) bool {
	return !s.Quiet || strings.HasPrefix(literal, strings.ToLower(decided("quiet", s.Name)))
}

// patterns are those that select all of a service.
func patterns() []string {
	var all []string
	for _, s := range grouped().all {
		all = append(all, path.Dir(s.Name)+"/*")
	}
	return slices.Compact(all)
}

const suggestions = 5

// nearest returns the names that are nearest to a wanted one, which is given in lower case.
func nearest(wanted string, names []string, far func(wanted, name string) int) []string {
	type candidate struct {
		name       string
		far, whole int
	}
	var near []candidate
	for _, name := range names {
		lower := strings.ToLower(name)
		if d := far(wanted, lower); d <= max(partOfName, len(wanted)/4) {
			near = append(near, candidate{name, d, edits(wanted, lower)})
		}
	}
	slices.SortStableFunc(near, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.far, b.far), cmp.Compare(a.whole, b.whole))
	})
	var found []string
	for _, c := range near[:min(suggestions, len(near))] {
		found = append(found, c.name)
	}
	return found
}

// What a name is off, in edits, when the service is missing, when it is another one, and when
// there is only a part of the name.
const (
	serviceMissing = 1
	serviceWrong   = 2
	partOfName     = 3
)

// nameDistance compares names of streams.
func nameDistance(wanted, name string) int {
	entity, given, off := path.Base(name), path.Base(wanted), serviceWrong
	if !strings.Contains(wanted, "/") {
		off = serviceMissing
	}
	far := min(edits(wanted, name), edits(given, entity)+off)
	if strings.Contains(entity, given) || strings.HasPrefix(name, wanted) {
		far = min(far, partOfName)
	}
	return far
}

// patternDistance compares patterns; one that begins like the wanted one is nearest.
func patternDistance(wanted, pattern string) int {
	service, _, _ := strings.Cut(wanted, "/")
	if strings.HasPrefix(pattern, service+"/") {
		return 0
	}
	return edits(wanted, pattern)
}

func edits(a, b string) int { return smetrics.WagnerFischer(a, b, 1, 1, 1) }
