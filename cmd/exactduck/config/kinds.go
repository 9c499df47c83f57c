package config

import (
	"fmt"
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
	// placeProblem says what is wrong with the name of a place; nil: nothing that can be seen without
	// asking the source.
	placeProblem func(string) error
}

// kinds are the types that the format knows. Another one is an entry here, and its keys.
var kinds = map[string]kind{
	ExactOnline: {
		address:      func(c *Connection) string { url, _ := RegionURL(c.Region); return url },
		check:        (*checker).exactOnline,
		placeProblem: divisionProblem,
	},
	ExactPay: {address: environmentURL, check: (*checker).exactPay, placeProblem: accountProblem},
}

// kindOf is a type of connection, or one of which nothing is known.
func kindOf(name string) kind {
	if k, known := kinds[name]; known {
		return k
	}
	return kind{
		address: func(*Connection) string { return "" }, check: func(*checker, path, *Connection) {}, placeProblem: divisionProblem,
	}
}

// connectionKeys and pipelineKeys are the keys that only one type takes, and what another one writes in
// their place.
var (
	connectionKeys = map[string]ownKey{
		"region": {ExactOnline, "environment"}, "client_id": {ExactOnline, "application"}, "client_secret": {ExactOnline, "token"},
		"redirect_url": {ExactOnline, ""}, "language": {ExactOnline, ""}, "server_timezone": {ExactOnline, ""}, "division": {ExactOnline, ""},
		"environment": {ExactPay, "region"}, "application": {ExactPay, "client_id"}, "token": {ExactPay, "client_secret"}, "organization": {ExactPay, ""},
	}
	pipelineKeys = map[string]ownKey{"divisions": {ExactOnline, "accounts"}, "accounts": {ExactPay, "divisions"}}
)

type ownKey struct{ of, otherwise string }

// foreign reports the keys of another type.
func (k *checker) foreign(at path, keys map[string]ownKey, here string) {
	if _, known := kinds[here]; !known {
		return
	}
	for key, own := range keys {
		if own.of == here || !k.config.source.has(at.to(key)...) {
			continue
		}
		hint := "remove it"
		if own.otherwise != "" {
			hint += fmt.Sprintf("; a connection of type %s has %s:", here, own.otherwise)
		}
		k.report(at.to(key), hint, "is for connections of type %s, and this one is of type %s", own.of, here)
	}
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
func (p *Pipeline) placesKey() string {
	if p.kind == ExactPay {
		return "accounts"
	}
	return "divisions"
}
