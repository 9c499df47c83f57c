package analytics_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"exactduck/extract/exactonline"
	"exactduck/schema"
)

// A column that the configuration leaves out or masks may still be there, and be NULL in every row: a
// view that cannot do without it is not made, lest lines count as headers and amounts as nothing.
func TestHiddenColumnsMakeNoView(t *testing.T) {
	for _, tc := range []struct{ stream, hidden, gone, stays string }{
		{"salesinvoice/SalesInvoicesSync", `{"without":["LineNumber"]}`, "sales_invoice_headers sales_invoice_lines", ""},
		{"salesinvoice/SalesInvoicesSync", `{"mask":{"linenumber":"drop"}}`, "sales_invoice_headers sales_invoice_lines", ""},
		{"salesinvoice/SalesInvoicesSync", `{"columns":["InvoiceID","AmountDC","Type","Status"]}`, "sales_invoice_headers sales_invoice_lines", ""},
		{"purchaseorder/PurchaseOrdersSync", `{"without":["LineNumber"]}`, "purchase_order_headers purchase_order_lines", ""},
		{"financial/TransactionLines", `{"mask":{"AmountDC":"hash"}}`, "gl_transactions trial_balance", ""},
		{"financial/GLAccounts", `{"without":["BalanceType"]}`, "trial_balance profit_and_loss vat_summary", "gl_transactions"},
		{"cashflow/Receivables", `{"mask":{"Account":"hash","AccountName":"drop"}}`, "", "receivables_aging"},
		{"cashflow/Receivables", `{"columns":["ID","AmountDC","Status","DueDate","InvoiceDate","TransactionType"]}`, "", "receivables_aging"},
	} {
		l := newLedger(t, tc.stream)
		if strings.HasPrefix(tc.stream, "financial/") {
			l = newLedger(t, general...)
		}
		hide := func(division, fingerprint string) {
			l.do(fmt.Sprintf("UPDATE _exactduck.cursors SET fingerprint = '%s' WHERE stream = '%s' AND scope = '%s'", fingerprint, tc.stream, division))
		}
		there := func(what string, want bool, views string) {
			for v := range strings.FieldsSeq(views) {
				if slices.Contains(l.views(), v) != want {
					t.Errorf("%s %s %s: %s is there: %v", tc.stream, tc.hidden, what, v, !want)
				}
			}
		}
		hide("1", tc.hidden)
		hide("2", tc.hidden)
		l.refresh()
		there("everywhere", false, tc.gone)
		there("everywhere", true, tc.stays)
		hide("2", "{}")
		if due := l.due(); due != (tc.gone != "") {
			t.Errorf("%s %s in one division: due %v", tc.stream, tc.hidden, due)
		}
		l.refresh()
		there("in one division", true, tc.gone+" "+tc.stays)
	}
}

// Nothing is to come of what is complete or cancelled, nor of what came twice; of goods that go back
// something is.
func TestOpenQuantityIsStillToCome(t *testing.T) {
	l := newLedger(t, "standard/purchaseorder/PurchaseOrders", "standard/purchaseorder/PurchaseOrderLines")
	for n, o := range []struct{ order, receipt, quantity, received any }{
		{10, 10, 10, "NULL"}, {20, 20, 10, 4}, {40, 40, 10, 4}, {10, 40, 10, 0}, {30, 30, 10, 9}, {20, 20, 10, 12}, {10, 10, -3, -1}, {"NULL", "NULL", 5, 0},
	} {
		l.do(fmt.Sprintf("INSERT INTO purchaseorder.PurchaseOrders (_division, PurchaseOrderID, OrderNumber, OrderStatus, ReceiptStatus) VALUES (1, '%s', %d, %v, %v)",
			key(n), n, o.order, o.receipt))
		l.do(fmt.Sprintf("INSERT INTO purchaseorder.PurchaseOrderLines (_division, ID, PurchaseOrderID, LineNumber, Quantity, ReceivedQuantity) VALUES (1, '%s', '%s', 1, %v, %v)",
			key(n), key(n), o.quantity, o.received))
	}
	l.refresh()
	l.expect("open", "SELECT string_agg(open_quantity::INTEGER, ' ' ORDER BY order_number) FROM analytics.purchase_order_lines", "10 6 0 0 0 0 -2 5")
}

