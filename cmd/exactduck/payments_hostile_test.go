package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"exactduck/extract/sandbox/pay"
)

// hardships counts what the services of a campaign were like, and what they did.
type hardships struct {
	mu  sync.Mutex
	met map[string]int
}

func (h *hardships) meet(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.met[name]++
}

// dreaded is what a campaign has to meet: of services, and of single answers.
var dreaded = []string{
	"filters ignored", "filters refused", "one filter ignored", "sort ignored", "sort colon", "sort object",
	"total absent", "total wrong", "total low", "total page", "total all", "page cap", "hollow", "ragged", "repeat",
	"ties in any order", "lists paged unannounced", "limit of calls", "limit of calls, bare",
	"row comes while reading", "row goes while reading", "row changes while reading", "order changes while reading",
	"permission lost", "permission lost and given back", "application token revoked", "user token over", "killed",
	"429", "429 bare", "500", "500 cast", "502", "503", "503 html", "503 text", "504", "400", "401", "403", "redirect",
	"cut before", "hang", "cut", "cut body", "truncated", "empty", "html",
}

// limited counts what a limit of calls refused.
func (h *hardships) limited(answers []pay.Answer, w pay.Switches) {
	for _, a := range answers {
		switch {
		case a.Status != http.StatusTooManyRequests || w.RateLimit == 0:
		case w.BareLimits:
			h.meet("429 bare")
		default:
			h.meet("429")
		}
	}
}

// told says how often each was met, and demands that each was where a campaign is long.
func (h *hardships) told(t *testing.T) {
	t.Helper()
	var lines []string
	for _, name := range dreaded {
		n := h.met[name]
		lines = append(lines, fmt.Sprintf("%s %d", name, n))
		if long() && n < 3 {
			t.Errorf("%q was met %d times", name, n)
		}
	}
	for name := range h.met {
		if !slices.Contains(dreaded, name) {
			t.Errorf("%q is not dreaded", name)
		}
	}
	t.Logf("met: %s", strings.Join(lines, ", "))
}

// manners are those of a service as nobody knows whether Exact Payments is like that.
func (h *hardships) manners(r *rand.Rand) pay.Switches {
	pick := func(of ...string) string { return of[r.IntN(len(of))] }
	some := func(name string, chance int, then func()) {
		if r.IntN(chance) == 0 {
			h.meet(name)
			then()
		}
	}
	w := pay.Switches{
		Filters: pick("obeyed", "obeyed", "ignored", "refused"), Natural: pick("inserted", "newest", "scattered"),
		Counts:      pick("exact", "absent", "wrong", "low", "page", "all"),
		ExclusiveTo: r.IntN(3) == 0, CustomerObject: r.IntN(3) == 0, CustomerCreated: r.IntN(3) == 0, Lacking: []int{0, 403}[r.IntN(2)],
	}
	if w.Filters != "obeyed" {
		h.meet("filters " + w.Filters)
	}
	if w.Counts != "exact" {
		h.meet("total " + w.Counts)
	}
	if w.Sorts = [][]string{nil, {"plain"}, {"colon"}, {"object"}, {"none"}}[r.IntN(5)]; slices.Contains(w.Sorts, "none") {
		h.meet("sort ignored")
	} else if w.Sorts != nil && w.Sorts[0] != "plain" {
		h.meet("sort " + w.Sorts[0])
	}
	some("page cap", 2, func() { w.PageCap = []int{10, 33, 7}[r.IntN(3)] })
	some("one filter ignored", 4, func() { w.IgnoredFilters = []string{pick("updatedAt", "createdAt")} })
	some("ties in any order", 4, func() { w.UnstableTies = true })
	some("lists paged unannounced", 2, func() { w.PageAll = true })
	switch n := 5 + r.IntN(5); r.IntN(6) {
	case 0:
		some("hollow", 1, func() { w.Hollow = n })
	case 1:
		some("ragged", 1, func() { w.Ragged = n })
	case 2:
		some("repeat", 1, func() { w.Repeat = n })
	}
	some("limit of calls", 4, func() {
		w.RateLimit = 60 + r.IntN(100)
		some("limit of calls, bare", 2, func() { w.BareLimits = true })
	})
	return w
}

