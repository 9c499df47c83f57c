package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"exactduck/extract"
)

// scopesOf are the OAuth scopes that an app registration needs to read what is configured.
type scopesOf struct {
	Connection string   `json:"connection"`
	what       string   // they are
	Scopes     []string `json:"scopes"`
	// Unknown are the endpoints for which no scope is documented.
	Unknown []string `json:"unknown"`
}

// scopes of the streams, of the deletions and of what every run asks beside.
func (p *patient) scopes() scopesOf {
	v := p.vendor()
	list, first := v.places(p.cfg.Connections[p.of])
	s := scopesOf{Connection: p.of, what: v.words().scopes, Scopes: []string{}, Unknown: []string{}}
	for _, name := range []string{list, first} {
		if stream, _, err := v.kind().Lookup(name); err == nil {
			s.add(v, stream.Variants[0])
		}
	}
	for _, i := range p.inquiries {
		full, more := ways(i.choice, i.variant.Name)
		s.add(v, full)
		s.add(v, more)
		if full.Table.Entity != 0 {
			s.add(v, v.kind().Deletions().Variants[0])
		}
	}
	slices.Sort(s.Scopes)
	slices.Sort(s.Unknown)
	return s
}

func (s *scopesOf) add(of vendor, v *extract.Variant) {
	d := of.kind().Documented(v)
	documented := strings.Fields(strings.Trim(d.Permission, "-"))
	if len(documented) == 0 && !d.Open {
		s.Unknown = including(s.Unknown, v.Name)
	}
	for _, scope := range documented {
		s.Scopes = including(s.Scopes, scope)
	}
}

func including(list []string, item string) []string {
	if slices.Contains(list, item) {
		return list
	}
	return append(list, item)
}

func (s scopesOf) print(out io.Writer) {
	fmt.Fprintf(out, "\n"+s.what+" needs, to read:\n", s.Connection)
	for _, scope := range s.Scopes {
		fmt.Fprintln(out, scope)
	}
	if len(s.Unknown) > 0 {
		fmt.Fprintf(out, "\nno scope is documented for %s\n", strings.Join(s.Unknown, ", "))
	}
}
