package sandbox

import (
	"fmt"
	"maps"
	"slices"
)

// historyDays is how long the company has traded.
const historyDays = 700

// trade lets the company live through its history: sales and purchases on random days, payments
// of most of what is due, and a memorial entry a fortnight.
func (b *books) trade() {
	b.start()
	sales, purchases, memorials := days(b.dice, b.division.scaled(400)), days(b.dice, b.division.scaled(130)), b.division.scaled(30)
	for _, ago := range sales {
		b.sell(b.division.date(ago))
	}
	for _, ago := range purchases {
		b.purchase(b.division.date(ago))
	}
	for i := range memorials {
		b.memorial(b.division.date(historyDays - i*historyDays/memorials - 1))
	}
	for _, ago := range days(b.orders, b.division.scaled(60)) {
		b.order(b.division.date(ago))
	}
	today := b.division.date(0)
	for _, o := range slices.Clone(b.open) {
		paid := o.due.plus(b.dice.n(40) - 15)
		if paid < today && b.dice.chance(88) {
			b.pay(o, paid)
		}
	}
}

// days draws days of the history, the earliest first.
func days(d *dice, n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = d.n(historyDays)
	}
	slices.Sort(list)
	slices.Reverse(list)
	return list
}

// start brings in the capital.
func (b *books) start() {
	date := b.division.date(historyDays + 1)
	p := &posting{kind: "opening"}
	about := "Storting kapitaal"
	e := &entry{journal: "20", kind: 40, date: date, about: about, lines: []line{
		{number: 0, gl: bank, amount: 50_000_00, about: about}, {number: 1, gl: equity, amount: -50_000_00, about: about},
	}}
	b.post(p, e, clock(date, b.dice))
	b.bankEntry(p, e, clock(date, b.dice))
}

// invoiceLine is a line of a sales invoice.
type invoiceLine struct {
	item     party
	quantity int
	net      cents
	vat      cents
}

// sell makes an invoice, books it, and opens the receivable.
func (b *books) sell(date stamp) {
	p := &posting{kind: "sale"}
	made := clock(date, b.dice)
	rate := &vatCodes[pick(b.dice, []int{3, 3, 3, 3, 2, 0})]
	customer := pick(b.dice, b.customers)
	b.invoiceNo++
	number := b.invoiceNo
	o := &openItem{
		receivable: true, account: customer, invoice: number, journal: journals[2], date: date, due: date.plus(30),
		about: "Verkoopfactuur", yourRef: pick(b.dice, []any{nil, fmt.Sprintf("PO-%d", 4000+b.dice.n(5000)), "tel. " + pick(b.dice, firstNames)}),
	}
	var list []invoiceLine
	var net, vat cents
	for range 1 + b.dice.n(3) {
		l := invoiceLine{item: pick(b.dice, b.wares), quantity: 1 + b.dice.n(12)}
		l.net = l.item.price * cents(l.quantity)
		l.vat = rate.over(l.net)
		list, net, vat = append(list, l), net+l.net, vat+l.vat
	}
	o.amount = net + vat
	e := b.saleEntry(o, rate, list, vat)
	b.post(p, e, made)
	b.invoiced(p, o, e, made)
	b.salesInvoice(p, o, e, rate, list, made)
	b.salesEntry(p, o, e, rate, net, vat, made)
	b.postings = append(b.postings, p)
}

func (b *books) saleEntry(o *openItem, rate *vatCode, list []invoiceLine, vat cents) *entry {
	e := &entry{
		journal: "70", kind: 20, date: o.date, due: o.due, account: o.account, about: "Verkoopfactuur", invoice: o.invoice, yourRef: o.yourRef,
		lines: []line{{number: 0, gl: debtors, amount: o.amount, about: "Verkoopfactuur"}},
	}
	revenue := map[string]string{"4  ": "8000", "2  ": "8010", "0  ": "8020"}[rate.code]
	for i, l := range list {
		e.lines = append(e.lines, line{
			number: i + 1, gl: revenue, amount: -l.net, about: l.item.name, vat: rate, vatBase: l.net,
			item: l.item, quantity: l.quantity,
		})
	}
	if vat != 0 {
		e.lines = append(e.lines, line{number: vatLine, gl: vatToPay, amount: -vat, about: rate.name, vat: rate})
	}
	return e
}

