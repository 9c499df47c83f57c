package sandbox

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// arguments are what a function is given: values by parameter, in lower case.
type arguments map[string]any

// badArguments is what Exact answers to a function that is called without its parameters, or with
// ones that it cannot read. It does not say which.
const badArguments = "Bad Request - Error in query syntax."

// arguments reads what a function must be given from the query.
func (v *view) arguments(q *query) (arguments, error) {
	args := arguments{}
	for _, p := range v.endpoint.Parameters {
		name := strings.ToLower(p.Name)
		value, given := q.params[name]
		if !given && p.Mandatory {
			return nil, badRequest(badArguments)
		}
		if !given {
			continue
		}
		x, err := parseLiteral(value)
		if err != nil || kind(x) != kindOf(p.Edm) {
			return nil, badRequest(badArguments)
		}
		args[name] = x
	}
	return args, nil
}

// argumentsFrom takes them from Go values.
func (v *view) argumentsFrom(params map[string]any) (arguments, error) {
	args, given := arguments{}, map[string]any{}
	for name, value := range params {
		given[strings.ToLower(name)] = value
	}
	for _, p := range v.endpoint.Parameters {
		name := strings.ToLower(p.Name)
		value, ok := given[name]
		delete(given, name)
		if !ok {
			if p.Mandatory {
				return nil, fmt.Errorf("the parameter %s is missing", p.Name)
			}
			continue
		}
		x, err := parseLiteral(literalOf(value, p.Edm))
		if err != nil || kind(x) != kindOf(p.Edm) {
			return nil, fmt.Errorf("%v is no %s for %s", value, p.Edm, p.Name)
		}
		args[name] = x
	}
	for name := range given {
		return nil, fmt.Errorf("there is no parameter %s", name)
	}
	return args, nil
}

// literalOf writes a Go value as a query has it.
func literalOf(value any, edm string) string {
	switch x := value.(type) {
	case time.Time:
		return "datetime'" + x.Format(wallLayout) + "'"
	case json.Number:
		return x.String()
	case string:
		switch edm {
		case "Edm.Guid":
			return "guid'" + x + "'"
		case "Edm.DateTime":
			return "datetime'" + x + "'"
		}
		return "'" + strings.ReplaceAll(x, "'", "''") + "'"
	}
	return fmt.Sprint(value)
}

// key tells calls of one function apart.
func (a arguments) key() string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(a)) {
		fmt.Fprintf(&b, "%s=%s;", name, literal(a[name], false))
	}
	return b.String()
}

// selections are the functions whose records are some of those of another set.
var selections = map[string]struct {
	from string
	test func(d *division, set *recordSet, r *record, args arguments) bool
}{
	"ReceivablesListByAccount":            {"read/financial/ReceivablesList", ofAccount},
	"PayablesListByAccount":               {"read/financial/PayablesList", ofAccount},
	"ReceivablesListByAgeGroup":           {"read/financial/ReceivablesList", ofAge},
	"PayablesListByAgeGroup":              {"read/financial/PayablesList", ofAge},
	"ReceivablesListByAccountAndAgeGroup": {"read/financial/ReceivablesList", ofAccountAndAge},
	"PayablesListByAccountAndAgeGroup":    {"read/financial/PayablesList", ofAccountAndAge},
	"AgingReceivablesListByAgeGroup":      {"read/financial/AgingReceivablesList", withAge},
	"AgingPayablesListByAgeGroup":         {"read/financial/AgingPayablesList", withAge},
	"RevenueListByYear":                   {"read/financial/RevenueList", ofYear},
	"RevenueListByYearAndStatus":          {"read/financial/RevenueList", ofYear}, // all that is booked here is processed
}

func ofAccount(_ *division, set *recordSet, r *record, args arguments) bool {
	return compare(set.get(r, "AccountId"), args["accountid"]) == 0
}

func ofAge(d *division, set *recordSet, r *record, args arguments) bool {
	date, _ := set.get(r, "InvoiceDate").(stamp)
	return compareNumbers(int64(d.ageGroup(date)), args["agegroup"]) == 0
}

func ofAccountAndAge(d *division, set *recordSet, r *record, args arguments) bool {
	return ofAccount(d, set, r, args) && ofAge(d, set, r, args)
}

func withAge(_ *division, set *recordSet, r *record, args arguments) bool {
	return centsOf(set.get(r, fmt.Sprintf("AgeGroup%vAmount", args["agegroup"]))) != 0
}

func ofYear(_ *division, set *recordSet, r *record, args arguments) bool {
	return compareNumbers(set.get(r, "Year"), args["year"]) == 0
}

// call is what a function finds. What the books know it finds there; all else it makes up from the
// seed and the arguments, and gives it the arguments back where a property is named after one.
func (d *division) call(v *view, args arguments) *store {
	s := newStore(v.set)
	if x, ok := selections[v.endpoint.Name]; ok {
		from := d.records(published().sets[x.from])
		for _, r := range from.made() {
			if x.test(d, from.set, r, args) {
				s.put(v.set.like(from.set, r))
			}
		}
		return s
	}
	seed := newDice(d.seed, "call", args.key()).next()
	n := min(1+newDice(seed, "rows").n(100), domain(d, v.set))
	if v.findsOne() {
		n = 1
	}
	for i := range n {
		r := d.inventFrom(seed, v.set, i)
		for name, value := range args {
			v.giveBack(r, name, value)
		}
		s.put(r)
	}
	return s
}

// like copies a record into another set as far as that has the columns.
func (s *recordSet) like(from *recordSet, r *record) *record {
	next := &record{vals: make([]any, len(s.columns))}
	for i, c := range from.columns {
		s.put(next, c.name, r.val(i))
	}
	return next
}

// findsOne says whether a function is about one record.
func (v *view) findsOne() bool {
	name := strings.ToLower(v.endpoint.Name)
	return v.endpoint.Keyless || strings.HasSuffix(name, "byid") || strings.HasSuffix(name, "detailsbyid") ||
		strings.HasPrefix(name, "default") || strings.HasPrefix(name, "preferred")
}

// giveBack puts an argument where a record has a property for it: accountId into AccountId or
// Account, and into the ID of a function that is named after finding by it.
func (v *view) giveBack(r *record, name string, value any) {
	base := strings.TrimSuffix(name, "id")
	for _, c := range v.set.columns {
		own := strings.ToLower(c.name)
		named := own == name || own == base || own == "reporting"+name
		found := strings.HasSuffix(strings.ToLower(v.endpoint.Name), "byid") && own == "id" && base != name
		if (named || found) && kindOf(c.edm) == kind(value) {
			v.set.put(r, c.name, value)
		}
	}
}

// worth is what a function returns that has no records.
func (d *division) worth(v *view, args arguments) *answer {
	dice := newDice(d.seed, v.endpoint.Name, args.key())
	a := &answer{view: v, counted: -1, worth: any(int64(dice.n(40)))}
	if v.endpoint.Name == "UserHasRights" {
		a.worth = dice.chance(80)
	}
	return a
}
