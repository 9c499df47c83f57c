package sandbox

import (
	"fmt"
	"slices"
	"strings"

	"exactduck/extract/exactonline"
)

// Change is work that people do in a company. Which records it meets, and what they become, follows
// from the seed and from how many changes went before.
//
// What the books keep stays coherent: an invoice comes with its lines, its balanced entry and its
// receivable, and goes with them; inserting or deleting TransactionLines means whole memorial
// entries; a count is then a count of events, not of rows. Deleting meets invoices that are not
// paid and purchases likewise.
type Change struct {
	Division               int    // 0: the first
	Entity                 string // a stream or an endpoint: "crm/Accounts", "sync/CRM/Accounts"
	Insert, Update, Delete int
	// Late work is written now, with row versions and Modified of now, and becomes visible with the
	// next [Sandbox.Commit], as a transaction that takes long to commit.
	Late bool
}

// Change does work in a company, see [Change]. It survives a restart if there is a state file.
func (s *Sandbox) Change(c Change) error { return s.locked(step{Op: "change", Change: &c}) }

// lateVersions is how many row versions a late change reserves.
const lateVersions = 1_000_000

// newWrite begins a change at the moment at.
func (d *division) newWrite(at stamp, number int) *write {
	return &write{at: at, version: d.version, dice: newDice(d.seed, "change", number)}
}

// apply does a change. Updates and deletes leave records alone that were written after the change.
func (d *division) apply(c Change, w *write) error {
	set, err := findSet(c.Entity)
	if err != nil {
		return err
	}
	b := d.ledger()
	d.records(set)
	b.dice, d.writing = w.dice, w
	defer func() { d.writing = nil }()
	d.changes++
	first := w.version
	for range c.Insert {
		if err := b.insertOne(set); err != nil {
			return err
		}
	}
	if err := b.updateSome(set, c.Update, first); err != nil {
		return err
	}
	return b.deleteSome(set, c.Delete, first)
}

// findSet finds the records that a stream or an endpoint shows.
func findSet(entity string) (*recordSet, error) {
	c := published()
	if v := c.views[strings.ToLower(entity)]; v != nil {
		return v.set, nil
	}
	if same, ok := sameRecords[entity]; ok {
		entity = same
	}
	for name, set := range c.sets {
		if strings.EqualFold(name, entity) {
			return set, nil
		}
	}
	stream, _, err := exactonline.Lookup(entity)
	if err != nil {
		return nil, fmt.Errorf("change %s: %w", entity, err)
	}
	if same, ok := sameRecords[stream.Name]; ok {
		return c.sets[same], nil
	}
	return c.sets[stream.Name], nil
}

// event says how the books change a set that they keep: by which events, and of which kind the
// postings are that an update or a delete meets.
type event struct {
	insert  func(*books, stamp)
	posting string
}

var (
	sale     = event{(*books).sell, "sale"}
	bought   = event{(*books).purchase, "purchase"}
	memo     = event{(*books).memorial, "memorial"}
	payments = event{(*books).payOldest, "payment"}
	ordered  = event{(*books).order, "order"}
	events   = map[string]event{
		"salesinvoice/SalesInvoices": sale, "salesinvoice/SalesInvoiceLines": sale, "salesinvoice/SalesInvoicesSync": sale,
		"salesentry/SalesEntries": sale, "salesentry/SalesEntryLines": sale, "cashflow/Receivables": sale, "cashflow/PaymentTerms": sale,
		"purchaseentry/PurchaseEntries": bought, "purchaseentry/PurchaseEntryLines": bought, "cashflow/Payments": bought,
		"financial/TransactionLines": memo, "financialtransaction/Transactions": memo,
		"generaljournalentry/GeneralJournalEntries": memo, "generaljournalentry/GeneralJournalEntryLines": memo,
		"purchaseorder/PurchaseOrders": ordered, "purchaseorder/PurchaseOrderLines": ordered, "purchaseorder/PurchaseOrdersSync": ordered,
		"financialtransaction/BankEntries": payments, "financialtransaction/BankEntryLines": payments,
	}
)

func (b *books) payOldest(date stamp) {
	if len(b.open) == 0 {
		b.sell(date)
	}
	b.pay(b.open[0], date)
}

