package sandbox_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"exactduck/extract/sandbox"
)

const (
	lines    = "/api/v1/123456/sync/Financial/TransactionLines?$select=ID,EntryID,Timestamp,Modified,AmountDC"
	accounts = "/api/v1/123456/crm/Accounts"
	ledger   = "/api/v1/123456/financial/GLAccounts"
)

func TestEnvelopes(t *testing.T) {
	v := visit(t, sandbox.Options{})
	for address, want := range map[string]struct {
		rows       int
		bare, next bool
	}{
		accounts + "?$select=ID":                   {60, false, true},
		accounts + "?$select=ID&$top=60":           {60, true, false},
		accounts + "?$select=ID&$top=5":            {5, true, false},
		accounts + "?$select=ID&$top=5&$skip=0":    {5, false, false},
		accounts + "?$select=ID&$top=70":           {60, false, true},
		accounts + "?$select=ID&$top=1000":         {60, false, true},
		accounts + "?$select=ID&$skip=85":          {5, false, false},
		accounts + "?$filter=Name eq 'x'":          {0, false, false},
		accounts + "?$filter=Name eq 'x'&$top=5":   {0, true, false},
		lines:                                      {1000, false, true},
		lines + "&$filter=Timestamp lt 5L":         {0, false, false},
		accounts + "?$inlinecount=allpages&$top=3": {3, false, false},
	} {
		p := v.page(address)
		if len(p.rows) != want.rows || p.bare != want.bare || (p.next != "") != want.next {
			t.Errorf("%s: %d rows, bare %v, next %q", address, len(p.rows), p.bare, p.next)
		}
	}
	if p := v.page(accounts + "?$inlinecount=allpages&$top=3"); p.count != "90" {
		t.Errorf("__count is %v", p.count)
	}
	if status, _, body := v.get(accounts + "/$count"); status != 200 || body != "90" {
		t.Errorf("$count: %d %s", status, body)
	}
}

func TestNextLinks(t *testing.T) {
	v := visit(t, sandbox.Options{})
	p := v.page(accounts + "?$orderby=Modified asc&$select=ID,Code,Modified&$top=80")
	last := p.rows[len(p.rows)-1]
	prefix := root + accounts + "?$orderby=Modified%20asc&$select=ID,Code,Modified&$top=20&$skiptoken=datetime'"
	if suffix := fmt.Sprintf("',guid'%s'", last["ID"]); !strings.HasPrefix(p.next, prefix) || !strings.HasSuffix(p.next, suffix) || !strings.Contains(p.next, "%3A") {
		t.Errorf("__next is %s", p.next)
	}
	rest := v.page(p.next)
	if len(rest.rows) != 20 || rest.next != "" || !rest.bare {
		t.Errorf("the second page has %d rows and next %q", len(rest.rows), rest.next)
	}
	p = v.page(lines + "&$filter=Timestamp gt 1L")
	last = p.rows[len(p.rows)-1]
	if want := "&$skiptoken=" + last["Timestamp"].(string) + "L"; !strings.HasSuffix(p.next, want) || !strings.Contains(p.next, "$filter=Timestamp%20gt%201L&") {
		t.Errorf("__next is %s, want it to end in %s", p.next, want)
	}
}

// Guids are in the order of SQL Server, which looks at the last group first.
func TestRowOrder(t *testing.T) {
	v := visit(t, sandbox.Options{})
	before := ""
	for _, r := range v.all(accounts + "?$select=ID") {
		id := r["ID"].(string)
		if id[24:] < before {
			t.Fatalf("%s comes after a guid that ends in %s", id, before)
		}
		before = id[24:]
	}
	timestamp, modified := int64(0), ""
	for _, r := range v.all(lines) {
		n, err := json.Number(r["Timestamp"].(string)).Int64()
		if err != nil || n <= timestamp {
			t.Fatalf("Timestamp %v comes after %d", r["Timestamp"], timestamp)
		}
		if m := r["Modified"].(string); m < modified {
			t.Fatalf("Modified %s has a higher Timestamp than %s", m, modified)
		}
		timestamp, modified = n, r["Modified"].(string)
	}
}

