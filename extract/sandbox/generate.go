package sandbox

import (
	"fmt"
	"strings"
)

// generate fills a set that the books do not keep with invented records: three to 130 of them,
// so that some need several pages of 60.
func (d *division) generate(set *recordSet) {
	s := d.store(set.name)
	n := d.beginning(set)
	if _, given := d.sizes[set.name]; given {
		d.fill(set, n)
		return
	}
	for i := range n {
		r := d.invent(set, i)
		r.version = d.nextVersion(s)
		s.put(r)
	}
}

// beginning is how many records a set begins with.
func (d *division) beginning(set *recordSet) int {
	n, given := d.sizes[set.name]
	if !given {
		n = d.scaled(3 + newDice(d.seed, set.name, "rows").n(128))
	}
	return min(n, domain(d, set))
}

// headerOf is the key of one of the records that a set of headers begins with. It does not ask
// which of them are left, so that it does not matter when the lines are generated.
func (d *division) headerOf(headers *recordSet, dice *dice) any {
	n := d.beginning(headers)
	if n == 0 {
		return nil
	}
	w := &inventor{division: d, seed: d.seed, n: dice.n(n)}
	return w.key(headers, headers.columns[headers.identity[0]])
}

// domain is how many different keys a set can have: the years and periods of a report are few.
func domain(d *division, set *recordSet) int {
	n := 1
	for _, col := range set.identity {
		if size := len(keyValues(d, set.columns[col].name)); size > 0 {
			n *= size
		} else {
			return 1 << 30
		}
	}
	return n
}

// keyValues are the values that a key column of a report can have; nil: any.
func keyValues(d *division, name string) []any {
	year := int64(d.today.Year())
	switch name {
	case "Division":
		return []any{int64(d.code)}
	case "ReportingYear", "Year":
		return []any{year, year - 1}
	case "CurrentYear":
		return []any{year}
	case "AgeGroup":
		return []any{int64(1), int64(2), int64(3), int64(4)}
	case "Period":
		return []any{int64(1), int64(2), int64(3), int64(4), int64(5), int64(6), int64(7), int64(8), int64(9), int64(10), int64(11), int64(12)}
	case "CurrencyCode":
		return []any{"EUR", "USD"}
	case "Journal":
		return column0(journals)
	case "GLAccount":
		return d.ledger().glIDs()
	}
	return nil
}

// invent makes the n-th record of a set up. The same n always gives the same record.
func (d *division) invent(set *recordSet, n int) *record { return d.inventFrom(d.seed, set, n) }

// inventFrom makes the n-th record up from a seed of its own.
func (d *division) inventFrom(seed uint64, set *recordSet, n int) *record {
	r := &record{vals: make([]any, len(set.columns))}
	w := &inventor{division: d, seed: seed, dice: newDice(seed, set.name, n), references: map[string]party{}, n: n}
	for i, c := range set.columns {
		r.vals[i] = w.value(c)
	}
	for _, col := range set.identity {
		r.vals[col] = w.key(set, set.columns[col])
	}
	if set.header != nil {
		set.put(r, set.columns[set.parent].name, d.headerOf(set.header, newDice(seed, set.name, "header", n)))
	}
	set.put(r, "Division", d.code)
	if modified, ok := set.get(r, "Modified").(stamp); ok {
		set.put(r, "Created", modified-stamp(w.dice.n(90*86400))*1000)
	}
	return r
}

// inventor makes up the values of one record.
type inventor struct {
	division   *division
	seed       uint64
	dice       *dice
	references map[string]party
	n          int
	carried    int // what of n the key columns before have not used
	keyed      bool
}

// key is different for every n: by counting, or by walking through the few values there are.
func (w *inventor) key(set *recordSet, c column) any {
	if !w.keyed {
		w.carried, w.keyed = w.n, true
	}
	if values := keyValues(w.division, c.name); len(values) > 0 {
		v := values[w.carried%len(values)]
		w.carried /= len(values)
		return fit(v, c.edm)
	}
	n := w.carried
	w.carried = 0
	switch kindOf(c.edm) {
	case "number":
		return fit(n+1, c.edm)
	case "Edm.Guid":
		return newDice(w.seed, "key", set.name, n).guid()
	case "Edm.DateTime":
		return w.division.date(n)
	}
	return fmt.Sprintf("%s%03d", strings.ToUpper(c.name[:1]), n+1)
}

// value makes a value up that suits the name and the type of a column.
func (w *inventor) value(c column) any {
	switch c.name {
	case "Created", "Modified":
		return clock(w.division.date(w.dice.n(700)), w.dice)
	case "Creator", "Modifier":
		return userID
	}
	if v, ok := w.reference(c); ok {
		return v
	}
	if w.dice.chance(25) {
		return nil
	}
	switch c.edm {
	case "Edm.String":
		return w.text(c.name)
	case "Edm.Guid":
		return w.guid()
	case "Edm.DateTime":
		return w.moment(c.name)
	case "Edm.Double":
		return w.double(c.name)
	case "Edm.Boolean":
		return w.dice.chance(50)
	case "Edm.Binary":
		return blob(fmt.Sprintf("\x00\x01\xff%d", w.dice.n(1e9)))
	case "Edm.Byte":
		return int64(w.dice.n(3))
	case "Edm.Int64":
		return int64(w.dice.next() >> 1) // mostly beyond what a float64 can tell apart
	}
	return int64(w.dice.n(200) - 5)
}

