package exactonline

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"exactduck/extract"

	"github.com/google/go-cmp/cmp"
)

const someGUID = "CC20A11B-C137-48CC-8E55-09D4ADBD4AC9"

// sample is a value for a parameter.
func sample(p Parameter) any {
	return map[string]any{edmGUID: someGUID, edmString: "it's & more", edmInt32: uint64(2024), edmInt16: 3, edmBoolean: true, edmDateTime: "2024-01-31"}[p.Edm]
}

func samples(e *Endpoint) map[string]any {
	params := map[string]any{}
	for _, p := range e.Parameters {
		params[strings.ToUpper(p.Name)] = sample(p)
	}
	return params
}

func TestEveryFunctionWithParametersCanBeCalled(t *testing.T) {
	calls := 0
	for _, e := range Endpoints() {
		if len(e.Parameters) == 0 {
			continue
		}
		calls++
		name := variantName(e)
		s, err := Call(strings.ToUpper(name), samples(e), "")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		v := s.Variants[0]
		if s.Name != streamName(e) || v.Name != name || v.Cursor != extract.Whole || EndpointOf(v) != e || len(v.Table.Columns) == 0 || v.Table.Version != "" {
			t.Errorf("%s: %+v %+v", name, s, v)
		}
		if !cmp.Equal(v.Table.Key, e.Identity) {
			t.Errorf("%s: key %v", name, v.Table.Key)
		}
		query, err := url.ParseQuery(v.Query)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, p := range e.Parameters {
			want := map[string]string{
				edmGUID: "guid'" + strings.ToLower(someGUID) + "'", edmString: "'it''s & more'", edmInt32: "2024", edmInt16: "3",
				edmBoolean: "true", edmDateTime: "datetime'2024-01-31T00:00:00'",
			}[p.Edm]
			if query.Get(p.Name) != want {
				t.Errorf("%s: %s is %q, want %q", name, p.Name, query.Get(p.Name), want)
			}
		}
		if found, err := Match(s.Name + "*"); err == nil && slices.ContainsFunc(found, func(m *extract.Stream) bool { return m.Name == s.Name }) {
			t.Errorf("%s is found by a wildcard", s.Name)
		}
	}
	if calls != 49 {
		t.Errorf("%d functions have parameters, want 49", calls)
	}
}

// No table belongs to two streams, functions among them.
func TestEveryTableHasOneStream(t *testing.T) {
	tables := map[string]string{}
	claim := func(stream string) {
		service, table := tableName(stream)
		name := strings.ToLower(service + "." + table)
		if other, taken := tables[name]; taken {
			t.Errorf("%s and %s share %s", stream, other, name)
		}
		tables[name] = stream
	}
	for _, s := range Streams() {
		claim(s.Name)
	}
	for _, e := range Endpoints() {
		if e.takesParameters() {
			claim(streamName(e))
		}
	}
}

func TestTheTableOfACall(t *testing.T) {
	s, err := Call("read/financial/ReceivablesListByAccount", map[string]any{"accountId": someGUID}, "Duck")
	if err != nil {
		t.Fatal(err)
	}
	if v := s.Variants[0]; s.Name != "read/financial/Duck" || v.Table.FullName() != "financial.Duck" || v.Name != "read/financial/ReceivablesListByAccount" {
		t.Errorf("%s in %s from %s", s.Name, v.Table.FullName(), v.Name)
	}
	again, err := Call("read/financial/ReceivablesListByAccount", map[string]any{"accountId": someGUID}, "ReceivablesListByAccount")
	if err != nil || again.Name != "read/financial/ReceivablesListByAccount" || again.Variants[0].Table.FullName() != "financial.ReceivablesListByAccount" {
		t.Errorf("%v, %v", again, err)
	}
}

