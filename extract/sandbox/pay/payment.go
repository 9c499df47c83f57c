package pay

import (
	"cmp"
	"strconv"
	"time"
)

// payment is one, or the refund or the void of one. Amounts are in cents.
type payment struct {
	account                          *account
	customer                         *customer // nil: nobody in particular
	id                               string
	created, settledAt               time.Time // settledAt: zero until then
	kind, status                     string
	amount, surcharge, taken, repaid int64
	approved, captured               bool
	voided, refunded, sent           bool
	authorization, bankCode, bank    string
	captures, refunds, voids         []string
	customerRef, referenceNo         string
	card                             card
	flag                             string // of ecommerce
	currency                         string
}

// card is what a payment knows of the means that it was paid with.
type card struct {
	holder, brand, last4, token string
	month, year                 int
	numeric                     bool // months and years are numbers, as in examples; else texts, as specified
}

const (
	ordinary = "payment"
	refund   = "refund"
	void     = "void"

	waiting   = "awaiting-payment"
	completed = "completed"
	declined  = "declined"
)

var brands = []string{"visa", "mastercard", "amex", "discover"}

func newCard(d dice, holder string, at time.Time) card {
	c := card{
		holder: holder, brand: pick(d, brands), last4: d.digits(4), month: d.between(1, 12), year: at.Year() + d.between(1, 4), numeric: d.chance(70),
	}
	if d.chance(25) {
		c.token = d.uuid()
	}
	return c
}

// addPayment makes one that nobody has answered yet.
func (w *world) addPayment(d dice, a *account, at time.Time) *payment {
	p := &payment{
		account: a, id: w.id(d, at), created: at, kind: ordinary, status: waiting, amount: int64(d.between(150, 90_000)), currency: a.currency,
		referenceNo: d.digits(8), flag: pick(d, []string{"2", "7", "R"}), card: newCard(d, personName(d), at),
	}
	if d.chance(15) {
		p.surcharge = p.amount / 40
	}
	if len(a.customers) > 0 && d.chance(60) {
		p.customer = pick(d, a.customers)
		p.card.holder = p.customer.name
	}
	if d.chance(40) {
		p.customerRef = "C-" + d.digits(5)
	}
	a.payments = append(a.payments, p)
	return p
}

// respond is the bank's answer: mostly that it agrees, and mostly to take the money at once.
func (p *payment) respond(d dice) {
	p.sent, p.status = true, completed
	if d.chance(8) {
		p.status, p.bankCode, p.bank = declined, "D51", "DECLINED"
		return
	}
	p.approve(d, d.chance(75))
}

func (p *payment) approve(d dice, capture bool) {
	p.sent, p.status, p.approved, p.bankCode, p.bank = true, completed, true, "AA", "APPROVAL"
	p.authorization = "ET" + d.digits(4)
	if capture {
		p.captured, p.taken = true, p.amount
	}
}

// live lets happen to a payment what had time to happen until a moment.
func (w *world) live(d dice, a *account, p *payment, until time.Time) {
	age := until.Sub(p.created)
	if d.chance(6) && age < 60*24*time.Hour {
		return // still waiting
	}
	p.respond(d)
	fate := d.IntN(100)
	switch {
	case !p.approved:
	case p.captured && fate < 10:
		w.refund(d, a, p, p.created.Add(d.days(30)), until)
	case !p.captured && fate < 50:
		w.capture(d, p, p.created.Add(d.days(7)))
	case !p.captured && fate < 70:
		w.void(d, a, p, p.created.Add(d.days(3)), until)
	}
	if p.canSettle() && age > 48*time.Hour {
		p.settledAt = p.created.Add(d.days(2)).Truncate(time.Second)
	}
}

func (d dice) days(n int) time.Duration {
	return time.Duration(d.between(3600_000, n*24*3600_000)) * time.Millisecond
}

func (p *payment) canCapture() bool {
	return p.kind == ordinary && p.approved && !p.voided && p.taken < p.amount && !p.settled()
}

func (p *payment) canRefund() bool {
	return p.kind == ordinary && p.captured && !p.voided && p.repaid < p.taken
}

func (p *payment) canVoid() bool {
	return p.kind == ordinary && p.approved && !p.voided && !p.refunded && !p.settled()
}

func (p *payment) canSettle() bool {
	return (p.kind == refund || p.captured) && p.approved && !p.voided && !p.settled()
}

func (p *payment) settled() bool { return !p.settledAt.IsZero() }

// capture takes all that was approved, or a part of it. What is captured has an id and no row.
func (w *world) capture(d dice, p *payment, at time.Time) {
	amount := p.amount - p.taken
	if d.chance(30) && amount > 100 {
		amount /= 2
	}
	p.captured, p.taken = true, p.taken+amount
	p.captures = append(p.captures, w.id(d, at))
}

// refund pays back what was taken, or a part of it; one that is dated later than until is dated so.
func (w *world) refund(d dice, a *account, p *payment, at, until time.Time) {
	amount := p.taken - p.repaid
	if d.chance(40) && amount > 100 {
		amount /= 3
	}
	r := w.second(d, a, p, refund, amount, earlier(at, until))
	p.refunded, p.repaid = true, p.repaid+amount
	p.refunds = append(p.refunds, r.id)
}

