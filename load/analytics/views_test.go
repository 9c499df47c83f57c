package analytics_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"exactduck/load/analytics"
)

var general = []string{"financial/TransactionLines", "financial/GLAccounts"}

// smallLedger has one account of each kind that matters.
func smallLedger(t testing.TB, more ...string) *ledger {
	l := newLedger(t, append(slices.Clone(general), more...)...)
	l.account(500, 50, "B", "C")
	l.account(1100, 12, "B", "D")
	l.account(1300, 20, "B", "D")
	l.account(1520, 24, "B", "C")
	l.account(1530, 24, "B", "D")
	l.account(1600, 22, "B", "C")
	l.account(210, 35, "B", "C")
	l.account(4100, 121, "W", "D")
	l.account(4600, 122, "W", "D")
	l.account(8000, 110, "W", "C")
	return l
}

// A view is there as soon as what it needs is, and what only supports others is with them.
func TestViewsComeWithTheirStreams(t *testing.T) {
	l := newLedger(t, "crm/Accounts")
	l.refresh()
	l.expect("without books", "SELECT count(*) FROM duckdb_views() WHERE NOT internal", "0")
	l.expect("without books no schema", "SELECT count(*) FROM duckdb_schemas() WHERE schema_name = 'analytics'", "0")
	for _, step := range []struct{ stream, views string }{
		{"financial/FinancialPeriods", "calendar completeness divisions labels"},
		{"financial/TransactionLines", "gl_transactions"},
		{"financial/GLAccounts", "balance_sheet cash_position profit_and_loss revenue_by_customer revenue_by_item trial_balance vat_summary"},
		{"cashflow/Receivables", "receivables_aging"},
		{"cashflow/Payments", "payables_aging"},
		{"salesinvoice/SalesInvoices", "sales_invoice_headers"},
		{"salesinvoice/SalesInvoicesSync", "sales_invoice_lines"},
		{"purchaseorder/PurchaseOrdersSync", "purchase_order_headers purchase_order_lines"},
	} {
		before := l.views()
		l.stream(step.stream)
		if !l.due() {
			t.Errorf("%s makes nothing due", step.stream)
		}
		l.refresh()
		var added []string
		for _, v := range l.views() {
			if !slices.Contains(before, v) {
				added = append(added, v)
			}
		}
		if got := strings.Join(added, " "); got != step.views {
			t.Errorf("%s brings %q, want %q", step.stream, got, step.views)
		}
	}
	if got := len(l.views()); got != 18 {
		t.Errorf("%d views", got)
	}
	for _, v := range l.views() {
		l.rows("FROM analytics." + v)
	}
}

// Where nothing has changed nothing is due, and what is lost is made again.
func TestOnlyWhatChangedIsDue(t *testing.T) {
	l := smallLedger(t, "salesinvoice/SalesInvoicesSync")
	if !l.due() {
		t.Error("nothing is due at first")
	}
	l.refresh()
	changes := []struct{ what, statement string }{
		{"a row", "INSERT INTO financial.GLAccounts (_division, ID) VALUES (1, uuid())"},
		{"a column", "ALTER TABLE financial.TransactionLines ADD COLUMN Novelty VARCHAR"},
		{"a lost view", "DROP VIEW analytics.labels"},
		{"a foreign view", "CREATE VIEW analytics.mine AS SELECT 1 AS one"},
		{"a changed type", "ALTER TABLE financial.TransactionLines ALTER AmountDC TYPE DOUBLE"},
	}
	for i, c := range changes {
		if l.due() {
			t.Errorf("before %s something is due", c.what)
		}
		l.do(c.statement)
		if got := l.due(); got != (i > 0) {
			t.Errorf("due after %s: %v", c.what, got)
		}
		l.refresh()
		l.rows("FROM analytics.trial_balance")
	}
	l.do("COMMENT ON TABLE financial.GLAccounts IS NULL")
	if !l.due() {
		t.Error("a lost comment is not due")
	}
	l.refresh()
	l.layer.Zone = "Europe/London"
	if !l.due() {
		t.Error("another clock is not due")
	}
	l.refresh()
	if l.due() || slices.Contains(l.views(), "mine") {
		t.Error("something is left to do")
	}
}

