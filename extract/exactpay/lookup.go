package exactpay

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/xrash/smetrics"

	"exactduck/extract"
)

// UnknownStream says that nothing is called so. Near holds names that were perhaps meant, the
// likeliest first.
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

// Lookup finds a stream by its name, in any case, with exactpay/ before it or without. No name forces
// a variant: there is one of each. The error is an [*UnknownStream].
func Lookup(name string) (*extract.Stream, *extract.Variant, error) {
	for _, s := range Streams() {
		if strings.EqualFold(s.Name, name) || strings.EqualFold(path.Base(s.Name), name) {
			return s, nil, nil
		}
	}
	return nil, nil, &UnknownStream{Name: name, Near: nearest(strings.ToLower(name))}
}

// Match finds the streams that a pattern selects, sorted by name. In a pattern, in any case, * stands
// for any text without a slash, ? for one character and [a-c] for one of several; * alone selects every
// stream. Wildcards leave out the quiet streams. A pattern without wildcards is a name, see [Lookup].
// That nothing is selected is an error.
func Match(pattern string) ([]*extract.Stream, error) {
	lower := strings.ToLower(pattern)
	if !strings.ContainsAny(lower, `*?[\`) {
		s, _, err := Lookup(pattern)
		if err != nil {
			return nil, err
		}
		return []*extract.Stream{s}, nil
	}
	var selected []*extract.Stream
	for _, s := range Streams() {
		hit, err := path.Match(lower, s.Name)
		if err != nil {
			return nil, fmt.Errorf("pattern %q: %w", pattern, err)
		}
		if (hit || lower == "*") && !s.Quiet {
			selected = append(selected, s)
		}
	}
	if len(selected) == 0 {
		return nil, &UnknownStream{Name: pattern, Near: []string{Service + "/*"}}
	}
	return selected, nil
}

// suggestions is how many names are suggested, and far how many edits away they may be.
const suggestions, far = 3, 4

func nearest(wanted string) []string {
	if wanted == "" {
		return nil
	}
	given := path.Base(wanted)
	distance := func(name string) int {
		entity := path.Base(name)
		if strings.Contains(entity, given) || strings.Contains(given, entity) {
			return 1
		}
		return smetrics.WagnerFischer(given, entity, 1, 1, 1)
	}
	var near []string
	for _, s := range Streams() {
		if distance(s.Name) <= far {
			near = append(near, s.Name)
		}
	}
	slices.SortStableFunc(near, func(a, b string) int { return cmp.Compare(distance(a), distance(b)) })
	return near[:min(suggestions, len(near))]
}
