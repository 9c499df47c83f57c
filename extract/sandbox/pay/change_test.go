package pay_test

import (
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"exactduck/extract/sandbox/pay"
)

// index is the truth about payments, by id.
func index(rows []map[string]any, key string) map[string]map[string]any {
	m := map[string]map[string]any{}
	for _, r := range rows {
		m[r[key].(string)] = r
	}
	return m
}

// What becomes of a payment leaves no mark: it is as it was made, and other in what it says.
func TestPaymentsChangeWithoutAMark(t *testing.T) {
	c := newClient(t, pay.Options{Scale: 1})
	for _, test := range []struct {
		change pay.Change
		flag   string
		added  string
	}{
		{pay.Change{Resource: "payments", Capture: 3}, "captureDetails", ""},
		{pay.Change{Resource: "payments", Refund: 3}, "refundDetails", "refund"},
		{pay.Change{Resource: "payments", Void: 3}, "voided", "void"},
		{pay.Change{Resource: "payments", Settle: 3}, "settled", ""},
		{pay.Change{Resource: "payments", Update: 3}, "status", ""},
	} {
		before := index(c.pay.Records("", "payments"), "paymentId")
		c.now = c.now.Add(time.Hour)
		c.change(test.change)
		changed, added := 0, 0
		for id, now := range index(c.pay.Records("", "payments"), "paymentId") {
			was, old := before[id]
			switch {
			case !old:
				added++
				if now["type"] != test.added || !now["createdAt"].(time.Time).Equal(c.now) {
					t.Errorf("%+v adds %v", test.change, now)
				}
			case !cmp.Equal(was, now):
				changed++
				if was["createdAt"] != now["createdAt"] || cmp.Equal(was[test.flag], now[test.flag]) {
					t.Errorf("%+v makes %v of %v", test.change, now, was)
				}
			}
		}
		if want := map[bool]int{true: 3}[test.added != ""]; changed != 3 || added != want {
			t.Errorf("%+v changes %d and adds %d", test.change, changed, added)
		}
	}
}

func TestChangesInDates(t *testing.T) {
	c := newClient(t, pay.Options{})
	before := index(c.pay.Records("", "payments"), "paymentId")
	c.change(pay.Change{Resource: "payments", Insert: 2, Before: 48 * time.Hour})
	for id, r := range index(c.pay.Records("", "payments"), "paymentId") {
		if before[id] == nil && !r["createdAt"].(time.Time).Equal(start.Add(-48*time.Hour)) {
			t.Errorf("it is dated %v", r["createdAt"])
		}
	}
	c.change(pay.Change{Resource: "payments", Delete: 1000, Within: 90 * 24 * time.Hour})
	rows := c.pay.Records("", "payments")
	if len(rows) == 0 || slices.ContainsFunc(rows, func(r map[string]any) bool { return r["createdAt"].(time.Time).After(start.AddDate(0, 0, -90)) }) {
		t.Errorf("%d are left", len(rows))
	}
	customers := index(c.pay.Records("", "customers"), "id")
	c.change(pay.Change{Resource: "customers", Update: 2, Insert: 1, Delete: 1})
	updated := 0
	for _, r := range c.pay.Records("", "customers") {
		if was := customers[r["id"].(string)]; was != nil && r["updatedAt"].(time.Time).Equal(start) && was["name"] != nil {
			updated++
		}
	}
	if got := len(c.pay.Records("", "customers")); got != len(customers) || updated == 0 {
		t.Errorf("there are %d customers, %d updated", got, updated)
	}
}

func TestChangesThatCannotBe(t *testing.T) {
	c := newClient(t, pay.Options{})
	for _, x := range []pay.Change{
		{Resource: "mcc", Insert: 1},
		{Resource: "nothing"},
		{Account: nobody, Resource: "payments"},
		{Resource: "customers", Refund: 1},
		{Resource: "orders", Disable: 1},
	} {
		if err := c.pay.Change(x); err == nil {
			t.Errorf("%+v is possible", x)
		}
	}
}

func TestAccountsComeAndGo(t *testing.T) {
	c := newClient(t, pay.Options{Accounts: 3})
	before := c.pay.Accounts()
	c.change(pay.Change{Resource: "accounts", Insert: 1})
	if after := c.pay.Accounts(); len(after) != 4 || !slices.Equal(after[:3], before) {
		t.Errorf("accounts are %q", after)
	}
	added := c.pay.Accounts()[3]
	c.change(pay.Change{Account: added, Resource: "payments", Insert: 2})
	if rows := c.rows("/account/" + added + "/payments"); len(rows) != 2 {
		t.Errorf("a new one has %d payments", len(rows))
	}
	c.change(pay.Change{Account: before[1], Resource: "accounts", Delete: 1})
	if a := c.get("/account/" + before[1] + "/payments"); !a.is(404, false, "No account found.") {
		t.Errorf("a deleted one: %+v", a)
	}
}

