package exactpay

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"exactduck/extract"
	"exactduck/schema"
)

// Kind is what there is to know of Exact Payments as a kind of source. Nothing tells which rows are gone,
// and there are no filters.
func Kind() extract.Kind {
	return extract.Kind{
		Streams: Streams, Lookup: Lookup, Match: Match, Example: Service + "/*", Serves: serves, Owns: isAccount,
		Deletions:  func() *extract.Stream { return silence },
		Documented: documented,
		AsksFilter: func(*extract.Variant, string) bool { return false },
		Describe:   Describe, Convert: Convert, Explain: Explain,
	}
}

// silence is the stream of deletions, which there is not.
var silence = &extract.Stream{}

func serves(name string) bool { return strings.HasPrefix(name, Service+"/") }

func isAccount(s schema.Scope) bool { return CheckIdentity("account", string(s)) == nil }

func documented(v *extract.Variant) extract.Documented {
	e := EndpointOf(v)
	d := extract.Documented{
		Path: cmp.Or(e.Account, e.Organization, e.Own), Methods: []string{http.MethodGet}, Permission: strings.Join(e.permissions(), " "),
		Open: e.Permission == "-", Cursor: e.Cursor,
	}
	if e.Span > 0 {
		d.Cursor = "spans of time"
	}
	for _, name := range e.Extra {
		if top, _, _ := strings.Cut(name, "."); !slices.Contains(d.Kept, top) {
			d.Kept = append(d.Kept, top)
		}
	}
	for _, c := range e.Columns {
		if c.Mark == "example" {
			d.Guessed = append(d.Guessed, c.Name)
		}
	}
	return d
}

// permissions are what a token must be allowed to read a list, and the one that it is asked for each row of.
func (e *Endpoint) permissions() (all []string) {
	for _, other := range Endpoints() {
		if other.Name == e.Name || other.Name == e.Each {
			if p := strings.TrimSuffix(other.Permission, "?"); p != "-" && !slices.Contains(all, p) {
				all = append(all, p)
			}
		}
	}
	return all
}
