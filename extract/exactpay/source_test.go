package exactpay_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"exactduck/extract"
	"exactduck/extract/exactpay"
	"exactduck/extract/sandbox/pay"
	"exactduck/schema"
)

func TestPlaces(t *testing.T) {
	m := open(t, pay.Options{Accounts: 3}, nil)
	ids := m.pay.Accounts()
	slices.Sort(ids)
	m.must(m.pay.Change(pay.Change{Account: ids[1], Resource: "accounts", Disable: 1}))
	places, err := m.Places(t.Context())
	m.must(err)
	var got []string
	for _, p := range places {
		if p.Name == "" || p.Code != string(p.Scope) {
			t.Errorf("%+v", p)
		}
		got = append(got, p.Code)
	}
	if !slices.Equal(got, ids) {
		t.Errorf("places are %q of %q", got, ids)
	}
	if disabled := slices.IndexFunc(places, func(p extract.Place) bool { return !p.Active }); disabled < 0 {
		t.Error("none is disabled")
	}

	const stranger = "ffffffffffffffffffffffff"
	m.connect(func(c *exactpay.Config) { c.Accounts = []string{stranger, ids[2]} })
	places, err = m.Places(t.Context())
	m.must(err)
	if len(places) != 2 || places[0].Code != ids[2] || places[0].Name == "" || places[1].Code != stranger || !places[1].Active {
		t.Errorf("%+v", places)
	}
	m.must(m.pay.Deny("accounts.read"))
	places, err = m.Places(t.Context())
	if err != nil || len(places) != 2 {
		t.Errorf("without the right to list accounts: %+v, %v", places, err)
	}
	m.connect(nil)
	if places, err := m.Places(t.Context()); err == nil {
		t.Errorf("nobody may list accounts, and there are %+v", places)
	}
	calls := fmt.Sprint(m.pay.Calls())
	m.connect(func(c *exactpay.Config) { c.Organization = "" })
	places, err = m.Places(t.Context())
	if err != nil || len(places) != 1 || places[0].Scope != "0" || fmt.Sprint(m.pay.Calls()) != calls {
		t.Errorf("what the token stands for: %+v, %v", places, err)
	}
}

// A merchant's token has no account in its addresses, and its rows are of the scope 0.
func TestMerchant(t *testing.T) {
	m := open(t, pay.Options{}, func(c *exactpay.Config) { c.Organization = "" })
	account := m.pay.Accounts()[1]
	var err error
	m.token, err = m.pay.Token(account)
	m.must(err)
	for _, stream := range []string{"exactpay/payments", "exactpay/customers", "exactpay/orders", "exactpay/payment_methods", "exactpay/mcc"} {
		m.must(m.run(stream, "0", true))
		m.compare(stream, account, "0")
	}
	r := read(t, "accounts", "0", "")
	if _, _, err := all(t, m.Source, r); !isNoOrganization(err) {
		t.Errorf("accounts without an organization: %v", err)
	}
	if _, err := m.Probe(t.Context(), "0", r.Variant); !isNoOrganization(err) {
		t.Errorf("accounts without an organization: %v", err)
	}
}

func isNoOrganization(err error) bool {
	_, ok := errors.AsType[*exactpay.NoOrganization](err)
	return ok
}

// A 401 of a token that is good for other lists is a permission that it lacks; that of one that is good
// for nothing is the end.
func TestLackingPermissionsAreNotBadTokens(t *testing.T) {
	m := open(t, pay.Options{}, nil)
	account := schema.Scope(m.pay.Accounts()[0])
	m.must(m.pay.Deny("customers.read"))
	err := m.run("exactpay/customers", account, true)
	refused, ok := errors.AsType[*extract.Refused](err)
	if !ok || refused.Status != http.StatusForbidden || errors.Is(err, extract.ErrUnauthorized) {
		t.Fatalf("a permission that lacks: %v", err)
	}
	if e, known := exactpay.Explain(err); !known || !strings.Contains(e.Means, "customers.read") {
		t.Errorf("%+v", e)
	}
	m.must(m.run("exactpay/payments", account, true))
	m.must(m.pay.Grant("customers.read"))
	m.must(m.run("exactpay/customers", account, true))
	m.must(m.pay.Deny("charges.read"))
	err = m.run("exactpay/payments", account, true)
	if refused, ok := errors.AsType[*extract.Refused](err); !ok || refused.Status != http.StatusForbidden || refused.Reason != "payments-forbidden-error" || !strings.Contains(refused.Message, "(request ") {
		t.Errorf("payments: %v", err)
	}
	m.must(m.pay.Revoke())
	for _, stream := range []string{"exactpay/customers", "exactpay/payment_methods"} {
		if err := m.run(stream, account, true); !errors.Is(err, extract.ErrUnauthorized) || strings.Contains(err.Error(), m.token) {
			t.Errorf("%s with a token that is withdrawn: %v", stream, err)
		}
	}
	for stream, scope := range map[string]schema.Scope{"exactpay/accounts": "0", "exactpay/payments": account, "exactpay/orders": "0"} {
		m.connect(nil)
		if err := m.run(stream, scope, true); !errors.Is(err, extract.ErrUnauthorized) {
			t.Errorf("%s with a token that is withdrawn from the beginning: %v", stream, err)
		}
	}
}

