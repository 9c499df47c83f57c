package exactonline

import (
	"errors"
	"path"
	"slices"
	"testing"

	"exactduck/extract"
)

func TestMatch(t *testing.T) {
	for pattern, want := range map[string][]string{
		"financial/*Lines":            {"financial/TransactionLines"},
		"FINANCIAL/gl*":               {"financial/GLAccountClassificationMappings", "financial/GLAccounts", "financial/GLClassifications", "financial/GLSchemes", "financial/GLTransactionSources", "financial/GLTransactionTypes"},
		"c[a-r]*/Payments":            {"cashflow/Payments"},
		"vat/V?TCodes":                {"vat/VATCodes"},
		"openingbalance/*/AfterEntry": {"openingbalance/CurrentYear/AfterEntry", "openingbalance/PreviousYear/AfterEntry"},
		"crm/accounts":                {"crm/Accounts"},
		"sync/crm/Accounts":           {"crm/Accounts"},
		"system/*":                    {"system/AccountantInfo", "system/AllDivisions", "system/AvailableFeatures", "system/Divisions", "system/Users"},
		"system/me":                   {"system/Me"},
		"webhooks/*":                  {"webhooks/WebhookSubscriptions"},
		"read/crm/*":                  {"read/crm/Documents", "read/crm/DocumentsAttachments", "read/crm/OpportunityContacts"},
		"*/crm/documents":             nil,
		"web*/*":                      nil,
		"read/*":                      nil,
		"openingbalance/*":            nil,
		"nothing/*":                   nil,
	} {
		selected, err := Match(pattern)
		if got := namesOf(selected); !slices.Equal(got, want) {
			t.Errorf("Match(%q) = %v, want %v", pattern, got, want)
		}
		var unknown *extract.UnknownStream
		if (err == nil) != (want != nil) || err != nil && !errors.As(err, &unknown) {
			t.Errorf("Match(%q): %v", pattern, err)
		}
	}
}

func namesOf(streams []*extract.Stream) []string {
	var names []string
	for _, s := range streams {
		names = append(names, s.Name)
	}
	return names
}

func TestMatchAllLeavesOutTheQuiet(t *testing.T) {
	selected, err := Match("*")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range Streams() {
		if slices.Contains(selected, s) == s.Quiet {
			t.Errorf("%s: quiet %v", s.Name, s.Quiet)
		}
	}
}

func TestMatchSuggests(t *testing.T) {
	for pattern, want := range map[string]string{
		"cmr/*":            "crm/*",
		"openingbalance/*": "openingbalance/CurrentYear/*",
		"read/*":           "read/crm/*",
		"salesinvoices/*":  "salesinvoice/*",
		"crm/*Lines2":      "crm/*",
	} {
		_, err := Match(pattern)
		var unknown *extract.UnknownStream
		if !errors.As(err, &unknown) || len(unknown.Near) == 0 || unknown.Near[0] != want {
			t.Errorf("Match(%q): %v, want %s first", pattern, err, want)
		}
	}
}

func TestMatchRefusesBadPatterns(t *testing.T) {
	if _, err := Match("crm/[a"); !errors.Is(err, path.ErrBadPattern) {
		t.Errorf("got %v", err)
	}
	if _, err := Match(""); err == nil {
		t.Error("an empty pattern selects something")
	}
}
