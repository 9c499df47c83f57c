package sandbox

import (
	"fmt"
	"maps"
	"math"
	"slices"
)

// line is one line of a financial entry.
type line struct {
	number   int // 0: the header; vatLine: VAT
	gl       string
	amount   cents
	about    string
	vat      *vatCode
	vatBase  cents
	item     party
	quantity int
	account  party
}

// vatLine is the number that Exact gives to lines it made itself.
const vatLine = 9999

// entry is a financial entry: its lines add up to zero.
type entry struct {
	id      guid
	number  int
	journal string
	kind    int64 // Exact's type of a transaction: 20 sales, 30 purchase, 40 cash flow, 90 other
	date    stamp
	due     any
	account party
	about   string
	invoice any
	yourRef any
	lines   []line
}

// posting remembers which records one event of the company made, so that all of them change and
// go together.
type posting struct {
	kind string // "sale", "purchase", "payment", "memorial"
	rows []rowRef
	item *openItem
}

type rowRef struct {
	set, ident string
}

// openItem is an invoice, paid or not.
type openItem struct {
	receivable      bool
	hid             int64
	id              guid
	account         party
	amount          cents // what the other party owes, or is owed; always above zero
	invoice, entry  int
	journal         journal
	date, due       stamp
	yourRef, about  any
	terms, payments *record // in cashflow/PaymentTerms, and in Receivables or Payments
	paid            bool
}

// record inserts a row and remembers it with the posting.
func (b *books) record(p *posting, set string, made stamp, f fields) *record {
	r := b.division.insert(set, made, f)
	p.rows = append(p.rows, rowRef{set, r.ident})
	return r
}

// post books an entry: its header in Transactions, its lines in TransactionLines.
func (b *books) post(p *posting, e *entry, made stamp) {
	var sum cents
	for _, l := range e.lines {
		sum += l.amount
	}
	if sum != 0 {
		panic(fmt.Sprintf("sandbox: entry in journal %s does not balance: %d cents", e.journal, sum))
	}
	j := journals[slices.IndexFunc(journals, func(j journal) bool { return j.code == e.journal })]
	b.entryNo[j.code]++
	b.traded[e.account.id] = true
	e.id, e.number = b.dice.guid(), b.year(e.date)%100*1_000_000+b.entryNo[j.code]
	common := b.entryFields(e, j)
	b.record(p, "financialtransaction/Transactions", made, common)
	for _, l := range e.lines {
		b.traded[b.gl[l.gl].id], b.traded[l.item.id] = true, true
		b.record(p, "financial/TransactionLines", made, b.lineFields(e, l, common))
	}
}

func (b *books) entryFields(e *entry, j journal) fields {
	return fields{
		"EntryID": e.id, "EntryNumber": e.number, "JournalCode": j.code, "JournalDescription": j.name,
		"Date": e.date, "FinancialYear": b.year(e.date), "FinancialPeriod": b.month(e.date), "Type": e.kind,
		"Description": e.about, "Status": 50, "StatusDescription": "Verwerkt", "InvoiceNumber": e.invoice,
		"DueDate": e.due, "YourRef": e.yourRef, "Currency": "EUR", "ExchangeRate": 1,
	}
}

func (b *books) lineFields(e *entry, l line, common fields) fields {
	gl, account := b.gl[l.gl], l.account
	if account.id == "" {
		account = e.account
	}
	f := fields{
		"ID": b.dice.guid(), "LineNumber": l.number, "LineType": 0, "AmountDC": l.amount, "AmountFC": l.amount,
		"GLAccount": gl.id, "GLAccountCode": gl.code, "GLAccountDescription": gl.name,
		"Account": orNil(account.id), "AccountCode": orEmpty(account.code), "AccountName": orEmpty(account.name),
	}
	maps.Copy(f, common)
	f["Description"] = l.about
	if l.vat != nil {
		f["VATCode"], f["VATCodeDescription"], f["VATPercentage"], f["VATType"] = l.vat.code, l.vat.name, l.vat.rate, "E"
		f["AmountVATBaseFC"] = l.vatBase
	}
	if l.item.id != "" {
		f["Item"], f["ItemCode"], f["ItemDescription"], f["Quantity"] = l.item.id, l.item.code, l.item.name, l.quantity
	}
	return f
}

