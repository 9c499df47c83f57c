package analytics_test

import (
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"exactduck/extract/sandbox"
)

var update = flag.Bool("update", false, "write the golden files anew")

// companies are the little companies of the sandbox, loaded on the real path and published.
var companies struct {
	once   sync.Once
	dir    string // that all tests share
	office *office
	path   string
}

// company attaches the published file as an analyst would.
func company(t *testing.T) (*office, reader) {
	t.Helper()
	companies.once.Do(func() {
		companies.office = newOffice(t, sandbox.Options{Seed: 1, Divisions: 2, Scale: 0.25})
		w := warehouse{t: t, dir: companies.dir, log: slog.New(warnings{t: t, Handler: slog.DiscardHandler})}
		w.sync(companies.office, "", everything...)
		companies.path = w.published()
	})
	if companies.path == "" {
		t.Fatal("the books could not be loaded")
	}
	return companies.office, attach(t, companies.path, "books")
}

func TestMain(m *testing.M) {
	var err error
	if companies.dir, err = os.MkdirTemp("", "exactduck-analytics-"); err != nil {
		panic(err)
	}
	code := m.Run()
	_ = os.RemoveAll(companies.dir)
	os.Exit(code)
}

// Each view, on the sandbox's companies: what it sums up to, and its rows of one month.
func TestGoldenViews(t *testing.T) {
	_, r := company(t)
	r.do("SET VARIABLE as_of = DATE '2026-06-30'")
	for view, query := range map[string]string{
		"gl_transactions": `SELECT entry_number, line_number, line_kind, type_en, type_nl, status_en, journal_code, gl_account_code, gl_account_description,
			account_code, account_name, amount, vat_code, item_code, quantity, entry_date, due_date, created, created_utc, currency, history_complete
			FROM books.analytics.gl_transactions WHERE division_code = 123456 AND financial_year = 2026 AND financial_period = 5
			ORDER BY journal_code, entry_number, line_number LIMIT 30`,
		"trial_balance": `SELECT division_name, currency, financial_year, financial_period, gl_account_code, gl_account_description, gl_account_type_nl,
			opening_balance, debit, credit, movement, closing_balance FROM books.analytics.trial_balance
			WHERE division_code = 123456 AND financial_year = 2026 AND financial_period = 5 ORDER BY gl_account_code`,
		"profit_and_loss": `SELECT division_name, currency, financial_year, category_order, category_en, category_nl, sum(amount)
			FROM books.analytics.profit_and_loss GROUP BY ALL ORDER BY ALL`,
		"balance_sheet": `SELECT financial_year, financial_period, section_en, section_nl, gl_account_code, gl_account_description, amount, balance
			FROM books.analytics.balance_sheet WHERE division_code = 123456 AND financial_period = 12
			ORDER BY financial_year, section_order, gl_account_code, gl_account_description`,
		"receivables_aging": `SELECT account_code, account_name, currency, as_of, sum(amount), sum(not_due), sum(overdue_1_30), sum(overdue_31_60),
			sum(overdue_61_90), sum(overdue_over_90) FROM books.analytics.receivables_aging WHERE division_code = 123456 GROUP BY ALL ORDER BY ALL`,
		"payables_aging": `SELECT account_code, account_name, currency, as_of, sum(amount), sum(not_due), sum(overdue_1_30), sum(overdue_31_60),
			sum(overdue_61_90), sum(overdue_over_90) FROM books.analytics.payables_aging WHERE division_code = 123456 GROUP BY ALL ORDER BY ALL`,
		"revenue_by_customer": `SELECT financial_year, customer_code, customer_name, country, sum(entries), sum(amount) FROM books.analytics.revenue_by_customer
			WHERE division_code = 123456 AND financial_year = 2026 GROUP BY ALL ORDER BY ALL`,
		"revenue_by_item": `SELECT financial_year, item_code, item_description, sum(quantity), sum(amount) FROM books.analytics.revenue_by_item
			WHERE division_code = 123456 AND financial_year = 2026 GROUP BY ALL ORDER BY ALL`,
		"vat_summary": `SELECT financial_year, side_en, side_nl, vat_code, vat_description, vat_percentage, sum(base_amount), sum(vat_due),
			sum(vat_deductible), sum(vat_balance) FROM books.analytics.vat_summary WHERE division_code = 123456 GROUP BY ALL ORDER BY ALL`,
		"cash_position": `SELECT gl_account_code, gl_account_description, date, received, paid, balance, is_last FROM books.analytics.cash_position
			WHERE division_code = 123456 ORDER BY date DESC LIMIT 12`,
		"sales_invoice_headers": `SELECT invoice_number, type_en, status_nl, invoice_date, due_date, customer_code, customer_name, amount, vat_amount, currency_fc, amount_fc_excl_vat
			FROM books.analytics.sales_invoice_headers WHERE division_code = 123456 ORDER BY invoice_number DESC LIMIT 10`,
		"sales_invoice_lines": `SELECT invoice_number, line_number, customer_name, item_code, item_description, quantity, unit_price, amount, vat_amount, vat_code, gl_account_code
			FROM books.analytics.sales_invoice_lines WHERE division_code = 123456 ORDER BY invoice_number DESC, line_number LIMIT 10`,
		"purchase_order_headers": `SELECT order_number, order_date, receipt_date, supplier_code, supplier_name, order_status_en, receipt_status_nl, invoice_status_en, amount, vat_amount_fc
			FROM books.analytics.purchase_order_headers WHERE division_code = 123456 ORDER BY order_number DESC LIMIT 10`,
		"purchase_order_lines": `SELECT order_number, line_number, supplier_name, item_code, item_description, quantity, received_quantity, open_quantity, unit_price, amount
			FROM books.analytics.purchase_order_lines WHERE division_code = 123456 ORDER BY order_number DESC, line_number LIMIT 10`,
		"calendar": `SELECT division_name, financial_year, financial_period, period_start, period_end, year_start, year_end, count(*), max(month_nl)
			FROM books.analytics.calendar WHERE division_code = 123456 AND financial_year = 2026 GROUP BY ALL ORDER BY ALL`,
		"divisions":    `SELECT division_code, division_name, currency, country, status_en FROM books.analytics.divisions ORDER BY 1`,
		"completeness": `SELECT division_code, stream, table_name, history_complete FROM books.analytics.completeness ORDER BY ALL`,
		"labels":       `SELECT kind, count(*), min(code), max(code) FROM books.analytics.labels GROUP BY ALL ORDER BY ALL`,
	} {
		t.Run(view, func(t *testing.T) { compareGolden(t, view, reader{t, r.db}.rows(query)) })
	}
}