func TestBadParameters(t *testing.T) {
	account := func(v any) map[string]any { return map[string]any{"accountId": v} }
	for name, c := range map[string]struct {
		function string
		params   map[string]any
		as       string
		want     BadParameter
	}{
		"missing": {"AgingOverviewByAccount", nil, "", BadParameter{Parameter: "accountId", Problem: "missing; it takes accountId (a GUID)"}},
		"null":    {"AgingOverviewByAccount", account(nil), "", BadParameter{Parameter: "accountId", Problem: "missing; it takes accountId (a GUID)"}},
		"unknown": {
			"AgingOverviewByAccount",
			map[string]any{"accountId": someGUID, "$filter": "x"},
			"",
			BadParameter{Parameter: "$filter", Problem: "not known; it takes accountId (a GUID)"},
		},
		"no GUID":   {"AgingOverviewByAccount", account("25"), "", BadParameter{Parameter: "accountId", Problem: "25 is not a GUID"}},
		"no number": {"RevenueListByYear", map[string]any{"year": "last"}, "", BadParameter{Parameter: "year", Problem: "last is not a whole number"}},
		"fraction":  {"RevenueListByYear", map[string]any{"year": 2024.5}, "", BadParameter{Parameter: "year", Problem: "2024.5 is not a whole number"}},
		"too large": {"RevenueListByYear", map[string]any{"year": int64(1) << 40}, "", BadParameter{Parameter: "year", Problem: "1099511627776 is not a whole number"}},
		"a list":    {"RevenueListByYear", map[string]any{"year": []any{1}}, "", BadParameter{Parameter: "year", Problem: "[1] is not a whole number"}},
		"no truth": {
			"RevenueListByYearAndStatus",
			map[string]any{"year": 2024, "afterEntry": "yes"},
			"",
			BadParameter{Parameter: "afterEntry", Problem: "yes is not true or false"},
		},
		"a table":  {"AgingOverviewByAccount", account(someGUID), "a/b", BadParameter{Parameter: "as", Problem: `"a/b" is no name of a table: letters, digits and underscores, beginning with a letter`}},
		"taken":    {"AgingOverviewByAccount", account(someGUID), "glaccounts", BadParameter{Parameter: "as", Problem: "stream financial/GLAccounts has that table"}},
		"a call's": {"AgingOverviewByAccount", account(someGUID), "RevenueListByYear", BadParameter{Parameter: "as", Problem: "stream read/financial/RevenueListByYear has that table"}},
	} {
		_, err := Call("read/financial/"+c.function, c.params, c.as)
		c.want.Stream = "read/financial/" + c.function
		bad, ok := errors.AsType[*BadParameter](err)
		if !ok || *bad != c.want {
			t.Errorf("%s: %v, want %v", name, err, &c.want)
		}
	}
	_, err := Call("crm/accounts", map[string]any{"x": 1}, "")
	if bad, ok := errors.AsType[*BadParameter](err); !ok || bad.Stream != "crm/Accounts" {
		t.Errorf("a stream without parameters: %v", err)
	}
	for _, name := range []string{"crm/AcceptQuotation", "sync/CRM/Quotations"} {
		if _, err := Call(name, nil, ""); err == nil || !strings.Contains(err.Error(), "cannot be pulled") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestParametersThatNobodyDocuments(t *testing.T) {
	s, err := Call("read/logistics/SalesItemPrice", map[string]any{
		"itemId": someGUID, "date": "2024-01-31", "quantity": 2, "price": 1.5, "code": "12", "all": true,
		"day": time.Date(2024, 1, 31, 9, 30, 0, 0, time.FixedZone("x", 3600)), "big": int64(1) << 40,
	}, "")
	if err != nil {
		t.Fatal(err)
	}
	want := "all=true&big=1099511627776L&code='12'&date=datetime'2024-01-31T00:00:00'&day=datetime'2024-01-31T09:30:00'&" +
		"itemId=guid'cc20a11b-c137-48cc-8e55-09d4adbd4ac9'&price=1.5d&quantity=2"
	if diff := cmp.Diff(want, s.Variants[0].Query); diff != "" {
		t.Error(diff)
	}
	if s, err := Call("read/payroll/EmploymentEndReasonsOnFocusDate", nil, "Ends"); err != nil || !s.Personal || s.Name != "read/payroll/Ends" {
		t.Errorf("%v, %v", s, err)
	}
	if s, err := Call("read/financial/JournalStatusByFinancialPeriod", nil, ""); err != nil || s.Variants[0].Query != "" {
		t.Errorf("%v, %v", s, err)
	}
	for _, name := range []string{"$select", "a&b", ""} {
		if _, err := Call("read/logistics/SalesItemPrice", map[string]any{name: 1}, ""); err == nil {
			t.Errorf("%q is taken", name)
		}
	}
	if _, err := Call("read/logistics/SalesItemPrice", map[string]any{"a": []any{}}, ""); err == nil {
		t.Error("a list is taken")
	}
}

func TestACallSendsItsParameters(t *testing.T) {
	e := &exact{clock: at(noon), answer: func(string, string) (int, string) { return 200, list("", `{"HID":"7","Amount":1.5}`) }}
	s, err := Call("read/financial/ReceivablesListByAccountAndAgeGroup", map[string]any{"AGEGROUP": "2", "accountid": "{" + someGUID + "}"}, "")
	if err != nil {
		t.Fatal(err)
	}
	v := s.Variants[0]
	r := extract.Read{Stream: s.Name, Variant: v, Table: v.Table.Keys(), Scope: "123", Filter: "Amount gt 1"}
	page := mustCollect(t, e.source(t, nil), r)
	want := "/api/v1/123/read/financial/ReceivablesListByAccountAndAgeGroup?accountId=guid'cc20a11b-c137-48cc-8e55-09d4adbd4ac9'&ageGroup=2&$select=HID,Amount"
	if e.asked[0] != want || page.Rows != 1 || page.Next != `{"v":1,"kind":"whole"}` {
		t.Errorf("asked %s\n%q, cursor %s", e.asked[0], rows(page), page.Next)
	}
	if _, err := e.source(t, nil).Discover(t.Context(), "123", v); err != nil || !strings.Contains(e.asked[1], "ageGroup=2&$top=1") {
		t.Errorf("%v, asked %s", err, e.asked[1])
	}
}

// What returns a value and no records is asked for no columns, and answers in several forms.
func TestFunctionsThatReturnAValue(t *testing.T) {
	count := map[string]any{"accountId": someGUID, "searchText": "", "useFullTextSearch": false}
	stock := map[string]any{"itemId": someGUID}
	for _, c := range []struct {
		function, body, want string
		params               map[string]any
	}{
		{"crm/AccountDocumentsCount", `{"d":{"AccountDocumentsCount":12}}`, "AccountDocumentsCount=12", count},
		{"crm/AccountDocumentsCount", `{"d":{"AccountDocumentsCount":null}}`, "", count},
		{"crm/AccountDocumentsCount", `{"d":12}`, "AccountDocumentsCount=12", count},
		{"crm/AccountDocumentsCount", `{"d":{"results":[{"AccountDocumentsCount":12}]}}`, "AccountDocumentsCount=12", count},
		{"logistics/StockPosition", `{"d":{"StockPosition":{"__metadata":{"type":"x"},"InStock":2}}}`, "InStock=2", stock},
		{"logistics/StockPosition", `{"d":{"StockPosition":[{"InStock":2}]}}`, "InStock=2", stock},
		{"logistics/StockPosition", `{"d":{"InStock":2,"PlanningIn":null}}`, "InStock=2", stock},
		{"logistics/StockPosition", `{"d":[{"InStock":2}]}`, "InStock=2", stock},
		{"logistics/StockPosition", `{"d":{"results":[{"InStock":2}]}}`, "InStock=2", stock},
	} {
		e := &exact{clock: at(noon), answer: func(string, string) (int, string) { return 200, c.body }}
		s, err := Call("read/"+c.function, c.params, "")
		if err != nil {
			t.Fatal(err)
		}
		page := mustCollect(t, e.source(t, nil), extract.Read{Stream: s.Name, Variant: s.Variants[0], Scope: "123"})
		if got := rows(page); !cmp.Equal(got, []string{c.want}) || page.Unknown != nil {
			t.Errorf("%s: %q, unknown %v", c.body, got, page.Unknown)
		}
		if strings.Contains(e.asked[0], "$select") {
			t.Errorf("asked %s", e.asked[0])
		}
	}
	for _, body := range []string{`{"d":`, `{"d":{"StockPosition":"x"`, `[]`} {
		e := &exact{clock: at(noon), answer: func(string, string) (int, string) { return 200, body }}
		s, _ := Call("read/logistics/StockPosition", stock, "")
		if pages, err := collect(t, e.source(t, func(c *Config) { c.Attempts = 1 }), extract.Read{Stream: s.Name, Variant: s.Variants[0], Scope: "123"}); err == nil {
			t.Errorf("%s: %q", body, rows(pages[0]))
		}
	}
}

// Whatever is taken for a parameter comes out of the query as one literal of its type.
func FuzzParameter(f *testing.F) {
	for _, text := range []string{"", "it's", "a&b=c#d%20+", "2024-01-31", someGUID, "12", "-5", "1e9", "true", "NaN", "guid'x'", "é\xff"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, given string) {
		for _, edm := range []string{edmGUID, edmString, edmInt16, edmInt32, edmInt64, edmByte, edmBoolean, edmDouble, edmDateTime} {
			literal, err := encodeAs(edm, given)
			if err != nil {
				continue
			}
			query, err := url.ParseQuery("x=1&p=" + escape(literal) + "&y=2")
			if err != nil || len(query) != 3 || query.Get("p") != literal {
				t.Fatalf("%q becomes %q in %v, %v", given, literal, query, err)
			}
			if edm == edmByte || edm == edmString && strings.Contains(given, "\xff") {
				continue
			}
			column := map[string]string{
				edmGUID: "ID", edmString: "Name", edmInt16: "Small", edmInt32: "Number", edmInt64: "Timestamp", edmBoolean: "Flag",
				edmDouble: "Rate", edmDateTime: "Modified",
			}[edm]
			if len(literal) < longestFilter/2 {
				if _, err := parseFilter(column+" eq "+literal, everyKind); err != nil {
					t.Fatalf("%q as %s: %v", given, edm, err)
				}
			}
		}
	})
}
