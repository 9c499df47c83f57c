package analytics_test

import "testing"

// The tables of another kind of source are described in its own terms.
func TestPaymentsAreDescribed(t *testing.T) {
	l := newLedger(t)
	l.stream("exactpay/payments")
	l.refresh()
	l.expect("table", "SELECT comment LIKE 'What was paid%Exact Payments: exactpay/payments. Key: paymentId.' FROM duckdb_tables() WHERE table_name = 'payments'", "true")
	for column, want := range map[string]string{
		"amount": "In the smallest unit of currencyCode: cents. A number.", "paymentId": "A string, part of the key.", "createdAt": "Date and time, in UTC.",
		"currencyCode": "A string.", "approved": "A boolean.", "_account": "The account that the row was read from; 0: it belongs to the connection, or to whatever the token itself stands for.",
	} {
		l.expect(column, "SELECT comment FROM duckdb_columns() WHERE table_name = 'payments' AND column_name = '"+column+"'", want)
	}
}