func compareGolden(t *testing.T, name string, rows []string) {
	t.Helper()
	path := filepath.Join("testdata", name+".txt")
	got := strings.Join(rows, "\n") + "\n"
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (-want +got):\n%s", path, d)
	}
}

// In each division every entry adds up to zero, header and VAT lines included, and none is missing.
func TestEveryEntryAddsUpToZero(t *testing.T) {
	f, r := company(t)
	r.expect("entries that do not", "SELECT division_code, entry_id FROM books.analytics.gl_transactions GROUP BY ALL HAVING sum(amount) <> 0 OR sum(amount_fc) <> 0")
	for _, place := range f.places {
		division, err := strconv.Atoi(place.Code)
		if err != nil {
			t.Fatal(err)
		}
		entries, lines := map[any]bool{}, f.sandbox.Records(division, "bulk/Financial/TransactionLines")
		for _, line := range lines {
			entries[line["EntryID"]] = true
		}
		r.expect("entries and lines", fmt.Sprintf("SELECT count(DISTINCT entry_id), count(*) FROM books.analytics.gl_transactions WHERE division_code = %d", division),
			fmt.Sprintf("%d | %d", len(entries), len(lines)))
	}
	r.expect("an entry has one header or none", `SELECT DISTINCT count(*) FILTER (line_kind = 'header') FROM books.analytics.gl_transactions
		GROUP BY entry_id ORDER BY 1`, "0", "1")
	r.expect("the header is on the account of its journal", `SELECT DISTINCT journal_code, gl_account_code FROM books.analytics.gl_transactions
		WHERE line_kind = 'header' ORDER BY ALL`, "20 | 1100", "60 | 1600", "70 | 1300")
	r.expect("VAT is on VAT accounts", "SELECT DISTINCT gl_account_type_en FROM books.analytics.gl_transactions WHERE line_kind = 'vat'", "VAT")
}

