package sandbox

import (
	"fmt"
	"slices"
	"strings"
)

// kept are the sets that the books keep: they agree with each other to the cent.
var kept = map[string]bool{
	"crm/Accounts": true, "crm/Contacts": true, "crm/Addresses": true,
	"logistics/Items": true, "logistics/ItemGroups": true, "logistics/Units": true,
	"financial/GLAccounts": true, "financial/Journals": true, "vat/VATCodes": true,
	"cashflow/PaymentConditions": true, "general/Currencies": true,
	"financial/TransactionLines": true, "financialtransaction/Transactions": true,
	"salesinvoice/SalesInvoices": true, "salesinvoice/SalesInvoiceLines": true, "salesinvoice/SalesInvoicesSync": true,
	"salesentry/SalesEntries": true, "salesentry/SalesEntryLines": true,
	"purchaseentry/PurchaseEntries": true, "purchaseentry/PurchaseEntryLines": true,
	"financialtransaction/BankEntries": true, "financialtransaction/BankEntryLines": true,
	"generaljournalentry/GeneralJournalEntries": true, "generaljournalentry/GeneralJournalEntryLines": true,
	"cashflow/Receivables": true, "cashflow/Payments": true, "cashflow/PaymentTerms": true,
	"financial/FinancialPeriods": true, "purchaseorder/PurchaseOrders": true, "purchaseorder/PurchaseOrderLines": true,
	"purchaseorder/PurchaseOrdersSync": true,
}

// party is a customer, supplier, item or ledger account as others refer to it.
type party struct {
	id         guid
	code, name string
	price      cents // items only
}

type glAccount struct {
	code, name    string
	kind          int64  // Exact's type of a ledger account
	balance, side string // B or W, D or C
}

type journal struct {
	code, name string
	kind       int64
	gl         string // its own ledger account
}

var journals = []journal{
	{"20", "Bank", 12, "1100"}, {"60", "Inkoop", 22, "1600"}, {"70", "Verkoop", 20, "1300"}, {"90", "Memoriaal", 90, ""},
}

// The ledger accounts that entries are made of.
const (
	bank, debtors, creditors       = "1100", "1300", "1600"
	vatToPay, vatToClaim, clearing = "1520", "1530", "2000"
	equity                         = "0500"
)

// books keep the coherent part of one company.
type books struct {
	division  *division
	dice      *dice
	gl        map[string]party // by code, also what was added since
	accounts  []party          // in the beginning; later changes leave the list alone
	customers []party
	suppliers []party
	items     []party // in the beginning
	wares     []party // what is sold
	ledger    []party
	traded    map[guid]bool // the accounts, items and ledger accounts that entries refer to
	contacts  map[guid]party
	entryNo   map[string]int // by journal
	invoiceNo int
	open      []*openItem // invoices that are not paid, the oldest first
	hid       int64
	balance   cents // of the bank
	postings  []*posting
	orders    *dice // of purchase orders, so that they disturb nothing else
	orderNo   int
}

// keepBooks generates the company: its master data, and then two years of trade.
func keepBooks(d *division) *books {
	b := &books{
		division: d, dice: newDice(d.seed, "books"), gl: map[string]party{},
		traded: map[guid]bool{}, contacts: map[guid]party{}, entryNo: map[string]int{}, orders: newDice(d.seed, "orders"),
	}
	d.books = b
	b.openLedger()
	b.openPeriods()
	b.setUp()
	b.addAccounts()
	b.addItems()
	b.trade()
	return b
}

func (b *books) all() []party   { return b.accounts }
func (b *books) goods() []party { return b.items }
func (b *books) chart() []party { return b.ledger }

func (b *books) glIDs() []any {
	ids := make([]any, len(b.ledger))
	for i, p := range b.ledger {
		ids[i] = p.id
	}
	return ids
}

func (b *books) began() stamp { return b.division.date(900) }

// openLedger opens the ledger accounts and the journals.
func (b *books) openLedger() {
	var list []party
	for _, a := range chartOfAccounts {
		list = append(list, b.addLedgerAccount(a))
	}
	b.ledger = list
	for _, j := range journals {
		gl := b.gl[j.gl]
		b.division.insertFull("financial/Journals", b.began(), fields{
			"ID": b.dice.guid(), "Code": j.code, "Description": j.name,
			"Type": j.kind, "GLAccount": orNil(gl.id), "GLAccountCode": gl.code, "GLAccountDescription": gl.name,
			"Currency": "EUR", "IsBlocked": false,
		})
	}
}

func (b *books) addLedgerAccount(a glAccount) party {
	p := party{id: b.dice.guid(), code: a.code, name: a.name}
	b.gl[a.code] = p
	b.division.insertFull("financial/GLAccounts", b.began(), fields{
		"ID": p.id, "Code": a.code, "Description": a.name,
		"SearchCode": strings.ToUpper(a.name), "BalanceSide": a.side, "BalanceType": a.balance, "Type": a.kind,
		"IsBlocked": false, "VATCode": nil,
	})
	return p
}

