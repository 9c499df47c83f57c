package pay

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// world is an organization with its merchants.
type world struct {
	seed         uint64
	scale        float64
	organization string
	application  string
	user         *user
	accounts     []*account
	applicants   []*onboarding
	founded      int // accounts that there have ever been
	born         int // ids that there have ever been
}

// user is somebody who can log in.
type user struct{ id, email, password, account string }

// account is a merchant.
type account struct {
	id, parent, name, phone, email, site string
	address                              address
	created, updated, disabled           time.Time // disabled: zero while it is not
	merchant, terminal, gateway, ach     string
	currency                             string
	user                                 *user
	customers                            []*customer
	payments                             []*payment
	orders                               []*order
}

// address is one in Canada or the United States.
type address struct{ line1, line2, city, state, postcode, country string }

// world is made from its origin; the history of its accounts ends there.
func newWorld(o *origin) *world {
	w := &world{seed: o.Seed, scale: o.Scale, application: "admin-pwa"}
	d := newDice(o.Seed, "organization")
	founded := o.Today.AddDate(-3, 0, -d.IntN(300))
	w.organization = w.id(d, founded)
	w.user = w.newUser(d, "partner@exactduck.example", w.organization, founded)
	for range o.Accounts {
		w.found(founded.AddDate(0, 0, d.IntN(300)))
	}
	for i, a := range w.accounts {
		w.history(a, i, o)
	}
	return w
}

// id is 24 hexadecimal digits, of which the first eight say when it was given; none is given twice.
func (w *world) id(d dice, at time.Time) string {
	w.born++
	return fmt.Sprintf("%08x%s%06x", uint32(at.Unix()), d.hex(5), uint32(w.born)&0xffffff)
}

func (w *world) newUser(d dice, email, account string, at time.Time) *user {
	return &user{id: w.id(d, at), email: email, password: "sandbox-" + d.hex(6), account: account}
}

func (w *world) credentials(u *user) Credentials {
	return Credentials{Email: u.email, Password: u.password, Application: w.application, Organization: w.organization}
}

// found adds a merchant, and the application that it came by.
func (w *world) found(at time.Time) *account {
	d := newDice(w.seed, "account", w.founded)
	w.founded++
	at = d.moment(at.Truncate(24 * time.Hour))
	name := merchantName(d)
	a := &account{
		id: w.id(d, at), parent: w.organization, name: name, created: at, updated: at, address: newAddress(d),
		phone: "555" + d.digits(7), email: "office@" + slug(name) + ".example", site: "https://" + slug(name) + ".example",
		merchant: w.id(d, at), terminal: w.id(d, at), gateway: "O" + d.digits(5) + "-" + d.digits(2), ach: d.uuid(), currency: pick(d, []string{"USD", "CAD"}),
	}
	a.user = w.newUser(d, fmt.Sprintf("merchant%d@exactduck.example", w.founded), a.id, at)
	w.accounts = append(w.accounts, a)
	w.apply(d, a)
	if d.chance(50) {
		w.apply(d, nil)
	}
	return a
}

// history fills an account with what has happened in the year before the sandbox began.
func (w *world) history(a *account, index int, o *origin) {
	d := newDice(w.seed, "history", index)
	size := func(n int) int {
		if index > 0 {
			n = n * 2 / 3
		}
		return int(math.Ceil(float64(n) * w.scale))
	}
	days := func(n int) []time.Time { return spread(d, o.Today, n) }
	for _, at := range days(size(40)) {
		w.addCustomer(d, a, at)
	}
	for _, at := range days(size(400)) {
		p := w.addPayment(d, a, at)
		w.live(d, a, p, o.Today)
	}
	for _, at := range days(size(120)) {
		w.addOrder(d, a, at)
	}
	if index == 0 {
		w.collect(d, a, o)
	}
	slices.SortStableFunc(a.payments, func(x, y *payment) int { return x.created.Compare(y.created) })
}

// spread are n moments of the 400 days before one, in their order; a few of them are the same.
func spread(d dice, end time.Time, n int) []time.Time {
	list := make([]time.Time, n)
	for i := range list {
		list[i] = d.moment(end.Truncate(24*time.Hour).AddDate(0, 0, -1-d.IntN(400)))
		if i > 0 && d.chance(4) {
			list[i] = list[i-1]
		}
	}
	slices.SortFunc(list, time.Time.Compare)
	return list
}

// account finds one; "" is the first.
func (w *world) account(id string) (*account, error) {
	for _, a := range w.accounts {
		if id == "" || a.id == id {
			return a, nil
		}
	}
	return nil, fmt.Errorf("the sandbox has no account %s", id)
}

var (
	firsts  = []string{"Ada", "Ben", "Chloe", "Dmitri", "Elena", "Farah", "George", "Hana", "Ivan", "Joy", "Kofi", "Lena", "Marta", "Nils", "Olga", "Pavel"}
	lasts   = []string{"Abbott", "Baker", "Chen", "Dubois", "Evans", "Fischer", "Garcia", "Haddad", "Ito", "Jensen", "Kowalski", "Lopez", "Moreau", "Novak"}
	trades  = []string{"Bakery", "Books", "Cycles", "Dental", "Flowers", "Hardware", "Optics", "Pharmacy", "Roasters", "Tools", "Travel", "Yoga"}
	places  = []string{"Maple", "Harbour", "Summit", "Lakeside", "Prairie", "Granite", "Cedar", "Northern", "Union", "Riverside"}
	cities  = []address{{city: "Knoxville", state: "TN", postcode: "37902", country: "USA"}, {city: "Chino", state: "CA", postcode: "91710", country: "USA"}, {city: "Vancouver", state: "BC", postcode: "V6B 1A1", country: "CAN"}, {city: "Québec", state: "QC", postcode: "G1R 4P5", country: "CAN"}}
	streets = []string{"Bond Street", "King Street", "5th Avenue", "Rue Saint-Jean", "Mill Road"}
)

func merchantName(d dice) string { return pick(d, places) + " " + pick(d, trades) + " Inc." }
func personName(d dice) string   { return pick(d, firsts) + " " + pick(d, lasts) }

// slug is a name as a part of an address.
func slug(name string) string {
	return strings.Trim(strings.ReplaceAll(strings.ToLower(strings.ReplaceAll(name, "Inc.", "")), " ", "-"), "-")
}

func newAddress(d dice) address {
	a := pick(d, cities)
	a.line1 = fmt.Sprintf("%d %s", d.between(1, 400), pick(d, streets))
	if d.chance(30) {
		a.line2 = fmt.Sprintf("Suite %d", d.between(2, 90))
	}
	return a
}