// The trial balance adds up to zero in every period, and is to the cent what Exact's own
// balances say of each account and period.
func TestTrialBalanceAgreesWithReportingBalance(t *testing.T) {
	_, r := company(t)
	agreesWithReportingBalance(r)
}

func agreesWithReportingBalance(r reader) {
	r.t.Helper()
	r.expect("periods that do not add up", `SELECT division_code, financial_year, financial_period FROM books.analytics.trial_balance GROUP BY ALL
		HAVING sum(opening_balance) <> 0 OR sum(movement) <> 0 OR sum(closing_balance) <> 0 OR sum(debit) <> sum(credit)`)
	r.expect("what differs", `SELECT * FROM (
		SELECT division_code, financial_year, financial_period, gl_account_id, movement, debit, credit FROM books.analytics.trial_balance WHERE debit <> 0 OR credit <> 0
	) t FULL JOIN (
		SELECT _division, ReportingYear, ReportingPeriod, GLAccount, sum(Amount) AS amount, sum(AmountDebit) AS debit, sum(AmountCredit) AS credit
		FROM books.financial.ReportingBalance GROUP BY ALL
	) b ON t.division_code = b._division AND t.financial_year = b.ReportingYear AND t.financial_period = b.ReportingPeriod AND t.gl_account_id = b.GLAccount
	WHERE t.movement IS DISTINCT FROM b.amount OR t.debit IS DISTINCT FROM b.debit OR t.credit IS DISTINCT FROM b.credit`)
	r.expect("what a period closes with the next begins with", `SELECT * FROM (
		SELECT division_code, gl_account_code, financial_year, opening_balance,
			lag(closing_balance) OVER (PARTITION BY division_code, gl_account_code, CASE WHEN balance_type = 'W' THEN financial_year END ORDER BY financial_year, financial_period) AS before
		FROM books.analytics.trial_balance WHERE gl_account_code IS NOT NULL
	) WHERE opening_balance <> coalesce(before, 0)`)
}

// The balance sheet balances in every period, and its result is that of the profit and loss.
func TestBalanceSheetBalances(t *testing.T) {
	_, r := company(t)
	r.expect("periods that do not", `SELECT division_code, financial_year, financial_period FROM books.analytics.balance_sheet GROUP BY ALL
		HAVING sum(amount) FILTER (section_order = 1) <> sum(amount) FILTER (section_order > 1) OR sum(balance) <> 0`)
	r.expect("results that differ", `SELECT * FROM (
		SELECT division_code, financial_year, sum(amount) AS result FROM books.analytics.balance_sheet
		WHERE gl_account_description LIKE 'Result of the year%'
			AND (financial_year, financial_period) IN (SELECT (financial_year, max(financial_period)) FROM books.analytics.trial_balance t
				WHERE t.division_code = balance_sheet.division_code GROUP BY financial_year)
		GROUP BY ALL
	) b FULL JOIN (SELECT division_code, financial_year, sum(amount) AS result FROM books.analytics.profit_and_loss GROUP BY ALL) p
	USING (division_code, financial_year) WHERE b.result IS DISTINCT FROM p.result`)
	r.expect("every period has one", `SELECT count(*) = 0 FROM (SELECT DISTINCT division_code, financial_year, financial_period FROM books.analytics.trial_balance
		EXCEPT SELECT division_code, financial_year, financial_period FROM books.analytics.balance_sheet)`, "true")
}

