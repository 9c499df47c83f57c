package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"exactduck/extract/sandbox/pay"
)

// manners are those of a service as nobody knows whether Exact Payments is like that.
func manners(r *rand.Rand) pay.Switches {
	pick := func(of ...string) string { return of[r.IntN(len(of))] }
	w := pay.Switches{
		Filters: pick("obeyed", "ignored", "refused"), Natural: pick("inserted", "newest", "scattered"),
		Counts: pick("exact", "absent", "wrong", "page"), PageCap: []int{0, 10, 33, 7}[r.IntN(4)],
		UnstableTies: r.IntN(4) == 0, PageAll: r.IntN(2) == 0, ExclusiveTo: r.IntN(3) == 0,
		CustomerObject: r.IntN(3) == 0, CustomerCreated: r.IntN(3) == 0, Lacking: []int{0, 403}[r.IntN(2)],
	}
	w.Sorts = [][]string{nil, {"plain"}, {"colon"}, {"object"}, {"none"}}[r.IntN(5)]
	if r.IntN(4) == 0 {
		w.IgnoredFilters = []string{pick("updatedAt", "createdAt")}
	}
	return w
}

// happening lets things happen between the requests of a run: rows come, change and go, and the clock goes
// on.
func (b *bookkeeper) happening(often int) {
	var mu sync.Mutex
	dice := rand.New(rand.NewPCG(b.dice.Uint64(), 2))
	accounts := b.pay.Accounts()
	b.stir = func() {
		mu.Lock()
		defer mu.Unlock()
		b.clock.advance(time.Duration(dice.IntN(3000)) * time.Millisecond)
		if dice.IntN(often) > 0 {
			return
		}
		c := pay.Change{
			Account: accounts[dice.IntN(len(accounts))], Resource: []string{"payments", "payments", "customers", "orders"}[dice.IntN(4)],
			Insert: dice.IntN(4), Update: dice.IntN(2), Delete: dice.IntN(3),
		}
		if c.Resource == "payments" {
			c.Refund, c.Settle = dice.IntN(2), dice.IntN(3)
		}
		b.did("meanwhile %+v", c)
		_ = b.pay.Change(c)
	}
}

// trouble is what a service in trouble answers, some way into a run.
func (b *bookkeeper) trouble() {
	b.t.Helper()
	f := pay.Fault{Kind: pay.FaultKinds[b.dice.IntN(len(pay.FaultKinds))], Nth: 1 + b.dice.IntN(40), Times: []int{1, 1, 2, 20, -1}[b.dice.IntN(5)]}
	if b.oneIn(2) {
		f.Path = []string{"/payments", "/customer", "/orders", "/account"}[b.dice.IntN(4)]
	}
	ctx, cancel := context.WithCancel(b.t.Context())
	defer cancel()
	if f.Kind == pay.Hang { // the client is stopped
		f.Kind, f.Then = pay.CutBefore, cancel
	}
	b.did("%s on the %dth of %q, %d times", f.Kind, f.Nth, f.Path, f.Times)
	b.pay.Fault(f)
	err := b.follow(ctx, false, syncOptions{full: b.oneIn(3)})
	b.pay.ClearFaults()
	switch code := exitCode(err); code {
	case 0, exitPartial, exitLogin, exitSource, exitQuota, exitInterrupted:
	default:
		b.t.Fatalf("%s: a run ends with %d: %v", f.Kind, code, err)
	}
	b.clock.advance(8 * day24)
}

// reduced takes a permission away after some requests of a run.
func (b *bookkeeper) reduced() {
	b.t.Helper()
	permission := []string{"charges.read", "customers.read", "accounts.read"}[b.dice.IntN(3)]
	var once sync.Once
	at := b.wire.passed() + b.dice.IntN(40)
	b.stir = func() {
		if b.wire.passed() >= at {
			once.Do(func() { _ = b.pay.Deny(permission) })
		}
	}
	b.did("without %s from request %d on", permission, at)
	err := b.follow(b.t.Context(), false, syncOptions{full: b.oneIn(2)})
	b.stir = nil
	if code := exitCode(err); code != 0 && code != exitPartial && code != exitLogin {
		b.t.Fatalf("a run that loses %s ends with %d: %v", permission, code, err)
	}
	b.must(b.pay.Grant(permission))
	b.clock.advance(8 * day24)
}

// hostile is one round at a service that is like nobody hopes.
func (b *bookkeeper) hostile() {
	b.t.Helper()
	for range b.dice.IntN(5) {
		b.work()
	}
	b.clock.advance(time.Duration(1+b.dice.IntN(30*60)) * time.Minute)
	switch b.dice.IntN(6) {
	case 0:
		b.trouble()
	case 1:
		b.reduced()
	case 2:
		b.killed()
	default:
		b.happening(1 + b.dice.IntN(8))
		if err := b.follow(b.t.Context(), false, syncOptions{full: b.oneIn(4)}); err != nil && exitCode(err) != exitPartial {
			b.t.Fatalf("a run while things happen ends with %d: %v", exitCode(err), err)
		}
		b.stir = nil
	}
}

// Whatever the service does with filters, orders, offsets, counts and permissions, and whatever happens
// while it is read: no row is lost in silence, none is removed that is there, and when it is quiet again
// the tables are what there is.
func TestNoPaymentIsLostAtAHostileService(t *testing.T) {
	seed := steady(t)
	for i := range rounds(1, 60) {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, uint64(i)))
			w := manners(r)
			b := newBookkeeper(t, seed+uint64(i), pay.Options{Scale: 0.08 + 0.4*r.Float64()*r.Float64(), Switches: w})
			t.Logf("a service %+v", w)
			for range rounds(2, 8) {
				b.hostile()
			}
			b.clock.advance(8 * day24)
			b.must(b.follow(t.Context(), true, syncOptions{}))
			b.clock.advance(8 * day24)
			b.must(b.follow(t.Context(), true, syncOptions{}))
			if !w.UnstableTies {
				b.report()
			}
		})
	}
}