// Every table, view and column has words, and a column keeps its own when another one is added.
func TestEverythingIsDescribed(t *testing.T) {
	l := newLedger(t, everything...)
	l.do("DROP SCHEMA _exactduck CASCADE")
	l.do(own)
	l.stream("crm/Contacts")
	l.refresh()
	l.expect("the key says so", "SELECT comment FROM duckdb_columns() WHERE table_name = 'Contacts' AND column_name = 'ID'",
		"The record's own key. Edm.Guid, part of the key.")
	l.do("ALTER TABLE crm.Contacts ADD COLUMN Novelty VARCHAR")
	l.refresh()
	l.expect("a new column", "SELECT comment FROM duckdb_columns() WHERE table_name = 'Contacts' AND column_name = 'Novelty'", "Edm.String.")
	l.expect("the old table", "SELECT comment FROM duckdb_tables() WHERE table_name = 'Contacts'",
		"The people at customers, suppliers and other relations. Exact Online: sync/CRM/Contacts. Key: ID.")

	all := newLedger(t, everything...)
	all.refresh()
	const ours = "database_name = '_work' AND NOT internal AND coalesce(comment, '') = ''"
	all.expect("tables without words", "SELECT schema_name, table_name FROM duckdb_tables() WHERE "+ours)
	all.expect("views without words", "SELECT view_name FROM duckdb_views() WHERE "+ours)
	all.expect("columns without words", "SELECT table_name, column_name FROM duckdb_columns() WHERE "+ours)
}

// Through ATTACH, under any name, beside a database that has schemas of the same names, on a file
// that cannot be written to.
func TestViewsWorkUnderAnyName(t *testing.T) {
	l := smallLedger(t, "system/Divisions", "financial/FinancialPeriods", "cashflow/Receivables", "cashflow/Payments", "salesinvoice/SalesInvoicesSync",
		"purchaseorder/PurchaseOrdersSync")
	l.entry("2026-01-15", 20, [2]int{1300, 12100}, [2]int{8000, -10000}, [2]int{1520, -2100})
	l.refresh()
	views, path := l.views(), l.publish()
	for _, name := range []string{"books", "_work", "warehouse", `"my books; 2026"`, "jaar2026"} {
		r := attach(t, path, name)
		for _, v := range views {
			r.rows("FROM " + name + ".analytics." + v)
		}
		r.do("CREATE SCHEMA financial; CREATE SCHEMA analytics; CREATE SCHEMA _exactduck")
		r.do("CREATE TABLE financial.TransactionLines AS SELECT 1 AS wrong; CREATE TABLE _exactduck.cursors AS SELECT 1 AS wrong")
		r.do("CREATE VIEW analytics.gl_transactions AS SELECT 1 AS wrong")
		r.expect("revenue, attached as "+name, "SELECT sum(amount) FROM "+name+".analytics.revenue_by_customer", "100.0000")
		r.do("USE " + name)
		r.expect("revenue, in "+name, "SELECT sum(amount) FROM analytics.revenue_by_customer", "100.0000")
	}
}

// The views of a connection with a prefix stand beside those of one without, and read their own.
func TestPrefixedViewsReadTheirOwn(t *testing.T) {
	l := smallLedger(t)
	l.entry("2026-01-15", 20, [2]int{1300, 10000}, [2]int{8000, -10000})
	l.refresh()
	l.layer = analytics.Layer{Prefix: "uk_", Zone: "Europe/London"}
	for _, name := range general {
		l.stream(name)
	}
	l.account(8000, 110, "W", "C")
	l.account(1300, 20, "B", "D")
	l.entry("2026-01-15", 20, [2]int{1300, 7700}, [2]int{8000, -7700})
	l.refresh()
	l.expect("one", "SELECT sum(amount) FROM analytics.profit_and_loss", "100.0000")
	l.expect("the other", "SELECT sum(amount) FROM uk_analytics.profit_and_loss", "77.0000")
	l.expect("words are the same", `SELECT DISTINCT comment FROM duckdb_columns() WHERE column_name = 'BalanceType' AND table_name = 'GLAccounts'`,
		"B: balance sheet. W: profit and loss. Edm.String.")
	if l.due() {
		t.Error("the views of the one make those of the other due")
	}
	if l.layer = (analytics.Layer{}); l.due() {
		t.Error("the views of the other make those of the one due")
	}
}

