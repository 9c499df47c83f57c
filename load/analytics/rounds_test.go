package analytics_test

import (
	"log/slog"
	"math/rand/v2"
	"os"
	"testing"

	"exactduck/extract/sandbox"
)

// Whatever is booked, changed and deleted, night after night: the trial balance adds up to zero and
// is what Exact's own balances say, and the balance sheet balances.
func TestTrialBalanceAgreesThroughRoundsOfChanges(t *testing.T) {
	f := newOffice(t, sandbox.Options{Seed: 5, Scale: 0.05})
	w := warehouse{t: t, dir: t.TempDir(), log: slog.New(warnings{t: t, Handler: slog.DiscardHandler})}
	dice := rand.New(rand.NewPCG(5, 1))
	seen := map[string]bool{}
	rounds := 3
	if os.Getenv("EXACTDUCK_LONG") != "" {
		rounds = 12
	}
	for round := range rounds {
		for _, entity := range []string{
			"salesinvoice/SalesInvoices", "purchaseentry/PurchaseEntries", "financial/TransactionLines", "financialtransaction/BankEntries", "financial/GLAccounts",
		} {
			change := sandbox.Change{Entity: entity, Insert: dice.IntN(4), Update: dice.IntN(4), Delete: dice.IntN(3)}
			if entity == "financial/GLAccounts" {
				change.Delete = 0 // Exact lets go of none that is booked on
			}
			if err := f.sandbox.Change(change); err != nil {
				t.Fatal(err)
			}
		}
		w.sync(f, "", "financial/TransactionLines", "financial/GLAccounts", "financial/ReportingBalance")
		r := attach(t, w.published(), "books")
		agreesWithReportingBalance(r)
		r.expect("balance sheets that do not balance", `SELECT financial_year, financial_period FROM books.analytics.balance_sheet GROUP BY ALL HAVING sum(balance) <> 0`)
		books := r.rows("SELECT count(*), sum(debit) FROM books.analytics.trial_balance")[0]
		if seen[books] {
			t.Errorf("nothing has changed in round %d: %s", round, books)
		}
		seen[books] = true
	}
}