// What is open, item by item, is what Exact's own lists say and what the ledger says: today, and
// at the end of any month.
func TestAgingEqualsTheLedger(t *testing.T) {
	_, r := company(t)
	for _, side := range []struct{ view, list, account, sign string }{
		{"receivables_aging", "ReceivablesList", "20", ""}, {"payables_aging", "PayablesList", "22", "-"},
	} {
		r.do("RESET VARIABLE as_of")
		r.expect(side.view+" and Exact's list", fmt.Sprintf(`SELECT * FROM (
			SELECT division_code, account_id, sum(amount) AS amount, count(*) AS items FROM books.analytics.%s GROUP BY ALL
		) a FULL JOIN (
			SELECT _division AS division_code, AccountId AS account_id, %ssum(Amount) AS amount, count(*) AS items FROM books.financial.%s GROUP BY ALL
		) b USING (division_code, account_id) WHERE a.amount IS DISTINCT FROM b.amount OR a.items IS DISTINCT FROM b.items`, side.view, side.sign, side.list))
		for _, day := range r.rows(`SELECT DISTINCT last_day(entry_date) FROM books.analytics.gl_transactions ORDER BY 1`) {
			r.do("SET VARIABLE as_of = DATE '" + day + "'")
			r.expect(side.view+" on "+day, fmt.Sprintf(`SELECT * FROM (
				SELECT division_code, sum(amount) AS amount FROM books.analytics.%s GROUP BY ALL
			) a FULL JOIN (
				SELECT division_code, %ssum(amount) AS amount FROM books.analytics.gl_transactions
				WHERE gl_account_type = %s AND entry_date <= '%s' GROUP BY ALL
			) b USING (division_code) WHERE coalesce(a.amount, 0) <> coalesce(b.amount, 0)`, side.view, side.sign, side.account, day))
		}
	}
}

// Revenue is one number: of the profit and loss, by customer, by item, of the invoices, and in
// Exact's own list.
func TestRevenueIsOneNumber(t *testing.T) {
	_, r := company(t)
	const profit = `SELECT division_code, financial_year, financial_period, sum(amount) AS amount FROM books.analytics.profit_and_loss WHERE category_order = 1 GROUP BY ALL`
	for what, query := range map[string]string{
		"by customer": `SELECT division_code, financial_year, financial_period, sum(amount) AS amount FROM books.analytics.revenue_by_customer GROUP BY ALL`,
		"by item":     `SELECT division_code, financial_year, financial_period, sum(amount) AS amount FROM books.analytics.revenue_by_item GROUP BY ALL`,
		"Exact's own": `SELECT _division AS division_code, Year AS financial_year, Period AS financial_period, sum(Amount) AS amount FROM books.financial.RevenueList GROUP BY ALL`,
		"invoice headers": `SELECT division_code, year(invoice_date) AS financial_year, month(invoice_date) AS financial_period, sum(amount - vat_amount) AS amount
			FROM books.analytics.sales_invoice_headers GROUP BY ALL`,
		"invoice lines": `SELECT division_code, year(invoice_date) AS financial_year, month(invoice_date) AS financial_period, sum(amount) AS amount
			FROM books.analytics.sales_invoice_lines GROUP BY ALL`,
	} {
		r.expect(what, "SELECT * FROM ("+profit+") a FULL JOIN ("+query+") b USING (division_code, financial_year, financial_period) WHERE a.amount IS DISTINCT FROM b.amount")
	}
	r.expect("there is some", "SELECT count(*) > 20 FROM ("+profit+")", "true")
	r.expect("headers are their lines", `SELECT invoice_id FROM books.analytics.sales_invoice_headers h JOIN
		(SELECT invoice_id, sum(amount + vat_amount) AS lines FROM books.analytics.sales_invoice_lines GROUP BY ALL) l USING (invoice_id) WHERE h.amount <> lines`)
}

