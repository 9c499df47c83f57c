package exactonline

import (
	"slices"
	"strings"
	"sync"

	"exactduck/extract"
	"exactduck/schema"
)

// The endpoint of deletions, which is read beside the streams of a division and is none of them.
const deletionsPath = apiRoot + placeholder + "/sync/Deleted"

// kinds in the order of what a row costs, the cheapest first.
var kinds = []string{"sync", "bulk", "standard", "read", "beta"}

type streams struct {
	all       []*extract.Stream
	byName    map[string]*extract.Stream // lower case
	byVariant map[string]serving         // lower case
	deletions *extract.Stream
}

// serving says for which stream a variant is read.
type serving struct {
	stream  *extract.Stream
	variant *extract.Variant
}

var grouped = sync.OnceValue(group)

func group() *streams {
	s := &streams{byName: map[string]*extract.Stream{}, byVariant: map[string]serving{}}
	for name, endpoints := range entities() {
		s.add(newStream(name, endpoints))
	}
	slices.SortFunc(s.all, func(a, b *extract.Stream) int { return strings.Compare(a.Name, b.Name) })
	s.deletions = deletionsStream()
	return s
}

func (s *streams) add(stream *extract.Stream) {
	s.all = append(s.all, stream)
	s.byName[strings.ToLower(stream.Name)] = stream
	for _, v := range stream.Variants {
		s.byVariant[strings.ToLower(v.Name)] = serving{stream, v}
	}
}

// Streams are the logical entities that can be pulled, sorted by name. They are shared and must
// not be changed. The deletions are none of them, see [Deletions].
func Streams() []*extract.Stream { return slices.Clone(grouped().all) }

// Deletions is the stream of what was deleted in a division, whatever its entity. Its rows belong
// into the tombstones of the warehouse. Its version is of the sequence that numbers the records
// of all sync variants of the division, and Exact keeps it for two months.
func Deletions() *extract.Stream { return grouped().deletions }

// EndpointOf is the endpoint that a variant reads, nil when the variant is not of this package.
func EndpointOf(v *extract.Variant) *Endpoint {
	e, _ := v.Origin.(*Endpoint)
	return e
}

// entities groups the pullable endpoints by the name of the stream that they serve, the cheapest
// of a stream first.
func entities() map[string][]*Endpoint {
	groups := map[string][]*Endpoint{}
	for _, e := range loaded().endpoints {
		if e.Pullable && e.Path != deletionsPath {
			name := joined(streamName(e))
			groups[name] = append(groups[name], e)
		}
	}
	for name, group := range groups {
		slices.SortStableFunc(group, func(a, b *Endpoint) int {
			return slices.Index(kinds, a.Kind) - slices.Index(kinds, b.Kind)
		})
		if sync := group[0]; len(group) > 1 && ownGrain(sync, group[1:]) {
			groups[name], groups[name+"Sync"] = group[1:], group[:1]
		}
	}
	return groups
}

// ownGrain reports whether the records of a sync feed are others than those of its namesakes:
// under another identity, or of another grain.
func ownGrain(e *Endpoint, namesakes []*Endpoint) bool {
	return e.Kind == "sync" &&
		(!slices.Equal(e.Identity, namesakes[0].Identity) || decided("own", variantName(e)) != "")
}

// streamName is the name under which people look an endpoint up: its service in lower case and
// its entity as documented, behind "read/" or "beta/" where the documentation has it so.
func streamName(e *Endpoint) string {
	name := strings.ToLower(e.Service) + "/" + strings.Join(entity(e), "/")
	if e.Kind == "read" || e.Kind == "beta" {
		name = e.Kind + "/" + name
	}
	return name
}

// variantName is the path of an endpoint behind the division.
func variantName(e *Endpoint) string {
	return strings.Replace(strings.TrimPrefix(e.Path, apiRoot), placeholder+"/", "", 1)
}

// entity is what the path says after the service.
func entity(e *Endpoint) []string {
	parts := strings.Split(variantName(e), "/")
	if slices.Contains([]string{"sync", "bulk", "read", "beta"}, parts[0]) {
		parts = parts[1:]
	}
	return parts[1:]
}

func newStream(name string, endpoints []*Endpoint) *extract.Stream {
	s := &extract.Stream{
		Name:     name,
		Shared:   decided("shared", name) != "",
		Quiet:    decided("quiet", name) != "",
		Personal: decided("personal", name) != "",
	}
	s.Header, s.HeaderKey = headerOf(name)
	s.PartOf = partsOf(name)
	types := columnTypesOf(name, endpoints)
	for _, e := range endpoints {
		dated, _ := datedBy(name, e)
		v := newVariant(e, newTable(name, e, types, deletedAs(endpoints)))
		v.Cursor, v.Dated = cursorOf(e), dated
		s.Variants = append(s.Variants, v)
	}
	return s
}

// newVariant is an endpoint as others see it, without a cursor.
func newVariant(e *Endpoint, t *schema.Table) *extract.Variant {
	return &extract.Variant{
		Name: variantName(e), Kind: e.Kind, Table: t, PageSize: e.PageSize, Origin: e,
		Searchable: !e.SelectRequired && !e.Keyless, Countable: e.Kind == "standard" && !e.Function, Indexed: e.SyncTimestamp != "",
	}
}

// deletedAs is the number under which the deletions feed reports the records of a stream,
// whichever variant brought them. A number that was only inferred is not relied upon: the stream
// is swept instead.
func deletedAs(endpoints []*Endpoint) int32 {
	for _, e := range endpoints {
		if e.Entity != 0 && !e.EntityInferred {
			return e.Entity
		}
	}
	return 0
}

func cursorOf(e *Endpoint) extract.Cursor {
	switch {
	case e.Kind == "sync":
		return extract.Versioned
	case e.Has("Modified") && (e.Filterable == nil || slices.Contains(e.Filterable, "Modified")):
		return extract.Modified
	}
	return extract.Whole
}

var scopeColumn = schema.Column{Name: "_division", Type: schema.Integer}

func deletionsStream() *extract.Stream {
	e, ok := EndpointFor(deletionsPath)
	if !ok {
		panic("catalogue.txt lacks sync/Deleted")
	}
	table := newTable("_exactduck/tombstones", e, columnTypesOf("sync/Deleted", []*Endpoint{e}), 0)
	table.Key = []string{"EntityType", "EntityKey"}
	v := newVariant(e, table)
	v.Cursor = extract.Versioned
	return &extract.Stream{Name: "sync/Deleted", Variants: []*extract.Variant{v}}
}
