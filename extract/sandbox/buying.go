package sandbox

import (
	"maps"
	"time"
)

// openPeriods makes the financial years of the company, which are calendar years of twelve months:
// from the one in which it was founded to the next.
func (b *books) openPeriods() {
	d := b.division
	dice := newDice(d.seed, "periods")
	for year := b.began().time().Year(); year <= d.today.Year()+1; year++ {
		for month := time.January; month <= time.December; month++ {
			d.insert("financial/FinancialPeriods", b.began(), fields{
				"ID": dice.guid(), "FinYear": year, "FinPeriod": int(month),
				"StartDate": midnight(year, month, 1), "EndDate": midnight(year, month+1, 0),
			})
		}
	}
}

func midnight(year int, month time.Month, day int) stamp {
	return stamp(time.Date(year, month, day, 0, 0, 0, 0, time.UTC).UnixMilli())
}

// Exact's states of an order, and of how far it was received and invoiced.
const open, partial, complete = 10, 20, 30

// orderLine is a line of a purchase order.
type orderLine struct {
	item               party
	quantity, received int
	net, vat           cents
}

// order orders goods from a supplier. After ten days some have come, after thirty all have and are
// invoiced. An order is a promise, and nothing of it is in the ledger.
func (b *books) order(date stamp) {
	dice, rate := b.orders, &vatCodes[4]
	p := &posting{kind: "order"}
	made, supplier := clock(date, dice), pick(dice, b.suppliers)
	state := open
	switch days := int(b.division.date(0)-date) / (86400 * 1000); {
	case days > 30:
		state = complete
	case days > 10:
		state = partial
	}
	var lines []orderLine
	for range 1 + dice.n(3) {
		l := orderLine{item: pick(dice, b.wares), quantity: 2 + dice.n(40)}
		l.received = map[int]int{open: 0, partial: l.quantity / 2, complete: l.quantity}[state]
		l.net = l.item.price * 6 / 10 * cents(l.quantity)
		l.vat = rate.over(l.net)
		lines = append(lines, l)
		b.traded[l.item.id] = true
	}
	b.traded[supplier.id] = true
	b.orderNo++
	head := b.orderFields(supplier, date, state, lines)
	b.record(p, "purchaseorder/PurchaseOrders", made, head)
	sync := fields{"ID": dice.guid(), "LineNumber": 0}
	maps.Copy(sync, head)
	b.record(p, "purchaseorder/PurchaseOrdersSync", made, sync)
	for i, l := range lines {
		f := l.fields(i+1, state, rate)
		f["ID"], f["PurchaseOrderID"], f["ReceiptDate"] = dice.guid(), head["PurchaseOrderID"], head["ReceiptDate"]
		b.record(p, "purchaseorder/PurchaseOrderLines", made, f)
		maps.Copy(sync, f)
		b.record(p, "purchaseorder/PurchaseOrdersSync", made, sync)
	}
	b.postings = append(b.postings, p)
}

func (b *books) orderFields(supplier party, date stamp, state int, lines []orderLine) fields {
	var net, vat cents
	for _, l := range lines {
		net, vat = net+l.net, vat+l.vat
	}
	return fields{
		"PurchaseOrderID": b.orders.guid(), "OrderNumber": b.orderNo, "OrderDate": date, "ReceiptDate": date.plus(14), "Supplier": supplier.id,
		"SupplierCode": supplier.code, "SupplierName": supplier.name, "Currency": "EUR", "ExchangeRate": 1, "AmountDC": net + vat,
		"AmountFC": net + vat, "AmountFCExclVat": net, "VATAmount": vat, "AmountDiscount": 0, "Discount": 0, "OrderStatus": state,
		"ReceiptStatus": state, "InvoiceStatus": map[int]int{open: open, partial: open, complete: complete}[state], "Source": 1,
		"Description": "Inkooporder", "DropShipment": false, "PaymentCondition": "30", "PaymentConditionDescription": "30 dagen",
		"PurchaseAgent": userID, "PurchaseAgentFullName": userName, "PurchaseOrderLineCount": len(lines),
	}
}

func (l orderLine) fields(number, state int, rate *vatCode) fields {
	price := l.item.price * 6 / 10
	return fields{
		"LineNumber": number, "Item": l.item.id, "ItemCode": l.item.code, "ItemDescription": l.item.name, "Description": l.item.name,
		"Quantity": l.quantity, "QuantityInPurchaseUnits": l.quantity, "ReceivedQuantity": l.received,
		"InvoicedQuantity": map[int]int{complete: l.quantity}[state], "UnitPrice": price, "NetPrice": price, "AmountDC": l.net, "AmountFC": l.net,
		"VATAmount": l.vat, "VATCode": rate.code, "VATDescription": rate.name, "VATPercentage": rate.rate, "Unit": "stuk", "UnitDescription": "Stuks",
	}
}
