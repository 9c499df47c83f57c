package sandbox

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// computations are the sets that nobody stores: they are worked out from the others whenever they
// are asked for. They have no versions, and no change can be made to them directly.
var computations map[string]func(*division, *recordSet) []fields

func init() {
	computations = map[string]func(*division, *recordSet) []fields{
		"financial/ReportingBalance":                 (*division).reportingBalance,
		"read/financial/ReceivablesList":             (*division).receivablesList,
		"read/financial/PayablesList":                (*division).payablesList,
		"read/financial/AgingReceivablesList":        (*division).agingReceivables,
		"read/financial/AgingPayablesList":           (*division).agingPayables,
		"read/financial/OutstandingInvoicesOverview": (*division).outstanding,
		"read/financial/RevenueList":                 (*division).revenueList,
		"system/Me":                                  (*division).me,
		"system/Users":                               (*division).users,
		"users/Users":                                (*division).users,
		"system/Divisions":                           (*division).divisions,
		"system/AllDivisions":                        (*division).divisions,
		"system/GetMostRecentlyUsedDivisions":        (*division).divisions,
		"hrm/Divisions":                              (*division).divisions,
	}
}

// computed is the store of a computed set. It is worked out again after every change.
func (d *division) computed(set *recordSet, compute func(*division, *recordSet) []fields) *store {
	if c, ok := d.derived[set.name]; ok && c.changes == d.changes && set.name != "system/Me" {
		return c.store
	}
	s := newStore(set)
	for _, f := range compute(d, set) {
		s.put(set.build(f))
	}
	d.derived[set.name] = derivation{d.changes, s}
	return s
}

// balanceKey is what ReportingBalance sums over.
type balanceKey struct {
	gl           guid
	year, period int64
	kind         int64
}

func (d *division) reportingBalance(*recordSet) []fields {
	b := d.ledger()
	lines := d.store("financial/TransactionLines")
	set := lines.set
	debit, credit, number := map[balanceKey]cents{}, map[balanceKey]cents{}, map[balanceKey]int{}
	for _, r := range lines.made() {
		k := balanceKey{set.get(r, "GLAccount").(guid), set.get(r, "FinancialYear").(int64), set.get(r, "FinancialPeriod").(int64), set.get(r, "Type").(int64)}
		if amount := centsOf(set.get(r, "AmountDC")); amount > 0 {
			debit[k] += amount
		} else {
			credit[k] -= amount
		}
		number[k]++
	}
	accounts := map[guid]glAccount{}
	for _, a := range chartOfAccounts {
		accounts[b.gl[a.code].id] = a
	}
	var rows []fields
	for i, k := range sortedKeys(number) {
		a := accounts[k.gl]
		rows = append(rows, fields{
			"ID": i + 1, "Amount": debit[k] - credit[k], "AmountDebit": debit[k], "AmountCredit": credit[k],
			"BalanceType": a.balance, "Count": number[k], "Division": d.code, "GLAccount": k.gl, "GLAccountCode": a.code,
			"GLAccountDescription": a.name, "ReportingYear": k.year, "ReportingPeriod": k.period, "Status": 50, "Type": k.kind,
		})
	}
	return rows
}

func sortedKeys(m map[balanceKey]int) []balanceKey {
	keys := make([]balanceKey, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b balanceKey) int {
		return cmp.Or(cmp.Compare(a.gl, b.gl), cmp.Compare(a.year, b.year), cmp.Compare(a.period, b.period), cmp.Compare(a.kind, b.kind))
	})
	return keys
}

// centsOf reads an amount of the books back.
func centsOf(v any) cents {
	n, ok := v.(num)
	if !ok {
		return 0
	}
	whole, part, _ := strings.Cut(string(n), ".")
	c, _ := strconv.ParseInt(whole+(part + "00")[:2], 10, 64)
	return cents(c)
}

func (d *division) receivablesList(*recordSet) []fields { return d.openList(true) }
func (d *division) payablesList(*recordSet) []fields    { return d.openList(false) }

func (d *division) openList(receivable bool) []fields {
	var rows []fields
	for _, o := range d.ledger().open {
		if o.receivable != receivable {
			continue
		}
		amount := o.amount
		if !receivable {
			amount = -amount
		}
		rows = append(rows, fields{
			"HID": o.hid, "Id": o.id, "AccountCode": o.account.code, "AccountId": o.account.id, "AccountName": o.account.name,
			"Amount": amount, "AmountInTransit": 0, "CurrencyCode": "EUR", "Description": o.about, "DueDate": o.due, "InvoiceDate": o.date,
			"EntryNumber": o.entry, "InvoiceNumber": o.invoice, "JournalCode": o.journal.code, "JournalDescription": o.journal.name,
			"YourRef": o.yourRef, "ApprovalStatus": 2,
		})
	}
	return rows
}

func (d *division) agingReceivables(*recordSet) []fields { return d.aging(true) }
func (d *division) agingPayables(*recordSet) []fields    { return d.aging(false) }

// aging sums what is open by party and by age: to 30 days, 60, 90, and beyond.
func (d *division) aging(receivable bool) []fields {
	sums := map[guid]*[5]cents{}
	var order []party
	for _, o := range d.ledger().open {
		if o.receivable != receivable {
			continue
		}
		if sums[o.account.id] == nil {
			sums[o.account.id] = &[5]cents{}
			order = append(order, o.account)
		}
		sums[o.account.id][d.ageGroup(o.date)] += o.amount
		sums[o.account.id][0] += o.amount
	}
	var rows []fields
	for _, p := range order {
		s := sums[p.id]
		rows = append(rows, fields{
			"AccountId": p.id, "AccountCode": p.code, "AccountName": p.name, "TotalAmount": s[0], "CurrencyCode": "EUR",
			"AgeGroup1": 1, "AgeGroup1Amount": s[1], "AgeGroup1Description": "0 - 30", "AgeGroup2": 2, "AgeGroup2Amount": s[2], "AgeGroup2Description": "31 - 60",
			"AgeGroup3": 3, "AgeGroup3Amount": s[3], "AgeGroup3Description": "61 - 90", "AgeGroup4": 4, "AgeGroup4Amount": s[4], "AgeGroup4Description": "> 90",
		})
	}
	return rows
}