// VAT is what the VAT accounts moved, and what the rate makes of the base, but for the rounding of
// each invoice.
func TestVATIsWhatTheAccountsMoved(t *testing.T) {
	_, r := company(t)
	r.expect("periods that differ", `SELECT * FROM (
		SELECT division_code, financial_year, financial_period, sum(vat_balance) AS vat FROM books.analytics.vat_summary GROUP BY ALL
	) v FULL JOIN (
		SELECT division_code, financial_year, financial_period, -sum(movement) AS vat FROM books.analytics.trial_balance WHERE gl_account_type = 24 GROUP BY ALL
	) t USING (division_code, financial_year, financial_period) WHERE coalesce(v.vat, 0) <> coalesce(t.vat, 0)`)
	r.expect("rates that are off", `SELECT * FROM books.analytics.vat_summary WHERE abs(base_amount * vat_percentage - vat_due - vat_deductible) > 0.25`)
	r.expect("the base of sales is revenue", `SELECT * FROM (
		SELECT division_code, financial_year, sum(base_amount) AS amount FROM books.analytics.vat_summary WHERE side_order = 1 GROUP BY ALL
	) v JOIN (SELECT division_code, financial_year, sum(amount) AS amount FROM books.analytics.revenue_by_item GROUP BY ALL) p
	USING (division_code, financial_year) WHERE v.amount <> p.amount`)
}

// The last position of each account is what the trial balance closes with.
func TestCashIsWhatTheBooksSay(t *testing.T) {
	_, r := company(t)
	r.expect("accounts that differ", `SELECT * FROM (
		SELECT division_code, gl_account_code, balance FROM books.analytics.cash_position WHERE is_last
	) c FULL JOIN (
		SELECT division_code, gl_account_code, arg_max(closing_balance, (financial_year, financial_period)) AS balance FROM books.analytics.trial_balance
		WHERE gl_account_type IN (10, 12, 14, 16) GROUP BY ALL
	) t USING (division_code, gl_account_code) WHERE c.balance IS DISTINCT FROM t.balance`)
	r.expect("received and paid", `SELECT division_code, gl_account_code FROM books.analytics.cash_position GROUP BY ALL
		HAVING sum(received) - sum(paid) <> sum(balance) FILTER (is_last)`)
}

// Orders are their lines, and every entry is in the financial period that the calendar has for its day.
func TestOrdersAndPeriods(t *testing.T) {
	_, r := company(t)
	r.expect("orders that are not their lines", `SELECT h.order_number, h.amount_fc_excl_vat, sum(l.amount) FROM books.analytics.purchase_order_headers h
		LEFT JOIN books.analytics.purchase_order_lines l USING (division_code, purchase_order_id)
		GROUP BY h.division_code, h.order_number, h.amount_fc_excl_vat HAVING h.amount_fc_excl_vat IS DISTINCT FROM sum(l.amount)`)
	r.expect("lines without an order", "SELECT * FROM books.analytics.purchase_order_lines WHERE order_number IS NULL")
	r.expect("orders and lines are all rows", `SELECT (SELECT count(*) FROM books.analytics.purchase_order_headers) + (SELECT count(*) FROM books.analytics.purchase_order_lines)
		- (SELECT count(*) FROM books.purchaseorder.PurchaseOrdersSync)`, "0")
	r.expect("entries in another period", `SELECT t.entry_number FROM books.analytics.gl_transactions t
		LEFT JOIN books.analytics.calendar c ON c.division_code = t.division_code AND c.date = t.entry_date
		WHERE c.financial_year IS DISTINCT FROM t.financial_year OR c.financial_period IS DISTINCT FROM t.financial_period`)
}

// A night without changes publishes nothing, views or no views; a change of rows leaves the views
// alone; and a first view is published although no row has changed.
func TestViewsDoNotPublishAQuietNight(t *testing.T) {
	f := newOffice(t, sandbox.Options{Seed: 1, Scale: 0.05})
	w := warehouse{t: t, dir: t.TempDir(), log: slog.New(warnings{t: t, Handler: slog.DiscardHandler})}
	streams := []string{"financial/TransactionLines", "financial/GLAccounts", "crm/Accounts"}
	if !w.sync(f, "", streams...).DuckDB {
		t.Error("the first load was not published")
	}
	for range 2 {
		if w.sync(f, "", streams...).DuckDB {
			t.Error("a quiet night was published")
		}
	}
	if !w.sync(f, "", "financial/FinancialPeriods").DuckDB {
		t.Error("a new stream was not published")
	}
	r := attach(t, w.published(), "books")
	r.rows("FROM books.analytics.calendar LIMIT 1")
	r.expect("nothing was said twice", "SELECT value FROM books._exactduck.meta WHERE key = 'views of analytics' AND length(value) <> 64")
}
