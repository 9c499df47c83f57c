package pay_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"exactduck/extract/sandbox/pay"
)

func (c *client) login(email, password string) answer {
	c.t.Helper()
	return c.send(http.MethodPost, "/token", "", map[string]string{"email": email, "password": password, "application": "admin-pwa"})
}

func TestUsersLogIn(t *testing.T) {
	c := newClient(t, pay.Options{})
	who := c.pay.Credentials()
	got := c.login(who.Email, who.Password).object(t)
	accounts, _ := got["allowedAccounts"].([]any)
	if got["type"] != "user" || got["account"] != who.Organization || got["accountType"] != "organization" || len(accounts) != 3 {
		t.Errorf("the organization's user gets %v", got)
	}
	if got["expiresAt"] != "2026-05-20T14:00:00Z" {
		t.Errorf("a token expires at %v", got["expiresAt"])
	}
	merchant, err := c.pay.Merchant("")
	if err != nil {
		t.Fatal(err)
	}
	if got := c.login(merchant.Email, merchant.Password).object(t); got["accountType"] != "account" || got["account"] != c.account() {
		t.Errorf("a merchant gets %v", got)
	}
}

func TestLoginsThatFail(t *testing.T) {
	c := newClient(t, pay.Options{})
	who := c.pay.Credentials()
	if a := c.login("nobody@exactduck.example", "x"); !a.is(404, true, "Not Found") {
		t.Errorf("a stranger: %+v", a)
	}
	a := c.send(http.MethodPost, "/token", "", map[string]string{"email": who.Email, "password": who.Password, "application": "other"})
	if !a.is(404, true, "Not Found") {
		t.Errorf("another application: %+v", a)
	}
	if a := c.send(http.MethodPost, "/token", "", map[string]string{"email": ""}); !a.is(400, false, `"issues":[`, `"too_small"`, `"path":["password"]`, `"ZodError"`) {
		t.Errorf("without a password: %+v", a)
	}
	c.set(func(w *pay.Switches) { w.PasswordExpired = true })
	if a := c.login(who.Email, who.Password); !a.is(403, true, "Forbidden") {
		t.Errorf("an old password: %+v", a)
	}
	c.set(func(w *pay.Switches) { w.PasswordExpired = false })
	for range 6 {
		if a := c.login(who.Email, "wrong"); !a.is(401, true, "Unauthorized") {
			t.Errorf("a wrong password: %+v", a)
		}
	}
	if a := c.login(who.Email, who.Password); !a.is(423, true, "Locked") {
		t.Errorf("after six of them: %+v", a)
	}
	if err := c.pay.Unlock(); err != nil {
		t.Fatal(err)
	}
	if a := c.login(who.Email, who.Password); a.status != http.StatusCreated {
		t.Errorf("unlocked: %+v", a)
	}
}

func TestUserTokensEnd(t *testing.T) {
	for _, test := range []struct {
		name   string
		rules  pay.Switches
		pauses []time.Duration // before requests, of which the last one is refused
	}{
		{"unused", pay.Switches{}, []time.Duration{2*time.Hour - time.Second, 2*time.Hour - time.Second, 2 * time.Hour}},
		{"short", pay.Switches{TokenLife: 30 * time.Minute}, []time.Duration{29 * time.Minute, 30 * time.Minute}},
		{"rigid", pay.Switches{TokenLife: time.Hour, TokenRigid: true}, []time.Duration{59 * time.Minute, time.Minute}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newClient(t, pay.Options{Switches: test.rules})
			who := c.pay.Credentials()
			c.token, _ = c.login(who.Email, who.Password).object(t)["token"].(string)
			for i, pause := range test.pauses {
				c.now = c.now.Add(pause)
				if a := c.get("/customer"); (a.status == http.StatusOK) != (i < len(test.pauses)-1) {
					t.Errorf("request %d after %v: %d %s", i, pause, a.status, a.body)
				}
			}
			c.token = c.issue("")
			c.now = c.now.AddDate(5, 0, 0)
			if a := c.get("/customer"); a.status != http.StatusOK {
				t.Errorf("application tokens end: %d", a.status)
			}
		})
	}
}

func TestTokensAreRaw(t *testing.T) {
	c := newClient(t, pay.Options{})
	good := c.token
	for _, token := range []string{"", "Bearer " + good, "bearer " + good, "Basic " + good, good[:79]} {
		c.token = token
		if a := c.get("/customer"); !a.is(401, true, "Unauthorized") {
			t.Errorf("%q: %+v", token, a)
		}
		if a := c.get("/payments"); !a.is(403, false, "payments-forbidden-error", "authorization-error", "requestId") {
			t.Errorf("%q: %+v", token, a)
		}
	}
	c.set(func(w *pay.Switches) { w.Payments401 = true })
	if a := c.get("/payments"); !a.is(401, true, "Unauthorized") {
		t.Errorf("with the switch: %+v", a)
	}
}

func (c *client) makeToken(path, label string, permissions ...string) answer {
	c.t.Helper()
	return c.send(http.MethodPost, path, c.token, map[string]any{"label": label, "permissions": permissions})
}

