package load

import (
	"fmt"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"exactduck/load/spool"
	"exactduck/schema"
)

// The shapes of books, with only the columns that the looks need.
var (
	bookings = &schema.Table{
		Service: "financial", Name: "TransactionLines", Scope: division, Key: []string{"ID"}, Version: "Timestamp", Entity: 1,
		Columns: []schema.Column{
			{Name: "Timestamp", Type: schema.BigInt},
			{Name: "ID", Type: schema.UUID},
			{Name: "EntryID", Type: schema.UUID},
			{Name: "LineNumber", Type: schema.Integer},
			{Name: "GLAccount", Type: schema.UUID},
			{Name: "AmountDC", Type: schema.Decimal},
			{Name: "FinancialYear", Type: schema.Integer},
			{Name: "FinancialPeriod", Type: schema.Integer},
			{Name: "Type", Type: schema.Integer},
			{Name: "Status", Type: schema.Integer},
		},
	}
	reports = &schema.Table{
		Service: "financial", Name: "ReportingBalance", Scope: division,
		Columns: []schema.Column{
			{Name: "GLAccount", Type: schema.UUID},
			{Name: "GLAccountCode", Type: schema.Varchar},
			{Name: "Amount", Type: schema.Decimal},
			{Name: "ReportingYear", Type: schema.Integer},
			{Name: "ReportingPeriod", Type: schema.Integer},
			{Name: "Type", Type: schema.Integer},
			{Name: "Status", Type: schema.Integer},
		},
	}
	glAccounts = &schema.Table{
		Service: "financial", Name: "GLAccounts", Scope: division, Key: []string{"ID"}, Version: "Timestamp", Entity: 7,
		Columns: []schema.Column{{Name: "Timestamp", Type: schema.BigInt}, {Name: "ID", Type: schema.UUID}, {Name: "Code", Type: schema.Varchar}},
	}
)

// line is line n of entry e, number in it, on account gl, in cents.
func line(n, e, number, gl, cents int) []any {
	return []any{n, id(n), id(e), number, id(gl), cents * 100, 2026, 5, 20, 50}
}

func ledgerBooks(t *testing.T) *books {
	b := newBooks(t)
	b.apply("r1", read{table: bookings, scope: "7", mode: spool.Replace, whole: true, rows: [][]any{
		line(1, 100, 0, 50, 1210), line(2, 100, 1, 51, -1000), line(3, 100, 9999, 52, -210), line(4, 101, 0, 50, 500), line(5, 101, 1, 51, -500),
	}})
	b.apply("r1", read{table: glAccounts, scope: "7", mode: spool.Replace, whole: true, rows: [][]any{{1, id(50), "1300"}, {2, id(51), "8000"}, {3, id(52), "1500"}}})
	b.apply("r1", read{table: reports, scope: "7", mode: spool.Replace, whole: true, rows: [][]any{
		{id(50), " 1300", 171000, 2026, 5, 20, 50},
		{id(51), " 8000", -150000, 2026, 5, 20, 50},
		{id(52), " 1500", -20000, 2026, 5, 20, 50},
		{id(52), " 1500", -1000, 2026, 5, 20, 20},
		{id(52), " 1500", 77, 2026, 5, 3000, 50},
	}})
	return b
}

func (b *books) inspected(t *schema.Table, scopes ...schema.Scope) Inspected {
	s := Inspected{Stream: t.Service + "/" + t.Name, Table: t, Scopes: map[schema.Scope]time.Time{}}
	for _, scope := range scopes {
		s.Scopes[scope] = b.tick()
	}
	return s
}

func inWords(flaws []Flaw) (words []string) {
	for _, f := range flaws {
		text := fmt.Sprintf("%s of %s (%s): %d %s", f.Kind, f.Table, f.Scope, f.Count, strings.ReplaceAll(f.Sample, "ab000000-0000-0000-0000-00000000", ""))
		if f.Column != "" {
			text += fmt.Sprintf(" by %s in %s", f.Column, f.Other)
		}
		words = append(words, text)
	}
	return words
}

