package main

import (
	"cmp"
	"strings"
	"testing"
	"time"

	"exactduck/extract/sandbox"
)

// price is what the documentation of Exact says a stream costs to read. Nothing of it is asked of
// the program.
type price struct {
	stream string
	whole  string // the endpoint with everything in the fewest calls
	news   string // the endpoint that can be asked for what changed; "": none can
	told   bool   // sync/Deleted speaks of its records
	mute   bool   // whole insists on $select, and cannot be asked what properties it has
	shared bool   // belongs to the connection
}

// prices are of streams of every kind.
var prices = []price{
	{stream: "crm/Accounts", whole: "sync/CRM/Accounts", news: "sync/CRM/Accounts", told: true},
	{stream: "financial/TransactionLines", whole: "sync/Financial/TransactionLines", news: "sync/Financial/TransactionLines", told: true},
	{stream: "salesinvoice/SalesInvoicesSync", whole: "sync/SalesInvoice/SalesInvoices", news: "sync/SalesInvoice/SalesInvoices", told: true},
	{stream: "subscription/Subscriptions", whole: "sync/Subscription/Subscriptions", news: "sync/Subscription/Subscriptions", told: true},
	{stream: "logistics/PurchaseItemPrices", whole: "sync/Logistics/PurchaseItemPrices", news: "sync/Logistics/PurchaseItemPrices"},
	{stream: "cashflow/Payments", whole: "bulk/Cashflow/Payments", news: "cashflow/Payments", mute: true},
	{stream: "cashflow/Receivables", whole: "bulk/Cashflow/Receivables", news: "cashflow/Receivables", mute: true},
	{stream: "salesinvoice/SalesInvoiceLines", whole: "bulk/SalesInvoice/SalesInvoiceLines", mute: true},
	{stream: "financialtransaction/BankEntryLines", whole: "financialtransaction/BankEntryLines", news: "financialtransaction/BankEntryLines"},
	{stream: "general/Currencies", whole: "general/Currencies", news: "general/Currencies"},
	{stream: "read/financial/ReceivablesList", whole: "read/financial/ReceivablesList"},
	{stream: "openingbalance/CurrentYear/Processed", whole: "openingbalance/CurrentYear/Processed"},
	{stream: "system/Users", whole: "system/Users", news: "system/Users", shared: true},
}

func (p price) versioned() bool { return strings.HasPrefix(p.news, "sync/") }

// rowsPerCall is what Exact delivers at once.
func rowsPerCall(endpoint string) int {
	if strings.HasPrefix(endpoint, "sync/") || strings.HasPrefix(endpoint, "bulk/") {
		return 1000
	}
	return 60
}

// pagesOf is how many calls rows cost: an answer without rows costs one too.
func pagesOf(rows int, endpoint string) int {
	size := rowsPerCall(endpoint)
	return max(1, (rows+size-1)/size)
}

// accountant works out from the books themselves what a sync must cost at least, as the design
// defines it.
type accountant struct {
	*world
	prices []price
	last   time.Time // when the last sync began; zero: there was none
	// What each stream of each division was like then.
	versions map[ofStream]int64
	whole    map[ofStream]time.Time // when all its keys were last read
	looked   map[string]time.Time
}

type ofStream struct {
	division int
	stream   string
}

func newAccountant(w *world, prices []price) *accountant {
	return &accountant{world: w, prices: prices, versions: map[ofStream]int64{}, whole: map[ofStream]time.Time{}, looked: map[string]time.Time{}}
}

func (a *accountant) highest(division int, path string) (highest int64) {
	for _, r := range a.sandbox.Records(division, path) {
		highest = max(highest, r["Timestamp"].(int64))
	}
	return highest
}

// minimum is what a sync that begins now has to cost, and bring.
func (a *accountant) minimum() (calls int) {
	now := a.clock.time()
	calls = 1 // Divisions
	if a.last.IsZero() {
		calls++ // the address of Divisions needs a division, and at first nobody knows one
	}
	reload := !a.last.IsZero() && now.Sub(a.last) > 55*24*time.Hour // deletions were overlooked
	for i, division := range a.sandbox.Divisions() {
		told := false // by sync/Deleted
		for _, p := range a.prices {
			if p.shared && i > 0 {
				continue
			}
			told = told || p.told
			calls += a.stream(p, division, now, reload)
		}
		if told {
			calls += a.deletions(division, reload)
		}
	}
	for _, p := range a.prices {
		calls += a.look(p, now, a.last.IsZero() || reload && p.told)
	}
	a.last = now
	return calls
}

// stream is the least that one stream of a division costs; a sweep is part of it when it is due.
func (a *accountant) stream(p price, division int, now time.Time, reload bool) int {
	k := ofStream{division, p.stream}
	rows := len(a.sandbox.Records(division, p.whole))
	before := a.versions[k]
	if p.versioned() {
		a.versions[k] = a.highest(division, p.news)
	}
	if a.last.IsZero() || p.news == "" || reload && p.told {
		a.whole[k] = now
		return pagesOf(rows, p.whole)
	}
	calls := pagesOf(a.changed(p, division, before), p.news)
	if !p.told && now.Sub(a.whole[k]) >= 7*24*time.Hour {
		a.whole[k] = now
		calls += pagesOf(rows, p.whole)
	}
	return calls
}