// The sign of the feed is one for all: neither a division where sales and what was taken back make
// nothing, nor one with a single correction, has another.
func TestTheSignIsThatOfTheFeed(t *testing.T) {
	for _, side := range []struct {
		view, table string
		kind        int
	}{{"receivables_aging", "cashflow.Receivables", 20}, {"payables_aging", "cashflow.Payments", 30}} {
		for _, sign := range []int{1, -1} {
			l := newLedger(t, "cashflow/Receivables", "cashflow/Payments")
			for _, item := range [][3]int{{1, side.kind, 50}, {1, side.kind, -50}, {1, 40, -7}, {2, side.kind, 100}, {2, side.kind, 20}, {3, side.kind, -30}} {
				l.add(side.table, map[string]any{"_division": item[0], "AmountDC": sign * item[2], "Status": 20, "TransactionType": item[1], "InvoiceDate": "2026-01-10"})
			}
			l.refresh()
			l.expect(side.view, "SELECT division_code, sum(amount), sum(abs(amount)) FROM analytics."+side.view+" GROUP BY ALL ORDER BY 1",
				"1 | -7.0000 | 107.0000", "2 | 120.0000 | 120.0000", "3 | -30.0000 | 30.0000")
		}
	}
	l := newLedger(t, "salesinvoice/SalesInvoicesSync")
	for n, invoice := range [][2]int{{1, -100}, {1, 100}, {2, -10}, {2, -20}} {
		for line := range 2 {
			l.add("salesinvoice.SalesInvoicesSync", map[string]any{
				"_division": invoice[0], "InvoiceID": key(n), "Type": 8020, "Status": 50, "LineNumber": line, "AmountDC": invoice[1],
			})
		}
	}
	l.refresh()
	for _, view := range []string{"sales_invoice_headers", "sales_invoice_lines"} {
		l.expect(view, "SELECT division_code, sum(amount), sum(abs(amount)) FROM analytics."+view+" GROUP BY ALL ORDER BY 1", "1 | 0.0000 | 200.0000", "2 | 30.0000 | 30.0000")
	}
}

// An item without the date of its invoice begins when it was booked, and one without an end ended
// when the last was paid of it.
func TestAgingDoesWithWhatDatesThereAre(t *testing.T) {
	l := newLedger(t, "cashflow/Receivables")
	l.add("cashflow.Receivables", map[string]any{"AmountDC": 10, "TransactionType": 20, "Status": 20, "EntryDate": "2026-01-10"})
	l.add("cashflow.Receivables", map[string]any{"AmountDC": 5, "TransactionType": 20, "Status": 50, "InvoiceDate": "2026-01-10", "LastPaymentDate": "2026-03-01"})
	l.add("cashflow.Receivables", map[string]any{"AmountDC": 1, "TransactionType": 20, "InvoiceDate": "2026-01-10"})
	l.refresh()
	for _, on := range [][2]string{{"2026-01-09", "-"}, {"2026-01-10", "16.0000"}, {"2026-02-28", "16.0000"}, {"2026-03-01", "11.0000"}} {
		l.do("SET VARIABLE as_of = DATE '" + on[0] + "'")
		l.expect("on "+on[0], "SELECT sum(amount) FROM analytics.receivables_aging", on[1])
	}
	l.expect("days", "SELECT DISTINCT days_overdue FROM analytics.receivables_aging", "50")
}

