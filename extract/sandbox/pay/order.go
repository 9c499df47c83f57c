package pay

import "time"

// order is what is to be paid. When it was made does not show, nor when it changed.
type order struct {
	account             *account
	id, payment         string // payment: "" until it is paid
	created             time.Time
	status              string
	amount, tax         int64
	capture             bool
	description         string
	customerRef, number string
	access              string
	expires             time.Time
	payer               string
	payerAddress        address
	items               []item
	tracking            string
}

// item is a line of an order.
type item struct {
	product, about string
	quantity, cost int64
}

func (w *world) addOrder(d dice, a *account, at time.Time) *order {
	o := &order{
		account: a, id: orderID(d), created: at, status: "awaiting_payment", amount: int64(d.between(500, 200_000)), capture: d.chance(80),
		description: pick(d, trades) + " goods", customerRef: "C-" + d.digits(5), number: d.digits(8), access: d.hex(8), expires: at.Add(time.Hour).Truncate(time.Second),
		payer: personName(d), payerAddress: newAddress(d),
	}
	o.tax = o.amount * 13 / 113
	for range d.IntN(3) {
		o.items = append(o.items, item{d.digits(4), pick(d, trades), int64(d.between(1, 5)), int64(d.between(100, 9_000))})
	}
	if d.chance(30) {
		o.tracking = "T" + d.digits(9)
	}
	if d.chance(60) {
		o.pay(w, d)
	}
	a.orders = append(a.orders, o)
	return o
}

// orderID is like a UUID. In one of ten it is none: the documentation has such an example.
func orderID(d dice) string {
	id := []byte(d.uuid())
	if d.chance(10) {
		id[len(id)-3] = 's'
	}
	return string(id)
}

// pay marks an order as paid, of which nothing tells the time.
func (o *order) pay(w *world, d dice) { o.status, o.payment = "completed", w.id(d, o.created) }

func (o *order) ident() string   { return o.id }
func (o *order) born() time.Time { return o.created }

func (o *order) quick(string) (any, bool) { return nil, false }

func (o *order) shown() object {
	x := object{
		"id": o.id, "status": o.status, "accessToken": object{"token": o.access, "expires_at": o.expires},
		"amount": o.amount, "taxAmount": o.tax, "capture": o.capture, "description": o.description,
		"reference": object{"customerRef": o.customerRef, "referenceNo": o.number},
		"billing":   object{"name": o.payer, "email": slug(o.payer) + "@post.example", "phone": "5556178190", "phoneType": "H", "address": o.payerAddress.shown("countryCode")},
		"options":   object{"ecommerceFlag": "7"},
	}
	if o.tracking != "" {
		x["options"].(object)["orderTrackingNumber"] = o.tracking
	}
	if o.payment != "" {
		x["paymentId"] = o.payment
	}
	if len(o.items) > 0 {
		x["level3"] = o.level3()
	}
	return x
}

func (o *order) level3() object {
	lines := []any{}
	for _, i := range o.items {
		lines = append(lines, object{
			"productCode": i.product, "description": i.about, "quantity": i.quantity, "unitCost": i.cost, "lineItemTotal": i.quantity * i.cost,
			"discountIndicator": false, "grossNetIndicator": true, "taxRate": 0.13,
		})
	}
	return object{"taxAmount": o.tax, "taxRate": 0.13, "freightAmount": int64(0), "lineItems": lines}
}
