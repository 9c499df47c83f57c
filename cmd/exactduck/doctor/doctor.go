// Package doctor makes checks one after another and keeps what each found: what is well, what is
// doubtful, what is wrong, and what could not be looked at. It knows nothing of what is checked but
// the machine: folders, file systems, room on the disk and the clock. Begin with [Examine].
package doctor

import (
	"context"
	"slices"
	"strings"
)

// Result is how a check came out. The texts are stable: they are printed as JSON.
type Result string

// The results.
const (
	Pass Result = "pass"
	Warn Result = "warn"
	Fail Result = "fail"
	Skip Result = "skip" // it could not be made, or was not asked for
)

// Verdict is what a check found.
type Verdict struct {
	Result  Result
	Finding string
	Advice  string // what to do; empty where nothing is to be done
	Err     error  // of a Fail
}

// Well is the verdict that nothing is wrong.
func Well(finding string) Verdict { return Verdict{Result: Pass, Finding: finding} }

// Doubtful is the verdict that something may be wrong.
func Doubtful(finding, advice string) Verdict {
	return Verdict{Result: Warn, Finding: finding, Advice: advice}
}

// Wrong is the verdict that an error tells of. What to do is the business of whoever knows errors.
func Wrong(err error) Verdict { return Verdict{Result: Fail, Finding: err.Error(), Err: err} }

// Unseen is the verdict that something could not be looked at.
func Unseen(why string) Verdict { return Verdict{Result: Skip, Finding: why} }

// Check is one thing to look at.
type Check struct {
	Name string // "login"
	Of   string // the connection, pipeline or stream that it is about; empty: none
	// Needs names earlier checks of the same About, or of none, without which this one is left out.
	Needs []string
	// About is the connection in whose name the check is made; empty: none.
	About string
	Look  func(context.Context) Verdict
}

// Title is what people call the check.
func (c Check) Title() string { return strings.TrimSpace(c.Name + " " + c.Of) }

// Outcome is a check that was made, or left out.
type Outcome struct {
	Check
	Verdict
}

// Examine makes the checks in their order, and leaves out those whose needs are not met. When the
// context ends it stops, with the context's error and what was found until then.
func Examine(ctx context.Context, checks []Check) ([]Outcome, error) {
	var all []Outcome
	for _, c := range checks {
		if ctx.Err() != nil {
			return all, context.Cause(ctx)
		}
		if missing := c.missing(all); missing != "" {
			all = append(all, Outcome{c, Unseen("needs the check of the " + missing)})
			continue
		}
		all = append(all, Outcome{c, c.Look(ctx)})
	}
	return all, context.Cause(ctx)
}

// missing is the first of the needs of a check that is not met.
func (c Check) missing(before []Outcome) string {
	for _, name := range c.Needs {
		if slices.ContainsFunc(before, func(o Outcome) bool {
			return o.Name == name && (o.About == "" || o.About == c.About) && (o.Result == Fail || o.Result == Skip)
		}) {
			return name
		}
	}
	return ""
}
