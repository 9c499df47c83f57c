package main

import (
	"context"
	"maps"
	"slices"

	"exactduck/cmd/exactduck/config"
	"exactduck/extract"
	"exactduck/schema"
)

// vendor is a kind of source as this program knows it: what [extract.Source] does not say. Another
// kind is a package under extract, and one of these.
type vendor interface {
	// catalogue is what the configuration is checked against.
	catalogue() config.Catalogue
	// deletions is the stream that tells which rows are gone; one without a name: nothing tells.
	deletions() *extract.Stream
	// places names the stream that Places reads, and what is asked before when no place is known;
	// "": nothing.
	places() (list, stranger string)
	// dial makes the source of a connection and sees to it that its login is good, see books.dial.
	dial(ctx context.Context, k *call, name string, known schema.Scope) (source, error)
	// describe says in words where a position is.
	describe(schema.Position) string
	// asksFilter tells whether a read of everything asks the source for a filter.
	asksFilter(v *extract.Variant, filter string) bool
	// documented is what the vendor's documentation says of a variant.
	documented(*extract.Variant) documentation
	// convert is what [load.Options] asks for.
	convert(v *schema.Vector, value []byte) (added, exact bool)
	// explain says what an answer of this vendor means and what to do about it.
	explain(error) (means, do string, known bool)
}

// source is a source whose calls are accounted.
type source interface {
	extract.Source
	Caller() *extract.Caller
	// Probe finds out by one call whether the login may read a variant, and returns how many rows
	// came: 0 or 1.
	Probe(ctx context.Context, s schema.Scope, v *extract.Variant) (int, error)
}

// documentation is what a vendor says of a variant beside what a read needs to know.
type documentation struct {
	Path       string
	Methods    []string
	Permission string   // what an app must be allowed: "crm accounts"
	Filterable []string // the only properties that can be filtered on; nil: all
	Parameters []parameterFacts
	Guessed    []string // columns of which no documentation states the type
	Selective  bool     // it refuses to be asked for all columns
}

// vendors are all there are, by the type of their connections.
var vendors = map[string]vendor{"exact-online": exactOnline{}}

// everyVendor lists them, always in the same order.
func everyVendor() []vendor {
	var all []vendor
	for _, kind := range slices.Sorted(maps.Keys(vendors)) {
		all = append(all, vendors[kind])
	}
	return all
}

// vendorOf is the one that a pipeline reads from.
func vendorOf(p *config.Pipeline) vendor { return vendors[p.Kind()] }

// catalogue is what configurations are checked against.
var catalogue = func() config.Catalogues {
	all := config.Catalogues{}
	for kind, v := range vendors {
		c := v.catalogue()
		c.Schedule = checkSchedule
		all[kind] = c
	}
	return all
}()

// isFeed tells whether a stream is one of deletions.
func isFeed(stream string) bool {
	return slices.ContainsFunc(everyVendor(), func(v vendor) bool { return v.deletions().Name == stream })
}
