package exactonline

import (
	"slices"
	"strings"

	"exactduck/extract"
)

// aboutAll are the Reasons of a 403 that are about the user, the licence or the division, and so about
// every endpoint alike. They end when somebody at Exact says so, which may be any minute.
var aboutAll = []string{"BlockedUser", "InactiveUser", "BlockedCustomer", "LicenseExpired", "DivisionBlocked", "NoDivisionAccess"}

// reach is how far a 403 goes. One about an endpoint stays until rights, scopes or the licence change.
// The two endpoints that every run begins with are never remembered: without them nobody would notice
// that it has ended.
func reach(r *extract.Refused) extract.Reach {
	switch {
	case slices.ContainsFunc(aboutAll, func(reason string) bool { return strings.EqualFold(reason, r.Reason) }):
		return extract.ForScope
	case isStream(r.Endpoint, divisionStream), isStream(r.Endpoint, "system/Me"):
		return extract.ForOnce
	}
	return extract.ForEndpoint
}

func isStream(variant, stream string) bool {
	s, _, err := Lookup(stream)
	return err == nil && slices.ContainsFunc(s.Variants, func(v *extract.Variant) bool { return strings.EqualFold(v.Name, variant) })
}
