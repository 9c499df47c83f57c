package config

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"exactduck/extract"
)

// Divisions say which books: all, codes, or names with wildcards; what begins with ! is left out.
type Divisions []string

// but is the division that an entry leaves out; false: it does not leave one out.
func but(entry string) (string, bool) {
	pattern, ok := strings.CutPrefix(entry, "!")
	return strings.TrimSpace(pattern), ok
}

// only says that nothing is named but what to leave out.
func (d Divisions) only() bool {
	return !slices.ContainsFunc(d, func(entry string) bool { _, out := but(entry); return !out })
}

// UnknownDivision reports a division that this login cannot read.
type UnknownDivision struct {
	Division string
	Place    string   // what the source calls divisions; "": "division"
	Have     []string // "123456 Bakery Ltd": what it can read
}

func (e *UnknownDivision) Error() string {
	return fmt.Sprintf("no %s %q for this login", cmp.Or(e.Place, "division"), e.Division)
}

// Select returns those of the places that the divisions name, in the order of the places. Archived
// and blocked ones are taken only by their code. A code or name without a place is an
// *[UnknownDivision]; what is left out need not be there. Where nothing but exceptions is named
// they are exceptions from all.
func (d Divisions) Select(places []extract.Place) ([]extract.Place, error) {
	chosen, out := make(map[string]bool), make(map[string]bool)
	if d.only() {
		d = append(Divisions{"all"}, d...)
	}
	for _, pattern := range d {
		found := false
		if pattern, leave := but(pattern); leave {
			for _, p := range places {
				out[string(p.Scope)] = out[string(p.Scope)] || divisionMatches(pattern, p)
			}
			continue
		}
		for _, p := range places {
			if divisionMatches(pattern, p) {
				chosen[string(p.Scope)], found = true, true
			}
		}
		if !found {
			return nil, &UnknownDivision{Division: pattern, Have: describe(places)}
		}
	}
	return slices.DeleteFunc(slices.Clone(places), func(p extract.Place) bool { return !chosen[string(p.Scope)] || out[string(p.Scope)] }), nil
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

var errEmptyPlace = errors.New("an empty division; write all, a code, or a name with * and ?")

// divisionProblem says what is wrong with one entry of divisions; nil: nothing that can be seen
// without asking the source.
func divisionProblem(entry string) error {
	pattern, _ := but(entry)
	switch n, err := strconv.ParseInt(pattern, 10, 64); {
	case strings.TrimSpace(pattern) == "":
		return errEmptyPlace
	case err == nil && (n < 1 || n > 1<<31-1):
		return fmt.Errorf("%s is no division code", pattern)
	}
	return nil
}