// Columns that were left out are NULL, what a mask has turned into text is too, and amounts that
// are stored as floating point are amounts.
func TestViewsBearOtherShapes(t *testing.T) {
	l := smallLedger(t)
	l.do("ALTER TABLE financial.TransactionLines DROP COLUMN Notes")
	l.do("ALTER TABLE financial.TransactionLines DROP COLUMN AccountName")
	l.do("ALTER TABLE financial.TransactionLines ALTER Account TYPE VARCHAR")
	l.do("ALTER TABLE financial.TransactionLines ALTER AmountDC TYPE DOUBLE")
	l.do("ALTER TABLE financial.TransactionLines ALTER FinancialYear TYPE BIGINT")
	l.entryWith("2026-01-15", 20, map[string]any{"Account": "5f4dcc3b5aa765d6"}, [2]int{1300, 10}, [2]int{8000, -10})
	l.refresh()
	l.expect("a ledger with holes", "SELECT amount, typeof(amount), account_id, account_name, typeof(account_name) FROM analytics.gl_transactions ORDER BY 1",
		"-0.1000 | DECIMAL(18,4) | - | - | VARCHAR", "0.1000 | DECIMAL(18,4) | - | - | VARCHAR")
	l.do("ALTER TABLE financial.TransactionLines DROP COLUMN AmountDC")
	l.refresh()
	if got := strings.Join(l.views(), " "); got != "" {
		t.Errorf("without amounts there are still %s", got)
	}
}

// Created and Modified are shown by Exact's clock and in UTC, in every season since 1970 and on
// the edges between them.
func TestUTCBesideLocal(t *testing.T) {
	l := newLedger(t, "financial/TransactionLines")
	zone, err := time.LoadLocation(analytics.DefaultZone)
	if err != nil {
		t.Fatal(err)
	}
	const layout = "2006-01-02 15:04:05.999"
	want := map[string]string{
		"2026-03-29 01:59:59.999": "2026-03-29 00:59:59.999",
		"2026-03-29 03:00:00":     "2026-03-29 01:00:00",
		"2026-10-25 01:59:59.999": "2026-10-24 23:59:59.999",
		"2026-10-25 02:30:00":     "2026-10-25 01:30:00", // comes twice; the second is taken
		"2026-10-25 03:00:00":     "2026-10-25 02:00:00",
		"9999-12-31 23:59:59.997": "9999-12-31 22:59:59.997",
	}
	dice := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		moment := time.Unix(dice.Int64N(4_100_000_000), 0).In(zone) // to 2099
		local := moment.Format(layout)
		if len(localTimes(local, zone)) == 1 {
			want[local] = moment.UTC().Format(layout)
		}
	}
	rows := make([]string, 0, len(want))
	for local := range want {
		rows = append(rows, "('"+local+"')")
	}
	l.do("INSERT INTO financial.TransactionLines (Created) VALUES " + strings.Join(rows, ", "))
	l.do("INSERT INTO financial.TransactionLines (Created) VALUES ('1753-01-01 00:00:00')")
	l.refresh()
	l.do("SET TimeZone = 'America/New_York'") // the reader's own clock has no say
	got := l.rows("SELECT created, created_utc FROM analytics.gl_transactions WHERE year(created) > 1753")
	for _, row := range got {
		local, utc, _ := strings.Cut(row, " | ")
		if want[local] != utc {
			t.Errorf("%s is %s in UTC, want %s", local, utc, want[local])
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d of %d times", len(got), len(want))
	}
	l.expect("the eldest", "SELECT created - created_utc BETWEEN INTERVAL 0 HOURS AND INTERVAL 1 HOUR FROM analytics.gl_transactions WHERE year(created) = 1753", "true")
}

// A zone that DuckDB does not know is found when the views are made and not by their readers.
func TestUnknownZone(t *testing.T) {
	l := newLedger(t, "financial/TransactionLines")
	l.layer.Zone = "Europe/Atlantis"
	conn, err := l.db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := l.layer.Refresh(t.Context(), conn); err == nil || !strings.Contains(err.Error(), "Europe/Atlantis") {
		t.Errorf("Refresh: %v", err)
	}
}

