package exactonline

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCatalogueIsComplete(t *testing.T) {
	type count struct{ endpoints, properties, pullable int }
	got := map[string]count{}
	for _, e := range Endpoints() {
		for _, key := range []string{e.Kind, "all"} {
			c := got[key]
			c.endpoints++
			c.properties += len(e.Properties)
			if e.Pullable {
				c.pullable++
			}
			got[key] = c
		}
	}
	want := map[string]count{
		"standard": {260, 6513, 240},
		"bulk":     {21, 1203, 21},
		"sync":     {60, 2575, 58},
		"read":     {97, 1286, 40},
		"beta":     {15, 285, 15},
		"all":      {453, 11862, 374},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(count{})); diff != "" {
		t.Errorf("endpoints, properties, pullable by kind (-want +got):\n%s", diff)
	}
}

func TestEndpointFacts(t *testing.T) {
	accounts := endpointAt(t, "/api/v1/{division}/sync/CRM/Accounts")
	got := *accounts
	got.Properties = nil
	want := Endpoint{
		Kind: "sync", Path: "/api/v1/{division}/sync/CRM/Accounts", Service: "CRM", Name: "Accounts",
		Key: []string{"Timestamp"}, Identity: []string{"ID"}, Filterable: []string{"Timestamp"},
		Pullable: true, PageSize: 1000, Entity: 2, OAuthScope: "crm.accounts", Methods: []string{"GET"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("sync/CRM/Accounts (-want +got):\n%s", diff)
	}
	for _, c := range []struct {
		path string
		ok   func(*Endpoint) bool
	}{
		{"sync/SalesOrder/SalesOrders", func(e *Endpoint) bool {
			return e.Retired && slices.Equal(e.ReplacedBy, []string{"SalesOrderHeaders", "SalesOrderLines"})
		}},
		{"sync/Logistics/SupplierItem", func(e *Endpoint) bool { return e.Entity == 30 && e.EntityInferred && e.NoSelectStar }},
		{"sync/Financial/TransactionLines", func(e *Endpoint) bool { return e.HeaderAndLines && e.SyncTimestamp == "TransactionLines" }},
		{"bulk/CRM/Addresses", func(e *Endpoint) bool { return e.SelectRequired && slices.Contains(e.Filterable, "Main") }},
		{"read/crm/AccountDocumentsCount", func(e *Endpoint) bool { return e.Keyless && e.Function && e.Identity == nil }},
		{"read/logistics/SalesItemPrice", func(e *Endpoint) bool { return e.ParametersUnknown && e.Parameters == nil }},
		{"read/sync/Sync/SyncTimestamp", func(e *Endpoint) bool {
			return slices.Equal(e.Parameters, []Parameter{{"modified", edmDateTime, true}, {"endPoint", edmString, true}})
		}},
		{"cashflow/Payments", func(e *Endpoint) bool { return e.OAuthScope == "financial.cashflow" }},
	} {
		if e := endpointAt(t, apiRoot+placeholder+"/"+c.path); !c.ok(e) {
			e.Properties = nil
			t.Errorf("%s is not as documented: %+v", c.path, e)
		}
	}
}

func endpointAt(t *testing.T, path string) *Endpoint {
	t.Helper()
	e, ok := EndpointFor(path)
	if !ok {
		t.Fatalf("no endpoint at %s", path)
	}
	return e
}

func TestPropertyMarks(t *testing.T) {
	for _, c := range []struct {
		path string
		want Property
	}{
		{"/api/v1/{division}/crm/Accounts", Property{Name: "ID", Edm: edmGUID, Key: true}},
		{"/api/v1/{division}/crm/Accounts", Property{Name: "BankAccounts", Edm: "Nav:BankAccounts", Nested: true}},
		{"/api/v1/system/Users", Property{Name: "IsAPICall", Edm: edmBoolean, Dropped: true}},
		{"/api/v1/{division}/system/Divisions", Property{Name: "Class_01", Edm: "Complex:Exact.Web.Api.Models.HRM.DivisionClass", Nested: true}},
		{"/api/v1/{division}/sync/HRM/LeaveRegistrations", Property{Name: "Hours", Edm: edmDouble, Guessed: true}},
	} {
		e := endpointAt(t, c.path)
		i := slices.IndexFunc(e.Properties, func(p Property) bool { return p.Name == c.want.Name })
		if i < 0 || e.Properties[i] != c.want {
			t.Errorf("%s: no property %+v", c.path, c.want)
		}
	}
}

func TestEndpointFor(t *testing.T) {
	for path, want := range map[string]string{
		"/api/v1/{division}/crm/Accounts":           "/api/v1/{division}/crm/Accounts",
		"/API/V1/{Division}/CRM/accounts":           "/api/v1/{division}/crm/Accounts",
		"/api/v1/123456/bulk/crm/ACCOUNTS":          "/api/v1/{division}/bulk/CRM/Accounts",
		"/api/v1/beta/9/budget/BudgetScenarios":     "/api/v1/beta/{division}/budget/BudgetScenarios",
		"/api/v1/current/Me":                        "/api/v1/current/Me",
		"/api/v1/system/Users":                      "/api/v1/system/Users",
		"/api/v1/7/users/Users":                     "/api/v1/{division}/users/Users",
		"/api/v1/crm/Accounts":                      "",
		"/api/v1/12a/crm/Accounts":                  "",
		"/api/v1/-1/crm/Accounts":                   "",
		"/api/v1//crm/Accounts":                     "",
		"/api/v1/beta/budget/BudgetScenarios":       "",
		"/api/v1/123456/beta/budget/BudgetScenario": "",
		"":  "",
		"/": "",
	} {
		got := ""
		if e, ok := EndpointFor(path); ok {
			got = e.Path
		}
		if got != want {
			t.Errorf("EndpointFor(%q) = %q, want %q", path, got, want)
		}
	}
}

func TestPathsAndNamesAgree(t *testing.T) {
	seen := map[string]bool{}
	for _, e := range Endpoints() {
		lower := strings.ToLower(e.Path)
		if seen[lower] {
			t.Errorf("%s is listed twice", e.Path)
		}
		seen[lower] = true
		if !strings.HasSuffix(e.Path, "/"+e.Name) || !strings.HasPrefix(e.Path, apiRoot) {
			t.Errorf("%s: the path does not end in the name %s", e.Path, e.Name)
		}
		if e.PageSize != 60 && e.PageSize != 1000 {
			t.Errorf("%s: page size %d", e.Path, e.PageSize)
		}
		names := map[string]bool{}
		for _, p := range e.Properties {
			if names[strings.ToLower(p.Name)] {
				t.Errorf("%s.%s is listed twice; DuckDB ignores case", e.Path, p.Name)
			}
			names[strings.ToLower(p.Name)] = true
			if p.Key != slices.Contains(e.Key, p.Name) {
				t.Errorf("%s.%s: the mark and the list of keys disagree", e.Path, p.Name)
			}
		}
	}
}

func TestDamagedCatalogueIsRefused(t *testing.T) {
	for _, line := range []string{
		"is sync CRM", "flags pullable fast", "page many", "entity x", "parameter guid", "parameter q* name",
		"\tg", "\tq Name", "\tg^ Name", "colour blue",
	} {
		t.Run(line, func(t *testing.T) {
			defer func() {
				if message, _ := recover().(string); !strings.HasPrefix(message, "catalogue.txt:2: ") {
					t.Errorf("panicked with %q, want the line's number", message)
				}
			}()
			parseCatalogue("[/api/v1/x]\n" + line + "\n")
		})
	}
}

// The whole start-up, parsing and grouping, has to stay well under 50 ms.
func BenchmarkStartUp(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if n := len(newCatalogue(catalogueText).endpoints); n != 453 {
			b.Fatalf("%d endpoints", n)
		}
		if n := len(group().all); n == 0 {
			b.Fatal("no streams")
		}
	}
}