func (b *books) expectFlaws(want []string, streams ...Inspected) {
	b.t.Helper()
	found, err := b.Flaws(b.t.Context(), streams)
	if err != nil {
		b.t.Fatal(err)
	}
	if d := gocmp.Diff(want, inWords(found)); d != "" {
		b.t.Errorf("flaws (-want +got):\n%s", d)
	}
}

func TestFlawsOfOneTable(t *testing.T) {
	b := newBooks(t)
	rows := [][]any{{"A", 1, "a", 0}, {"B", 1, "b", 0}, {"C", 1, "c", 0, `{"Code":"too long","Zeta":1}`}, {"D", 1, "d", 0, `{"Zeta":2}`}}
	b.apply("r1", read{table: items, scope: "7", mode: spool.Replace, rows: rows}, read{table: items, scope: "8", mode: spool.Replace, rows: rows[:2]})
	b.apply("r1", read{table: balances, scope: "7", mode: spool.Replace, rows: [][]any{{"x", 1.0}, {"x", 1.0}}})
	all := []Inspected{b.inspected(items, "7"), b.inspected(balances, "7"), b.inspected(accounts, "7")} // there is no table of the last
	b.expectFlaws([]string{"misfit of logistics.Items (7): 1 Code"}, all...)
	execute(t, b.Warehouse,
		"INSERT INTO logistics.Items FROM logistics.Items WHERE Code IN ('A', 'B')", "INSERT INTO logistics.Items FROM logistics.Items WHERE Code = 'A'",
		"UPDATE logistics.Items SET Line = NULL WHERE Code = 'C'")
	b.expectFlaws([]string{"doubled of logistics.Items (7): 4 A 1, B 1", "keyless of logistics.Items (7): 1 ", "misfit of logistics.Items (7): 1 Code"}, all...)

	removed, unlike, err := b.RemoveDoubles(t.Context(), items, "7")
	if err != nil || removed != 4 || unlike {
		t.Errorf("removed %d, unlike %t, %v", removed, unlike, err)
	}
	b.expect("rows", "SELECT _division, Code FROM logistics.Items ORDER BY ALL", "7|A", "7|B", "7|C", "7|D", "8|A", "8|A", "8|A", "8|A", "8|B", "8|B")
	b.expect("cursor", "SELECT rows FROM _exactduck.cursors WHERE stream = 'logistics/Items' AND scope = '7'", "4")
}

// The newest of doubles stays, and that they were not the same is told.
func TestDoublesThatDiffer(t *testing.T) {
	b := newBooks(t)
	b.apply("r1", read{table: accounts, scope: "7", mode: spool.Replace, rows: five()})
	execute(t, b.Warehouse, "INSERT INTO crm.Accounts SELECT * REPLACE (99 AS Timestamp, 'newer' AS Name) FROM crm.Accounts WHERE Timestamp = 12")
	removed, unlike, err := b.RemoveDoubles(t.Context(), accounts, "7")
	if err != nil || removed != 1 || !unlike {
		t.Errorf("removed %d, unlike %t, %v", removed, unlike, err)
	}
	b.expect("rows", names, "0001|11|name", "0002|99|newer", "0003|13|name", "0004|14|name", "0005|15|name")
}

func TestFlawsOfBooks(t *testing.T) {
	b := ledgerBooks(t)
	all := func() []Inspected { return []Inspected{b.inspected(bookings, "7"), b.inspected(glAccounts, "7")} }
	b.expectFlaws(nil, all()...)
	execute(t, b.Warehouse, "DELETE FROM financial.TransactionLines WHERE Timestamp = 4", "DELETE FROM financial.GLAccounts WHERE Code = '1500'")
	found := []string{
		"reference of financial.TransactionLines (7): 1 0034 by GLAccount in financial/GLAccounts",
		"headless of financial.TransactionLines (7): 1 0065 by EntryID in financial/TransactionLines",
		"unbalanced of financial.TransactionLines (7): 1 0065",
	}
	b.expectFlaws(found, all()...)

	// Rows that came after the last read of the others had begun say nothing, nor do scopes that do
	// not hold everything.
	early := all()
	early[1].Scopes["7"] = b.moment.Add(-time.Hour)
	b.expectFlaws(found[1:], early...)
	early[0].Scopes["7"] = time.Time{}
	b.expectFlaws(nil, early...)

	// What the source has deleted may be named by what it has kept.
	b.apply("r2", read{table: deletions, scope: "7", mode: spool.Merge, rows: [][]any{{30, 7, id(52)}}})
	b.expectFlaws(found[1:], all()...)
	execute(t, b.Warehouse, "UPDATE financial.TransactionLines SET Type = 3000 WHERE Timestamp = 5") // a budget
	b.expectFlaws(nil, all()...)
}

