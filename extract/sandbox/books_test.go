package sandbox_test

import (
	"encoding/json"
	"fmt"
	"math/big"
	"testing"
	"time"

	"exactduck/extract/exactonline"
	"exactduck/extract/sandbox"
)

func amount(t *testing.T, v any) *big.Rat {
	t.Helper()
	if v == nil {
		return new(big.Rat)
	}
	r, ok := new(big.Rat).SetString(string(v.(json.Number)))
	if !ok {
		t.Fatalf("%v is no amount", v)
	}
	return r
}

// sum adds amounts up by key.
func sum(t *testing.T, rows []map[string]any, property string, key func(map[string]any) string) map[string]*big.Rat {
	t.Helper()
	sums := map[string]*big.Rat{}
	for _, r := range rows {
		k := key(r)
		if sums[k] == nil {
			sums[k] = new(big.Rat)
		}
		sums[k].Add(sums[k], amount(t, r[property]))
	}
	return sums
}

func by(names ...string) func(map[string]any) string {
	return func(r map[string]any) string {
		k := ""
		for _, name := range names {
			k += fmt.Sprint(r[name]) + "|"
		}
		return k
	}
}

// checkBooks looks at the company as an accountant would.
func checkBooks(t *testing.T, s *sandbox.Sandbox, division int) {
	t.Helper()
	lines := s.Records(division, "bulk/Financial/TransactionLines")
	headers := map[any]bool{}
	for entry, total := range sum(t, lines, "AmountDC", by("EntryID")) {
		if total.Sign() != 0 {
			t.Fatalf("entry %s does not balance: %s", entry, total.FloatString(2))
		}
	}
	for _, r := range lines {
		if r["LineNumber"] == int64(0) {
			headers[r["EntryID"]] = true
		}
	}
	for _, r := range lines {
		if r["JournalCode"] != "90" && !headers[r["EntryID"]] {
			t.Fatalf("entry %v of journal %v has no header line", r["EntryID"], r["JournalCode"])
		}
	}
	ledger := sum(t, lines, "AmountDC", by("GLAccountCode"))
	for list, code := range map[string]string{"read/financial/ReceivablesList": "1300|", "read/financial/PayablesList": "1600|"} {
		open := sum(t, s.Records(division, list), "Amount", by())[""]
		if open == nil || open.Cmp(ledger[code]) != 0 {
			t.Fatalf("%s adds up to %v, ledger account %s holds %s", list, open, code, ledger[code].FloatString(2))
		}
	}
	periods := sum(t, lines, "AmountDC", by("GLAccount", "FinancialYear", "FinancialPeriod"))
	balances := sum(t, s.Records(division, "financial/ReportingBalance"), "Amount", by("GLAccount", "ReportingYear", "ReportingPeriod"))
	if len(periods) != len(balances) {
		t.Fatalf("ReportingBalance has %d sums, the lines %d", len(balances), len(periods))
	}
	for k, want := range periods {
		if balances[k] == nil || balances[k].Cmp(want) != 0 {
			t.Fatalf("ReportingBalance of %s is %v, the lines add up to %s", k, balances[k], want.FloatString(2))
		}
	}
	checkInvoices(t, s, division)
	checkOrders(t, s, division)
	checkPeriods(t, s, division)
}

// checkOrders holds purchase orders against their lines, and the sync feed against both.
func checkOrders(t *testing.T, s *sandbox.Sandbox, division int) {
	t.Helper()
	orders, lines := s.Records(division, "purchaseorder/PurchaseOrders"), s.Records(division, "purchaseorder/PurchaseOrderLines")
	net := sum(t, lines, "AmountDC", by("PurchaseOrderID"))
	for _, r := range orders {
		if got := net[fmt.Sprint(r["PurchaseOrderID"])+"|"]; got == nil || got.Cmp(amount(t, r["AmountFCExclVat"])) != 0 {
			t.Fatalf("order %v: lines add up to %v, not to %v", r["OrderNumber"], got, r["AmountFCExclVat"])
		}
	}
	heads, mixed := 0, s.Records(division, "sync/PurchaseOrder/PurchaseOrders")
	for _, r := range mixed {
		if r["LineNumber"] == int64(0) {
			heads++
		}
	}
	if heads != len(orders) || len(mixed) != len(orders)+len(lines) || heads == 0 {
		t.Fatalf("%d orders with %d lines are %d headers among %d rows in the sync feed", len(orders), len(lines), heads, len(mixed))
	}
}

// checkPeriods finds the period of every entry among the financial periods.
func checkPeriods(t *testing.T, s *sandbox.Sandbox, division int) {
	t.Helper()
	periods := map[[2]any]map[string]any{}
	for _, r := range s.Records(division, "financial/FinancialPeriods") {
		periods[[2]any{r["FinYear"], r["FinPeriod"]}] = r
	}
	for _, r := range s.Records(division, "bulk/Financial/TransactionLines") {
		p := periods[[2]any{r["FinancialYear"], r["FinancialPeriod"]}]
		if p == nil {
			t.Fatalf("there is no period %v of %v", r["FinancialPeriod"], r["FinancialYear"])
		}
		date := r["Date"].(time.Time)
		if date.Before(p["StartDate"].(time.Time)) || date.After(p["EndDate"].(time.Time)) {
			t.Fatalf("%s is not in period %v of %v", date, r["FinancialPeriod"], r["FinancialYear"])
		}
	}
}

