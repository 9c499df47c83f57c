package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"exactduck/extract/sandbox/pay"
	"exactduck/load"
)

// bookkeeper lets things happen to merchants, runs, and knows what the tables must hold: from what there
// is, from what they held, and from when each list was last read.
type bookkeeper struct {
	*merchants
	dice  *rand.Rand
	held  map[ofAccount]rowsOf
	base  map[ofAccount]rowsOf    // what there was when a read began that is not done yet
	read  map[ofAccount]time.Time // until when the last one that was done may have begun
	doing []string
	// Of all runs: reads done, whole ones among them that were compared to the letter, and those that were
	// not shown to be whole.
	done, exact, unproven int
	ends                  map[int]int // how often runs ended with an exit code
	stir                  func()      // before each request; nil: nothing
	doubtful              []ofAccount // lists that are not as they should be
	// withheld is what there may have been when runs read that were interrupted: what they brought is
	// published with the next one. Told are the lists of which they said that they may not be whole.
	withheld map[ofAccount][]rowsOf
	told     map[ofAccount]bool
	hard     *hardships // what a campaign counts; nil: nothing
	manners  pay.Switches
}

func newBookkeeper(t *testing.T, seed uint64, o pay.Options) *bookkeeper {
	t.Helper()
	o.Seed = seed
	b := &bookkeeper{
		merchants: newMerchants(t, o), dice: rand.New(rand.NewPCG(seed, 1)), held: map[ofAccount]rowsOf{}, base: map[ofAccount]rowsOf{},
		read: map[ofAccount]time.Time{}, ends: map[int]int{}, withheld: map[ofAccount][]rowsOf{}, told: map[ofAccount]bool{},
	}
	return b
}

func (b *bookkeeper) did(format string, args ...any) {
	b.doing = append(b.doing, b.clock.time().Format("0102 15:04:05 ")+fmt.Sprintf(format, args...))
}

func (b *bookkeeper) oneIn(n int) bool { return b.dice.IntN(n) == 0 }

func (b *bookkeeper) change(c pay.Change) {
	b.t.Helper()
	b.did("%+v", c)
	b.must(b.pay.Change(c))
}

// work is what happens in an account in some days: payments go on without a mark.
func (b *bookkeeper) work() {
	b.t.Helper()
	accounts := b.pay.Accounts()
	c := pay.Change{Account: accounts[b.dice.IntN(len(accounts))], Resource: []string{"payments", "payments", "payments", "customers", "orders", "payment_methods"}[b.dice.IntN(6)]}
	c.Insert, c.Update, c.Delete = b.dice.IntN(6), b.dice.IntN(4), b.dice.IntN(3)/2
	if c.Resource == "payments" {
		c.Capture, c.Refund, c.Void, c.Settle = b.dice.IntN(4), b.dice.IntN(4), b.dice.IntN(3), b.dice.IntN(6)
	}
	b.change(c)
	if b.oneIn(8) { // what arrives late
		b.change(pay.Change{Account: c.Account, Resource: c.Resource, Insert: 1 + b.dice.IntN(2), Before: time.Duration(b.dice.IntN(90*24)) * time.Hour})
	}
}

// found lets accounts come, be disabled, and go.
func (b *bookkeeper) found() {
	c := pay.Change{Resource: "accounts", Update: b.dice.IntN(2)}
	switch n := len(b.pay.Accounts()); {
	case n < 3:
		c.Insert = 1
	case b.oneIn(2):
		c.Disable = 1
	case n > 3:
		c.Delete = 1
	}
	b.change(c)
}

