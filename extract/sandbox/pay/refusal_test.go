package pay_test

import (
	"net/http"
	"strings"
	"testing"

	"exactduck/extract/sandbox/pay"
)

const nobody = "000000000000000000000000"

// Each path refuses in its own way.
func TestRefusals(t *testing.T) {
	c := newClient(t, pay.Options{})
	a, o := c.account(), c.pay.Credentials().Organization
	poor := c.issue("", "events.read")
	const forbidden, cast = `"payments-forbidden-error"`, "CastError: Cast to ObjectId failed for value"
	for _, test := range []struct {
		path, token string
		status      int
		plain       bool
		want        []string
	}{
		{"/account/" + a + "/payments", poor, 403, false, []string{forbidden, "requestId"}},
		{"/payments/" + nobody, poor, 403, false, []string{forbidden}},
		{"/orders", poor, 403, false, []string{`"order-forbidden-error"`}},
		{"/account/" + a + "/customer", poor, 401, true, []string{"Unauthorized"}},
		{"/organization/" + o + "/account", poor, 401, true, []string{"Unauthorized"}},
		{"/organization/" + o + "/onboarding", poor, 401, true, []string{"Unauthorized"}},
		{"/account/" + a[1:] + "/payments", c.token, 500, false, []string{cast, `"system-error"`, `"unhandled"`, a[1:]}},
		{"/account/" + strings.ToUpper(a) + "/payments", c.token, 500, false, []string{cast}},
		{"/payments/x", c.token, 500, false, []string{cast}},
		{"/account/x/customer", c.token, 500, true, []string{"Internal Server Error"}},
		{"/customer/x", c.token, 500, true, []string{"Internal Server Error"}},
		{"/organization/x/account", c.token, 500, true, []string{"Internal Server Error"}},
		{"/organization/x/onboarding", c.token, 500, false, []string{`"system-error"`, "Cast Error"}},
		{"/account/" + nobody + "/payments", c.token, 404, false, []string{"resource-not-found-error", "payments-not-found-error", "No account found."}},
		{"/payments/" + nobody, c.token, 404, false, []string{"payments-not-found-error"}},
		{"/account/" + a + "/orders/none", c.token, 404, false, []string{"order-validation-error", "Unable to find specified order.", "metadata"}},
		{"/account/" + nobody + "/customer", c.token, 404, true, []string{"Not Found"}},
		{"/customer/" + nobody + "/payment-method", c.token, 404, true, []string{"Not Found"}},
		{"/organization/" + nobody + "/account", c.token, 404, true, []string{"Not Found"}},
		{"/payments?$limit=many", c.token, 400, false, []string{`"pathIssues"`, `"$limit"`, "validation-error"}},
		{"/customer?$skip=-1", c.token, 400, false, []string{`{"messages":["$skip`}},
		{"/onboarding?$limit=x", c.token, 400, false, []string{`"issues"`, "ZodError"}},
		{"/orders?from=soon", c.token, 400, false, []string{"order-validation-error", "metadata", "Invalid date"}},
		{"/webhook", c.token, 404, true, []string{"Not Found"}},
		{"/account//payments", c.token, 404, true, []string{"Not Found"}},
	} {
		if got := c.send(http.MethodGet, test.path, test.token, nil); !got.is(test.status, test.plain, test.want...) {
			t.Errorf("%s answers %d %q, not %d %q", test.path, got.status, got.body, test.status, test.want)
		}
	}
	if got := c.send(http.MethodPost, "/payments", c.token, nil); got.status != http.StatusNotFound {
		t.Errorf("a payment can be made: %+v", got)
	}
}

func TestOpenToAll(t *testing.T) {
	c := newClient(t, pay.Options{})
	c.token = ""
	if a := c.get("/status"); a.body != `{"status":"OK"}` {
		t.Errorf("status: %+v", a)
	}
	if rows := c.rows("/mcc"); len(rows) != len(c.pay.Records("", "mcc")) || rows[0]["description"] == nil {
		t.Errorf("mcc: %v", rows)
	}
}

func TestRateLimit(t *testing.T) {
	c := newClient(t, pay.Options{Switches: pay.Switches{RateLimit: 3}})
	for range 3 {
		c.rows("/customer")
	}
	if a := c.get("/customer"); !a.is(429, true, "Too Many Requests") || a.header.Get("Retry-After") != "60" {
		t.Errorf("the fourth: %+v", a)
	}
	other := c.issue("")
	if a := c.send(http.MethodGet, "/customer", other, nil); a.status != http.StatusOK {
		t.Errorf("another token: %+v", a)
	}
	c.set(func(w *pay.Switches) { w.BareLimits = true })
	if a := c.get("/customer"); a.status != http.StatusTooManyRequests || a.header.Get("Retry-After") != "" {
		t.Errorf("bare: %+v", a)
	}
	c.now = c.now.Add(60e9)
	c.rows("/customer")
}

func TestDisabledAccounts(t *testing.T) {
	c := newClient(t, pay.Options{})
	second := c.pay.Accounts()[1]
	own := c.issue(second)
	who, err := c.pay.Merchant(second)
	if err != nil {
		t.Fatal(err)
	}
	c.change(pay.Change{Account: second, Resource: "accounts", Disable: 1})
	rows := c.rows("/organization/" + c.pay.Credentials().Organization + "/account")
	if rows[1]["isDisabled"] != true || rows[1]["disabledAt"] != "2026-05-20T12:00:00Z" || rows[1]["updatedAt"] != rows[1]["disabledAt"] {
		t.Errorf("the account is %v", rows[1])
	}
	if a := c.send(http.MethodGet, "/payments", own, nil); a.status != http.StatusForbidden {
		t.Errorf("its own token: %+v", a)
	}
	if a := c.login(who.Email, who.Password); !a.is(401, true, "Unauthorized") {
		t.Errorf("its user: %+v", a)
	}
	c.rows("/account/" + second + "/payments")
	c.set(func(w *pay.Switches) { w.DisabledRefused = true })
	if a := c.get("/account/" + second + "/payments"); !a.is(403, false, "Account not found") {
		t.Errorf("its payments, with the switch: %+v", a)
	}
}
