package main

import (
	"testing"
	"time"

	"exactduck/cmd/exactduck/runs"
	"exactduck/extract/sandbox"
	"exactduck/load"
)

const mixed = `      - crm/Accounts
      - financial/TransactionLines
      - cashflow/Payments
      - salesinvoice/SalesInvoices
      - general/Currencies
      - read/financial/ReceivablesList
      - logistics/PurchaseItemPrices
      - openingbalance/CurrentYear/Processed`

// A night without changes costs one call per stream and division, and one for deletions and one
// for Divisions; it moves no row and publishes nothing.
func TestQuietNightCostsTheMinimum(t *testing.T) {
	t.Parallel()
	w := newWorld(t, t.TempDir(), mixed, sandbox.Options{})
	w.pipelineLines = withLake
	w.reconfigure(mixed)
	first := w.run(syncOptions{})
	if sum := first.Totals(); sum.Inserted == 0 || sum.Inserted != sum.Rows || !first.Published.DuckDB || !first.Published.Parquet {
		t.Fatalf("the first sync says %+v, published %+v", sum, first.Published)
	}
	w.equal()
	w.clock.advance(24 * time.Hour)
	w.run(syncOptions{})
	w.clock.advance(24 * time.Hour)
	before := total(w.sandbox.Calls())
	second := w.run(syncOptions{})
	sum := second.Totals()
	if sum.Inserted+sum.Updated+sum.Deleted != 0 || second.Published.DuckDB || second.Published.Parquet {
		t.Errorf("a quiet night moved rows: %+v, published %+v", sum, second.Published)
	}
	tokens := 1 // the access token has long expired
	pages := 0
	for _, s := range second.Streams {
		pages += s.Pages
	}
	for _, s := range second.Streams {
		if s.Why != whyNews && s.Why != whyWhole {
			t.Errorf("%s in %s is read because of %q", s.Stream, s.Scope, s.Why)
		}
	}
	if calls := total(w.sandbox.Calls()) - before; calls != pages+1+tokens || second.Calls != pages+1 {
		t.Errorf("a quiet night made %d calls, counts %d, and read %d pages: %v", calls, second.Calls, pages, w.sandbox.Calls())
	}
	w.equal()
}

func total(calls map[string]int) (sum int) {
	for _, n := range calls {
		sum += n
	}
	return sum
}

func TestChangesThatAreNotPublished(t *testing.T) {
	t.Parallel()
	changed := runs.Record{Streams: []runs.Stream{{Updated: 1}}}
	for _, c := range []struct {
		synced
		want string
	}{
		{synced{}, "nothing changed, nothing published"},
		{synced{Record: changed}, "not published yet, the next run does it"},
		{synced{Record: changed, Published: load.Published{DuckDB: true}}, "published the file"},
	} {
		if got := c.said(); got != c.want {
			t.Errorf("%+v is said as %q, want %q", c.synced, got, c.want)
		}
	}
}
