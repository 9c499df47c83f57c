package exactonline

import (
	"cmp"
	_ "embed"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"

	"exactduck/extract"
)

//go:embed refusals.txt
var refusalsText string

// Explanation says in plain words what an answer of the API means, and what to do.
type Explanation struct{ Means, Do string }

// meaning is one line of refusals.txt.
type meaning struct {
	status, reason, words string
	Explanation
}

var meanings = sync.OnceValue(func() []meaning {
	var all []meaning
	number := 0
	for line := range strings.Lines(refusalsText) {
		number++
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		fields := strings.Split(line, "|")
		if len(fields) != 5 {
			panic(fmt.Sprintf("refusals.txt:%d: %d fields, not 5", number, len(fields)))
		}
		for i := range fields {
			fields[i] = strings.TrimSpace(fields[i])
		}
		all = append(all, meaning{fields[0], fields[1], fields[2], Explanation{fields[3], fields[4]}})
	}
	return all
})

func (m meaning) fits(status int, reason, message string) bool {
	switch {
	case m.status != "*" && m.status != fmt.Sprint(status):
		return false
	case m.reason != "" && !strings.EqualFold(m.reason, reason):
		return false
	}
	return strings.Contains(strings.ToLower(message), m.words)
}

// Explain finds what is known of the answer that an error is about, an *[extract.Refused] or an
// *[extract.Unreachable] in its tree; false: nothing is.
func Explain(err error) (Explanation, bool) {
	if refused, ok := errors.AsType[*extract.Refused](err); ok {
		return explain(refused.Status, refused.Endpoint, refused.Reason, refused.Message)
	}
	if gone, ok := errors.AsType[*extract.Unreachable](err); ok && gone.Err != nil {
		return explain(0, gone.Endpoint, "", gone.Err.Error())
	}
	return Explanation{}, false
}

func explain(status int, endpoint, reason, message string) (Explanation, bool) {
	for _, m := range meanings() {
		if m.fits(status, reason, message) {
			scope := strings.NewReplacer("{scope}", scopeFor(endpoint, message))
			return Explanation{scope.Replace(m.Means), scope.Replace(m.Do)}, true
		}
	}
	return Explanation{}, false
}

var namedScope = regexp.MustCompile(`'([A-Za-z]+\.[A-Za-z.]+)'`)

// scopeFor is the scope that a refusal names, or the one that the endpoint is documented to need.
func scopeFor(endpoint, message string) string {
	if m := namedScope.FindStringSubmatch(message); m != nil {
		return m[1]
	}
	documented := ""
	if e := endpointNamed(endpoint); e != nil {
		documented = strings.Join(strings.Fields(e.OAuthScope), " and ")
	}
	return cmp.Or(documented, "for it (which one is not documented)")
}

// endpointNamed finds an endpoint by the name that its variant has or would have.
func endpointNamed(variant string) *Endpoint {
	paths := []string{placeholder + "/" + variant, variant}
	if rest, beta := strings.CutPrefix(variant, "beta/"); beta {
		paths = []string{"beta/" + placeholder + "/" + rest}
	}
	for _, path := range paths {
		if e, ok := EndpointFor(apiRoot + path); ok {
			return e
		}
	}
	return nil
}
