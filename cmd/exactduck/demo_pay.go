package main

import (
	"context"
	"slices"

	"exactduck/auth"
	"exactduck/extract/sandbox/pay"
)

// question is one that the demo asks in the end.
type question struct{ about, sql string }

// The question that takes both sources. Amounts of payments are cents; times 0.01 they are decimals,
// where a division would make floating point of them. A void is a row of its own, and pays nothing.
var paidQuestion = question{"which invoices were paid, and what went back", `SELECT i.InvoiceNumber AS invoice, i.InvoiceToName AS customer, p.currencyCode AS currency, i.AmountDC AS invoiced,
       sum(p.amount * 0.01) FILTER (p.type = 'payment') AS paid, sum(p.amount * 0.01) FILTER (p.type = 'refund') AS refunded
FROM exactpay.payments p JOIN salesinvoice.SalesInvoices i ON p.reference_customerRef = i.InvoiceNumber::VARCHAR
WHERE p.approved AND (p.captured OR p.type = 'refund') AND i._division = (SELECT min(_division) FROM salesinvoice.SalesInvoices)
GROUP BY ALL ORDER BY invoice DESC LIMIT 12`}

func (d *demo) questions() []question {
	if d.pay == nil {
		return demoQueries
	}
	return append(slices.Clone(demoQueries), paidQuestion)
}

// merchants are what is read of Exact Payments; nil: nothing.
func (d *demo) merchants() *pay.Credentials {
	if d.pay == nil {
		return nil
	}
	c := d.pay.Credentials()
	return &c
}

// loginToPay is what a person does with an e-mail address and a password.
func (d *demo) loginToPay(ctx context.Context) error {
	const connection = "payments"
	l, err := d.call.login(connection)
	if err != nil {
		return err
	}
	status, err := l.status(ctx, d.clock())
	if err != nil {
		return err
	}
	if status.LoggedIn {
		d.tell("logged in to Exact Payments already; the login is in %s", l.store.Path())
		return nil
	}
	needed, err := exactPay{}.need(d.cfg, connection)
	if err != nil {
		return err
	}
	c := d.pay.Credentials()
	if _, err := auth.PayLogin(ctx, l.pay(d.call), auth.PayUser{Email: c.Email, Password: auth.Secret(c.Password)}, needed); err != nil {
		return err
	}
	d.tell("logged in to Exact Payments with a token that may read and nothing else; it is in %s", l.store.Path())
	return nil
}