// happening lets things happen between the requests of a run: rows come, change and go, lists are in
// another order, and the clock goes on.
func (b *bookkeeper) happening(often int) {
	var mu sync.Mutex
	dice := rand.New(rand.NewPCG(b.dice.Uint64(), 2))
	accounts := b.pay.Accounts()
	met := func(name string, n int) {
		if n > 0 {
			b.hard.meet(name + " while reading")
		}
	}
	b.stir = func() {
		mu.Lock()
		defer mu.Unlock()
		b.clock.advance(time.Duration(dice.IntN(3000)) * time.Millisecond)
		if dice.IntN(10*often) == 0 {
			met("order changes", 1)
			_ = b.pay.Switch(func(w *pay.Switches) { w.Natural = []string{"inserted", "newest", "scattered"}[dice.IntN(3)] })
		}
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
		met("row comes", c.Insert+c.Refund)
		met("row goes", c.Delete)
		met("row changes", c.Update+c.Settle)
		_ = b.pay.Change(c)
	}
}

// hangs is how long a client waits for a service that does not answer at all.
const hangs = 200 * time.Millisecond

// trouble is what a service in trouble answers, some way into a run.
func (b *bookkeeper) trouble() {
	b.t.Helper()
	f := pay.Fault{Kind: pay.FaultKinds[b.dice.IntN(len(pay.FaultKinds))], Nth: 1 + b.dice.IntN(20), Times: []int{1, 1, 2, 20, -1}[b.dice.IntN(5)]}
	if b.oneIn(2) {
		f.Path = []string{"/payments", "/customer", "/orders", "/account"}[b.dice.IntN(4)]
	}
	bare := f.Kind == pay.TooMany && b.oneIn(2)
	if b.must(b.pay.Switch(func(w *pay.Switches) { w.BareLimits = w.BareLimits || bare })); bare {
		defer func() { b.must(b.pay.Switch(func(w *pay.Switches) { w.BareLimits = b.manners.BareLimits })) }()
	}
	if f.Kind == pay.Hang {
		f.Times, b.patience = 1+b.dice.IntN(4), hangs
		defer func() { b.patience = 0 }()
	}
	f.Then = func() {
		if b.hard.meet(f.Kind); bare {
			b.hard.meet("429 bare")
		}
	}
	b.did("%s on the %dth of %q, %d times", f.Kind, f.Nth, f.Path, f.Times)
	b.pay.Fault(f)
	err := b.follow(b.t.Context(), false, syncOptions{full: b.oneIn(3)})
	b.pay.ClearFaults()
	b.clear(f.Kind, err, 0, exitPartial, exitLogin, exitSource, exitQuota)
	b.clock.advance(8 * day24)
}

// clear fails the test unless a run ends with one of the codes, and says of what and what to do.
func (b *bookkeeper) clear(what string, err error, codes ...int) {
	b.t.Helper()
	if code := exitCode(err); !slices.Contains(codes, code) {
		b.t.Fatalf("%s: a run ends with %d: %v", what, code, err)
	}
	if err == nil {
		return
	}
	if hint(err) == "" {
		b.t.Errorf("%s: there is no hint with %v", what, err)
	}
	if exitCode(err) == exitPartial && !strings.Contains(err.Error(), "exactpay/") {
		b.t.Errorf("%s: no stream is named in %v", what, err)
	}
}

// from lets something happen once, before the n-th request from now on.
func (b *bookkeeper) from(n int, happens func()) func() {
	var once sync.Once
	at := b.wire.passed() + n
	return func() {
		if b.wire.passed() >= at {
			once.Do(happens)
		}
	}
}

