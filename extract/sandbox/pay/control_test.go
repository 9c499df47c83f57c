package pay_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"exactduck/extract/sandbox/internal/switches"
	"exactduck/extract/sandbox/pay"
)

func (c *client) post(control string) answer {
	c.t.Helper()
	return c.send(http.MethodPost, "/_sandbox/pay/"+control, "", nil)
}

func TestControls(t *testing.T) {
	c := newClient(t, pay.Options{})
	before := len(c.pay.Records("", "payments"))
	for _, control := range []string{
		"change?resource=payments&insert=3&before=2d", "set?filters=ignored&sorts=plain+colon&token_life=30m", "deny?permission=customers.read",
		"fault?kind=500&path=/orders&times=2&delay=1ms", "unlock",
	} {
		if a := c.post(control); a.status != http.StatusOK {
			t.Errorf("%s: %+v", control, a)
		}
	}
	if got := len(c.pay.Records("", "payments")); got != before+3 {
		t.Errorf("there are %d payments", got)
	}
	for path, status := range map[string]int{"/customer": 401, "/orders": 500, "/payments?type=none": 200} {
		if a := c.get(path); a.status != status {
			t.Errorf("%s: %+v", path, a)
		}
	}
	for control, want := range map[string]string{
		"change?resource=nothing": "only accounts customers", "change?reource=payments": "there is no switch reource",
		"change?resource=payments&insert=many": "is no number", "set?filters=maybe": "is none of obeyed", "set?nothing=1": "no switch nothing",
		"deny?permission=everything": "no permission", "fault?kind=flood": "is none of 500",
	} {
		if a := c.post(control); !a.is(400, false, want) {
			t.Errorf("%s: %+v", control, a)
		}
	}
	if a := c.post("nothing"); a.status != http.StatusNotFound {
		t.Errorf("nothing: %+v", a)
	}
	if a := c.send(http.MethodGet, "/_sandbox/pay/calls", "", nil); !strings.Contains(a.body, `"/customer":1`) || strings.Contains(a.body, "_sandbox") {
		t.Errorf("calls: %+v", a)
	}
	if a := c.send(http.MethodGet, "/_sandbox/pay/login", "", nil); !strings.Contains(a.body, c.pay.Credentials().Password) {
		t.Errorf("login: %+v", a)
	}
}

// Other machines and pages of others in a browser cannot steer it.
func TestControlsAreForThisMachine(t *testing.T) {
	c := newClient(t, pay.Options{})
	for address, origin := range map[string]string{"192.0.2.1:1234": "", "127.0.0.1:1234": "https://elsewhere.example"} {
		request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/_sandbox/pay/revoke", nil)
		request.RemoteAddr = address
		request.Header.Set("Origin", origin)
		recorder := httptest.NewRecorder()
		if c.pay.ServeHTTP(recorder, request); recorder.Code != http.StatusForbidden {
			t.Errorf("%s %s: %d", address, origin, recorder.Code)
		}
	}
}

func TestOverSockets(t *testing.T) {
	c := newClient(t, pay.Options{})
	server := httptest.NewServer(c.pay)
	defer server.Close()
	ask := func(path string) (int, error) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", c.token)
		a, err := server.Client().Do(request)
		if err != nil {
			return 0, err
		}
		return a.StatusCode, a.Body.Close()
	}
	if status, err := ask("/payments"); status != http.StatusOK || err != nil {
		t.Errorf("%d, %v", status, err)
	}
	c.pay.Fault(pay.Fault{Kind: pay.Cut, Delay: time.Millisecond, Times: -1})
	if status, err := ask("/payments"); err == nil {
		t.Errorf("a broken connection answers %d", status)
	}
}

func TestManual(t *testing.T) {
	manual := pay.Manual()
	for _, name := range append(switches.Names(&pay.Switches{}), pay.FaultKinds...) {
		if !strings.Contains(manual, name) {
			t.Errorf("the manual has no %s", name)
		}
	}
	if names := switches.Names(&pay.Switches{}); strings.Count(manual[strings.Index(manual, "Switches:"):], "\n   ") != len(names) {
		t.Errorf("the manual has others than the %d switches", len(names))
	}
	var o pay.Options
	if err := o.Set("natural", "newest"); err != nil || o.Natural != "newest" {
		t.Errorf("%v %+v", err, o.Switches)
	}
	if err := o.Set("natural", "random"); err == nil || o.Natural != "newest" {
		t.Errorf("%v %+v", err, o.Switches)
	}
}

func TestServes(t *testing.T) {
	for path, want := range map[string]bool{
		"/token": true, "/application/x/token": true, "/account/x/payments": true, "/organization/x/account": true, "/payments": true,
		"/orders": true, "/customer/x": true, "/mcc": true, "/status": true, "/onboarding": true, "/_sandbox/pay/calls": true,
		"/api/v1/123/crm/Accounts": false, "/api/oauth2/token": false, "/_sandbox/calls": false, "/": false, "": false, "/tokens": false,
	} {
		if pay.Serves(path) != want {
			t.Errorf("%q: %v", path, !want)
		}
	}
}