// localTimes are the moments at which a wall clock shows a time.
func localTimes(local string, zone *time.Location) []time.Time {
	var all []time.Time
	wall, err := time.Parse("2006-01-02 15:04:05.999", local)
	if err != nil {
		return nil
	}
	for _, offset := range []time.Duration{0, time.Hour, 2 * time.Hour} {
		if moment := wall.Add(-offset); moment.In(zone).Format(time.DateTime) == wall.Format(time.DateTime) {
			all = append(all, moment)
		}
	}
	return all
}

// Where a history is cut short, filtered, or to be read again, nobody is given a balance.
func TestIncompleteHistoryHasNoBalances(t *testing.T) {
	for _, cut := range []string{"complete = false", "history_from = '2026-01-01T00:00:00'", `fingerprint = '{"variant":"x","filter":"Date ge 3"}'`} {
		l := smallLedger(t)
		for _, division := range []int{1, 2} {
			more := map[string]any{"_division": division}
			l.add("financial.GLAccounts", map[string]any{"_division": 2, "ID": key(1100), "Code": "1100", "Type": 12, "BalanceType": "B", "BalanceSide": "D"})
			l.entryWith("2026-01-15", 40, more, [2]int{1100, 10000}, [2]int{500, -10000})
		}
		l.do("DELETE FROM financial.GLAccounts g WHERE _division = 2 AND rowid NOT IN (SELECT min(rowid) FROM financial.GLAccounts GROUP BY _division, ID)")
		l.do("UPDATE _exactduck.cursors SET " + cut + " WHERE scope = '2' AND stream = 'financial/TransactionLines'")
		l.refresh()
		l.expect(cut, `SELECT division_code, history_complete, gl_account_code, opening_balance, movement, closing_balance
			FROM analytics.trial_balance WHERE gl_account_code = '1100' ORDER BY 1`,
			"1 | true | 1100 | 0.0000 | 100.0000 | 100.0000", "2 | false | 1100 | - | 100.0000 | -")
		l.expect(cut, "SELECT DISTINCT division_code FROM analytics.balance_sheet", "1")
		l.expect(cut, "SELECT DISTINCT division_code FROM analytics.cash_position", "1")
		l.expect(cut, "SELECT DISTINCT division_code, history_complete FROM analytics.gl_transactions ORDER BY 1", "1 | true", "2 | false")
	}
}

// Rows that are kept although they are gone at the source do not count.
func TestDeletedRowsDoNotCount(t *testing.T) {
	l := smallLedger(t)
	l.entry("2026-01-15", 20, [2]int{1300, 10000}, [2]int{8000, -10000})
	l.entryWith("2026-01-16", 20, map[string]any{"_deleted_at": "2026-02-01"}, [2]int{1300, 5000}, [2]int{8000, -5000})
	l.refresh()
	l.expect("revenue", "SELECT sum(amount) FROM analytics.profit_and_loss", "100.0000")
}

// Budgets, drafts and what was rejected are in the table of lines and not in the ledger; what is
// open is in both.
func TestWhatIsNoEntry(t *testing.T) {
	l := smallLedger(t)
	book := func(kind, status, cents int) {
		l.entryWith("2026-01-15", kind, map[string]any{"Status": status}, [2]int{1300, cents}, [2]int{8000, -cents})
	}
	book(20, 50, 10000)
	book(20, 20, 2000)
	book(3000, 50, 400)
	book(20, 5, 50)
	book(20, 10, 7)
	l.refresh()
	l.expect("revenue", "SELECT sum(amount) FROM analytics.profit_and_loss", "120.0000")
	l.expect("of which open", "SELECT movement, movement_open FROM analytics.trial_balance WHERE gl_account_code = '8000'", "-120.0000 | -20.0000")
	l.expect("in words", "SELECT DISTINCT status_en, status_nl, type_en, type_nl FROM analytics.gl_transactions ORDER BY 1",
		"Open | Openstaand | Sales entry | Verkoopboeking", "Processed | Verwerkt | Sales entry | Verkoopboeking")
}

