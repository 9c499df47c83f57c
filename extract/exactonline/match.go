package exactonline

import (
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
	literal := lower
	if i := strings.IndexAny(lower, `*?[\`); i >= 0 {
		literal = lower[:i]
	} else {
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
		if (hit || lower == "*") && spelledOut(literal, s) {
			selected = append(selected, s)
		}
	}
	if len(selected) == 0 {
		return nil, &UnknownStream{Name: pattern, Near: nearest(lower, patterns())}
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

// nearest returns the names that are likest to a wanted one, given in lower case. A name is as far
// as its spelling, or as its last part's when the service is missing or wrong.
func nearest(wanted string, names []string) []string {
	type candidate struct {
		name string
		far  int
	}
	var near []candidate
	for _, name := range names {
		if far := distance(wanted, strings.ToLower(name)); far <= max(2, len(wanted)/3) {
			near = append(near, candidate{name, far})
		}
	}
	slices.SortStableFunc(near, func(a, b candidate) int { return a.far - b.far })
	var found []string
	for _, c := range near[:min(suggestions, len(near))] {
		found = append(found, c.name)
	}
	return found
}

// distance counts the edits between two names; a wrong service counts as two edits, a part of the
// name as one more than that.
func distance(wanted, name string) int {
	entity, given := path.Base(name), path.Base(wanted)
	far := min(spelling(wanted, name), spelling(given, entity)+2)
	if strings.Contains(entity, given) || strings.HasPrefix(name, strings.TrimRight(wanted, "*")) {
		far = min(far, 3)
	}
	return far
}

func spelling(a, b string) int { return smetrics.WagnerFischer(a, b, 1, 1, 1) }
