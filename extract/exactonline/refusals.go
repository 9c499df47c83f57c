package exactonline

import (
	"cmp"
	_ "embed"
	"regexp"
	"strings"
	"sync"

	"exactduck/extract"
)

//go:embed refusals.txt
var refusalsText string

var meanings = sync.OnceValue(func() *extract.Meanings {
	m := extract.ParseMeanings(refusalsText)
	m.Same = func(answer, line string) bool { return line == "" || strings.EqualFold(line, answer) }
	m.Blank, m.Fill = "{scope}", scopeFor
	return m
})

// Explain finds what is known of the answer that an error is about, an *[extract.Refused] or an
// *[extract.Unreachable] in its tree; false: nothing is.
func Explain(err error) (extract.Explanation, bool) { return meanings().Explain(err) }

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
