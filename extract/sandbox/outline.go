package sandbox

import (
	"fmt"
	"slices"
)

// outline makes up the values of records whenever they are looked at, so that a hundred thousand of
// them fit into little memory. With each record only its identity and its Modified are kept, by
// which it is found and sorted; whoever sorts or filters by anything else waits for every record to
// be made up.
type outline struct {
	division *division
	set      *recordSet
	cols     []int // kept with each record
	last     *record
	vals     []any // of the last record looked at
}

func newOutline(d *division, set *recordSet) *outline {
	o := &outline{division: d, set: set, cols: slices.Clone(set.identity)}
	if modified := set.column("Modified"); modified >= 0 && !slices.Contains(o.cols, modified) {
		o.cols = append(o.cols, modified)
	}
	return o
}

// draw makes the n-th record.
func (o *outline) draw(n int) *record {
	d := o.division
	w := &inventor{division: d, seed: d.seed, dice: newDice(d.seed, "outline", o.set.name, n), n: n}
	r := &record{outline: o, n: n, sketch: make([]any, len(o.cols))}
	for i, col := range o.cols {
		switch c := o.set.columns[col]; {
		case i < len(o.set.identity):
			r.sketch[i] = w.key(o.set, c)
		default:
			r.sketch[i] = clock(d.date(w.dice.n(historyDays)), w.dice)
		}
	}
	return r
}

func (o *outline) val(r *record, col int) any {
	if i := slices.Index(o.cols, col); i >= 0 {
		return r.sketch[i]
	}
	return o.full(r)[col]
}

func (o *outline) full(r *record) []any {
	if o.last == r {
		return o.vals
	}
	full := o.division.invent(o.set, r.n)
	for name, v := range o.division.plain(o.set, r.n) {
		o.set.put(full, name, v)
	}
	for i, col := range o.cols {
		full.vals[col] = r.sketch[i]
	}
	if modified, ok := o.set.get(full, "Modified").(stamp); ok {
		o.set.put(full, "Created", modified-stamp(r.n%90)*86400*1000)
	}
	o.last, o.vals = r, full.vals
	return o.vals
}

// fillable are the sets of the books that can be made larger by records that nothing refers to.
var fillable = []string{"crm/Accounts", "crm/Contacts", "crm/Addresses", "logistics/Items", linesSet}

const linesSet = "financial/TransactionLines"

// plain are the values that keep the books coherent in a record that fills them up: a line of
// nothing, in an entry of its own.
func (d *division) plain(set *recordSet, n int) fields {
	switch set.name {
	case "crm/Accounts":
		return fields{"Code": padded(fmt.Sprint(1_000_000 + n))}
	case "logistics/Items":
		return fields{"Code": fmt.Sprintf("VUL-%07d", n)}
	case linesSet:
		date := d.date(historyDays - n%historyDays)
		return fields{
			"AmountDC": 0, "AmountFC": 0, "AmountVATFC": 0, "AmountVATBaseFC": 0, "Type": 90, "JournalCode": "90", "JournalDescription": "Memoriaal",
			"Date": date, "FinancialYear": d.ledger().year(date), "FinancialPeriod": d.ledger().month(date), "LineNumber": 1 + n%10,
			"EntryID": newDice(d.seed, "filling entry", n/10).guid(), "EntryNumber": 99_000_000 + n/10, "Currency": "EUR", "Status": 50,
		}
	}
	return nil
}

// fill adds records to a set until it has so many.
func (d *division) fill(set *recordSet, size int) {
	s, o := d.store(set.name), newOutline(d, set)
	for n := s.serial; len(s.records) < size; n++ {
		r := o.draw(n)
		r.version = d.nextVersion(s)
		s.put(r)
	}
}

// sizes checks Options.Records and finds the set behind each name.
func sizes(records map[string]int) (map[string]int, error) {
	bySet := map[string]int{}
	for name, n := range records {
		set, err := findSet(name)
		switch {
		case err != nil:
			return nil, fmt.Errorf("number of records: %w", err)
		case n < 0:
			return nil, fmt.Errorf("number of records: %d of %s cannot be", n, name)
		case computations[set.name] != nil || set.name == deletedSet || len(set.identity) == 0:
			return nil, fmt.Errorf("number of records: those of %s are computed", name)
		case kept[set.name] && !slices.Contains(fillable, set.name):
			return nil, fmt.Errorf("number of records: those of %s follow from the trade of the company; give it more by its scale", name)
		}
		bySet[set.name] = n
	}
	return bySet, nil
}