// Three years: one whose result was booked to equity by hand, one that Exact closed with entries
// of its own, and one that is open. The trial balance adds up to zero in all, the profit and loss
// tells each year's result, and the balance sheet has it once.
func TestYearsAreClosedInEveryWay(t *testing.T) {
	l := smallLedger(t)
	year := func(y string, sales, rent int) {
		l.entry(y+"-02-10", 20, [2]int{1300, sales}, [2]int{8000, -sales})
		l.entry(y+"-03-10", 30, [2]int{1600, -rent}, [2]int{4100, rent})
	}
	year("2024", 100000, 40000)
	l.entry("2024-12-31", 326, [2]int{8000, 100000}, [2]int{4100, -40000}, [2]int{500, -60000})
	year("2025", 70000, 80000)
	year("2026", 30000, 10000)
	l.refresh()
	l.expect("every period adds up", `SELECT financial_year, financial_period, sum(opening_balance), sum(movement), sum(closing_balance)
		FROM analytics.trial_balance GROUP BY ALL HAVING sum(opening_balance) <> 0 OR sum(movement) <> 0 OR sum(closing_balance) <> 0`)
	l.expect("results", "SELECT financial_year, sum(amount) FROM analytics.profit_and_loss GROUP BY ALL ORDER BY 1",
		"2024 | 600.0000", "2025 | -100.0000", "2026 | 200.0000")
	l.expect("balance sheets", `SELECT financial_year, financial_period, section_en, gl_account_description, sum(amount)
		FROM analytics.balance_sheet WHERE section_order >= 3 AND financial_period <> 2 GROUP BY ALL ORDER BY 1, 2, 3, 4`,
		"2024 | 3 | Result | Result of the year / Resultaat boekjaar | 600.0000",
		"2024 | 12 | Equity | account 500 | 600.0000",
		"2025 | 3 | Equity | account 500 | 600.0000",
		"2025 | 3 | Result | Result of the year / Resultaat boekjaar | -100.0000",
		"2026 | 3 | Equity | account 500 | 600.0000",
		"2026 | 3 | Result | Result of earlier years / Resultaat voorgaande jaren | -100.0000",
		"2026 | 3 | Result | Result of the year / Resultaat boekjaar | 200.0000")
	l.expect("assets equal the rest", `SELECT financial_year, financial_period FROM analytics.balance_sheet GROUP BY ALL
		HAVING sum(amount) FILTER (section_order = 1) <> sum(amount) FILTER (section_order > 1)`)
	l.expect("accounts of the year begin at zero", `SELECT financial_period, opening_balance, closing_balance FROM analytics.trial_balance
		WHERE gl_account_code = '8000' AND financial_year = 2026 ORDER BY 1`, "2 | 0.0000 | -300.0000", "3 | -300.0000 | -300.0000")
}

// Divisions keep to their own currency, and a foreign invoice to both of its.
func TestCurrenciesAreKeptApart(t *testing.T) {
	l := smallLedger(t, "system/Divisions")
	l.do("UPDATE _exactduck.cursors SET scope = '0' WHERE stream = 'system/Divisions'")
	l.add("exact_system.Divisions", map[string]any{"_division": 0, "Code": 1, "Description": "Bakkerij", "Currency": "EUR"})
	l.add("exact_system.Divisions", map[string]any{"_division": 0, "Code": 2, "Description": "Bakery", "Currency": "GBP"})
	l.do("INSERT INTO financial.GLAccounts SELECT 2 AS _division, * EXCLUDE (_division) FROM financial.GLAccounts")
	l.entry("2026-01-15", 20, [2]int{1300, 10000}, [2]int{8000, -10000})
	l.entryWith("2026-01-15", 20, map[string]any{"_division": 2}, [2]int{1300, 30000}, [2]int{8000, -30000})
	l.do("UPDATE financial.TransactionLines SET Currency = 'USD', AmountFC = AmountDC * 1.1 WHERE _division = 1")
	l.refresh()
	for _, view := range []string{"profit_and_loss", "revenue_by_customer", "revenue_by_item"} {
		l.expect(view, "SELECT division_code, division_name, currency, sum(amount) FROM analytics."+view+" GROUP BY ALL ORDER BY 1",
			"1 | Bakkerij | EUR | 100.0000", "2 | Bakery | GBP | 300.0000")
	}
	l.expect("of the invoice", "SELECT DISTINCT currency, currency_fc, sum(amount_fc) FILTER (amount > 0) FROM analytics.gl_transactions WHERE division_code = 1 GROUP BY ALL",
		"EUR | USD | 110.0000")
	for _, v := range l.views() {
		if slices.Contains([]string{"labels", "completeness", "calendar"}, v) {
			continue
		}
		l.expect(v+" says whose it is", fmt.Sprintf("SELECT count(*) FROM duckdb_columns() WHERE schema_name = 'analytics' AND table_name = '%s' AND column_name IN ('division_code', 'division_name', 'currency')", v), "3")
	}
}