func TestApplicationTokens(t *testing.T) {
	c := newClient(t, pay.Options{})
	user := c.token
	made := c.makeToken("/application/admin-pwa/token", "reader", "customers.read", "application-tokens.read", "application-tokens.create", "application-tokens.delete")
	if made.status != http.StatusCreated || made.object(t)["type"] != "application" {
		t.Fatalf("making one: %+v", made)
	}
	c.token, _ = made.object(t)["token"].(string)
	if a := c.get("/customer"); a.status != http.StatusOK {
		t.Errorf("what it may: %+v", a)
	}
	if a := c.get("/payments"); !a.is(403, false, "payments-forbidden-error") {
		t.Errorf("what it may not: %+v", a)
	}
	if a := c.makeToken("/application/admin-pwa/token", "more", "charges.read"); !a.is(401, true, "Unauthorized") {
		t.Errorf("more than its maker: %+v", a)
	}
	rows := c.rows("/application/admin-pwa/token", "$sort", "label")
	if len(rows) != 2 || rows[1]["label"] != "reader" || rows[1]["token"] != nil || len(rows[1]["allowedPermissions"].([]any)) != 4 {
		t.Errorf("the list is %v", rows)
	}
	own, _ := made.object(t)["id"].(string)
	if a := c.send(http.MethodDelete, "/application/admin-pwa/token/"+own, user, nil); a.status != http.StatusNoContent || a.body != "" {
		t.Errorf("deleting: %+v", a)
	}
	if a := c.send(http.MethodDelete, "/application/admin-pwa/token/"+own, user, nil); !a.is(404, true, "Not Found") {
		t.Errorf("deleting again: %+v", a)
	}
	if a := c.get("/customer"); !a.is(401, true, "Unauthorized") {
		t.Errorf("a deleted one: %+v", a)
	}
}

func TestTokensThatCannotBeMade(t *testing.T) {
	c := newClient(t, pay.Options{})
	for _, test := range []struct {
		path string
		body any
		want []string
	}{
		{"/application/admin-pwa/token", map[string]any{}, []string{`"path":["label"]`, `"path":["permissions"]`, "ZodError"}},
		{"/application/admin-pwa/token", map[string]any{"label": "", "permissions": []string{}}, []string{"too_small", `"path":["permissions"]`}},
		{"/application/admin-pwa/token", map[string]any{"label": "x", "permissions": []string{"charges.read", "all"}}, []string{"invalid_enum_value", `"path":["permissions",1]`}},
		{"/application/admin-pwa/token", "text", []string{"Expected object"}},
	} {
		if a := c.send(http.MethodPost, test.path, c.token, test.body); !a.is(400, false, test.want...) {
			t.Errorf("%v: %+v", test.body, a)
		}
	}
	if a := c.makeToken("/application/other/token", "x", "charges.read"); !a.is(404, true, "Not Found") {
		t.Errorf("another application: %+v", a)
	}
}

func TestBoundTokens(t *testing.T) {
	c := newClient(t, pay.Options{})
	first, second := c.pay.Accounts()[0], c.pay.Accounts()[1]
	whole := c.makeToken("/application/admin-pwa/organization/"+c.pay.Credentials().Organization+"/token", "all", "charges.read")
	if accounts, _ := whole.object(t)["allowedAccounts"].([]any); len(accounts) != 3 {
		t.Errorf("the organization's: %v", whole.body)
	}
	made := c.makeToken("/application/admin-pwa/account/"+second+"/token", "second", "charges.read", "customers.read", "accounts.read", "application-tokens.create").object(t)
	if accounts, _ := made["allowedAccounts"].([]any); len(accounts) != 1 || accounts[0] != second {
		t.Errorf("the account's: %v", made)
	}
	c.token, _ = made["token"].(string)
	if own, all := c.rows("/payments", "$limit", "1000"), c.pay.Records(second, "payments"); len(own) != min(100, len(all)) || own[0]["accountId"] != second {
		t.Errorf("its own payments are %d of %d", len(own), len(all))
	}
	if a := c.get("/account/" + first + "/payments"); !a.is(403, false, "Account not found", "payments-forbidden-error") {
		t.Errorf("another account's payments: %+v", a)
	}
	if a := c.get("/account/" + first + "/customer"); !a.is(401, true, "Unauthorized") {
		t.Errorf("another account's customers: %+v", a)
	}
	if a := c.get("/organization/" + c.pay.Credentials().Organization + "/account"); !a.is(401, true, "Unauthorized") {
		t.Errorf("the organization's accounts: %+v", a)
	}
	if a := c.makeToken("/application/admin-pwa/account/"+first+"/token", "x", "charges.read"); !a.is(401, true, "Unauthorized") {
		t.Errorf("a token for another account: %+v", a)
	}
}

func TestPermissionsTakenAway(t *testing.T) {
	c := newClient(t, pay.Options{})
	if err := c.pay.Deny("customers.read"); err != nil {
		t.Fatal(err)
	}
	if a := c.get("/customer"); !a.is(401, true, "Unauthorized") {
		t.Errorf("denied: %+v", a)
	}
	c.set(func(w *pay.Switches) { w.Lacking = http.StatusForbidden })
	if a := c.get("/customer"); !a.is(403, true, "Forbidden") {
		t.Errorf("denied, with the switch: %+v", a)
	}
	if allowed := c.rows("/application/admin-pwa/token")[0]["allowedPermissions"].([]any); slices.Contains(allowed, any("customers.read")) {
		t.Error("the list of tokens has it still")
	}
	if err := c.pay.Grant("customers.read"); err != nil {
		t.Fatal(err)
	}
	if a := c.get("/customer"); a.status != http.StatusOK {
		t.Errorf("granted again: %+v", a)
	}
	if err := c.pay.Revoke(); err != nil {
		t.Fatal(err)
	}
	if a := c.get("/customer"); a.status != http.StatusUnauthorized {
		t.Errorf("revoked: %+v", a)
	}
}
