package sandbox

import (
	"errors"
	"slices"
	"strings"

	"exactduck/extract/sandbox/internal/steering"
)

// panel is where a running sandbox is steered.
var panel = steering.Panel[*Sandbox]{
	Path: "/_sandbox/",
	Shows: map[string]func(*Sandbox) any{
		"calls":     func(s *Sandbox) any { return s.Calls() },
		"errors":    func(s *Sandbox) any { return s.Errors() },
		"divisions": func(s *Sandbox) any { return s.Divisions() },
	},
	Do: func(s *Sandbox, name string, given map[string]string) (known bool, err error) {
		a := findAction(name)
		if a == nil {
			return false, nil
		}
		g, wrong := a.read(given)
		if err := joined(wrong); err != nil {
			return true, err
		}
		return true, s.locked(a.build(g))
	},
}

// joined makes one error of several, in an order that stays the same.
func joined(wrong map[string]error) error {
	var list []error
	for _, err := range wrong {
		list = append(list, err)
	}
	slices.SortFunc(list, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(list...)
}
