package config

import (
	"fmt"
	"maps"
	"slices"
)

// The types of connections.
const (
	ExactOnline = "exact-online"
	ExactPay    = "exactpay"
)

// kind is what a type of connection means to the format.
type kind struct {
	// address is where it is, unless base_url says so; "": nobody said.
	address func(*Connection) string
	// check looks at what only this type has.
	check func(*checker, path, *Connection)
	// keys are those of a connection that only this type takes, with what they are for where other types have
	// other keys for the same.
	keys map[string]string
	// places is the key of its pipelines that names places.
	places string
	// placeProblem says what is wrong with the name of a place; nil: nothing that can be seen without
	// asking the source.
	placeProblem func(string) error
}

// kinds are the types that the format knows. Another one is an entry here, and its keys.
var kinds = map[string]kind{
	ExactOnline: {
		address: func(c *Connection) string { url, _ := RegionURL(c.Region); return url },
		check:   (*checker).exactOnline,
		keys: map[string]string{
			"region": "site", "client_id": "app", "client_secret": "secret", "redirect_url": "", "language": "", "server_timezone": "", "division": "",
		},
		places: "divisions", placeProblem: divisionProblem,
	},
	ExactPay: {
		address: environmentURL,
		check:   (*checker).exactPay,
		keys:    map[string]string{"environment": "site", "application": "app", "token": "secret", "organization": ""},
		places:  "accounts", placeProblem: accountProblem,
	},
}

// kindOf is a type of connection, or one of which nothing is known.
func kindOf(name string) kind {
	if k, known := kinds[name]; known {
		return k
	}
	return kind{
		address: func(*Connection) string { return "" }, check: func(*checker, path, *Connection) {}, placeProblem: divisionProblem,
		places: kinds[ExactOnline].places,
	}
}

// foreign reports the keys of other types, of which keys gives those of one.
func (k *checker) foreign(at path, here string, keys func(kind) map[string]string) {
	own, known := kinds[here]
	for _, other := range slices.Sorted(maps.Keys(kinds)) {
		for key, what := range keys(kinds[other]) {
			if _, ours := keys(own)[key]; !known || ours || !k.config.source.has(at.to(key)...) {
				continue
			}
			hint := "remove it"
			if otherwise := keyFor(what, keys(own)); otherwise != "" {
				hint += fmt.Sprintf("; a connection of type %s has %s:", here, otherwise)
			}
			k.report(at.to(key), hint, "is for connections of type %s, and this one is of type %s", other, here)
		}
	}
}

// keyFor is the key that is for something; "": none is.
func keyFor(what string, keys map[string]string) string {
	for key, is := range keys {
		if is == what && what != "" {
			return key
		}
	}
	return ""
}

// complete says which places are read.
func (p *Pipeline) complete() {
	if p.placesKey() == "accounts" {
		p.Divisions = slices.Clone(p.Accounts)
	}
	if len(p.Divisions) == 0 {
		p.Divisions = Divisions{"all"}
	}
}

// placesKey is the key that names the places of a pipeline.
func (p *Pipeline) placesKey() string { return kindOf(p.kind).places }

// placesKeys is that key and what it is for, as kind.keys has it.
func (k kind) placesKeys() map[string]string { return map[string]string{k.places: "places"} }

func (k kind) connectionKeys() map[string]string { return k.keys }
