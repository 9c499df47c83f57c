package pay

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"exactduck/extract/sandbox/internal/wire"
)

func (s *Sandbox) listAccounts(v *visit) *wire.Reply {
	s.stir("accounts", nil)
	return v.whole(rowsFrom(s.world.accounts))
}

// searchAccounts looks for a text in what accounts are called and reached by.
func (s *Sandbox) searchAccounts(v *visit) *wire.Reply {
	wanted := strings.ToLower(v.request.URL.Query().Get("q"))
	return v.whole(rowsFrom(slices.DeleteFunc(slices.Clone(s.world.accounts), func(a *account) bool {
		return !strings.Contains(strings.ToLower(a.name+"\n"+a.phone+"\n"+a.email+"\n"+a.site), wanted)
	})))
}

func (s *Sandbox) showAccount(v *visit) *wire.Reply {
	return jsonReply(http.StatusOK, s.accountsOf(v)[0].shown())
}

// listApplicants lists those of the organization; of an account's token, its own.
func (s *Sandbox) listApplicants(v *visit) *wire.Reply {
	return v.list(rowsFrom(slices.DeleteFunc(slices.Clone(s.world.applicants), func(o *onboarding) bool {
		return v.token.Account != s.world.organization && v.token.Account != o.account
	})))
}

func (s *Sandbox) showApplicant(v *visit) *wire.Reply {
	for _, o := range s.world.applicants {
		if o.id == v.params["id"] {
			return jsonReply(http.StatusOK, o.detailed())
		}
	}
	return v.nowhere("")
}

func (s *Sandbox) listPayments(v *visit) *wire.Reply {
	var rows []row
	for _, a := range s.accountsOf(v) {
		s.stir("payments", a)
		rows = append(rows, s.payments(a)...)
	}
	return v.list(rows)
}

func (s *Sandbox) showPayment(v *visit) *wire.Reply {
	for _, a := range s.accountsOf(v) {
		for _, p := range a.payments {
			if p.id == v.params["id"] {
				return jsonReply(http.StatusOK, p.shown())
			}
		}
	}
	return v.nowhere("No payment found.")
}

func (s *Sandbox) listCustomers(v *visit) *wire.Reply {
	var rows []row
	for _, a := range s.accountsOf(v) {
		s.stir("customers", a)
		rows = append(rows, rowsFrom(a.customers)...)
	}
	r := v.list(rows)
	if r.Status != http.StatusOK {
		return r
	}
	if _, named := v.params["account"]; named && s.switches.CustomerCreated {
		r.Status = http.StatusCreated
	}
	if s.switches.CustomerObject && len(rows) == 1 && len(r.Body) > len("[]") {
		r.Body = r.Body[1 : len(r.Body)-1]
	}
	return r
}

// customerOf is the one in the path; nil: there is none.
func (s *Sandbox) customerOf(v *visit) *customer {
	for _, a := range s.accountsOf(v) {
		if c := a.customer(v.params["id"]); c != nil {
			return c
		}
	}
	return nil
}

func (s *Sandbox) showCustomer(v *visit) *wire.Reply {
	if c := s.customerOf(v); c != nil {
		return jsonReply(http.StatusOK, c.shown())
	}
	return v.nowhere("")
}

func (s *Sandbox) listMethods(v *visit) *wire.Reply {
	c := s.customerOf(v)
	if c == nil {
		return v.nowhere("")
	}
	v.entire = true
	return v.list(rowsFrom(c.methods))
}

// listPaid lists the payments of a customer.
func (s *Sandbox) listPaid(v *visit) *wire.Reply {
	c := s.customerOf(v)
	if c == nil {
		return v.nowhere("")
	}
	var rows []row
	for _, a := range s.accountsOf(v) {
		rows = append(rows, slices.DeleteFunc(s.payments(a), func(r row) bool { return r.(*payment).customer != c })...)
	}
	return v.list(rows)
}

func (s *Sandbox) showOrder(v *visit) *wire.Reply {
	for _, o := range s.accountsOf(v)[0].orders {
		if o.id == v.params["order"] {
			return jsonReply(http.StatusOK, o.shown())
		}
	}
	return v.nowhere("")
}

// longest is how many months a window of orders may be.
const longest = 6

// listOrders lists those of a window of time, in a shape of its own.
func (s *Sandbox) listOrders(v *visit) *wire.Reply {
	q, bad := parse(v.request.URL.RawQuery, "from", "to")
	if bad != nil {
		return v.invalid(bad.parameter, bad.message)
	}
	from, to, bad := s.window(q)
	if bad != nil {
		return v.invalid(bad.parameter, bad.message)
	}
	var rows []row
	for _, a := range s.accountsOf(v) {
		s.stir("orders", a)
		for _, o := range a.orders {
			late := o.created.After(to) || s.switches.ExclusiveTo && o.created.Equal(to)
			if !o.created.Before(from) && !late {
				rows = append(rows, o)
			}
		}
	}
	page, total, refused := v.page(q, rows)
	if refused != nil {
		return refused
	}
	answer := object{"results": page}
	if n := s.switches.count(total, len(page)); n >= 0 {
		answer["available"] = int64(n)
	}
	return jsonReply(http.StatusOK, answer)
}

// window is the time that orders are asked for: the last month unless the query says otherwise.
func (s *Sandbox) window(q *query) (from, to time.Time, bad *misfit) {
	from, to = s.now().AddDate(0, -1, 0), s.now()
	for name, at := range map[string]*time.Time{"from": &from, "to": &to} {
		text, given := q.plain[name]
		if !given || slices.Contains(s.switches.IgnoredFilters, name) {
			continue
		}
		t, err := parseTime(text)
		if err != nil {
			return from, to, &misfit{name, "Invalid date"}
		}
		*at = t
	}
	if to.After(from.AddDate(0, longest, 0)) {
		return from, to, &misfit{"from", "Date range must be no more than six months"}
	}
	return from, to, nil
}

// stir lets a row appear or vanish before a list is answered, as the switches say.
func (s *Sandbox) stir(resource string, a *account) {
	s.listed++
	c := Change{Resource: resource}
	if a != nil {
		c.Account = a.id
	}
	if n := s.switches.Appear; n > 0 && s.listed%n == 0 {
		c.Insert = 1
	}
	if n := s.switches.Vanish; n > 0 && s.listed%n == 0 {
		c.Delete = 1
	}
	if c.Insert+c.Delete == 0 {
		return
	}
	_ = s.do(step{Op: "change", Change: &c, Number: s.number + 1}) // what could not be written down has not happened
}
