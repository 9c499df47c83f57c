package exactonline

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"exactduck/extract"
)

func TestLookup(t *testing.T) {
	for name, want := range map[string]struct{ stream, variant string }{
		"crm/Accounts":                          {"crm/Accounts", ""},
		"CRM/ACCOUNTS":                          {"crm/Accounts", ""},
		"sync/crm/Accounts":                     {"crm/Accounts", "sync/CRM/Accounts"},
		"Bulk/CRM/accounts":                     {"crm/Accounts", "bulk/CRM/Accounts"},
		"standard/crm/Accounts":                 {"crm/Accounts", "crm/Accounts"},
		"salesinvoice/SalesInvoicesSync":        {"salesinvoice/SalesInvoicesSync", ""},
		"sync/SalesInvoice/SalesInvoices":       {"salesinvoice/SalesInvoicesSync", "sync/SalesInvoice/SalesInvoices"},
		"sync/salesinvoice/SalesInvoicesSync":   {"salesinvoice/SalesInvoicesSync", "sync/SalesInvoice/SalesInvoices"},
		"standard/salesinvoice/SalesInvoices":   {"salesinvoice/SalesInvoices", "salesinvoice/SalesInvoices"},
		"system/Me":                             {"system/Me", ""},
		"current/Me":                            {"system/Me", ""},
		"standard/system/Me":                    {"system/Me", "current/Me"},
		"financialtransaction/TransactionLines": {"financial/TransactionLines", ""},
		"standard/financial/TransactionLines":   {"financial/TransactionLines", "financialtransaction/TransactionLines"},
		"read/financial/receivableslist":        {"read/financial/ReceivablesList", ""},
		"beta/budget/BudgetScenarios":           {"beta/budget/BudgetScenarios", ""},
		"openingbalance/CurrentYear/AfterEntry": {"openingbalance/CurrentYear/AfterEntry", ""},
	} {
		s, v, err := Lookup(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := ""
		if v != nil {
			got = v.Name
		}
		if s.Name != want.stream || got != want.variant || v != nil && !slices.Contains(s.Variants, v) {
			t.Errorf("Lookup(%q) = %s, %q, want %+v", name, s.Name, got, want)
		}
	}
}

// Every stream is found by its name, and every variant of it by force.
func TestLookupFindsAll(t *testing.T) {
	for _, want := range Streams() {
		if s, v, err := Lookup(strings.ToUpper(want.Name)); s != want || v != nil || err != nil {
			t.Errorf("%s: found %v, %v, %v", want.Name, s, v, err)
		}
		for _, forced := range want.Variants {
			if forced.Kind == "read" || forced.Kind == "beta" {
				continue
			}
			if s, v, err := Lookup(forced.Kind + "/" + want.Name); s != want || v != forced || err != nil {
				t.Errorf("%s/%s: found %v, %v, %v", forced.Kind, want.Name, s, v, err)
			}
		}
	}
}

func TestUnknownStreams(t *testing.T) {
	for name, want := range map[string][]string{
		"crm/Acounts":                 {"crm/Accounts"},
		"sync/crm/Acounts":            {"crm/Accounts"},
		"financial/TransactionLine":   {"financial/TransactionLines"},
		"Accounts":                    {"crm/Accounts"},
		"account":                     {"crm/Accounts"},
		"SalesInvoice":                {"salesinvoice/SalesInvoices"},
		"financial/Accounts":          {"financial/GLAccounts", "crm/Accounts"},
		"financial/ReceivablesList":   {"read/financial/ReceivablesList"},
		"crm/":                        nil,
		"xyzzy":                       nil,
		"":                            nil,
		"/":                           nil,
		"salesinvoice/SalesInvoices/": {"salesinvoice/SalesInvoices"},
	} {
		_, _, err := Lookup(name)
		var unknown *extract.UnknownStream
		if !errors.As(err, &unknown) {
			t.Errorf("Lookup(%q): %v", name, err)
			continue
		}
		if unknown.Name != name || len(unknown.Near) > 5 {
			t.Errorf("Lookup(%q): %+v", name, unknown)
		}
		if got := unknown.Near[:min(len(want), len(unknown.Near))]; !slices.Equal(got, want) {
			t.Errorf("near %q is %v, want first %v", name, unknown.Near, want)
		}
	}
	_, _, err := Lookup("xyzzy")
	if got, want := err.Error(), `there is no stream "xyzzy"`; got != want {
		t.Errorf("error %q, want %q", got, want)
	}
	_, _, err = Lookup("crm/Acounts")
	if got, want := err.Error(), `there is no stream "crm/Acounts", did you mean crm/Accounts`; !strings.HasPrefix(got, want) {
		t.Errorf("error %q, want %q", got, want)
	}
}

func TestLookupExplains(t *testing.T) {
	for name, want := range map[string]string{
		"sync/CRM/Quotations":         "sync/CRM/Quotations cannot be pulled: Exact has retired it; use crm/QuotationHeaders and crm/QuotationLines",
		"sync/salesorder/salesorders": "sync/SalesOrder/SalesOrders cannot be pulled: Exact has retired it; use salesorder/SalesOrderHeaders and salesorder/SalesOrderLines",
		"read/crm/AccountDocuments": "read/crm/AccountDocuments cannot be pulled: it answers only for given parameters: accountId (a GUID), searchText (a text), " +
			"useFullTextSearch (true or false); name them in pipelines.yaml: {stream: read/crm/AccountDocuments, params: {accountId: …}}",
		"read/logistics/SalesItemPrice": "read/logistics/SalesItemPrice cannot be pulled: it seems to take parameters, which are not documented; who knows them can name " +
			"them in pipelines.yaml: {stream: read/logistics/SalesItemPrice, params: {…: …}}",
		"crm/AcceptQuotation": "crm/AcceptQuotation cannot be pulled: it is there to write, not to read",
		"sync/Deleted":        "sync/Deleted cannot be pulled: the deletions of a division are read with every run",
		"bulk/hrm/Schedules":  "stream hrm/Schedules has no bulk endpoint, only sync, standard",
	} {
		s, v, err := Lookup(name)
		if err == nil {
			t.Errorf("Lookup(%q) found %v, %v", name, s, v)
			continue
		}
		if diff := cmp.Diff(want, err.Error()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// What cannot be pulled says why, under the name that the documentation has for it.
func TestEveryUnpulledEndpointIsExplained(t *testing.T) {
	for _, e := range Endpoints() {
		if e.Pullable {
			continue
		}
		_, _, err := Lookup(variantName(e))
		var explained *NotPullable
		if !errors.As(err, &explained) || explained.Reason == "" {
			t.Errorf("%s: %v", e.Path, err)
			continue
		}
		for _, name := range explained.Instead {
			if _, _, err := Lookup(name); err != nil {
				t.Errorf("%s refers to %v", e.Path, err)
			}
		}
	}
}
