package exactpay_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"exactduck/extract/sandbox/pay"
	"exactduck/schema"
)

// manners are services as nobody knows whether they are like that.
func manners(r *rand.Rand) pay.Switches {
	pick := func(of ...string) string { return of[r.IntN(len(of))] }
	w := pay.Switches{
		Filters: pick("obeyed", "obeyed", "ignored", "refused"), Natural: pick("inserted", "newest", "scattered"),
		Counts: pick("exact", "absent", "wrong", "page"), PageCap: []int{0, 0, 10, 33, 7}[r.IntN(5)],
		UnstableTies: r.IntN(4) == 0, PageAll: r.IntN(3) == 0, ExclusiveTo: r.IntN(3) == 0,
		CustomerObject: r.IntN(3) == 0, CustomerCreated: r.IntN(3) == 0,
	}
	w.Sorts = [][]string{nil, {"plain"}, {"colon"}, {"object"}, {"none"}}[r.IntN(5)]
	if r.IntN(4) == 0 {
		w.IgnoredFilters = []string{"updatedAt"}
	}
	return w
}

// TestModel lets things happen between reads, at services of all kinds: what was read is what there is,
// after every read of everything, and after every other as far back as a read looks.
func TestModel(t *testing.T) {
	services, rounds, scale := 8, 3, 0.25
	if os.Getenv("EXACTDUCK_LONG") != "" {
		services, rounds, scale = 150, 8, 0.5
	}
	for seed := range services {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(uint64(seed), 7))
			w := manners(r)
			if seed == 0 {
				w = pay.Switches{}
			}
			m := open(t, pay.Options{Seed: uint64(seed), Accounts: 1, Scale: scale, Switches: w}, nil)
			m.limit = 20 * 24 * time.Hour
			account := m.pay.Accounts()[0]
			for round := range rounds {
				whole := round == 0 || r.IntN(3) == 0
				m.round(schema.Scope(account), whole, w.UnstableTies)
				if t.Failed() {
					t.Fatalf("round %d, everything %v, of a service %+v", round, whole, w)
				}
				if r.IntN(3) == 0 {
					m.connect(nil)
				}
				m.happen(r, account)
			}
		})
	}
}

// round reads, and compares.
func (m *merchants) round(account schema.Scope, whole, unstable bool) {
	m.t.Helper()
	for _, stream := range []string{"exactpay/payments", "exactpay/customers", "exactpay/orders", "exactpay/accounts"} {
		scope, of := account, string(account)
		if stream == "exactpay/orders" || stream == "exactpay/accounts" {
			scope, of = "0", "0"
		}
		m.log.Reset()
		m.must(m.run(stream, scope, whole))
		if unstable && strings.Contains(m.log.String(), "nothing is removed") {
			continue // more rows of one and the same moment than a page holds, in another order each time
		}
		m.compare(stream, of, scope)
	}
}

// happen lets time pass and things happen that a read which looks back can see: nothing is deleted.
func (m *merchants) happen(r *rand.Rand, account string) {
	m.t.Helper()
	m.now = m.now.Add(time.Duration(r.IntN(72)+1) * time.Hour)
	n := func() int { return r.IntN(4) }
	within := 10 * 24 * time.Hour
	for _, c := range []pay.Change{
		{Account: account, Resource: "payments", Insert: n() * 20, Update: n(), Capture: n(), Refund: n(), Void: n(), Settle: n(), Within: within},
		{Account: account, Resource: "payments", Insert: n(), Before: time.Duration(r.IntN(100)) * time.Hour},
		{Account: account, Resource: "customers", Insert: n() * 10, Update: n()},
		{Account: account, Resource: "orders", Insert: n(), Update: n(), Within: within},
	} {
		m.must(m.pay.Change(c))
	}
	m.now = m.now.Add(time.Minute)
}

// TestWhatHappensWhilePaging lets rows come and go while a list is read. Whoever reads it again when it
// is quiet has what there is; until then nothing is lost that was there all the time.
func TestWhatHappensWhilePaging(t *testing.T) {
	services, scale := 8, 0.15
	if os.Getenv("EXACTDUCK_LONG") != "" {
		services, scale = 200, 0.5
	}
	for seed := range services {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(uint64(seed), 8))
			w := manners(r)
			w.Appear, w.Vanish = r.IntN(3), r.IntN(3)
			m := open(t, pay.Options{Seed: uint64(seed), Accounts: 1, Scale: scale, Switches: w}, nil)
			account := m.pay.Accounts()[0]
			before := m.truth("exactpay/payments", account)
			m.must(m.run("exactpay/payments", schema.Scope(account), true))
			after := m.truth("exactpay/payments", account)
			here := m.tables["exactpay/payments "+account]
			unproven := strings.Contains(m.log.String(), "nothing is removed")
			for key := range before {
				if after[key] != nil && here[key] == nil && !unproven {
					t.Errorf("payment %s was there all the time and was not read, of a service %+v", key, w)
				}
			}
			m.now = m.now.Add(time.Minute)
			m.must(m.pay.Switch(func(w *pay.Switches) { w.Appear, w.Vanish = 0, 0 }))
			m.log.Reset()
			m.must(m.run("exactpay/payments", schema.Scope(account), true))
			if w.UnstableTies && strings.Contains(m.log.String(), "nothing is removed") {
				return // more rows of one and the same moment than a page holds, in another order each time
			}
			m.compare("exactpay/payments", account, schema.Scope(account))
			if t.Failed() {
				t.Errorf("of a service %+v\n%s", w, m.log.String())
			}
		})
	}
}