// references name the parties and things that columns point at by name.
var references = map[string]func(*books) []party{
	"Account": (*books).all, "Customer": (*books).all, "Supplier": (*books).all, "OrderedBy": (*books).all,
	"DeliverTo": (*books).all, "InvoiceTo": (*books).all, "DeliveryAccount": (*books).all, "InvoiceAccount": (*books).all,
	"Item": (*books).goods, "DefaultItem": (*books).goods, "GLAccount": (*books).chart,
}

// reference fills the columns that point at a record of the books: Account, AccountCode and
// AccountName of one record speak of one account.
func (w *inventor) reference(c column) (any, bool) {
	for _, suffix := range []string{"Code", "Name", "Description", "Id", ""} {
		base, ok := strings.CutSuffix(c.name, suffix)
		find := references[base]
		if !ok || find == nil {
			continue
		}
		list := find(w.division.ledger())
		if len(list) == 0 {
			return nil, false // the books are being set up
		}
		p, known := w.references[base]
		if !known {
			p = pick(w.dice, list)
			w.references[base] = p
		}
		return fit(map[string]any{"Code": p.code, "Name": p.name, "Description": p.name, "Id": p.id, "": p.id}[suffix], c.edm), true
	}
	return nil, false
}

func (w *inventor) guid() any {
	if w.dice.chance(3) {
		return guid("00000000-0000-0000-0000-000000000000")
	}
	return w.dice.guid()
}

func (w *inventor) moment(name string) any {
	switch {
	case name == "BirthDate":
		return w.division.date(365*20 + w.dice.n(365*60))
	case isDate(name):
		return w.division.date(w.dice.n(900) - 100)
	}
	return clock(w.division.date(w.dice.n(900)), w.dice)
}

func (w *inventor) double(name string) any {
	switch {
	case strings.Contains(name, "Percentage"):
		return pick(w.dice, []num{"0", "0.09", "0.21", "0.5", "1"})
	case strings.Contains(name, "itude"):
		return num(fmt.Sprintf("%d.%06d", w.dice.n(90), w.dice.n(899999)+100001))
	case w.dice.chance(4):
		return num("0.00001")
	case w.dice.chance(30):
		return num(fmt.Sprint(w.dice.n(5000)))
	}
	return cents(w.dice.n(2_000_000) - 400_000).num()
}

var (
	firstNames = []string{"Emma", "Daan", "Fatima", "Jeroen", "Zoë", "Bram", "Noor", "Sjoerd", "Aïcha", "Willem", "Lotte", "Tijn"}
	lastNames  = []string{"Jansen", "de Vries", "van den Berg", "Bakker", "O'Neill", "El Idrissi", "Yılmaz", "Smit", "Müller", "van 't Hoff"}
	words      = []string{"levering", "onderhoud", "maandelijks", "advies", "voorraad", "kantoor", "café", "reparatie", "huur", "project", "winkel", "retour", "€ 5 korting", "\"de Werf\""}
	cities     = []string{"Utrecht", "Delft", "'s-Hertogenbosch", "Groningen", "Maastricht", "Zwolle", "Súdwest-Fryslân"}
	streets    = []string{"Dorpsstraat", "Kerkweg", "Nieuwegracht", "Stationsplein", "Prins Hendrikkade"}
)

func (w *inventor) text(name string) string {
	d := w.dice
	switch {
	case strings.HasSuffix(name, "FullName") || strings.HasSuffix(name, "ContactName"):
		return pick(d, firstNames) + " " + pick(d, lastNames)
	case strings.HasSuffix(name, "Email"):
		return fmt.Sprintf("post%d@voorbeeld.example", d.n(900))
	case strings.HasSuffix(name, "Currency"):
		return "EUR"
	case strings.HasPrefix(name, "Country"):
		return "NL "
	case name == "Language":
		return "NL        "
	case strings.HasSuffix(name, "City"):
		return pick(d, cities)
	case strings.HasSuffix(name, "Url"):
		return fmt.Sprintf("https://zandbak.example/docs/SysAttachment.aspx?ID=%s&x=1", d.guid())
	case strings.HasSuffix(name, "Code"):
		return fmt.Sprintf("%02d", d.n(90)+1)
	case (name == "Notes" || name == "Remarks") && d.chance(15):
		return "Eerste regel\r\n\tTweede regel \u001f\\ </b> 😀"
	}
	return pick(d, words) + " " + pick(d, words)
}

func column0(rows []journal) []any {
	var list []any
	for _, r := range rows {
		list = append(list, r.code)
	}
	return list
}