// Whichever sign Exact gives to what is owed, what is to be received and what is to be paid is
// positive, and credit notes and unmatched money are taken off.
func TestWhatIsOwedIsPositive(t *testing.T) {
	for _, side := range []struct {
		view, table string
		kind, note  int
	}{{"receivables_aging", "cashflow.Receivables", 20, 21}, {"payables_aging", "cashflow.Payments", 30, 31}} {
		for _, sign := range []string{"", "-"} {
			l := newLedger(t, "cashflow/Receivables", "cashflow/Payments")
			item := func(n, kind, status int, amount, due, end string) {
				if strings.HasPrefix(amount, "-") && sign == "-" {
					amount = strings.TrimPrefix(amount, "-")
				} else {
					amount = sign + amount
				}
				f := map[string]any{
					"ID": key(n), "Account": key(7), "AmountDC": amount, "AmountFC": amount, "Status": status, "TransactionType": kind,
					"InvoiceDate": "2026-01-10", "DueDate": due, "InvoiceNumber": n, "AccountCode": "                 7",
				}
				if end != "" {
					f["EndDate"] = end
				}
				l.add(side.table, f)
			}
			item(1, side.kind, 20, "100", "2026-03-31", "")
			item(2, side.kind, 30, "60", "2026-03-01", "")            // what is left of an invoice of 200
			item(3, side.kind, 50, "140", "2026-03-01", "2026-03-15") // what was paid of it
			item(4, side.note, 20, "-25", "2026-02-15", "")
			item(5, 40, 20, "-10", "2025-11-01", "") // money without an invoice
			l.refresh()
			l.do("SET VARIABLE as_of = DATE '2026-03-31'")
			l.expect(side.view+sign, "SELECT invoice_number, amount, days_overdue, bucket_en, bucket_nl FROM analytics."+side.view+" ORDER BY 1",
				"1 | 100.0000 | 0 | Not due | Niet vervallen", "2 | 60.0000 | 30 | 1-30 days | 1-30 dagen",
				"4 | -25.0000 | 44 | 31-60 days | 31-60 dagen", "5 | -10.0000 | 150 | Over 90 days | Meer dan 90 dagen")
			l.expect("buckets", "SELECT account_code, sum(amount), sum(not_due), sum(overdue_1_30), sum(overdue_31_60), sum(overdue_61_90), sum(overdue_over_90) FROM analytics."+side.view+" GROUP BY 1",
				"7 | 125.0000 | 100.0000 | 60.0000 | -25.0000 | 0.0000 | -10.0000")
			l.do("SET VARIABLE as_of = DATE '2026-03-14'")
			l.expect("before the payment", "SELECT sum(amount) FROM analytics."+side.view, "265.0000")
			l.do("SET VARIABLE as_of = DATE '2026-01-09'")
			l.expect("before the invoices", "SELECT count(*) FROM analytics."+side.view, "0")
			l.do("RESET VARIABLE as_of")
			l.expect("today", "SELECT sum(amount), bool_and(as_of = current_date) FROM analytics."+side.view, "125.0000 | true")
		}
	}
}