// Offsets shift while a list is paged through: rows come twice, and others not at all.
func TestOffsetsShift(t *testing.T) {
	c := newClient(t, pay.Options{Switches: pay.Switches{Natural: "newest", PageCap: 10, Appear: 1}})
	path := "/account/" + c.account() + "/payments"
	twice := keys(c.crawlWhile(path, 5), "paymentId")
	if slices.Sort(twice); len(slices.Compact(slices.Clone(twice))) == len(twice) {
		t.Error("rows appear, and none comes twice")
	}
	c.set(func(w *pay.Switches) { w.Natural, w.Appear, w.Vanish = "inserted", 0, 1 })
	there := keys(c.pay.Records("", "payments"), "paymentId")
	seen := keys(c.crawlWhile(path, len(there)), "paymentId")
	left := keys(c.pay.Records("", "payments"), "paymentId")
	if len(left) == len(there) || !slices.ContainsFunc(left, func(id string) bool { return !slices.Contains(seen, id) }) {
		t.Errorf("rows vanish, %d of %d are left, and none is missed", len(left), len(there))
	}
}

// crawlWhile pages through a list that does not keep still.
func (c *client) crawlWhile(path string, pages int) (all []map[string]any) {
	for range pages {
		rows := c.rows(path, "$skip", fmt.Sprint(len(all)))
		if len(rows) == 0 {
			break
		}
		all = append(all, rows...)
	}
	return all
}

func TestRefundsHidden(t *testing.T) {
	c := newClient(t, pay.Options{Scale: 1, Switches: pay.Switches{HideRefunds: true}})
	rows := c.crawl("/account/" + c.account() + "/payments")
	if len(rows) != len(c.pay.Records("", "payments")) || slices.ContainsFunc(rows, func(r map[string]any) bool { return r["type"] != "payment" }) {
		t.Error("there are others than payments")
	}
}

func TestPaidInvoices(t *testing.T) {
	var invoices []pay.Invoice
	for i := range 60 {
		invoices = append(invoices, pay.Invoice{Number: fmt.Sprint(2600001 + i), Amount: int64(12100 + i), Currency: "EUR", Date: start.AddDate(0, 0, -60), Customer: "Bakker BV"})
	}
	asked := 0
	c := newClient(t, pay.Options{Invoices: func() []pay.Invoice { asked++; return invoices }})
	paid, others := map[string]int64{}, 0
	for _, r := range c.pay.Records("0", "payments") {
		ref, _ := r["reference"].(map[string]any)["customerRef"].(string)
		if strings.HasPrefix(ref, "26000") && r["type"] == "payment" && r["approved"] == true {
			paid[ref] = r["amount"].(int64)
			if r["accountId"] != c.account() || r["currencyCode"] != "EUR" || r["createdAt"].(time.Time).After(start) {
				t.Errorf("an invoice is paid by %v", r)
			}
		}
		others++
	}
	if asked != 1 || len(paid) < 40 || len(paid) >= 60 || others <= len(paid) {
		t.Errorf("asked %d times: %d of 60 are paid", asked, len(paid))
	}
	for i, invoice := range invoices {
		if got, ok := paid[invoice.Number]; ok && got != int64(12100+i) {
			t.Errorf("invoice %s is paid with %d", invoice.Number, got)
		}
	}
}

// A sandbox goes on where it was: its accounts, what was done, its rules and its tokens.
func TestStateFile(t *testing.T) {
	state := filepath.Join(t.TempDir(), "pay.ndjson")
	c := newClient(t, pay.Options{StateFile: state, Seed: 7})
	c.change(pay.Change{Resource: "payments", Insert: 3, Refund: 4, Settle: 5, Delete: 2})
	c.change(pay.Change{Resource: "accounts", Insert: 1, Disable: 1})
	c.change(pay.Change{Resource: "customers", Insert: 1, Update: 2})
	c.set(func(w *pay.Switches) { w.PageCap, w.Sorts = 4, []string{"colon", "plain"} })
	if _, err := pay.New(pay.Options{StateFile: state}); err == nil {
		t.Error("two have one state file")
	}
	if err := c.pay.Close(); err != nil {
		t.Fatal(err)
	}
	again := newClient(t, pay.Options{StateFile: state, Seed: 8, Accounts: 9, Clock: func() time.Time { return c.now.AddDate(0, 1, 0) }})
	for _, resource := range pay.Resources {
		if diff := cmp.Diff(c.pay.Records("0", resource), again.pay.Records("0", resource)); diff != "" {
			t.Errorf("%s: %s", resource, diff)
		}
	}
	if !reflect.DeepEqual(c.pay.Credentials(), again.pay.Credentials()) {
		t.Error("the credentials are others")
	}
	again.token = c.token
	if rows := again.rows("/payments"); len(rows) != 4 {
		t.Errorf("a page has %d rows", len(rows))
	}
}