func (b *books) year(s stamp) int  { return s.time().Year() }
func (b *books) month(s stamp) int { return int(s.time().Month()) }

// vatOver is the VAT over an amount, rounded to the cent.
func (v *vatCode) over(amount cents) cents {
	return cents(math.Round(float64(amount) * float(v.rate)))
}

func orEmpty(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// invoiced opens an item: the invoice is in the list of receivables or payables from now on.
func (b *books) invoiced(p *posting, o *openItem, e *entry, made stamp) {
	b.hid++
	o.hid, o.id, o.entry = b.hid, b.dice.guid(), e.number
	set, sign, gl := "cashflow/Payments", cents(-1), b.gl[creditors]
	if o.receivable {
		set, sign, gl = "cashflow/Receivables", 1, b.gl[debtors]
	}
	f := fields{
		"ID": o.id, "Account": o.account.id, "AccountCode": o.account.code, "AccountName": o.account.name,
		"AmountDC": o.amount * sign, "AmountFC": o.amount * sign, "TransactionAmountDC": o.amount * sign, "TransactionAmountFC": o.amount * sign,
		"Currency": "EUR", "Description": o.about, "DueDate": o.due, "EntryDate": o.date, "EntryID": e.id, "EntryNumber": e.number,
		"GLAccount": gl.id, "GLAccountCode": gl.code, "GLAccountDescription": gl.name, "InvoiceDate": o.date, "InvoiceNumber": o.invoice,
		"Journal": o.journal.code, "JournalDescription": o.journal.name, "IsFullyPaid": false, "PaymentCondition": "30",
		"PaymentConditionDescription": "30 dagen", "PaymentDays": 30, "RateFC": 1, "Source": 1, "Status": 20, "YourRef": o.yourRef,
		"TransactionStatus": 50, "TransactionType": e.kind, "TransactionEntryID": e.id, "LineType": map[bool]int{true: 10, false: 20}[o.receivable],
		"TransactionReportingYear": b.year(o.date), "TransactionReportingPeriod": b.month(o.date), "IsBatchBooking": 0,
	}
	o.payments = b.record(p, set, made, f)
	o.terms = b.record(p, "cashflow/PaymentTerms", made, f)
	p.item = o
	b.open = append(b.open, o)
}

// pay settles an item by bank.
func (b *books) pay(o *openItem, date stamp) {
	sign, kind := cents(1), creditors
	if o.receivable {
		sign, kind = -1, debtors
	}
	p := &posting{kind: "payment", item: o}
	made := clock(date, b.dice)
	about := fmt.Sprintf("Betaling %d", o.invoice)
	e := &entry{journal: "20", kind: 40, date: date, account: o.account, about: about, invoice: o.invoice, lines: []line{
		{number: 0, gl: bank, amount: -sign * o.amount, about: about},
		{number: 1, gl: kind, amount: sign * o.amount, about: about},
	}}
	b.post(p, e, made)
	b.bankEntry(p, e, made)
	b.settle(o, date)
	b.postings = append(b.postings, p)
}

func (b *books) bankEntry(p *posting, e *entry, made stamp) {
	opening := b.balance
	b.balance += e.lines[0].amount
	common := b.entryFields(e, journals[0])
	common["OpeningBalanceFC"], common["ClosingBalanceFC"] = opening, b.balance
	b.record(p, "financialtransaction/BankEntries", made, common)
	l := b.lineFields(e, e.lines[1], common)
	l["AmountDC"], l["AmountFC"] = -e.lines[1].amount, -e.lines[1].amount
	b.record(p, "financialtransaction/BankEntryLines", made, l)
}

func (b *books) settle(o *openItem, date stamp) {
	o.paid = true
	b.open = slices.DeleteFunc(b.open, func(other *openItem) bool { return other == o })
	set := "cashflow/Payments"
	if o.receivable {
		set = "cashflow/Receivables"
	}
	f := fields{"Status": 50, "IsFullyPaid": true, "LastPaymentDate": date, "EndDate": date, "Modified": clock(date, b.dice)}
	o.payments = b.division.update(set, b.division.store(set).records[o.payments.ident], f)
	o.terms = b.division.update("cashflow/PaymentTerms", b.division.store("cashflow/PaymentTerms").records[o.terms.ident], f)
}