// setUp makes the small lists: VAT codes, payment conditions, units, item groups, currencies.
func (b *books) setUp() {
	d := b.division
	for _, v := range vatCodes {
		toPay, toClaim := b.gl[vatToPay], b.gl[vatToClaim]
		d.insertFull("vat/VATCodes", b.began(), fields{
			"ID": b.dice.guid(), "Code": v.code, "Description": v.name, "Percentage": v.rate,
			"Type": "E", "Charged": false, "GLToPay": toPay.id, "GLToPayCode": toPay.code, "GLToPayDescription": toPay.name,
			"GLToClaim": toClaim.id, "GLToClaimCode": toClaim.code, "GLToClaimDescription": toClaim.name, "IsBlocked": false,
		})
	}
	for _, days := range []int{0, 8, 14, 30, 60} {
		d.insertFull("cashflow/PaymentConditions", b.began(), fields{
			"ID": b.dice.guid(), "Code": fmt.Sprintf("%02d", days),
			"Description": fmt.Sprintf("%d dagen", days), "PaymentDays": days,
		})
	}
	for _, unit := range [][2]string{{"stuk", "Stuks"}, {"uur", "Uren"}, {"doos", "Dozen"}, {"kg", "Kilogram"}} {
		d.insertFull("logistics/Units", b.began(), fields{"ID": b.dice.guid(), "Code": unit[0], "Description": unit[1], "Active": true})
	}
	for i, group := range []string{"Handelsgoederen", "Diensten", "Materialen"} {
		d.insertFull("logistics/ItemGroups", b.began(), fields{"ID": b.dice.guid(), "Code": fmt.Sprintf("G%d", i+1), "Description": group})
	}
	for _, currency := range [][2]string{{"EUR", "Euro"}, {"USD", "Amerikaanse dollar"}, {"GBP", "Brits pond"}} {
		d.insertFull("general/Currencies", b.began(), fields{"Code": currency[0], "Description": currency[1], "AmountPrecision": "0.01"})
	}
}

func (b *books) addAccounts() {
	for i := range b.division.scaled(90) {
		p := b.addAccount(i%3 != 2)
		b.accounts = append(b.accounts, p)
		switch {
		case i%10 == 9: // a prospect, who never trades
		case i%3 != 2:
			b.customers = append(b.customers, p)
		default:
			b.suppliers = append(b.suppliers, p)
		}
	}
	if len(b.suppliers) == 0 {
		b.suppliers = append(b.suppliers, b.customers[0])
	}
}

// addAccount makes a customer or a supplier, with a contact and an address.
func (b *books) addAccount(customer bool) party {
	d := b.division
	serial := d.store("crm/Accounts").serial
	p := party{id: b.dice.guid(), code: padded(fmt.Sprint(1000 + serial)), name: companyName(b.dice)}
	made := clock(d.date(400+b.dice.n(500)), b.dice)
	city, street := pick(b.dice, cities), fmt.Sprintf("%s %d", pick(b.dice, streets), 1+b.dice.n(200))
	contact := b.addContact(p, made)
	b.contacts[p.id] = contact
	d.insertFull("crm/Accounts", made, fields{
		"ID": p.id, "Code": p.code, "Name": p.name, "Status": map[bool]any{true: "C"}[customer],
		"IsSupplier": !customer, "IsSales": customer, "IsPurchase": !customer, "Blocked": false, "City": city, "AddressLine1": street,
		"Country": "NL ", "CountryName": "Nederland", "Language": "NL        ", "MainContact": contact.id, "Type": "A",
		"PaymentConditionSales": "30", "SalesCurrency": "EUR", "PurchaseCurrency": "EUR", "Parent": nil, "SalesVATCode": "4  ",
	})
	d.insertFull("crm/Addresses", made, fields{
		"ID": b.dice.guid(), "Account": p.id, "AccountName": p.name, "AddressLine1": street,
		"City": city, "Country": "NL ", "Main": true, "Type": 3, "Contact": contact.id, "ContactName": contact.name,
	})
	return p
}

func (b *books) addContact(account party, made stamp) party {
	first, last := pick(b.dice, firstNames), pick(b.dice, lastNames)
	p := party{id: b.dice.guid(), name: first + " " + last}
	b.division.insertFull("crm/Contacts", made, fields{
		"ID": p.id, "Account": account.id, "AccountName": account.name, "FirstName": first,
		"LastName": last, "FullName": p.name, "Email": "contact@voorbeeld.example", "IsMainContact": true, "Country": "NL ",
	})
	return p
}

func (b *books) addItems() {
	for range b.division.scaled(40) {
		b.items = append(b.items, b.addItem())
	}
	b.wares = slices.Clone(b.items[:len(b.items)-len(b.items)/10])
}

func (b *books) addItem() party {
	serial := b.division.store("logistics/Items").serial
	p := party{id: b.dice.guid(), code: fmt.Sprintf("ART-%04d", serial+1), name: itemName(b.dice), price: cents(295 + b.dice.n(40000))}
	revenue := b.gl["8000"]
	b.division.insertFull("logistics/Items", clock(b.division.date(300+b.dice.n(500)), b.dice), fields{
		"ID": p.id, "Code": p.code,
		"Description": p.name, "StandardSalesPrice": p.price, "CostPriceStandard": p.price * 6 / 10, "IsSalesItem": true, "IsStockItem": true,
		"Unit": "stuk", "UnitDescription": "Stuks", "SalesVatCode": "4  ", "GLRevenue": revenue.id, "GLRevenueCode": revenue.code,
		"GLRevenueDescription": revenue.name,
	})
	return p
}

func companyName(d *dice) string {
	return pick(d, lastNames) + " " + pick(d, []string{"& Zonen", "Bouw", "Techniek", "Groothandel", "Advies", "Café \"De Kroon\"", "Transport", "Tuinen"}) +
		pick(d, []string{" B.V.", " V.O.F.", "", " Holding B.V."})
}

func itemName(d *dice) string {
	return pick(d, []string{"Eiken", "Stalen", "Gerecyclede", "Blauwe", "Compacte", "Extra zware"}) + " " +
		pick(d, []string{"tafel", "stoel", "lamp", "kast 120×80", "plank 2\"", "schroevenset", "wandrek", "bureau"})
}

func orNil(id guid) any {
	if id == "" {
		return nil
	}
	return id
}