func (b *books) insertOne(set *recordSet) error {
	d := b.division
	today := d.writing.at - d.writing.at%(86400*1000)
	s := d.records(set)
	switch e, booked := events[set.name]; {
	case computations[set.name] != nil || set.name == deletedSet || len(set.identity) == 0:
		return fmt.Errorf("change %s: its records are computed", set.name)
	case booked:
		e.insert(b, today)
	case set.name == "crm/Accounts":
		b.customers = append(b.customers, b.addAccount(true))
	case set.name == "logistics/Items":
		b.wares = append(b.wares, b.addItem())
	case set.name == "financial/GLAccounts":
		b.addLedgerAccount(glAccount{fmt.Sprintf("%04d", 4700+s.serial), "Nieuwe kosten", 121, "W", "D"})
	default:
		r := d.invent(set, s.serial)
		d.adopt(set, r)
		if _, taken := s.records[set.identityOf(r)]; taken {
			return fmt.Errorf("change %s: there are no more keys", set.name)
		}
		d.finish(s, r, d.writing.at)
	}
	return nil
}

// updateSome changes n records that were not written after the change began.
func (b *books) updateSome(set *recordSet, n int, first int64) error {
	if n == 0 {
		return nil
	}
	if computations[set.name] != nil || set.name == deletedSet {
		return fmt.Errorf("change %s: its records are computed", set.name)
	}
	if e, booked := events[set.name]; booked {
		return b.updateBooked(set, e, n, first)
	}
	d := b.division
	s := d.store(set.name)
	for _, r := range choose(d.writing.dice, older(s.made(), first), n) {
		d.update(set.name, r, b.news(set))
	}
	return nil
}

// older leaves out what was written after a version was given.
func older(list []*record, first int64) []*record {
	return slices.DeleteFunc(slices.Clone(list), func(r *record) bool { return r.version > first })
}

// choose draws up to n different elements.
func choose[T any](d *dice, list []T, n int) []T {
	list = slices.Clone(list)
	n = min(n, len(list))
	for i := range n {
		j := i + d.n(len(list)-i)
		list[i], list[j] = list[j], list[i]
	}
	return list[:n]
}

// news are new values for a few columns of a record: texts, and in invented sets anything but the
// columns that say what the record is and what it belongs to.
func (b *books) news(set *recordSet) fields {
	d := b.division
	w := &inventor{division: d, seed: d.seed, dice: d.writing.dice, references: map[string]party{}}
	f := fields{}
	for tries := 0; len(f) < 3 && tries < 40; tries++ {
		i := w.dice.n(len(set.columns))
		c := set.columns[i]
		if slices.Contains(set.identity, i) || fixed(set, c) {
			continue
		}
		f[c.name] = w.value(c)
	}
	if set.column("Description") >= 0 && !slices.Contains(set.identity, set.column("Description")) {
		f["Description"] = fmt.Sprintf("%s (%d)", w.text("Description"), d.changes)
	}
	if set.name == "crm/Accounts" {
		f["Name"] = companyName(w.dice)
	}
	return f
}

// fixed columns do not change in an update: who and when, what others refer to, and in the books
// everything but text.
func fixed(set *recordSet, c column) bool {
	switch c.name {
	case "Created", "Modified", "Creator", "Modifier", "CreatorFullName", "ModifierFullName", "Division", "Code":
		return true
	}
	return c.edm == "Edm.Guid" || kept[set.name] && c.edm != "Edm.String"
}

// updateBooked changes the reference and the remarks of n postings in every record that shows
// them; in entries, of header and line together.
func (b *books) updateBooked(set *recordSet, e event, n int, first int64) error {
	d := b.division
	for _, p := range choose(d.writing.dice, b.postingsOf(e.posting, first), n) {
		ref := fmt.Sprintf("REF-%d", d.writing.dice.n(1_000_000))
		for _, row := range p.rows {
			if r := d.store(row.set).records[row.ident]; r != nil && follows(row.set, set.name) {
				d.update(row.set, r, fields{"YourRef": ref, "Remarks": "Gewijzigd: " + ref, "Notes": ref})
			}
		}
	}
	return nil
}

// follows says whether an update of one set of a posting touches another.
func follows(row, changed string) bool {
	service, _, _ := strings.Cut(row, "/")
	return strings.HasPrefix(changed, service+"/")
}

// postingsOf are the postings of a kind that were there when the change began, and of which nobody
// has written any record since: a late change holds what it writes, and is not overtaken by another.
func (b *books) postingsOf(kind string, first int64) []*posting {
	var list []*posting
	for _, p := range b.postings {
		if p.kind == kind && b.untouched(p, first) {
			list = append(list, p)
		}
	}
	return list
}