// salesInvoice makes the invoice and its lines, and what the sync feed shows of both: the header
// as LineNumber 0, each under an ID of its own.
func (b *books) salesInvoice(p *posting, o *openItem, e *entry, rate *vatCode, list []invoiceLine, made stamp) {
	id, contact := b.dice.guid(), b.contacts[o.account.id]
	var vat cents
	for _, l := range list {
		vat += l.vat
	}
	head := fields{
		"InvoiceID": id, "InvoiceNumber": o.invoice, "OrderNumber": o.invoice, "AmountDC": o.amount, "AmountFC": o.amount,
		"AmountFCExclVat": o.amount - vat, "VATAmountDC": vat, "VATAmountFC": vat, "AmountDiscount": 0, "Discount": 0, "Currency": "EUR",
		"DeliverTo": o.account.id, "DeliverToName": o.account.name, "InvoiceTo": o.account.id, "InvoiceToName": o.account.name,
		"OrderedBy": o.account.id, "OrderedByName": o.account.name, "OrderedByContactPerson": orNil(contact.id),
		"OrderedByContactPersonFullName": orEmpty(contact.name), "InvoiceDate": o.date, "OrderDate": o.date, "DueDate": o.due,
		"Journal": o.journal.code, "JournalDescription": o.journal.name, "PaymentCondition": "30", "PaymentConditionDescription": "30 dagen",
		"Status": 50, "StatusDescription": "Verwerkt", "Type": 8020, "TypeDescription": "Verkoopfactuur", "YourRef": o.yourRef,
		"Description": o.about, "IsExtraDuty": false, "Salesperson": userID, "SalespersonFullName": userName,
	}
	b.record(p, "salesinvoice/SalesInvoices", made, head)
	sync := fields{"ID": b.dice.guid(), "LineNumber": 0}
	maps.Copy(sync, head)
	b.record(p, "salesinvoice/SalesInvoicesSync", made, sync)
	for i, l := range list {
		f := b.invoiceLineFields(id, i+1, e.lines[i+1].gl, rate, l)
		b.record(p, "salesinvoice/SalesInvoiceLines", made, f)
		maps.Copy(sync, f)
		b.record(p, "salesinvoice/SalesInvoicesSync", made, sync)
	}
}

func (b *books) invoiceLineFields(invoice guid, number int, revenue string, rate *vatCode, l invoiceLine) fields {
	gl := b.gl[revenue]
	return fields{
		"ID": b.dice.guid(), "InvoiceID": invoice, "LineNumber": number, "Item": l.item.id, "ItemCode": l.item.code,
		"ItemDescription": l.item.name, "Description": l.item.name, "Quantity": l.quantity, "UnitPrice": l.item.price, "NetPrice": l.item.price,
		"AmountDC": l.net, "AmountFC": l.net, "VATAmountDC": l.vat, "VATAmountFC": l.vat, "VATCode": rate.code, "VATCodeDescription": rate.name,
		"VATPercentage": rate.rate, "GLAccount": gl.id, "GLAccountDescription": gl.name, "UnitCode": "stuk", "UnitDescription": "Stuks", "Discount": 0,
	}
}

func (b *books) salesEntry(p *posting, o *openItem, e *entry, rate *vatCode, net, vat cents, made stamp) {
	b.record(p, "salesentry/SalesEntries", made, fields{
		"EntryID": e.id, "EntryNumber": e.number, "AmountDC": o.amount, "AmountFC": o.amount,
		"Customer": o.account.id, "CustomerName": o.account.name, "Description": o.about, "EntryDate": o.date, "DueDate": o.due,
		"InvoiceNumber": o.invoice, "Journal": o.journal.code, "JournalDescription": o.journal.name, "ReportingYear": b.year(o.date),
		"ReportingPeriod": b.month(o.date), "Status": 50, "StatusDescription": "Verwerkt", "Type": 20, "TypeDescription": "Verkoopboeking",
		"VATAmountDC": vat, "VATAmountFC": vat, "YourRef": o.yourRef, "Currency": "EUR", "Rate": 1, "Reversal": false,
	})
	gl := b.gl[e.lines[1].gl]
	b.record(p, "salesentry/SalesEntryLines", made, fields{
		"ID": b.dice.guid(), "EntryID": e.id, "LineNumber": 1, "AmountDC": net, "AmountFC": net,
		"GLAccount": gl.id, "GLAccountCode": gl.code, "GLAccountDescription": gl.name, "VATCode": rate.code, "VATCodeDescription": rate.name,
		"VATAmountDC": vat, "VATAmountFC": vat, "VATPercentage": rate.rate, "Description": o.about, "Quantity": 1,
	})
}