// Without all accounts nobody knows which of them begin each year at zero: there are no balances then.
func TestBalancesNeedAllAccounts(t *testing.T) {
	for what, change := range map[string]string{
		"filtered": `UPDATE _exactduck.cursors SET fingerprint = '{"filter":"x"}' WHERE stream = 'financial/GLAccounts' AND scope = '1'`,
		"since":    `UPDATE _exactduck.cursors SET history_from = '2026-01-01' WHERE stream = 'financial/GLAccounts' AND scope = '1'`,
		"refused":  `DELETE FROM _exactduck.cursors WHERE stream = 'financial/GLAccounts' AND scope = '1'`,
	} {
		l := smallLedger(t)
		l.do("INSERT INTO financial.GLAccounts SELECT 2 AS _division, * EXCLUDE (_division) FROM financial.GLAccounts")
		l.entry("2025-01-15", 20, [2]int{1300, 10000}, [2]int{8000, -10000})
		l.entryWith("2025-01-15", 20, map[string]any{"_division": 2}, [2]int{1300, 10000}, [2]int{8000, -10000})
		l.do(change)
		l.refresh()
		l.expect(what, "SELECT division_code, count(closing_balance), sum(movement) FROM analytics.trial_balance GROUP BY ALL ORDER BY 1", "1 | 0 | 0.0000", "2 | 2 | 0.0000")
		l.expect(what+": balance sheet", "SELECT DISTINCT division_code FROM analytics.balance_sheet", "2")
	}
	l := newLedger(t, "financial/TransactionLines")
	l.entry("2025-01-15", 20, [2]int{1300, 10000}, [2]int{8000, -10000})
	l.refresh()
	l.expect("lines alone", "SELECT DISTINCT history_complete FROM analytics.gl_transactions", "true")
}

// Whatever the rows hold, or do not, no view fails; and a number that is no amount of money is NULL
// and does not take the others with it.
func TestExtremesFailNoView(t *testing.T) {
	l := newLedger(t, everything...)
	for _, name := range everything {
		stream, _, err := exactonline.Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		table := stream.Variants[0].Table
		for _, extreme := range []map[schema.Type]any{nil, {
			schema.Timestamp: "1753-01-01 00:00:00", schema.Decimal: "-99999999999999.9999", schema.Integer: -2147483648,
		}, {
			schema.Timestamp: "9999-12-31 23:59:59.997", schema.Decimal: "99999999999999.9999", schema.Integer: 2147483647,
			schema.UUID: "00000000-0000-0000-0000-000000000000", schema.Double: "Infinity",
		}} {
			row := map[string]any{}
			for _, c := range table.Columns {
				if v, ok := extreme[c.Type]; ok {
					row[c.Name] = v
				}
			}
			l.add(table.FullName(), row)
		}
	}
	l.refresh()
	for _, setting := range []string{"RESET VARIABLE as_of", "SET VARIABLE as_of = DATE '2026-06-30'", "SET VARIABLE as_of = DATE '9999-12-31'"} {
		l.do(setting)
		for _, v := range l.views() {
			l.rows("FROM analytics." + v)
		}
	}

	s := smallLedger(t)
	s.do("ALTER TABLE financial.TransactionLines ALTER AmountDC TYPE DOUBLE")
	s.entry("2026-01-15", 20, [2]int{1300, 10000}, [2]int{8000, -10000})
	s.do("INSERT INTO financial.TransactionLines (_division, AmountDC) VALUES (1, 1e15), (1, 'nan'), (1, 'inf')")
	s.refresh()
	s.expect("beside numbers that are none", "SELECT sum(amount), count(*) FROM analytics.gl_transactions WHERE amount IS NULL OR amount > 0", "100.0000 | 4")
	s.expect("revenue", "SELECT sum(amount) FROM analytics.profit_and_loss", "100.0000")
}

