package pay

import (
	"slices"
	"time"
)

// customer is somebody who pays an account more than once.
type customer struct {
	id, token, name, email, phone string
	addresses                     []address
	created, updated              time.Time
	methods                       []*method
}

// method is a card or a bank account that a customer has stored. Without a kind it is a card.
type method struct {
	owner            *customer
	token, label     string
	card             card
	bank             bool // an account of a bank instead of a card
	first            bool
	created, updated time.Time
}

func (w *world) addCustomer(d dice, a *account, at time.Time) *customer {
	name := personName(d)
	c := &customer{
		id: w.id(d, at), token: w.id(d, at), name: name, email: slug(name) + d.digits(2) + "@post.example", phone: "555" + d.digits(7), created: at, updated: at,
	}
	for range d.between(0, 2) {
		c.addresses = append(c.addresses, newAddress(d))
	}
	for range d.between(0, 2) {
		c.addMethod(d, at)
	}
	a.customers = append(a.customers, c)
	return c
}

func (c *customer) addMethod(d dice, at time.Time) {
	m := &method{owner: c, token: d.uuid(), card: newCard(d, c.name, at), bank: d.chance(20), first: len(c.methods) == 0, created: at, updated: at}
	m.label = m.card.brand + " " + m.card.last4
	c.methods = append(c.methods, m)
}

// rename is a change that updatedAt tells of.
func (c *customer) rename(d dice, at time.Time) {
	c.name, c.phone, c.updated = personName(d), "555"+d.digits(7), at
}

func (c *customer) ident() string   { return c.id }
func (c *customer) born() time.Time { return c.created }

func (c *customer) quick(property string) (any, bool) {
	switch property {
	case "createdAt":
		return c.created, true
	case "updatedAt":
		return c.updated, true
	case "id":
		return c.id, true
	}
	return nil, false
}

func (c *customer) shown() object {
	o := object{
		"id": c.id, "name": c.name, "email": c.email, "phone": c.phone, "token": c.token, "createdAt": c.created, "updatedAt": c.updated,
	}
	addresses := []any{}
	for i, a := range c.addresses {
		x := a.shown("country")
		x["label"], x["isDefault"] = []string{"home", "work"}[i%2], i == 0
		addresses = append(addresses, x)
	}
	o["addresses"] = addresses
	return o
}

func (a address) shown(country string) object {
	return object{"line1": a.line1, "line2": a.line2, "city": a.city, "state": a.state, "postalCode": a.postcode, country: a.country}
}

func (m *method) ident() string   { return m.token }
func (m *method) born() time.Time { return m.created }

func (m *method) quick(string) (any, bool) { return nil, false }

func (m *method) shown() object {
	o := object{
		"type": "card", "token": m.token, "label": m.label, "isDefault": m.first, "createdAt": m.created, "updatedAt": m.updated,
		"billingDetails": object{"name": m.owner.name, "email": m.owner.email, "phone": m.owner.phone},
	}
	if len(m.owner.addresses) > 0 {
		o["billingDetails"].(object)["address"] = m.owner.addresses[0].shown("countryCode")
	}
	if m.bank {
		o["type"], o["ach"] = "ach", object{"bankAccountType": "checking", "lastFour": m.card.last4, "verified": m.card.numeric}
		return o
	}
	o["card"] = object{
		"brand": m.card.brand, "lastFour": m.card.last4, "expiry": object{"month": int64(m.card.month), "year": int64(m.card.year)},
		"checks": object{"cvcCheck": "full-match", "addressCheck": "not-verified"}, "tokenType": "platform",
	}
	return o
}

func (a *account) customer(id string) *customer {
	i := slices.IndexFunc(a.customers, func(c *customer) bool { return c.id == id })
	if i < 0 {
		return nil
	}
	return a.customers[i]
}
