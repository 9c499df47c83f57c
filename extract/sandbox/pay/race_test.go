package pay_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"exactduck/extract/sandbox/pay"
)

// Anybody may call anything at any time.
func TestEverybodyAtOnce(t *testing.T) {
	c := newClient(t, pay.Options{Scale: 0.05, Switches: pay.Switches{Appear: 2, Vanish: 3}})
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for _, path := range []string{"/payments?$sort=createdAt", "/orders", "/customer", "/application/admin-pwa/token"} {
				request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
				request.Header.Set("Authorization", c.token)
				recorder := httptest.NewRecorder()
				if c.pay.ServeHTTP(recorder, request); recorder.Code != http.StatusOK {
					text, _ := io.ReadAll(recorder.Body)
					t.Errorf("%s: %d %s", path, recorder.Code, text)
				}
			}
			if err := c.pay.Change(pay.Change{Resource: "payments", Insert: 1, Refund: 1}); err != nil {
				t.Error(err)
			}
			c.pay.Fault(pay.Fault{Kind: pay.Hang, Path: "/nowhere"})
			_, _, _, _ = c.pay.Records("0", "payments"), c.pay.Calls(), c.pay.Answers(), c.pay.Credentials()
		})
	}
	all.Wait()
}
