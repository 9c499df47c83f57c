package main

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"time"

	"exactduck/cmd/exactduck/config"
	"exactduck/schema"
)

// words are what a vendor calls things.
type words struct {
	name        string // of the vendor: "Exact"
	place       string // "division"
	asleep      string // of a place in which nothing happens any more: "archived or blocked"
	closed      string // what to do when a login can open no place
	permission  string // what a login must have been granted: "OAuth scope"
	site        string // what its hosts differ in: "region"
	credentials string // "client id and secret are there"
	scopes      string // "scopes that the app registration of %s"
	known       string // of a host that has accepted the login: "knows this client id"
	patience    string // why an endpoint is left alone that refuses again and again
	// perMinute and perDay are how many calls a place is assumed to have before an answer tells; 0: no limit.
	perMinute, perDay int
}

// beginning is from when on rows of a stream are there: since a date, or from where its lists begin.
func beginning(stream, since string) string {
	return cmp.Or(since, beginnings()[stream], "the beginning")
}

// beginnings are from when on streams are read that do not begin with the first row.
var beginnings = sync.OnceValue(func() map[string]string {
	all := map[string]string{}
	for _, v := range everyVendor() {
		for _, s := range v.kind().Streams() {
			if from := s.Variants[0].Earliest; !from.IsZero() {
				all[s.Name] = from.Format(time.DateOnly)
			}
		}
	}
	return all
})

// wholly is where things are that belong to a connection, and to no place in it.
const wholly = "connection"

// shownScope is what tables show of a scope.
func shownScope[S ~string](s S) string {
	if string(s) == string(shared) {
		return wholly
	}
	return string(s)
}

func shownScopes(all []string) []string {
	shown := make([]string, len(all))
	for i, s := range all {
		shown[i] = shownScope(s)
	}
	return shown
}

// placed is where a stream is, in its vendor's words: "division 123456".
func placed[S ~string](stream string, s S) string {
	if string(s) == string(shared) {
		return "the whole " + wholly
	}
	return vendorNamed(stream).words().place + " " + string(s)
}

// placeWord is what scopes are called: "division", or "division or account" where there are both.
func placeWord[S ~string](scopes ...S) string {
	var own []vendor
	for _, s := range scopes {
		for _, v := range everyVendor() {
			if v.kind().Owns(schema.Scope(s)) {
				own = append(own, v)
			}
		}
	}
	return wordOf(own...)
}

// asleep says of a place that nothing happens in it any more.
func asleep(s schema.Scope) string {
	for _, v := range everyVendor() {
		if v.kind().Owns(s) {
			return v.words().asleep
		}
	}
	return "out of use"
}

// wordFor is what a table calls the places of its lines, whose vendors are known by their streams.
func wordFor[L any](lines []L, stream func(L) string) string {
	var own []vendor
	for _, l := range lines {
		own = append(own, vendorNamed(stream(l)))
	}
	return wordOf(own...)
}

// wordOf is what vendors call their places, in the order of the vendors; of none it is the first's.
func wordOf(own ...vendor) string {
	var all []string
	for _, v := range everyVendor() {
		if slices.Contains(own, v) {
			all = including(all, v.words().place)
		}
	}
	if len(all) == 0 {
		return everyVendor()[0].words().place
	}
	return strings.Join(all, " or ")
}

// manyOf is the plural of a word, or of each of several: "divisions or accounts".
func manyOf(word string) string { return strings.ReplaceAll(word, " or ", "s or ") + "s" }

// inWordsOf gives a place that nobody knows its vendor's word.
func inWordsOf(v vendor, err error) error {
	if unknown := find[*config.UnknownDivision](err); unknown != nil {
		unknown.Place = v.words().place
	}
	return err
}

// namesOf are the names of vendors, in one phrase: "Exact and Exact Payments".
func namesOf(own ...vendor) string {
	var all []string
	for _, v := range everyVendor() {
		if slices.Contains(own, v) {
			all = including(all, v.words().name)
		}
	}
	return strings.Join(all, " and ")
}