// follow runs once, and checks every table. quiet says that nothing happens meanwhile: then the run has to
// end well.
func (b *bookkeeper) follow(ctx context.Context, quiet bool, o syncOptions) error {
	b.t.Helper()
	before := b.truth()
	from := b.wire.passed()
	b.said.forget()
	b.wire.onRequest(func(*request) {
		if b.stir != nil {
			b.stir()
		}
	})
	result, err := b.sync(ctx, b.pipeline(), o)
	b.wire.onRequest(nil)
	code := exitCode(err)
	b.ends[code]++
	b.did("a run ends with %d: %v", code, err)
	if quiet && err != nil && !as[*load.Shrink](err) || code == exitBug || code == exitMachine {
		b.t.Errorf("the run ends with %d: %v", code, err)
	}
	b.check(result, before, quiet && code == 0, code == exitInterrupted)
	if b.t.Failed() {
		b.t.Fatalf("what happened:\n%s\nwhat was said:\n%s\nwhat was done:\n%s",
			strings.Join(b.doing[max(0, len(b.doing)-120):], "\n"), strings.Join(b.said.text, "\n"), strings.Join(b.asked(from), "\n"))
	}
	if quiet && as[*load.Shrink](err) && o.accept == nil { // really gone, as somebody confirms
		for _, l := range result.Streams {
			if l.Status == "suspect_shrink" {
				o.accept = append(o.accept, l.Stream)
			}
		}
		return b.follow(ctx, quiet, o)
	}
	return err
}

// asked is what was done for the first of the lists that are not as they should be: its requests from the
// n-th on, and what the log says.
func (b *bookkeeper) asked(from int) (lines []string) {
	if len(b.doubtful) == 0 {
		return nil
	}
	k := b.doubtful[0]
	for _, r := range b.wire.since(from) {
		if strings.Contains(r.path, k.account) || k.account == "0" {
			lines = append(lines, fmt.Sprintf("%s %d %s?%s", r.at.Format("0102 15:04:05.000"), r.status, r.path, r.query))
		}
	}
	return append(lines, b.said.about(k)...)
}

// check holds every table against what it may be.
func (b *bookkeeper) check(result synced, before map[ofAccount]rowsOf, ended, interrupted bool) {
	b.t.Helper()
	after, held, stored := b.truth(), b.held, b.stored()
	for k := range before {
		if b.base[k] == nil {
			b.base[k] = before[k]
		}
	}
	all := map[ofAccount]bool{}
	for _, m := range []map[ofAccount]rowsOf{before, after, held, stored} {
		for k := range m {
			all[k] = true
		}
	}
	for k := range all {
		a := audit{
			bookkeeper: b, k: k, base: b.base[k], before: before[k], after: after[k], held: held[k], stored: stored[k], unproven: b.said.unproven(k) || b.told[k],
		}
		b.told[k] = a.unproven
		partly := false // the end of a read that had broken off is in, and what came after it is not
		for _, l := range lines(result, k.stream) {
			if l.Scope == k.account && l.Status == "done" {
				a.line = &l
			} else if l.Scope == k.account {
				partly, b.read[k] = partly || l.Inserted+l.Updated+l.Deleted > 0, b.clock.time()
			}
		}
		if ended && a.line == nil && b.expected(k, before) {
			b.t.Errorf("%s of %s: the run says nothing", k.stream, k.account)
		}
		switch {
		case interrupted:
			a.withhold()
		case a.line != nil || len(b.withheld[k]) == 0 && !partly:
			a.run()
			b.withheld[k] = nil
		default: // what was withheld is published now, or a part of what was read
			for key, row := range a.stored {
				a.spare(key, row, false)
			}
			b.withheld[k] = nil
		}
		if a.line != nil {
			b.settle(a)
		}
	}
	b.held = stored
}

// settle takes note of a read that is done.
func (b *bookkeeper) settle(a audit) {
	b.done++
	b.did("%s of %s was read: %s, %s, unproven: %v", a.k.stream, a.k.account, a.line.Mode, a.line.Why, a.unproven)
	if a.unproven {
		b.unproven++
	} else {
		b.read[a.k] = b.clock.time() // it began in this run at the latest
	}
	delete(b.base, a.k)
	delete(b.told, a.k)
}

// expected tells whether a run has to read a list: those of accounts that are not disabled, but for what is
// personal in an account that is new.
func (b *bookkeeper) expected(k ofAccount, before map[ofAccount]rowsOf) bool {
	account, there := before[ofAccount{"0", "exactpay/accounts"}][k.account]
	return before[k] != nil && (k.account == "0" || there && account["isDisabled"] == "false" && (k.stream != "exactpay/payment_methods" || b.held[k] != nil))
}

