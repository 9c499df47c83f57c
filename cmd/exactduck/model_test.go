package main

import (
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"exactduck/cmd/exactduck/runs"
	"exactduck/extract/sandbox"
)

// long says that the long campaigns are wanted.
func long() bool { return os.Getenv("EXACTDUCK_LONG") != "" }

// rounds is how often a randomised test goes round.
func rounds(short, campaign int) int {
	if long() {
		return campaign
	}
	return short
}

// changing are streams of every kind that changes can be made to: all three variants, an own
// sync feed, one without a deletions feed, one whose cheap variant has no cursor, one without a
// cursor at all, composite keys, and what follows from the books.
const changing = `      - crm/Accounts
      - crm/Contacts
      - financial/TransactionLines
      - cashflow/Payments
      - salesinvoice/SalesInvoices
      - salesinvoice/SalesInvoicesSync
      - logistics/Items
      - logistics/PurchaseItemPrices
      - subscription/Subscriptions
      - read/financial/ReceivablesList
      - openingbalance/CurrentYear/Processed
      - financial/ReportingBalance`

var changed = []string{
	"crm/Accounts", "crm/Contacts", "financial/TransactionLines", "salesinvoice/SalesInvoices", "logistics/Items",
	"logistics/PurchaseItemPrices", "subscription/Subscriptions", "cashflow/Payments",
}

func (w *world) division(dice *rand.Rand) int {
	all := w.sandbox.Divisions()
	return all[dice.IntN(len(all))]
}

func (w *world) change(dice *rand.Rand) {
	w.t.Helper()
	err := w.sandbox.Change(sandbox.Change{
		Division: w.division(dice), Entity: changed[dice.IntN(len(changed))],
		Insert: dice.IntN(4), Update: dice.IntN(6), Delete: dice.IntN(2),
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// The same records under several runs: what a row's last change was is the run that brought it.
func TestRunsAreRecorded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, t.TempDir(), "      - crm/Accounts", sandbox.Options{})
	first := w.run(syncOptions{})
	if err := w.sandbox.Change(sandbox.Change{Entity: "crm/Accounts", Update: 3, Insert: 2}); err != nil {
		t.Fatal(err)
	}
	w.clock.advance(time.Hour)
	second := w.run(syncOptions{})
	if sum := second.Totals(); sum.Inserted != 2 || sum.Updated != 3 {
		t.Errorf("two inserts and three updates are counted as %+v", sum)
	}
	paths, err := runs.List(w.records(), w.clock.time())
	if err != nil || len(paths) != 2 {
		t.Fatalf("records of two runs are %v, %v", paths, err)
	}
	for i, want := range []synced{first, second} {
		got, err := runs.Read(paths[i])
		if err != nil || got.ID != want.ID || got.Status != "done" || got.Totals() != want.Totals() {
			t.Errorf("the record says %+v, %v", got, err)
		}
	}
}