// reduced takes a permission away after some requests of a run, and may give it back some later.
func (b *bookkeeper) reduced() {
	b.t.Helper()
	permission := []string{"charges.read", "customers.read", "accounts.read"}[b.dice.IntN(3)]
	n, back := b.dice.IntN(20), b.oneIn(2)
	lost := b.from(n, func() { b.hard.meet("permission lost"); _ = b.pay.Deny(permission) })
	again := b.from(n+1+b.dice.IntN(6), func() {
		if back {
			b.hard.meet("permission lost and given back")
			_ = b.pay.Grant(permission)
		}
	})
	b.stir = func() { lost(); again() }
	b.did("without %s from request %d on, and given back: %v", permission, n, back)
	err := b.follow(b.t.Context(), false, syncOptions{full: b.oneIn(2)})
	b.stir = nil
	b.clear("without "+permission, err, 0, exitPartial, exitLogin)
	b.must(b.pay.Grant(permission))
	b.clock.advance(8 * day24)
}

// revoked makes the token one that is not good any more, after some requests of a run. Then there is
// another.
func (b *bookkeeper) revoked() {
	b.t.Helper()
	n := b.dice.IntN(20)
	if user := b.oneIn(2); user {
		b.token = b.user()
		b.stir = b.from(n, func() { b.hard.meet("user token over"); b.clock.advance(3 * time.Hour) })
	} else {
		b.stir = b.from(n, func() { b.hard.meet("application token revoked"); _ = b.pay.Revoke() })
	}
	b.did("the token is over from request %d on", n)
	err := b.follow(b.t.Context(), false, syncOptions{full: b.oneIn(2)})
	b.stir = nil
	b.clear("the token is over", err, 0, exitPartial, exitLogin)
	again := b.follow(b.t.Context(), false, syncOptions{})
	b.clear("the token is over before a run", again, exitLogin, 0)
	if again == nil && err != nil {
		b.t.Fatalf("a run with a token that is over ends with %v, and the next one well", err)
	}
	b.token, err = b.pay.Token("")
	b.must(err)
	b.clock.advance(8 * day24)
}

// hostile is one round at a service that is like nobody hopes.
func (b *bookkeeper) hostile() {
	b.t.Helper()
	for range b.dice.IntN(5) {
		b.work()
	}
	b.clock.advance(time.Duration(1+b.dice.IntN(30*60)) * time.Minute)
	switch b.dice.IntN(9) {
	case 0, 1, 2:
		b.trouble()
	case 3:
		b.reduced()
	case 4:
		b.revoked()
	case 5:
		b.hard.meet("killed")
		b.killed()
	default:
		b.happening(1 + b.dice.IntN(8))
		b.clear("while things happen", b.follow(b.t.Context(), false, syncOptions{full: b.oneIn(4)}), 0, exitPartial)
		b.stir = nil
	}
}

// healed is what there has to be when a service is as documented again: everything.
func (b *bookkeeper) healed() {
	b.t.Helper()
	b.must(b.pay.Switch(func(w *pay.Switches) { *w = pay.Switches{} }))
	b.clock.advance(8 * day24)
	b.must(b.follow(b.t.Context(), true, syncOptions{}))
	truth := b.truth()
	for k, rows := range truth {
		if b.expected(k, truth) && !identical(rows, b.held[k]) {
			b.t.Errorf("%s of %s is not what there is, when all is well again", k.stream, k.account)
		}
	}
}

// Whatever the service does with filters, orders, offsets, counts, tokens and permissions, and whatever
// happens while it is read: no row is lost in silence, none is removed that is there, and when it is
// quiet again the tables are what there is.
func TestNoPaymentIsLostAtAHostileService(t *testing.T) {
	seed := steady(t)
	hard := &hardships{met: map[string]int{}}
	for i := range rounds(1, 60) {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, uint64(i)))
			w := hard.manners(r)
			b := newBookkeeper(t, seed+uint64(i), pay.Options{Scale: 0.06 + 0.3*r.Float64()*r.Float64(), Switches: w})
			b.hard, b.manners = hard, w
			t.Logf("a service %+v", w)
			for range rounds(2, 8) {
				b.hostile()
			}
			b.clock.advance(8 * day24)
			b.must(b.follow(t.Context(), true, syncOptions{}))
			b.healed()
			b.report()
			hard.limited(b.pay.Answers(), w)
		})
	}
	hard.told(t)
}