func checkInvoices(t *testing.T, s *sandbox.Sandbox, division int) {
	t.Helper()
	invoices := s.Records(division, "salesinvoice/SalesInvoices")
	net := sum(t, s.Records(division, "salesinvoice/SalesInvoiceLines"), "AmountDC", by("InvoiceID"))
	entries := sum(t, s.Records(division, "salesentry/SalesEntries"), "AmountDC", by("InvoiceNumber"))
	mixed := map[string]int{}
	for _, r := range s.Records(division, "sync/SalesInvoice/SalesInvoices") {
		if r["LineNumber"] == int64(0) {
			mixed[fmt.Sprint(r["InvoiceID"])]++
		}
	}
	for _, r := range invoices {
		want := new(big.Rat).Sub(amount(t, r["AmountDC"]), amount(t, r["VATAmountDC"]))
		if got := net[fmt.Sprint(r["InvoiceID"])+"|"]; got == nil || got.Cmp(want) != 0 {
			t.Fatalf("invoice %v: lines add up to %v, not to %s", r["InvoiceNumber"], got, want.FloatString(2))
		}
		if got := entries[fmt.Sprint(r["InvoiceNumber"])+"|"]; got == nil || got.Cmp(amount(t, r["AmountDC"])) != 0 {
			t.Fatalf("invoice %v is booked for %v", r["InvoiceNumber"], got)
		}
		if mixed[fmt.Sprint(r["InvoiceID"])] != 1 {
			t.Fatalf("invoice %v has %d headers in the sync feed", r["InvoiceNumber"], mixed[fmt.Sprint(r["InvoiceID"])])
		}
	}
	if len(mixed) != len(invoices) || len(net) != len(invoices) {
		t.Fatalf("%d invoices, %d headers in the sync feed, lines of %d", len(invoices), len(mixed), len(net))
	}
}

func TestTheCompanyIsCoherent(t *testing.T) {
	s := visit(t, sandbox.Options{}).sandbox
	for _, division := range s.Divisions() {
		checkBooks(t, s, division)
	}
	if n := len(s.Records(123456, "bulk/Financial/TransactionLines")); n < 2001 || n > 4000 {
		t.Errorf("the first division has %d transaction lines, want some 2,500 and more than two pages", n)
	}
	if n := len(s.Records(123456, "salesinvoice/SalesInvoices")); n != 400 {
		t.Errorf("the first division has %d invoices", n)
	}
	for _, r := range s.Records(0, "crm/Accounts") {
		if code := r["Code"].(string); len(code) != 18 {
			t.Fatalf("account code %q is not padded", code)
		}
	}
}

func TestTheCompanyStaysCoherent(t *testing.T) {
	s := visit(t, sandbox.Options{Scale: 0.2}).sandbox
	entities := []string{
		"salesinvoice/SalesInvoices", "financialtransaction/TransactionLines", "purchaseentry/PurchaseEntries",
		"financialtransaction/BankEntries", "cashflow/PaymentTerms", "crm/Accounts", "logistics/Items", "financial/GLAccounts", "purchaseorder/PurchaseOrders",
	}
	for round := range 12 {
		entity := entities[round%len(entities)]
		if err := s.Change(sandbox.Change{Entity: entity, Insert: 3, Update: 2, Delete: 1}); err != nil {
			t.Fatal(err)
		}
		checkBooks(t, s, 0)
	}
}

func TestTheSeedDecides(t *testing.T) {
	one, two, other := visit(t, sandbox.Options{Seed: 7}), visit(t, sandbox.Options{Seed: 7}), visit(t, sandbox.Options{Seed: 8})
	address := "/api/v1/123457/crm/Accounts"
	_, _, a := one.get(address)
	two.get("/api/v1/123457/project/Projects") // the order of asking must not matter
	if err := two.sandbox.Change(sandbox.Change{Entity: "financial/GLAccounts", Insert: 1}); err != nil {
		t.Fatal(err)
	}
	_, _, b := two.get(address)
	_, _, c := other.get(address)
	if a != b {
		t.Error("equal seeds gave different records")
	}
	if a == c {
		t.Error("different seeds gave equal records")
	}
}

// Any entity that is stored can be changed, in exactly the numbers asked for.
func TestEveryEntityCanBeChanged(t *testing.T) {
	s := visit(t, sandbox.Options{Scale: 0.1}).sandbox
	changed := 0
	for _, stream := range exactonline.Streams() {
		path := exactonline.EndpointOf(stream.Variants[0]).Path
		before := len(s.Records(0, path))
		if before < 5 || s.Change(sandbox.Change{Entity: stream.Name, Insert: 3}) != nil {
			continue // computed, or a list of few possible keys
		}
		changed++
		if err := s.Change(sandbox.Change{Entity: stream.Name, Update: 2, Delete: 1}); err != nil {
			t.Errorf("%s: %v", stream.Name, err)
		}
		if after := len(s.Records(0, path)); after == before {
			t.Errorf("%s has %d records as before", stream.Name, after)
		}
	}
	if changed < 200 {
		t.Errorf("only %d streams could be changed", changed)
	}
	if err := s.Change(sandbox.Change{Entity: "crm/Acounts", Insert: 1}); err == nil {
		t.Error("an unknown entity was changed")
	}
	if err := s.Change(sandbox.Change{Entity: "financial/ReportingBalance", Insert: 1}); err == nil {
		t.Error("a computed entity was changed")
	}
}
