package exactonline

import (
	"testing"

	"exactduck/extract"
)

func TestReachOfA403(t *testing.T) {
	for _, tc := range []struct {
		endpoint, reason string
		want             extract.Reach
	}{
		{"sync/CRM/Accounts", "Forbidden", extract.ForEndpoint},
		{"hrm/Costcenters", "", extract.ForEndpoint},
		{"hrm/Costcenters", "divisionblocked", extract.ForScope},
		{"hrm/Costcenters", "NoDivisionAccess", extract.ForScope},
		{"hrm/Costcenters", "LicenseExpired", extract.ForScope},
		{"hrm/Costcenters", "BlockedUser", extract.ForScope},
		{variantOf(t, divisionStream), "Forbidden", extract.ForOnce},
		{variantOf(t, "system/Me"), "", extract.ForOnce},
		{variantOf(t, "system/Me"), "InactiveUser", extract.ForScope},
	} {
		if got := reach(&extract.Refused{Endpoint: tc.endpoint, Status: 403, Reason: tc.reason}); got != tc.want {
			t.Errorf("%s %s: %d, want %d", tc.endpoint, tc.reason, got, tc.want)
		}
	}
}

// variantOf is the variant that this package itself asks for a stream.
func variantOf(t *testing.T, stream string) string {
	t.Helper()
	s, _, err := Lookup(stream)
	if err != nil {
		t.Fatal(err)
	}
	return s.Variants[0].Name
}
