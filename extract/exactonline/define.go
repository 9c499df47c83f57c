package exactonline

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"exactduck/extract"
	"exactduck/schema"
)

// Definition describes an endpoint that the catalogue does not have.
type Definition struct {
	// Stream is the name of the stream: "crm/NewThings"; empty: as the path says.
	Stream string
	// Path is what follows the division in the address: "crm/NewThings", "sync/CRM/NewThings",
	// "bulk/…", "read/…", "beta/…".
	Path string
	// Key names what identifies a record for its whole life, which of a sync endpoint is not its
	// Timestamp. Empty: the records are replaced whole every time.
	Key []string
	// Types holds the columns: by the name of the property a type of OData ("Guid", "Edm.Int32") or
	// of the warehouse ("UUID", "INTEGER", "DECIMAL(18,4)").
	Types map[string]string
	// Modified names the property that says when a record was last changed; empty: none does.
	Modified string
	// PageSize is how many records come at once; 0: what the kind of endpoint is known for.
	PageSize int
}

// BadDefinition says what is wrong with a [Definition], and in which of its fields, by the name
// that it has in a configuration: "stream", "path", "key", "types", "modified".
type BadDefinition struct{ Path, Field, Problem string }

func (e *BadDefinition) Error() string {
	return fmt.Sprintf("endpoint %q: %s: %s", e.Path, e.Field, e.Problem)
}

// Define makes a stream of an endpoint that the catalogue does not have, or has as one that cannot
// be pulled. A sync endpoint has row versions, and is read from the last one on; another one with a
// key and a Modified property is read from the last time on; the rest whole. The error is a
// [*BadDefinition].
func Define(d Definition) (*extract.Stream, error) {
	e, err := d.endpoint()
	if err != nil {
		return nil, err
	}
	table, err := d.table(e)
	if err != nil {
		return nil, err
	}
	v := newVariant(e, table)
	v.Dated = d.Modified
	switch {
	case e.Kind == "sync":
		v.Cursor = extract.Versioned
	case d.Modified != "" && len(d.Key) > 0:
		v.Cursor = extract.Modified
	}
	name := cmp.Or(d.Stream, streamName(e))
	return &extract.Stream{Name: name, Personal: decided("personal", name) != "", Variants: []*extract.Variant{v}}, nil
}

func (d *Definition) bad(field, problem string) error { return &BadDefinition{d.Path, field, problem} }

// endpoint is what a catalogue that had it would say.
func (d *Definition) endpoint() (*Endpoint, error) {
	parts := strings.Split(d.Path, "/")
	kind := strings.ToLower(parts[0])
	if !slices.Contains([]string{"sync", "bulk", "read", "beta"}, kind) {
		kind, parts = "standard", append([]string{""}, parts...)
	}
	if len(parts) < 3 || slices.ContainsFunc(parts[1:], func(part string) bool { return !simpleName.MatchString(part) }) {
		return nil, d.bad("path", "not what follows the division in an address, like crm/NewThings or sync/CRM/NewThings")
	}
	path := apiRoot + placeholder + "/" + d.Path
	if kind == "beta" {
		path = apiRoot + "beta/" + placeholder + d.Path[len("beta"):]
	}
	e := &Endpoint{
		Kind: kind, Path: path, Service: parts[1], Name: parts[len(parts)-1],
		Methods: []string{"GET"}, PageSize: cmp.Or(d.PageSize, pageSizes[kind], 60),
		Key: d.Key, Identity: d.Key, Pullable: true,
	}
	return e, d.unlike(e)
}

var pageSizes = map[string]int{"sync": 1000, "bulk": 1000}

// unlike makes sure that the endpoint and its stream are none that there are already, and takes
// over what the catalogue knows of one that it has and does not pull.
func (d *Definition) unlike(e *Endpoint) error {
	if known, ok := EndpointFor(e.Path); ok {
		found, _, err := Lookup(forcing(known))
		switch {
		case err == nil:
			return d.bad("path", "this endpoint is known: it is stream "+found.Name)
		case known.Path == deletionsPath:
			return d.bad("path", "the deletions of a division are read with every run")
		}
		e.Properties, e.Filterable, e.OAuthScope = slices.Clone(known.Properties), known.Filterable, known.OAuthScope
		e.SelectRequired, e.NoSelectStar = known.SelectRequired, known.NoSelectStar
	}
	if d.Stream != "" {
		parts := strings.Split(d.Stream, "/")
		if len(parts) < 2 || slices.ContainsFunc(parts, func(part string) bool { return !simpleName.MatchString(part) }) {
			return d.bad("stream", fmt.Sprintf("%q is no name of a stream, like crm/NewThings", d.Stream))
		}
	}
	if taken := livesIn(tableName(cmp.Or(d.Stream, streamName(e)))); taken != "" {
		return d.bad("stream", "stream "+taken+" has that table; name it otherwise")
	}
	return nil
}