func TestLinesWithoutHeader(t *testing.T) {
	b := newBooks(t)
	b.apply("r1", read{table: accounts, scope: "7", mode: spool.Replace, rows: five()})
	entries := &schema.Table{
		Service: "crm", Name: "Notes", Scope: division, Key: []string{"ID"},
		Columns: []schema.Column{{Name: "ID", Type: schema.UUID}, {Name: "Account", Type: schema.UUID}},
	}
	b.apply("r1", read{table: entries, scope: "7", mode: spool.Replace, rows: [][]any{{id(20), id(1)}, {id(21), id(2)}, {id(22), nil}, {id(23), [16]byte{}}}})
	notes := b.inspected(entries, "7")
	notes.Header, notes.HeaderKey = "crm/Accounts", "Account"
	headers := b.inspected(accounts, "7")
	b.expectFlaws(nil, notes, headers)
	execute(t, b.Warehouse, "DELETE FROM crm.Accounts WHERE Timestamp = 12")
	b.expectFlaws([]string{"headless of crm.Notes (7): 1 0002 by Account in crm/Accounts"}, notes, headers)
}

func TestSumsAgainstBalances(t *testing.T) {
	b := ledgerBooks(t)
	l, r := b.inspected(bookings, "7"), b.inspected(reports, "7")
	expect := func(want ...string) {
		t.Helper()
		found, err := b.Balance(t.Context(), l, r)
		if err != nil {
			t.Fatal(err)
		}
		if d := gocmp.Diff(want, inWords(found)); d != "" {
			t.Errorf("balance (-want +got):\n%s", d)
		}
	}
	expect()
	execute(t, b.Warehouse, "UPDATE financial.TransactionLines SET AmountDC = AmountDC + 0.01 WHERE Timestamp = 2",
		"UPDATE financial.TransactionLines SET FinancialPeriod = 6 WHERE Timestamp = 3")
	expect("balance of financial.TransactionLines (7): 3 1500, 2026-05: 0.00 here, -2.10 at the source; 1500, 2026-06: -2.10 here, 0.00 at the source; 8000, 2026-05: -14.99 here, -15.00 at the source")

	steady := func(want bool) {
		t.Helper()
		got, err := b.Balanced(t.Context(), l, r, map[schema.Scope]time.Time{})
		if err != nil || got["7"] != want {
			t.Errorf("lines and balances are of one moment: %v, %v, want %t", got, err, want)
		}
	}
	steady(true)
	b.tick()
	b.apply("r2", read{table: deletions, scope: "7", mode: spool.Merge, rows: [][]any{{30, 1, id(40)}}})
	steady(false)
	r.Scopes["7"] = b.tick()
	steady(true)
	b.tick()
	b.apply("r3", read{table: bookings, scope: "7", mode: spool.Merge, rows: [][]any{line(6, 102, 0, 50, 0)}})
	steady(false)
	r.Scopes["7"] = b.tick()
	steady(true)
	if got, err := b.Balanced(t.Context(), l, r, map[schema.Scope]time.Time{"7": b.tick()}); err != nil || got["7"] {
		t.Errorf("lines that were swept later: %v, %v", got, err)
	}
}

func TestReferencesAreRead(t *testing.T) {
	all, headed := references()
	if len(all) < 20 || headed[ledger].held() != `t."Type" IN (20, 21, 30, 31, 40)` || headed["salesinvoice/SalesInvoicesSync"].held() != "true" || all[0] != (Named{Stream: "crm/Contacts", Column: "Account", Other: "crm/Accounts"}) {
		t.Errorf("%v, %v", all, headed)
	}
}