// ageGroup is 1 to 4, by how long ago a date is.
func (d *division) ageGroup(date stamp) int {
	days := int(d.date(0)-date) / (86400 * 1000)
	return min(max(days, 0)/30, 3) + 1
}

func (d *division) outstanding(*recordSet) []fields {
	f := fields{"CurrencyCode": "EUR"}
	var amounts [2]cents
	var counts, overdue [2]int
	var late [2]cents
	for _, o := range d.ledger().open {
		side := btoi(o.receivable)
		amounts[side] += o.amount
		counts[side]++
		if o.due < d.date(0) {
			late[side] += o.amount
			overdue[side]++
		}
	}
	for side, name := range []string{"Payable", "Receivable"} {
		f["Outstanding"+name+"InvoiceAmount"], f["Outstanding"+name+"InvoiceCount"] = amounts[side], counts[side]
		f["Overdue"+name+"InvoiceAmount"], f["Overdue"+name+"InvoiceCount"] = late[side], overdue[side]
	}
	return []fields{f}
}

func (d *division) revenueList(*recordSet) []fields {
	d.ledger()
	lines := d.store("financial/TransactionLines")
	sums := map[[2]int64]cents{}
	for _, r := range lines.made() {
		if code, _ := lines.set.get(r, "GLAccountCode").(string); code >= "8000" && code < "9000" {
			sums[[2]int64{lines.set.get(r, "FinancialYear").(int64), lines.set.get(r, "FinancialPeriod").(int64)}] -= centsOf(lines.set.get(r, "AmountDC"))
		}
	}
	var rows []fields
	for k, sum := range sums {
		rows = append(rows, fields{"Year": k[0], "Period": k[1], "Amount": sum})
	}
	slices.SortFunc(rows, func(a, b fields) int {
		return cmp.Or(cmp.Compare(a["Year"].(int64), b["Year"].(int64)), cmp.Compare(a["Period"].(int64), b["Period"].(int64)))
	})
	return rows
}

func (d *division) divisions(set *recordSet) []fields {
	var rows []fields
	for i, other := range d.siblings() {
		made := clock(other.date(900), newDice(other.seed, "made"))
		rows = append(rows, fields{
			"Code": other.code, "Description": other.name, "Status": other.status(set), "BlockingStatus": btoi(other.refused[""] != ""), "Country": "NL ",
			"Currency": "EUR", "Current": other.code == d.code, "IsMainDivision": i == 0, "Hid": i + 1, "Legislation": "1", "City": cities[i%len(cities)],
			"Customer": newDice(d.siblings()[0].seed, "customer").guid(), "CustomerCode": padded("1265594"), "CustomerName": "Zandbak",
			"DivisionMoveDate": other.moved, "DivisionHRLinkUnlinkDate": other.linked, "Created": made, "Modified": made, "Creator": userID,
			"Modifier": userID, "CreatorFullName": userName, "ModifierFullName": userName, "StartDate": other.date(900), "VATNumber": fmt.Sprintf("NL00112233%dB01", i),
		})
	}
	return rows
}

// status is what the lists of divisions say: 1 active, 2 archived; the old list of HRM counts
// otherwise, 0 regular and 1 archived.
func (d *division) status(set *recordSet) int {
	if set.name == "hrm/Divisions" {
		return btoi(d.archived)
	}
	return 1 + btoi(d.archived)
}

func (d *division) users(*recordSet) []fields {
	return []fields{{
		"UserID": userID, "UserName": userMail, "FullName": userName, "FirstName": "Sanne", "LastName": "de Vries", "Email": userMail,
		"Language": "NL        ", "Created": d.date(900), "Modified": d.date(900), "Creator": userID, "CreatorFullName": userName,
	}}
}

func (d *division) me(*recordSet) []fields {
	now := d.now()
	_, offset := now.In(d.zone).Zone()
	return []fields{{
		"UserID": userID, "CurrentDivision": d.code, "AccountingDivision": d.code, "DivisionCustomerCode": padded("1265594"),
		"DivisionCustomerName": "Zandbak", "FullName": userName, "FirstName": "Sanne", "LastName": "de Vries", "UserName": userMail, "Email": userMail,
		"LanguageCode": "nl-NL", "Language": "NL", "Legislation": 1, "IsClientUser": true, "EmployeeID": guid("00000000-0000-0000-0000-000000000000"),
		"ServerTime": now.In(d.zone).Format("2006-01-02T15:04:05"), "ServerUtcOffset": offset, "CustomerCode": padded("1265594"), "PackageCode": "EOLZANDBAK",
	}}
}

// deletions are the rows of sync/Deleted that Exact still keeps: those of two months.
func (d *division) deletions(set *recordSet) *store {
	s := newStore(set)
	limit := d.now().AddDate(0, -2, 0)
	for _, x := range d.deleted {
		if wall(limit, d.zone) > x.at {
			continue
		}
		r := set.build(fields{"ID": x.id, "Division": d.code, "EntityType": int64(x.entity), "EntityKey": x.key, "DeletedBy": userID, "DeletedDate": x.at})
		r.version = x.version
		s.put(r)
	}
	return s
}