func (b *bookkeeper) report() {
	b.t.Helper()
	b.t.Logf("%d reads done, %d whole ones equal to the letter, %d unproven; exit codes %v; %d requests", b.done, b.exact, b.unproven, b.ends, b.wire.passed())
	if b.exact == 0 {
		b.t.Error("nothing was compared to the letter")
	}
}

// Whatever becomes of payments, customers and accounts: after a run that reads everything the tables are
// what there is, and after every other as far back as it looks.
func TestTablesEqualThePaymentsOverManyRounds(t *testing.T) {
	seed := steady(t)
	b := newBookkeeper(t, seed, pay.Options{Scale: 0.15})
	b.must(b.follow(t.Context(), true, syncOptions{}))
	for round := range rounds(3, 300) {
		b.did("round %d of seed %d", round, seed)
		b.round()
	}
	b.clock.advance(8 * day24)
	b.must(b.follow(t.Context(), true, syncOptions{}))
	b.report()
}

// round is some days, with a run at their end.
func (b *bookkeeper) round() {
	b.t.Helper()
	pause := time.Duration(b.dice.IntN(40*60)) * time.Minute
	if b.oneIn(5) {
		pause = time.Duration(b.dice.IntN(80)) * day24
	}
	b.clock.advance(pause)
	b.did("after %v", pause)
	for range b.dice.IntN(6) {
		b.work()
	}
	if b.oneIn(3) {
		b.found()
	}
	b.clock.advance(time.Minute)
	switch b.dice.IntN(8) {
	case 0, 1:
		b.killed()
	case 2:
		b.barred()
	}
	b.must(b.follow(b.t.Context(), true, syncOptions{full: b.oneIn(10)}))
}

// killed is a run that ends in its midst.
func (b *bookkeeper) killed() {
	b.t.Helper()
	ctx, kill := context.WithCancel(b.t.Context())
	defer kill()
	n := b.dice.IntN(60)
	b.wire.onRequest(nil)
	at := b.wire.passed() + n
	b.stir = func() {
		if b.wire.passed() >= at {
			kill()
		}
	}
	err := b.follow(ctx, false, syncOptions{})
	b.stir = nil
	if code := exitCode(err); err != nil && code != exitInterrupted && code != exitPartial {
		b.t.Fatalf("a run that is killed ends with %d: %v", code, err)
	}
	b.clock.advance(time.Minute)
	if b.oneIn(2) {
		b.work()
	}
}

// barred takes a permission away in the midst of a run, and gives it back a while later.
func (b *bookkeeper) barred() {
	b.t.Helper()
	permission := []string{"charges.read", "customers.read", "onboardings.read", "accounts.read"}[b.dice.IntN(4)]
	b.did("without %s", permission)
	b.must(b.pay.Deny(permission))
	err := b.follow(b.t.Context(), false, syncOptions{})
	if code := exitCode(err); code != exitPartial && code != exitLogin {
		b.t.Fatalf("a run without %s ends with %d: %v", permission, code, err)
	}
	b.must(b.pay.Grant(permission))
	b.clock.advance(8 * day24) // so long is a refusal remembered
}

// A read that a killed run left behind is gone on with, and what changed since comes with it.
func TestPaymentsGoOnAfterAKill(t *testing.T) {
	b := newBookkeeper(t, 1, pay.Options{Scale: 0.3, Switches: pay.Switches{PageCap: 20}})
	ctx, kill := context.WithCancel(t.Context())
	defer kill()
	b.stir = func() {
		if b.pay.Calls()["/account/"+b.pay.Accounts()[0]+"/payments"] == 3 {
			kill()
		}
	}
	if err := b.follow(ctx, false, syncOptions{}); exitCode(err) != exitInterrupted {
		t.Fatalf("a run that is killed ends with %d: %v", exitCode(err), err)
	}
	b.stir = nil
	b.clock.advance(time.Hour)
	b.change(pay.Change{Resource: "payments", Insert: 5, Refund: 2, Within: 20 * day24})
	b.clock.advance(time.Minute)
	b.must(b.follow(t.Context(), true, syncOptions{}))
	account := ofAccount{b.pay.Accounts()[0], "exactpay/payments"}
	if !identical(b.truth()[account], b.held[account]) {
		t.Error("the payments are not what there is")
	}
}
