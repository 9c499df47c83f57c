package extract

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/xrash/smetrics"
)

// UnknownStream says that nothing is called so. Near holds up to five names that were perhaps
// meant, the likeliest first.
type UnknownStream struct {
	Name string
	Near []string
}

func (e *UnknownStream) Error() string {
	if len(e.Near) == 0 {
		return fmt.Sprintf("there is no stream %q", e.Name)
	}
	return fmt.Sprintf("there is no stream %q, did you mean %s?", e.Name, strings.Join(e.Near, ", "))
}

// Unknown is the error for a name that none of the streams has.
func Unknown(name string, all []*Stream) *UnknownStream {
	var names []string
	for _, s := range all {
		names = append(names, s.Name)
	}
	return &UnknownStream{Name: name, Near: Nearest(strings.ToLower(name), names, nameDistance)}
}

// Match finds those of the streams that a pattern selects. In a pattern, in any case, * stands for any text
// without a slash, ? for one character and [a-c] for one of several; * alone selects every stream. Wildcards
// leave out the quiet streams but those that spelled tells of: the text before the first wildcard names
// what makes them quiet; nil: it never does. A pattern without wildcards is a name, for lookup. That
// nothing is selected is an [*UnknownStream].
func Match(pattern string, all []*Stream, lookup func(string) (*Stream, *Variant, error), spelled func(literal string, s *Stream) bool) ([]*Stream, error) {
	lower := strings.ToLower(pattern)
	wild := strings.IndexAny(lower, `*?[\`)
	if wild < 0 {
		s, _, err := lookup(pattern)
		if err != nil {
			return nil, err
		}
		return []*Stream{s}, nil
	}
	var selected []*Stream
	for _, s := range all {
		hit, err := path.Match(lower, strings.ToLower(s.Name))
		if err != nil {
			return nil, fmt.Errorf("pattern %q: %w", pattern, err)
		}
		if (hit || lower == "*") && (!s.Quiet || spelled != nil && spelled(lower[:wild], s)) {
			selected = append(selected, s)
		}
	}
	if len(selected) == 0 {
		return nil, &UnknownStream{Name: pattern, Near: Nearest(lower, services(all), patternDistance)}
	}
	return selected, nil
}

// services are the patterns that select all of a service.
func services(all []*Stream) []string {
	var patterns []string
	for _, s := range all {
		patterns = append(patterns, path.Dir(s.Name)+"/*")
	}
	return slices.Compact(patterns)
}

const suggestions = 5

// Nearest returns up to five of the names that are nearest to a wanted one, which is given in lower case.
func Nearest(wanted string, names []string, far func(wanted, name string) int) []string {
	type candidate struct {
		name       string
		far, whole int
	}
	var near []candidate
	if wanted == "" {
		names = nil
	}
	for _, name := range names {
		lower := strings.ToLower(name)
		if d := far(wanted, lower); d <= max(partOfName, len(wanted)/4) {
			near = append(near, candidate{name, d, Edits(wanted, lower)})
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
	far := min(Edits(wanted, name), Edits(given, entity)+off)
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
	return Edits(wanted, pattern)
}

// Edits is how many characters have to be changed, added or left out to make one text of another.
func Edits(a, b string) int { return smetrics.WagnerFischer(a, b, 1, 1, 1) }
