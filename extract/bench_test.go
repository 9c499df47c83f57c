package extract

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"exactduck/extract/ledger"
)

// What the ledger adds to a call, booking and settling it on disk, beside the cheapest HTTP call that
// there can be: a small answer over loopback.
func BenchmarkBooking(b *testing.B) {
	o := Options{Ledger: ledger.New(b.TempDir(), nil)}
	o.fill()
	l := newLimiter(o)
	now := time.Now()
	rates := Rates{
		Day:    Rate{Limit: 1 << 30, Remaining: 1 << 29, Reset: now.Truncate(24 * time.Hour).Add(24 * time.Hour)},
		Minute: Rate{Limit: 1 << 30, Remaining: 1 << 29, Reset: now.Truncate(time.Minute).Add(time.Minute)},
	}
	booking := func() {
		permit, err := l.Take(b.Context(), "123", "crm/Accounts")
		if err != nil {
			b.Fatal(err)
		}
		_ = permit.Learn(b.Context(), Report{Sent: now, Received: now, Status: http.StatusOK, Rates: rates})
	}
	booking()
	for b.Loop() {
		booking()
	}
	b.ReportMetric(float64(b.Elapsed())/float64(b.N)/float64(loopbackCall(b)), "loopback-calls/op")
}

// loopbackCall is how long a call over loopback takes.
func loopbackCall(b *testing.B) time.Duration {
	b.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"d":{"results":[]}}`)
	}))
	defer server.Close()
	const calls = 2000
	begin := time.Now()
	for range calls {
		response, err := server.Client().Get(server.URL) //nolint:noctx // the cheapest call there can be
		if err != nil {
			b.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
	}
	return time.Since(begin) / calls
}