func (b *books) untouched(p *posting, first int64) bool {
	if b.division.store(p.rows[0].set).records[p.rows[0].ident] == nil {
		return false
	}
	return !slices.ContainsFunc(p.rows, func(row rowRef) bool {
		r := b.division.store(row.set).records[row.ident]
		return r != nil && r.version > first
	})
}

// deleteSome removes n records, or n postings with all their records.
func (b *books) deleteSome(set *recordSet, n int, first int64) error {
	if n == 0 {
		return nil
	}
	if computations[set.name] != nil || set.name == deletedSet {
		return fmt.Errorf("change %s: its records are computed", set.name)
	}
	d := b.division
	if e, booked := events[set.name]; booked {
		free := slices.DeleteFunc(b.postingsOf(e.posting, first), func(p *posting) bool { return p.kind != "payment" && p.item != nil && p.item.paid })
		for _, p := range choose(d.writing.dice, free, n) {
			b.undo(p)
		}
		return nil
	}
	for _, r := range choose(d.writing.dice, b.idle(set, older(d.store(set.name).made(), first), n), n) {
		d.remove(set.name, r, true)
		d.removeLines(set, r)
		if id, ok := r.val(set.identity[0]).(guid); ok {
			b.forget(id)
		}
	}
	return nil
}

// adopt gives a new line one of the headers that there are.
func (d *division) adopt(set *recordSet, r *record) {
	if set.header == nil {
		return
	}
	headers := d.records(set.header).made()
	if len(headers) > 0 {
		r.vals[set.parent] = pick(d.writing.dice, headers).val(set.header.identity[0])
	}
}

// removeLines deletes the lines of a header that has been deleted.
func (d *division) removeLines(set *recordSet, header *record) {
	for _, lines := range set.lines {
		for _, r := range d.records(lines).made() {
			if compare(r.val(lines.parent), header.val(set.identity[0])) == 0 {
				d.remove(lines.name, r, d.reports(lines))
			}
		}
	}
}

// reports says whether sync/Deleted tells of lines that went with their header.
func (d *division) reports(lines *recordSet) bool {
	list := d.rules.Unreported
	return !slices.Contains(list, lines.name) && !slices.Contains(list, "*")
}

// idle are the records that no entry refers to; all of them when those are not enough.
func (b *books) idle(set *recordSet, list []*record, n int) []*record {
	free := slices.DeleteFunc(slices.Clone(list), func(r *record) bool {
		id, ok := r.val(set.identity[0]).(guid)
		return ok && b.traded[id]
	})
	if len(free) < n {
		return list
	}
	return free
}

// forget stops the trade in what was deleted.
func (b *books) forget(id guid) {
	gone := func(p party) bool { return p.id == id }
	for _, list := range []*[]party{&b.customers, &b.suppliers, &b.wares} {
		if len(*list) > 1 {
			*list = slices.DeleteFunc(*list, gone)
		}
	}
}

// undo takes a posting back. An invoice whose payment is undone is open again.
func (b *books) undo(p *posting) {
	d := b.division
	seen := map[string]bool{}
	for _, row := range p.rows {
		set := d.store(row.set).set
		line := set.mixed && seen[row.set]
		seen[row.set] = true
		if r := d.store(row.set).records[row.ident]; r != nil {
			d.remove(row.set, r, !line || d.reports(set))
		}
	}
	b.postings = slices.DeleteFunc(b.postings, func(other *posting) bool { return other == p })
	switch {
	case p.kind == "payment":
		b.reopen(p.item)
	case p.item != nil:
		b.open = slices.DeleteFunc(b.open, func(o *openItem) bool { return o == p.item })
	}
}

func (b *books) reopen(o *openItem) {
	o.paid = false
	b.open = append(b.open, o)
	f := fields{"Status": 20, "IsFullyPaid": false, "LastPaymentDate": nil, "EndDate": nil}
	o.terms = b.division.update("cashflow/PaymentTerms", b.division.store("cashflow/PaymentTerms").records[o.terms.ident], f)
	set := "cashflow/Payments"
	if o.receivable {
		set = "cashflow/Receivables"
	}
	o.payments = b.division.update(set, b.division.store(set).records[o.payments.ident], f)
}