// A 403 of payments is about the permission while the token is good for another list, and about the
// account when that is what it says.
func TestAForbiddenListIsNoBadToken(t *testing.T) {
	m := open(t, pay.Options{}, nil)
	account := schema.Scope(m.pay.Accounts()[0])
	m.must(m.pay.Deny("charges.read"))
	if err := m.run("exactpay/payments", account, true); errors.Is(err, extract.ErrUnauthorized) || !isRefused(err, http.StatusForbidden) {
		t.Errorf("without the permission: %v", err)
	}
	m = open(t, pay.Options{}, nil)
	calls := len(m.pay.Answers())
	err := m.run("exactpay/payments", "63ee4a296fd695eded58febe", true)
	if !isRefused(err, http.StatusForbidden) && !isRefused(err, http.StatusNotFound) || len(m.pay.Answers()) != calls+1 {
		t.Errorf("an account that there is not: %v", err)
	}
}

func isRefused(err error, status int) bool {
	refused, ok := errors.AsType[*extract.Refused](err)
	return ok && refused.Status == status
}

// What was learnt of a list spares the next process to learn it.
func TestWhatIsLearntIsKnown(t *testing.T) {
	m := open(t, pay.Options{Switches: pay.Switches{Filters: "ignored", Natural: "newest", Sorts: []string{"object"}}}, nil)
	account := schema.Scope(m.pay.Accounts()[0])
	m.must(m.run("exactpay/payments", account, true))
	refused, filtered := m.Known("exactpay/payments")
	if filtered || strings.Join(refused, " ") != "$filter=createdAt $sort=colon $sort=plain" {
		t.Errorf("known is %q, %v", refused, filtered)
	}
	m.log.Reset()
	m.must(m.run("exactpay/payments", account, true))
	if m.log.Len() != 0 {
		t.Errorf("what was said before is said again:\n%s", m.log.String())
	}
	before := m.pay.Calls()["/account/"+string(account)+"/payments"]
	m.connect(nil)
	m.Know("exactpay/payments", refused, false)
	m.must(m.run("exactpay/payments", account, true))
	m.compare("exactpay/payments", string(account), account)
	if calls, pages := m.pay.Calls()["/account/"+string(account)+"/payments"]-before, len(m.truth("exactpay/payments", string(account)))/100+1; calls > pages+1 {
		t.Errorf("%d calls for %d pages", calls, pages)
	}
	m.Know("exactpay/payments", nil, false)
	if refused, _ := m.Known("exactpay/payments"); len(refused) != 0 {
		t.Errorf("known is still %q", refused)
	}
}

func TestCount(t *testing.T) {
	m := open(t, pay.Options{}, nil)
	account := m.pay.Accounts()[0]
	for stream, scope := range map[string]schema.Scope{"exactpay/payments": schema.Scope(account), "exactpay/accounts": "0", "exactpay/onboardings": "0"} {
		n, err := m.Count(t.Context(), read(t, stream, scope, ""))
		if want := len(m.truth(stream, account)); err != nil || int(n) != want {
			t.Errorf("%s: %d, %v, want %d", stream, n, err, want)
		}
	}
	for stream, scope := range map[string]schema.Scope{"exactpay/customers": schema.Scope(account), "exactpay/orders": "0", "exactpay/mcc": "0"} {
		before := fmt.Sprint(m.pay.Calls())
		if n, err := m.Count(t.Context(), read(t, stream, scope, "")); !errors.Is(err, extract.ErrUncounted) || fmt.Sprint(m.pay.Calls()) != before {
			t.Errorf("%s: %d, %v", stream, n, err)
		}
	}
	m.must(m.pay.Switch(func(w *pay.Switches) { w.Counts = "absent" }))
	if n, err := m.Count(t.Context(), read(t, "payments", schema.Scope(account), "")); !errors.Is(err, extract.ErrUncounted) {
		t.Errorf("%d, %v", n, err)
	}
}

