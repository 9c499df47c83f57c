package exactpay_test

import (
	"testing"

	"exactduck/extract/sandbox/pay"
)

// A list for which no paging is documented may be paged all the same, and its number of rows be missing or
// that of the page: then nothing but what is behind the last row tells whether there is more.
func TestListsThatArePagedUnannounced(t *testing.T) {
	for _, counts := range []string{"absent", "page", "exact", "wrong"} {
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
