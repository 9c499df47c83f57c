package config

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"exactduck/extract"
)

// Divisions say which books: all, codes, or names with wildcards.
type Divisions []string

// UnknownDivision reports a division that this login cannot read.
type UnknownDivision struct {
	Division string
	Have     []string // "123456 Bakery Ltd": what it can read
}

func (e *UnknownDivision) Error() string {
	return fmt.Sprintf("no division %q for this login", e.Division)
}

// Select returns those of the places that the divisions name, in the order of the places. Archived
// and blocked ones are taken only by their code. A code or name without a place is an
// *[UnknownDivision].
func (d Divisions) Select(places []extract.Place) ([]extract.Place, error) {
	chosen := make(map[string]bool)
	for _, pattern := range d {
		found := false
		for _, p := range places {
			if divisionMatches(pattern, p) {
				chosen[string(p.Scope)], found = true, true
			}
		}
		if !found {
			return nil, &UnknownDivision{Division: pattern, Have: describe(places)}
		}
	}
	return slices.DeleteFunc(slices.Clone(places), func(p extract.Place) bool { return !chosen[string(p.Scope)] }), nil
}

func divisionMatches(pattern string, p extract.Place) bool {
	switch {
	case pattern == p.Code:
		return true
	case !p.Active:
		return false
	}
	return strings.EqualFold(pattern, "all") || wildcard(pattern).MatchString(p.Name)
}

func describe(places []extract.Place) []string {
	list := make([]string, len(places))
	for i, p := range places {
		list[i] = strings.TrimSpace(p.Code + " " + p.Name)
	}
	return list
}

// wildcard reads * as any text and ? as any one letter; case does not matter.
func wildcard(pattern string) *regexp.Regexp {
	quoted := regexp.QuoteMeta(strings.ToValidUTF8(pattern, "\uFFFD"))
	quoted = strings.ReplaceAll(strings.ReplaceAll(quoted, `\*`, `.*`), `\?`, `.`)
	return regexp.MustCompile(`(?is)^` + quoted + `$`)
}

// divisionProblem says what is wrong with one entry of divisions; nil: nothing that can be seen
// without asking the source.
func divisionProblem(pattern string) error {
	switch n, err := strconv.ParseInt(pattern, 10, 64); {
	case strings.TrimSpace(pattern) == "":
		return fmt.Errorf("an empty division; write all, a code, or a name with * and ?")
	case err == nil && (n < 1 || n > 1<<31-1):
		return fmt.Errorf("%s is no division code", pattern)
	}
	return nil
}
