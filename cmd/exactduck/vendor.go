package main

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"time"

	"exactduck/cmd/exactduck/config"
	"exactduck/extract"
	"exactduck/load"
	"exactduck/schema"
)

// vendor is a kind of source as this program knows it: what its package says of it, and what a run needs
// beside, its words and its logins. Another kind is a package under extract, and one of these.
type vendor interface {
	kind() extract.Kind
	// extras are what a configuration may write beside choosing among the streams of the kind.
	extras() config.Catalogue
	// words are what it calls things.
	words() words
	// places names the stream that Places reads, and what is asked before when no place is known;
	// "": nothing.
	places(*config.Connection) (list, stranger string)
	// asks is the place in whose name questions are asked that are about none; a stranger asks first
	// which there is.
	asks(c *config.Connection, met []load.Division, cursors []load.Cursor) (at schema.Scope, stranger bool)

	// login finds the login of a connection; it need not exist yet.
	login(k *call, name string) (*login, error)
	// enter is "auth login".
	enter(ctx context.Context, k *call, name string, l *login) (*view, error)
	// connect makes requests carry the login, and renews it when that is due.
	connect(ctx context.Context, k *call, l *login) (*http.Client, error)
	// leave tells the vendor that the login is over, before it is forgotten here.
	leave(ctx context.Context, k *call, l *login) error
	// stays says why a login cannot be taken to another machine; nil: it can.
	stays() error
	// open makes the source of a connection.
	open(k *call, name string, l *login, o opening) (source, error)
}

// opening is how a source is made.
type opening struct {
	client   *http.Client
	at       schema.Scope // see vendor.asks
	loggedIn time.Time    // zero: nobody has, or need
	maxCalls int
	once     bool // one attempt a call, also at what has refused before
}

// source is a source whose calls are accounted.
type source interface {
	extract.Source
	Caller() *extract.Caller
	// Probe finds out by one call whether the login may read a variant, and returns how many rows
	// came: 0 or 1.
	Probe(ctx context.Context, s schema.Scope, v *extract.Variant) (int, error)
}

// vendors are all there are, by the type of their connections.
var vendors = map[string]vendor{config.ExactOnline: exactOnline{}, config.ExactPay: exactPay{}}

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

// vendorNamed is the one that has a stream or an endpoint of a name. One that nobody knows is an endpoint
// that the configuration of Exact Online has defined.
func vendorNamed(name string) vendor {
	for _, v := range everyVendor() {
		if v.kind().Serves(name) {
			return v
		}
	}
	return vendors[config.ExactOnline]
}

// vendorOn is the one that a connection leads to.
func (k *call) vendorOn(connection string) vendor { return vendors[k.cfg.Connections[connection].Type] }

// catalogue is what configurations are checked against.
var catalogue = func() config.Catalogues {
	all := config.Catalogues{}
	for kind, v := range vendors {
		c, k := v.extras(), v.kind()
		c.Streams, c.Lookup, c.Match, c.Example, c.Schedule = k.Streams, k.Lookup, k.Match, k.Example, checkSchedule
		all[kind] = c
	}
	return all
}()

// isFeed tells whether a stream is one of deletions.
func isFeed(stream string) bool {
	return slices.ContainsFunc(everyVendor(), func(v vendor) bool { return v.kind().Deletions().Name == stream })
}