func TestRefusals(t *testing.T) {
	v := visit(t, sandbox.Options{})
	const wide = "Please add a $select or a $top=1 statement to the query string."
	for _, c := range []struct {
		address string
		status  int
		message string
	}{
		{"/api/v1/123456/bulk/CRM/Accounts", 400, wide},
		{"/api/v1/123456/sync/CRM/Accounts", 400, wide},
		{"/api/v1/123456/sync/CRM/Accounts?$top=2", 400, wide},
		{"/api/v1/123456/cashflow/Receivables", 400, wide},
		{"/api/v1/123456/payroll/Employees", 400, wide},
		{"/api/v1/123456/sync/CRM/Contacts?$select=*", 400, wide},
		{accounts + "?$select=ID,Nonsense", 400, "Type Exact.Web.Api.Models.Account does not have a property named Nonsense"},
		{accounts + "?$filter=Nonsense eq 1", 400, "Type Exact.Web.Api.Models.Account does not have a property named Nonsense"},
		{accounts + "?$orderby=Nonsense", 400, "Type Exact.Web.Api.Models.Account does not have a property named Nonsense"},
		{"/api/v1/123456/financialtransaction/TransactionLines?$select=X", 400, "Type Exact.Web.Api.Models.FinancialTransaction.TransactionLine does not have a property named X"},
		{lines + "&$filter=Modified ge datetime'2026-01-01T00:00:00'", 400, "Filtering on these fields is not supported: Modified"},
		{"/api/v1/123456/sync/Deleted?$select=ID&$filter=DeletedBy eq null", 400, "Filtering on these fields is not supported: DeletedBy"},
		{"/api/v1/123456/bulk/CRM/Contacts?$select=ID&$filter=Modified ge datetime'2026-01-01'", 400, "Filtering on these fields is not supported: Modified"},
		{accounts + "?$filter=ID eq 'a'", 400, "Operator 'eq' incompatible with operand types 'Edm.Guid' and 'Edm.String' at position 3."},
		{accounts + "?$filter=(Name eq 'a'", 400, "Syntax error at position 4."},
		{accounts + "?$filter=Name eq 'a", 400, "Unterminated string literal at position 8 in 'Name eq 'a'."},
		{accounts + "?$top=x", 400, "Incorrect format for $top argument 'x'."},
		{accounts + "?$nonsense=1", 400, "The query parameter '$nonsense' begins with a system-reserved '$' character but is not recognized."},
		{accounts + "?$skiptoken=guid'1'", 400, "Bad Request - Error in query syntax."},
		{"/api/v1/123456/read/financial/RevenueListByYear", 400, "Bad Request - Error in query syntax."},
		{"/api/v1/123456/crm/Nonsense", 404, "Resource not found for the segment 'nonsense'."},
		{"/api/v1/123456/sync/CRM/Quotations?$select=ID", 404, "Resource not found for the segment 'quotations'."},
		{accounts + "(guid'00000000-0000-0000-0000-000000000001')", 404, "Resource not found"},
		{"/api/v1/999/crm/Accounts", 403, "Forbidden"},
	} {
		status, header, body := v.get(c.address)
		var e struct {
			Error struct{ Message struct{ Value string } }
		}
		if err := json.Unmarshal([]byte(body), &e); err != nil {
			t.Errorf("%s: %v in %s", c.address, err, body)
		}
		if status != c.status || e.Error.Message.Value != c.message {
			t.Errorf("%s:\n got %d %s\nwant %d %s", c.address, status, e.Error.Message.Value, c.status, c.message)
		}
		if c.status == 403 && !strings.HasPrefix(header.Get("Reason"), "NoDivisionAccess") {
			t.Errorf("%s: Reason %q", c.address, header.Get("Reason"))
		}
	}
}