// Invoices are positive and credit notes negative whichever sign the feed has, headers and lines
// are told apart, and both endpoints of Exact give the same views.
func TestInvoicesFromEitherEndpoint(t *testing.T) {
	for _, sign := range []string{"", "-"} {
		l := newLedger(t, "salesinvoice/SalesInvoicesSync")
		invoice := func(n, kind int, s, net, gross string) {
			head := map[string]any{
				"ID": key(10 * n), "InvoiceID": key(n), "InvoiceNumber": n, "Type": kind, "Status": 50, "LineNumber": 0,
				"AmountDC": s + gross, "InvoiceDate": "2026-01-10", "InvoiceToName": "Smit",
			}
			l.add("salesinvoice.SalesInvoicesSync", head)
			head["ID"], head["LineNumber"], head["AmountDC"] = key(10*n+1), 1, s+net
			l.add("salesinvoice.SalesInvoicesSync", head)
		}
		back := map[string]string{"": "-", "-": ""}[sign]
		invoice(1, 8020, sign, "100", "121")
		invoice(2, 8021, back, "10", "12.10")
		l.refresh()
		l.expect("headers", "SELECT invoice_number, type_en, type_nl, status_nl, amount FROM analytics.sales_invoice_headers ORDER BY 1",
			"1 | Sales invoice | Verkoopfactuur | Verwerkt | 121.0000", "2 | Sales credit note | Verkoopcreditnota | Verwerkt | -12.1000")
		l.expect("lines", "SELECT invoice_number, line_number, type_en, customer_name, invoice_date, amount FROM analytics.sales_invoice_lines ORDER BY 1",
			"1 | 1 | Sales invoice | Smit | 2026-01-10 | 100.0000", "2 | 1 | Sales credit note | Smit | 2026-01-10 | -10.0000")
	}
	l := newLedger(t, "standard/salesinvoice/SalesInvoices", "standard/salesinvoice/SalesInvoiceLines")
	l.add("salesinvoice.SalesInvoices", map[string]any{"InvoiceID": key(1), "InvoiceNumber": 1, "Type": 8020, "Status": 20, "AmountDC": "121"})
	l.add("salesinvoice.SalesInvoiceLines", map[string]any{"ID": key(2), "InvoiceID": key(1), "LineNumber": 1, "AmountDC": "100"})
	l.refresh()
	l.expect("standard headers", "SELECT invoice_number, status_en, amount, history_complete FROM analytics.sales_invoice_headers", "1 | Open | 121.0000 | true")
	l.expect("standard lines", "SELECT invoice_number, amount, history_complete FROM analytics.sales_invoice_lines", "1 | 100.0000 | true")
}

// Orders have headers and lines, each once, and say what is still to come.
func TestPurchaseOrders(t *testing.T) {
	for _, streams := range [][]string{{"purchaseorder/PurchaseOrdersSync"}, {"standard/purchaseorder/PurchaseOrders", "standard/purchaseorder/PurchaseOrderLines"}} {
		l := newLedger(t, streams...)
		order := map[string]any{
			"PurchaseOrderID": key(1), "OrderNumber": 7, "OrderDate": "2026-01-10", "OrderStatus": 20, "ReceiptStatus": 20,
			"InvoiceStatus": 10, "Source": 11, "SupplierCode": "                 9", "AmountDC": "300",
		}
		line := map[string]any{"ID": key(2), "PurchaseOrderID": key(1), "LineNumber": 1, "Quantity": 10, "ReceivedQuantity": 4, "AmountDC": "300"}
		if len(streams) == 1 {
			order["LineNumber"], order["ID"] = 0, key(3)
			l.add("purchaseorder.PurchaseOrdersSync", order)
			l.add("purchaseorder.PurchaseOrdersSync", line)
		} else {
			l.add("purchaseorder.PurchaseOrders", order)
			l.add("purchaseorder.PurchaseOrderLines", line)
		}
		l.refresh()
		l.expect("header", `SELECT order_number, order_date, order_status_en, receipt_status_nl, invoice_status_en, source_en, supplier_code, supplier_code_padded, amount
			FROM analytics.purchase_order_headers`, "7 | 2026-01-10 | Partial | Gedeeltelijk | Open | REST API | 9 |                  9 | 300.0000")
		l.expect("line", "SELECT order_number, supplier_code, quantity, open_quantity, amount, history_complete FROM analytics.purchase_order_lines",
			"7 | 9 | 10.0 | 6.0 | 300.0000 | true")
	}
}

