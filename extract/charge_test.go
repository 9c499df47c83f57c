package extract

import (
	"testing"
	"time"

	"exactduck/extract/ledger"
	"exactduck/schema"
)

// A call of the connection's own that the vendor counts in a division is not one of others.
func TestChargedCallsAreOurs(t *testing.T) {
	now := time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)
	book := ledger.New("", nil)
	o := Options{Ledger: book, Clock: func() time.Time { return now }}
	o.fill()
	l := newLimiter(o)
	const division = schema.Scope("123456")
	l.Charge(t.Context(), division)
	permit, err := l.Take(t.Context(), division, "sync/crm/Accounts")
	if err != nil {
		t.Fatal(err)
	}
	parked := permit.Learn(t.Context(), Report{Sent: now, Received: now, Date: now, Status: 200, Rates: Rates{
		Day: ledger.Rate{Limit: 5000, Remaining: 4998, Reset: now.Add(21 * time.Hour)}, Minute: ledger.Rate{Limit: 60, Remaining: 58, Reset: now.Add(time.Minute)},
	}})
	if parked != nil {
		t.Error(parked)
	}
	a, found, err := book.Read(division)
	if err != nil || !found || a.Day.Ours != 2 || a.Day.Others != 0 || a.Minute.Others != 0 {
		t.Errorf("the account is %+v, %t, %v", a, found, err)
	}
}