func TestFilters(t *testing.T) {
	v := visit(t, sandbox.Options{})
	one := v.page(ledger + "?$filter=Code eq '1300'").rows[0]
	for filter, want := range map[string]int{
		"Code eq '1300'":                                     1,
		"Code eq '1300' or Code eq '1600'":                   2,
		"Code ge '8000' and Code lt '8900'":                  3,
		"(Code eq '1300' or Code eq '1600') and Type eq 20":  1,
		"not (Type eq 121)":                                  47,
		"ID eq guid'" + one["ID"].(string) + "'":             1,
		"IsBlocked eq true":                                  0,
		"IsBlocked":                                          0,
		"VATCode ne null":                                    0,
		"VATCode eq null":                                    61,
		"startswith(Code,'80')":                              3,
		"substringof('omzet',Description) eq true":           3,
		"Type gt 100 and Type le 110":                        4,
		"Description eq 'Onderhoud auto''s'":                 1,
		"Modified ge datetime'2100-01-01T00:00:00'":          0,
		"Created ge datetime'1900-01-01' and Type eq 20":     1,
		"Division eq 123456L and Type ne 0":                  61,
		"tolower(Description) eq 'bank' and Code ne '9'":     1,
		"endswith(Description,'tarief') and Type gt 1.5":     2,
		"trim(SearchCode) eq 'KAS' or Code eq 'not (a) b,c'": 1,
	} {
		if got := len(v.all(ledger + "?$select=ID&$filter=" + url.QueryEscape(filter))); got != want {
			t.Errorf("%s: %d rows, want %d", filter, got, want)
		}
	}
	if n := len(v.page(accounts + "?$filter=Code eq '1000'").rows); n != 0 {
		t.Error("an account was found by its code without the padding")
	}
	if n := len(v.page(accounts + "?$filter=trim(Code) eq '1000'").rows); n != 1 {
		t.Error("an account was not found by trim(Code)")
	}
}

func TestOneRecord(t *testing.T) {
	v := visit(t, sandbox.Options{})
	want := v.page(ledger + "?$select=ID,Code&$top=1").rows[0]
	_, _, body := v.get(ledger + "(guid'" + want["ID"].(string) + "')?$select=ID,Code")
	var got struct{ D row }
	if err := decode(body, &got); err != nil || fmt.Sprint(got.D) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v (%v)", got.D, want, err)
	}
	meta := want["__metadata"].(map[string]any)
	if meta["uri"] != root+ledger+"(guid'"+want["ID"].(string)+"')" || meta["type"] != "Exact.Web.Api.Models.GLAccount" {
		t.Errorf("__metadata is %v", meta)
	}
}

func TestWithoutSelectNestedPropertiesAreDeferred(t *testing.T) {
	v := visit(t, sandbox.Options{})
	r := v.page("/api/v1/123456/salesinvoice/SalesInvoices?$top=1").rows[0]
	deferred, ok := r["SalesInvoiceLines"].(map[string]any)["__deferred"].(map[string]any)
	if want := r["__metadata"].(map[string]any)["uri"].(string) + "/SalesInvoiceLines"; !ok || deferred["uri"] != want {
		t.Errorf("SalesInvoiceLines is %v", r["SalesInvoiceLines"])
	}
}

func TestXMLUnlessJSONIsAskedFor(t *testing.T) {
	v := visit(t, sandbox.Options{})
	status, header, body, err := v.try(ledger+"?$select=ID,Code&$top=1", "*/*")
	if err != nil || status != 200 || !strings.HasPrefix(header.Get("Content-Type"), "application/atom+xml") || !strings.Contains(body, `<d:Code m:type="Edm.String">`) {
		t.Errorf("%d %v %.200s %v", status, header, body, err)
	}
	status, header, body, err = v.try("/api/v1/999/crm/Accounts", "*/*")
	if err != nil || status != 403 || !strings.HasPrefix(header.Get("Content-Type"), "application/xml") || !strings.Contains(body, "<message") {
		t.Errorf("%d %v %.200s %v", status, header, body, err)
	}
}