func TestProbe(t *testing.T) {
	m := open(t, pay.Options{}, nil)
	account := schema.Scope(m.pay.Accounts()[0])
	for _, s := range exactpay.Streams() {
		scope := account
		if s.Shared {
			scope = "0"
		}
		n, err := m.Probe(t.Context(), scope, s.Variants[0])
		if err != nil || n > 1 || n == 0 && s.Name != "exactpay/orders" && s.Name != "exactpay/payment_methods" {
			t.Errorf("%s: %d, %v", s.Name, n, err)
		}
	}
	m.must(m.pay.Deny("charges.read"))
	if n, err := m.Probe(t.Context(), account, variantOf(t, "payments")); err == nil {
		t.Errorf("payments that may not be read: %d", n)
	}
	if missing, err := m.Discover(t.Context(), account, variantOf(t, "payments")); missing != nil || err != nil {
		t.Errorf("%q, %v", missing, err)
	}
}

// Orders are asked for by spans. Where these are not heeded, nothing is removed, and the cursor stays.
func TestSpans(t *testing.T) {
	for _, heeded := range []bool{true, false} {
		var asked [][2]string
		s := serve(t, nil)
		s.answer = func(w http.ResponseWriter, _ string, q url.Values) {
			asked = append(asked, [2]string{q.Get("from"), q.Get("to")})
			id := "the same"
			if heeded {
				id = q.Get("from")
			}
			_, _ = fmt.Fprintf(w, `{"available":1,"results":[{"id":%q}]}`, id)
		}
		source := s.source(nil)
		r := read(t, "orders", "0", "")
		r.Since = time.Date(2026, 1, 10, 0, 0, 0, 0, time.UTC)
		_, last, err := all(t, source, r)
		if err != nil || last.Unproven == heeded {
			t.Fatalf("heeded %v: unproven %v, %v", heeded, last.Unproven, err)
		}
		asked = slices.Compact(asked)
		for i, span := range asked {
			from, to := parsed(t, span[0]), parsed(t, span[1])
			if to.Sub(from) > 31*24*time.Hour || !to.After(from) || i > 0 && span[0] != asked[i-1][1] {
				t.Errorf("span %d is %v", i, span)
			}
		}
		if heeded && (asked[0][0] != "2026-01-10T00:00:00.000Z" || asked[len(asked)-1][1] != "2026-05-20T12:00:00.000Z" || len(asked) != 5) {
			t.Errorf("spans are %v", asked)
		}
		asked, r.From, r.Since = nil, last.Next, time.Time{}
		if _, last, err = all(t, source, r); err != nil {
			t.Fatal(err)
		}
		if asked[0][0] != "2026-04-19T12:00:00.000Z" && heeded {
			t.Errorf("the next read begins at %v", asked[0])
		}
		if heeded && exactpay.Describe(last.Next) != "what is there up to 2026-05-20T12:00:00Z, and what was read last before it once more" {
			t.Error(exactpay.Describe(last.Next))
		}
	}
}

func parsed(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// That the token's cards of a customer are refused as unknown is no error of the list, however often.
func TestCustomersWithoutCards(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, path string, q url.Values) {
		if !strings.HasSuffix(path, "/customer") {
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, `{"code":"payment-method-not-found"}`)
			return
		}
		var rows []string
		for i := range 12 {
			rows = append(rows, fmt.Sprintf(`{"id":"c/%d","createdAt":"2026-01-01T00:00:%02dZ"}`, i, i))
		}
		var skip int
		_, _ = fmt.Sscan(q.Get("$skip"), &skip)
		_, _ = io.WriteString(w, "["+strings.Join(rows[min(skip, len(rows)):], ",")+"]")
	})
	_, last, err := all(t, s.source(nil), read(t, "payment_methods", account, ""))
	if err != nil || last.Unproven {
		t.Fatalf("%+v, %v", last, err)
	}
	if !slices.ContainsFunc(s.asked, func(path string) bool {
		return strings.HasSuffix(path, "/customer/c%2F3/payment-method") || strings.HasSuffix(path, "/customer/c/3/payment-method")
	}) {
		t.Errorf("asked was %q", s.asked)
	}
}

// A date in the future does not carry the cursor beyond what is there.
func TestCursorStaysBehindTheClock(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ string, q url.Values) {
		if q.Get("$skip") != "0" {
			_, _ = io.WriteString(w, "[]")
			return
		}
		_, _ = io.WriteString(w, `[{"paymentId":"a","createdAt":"2026-05-01T00:00:00Z"},{"paymentId":"b","createdAt":"2099-01-01T00:00:00Z"}]`)
	})
	_, last, err := all(t, s.source(nil), payments(t))
	if err != nil || !strings.Contains(string(last.Next), `"2026-05-20T12:00:00Z"`) {
		t.Errorf("%s, %v", last.Next, err)
	}
}