// changed is how many rows the source has that are newer than the last sync, as far as it can be
// asked: by row version to the row, by Modified with two hours to spare.
func (a *accountant) changed(p price, division int, before int64) (n int) {
	since := wallTime(a.t, a.last).Add(-2 * time.Hour)
	for _, r := range a.sandbox.Records(division, p.news) {
		if p.versioned() && r["Timestamp"].(int64) > before || !p.versioned() && !r["Modified"].(time.Time).Before(since) {
			n++
		}
	}
	return n
}

func (a *accountant) deletions(division int, again bool) int {
	k := ofStream{division, "sync/Deleted"}
	n := 0
	for _, r := range a.sandbox.Records(division, "sync/Deleted") {
		if again || r["Timestamp"].(int64) > a.versions[k] {
			n++
		}
	}
	a.versions[k] = a.highest(division, "sync/Deleted")
	return pagesOf(n, "sync/Deleted")
}

// look is the weekly question for properties that nobody knew of: once for all divisions.
func (a *accountant) look(p price, now time.Time, whole bool) int {
	asked := cmp.Or(p.news, p.whole)
	if whole {
		asked = p.whole
	}
	if last := a.looked[p.stream]; p.mute && asked == p.whole || !last.IsZero() && now.Sub(last) < 7*24*time.Hour {
		return 0
	}
	a.looked[p.stream] = now
	return 1
}

// audit syncs, and holds what it cost at the source against the least that it could have cost.
func (a *accountant) audit(what string) {
	a.t.Helper()
	want, from := a.minimum(), a.wire.passed()
	a.run(syncOptions{})
	calls := a.wire.calls(from)
	a.t.Logf("%s: %d calls, the minimum is %d", what, len(calls), want)
	if len(calls) == want {
		return
	}
	a.t.Errorf("%s costs %d calls, the minimum is %d", what, len(calls), want)
	for _, r := range calls {
		query, _, _ := strings.Cut(r.query, "&$filter")
		a.t.Logf("  %s %.20s %s", r.path, query, strings.TrimPrefix(r.query, query))
	}
}

// wallTime is what the clocks at Exact show.
func wallTime(t *testing.T, at time.Time) time.Time {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Amsterdam")
	if err != nil {
		t.Fatal(err)
	}
	_, offset := at.In(zone).Zone()
	return at.UTC().Add(time.Duration(offset) * time.Second)
}

// streamLines are entries of a pipeline.
func streamLines(names ...string) string {
	return "      - " + strings.Join(names, "\n      - ")
}

// busy changes about a share of what is in the books.
func (a *accountant) busy(share float64) {
	a.t.Helper()
	for _, division := range a.sandbox.Divisions() {
		for _, entity := range []string{
			"crm/Accounts", "financial/TransactionLines", "salesinvoice/SalesInvoices", "subscription/Subscriptions",
			"logistics/PurchaseItemPrices", "cashflow/Payments", "general/Currencies",
		} {
			n := int(share * float64(len(a.sandbox.Records(division, entity))))
			if len(a.sandbox.Records(division, "sync/"+entity)) > 0 {
				n = int(share * float64(len(a.sandbox.Records(division, "sync/"+entity))))
			}
			c := sandbox.Change{Division: division, Entity: entity, Insert: 1 + n/3, Update: 1 + n/3, Delete: min(1, n/3)}
			if entity == "general/Currencies" {
				c.Insert = 0
			}
			if err := a.sandbox.Change(c); err != nil {
				a.t.Fatal(err)
			}
		}
	}
}

// Whatever happened since the last sync, a sync costs the minimum: the pages that hold what
// changed, one call for deletions in each division and one for Divisions, the sweeps that are due,
// and the weekly look at each stream.
func TestCallsAreTheMinimum(t *testing.T) {
	t.Parallel()
	var names []string
	for _, p := range prices {
		names = append(names, p.stream)
	}
	w := newWorld(t, t.TempDir(), streamLines(names...), sandbox.Options{Scale: float64(rounds(3, 120)) / 10})
	a := newAccountant(w, prices)
	night := func(what string, after time.Duration, share float64) {
		w.clock.advance(after / 2)
		if share > 0 {
			a.busy(share)
		}
		w.clock.advance(after - after/2)
		a.audit(what)
	}
	a.audit("the first load")
	night("the night after it", day24, 0)
	night("a night without changes", day24, 0)
	night("a night with 1 % changes", day24, 0.01)
	night("a night with half of everything changed", day24, 0.5)
	night("a week later", 7*day24, 0.01)
	night("another night without changes", day24, 0)
	night("70 days later", 70*day24, 0.01)
	night("the night after that", day24, 0)
	w.equal()
}
