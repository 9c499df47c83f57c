package main

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"exactduck/extract/sandbox/pay"
)

// shop is an office that follows a simulated Exact Payments on loopback, in which somebody has logged in.
type shop struct {
	*office
	merchants *merchants
	hush      *hush
	since     string // the day that orders are read from
}

func newShop(t *testing.T, o pay.Options) *shop {
	t.Helper()
	of := &office{t: t, dir: filepath.Join(t.TempDir(), "shop"), ahead: new(atomic.Int64)}
	o.Clock = of.now
	simulated, err := pay.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = simulated.Close() })
	s := &shop{
		office: of, merchants: &merchants{t: t, dir: of.dir, pay: simulated}, hush: &hush{words: map[string]bool{}},
		since: of.now().AddDate(0, -2, 0).Format(time.DateOnly),
	}
	server := httptest.NewServer(s.hush.listen(simulated))
	t.Cleanup(server.Close)
	who := simulated.Credentials()
	text := fmt.Sprintf(`version: 1
state_dir: state
connections:
  shop: {type: exactpay, base_url: %q, application: %s, organization: %s}
pipelines:
  nightly:
    from: shop
    streams:
      - exactpay/accounts
      - exactpay/customers
      - exactpay/payments
      - {stream: exactpay/orders, since: %s}
      - exactpay/payment_methods
    to: {duckdb: shop.duckdb, parquet: lake/}
`, server.URL, who.Application, who.Organization, s.since)
	s.must(os.MkdirAll(of.dir, 0o700))
	s.must(os.WriteFile(of.file("pipelines.yaml"), []byte(text), 0o600))
	s.hush.keep(who.Password)
	t.Setenv(passwordVariable, who.Password)
	s.run(0, "auth", "login", "--connection", "shop", "--email", who.Email)
	return s
}

func (s *shop) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// copy is another shop of the same merchants, with the files as they are now.
func (s *shop) copy(t *testing.T) *shop {
	t.Helper()
	of, m := *s.office, *s.merchants
	of.t, of.dir = t, filepath.Join(t.TempDir(), "shop")
	m.t, m.dir = t, of.dir
	if out, err := exec.CommandContext(t.Context(), "cp", "-a", s.dir, of.dir).CombinedOutput(); err != nil {
		t.Fatalf("copy %s: %v: %s", s.dir, err, out)
	}
	return &shop{office: &of, merchants: &m, hush: s.hush, since: s.since}
}

// happens lets things happen in all accounts that a run from a cursor sees; with gone it takes one that
// reads everything.
func (s *shop) happens(gone bool) {
	s.t.Helper()
	for _, account := range s.merchants.pay.Accounts() {
		for _, c := range []pay.Change{
			{Resource: "payments", Insert: 4, Update: 1, Capture: 2, Refund: 2, Void: 1, Settle: 5, Within: 20 * day24},
			{Resource: "customers", Insert: 2, Update: 2},
			{Resource: "orders", Insert: 1, Update: 1, Within: 20 * day24},
			{Resource: "payment_methods", Insert: 1, Update: 1},
		} {
			c.Account = account
			if gone && (c.Resource == "payments" || c.Resource == "orders") { // of the others there are so few that the guard would ask
				c.Delete, c.Within = 1, 0
			}
			s.must(s.merchants.pay.Change(c))
		}
	}
	s.ahead.Add(int64(time.Minute))
}

// strikes are the situations in which a run may be killed.
var strikes = []struct {
	name    string
	prepare func(*shop)
}{
	{"first load", func(*shop) {}},
	{"what changed", func(s *shop) { s.run(0, "sync", "-q"); s.happens(false) }},
	{"reconcile", func(s *shop) {
		s.run(0, "sync", "-q")
		s.ahead.Add(int64(8 * day24))
		s.happens(true)
	}},
}

// Whatever a run of payments is killed at, readers see the tables before it or those after it, the next
// run makes them what there is, the token is still there, and nowhere else.
func TestKilledRunsOfPayments(t *testing.T) {
	seed := steady(t)
	dice := rand.New(rand.NewPCG(seed, 3))
	killed := 0
	for _, strike := range strikes {
		t.Run(strike.name, func(t *testing.T) {
			s := newShop(t, pay.Options{Seed: seed, Scale: 0.25})
			strike.prepare(s)
			steps := 300 // a few more or less
			if long() {
				steps = len(s.copy(t).steps("sync"))
			}
			// one run after another is killed before one may end; where a campaign is long, mostly one alone
			for _, kills := range []struct{ times, inARow int }{{rounds(1, 5), 2}, {rounds(0, 40), 1}} {
				for range kills.times {
					at := some(dice, kills.inARow, steps/kills.inARow) // who goes on has less to do
					t.Run(fmt.Sprintf("at %v", at), func(t *testing.T) {
						killed += s.copy(t).struck(kills.inARow, func(s *shop, i int) bool { return s.kill(at[i], "sync") })
					})
				}
			}
			for range rounds(0, 15) {
				after := time.Duration(30+dice.IntN(700)) * time.Millisecond
				t.Run("after "+after.String(), func(t *testing.T) {
					killed += s.copy(t).struck(1, func(s *shop, _ int) bool { return s.killAfter(after) })
				})
			}
		})
	}
	if t.Logf("%d runs were killed", killed); killed < rounds(4, 150) {
		t.Errorf("only %d runs were killed", killed)
	}
}

// struck lets runs be killed, and looks at what they and the next one leave. It returns how many were.
func (s *shop) struck(times int, kill func(s *shop, i int) bool) (died int) {
	s.t.Helper()
	before, truth := s.merchants.stored(), s.truth()
	for i := range times {
		if kill(s, i) {
			died++
		}
		if now := s.merchants.stored(); !s.same(before, now) && !s.same(truth, now) {
			s.t.Error("the tables are neither those before the run nor those after it")
		}
	}
	s.run(0, "sync", "-q")
	now := s.merchants.stored()
	for k, rows := range truth {
		if !identical(rows, now[k]) {
			s.t.Errorf("%s of %s is not what there is", k.stream, k.account)
		}
	}
	s.tidy()
	for _, problem := range s.hush.search(s.dir) {
		s.t.Error(problem)
	}
	return died
}

// truth is what there is of what the pipeline reads.
func (s *shop) truth() map[ofAccount]rowsOf {
	s.t.Helper()
	all := s.merchants.truth()
	for k, rows := range all {
		switch k.stream {
		case "exactpay/onboardings", "exactpay/mcc":
			delete(all, k)
		case "exactpay/orders":
			maps.DeleteFunc(rows, func(_ string, r record) bool { return r["(made)"] < s.since })
		}
	}
	return all
}

// same tells whether the tables hold what there was, no more and no less.
func (s *shop) same(was, now map[ofAccount]rowsOf) bool {
	for k, rows := range was {
		if !identical(rows, now[k]) {
			return false
		}
	}
	return len(was) > 0 || len(now) == 0
}

// killAfter lets the program run for a while, and tells whether it was still there then.
func (s *shop) killAfter(d time.Duration) bool {
	s.t.Helper()
	c := s.process("sync", "-v")
	s.must(c.Start())
	s.must(pause(s.t.Context(), d))
	_ = c.Process.Kill() // it may have ended
	err := c.Wait()
	return err != nil && c.ProcessState.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL
}