// With deletes: soft what is gone at the source stays in the tables, and counts in no view.
func TestRowsThatAreGoneCountNowhere(t *testing.T) {
	l := smallLedger(t, everything[3:]...)
	l.entry("2026-01-15", 20, [2]int{1300, 12100}, [2]int{8000, -10000}, [2]int{1520, -2100})
	l.add("cashflow.Receivables", map[string]any{"AmountDC": 10, "TransactionType": 20, "Status": 20})
	l.add("cashflow.Payments", map[string]any{"AmountDC": 10, "TransactionType": 30, "Status": 20})
	l.add("financial.FinancialPeriods", map[string]any{"FinYear": 2026, "FinPeriod": 1, "StartDate": "2026-01-01", "EndDate": "2026-01-31"})
	for line := range 2 {
		l.add("salesinvoice.SalesInvoicesSync", map[string]any{"InvoiceID": key(1), "Type": 8020, "Status": 50, "LineNumber": line, "AmountDC": 10})
		l.add("purchaseorder.PurchaseOrdersSync", map[string]any{"PurchaseOrderID": key(1), "LineNumber": line, "AmountDC": 10})
	}
	l.entry("2026-01-15", 40, [2]int{1100, 12100}, [2]int{1300, -12100})
	l.refresh()
	support := []string{"completeness", "divisions", "labels"}
	for _, v := range l.views() {
		if !slices.Contains(support, v) {
			l.expect(v, "SELECT count(*) > 0 FROM analytics."+v, "true")
		}
	}
	for _, table := range l.rows("SELECT schema_name || '.' || table_name FROM duckdb_tables() WHERE schema_name <> '_exactduck'") {
		l.do("UPDATE " + table + " SET _deleted_at = now()")
	}
	for _, v := range l.views() {
		if !slices.Contains(support, v) {
			l.expect(v+" of what is gone", "SELECT count(*) FROM analytics."+v, "0")
		}
	}
}

// Financial years of thirteen periods, of 53 weeks, cut off or with a gap: each day that lies in a
// period is in one, and the others are not there.
func TestCalendarOfBrokenYears(t *testing.T) {
	l := newLedger(t, "financial/FinancialPeriods")
	day := func(n int) string {
		return time.Date(2025, 12, 29, 0, 0, 0, 0, time.UTC).AddDate(0, 0, n).Format(time.DateOnly)
	}
	period := func(year, n, from, to int) {
		l.add("financial.FinancialPeriods", map[string]any{"FinYear": year, "FinPeriod": n, "StartDate": day(from), "EndDate": day(to)})
	}
	for n := range 13 { // of four weeks, the last one of five: 53 weeks
		period(2026, n+1, 28*n, 28*n+27+n/12*7)
	}
	period(2027, 1, 371, 380)
	period(2027, 2, 391, 400) // ten days are missing
	l.refresh()
	l.expect("years", `SELECT financial_year, count(*), count(DISTINCT financial_period), max(period_end - period_start) + 1, any_value(year_start), any_value(year_end), min(date), max(date)
		FROM analytics.calendar GROUP BY 1 ORDER BY 1`,
		"2026 | 371 | 13 | 35 | 2025-12-29 | 2027-01-03 | 2025-12-29 | 2027-01-03", "2027 | 20 | 2 | 10 | 2027-01-04 | 2027-02-02 | 2027-01-04 | 2027-02-02")
	l.expect("ISO's 53rd week", "SELECT min(date), max(date) FROM analytics.calendar WHERE iso_year = 2026 AND iso_week = 53", "2026-12-28 | 2027-01-03")
}

// The currency of a division is known without any list of divisions, and a list that lacks it, or is
// of others, takes nothing away.
func TestDivisionsAreKnownWithoutTheirLists(t *testing.T) {
	l := smallLedger(t, "system/Divisions", "hrm/Divisions")
	l.do("INSERT INTO _exactduck.divisions VALUES ('', '1', 'Noord', 'EUR'), ('', '2', '', 'GBP'), ('other_', '1', 'Zuid', 'USD')")
	l.add("exact_system.Divisions", map[string]any{"_division": 0, "Code": 1, "Description": "Noord B.V.", "Country": "NL "})
	l.add("hrm.Divisions", map[string]any{"_division": 0, "Code": 2, "Description": "South", "Currency": ""})
	l.refresh()
	l.expect("divisions", "SELECT division_code, division_name, currency, country FROM analytics.divisions ORDER BY 1", "1 | Noord B.V. | EUR | NL", "2 | South | GBP | -")
}