// VAT on sales is due and on purchases deductible; VAT that is shifted is both; a return takes
// off; and together they are what the VAT accounts moved.
func TestVATOfEveryKind(t *testing.T) {
	l := smallLedger(t, "vat/VATCodes")
	for _, code := range []string{"1  ", "4  ", "5  "} {
		l.add("vat.VATCodes", map[string]any{"ID": key(100), "Code": code, "Description": "code " + code, "Percentage": "0.2100000000001", "GLToPay": key(1520), "GLToClaim": key(1530)})
	}
	number := func(code string) map[string]any { return map[string]any{"VATCode": code} }
	l.entryWith("2026-01-10", 20, number("4  "), [2]int{1300, 12100}, [2]int{8000, -10000}, [2]int{1520, -2100})
	l.entryWith("2026-01-11", 21, number("4  "), [2]int{1300, -1210}, [2]int{8000, 1000}, [2]int{1520, 210})
	l.entryWith("2026-01-12", 30, number("5  "), [2]int{1600, -2420}, [2]int{4100, 2000}, [2]int{1530, 420})
	l.entryWith("2026-01-13", 30, number("1  "), [2]int{1600, -5000}, [2]int{4100, 5000}, [2]int{1520, -1050}, [2]int{1530, 1050})
	l.entry("2026-01-31", 50, [2]int{1600, -1470}, [2]int{1520, 2940}, [2]int{1530, -1470})
	l.refresh()
	l.expect("summary", "SELECT side_en, side_nl, vat_code, vat_percentage, base_amount, vat_due, vat_deductible, vat_balance FROM analytics.vat_summary ORDER BY side_order, vat_code",
		"Sales | Verkoop | 4 | 0.21 | 90.0000 | 18.9000 | 0.0000 | 18.9000",
		"Purchases | Inkoop | 1 | 0.21 | 50.0000 | 10.5000 | 10.5000 | 0.0000",
		"Purchases | Inkoop | 5 | 0.21 | 20.0000 | 0.0000 | 4.2000 | -4.2000",
		"Return | Aangifte | - | - | 0.0000 | -29.4000 | -14.7000 | -14.7000")
	l.expect("as the accounts moved", "SELECT -sum(movement) FROM analytics.trial_balance WHERE gl_account_type = 24", "0.0000")
}

// Financial years may begin in any month, and a closing period shares its day with the last one.
func TestCalendarOfAnyYear(t *testing.T) {
	l := newLedger(t, "financial/FinancialPeriods")
	period := func(year, period int, from, to string) {
		l.add("financial.FinancialPeriods", map[string]any{"ID": key(period), "FinYear": year, "FinPeriod": period, "StartDate": from, "EndDate": to})
	}
	period(2026, 1, "2025-07-01", "2025-07-31")
	period(2026, 12, "2026-06-01", "2026-06-30")
	period(2026, 13, "2026-06-30", "2026-06-30")
	period(2027, 1, "2026-07-01", "2026-07-26") // four weeks
	period(2027, 2, "2026-07-26", "2026-07-01") // no period at all
	period(2099, 1, "2030-01-01", "9999-12-31") // and one without an end
	l.refresh()
	l.expect("days", "SELECT financial_year, financial_period, count(*), min(date), max(date), any_value(year_start), any_value(year_end) FROM analytics.calendar GROUP BY ALL ORDER BY ALL",
		"2026 | 1 | 31 | 2025-07-01 | 2025-07-31 | 2025-07-01 | 2026-06-30",
		"2026 | 12 | 30 | 2026-06-01 | 2026-06-30 | 2025-07-01 | 2026-06-30",
		"2027 | 1 | 26 | 2026-07-01 | 2026-07-26 | 2026-07-01 | 2026-07-26")
	l.expect("each day once", "SELECT date FROM analytics.calendar GROUP BY ALL HAVING count(*) > 1")
	l.expect("in words", "SELECT calendar_quarter, calendar_month, month_en, month_nl, iso_year, iso_week, weekday, weekday_en, weekday_nl FROM analytics.calendar WHERE date = '2026-07-05'",
		"3 | 7 | July | juli | 2026 | 27 | 7 | Sunday | zondag")
}

// An account whose depreciation is kept apart is an asset that is taken off, and an overdrawn bank
// stays an asset: nothing changes sides.
func TestAssetsStayAssets(t *testing.T) {
	l := smallLedger(t)
	l.entry("2026-01-10", 90, [2]int{4600, 5000}, [2]int{210, -5000})
	l.entry("2026-01-10", 40, [2]int{1100, -3000}, [2]int{4100, 3000})
	l.refresh()
	l.expect("balance sheet", "SELECT section_en, gl_account_code, amount, balance FROM analytics.balance_sheet ORDER BY section_order, gl_account_code",
		"Assets | 1100 | -30.0000 | -30.0000", "Assets | 210 | -50.0000 | -50.0000", "Result | - | -80.0000 | 80.0000")
}