// forcing is the name under which Lookup finds an endpoint.
func forcing(e *Endpoint) string {
	if e.Kind == "standard" {
		return "standard/" + variantName(e)
	}
	return variantName(e)
}

// table describes the columns: the key first, the rest in the order of the alphabet.
func (d *Definition) table(e *Endpoint) (*schema.Table, error) {
	t := &schema.Table{Scope: scopeColumn, Key: d.Key}
	t.Service, t.Name = tableName(cmp.Or(d.Stream, streamName(e)))
	types, err := d.types(e)
	if err != nil {
		return nil, err
	}
	if e.Kind == "sync" {
		if len(d.Key) == 0 {
			return nil, d.bad("key", "a sync endpoint needs one: what identifies a record for its whole life, mostly ID")
		}
		t.Version, e.Key = versionName, []string{versionName}
		types[versionName] = Property{Name: versionName, Edm: edmInt64}
	}
	for _, key := range d.Key {
		if _, ok := types[key]; !ok || key == t.Version {
			return nil, d.bad("key", fmt.Sprintf("%s is not among the types", key))
		}
	}
	if d.Modified != "" {
		if p, ok := types[d.Modified]; ok && p.Edm != edmDateTime {
			return nil, d.bad("modified", d.Modified+" has another type than DateTime")
		}
		types[d.Modified] = Property{Name: d.Modified, Edm: edmDateTime}
	}
	e.Properties = nil
	for _, name := range d.ordered(types) {
		p := types[name]
		e.Properties = append(e.Properties, p)
		t.Columns = append(t.Columns, schema.Column{Name: name, Type: d.columnType(p), Source: p.Edm})
	}
	if len(t.Columns) == 0 {
		return nil, d.bad("types", "missing: which columns are there?")
	}
	return t, nil
}

// versionName is the property that orders the states of a record of a sync endpoint.
const versionName = "Timestamp"

// types are the properties, those that the catalogue has among them.
func (d *Definition) types(e *Endpoint) (map[string]Property, error) {
	types := map[string]Property{}
	for _, p := range e.Properties {
		if p.column() {
			types[p.Name] = p
		}
	}
	for _, name := range slices.Sorted(maps.Keys(d.Types)) {
		if !simpleName.MatchString(name) {
			return nil, d.bad("types", fmt.Sprintf("%q is no name of a property", name))
		}
		edm, ok := edmNamed(d.Types[name])
		if !ok {
			return nil, d.bad("types", fmt.Sprintf("%s: there is no type %q; there are %s", name, d.Types[name], strings.Join(typesToGive(), ", ")))
		}
		for other := range types {
			if other != name && strings.EqualFold(other, name) {
				delete(types, other)
			}
		}
		types[name] = Property{Name: name, Edm: edm}
	}
	return types, nil
}

// ordered are the names with the version and the key first.
func (d *Definition) ordered(types map[string]Property) []string {
	names := slices.Collect(maps.Keys(types))
	rank := func(name string) int {
		if at := slices.Index(d.Key, name); at >= 0 {
			return at
		}
		return len(d.Key)
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(strings.ToLower(a), strings.ToLower(b)), cmp.Compare(a, b))
	})
	return names
}

// columnType is DECIMAL for a Double that was called so.
func (d *Definition) columnType(p Property) schema.Type {
	if strings.HasPrefix(strings.ToUpper(strings.TrimSpace(d.Types[p.Name])), "DECIMAL") {
		return schema.Decimal
	}
	return columnTypes[p.Edm]
}

// edmNamed finds a type by the name that OData or the warehouse has for it, in any case.
func edmNamed(name string) (string, bool) {
	name = strings.ToUpper(strings.ReplaceAll(name, " ", ""))
	if name == "DECIMAL" || name == schema.Decimal.String() {
		return edmDouble, true
	}
	for edm, t := range columnTypes {
		if name == strings.ToUpper(edm) || "EDM."+name == strings.ToUpper(edm) || name == t.String() {
			return edm, true
		}
	}
	return "", false
}

func typesToGive() []string {
	var names []string
	for edm := range columnTypes {
		names = append(names, strings.TrimPrefix(edm, "Edm."))
	}
	slices.Sort(names)
	return append(names, "DECIMAL")
}
