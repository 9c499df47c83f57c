package exactonline

import (
	"strconv"

	"exactduck/extract"
	"exactduck/schema"
)

// Kind is what there is to know of Exact Online as a kind of source.
func Kind() extract.Kind {
	return extract.Kind{
		Streams: Streams, Lookup: Lookup, Match: Match, Example: "crm/*", Serves: claims, Owns: isDivision, Deletions: Deletions,
		Documented: documented, AsksFilter: FilterWhere, Describe: Describe, Convert: Convert, Explain: Explain,
	}
}

// claims claims no name: those that nobody else claims are of Exact Online, or of endpoints that its
// configuration has defined.
func claims(string) bool { return false }

func isDivision(s schema.Scope) bool {
	n, err := strconv.Atoi(string(s))
	return err == nil && n > 0
}

func documented(v *extract.Variant) extract.Documented {
	e := EndpointOf(v)
	d := extract.Documented{
		Path: e.Path, Methods: e.Methods, Permission: e.OAuthScope, Filterable: e.Filterable, Selective: e.SelectRequired,
	}
	for _, p := range e.Parameters {
		d.Parameters = append(d.Parameters, extract.Parameter{Name: p.Name, Type: p.Edm, Mandatory: p.Mandatory})
	}
	for _, p := range e.Properties {
		if p.Guessed {
			d.Guessed = append(d.Guessed, p.Name)
		}
	}
	return d
}
