package sandbox

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"exactduck/extract/exactonline"
)

// recordSet is what one kind of record consists of, whichever endpoints show it: the sync, bulk
// and standard endpoints of one stream are views of one set.
type recordSet struct {
	name     string // "crm/Accounts", the name of the stream
	columns  []column
	index    map[string]int // by name, as documented and in lower case
	identity []int          // the columns that tell records apart
	entity   int32          // in sync/Deleted; 0: not reported there
	ordinal  int            // place among all sets, from which the first row versions follow

	mixed  bool         // a record is a header or a line
	header *recordSet   // of which these records are lines; nil: of none
	parent int          // the column that has the key of the header
	lines  []*recordSet // the sets whose records are lines of these
}

// column is one property of a set, as the first of its views has it.
type column struct {
	name, edm string
}

// property is one property of a view.
type property struct {
	name, edm string
	nested    bool
	col       int  // in the set; versionColumn for Timestamp; addedColumn for one that drift brought
	same      bool // the set has it under the same type
	value     any  // of an added property
}

const (
	versionColumn = -1
	addedColumn   = -2
)

// of reads the property from a record.
func (p *property) of(r *record) any {
	switch {
	case p.same && p.col >= 0:
		return r.val(p.col)
	case p.col >= 0:
		return fit(r.val(p.col), p.edm)
	case p.col == versionColumn:
		return r.version
	}
	return p.value
}

// view is one endpoint over a set.
type view struct {
	endpoint *exactonline.Endpoint
	set      *recordSet
	pattern  string // the documented path in lower case, "{division}" in it
	typeName string // Exact.Web.Api.Models.…
	props    []*property
	byName   map[string]*property // exact names: OData minds the case
	key      []*property
}

func (v *view) property(name string) *property { return v.byName[name] }

func (v *view) noProperty(name string) error {
	return badRequest(fmt.Sprintf("Type %s does not have a property named %s", v.typeName, name))
}

// catalogue is every endpoint as a view. It is made once and then only read.
type catalogue struct {
	views map[string]*view // by pattern
	sets  map[string]*recordSet
}

// sameRecords names streams that show the records of another one though no variant says so.
var sameRecords = map[string]string{
	"financialtransaction/TransactionLines": "financial/TransactionLines",
}

var published = sync.OnceValue(func() *catalogue {
	c := &catalogue{views: map[string]*view{}, sets: map[string]*recordSet{}}
	streams := map[string]string{}
	for _, s := range exactonline.Streams() {
		for _, v := range s.Variants {
			streams[exactonline.EndpointOf(v).Path] = s.Name
		}
	}
	endpoints := slices.Clone(exactonline.Endpoints())
	slices.SortStableFunc(endpoints, func(a, b *exactonline.Endpoint) int { return rank(a) - rank(b) })
	for _, e := range endpoints {
		c.add(e, streams[e.Path])
	}
	for i, name := range slices.Sorted(maps.Keys(c.sets)) {
		c.sets[name].ordinal = i
	}
	for _, s := range exactonline.Streams() {
		if s.Header != "" {
			c.sets[s.Name].belong(c.sets[s.Header], s.HeaderKey)
		}
	}
	return c
})

// belong makes the records of a set lines of those of another.
func (s *recordSet) belong(header *recordSet, key string) {
	s.header, s.parent = header, s.column(key)
	header.lines = append(header.lines, s)
}

// rank lets the cheapest view of a set decide about types.
func rank(e *exactonline.Endpoint) int {
	return slices.Index([]string{"sync", "bulk", "standard", "read", "beta"}, e.Kind)
}

func (c *catalogue) add(e *exactonline.Endpoint, stream string) {
	if stream == "" {
		stream = e.Path
	}
	if same, ok := sameRecords[stream]; ok {
		stream = same
	}
	set := c.sets[stream]
	if set == nil {
		set = &recordSet{name: stream, index: map[string]int{}}
		c.sets[stream] = set
	}
	v := &view{endpoint: e, set: set, pattern: strings.ToLower(e.Path), typeName: modelName(e), byName: map[string]*property{}}
	for _, p := range e.Properties {
		if !p.Dropped {
			v.addProperty(set, p, e.Kind == "sync")
		}
	}
	for _, name := range e.Key {
		v.key = append(v.key, v.byName[name])
	}
	if set.identity == nil {
		for _, name := range e.Identity {
			set.identity = append(set.identity, set.index[strings.ToLower(name)])
		}
	}
	if e.Entity != 0 {
		set.entity = e.Entity
	}
	set.mixed = set.mixed || e.HeaderAndLines
	c.views[v.pattern] = v
}

func (v *view) addProperty(set *recordSet, p exactonline.Property, sync bool) {
	if v.byName[p.Name] != nil {
		return // documented twice
	}
	prop := &property{name: p.Name, edm: p.Edm, nested: p.Nested}
	v.props = append(v.props, prop)
	v.byName[p.Name] = prop
	if p.Nested {
		return
	}
	if sync && p.Name == "Timestamp" {
		prop.col, prop.same = versionColumn, true
		return
	}
	col, known := set.index[strings.ToLower(p.Name)]
	if !known {
		col = len(set.columns)
		set.columns = append(set.columns, column{p.Name, p.Edm})
		set.index[strings.ToLower(p.Name)] = col
	}
	set.index[p.Name] = col
	prop.col, prop.same = col, set.columns[col].edm == p.Edm
}

// column finds a column of the set by name, or -1.
func (s *recordSet) column(name string) int {
	i, ok := s.index[name]
	if !ok {
		i, ok = s.index[strings.ToLower(name)]
	}
	if !ok {
		return -1
	}
	return i
}

// rootModels live outside of a service's name space, as recordings of them show.
var rootModels = []string{"CRM", "SalesInvoice", "SalesOrder", "Logistics"}

func modelName(e *exactonline.Endpoint) string {
	name := singular(e.Name)
	if slices.Contains(rootModels, e.Service) || name == "GLAccount" {
		return "Exact.Web.Api.Models." + name
	}
	return "Exact.Web.Api.Models." + e.Service + "." + name
}

func singular(name string) string {
	switch {
	case strings.HasSuffix(name, "ies"):
		return strings.TrimSuffix(name, "ies") + "y"
	case strings.HasSuffix(name, "sses"), strings.HasSuffix(name, "xes"):
		return strings.TrimSuffix(name, "es")
	}
	return strings.TrimSuffix(name, "s")
}

var (
	divisionSegment = regexp.MustCompile(`^(/api/v1/(?:beta/)?)(\d+)(/.*)$`)
	keySuffix       = regexp.MustCompile(`^(.*?)\((.*)\)$`)
)

// address is a path of the API, taken apart.
type address struct {
	path     string // lower case, "{division}" in it, without key and /$count
	division int    // 0: none in the path
	key      string // what stood between parentheses
	keyed    bool
	count    bool
}

func parseAddress(path string) address {
	a := address{path: path}
	if m := divisionSegment.FindStringSubmatch(path); m != nil {
		code, err := strconv.ParseInt(m[2], 10, 32)
		if err != nil {
			code = -1 // no division has such a number
		}
		a.division = int(code)
		a.path = m[1] + "{division}" + m[3]
	}
	if rest, ok := strings.CutSuffix(a.path, "/$count"); ok {
		a.path, a.count = rest, true
	}
	if m := keySuffix.FindStringSubmatch(a.path); m != nil {
		a.path, a.key, a.keyed = m[1], m[2], true
	}
	a.path = strings.ToLower(strings.TrimSuffix(a.path, "/"))
	return a
}
