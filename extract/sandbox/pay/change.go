package pay

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Change is what happens in an account. Which rows it meets, and what they become, follows from the
// seed and from how many changes went before.
//
// Captures, refunds, voids and settlements meet payments that can still be so, and leave no mark of
// when: a refund or a void is a payment of its own as well. An update of a payment is the bank's
// answer to one that still waits for it; of an order, its payment; of an account or a customer, another
// name, of which updatedAt tells. Deleted rows are gone without a trace.
type Change struct {
	Account  string `json:"account,omitempty" switch:"account"` // "": the first
	Resource string `json:"resource" switch:"resource"`         // "payments", "customers", see [Resources]
	Insert   int    `json:"insert,omitempty" switch:"insert"`
	Update   int    `json:"update,omitempty" switch:"update"`
	Delete   int    `json:"delete,omitempty" switch:"delete"`
	Capture  int    `json:"capture,omitempty" switch:"capture"` // of payments, as the next three
	Refund   int    `json:"refund,omitempty" switch:"refund"`
	Void     int    `json:"void,omitempty" switch:"void"`
	Settle   int    `json:"settle,omitempty" switch:"settle"`
	Disable  int    `json:"disable,omitempty" switch:"disable"` // of accounts: the one that is named, and those after it
	// Before dates what is written so long back, as what arrives late is; 0: it is dated now.
	Before time.Duration `json:"before,omitempty" switch:"before"`
	// Within leaves alone what is older than that; 0: nothing is too old.
	Within time.Duration `json:"within,omitempty" switch:"within"`
}

// Change lets something happen, see [Change]. It survives a restart if there is a state file. That
// there was less to meet than it asks for is no error.
func (s *Sandbox) Change(c Change) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.world.possible(c); err != nil {
		return err
	}
	return s.do(step{Op: "change", Change: &c, Number: s.number + 1})
}

// Resources are what a [Change] can meet and [Sandbox.Records] tells of. Onboardings and mcc do not
// change.
var Resources = []string{"accounts", "customers", "payments", "orders", "payment_methods", "onboardings", "mcc"}

// possible says whether there is what a change names.
func (w *world) possible(c Change) error {
	if _, err := w.account(c.Account); err != nil {
		return err
	}
	if !slices.Contains(Resources[:5], c.Resource) {
		return fmt.Errorf("change %s: only %s change", c.Resource, strings.Join(Resources[:5], " "))
	}
	if c.Resource != "payments" && c.Capture+c.Refund+c.Void+c.Settle > 0 {
		return fmt.Errorf("change %s: only payments are captured, refunded, voided and settled", c.Resource)
	}
	if c.Resource != "accounts" && c.Disable > 0 {
		return fmt.Errorf("change %s: only accounts are disabled", c.Resource)
	}
	return nil
}

// change does what a change says, at a moment.
func (w *world) change(c Change, number int, now time.Time) error {
	a, err := w.account(c.Account)
	if err != nil {
		return err
	}
	d := newDice(w.seed, "change", number)
	at := now.Add(-c.Before).Truncate(time.Millisecond)
	since := time.Time{}
	if c.Within > 0 {
		since = now.Add(-c.Within)
	}
	switch c.Resource {
	case "payments":
		w.changePayments(d, a, c, at, since)
	case "customers":
		w.changeCustomers(d, a, c, at, since)
	case "orders":
		w.changeOrders(d, a, c, at, since)
	case "payment_methods":
		a.changeMethods(d, c, at, since)
	case "accounts":
		w.changeAccounts(d, c, at)
	}
	return nil
}

func (w *world) changePayments(d dice, a *account, c Change, at, since time.Time) {
	there := slices.Clone(a.payments) // what this change adds is left alone by the rest of it
	meet := func(n int, can func(*payment) bool, do func(*payment)) {
		list := slices.DeleteFunc(slices.Clone(there), func(p *payment) bool { return p.created.Before(since) || !can(p) })
		for _, p := range some(d, list, n) {
			do(p)
		}
	}
	for range c.Insert {
		if p := w.addPayment(d, a, at); d.chance(70) {
			p.respond(d)
		}
	}
	meet(c.Update, (*payment).isWaiting, func(p *payment) { p.respond(d) })
	meet(c.Capture, (*payment).canCapture, func(p *payment) { w.capture(d, p, at) })
	meet(c.Refund, (*payment).canRefund, func(p *payment) { w.refund(d, a, p, at, at) })
	meet(c.Void, (*payment).canVoid, func(p *payment) { w.void(d, a, p, at, at) })
	meet(c.Settle, (*payment).canSettle, func(p *payment) { p.settledAt = at.Truncate(time.Second) })
	a.payments = without(a.payments, some(d, recent(there, since), c.Delete))
}

func (w *world) changeCustomers(d dice, a *account, c Change, at, since time.Time) {
	there := recent(a.customers, since)
	for range c.Insert {
		w.addCustomer(d, a, at)
	}
	for _, x := range some(d, there, c.Update) {
		x.rename(d, at)
	}
	a.customers = without(a.customers, some(d, there, c.Delete))
}

func (w *world) changeOrders(d dice, a *account, c Change, at, since time.Time) {
	there := recent(a.orders, since)
	for range c.Insert {
		w.addOrder(d, a, at)
	}
	open := slices.DeleteFunc(slices.Clone(there), func(o *order) bool { return o.payment != "" })
	for _, o := range some(d, open, c.Update) {
		o.pay(w, d)
	}
	a.orders = without(a.orders, some(d, there, c.Delete))
}

func (a *account) changeMethods(d dice, c Change, at, since time.Time) {
	var there []*method
	for _, x := range a.customers {
		there = append(there, recent(x.methods, since)...)
	}
	for _, x := range some(d, a.customers, c.Insert) {
		x.addMethod(d, at)
	}
	for _, m := range some(d, there, c.Update) {
		m.label, m.updated = m.label+" "+d.digits(2), at
	}
	for _, m := range some(d, there, c.Delete) {
		m.owner.methods = without(m.owner.methods, []*method{m})
	}
}

// changeAccounts meets the account that is named, or else the last ones. The first account stays.
func (w *world) changeAccounts(d dice, c Change, at time.Time) {
	there := slices.Clone(w.accounts[1:])
	slices.Reverse(there)
	if named, err := w.account(c.Account); err == nil && c.Account != "" {
		there = []*account{named}
	}
	for range c.Insert {
		a := w.found(at)
		a.created, a.updated = at, at
	}
	for _, a := range some(d, slices.Concat(w.accounts[:1], there), c.Update) {
		a.rename(d, at)
	}
	for _, a := range there[:min(c.Disable, len(there))] {
		a.disable(at)
	}
	w.accounts = without(w.accounts, there[:min(c.Delete, len(there))])
}

func (p *payment) isWaiting() bool { return p.kind == ordinary && p.status == waiting }

// recent are the rows that are not older than a moment.
func recent[T row](rows []T, since time.Time) []T {
	return slices.DeleteFunc(slices.Clone(rows), func(r T) bool { return r.born().Before(since) })
}

func without[T comparable](rows, gone []T) []T {
	return slices.DeleteFunc(slices.Clone(rows), func(r T) bool { return slices.Contains(gone, r) })
}