func TestWhoAndWhere(t *testing.T) {
	v := visit(t, sandbox.Options{})
	me := v.page("/api/v1/current/Me").rows[0]
	if fmt.Sprint(me["CurrentDivision"]) != "123456" || me["ServerTime"] != "2026-07-15T12:00:00" || fmt.Sprint(me["ServerUtcOffset"]) != "7200" || me["Legislation"] != "1" {
		t.Errorf("Me is %v", me)
	}
	for _, division := range []string{"123456", "1"} {
		rows := v.page("/api/v1/" + division + "/system/Divisions?$select=Code,Description,Status,DivisionMoveDate").rows
		if len(rows) != 2 || fmt.Sprint(rows[0]["Code"], ",", rows[1]["Code"]) != "123456,123457" || rows[0]["DivisionMoveDate"] != nil {
			t.Errorf("Divisions by %s: %v", division, rows)
		}
	}
}

func TestMandatoryFiltering(t *testing.T) {
	v := visit(t, sandbox.Options{MandatoryFilter: true})
	status, _, body := v.get(accounts + "?$select=ID")
	if status != 400 || !strings.Contains(body, "This endpoint has mandatory filtering applied.") || !strings.Contains(body, ",Modified,") {
		t.Errorf("%d %.300s", status, body)
	}
	if status, _, _ := v.get(accounts + "?$select=ID&$filter=Modified%20ge%20datetime'1900-01-01T00:00:00'"); status != 200 {
		t.Errorf("with a filter: %d", status)
	}
}

func TestSyncTimestamp(t *testing.T) {
	v := visit(t, sandbox.Options{})
	ask := func(modified, endpoint string) []row {
		return v.page("/api/v1/123456/read/sync/Sync/SyncTimestamp?modified=datetime'" + modified + "'&endPoint='" + endpoint + "'").rows
	}
	got := ask("2026-03-01T00:00:00", "TransactionLines")
	if len(got) != 1 {
		t.Fatalf("%d rows", len(got))
	}
	first, _ := json.Number(got[0]["TimeStampAsBigInt"].(string)).Int64()
	since := len(v.all(lines + fmt.Sprintf("&$filter=Timestamp ge %dL", first)))
	modified := len(v.all("/api/v1/123456/bulk/Financial/TransactionLines?$select=ID&$filter=Modified ge datetime'2026-03-01T00:00:00'"))
	if since != modified || since == 0 {
		t.Errorf("%d rows have a Timestamp from there on, %d a Modified", since, modified)
	}
	if rows := ask("2100-01-01T00:00:00", "TransactionLines"); len(rows) != 0 {
		t.Errorf("%d rows in 2100", len(rows))
	}
	if rows := ask("2000-01-01T00:00:00", "Accounts"); len(rows) != 0 {
		t.Error("Accounts is not among the endpoints that SyncTimestamp knows")
	}
}

func TestExpand(t *testing.T) {
	v := visit(t, sandbox.Options{Scale: 0.2})
	for _, invoice := range v.page("/api/v1/123456/salesinvoice/SalesInvoices?$select=InvoiceID,AmountFCExclVat,SalesInvoiceLines&$expand=SalesInvoiceLines").rows {
		inner, ok := invoice["SalesInvoiceLines"].(map[string]any)["results"].([]any)
		if !ok || len(inner) == 0 {
			t.Fatalf("invoice %v", invoice)
		}
		for _, line := range inner {
			if line.(map[string]any)["InvoiceID"] != invoice["InvoiceID"] {
				t.Fatalf("line %v does not belong to %v", line, invoice["InvoiceID"])
			}
		}
	}
	if status, _, _ := v.get(accounts + "?$select=ID&$expand=Nonsense"); status != 400 {
		t.Errorf("an unknown property was expanded: %d", status)
	}
}
