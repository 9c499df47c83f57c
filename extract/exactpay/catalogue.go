package exactpay

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"exactduck/extract"
	"exactduck/schema"
)

//go:embed catalogue.txt
var catalogueText string

// Endpoint is one list as the catalogue has it. Nobody changes it.
type Endpoint struct {
	Name, Title string
	// Organization, Account and Own are its paths: in an organization, in an account, and for what the
	// token itself stands for; "": there is none.
	Organization, Account, Own string
	Shared, Personal           bool
	Quiet                      string // why wildcards leave it out; "": they do not
	Key                        []string
	Order, Cursor              string        // columns; "": it has none
	Lookback, Span             time.Duration // 0: none
	Each                       string        // the list of which every row has one of these; "": none has
	Sort                       string        // the documented spelling: "plain", "colon"; "": none
	Paged                      bool          // paging is documented
	Total                      string        // "header", "body", "none": where the number of rows is
	Permission                 string        // what the token must be allowed; a ? at its end: inferred
	Mark                       string        // how sure all that is: "confirmed", "single"
	Columns                    []Column
	Extra                      []string // properties known to have no column, a step into an object with a dot
	Secret                     []string // properties that are kept nowhere
}

// Column is a column as the catalogue has it.
type Column struct {
	Name string
	Type schema.Type
	Kind string // the vendor's word for its type
	Mark string // "confirmed", "single" or "example"
}

// Endpoints are all lists in the order of the catalogue.
func Endpoints() []*Endpoint { return loaded().endpoints }

// EndpointOf is the list that a variant of [Streams] reads; nil: the variant is of another source.
func EndpointOf(v *extract.Variant) *Endpoint {
	e, _ := v.Origin.(*Endpoint)
	return e
}

type catalogue struct {
	endpoints []*Endpoint
	streams   []*extract.Stream // sorted by name
}

var loaded = sync.OnceValue(func() *catalogue {
	c := &catalogue{}
	number := 0
	for line := range strings.Lines(catalogueText) {
		number++
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		word, rest, _ := strings.Cut(line, " ")
		if err := c.add(word, strings.TrimSpace(rest)); err != nil {
			panic(fmt.Sprintf("catalogue.txt:%d: %v", number, err))
		}
	}
	for _, e := range c.endpoints {
		c.streams = append(c.streams, e.stream())
	}
	slices.SortFunc(c.streams, func(a, b *extract.Stream) int { return strings.Compare(a.Name, b.Name) })
	return c
})

// add takes one line.
func (c *catalogue) add(word, rest string) (err error) {
	if word == "list" {
		c.endpoints = append(c.endpoints, &Endpoint{Name: rest, Paged: true})
		return nil
	}
	if len(c.endpoints) == 0 {
		return fmt.Errorf("%s before any list", word)
	}
	e := c.endpoints[len(c.endpoints)-1]
	switch word {
	case "column":
		return e.column(strings.Fields(rest))
	case "extra":
		e.Extra = append(e.Extra, rest)
	case "secret":
		e.Secret = append(e.Secret, rest)
	case "key":
		e.Key = strings.Fields(rest)
	case "shared", "personal":
		*map[string]*bool{"shared": &e.Shared, "personal": &e.Personal}[word] = true
	case "paging":
		e.Paged = rest != "none"
	case "lookback":
		e.Lookback, err = time.ParseDuration(rest)
	case "spans":
		e.Span, err = time.ParseDuration(rest)
	default:
		return e.text(word, rest)
	}
	return err
}

func (e *Endpoint) text(word, rest string) error {
	to := map[string]*string{
		"title": &e.Title, "organization": &e.Organization, "account": &e.Account, "own": &e.Own, "quiet": &e.Quiet,
		"order": &e.Order, "cursor": &e.Cursor, "each": &e.Each, "sort": &e.Sort, "total": &e.Total,
		"permission": &e.Permission, "mark": &e.Mark,
	}[word]
	if to == nil {
		return fmt.Errorf("nobody knows the word %q", word)
	}
	*to = rest
	return nil
}

func (e *Endpoint) column(fields []string) error {
	if len(fields) != 4 {
		return fmt.Errorf("a column has %d fields, not 4", len(fields))
	}
	kind, err := schema.ParseType(fields[1])
	e.Columns = append(e.Columns, Column{Name: fields[0], Type: kind, Kind: fields[2], Mark: fields[3]})
	return err
}
