package exactonline

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"exactduck/extract"
)

// NotPullable says that an endpoint exists and why it is no stream. Instead holds the names of
// streams that have its records, if any do.
type NotPullable struct {
	Name, Reason string
	Instead      []string
}

func (e *NotPullable) Error() string {
	text := fmt.Sprintf("%s cannot be pulled: %s", e.Name, e.Reason)
	if len(e.Instead) > 0 {
		text += "; use " + strings.Join(e.Instead, " and ")
	}
	return text
}

// NoVariant says that a stream has no endpoint of the kind that its name demanded. Has holds the
// kinds that it has.
type NoVariant struct {
	Stream, Kind string
	Has          []string
}

func (e *NoVariant) Error() string {
	return fmt.Sprintf("stream %s has no %s endpoint, only %s", e.Stream, e.Kind, strings.Join(e.Has, ", "))
}

// Lookup finds a stream by its name, in any case. A name that begins with sync/, bulk/ or
// standard/ also forces that variant, which is nil otherwise. The error is an [*extract.UnknownStream], a
// [*NotPullable] or a [*NoVariant].
func Lookup(name string) (*extract.Stream, *extract.Variant, error) {
	lower, g := strings.ToLower(name), grouped()
	if s, ok := g.byName[lower]; ok {
		return s, nil, nil
	}
	if kind, rest, _ := strings.Cut(lower, "/"); slices.Contains([]string{"sync", "bulk", "standard"}, kind) {
		return forced(name, kind, rest)
	}
	if s, ok := g.byVariant[lower]; ok { // an address that differs from the name: current/Me
		return s.stream, nil, nil
	}
	return nil, nil, missing(name, lower)
}

// forced finds the variant of a kind by the path that is documented for it or, where the stream is
// called otherwise, by the stream's name.
func forced(name, kind, rest string) (*extract.Stream, *extract.Variant, error) {
	g := grouped()
	path := rest
	if kind != "standard" {
		path = kind + "/" + rest
	}
	if found, ok := g.byVariant[path]; ok && found.variant.Kind == kind {
		return found.stream, found.variant, nil
	}
	s, ok := g.byName[rest]
	if _, documented := unpulled()[path]; documented || !ok {
		return nil, nil, missing(name, rest)
	}
	none := &NoVariant{Stream: s.Name, Kind: kind}
	for _, v := range s.Variants {
		if v.Kind == kind {
			return s, v, nil
		}
		none.Has = append(none.Has, v.Kind)
	}
	return nil, nil, none
}

// missing is the error for a name that is no stream; lower is what to compare with.
func missing(name, lower string) error {
	for _, candidate := range []string{strings.ToLower(name), lower} {
		if e, ok := unpulled()[candidate]; ok {
			return notPullable(e)
		}
	}
	unknown := extract.Unknown(lower, grouped().all)
	unknown.Name = name
	return unknown
}

// unpulled are the endpoints that serve no stream, by the names that people may try.
var unpulled = sync.OnceValue(func() map[string]*Endpoint {
	all := map[string]*Endpoint{}
	for _, e := range loaded().endpoints {
		if !e.Pullable || e.Path == deletionsPath {
			all[strings.ToLower(streamName(e))] = e
			all[strings.ToLower(variantName(e))] = e
		}
	}
	return all
})

func notPullable(e *Endpoint) error {
	err := &NotPullable{Name: variantName(e), Reason: reason(e)}
	for _, name := range e.ReplacedBy {
		err.Instead = append(err.Instead, strings.ToLower(e.Service)+"/"+name)
	}
	return err
}

func reason(e *Endpoint) string {
	switch {
	case e.Path == deletionsPath:
		return "the deletions of a division are read with every run"
	case e.Retired:
		return "Exact has retired it"
	case len(e.Parameters) > 0:
		return fmt.Sprintf("it answers only for given parameters: %s; name them in pipelines.yaml: {stream: %s, params: {%s: …}}",
			e.signature(), streamName(e), e.Parameters[0].Name)
	case e.ParametersUnknown:
		return fmt.Sprintf("it seems to take parameters, which are not documented; who knows them can name them in pipelines.yaml: {stream: %s, params: {…: …}}",
			streamName(e))
	case !slices.Contains(e.Methods, "GET"):
		return "it is there to write, not to read"
	}
	return "it has no key"
}
