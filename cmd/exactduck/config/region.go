package config

import "strings"

// regions are Exact's sites. Apps, logins and books belong to one of them.
var regions = []struct{ name, url string }{
	{"nl", "https://start.exactonline.nl"},
	{"be", "https://start.exactonline.be"},
	{"de", "https://start.exactonline.de"},
	{"uk", "https://start.exactonline.co.uk"},
	{"fr", "https://start.exactonline.fr"},
	{"es", "https://start.exactonline.es"},
	{"us", "https://start.exactonline.com"},
}

// Regions are the names that the key region takes.
func Regions() []string {
	names := make([]string, len(regions))
	for i, r := range regions {
		names[i] = r.name
	}
	return names
}

// RegionURL is the address of a region's site; false: there is no such region.
func RegionURL(name string) (string, bool) {
	for _, r := range regions {
		if strings.EqualFold(r.name, name) {
			return r.url, true
		}
	}
	return "", false
}