func TestSeeds(t *testing.T) {
	one, same, other := newClient(t, pay.Options{Seed: 1}), newClient(t, pay.Options{Seed: 1}), newClient(t, pay.Options{Seed: 2})
	if !cmp.Equal(one.pay.Records("0", "payments"), same.pay.Records("0", "payments")) {
		t.Error("the same seed makes others")
	}
	if cmp.Equal(one.pay.Credentials(), other.pay.Credentials()) {
		t.Error("another seed makes the same")
	}
}

func TestOptionsThatCannotBe(t *testing.T) {
	for _, o := range []pay.Options{
		{Accounts: -1},
		{Scale: -1},
		{Switches: pay.Switches{Filters: "maybe"}},
		{Switches: pay.Switches{Sorts: []string{"upwards"}}},
		{Switches: pay.Switches{Lacking: 402}},
		{Switches: pay.Switches{PageCap: -1}},
	} {
		if _, err := pay.New(o); err == nil {
			t.Errorf("%+v is possible", o)
		}
	}
}

func TestFaults(t *testing.T) {
	c := newClient(t, pay.Options{})
	for _, test := range []struct {
		kind, path string
		status     int
		plain      bool
		want       []string
	}{
		{pay.ServerError, "/payments", 500, false, []string{"system-error", "requestId"}},
		{pay.ServerError, "/customer", 500, true, []string{"Internal Server Error"}},
		{pay.CastError, "/orders", 500, false, []string{"CastError"}},
		{pay.BadGateway, "/payments", 502, false, []string{"<html>"}},
		{pay.Unavailable, "/payments", 503, false, []string{"custom-error"}},
		{pay.Unavailable, "/customer", 503, true, []string{"Service Unavailable"}},
		{pay.GatewayLate, "/customer", 504, false, nil},
		{pay.TooMany, "/customer", 429, true, []string{"Too Many Requests"}},
		{pay.Unauthorized, "/payments", 401, true, []string{"Unauthorized"}},
		{pay.Forbidden, "/orders", 403, false, []string{"order-forbidden-error"}},
		{pay.Forbidden, "/customer", 403, true, []string{"Forbidden"}},
		{pay.Messages, "/customer", 400, false, []string{`{"messages":["Bad Request"]}`}},
		{pay.Redirect, "/customer", 302, false, nil},
		{pay.Empty, "/customer", 200, false, nil},
		{pay.Page, "/customer", 200, false, []string{"<html>"}},
	} {
		c.pay.Fault(pay.Fault{Kind: test.kind, Path: test.path, Query: "$skip=1", Nth: 2})
		c.rows("/mcc")
		for i, q := range []string{"$skip=0", "$skip=1", "$skip=1", "$skip=1"} {
			got := c.get(test.path + "?" + q)
			if i == 2 && !got.is(test.status, test.plain, test.want...) || i != 2 && got.status != http.StatusOK {
				t.Errorf("%s %s, request %d: %d %q", test.kind, test.path, i, got.status, got.body)
			}
		}
		c.pay.ClearFaults()
	}
	for _, kind := range []string{pay.Cut, pay.CutBefore} {
		c.pay.Fault(pay.Fault{Kind: kind})
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://pay.example/status", nil)
		if err != nil {
			t.Fatal(err)
		}
		if a, err := c.http.Do(request); err == nil {
			_ = a.Body.Close()
			t.Errorf("%s answers %d", kind, a.StatusCode)
		}
	}
	calls, answers := c.pay.Calls(), c.pay.Answers()
	if calls["/status"] != 2 || calls["/orders"] != 8 || answers[len(answers)-1].Status != 0 {
		t.Errorf("it saw %v, the last as %+v", calls, answers[len(answers)-1])
	}
}

func TestWhatHappensMeanwhile(t *testing.T) {
	c := newClient(t, pay.Options{})
	var err error
	c.pay.Fault(pay.Fault{Path: "/payments", Then: func() { err = c.pay.Change(pay.Change{Resource: "payments", Insert: 1}) }})
	before := len(c.pay.Records("0", "payments"))
	if got := c.get("/payments").header.Get("X-Total-Count"); got != fmt.Sprint(before+1) || err != nil {
		t.Errorf("%s of %d, %v", got, before, errors.Join(err))
	}
}
