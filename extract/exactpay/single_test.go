package exactpay_test

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"exactduck/extract/sandbox/pay"
	"exactduck/schema"
)

// A list for which no paging is documented may be paged all the same, and its number of rows be missing or
// that of the page: then nothing but what is behind the last row tells whether there is more.
func TestListsThatArePagedUnannounced(t *testing.T) {
	for _, counts := range []string{"absent", "page", "exact", "wrong", "low"} {
		t.Run(counts, func(t *testing.T) {
			m := open(t, pay.Options{Accounts: 5, Scale: 0.05, Switches: pay.Switches{PageAll: true, PageCap: 4, Counts: counts}}, nil)
			for _, stream := range []string{"exactpay/accounts", "exactpay/mcc"} {
				m.must(m.run(stream, "0", true))
				m.compare(stream, "0", "0")
			}
			places, err := m.Places(t.Context())
			m.must(err)
			if len(places) != 5 {
				t.Errorf("%d of 5 accounts are found", len(places))
			}
		})
	}
}

// Of a customer with more cards than an answer holds all are read, whatever is told of their number.
func TestCardsOnLaterPages(t *testing.T) {
	for _, counts := range []string{"absent", "page", "exact", "wrong"} {
		t.Run(counts, func(t *testing.T) {
			m := open(t, pay.Options{Accounts: 1, Scale: 0.1, Switches: pay.Switches{PageCap: 3, Counts: counts}}, nil)
			account := m.pay.Accounts()[0]
			for range 8 {
				m.must(m.pay.Change(pay.Change{Resource: "payment_methods", Insert: 3}))
			}
			m.must(m.run("exactpay/payment_methods", schema.Scope(account), true))
			m.compare("exactpay/payment_methods", account, schema.Scope(account))
		})
	}
}

// A list that comes in another order while it is asked for what is behind its last row has more rows.
func TestListsThatTurnWhileTheyAreRead(t *testing.T) {
	asked := 0
	s := serve(t, func(w http.ResponseWriter, _ string, q url.Values) {
		var rows []string
		for i := range 12 {
			rows = append(rows, fmt.Sprintf(`{"code":"%02d"}`, i))
		}
		if asked++; asked > 1 {
			slices.Reverse(rows)
		}
		var skip int
		_, _ = fmt.Sscan(q.Get("$skip"), &skip)
		rows = rows[min(skip, len(rows)):]
		_, _ = io.WriteString(w, "["+strings.Join(rows[:min(10, len(rows))], ",")+"]")
	})
	keys, _, err := all(t, s.source(nil), read(t, "mcc", "0", ""))
	slices.Sort(keys)
	if err != nil || len(slices.Compact(keys)) != 12 {
		t.Errorf("%d of 12 codes: %v", len(keys), err)
	}
}
