package exactonline

import (
	_ "embed"
	"slices"
	"strings"
	"sync"
)

//go:generate go run ./generate

//go:embed catalogue.txt
var catalogueText string

// Endpoint is one documented address of the API. Endpoints are shared and must not be changed.
type Endpoint struct {
	Kind          string // "standard", "bulk", "sync", "read" or "beta"
	Path          string // "/api/v1/{division}/crm/Accounts", in the documented casing
	Service, Name string // as documented: "CRM", "Accounts"

	Key      []string // the OData key, by which pages are cut and links are made
	Identity []string // what stays the same for the life of a record, to upsert on

	// Properties in documented order, the nested and the dropped ones among them.
	Properties []Property
	// Filterable names the properties that $filter accepts; nil: no restriction is documented.
	Filterable []string
	// Parameters are what a function import takes in its query string.
	Parameters []Parameter

	SelectRequired    bool // refuses a request without $select
	NoSelectStar      bool // refuses $select=*
	HeaderAndLines    bool // a record is a header (LineNumber 0) or a line
	Pullable          bool // GET, with a key, without mandatory parameters, not retired
	Retired           bool // gone from the current documentation
	Function          bool // an operation rather than a collection
	Keyless           bool // a function that returns a single value
	ParametersUnknown bool // seems to take parameters that no source names

	PageSize int // rows to a page
	// Entity is the EntityType under which sync/Deleted reports this endpoint's records; 0: none.
	// EntityInferred says that the number was concluded from names and is not documented.
	Entity         int32
	EntityInferred bool
	// SyncTimestamp is the endPoint value under which the function SyncTimestamp knows this
	// endpoint; empty: it does not.
	SyncTimestamp string
	OAuthScope    string // "crm.accounts"; more than one are separated by spaces; empty: not documented
	Methods       []string
	ReplacedBy    []string // of a retired endpoint: the names of those to use instead
}

// Property is one property of an endpoint's records.
type Property struct {
	Name    string
	Edm     string // "Edm.Guid"; of a nested one "Nav:Notes" or "Complex:" and the type
	Guessed bool   // no reference states the type
	Key     bool   // part of the OData key
	Nested  bool   // records in a record; not a column
	Dropped bool   // only in older documentation; not a column, and an error in $select
}

// Parameter is one parameter of a function import.
type Parameter struct {
	Name      string
	Edm       string
	Mandatory bool
}

// Has reports whether records of the endpoint have a property of that name that is a column.
func (e *Endpoint) Has(name string) bool {
	return slices.ContainsFunc(e.Properties, func(p Property) bool { return p.Name == name && p.column() })
}

// PerDivision reports whether the address names a division.
func (e *Endpoint) PerDivision() bool { return strings.Contains(e.Path, placeholder) }

func (p Property) column() bool { return !p.Nested && !p.Dropped }

const (
	apiRoot     = "/api/v1/"
	placeholder = "{division}"
)

type catalogue struct {
	endpoints []*Endpoint
	byPath    map[string]*Endpoint // lower case
}

var loaded = sync.OnceValue(func() *catalogue { return newCatalogue(catalogueText) })

func newCatalogue(text string) *catalogue {
	c := &catalogue{endpoints: parseCatalogue(text), byPath: map[string]*Endpoint{}}
	for _, e := range c.endpoints {
		c.byPath[strings.ToLower(e.Path)] = e
	}
	return c
}

// Endpoints are all the documented endpoints, pullable or not, in a stable order.
func Endpoints() []*Endpoint { return slices.Clone(loaded().endpoints) }

// EndpointFor finds the endpoint at a path. Case does not matter, and a division's number may
// stand for the placeholder: "/api/v1/{division}/crm/Accounts", "/api/v1/123456/CRM/accounts".
func EndpointFor(path string) (*Endpoint, bool) {
	e, ok := loaded().byPath[withoutDivision(strings.ToLower(path))]
	return e, ok
}

// withoutDivision puts the placeholder where a path has a division's number: in the first
// segment behind the root or, under beta, in the second.
func withoutDivision(path string) string {
	rest, ok := strings.CutPrefix(path, apiRoot)
	if !ok {
		return path
	}
	begin := apiRoot
	if beta, ok := strings.CutPrefix(rest, "beta/"); ok {
		begin, rest = begin+"beta/", beta
	}
	first, rest, _ := strings.Cut(rest, "/")
	if first == "" || strings.Trim(first, "0123456789") != "" {
		return path
	}
	return begin + placeholder + "/" + rest
}