// purchase books a supplier's invoice and opens the payable.
func (b *books) purchase(date stamp) {
	p := &posting{kind: "purchase"}
	made, rate := clock(date, b.dice), &vatCodes[4]
	net := cents(1500 + b.dice.n(150000))
	vat := rate.over(net)
	supplier, cost := pick(b.dice, b.suppliers), pick(b.dice, costAccounts)
	number := 30_000_000 + b.dice.n(9_000_000)
	o := &openItem{
		account: supplier, amount: net + vat, invoice: number, journal: journals[1], date: date, due: date.plus(30),
		about: b.gl[cost].name, yourRef: fmt.Sprintf("F%d", b.dice.n(100000)),
	}
	e := &entry{journal: "60", kind: 30, date: date, due: o.due, account: supplier, about: b.gl[cost].name, invoice: number, yourRef: o.yourRef, lines: []line{
		{number: 0, gl: creditors, amount: -(net + vat), about: b.gl[cost].name},
		{number: 1, gl: cost, amount: net, about: b.gl[cost].name, vat: rate, vatBase: net},
		{number: vatLine, gl: vatToClaim, amount: vat, about: rate.name, vat: rate},
	}}
	b.post(p, e, made)
	b.invoiced(p, o, e, made)
	common := b.entryFields(e, journals[1])
	common["Journal"], common["EntryDate"], common["Rate"], common["Reversal"] = "60", date, 1, false
	common["AmountDC"], common["AmountFC"], common["VATAmountDC"], common["VATAmountFC"] = net+vat, net+vat, vat, vat
	common["Supplier"], common["SupplierName"], common["ReportingYear"], common["ReportingPeriod"] = supplier.id, supplier.name, b.year(date), b.month(date)
	b.record(p, "purchaseentry/PurchaseEntries", made, common)
	l := b.lineFields(e, e.lines[1], common)
	l["AmountDC"], l["AmountFC"], l["VATBaseAmountDC"], l["VATBaseAmountFC"] = net, net, net, net
	b.record(p, "purchaseentry/PurchaseEntryLines", made, l)
	b.postings = append(b.postings, p)
}

// memorial books something that no invoice is behind: wages, or depreciation.
func (b *books) memorial(date stamp) {
	p := &posting{kind: "memorial"}
	made, gross := clock(date, b.dice), cents(250_000+b.dice.n(400_000))
	tax, pension := gross*37/100, gross*6/100
	about := "Loonjournaalpost"
	e := &entry{journal: "90", kind: 90, date: date, about: about, lines: []line{
		{number: 1, gl: "4000", amount: gross, about: about},
		{number: 2, gl: "1550", amount: -tax, about: about},
		{number: 3, gl: "1570", amount: -pension, about: about},
		{number: 4, gl: "1560", amount: -(gross - tax - pension), about: about},
	}}
	if b.dice.chance(40) {
		about = "Afschrijving inventaris"
		month := cents(10_000 + b.dice.n(60_000))
		e.about, e.lines = about, []line{{number: 1, gl: "4600", amount: month, about: about}, {number: 2, gl: "0210", amount: -month, about: about}}
	}
	b.post(p, e, made)
	common := b.entryFields(e, journals[3])
	b.record(p, "generaljournalentry/GeneralJournalEntries", made, common)
	for _, l := range e.lines {
		b.record(p, "generaljournalentry/GeneralJournalEntryLines", made, b.lineFields(e, l, common))
	}
	b.postings = append(b.postings, p)
}