func (w *world) void(d dice, a *account, p *payment, at, until time.Time) {
	v := w.second(d, a, p, void, p.amount, earlier(at, until))
	p.voided, p.voids = true, append(p.voids, v.id)
}

// second is a payment that says what became of another.
func (w *world) second(d dice, a *account, p *payment, kind string, amount int64, at time.Time) *payment {
	r := &payment{
		account: a, customer: p.customer, id: w.id(d, at), created: at, kind: kind, amount: amount, currency: p.currency, card: p.card,
		customerRef: p.customerRef, referenceNo: d.digits(8),
	}
	r.approve(d, false)
	a.payments = append(a.payments, r)
	return r
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// collect lets customers pay invoices: most of them whole and at once, some not at first, some never.
func (w *world) collect(d dice, a *account, o *origin) {
	for _, invoice := range o.Invoices {
		at := earlier(d.moment(invoice.Date.Truncate(24*time.Hour)).Add(d.days(20)), o.Today.Add(-time.Minute))
		fate := d.IntN(100)
		if fate < 15 {
			continue
		}
		if fate < 25 {
			refused := w.payInvoice(d, a, invoice, at.Add(-time.Hour))
			refused.sent, refused.status, refused.bankCode, refused.bank = true, declined, "D51", "DECLINED"
		}
		p := w.payInvoice(d, a, invoice, at)
		p.approve(d, true)
		if fate > 92 {
			w.refund(d, a, p, at.Add(d.days(10)), o.Today)
		}
		if o.Today.Sub(at) > 48*time.Hour {
			p.settledAt = at.Add(d.days(2)).Truncate(time.Second)
		}
	}
}

func (w *world) payInvoice(d dice, a *account, invoice Invoice, at time.Time) *payment {
	p := w.addPayment(d, a, at)
	p.amount, p.surcharge, p.customerRef = invoice.Amount, 0, invoice.Number
	p.currency, p.card.holder, p.customer = cmp.Or(invoice.Currency, a.currency), cmp.Or(invoice.Customer, p.card.holder), nil
	return p
}

func (p *payment) ident() string   { return p.id }
func (p *payment) born() time.Time { return p.created }

func (p *payment) quick(property string) (any, bool) {
	switch property {
	case "createdAt":
		return p.created, true
	case "paymentId", "id":
		return p.id, true
	case "updatedAt":
		return nil, true
	}
	return nil, false
}

func (p *payment) shown() object {
	o := object{
		"id": p.id, "paymentId": p.id, "accountId": p.account.id, "merchantId": p.account.merchant, "terminalId": p.account.terminal,
		"type": p.kind, "status": p.status, "approved": p.approved, "captured": p.captured, "voided": p.voided, "refunded": p.refunded,
		"settled": p.settled(), "amount": p.amount, "sentToBank": p.sent, "createdAt": p.created, "reference": p.reference(),
	}
	if p.settled() {
		o["settledAt"] = p.settledAt
	}
	if p.sent {
		p.showAnswer(o)
	}
	if p.surcharge > 0 {
		o["surchargeAmount"] = p.surcharge
	}
	if len(p.captures) > 0 {
		o["captureDetails"] = object{"captures": list(p.captures), "remaining": p.amount - p.taken}
	}
	if len(p.refunds) > 0 {
		o["refundDetails"] = object{"refunds": list(p.refunds), "remaining": p.taken - p.repaid}
	}
	if len(p.voids) > 0 {
		o["voidDetails"] = object{"voids": list(p.voids)}
	}
	return o
}

// showAnswer adds what is known once the bank was asked.
func (p *payment) showAnswer(o object) {
	o["currencyCode"] = p.currency
	o["bankResponse"] = object{"code": p.bankCode, "message": p.bank}
	o["exactResponse"] = object{"code": "0000", "message": "OK"}
	o["paymentMethodDetails"] = p.card.shown()
	o["terminal"] = object{"gatewayId": p.account.gateway}
	o["merchant"] = object{"name": p.account.name, "url": p.account.site, "address": p.account.address.shown("countryCode")}
	if p.authorization != "" {
		o["authorization"] = p.authorization
	}
	if p.flag != "" {
		o["options"] = object{"ecommerceFlag": p.flag}
	}
}

func (p *payment) reference() object {
	o := object{"referenceNo": p.referenceNo}
	if p.customerRef != "" || p.kind != ordinary {
		o["customerRef"] = p.customerRef
	}
	return o
}

func (c card) shown() object {
	o := object{
		"cardholder": c.holder, "last4": c.last4, "cardBrand": c.brand, "expiryMonth": strconv.Itoa(c.month), "expiryYear": strconv.Itoa(c.year),
		"cvdCheck": object{"code": "M", "description": "Card is authentic"},
	}
	if c.numeric {
		o["expiryMonth"], o["expiryYear"] = int64(c.month), int64(c.year)
	}
	if c.token != "" {
		o["token"], o["tokenType"] = c.token, "exactpay"
		return o
	}
	o["avsCheck"] = object{"code": "X", "description": "Address and postal code match"}
	return o
}
