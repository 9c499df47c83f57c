package pay_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"exactduck/extract/sandbox/pay"
)

// keys are what a list's rows are known by.
func keys(rows []map[string]any, key string) []string {
	list := make([]string, len(rows))
	for i, r := range rows {
		list[i], _ = r[key].(string)
	}
	return list
}

// sent is the truth as it goes over the wire, sorted by key.
func sent(t *testing.T, rows []map[string]any) []map[string]any {
	t.Helper()
	text, err := json.Marshal(asText(rows))
	if err != nil {
		t.Fatal(err)
	}
	var back []map[string]any
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	return back
}

func asText(v any) any {
	switch v := v.(type) {
	case time.Time:
		return strings.Replace(v.Format("2006-01-02T15:04:05.000Z"), ".000Z", "Z", 1)
	case []map[string]any:
		list := []any{}
		for _, r := range v {
			list = append(list, asText(r))
		}
		return list
	case map[string]any:
		m := maps.Clone(v)
		for name, x := range m {
			m[name] = asText(x)
		}
		return m
	case []any:
		v = slices.Clone(v)
		for i, x := range v {
			v[i] = asText(x)
		}
		return v
	}
	return v
}

// crawl pages through a list that nobody disturbs.
func (c *client) crawl(path string, words ...string) []map[string]any {
	c.t.Helper()
	var all []map[string]any
	for {
		rows := c.rows(path, append(slices.Clone(words), "$skip", fmt.Sprint(len(all)))...)
		if len(rows) == 0 {
			return all
		}
		all = append(all, rows...)
	}
}

func TestListsAreTheTruth(t *testing.T) {
	c := newClient(t, pay.Options{})
	a, o := c.account(), c.pay.Credentials().Organization
	for _, test := range []struct{ path, account, resource, key string }{
		{"/account/" + a + "/payments", a, "payments", "paymentId"},
		{"/payments", "0", "payments", "paymentId"},
		{"/account/" + a + "/customer", a, "customers", "id"},
		{"/customer", "0", "customers", "id"},
	} {
		got := c.crawl(test.path)
		slices.SortFunc(got, func(x, y map[string]any) int { return strings.Compare(x[test.key].(string), y[test.key].(string)) })
		want := sent(t, c.pay.Records(test.account, test.resource))
		if diff := cmp.Diff(want, got); diff != "" || len(got) == 0 {
			t.Errorf("%s differs from the truth: %s", test.path, diff)
		}
	}
	if got, want := c.rows("/organization/"+o+"/account"), sent(t, c.pay.Records("", "accounts")); !slices.Equal(slices.Sorted(slices.Values(keys(got, "id"))), keys(want, "id")) {
		t.Errorf("accounts: %v, not %v", got, want)
	}
	if got := c.rows("/organization/" + o + "/onboarding"); len(got) != len(c.pay.Records("", "onboardings")) || strings.Contains(fmt.Sprint(got), "principal") {
		t.Errorf("onboardings: %v", got)
	}
	if c.pay.Records("nobody", "payments") != nil || c.pay.Records(a, "nothing") != nil {
		t.Error("there are records of what is not there")
	}
}

func TestPaymentMethods(t *testing.T) {
	c := newClient(t, pay.Options{})
	all := map[string][]string{}
	for _, r := range c.pay.Records("", "payment_methods") {
		all[r["customerId"].(string)] = append(all[r["customerId"].(string)], r["token"].(string))
	}
	methods := 0
	for _, customer := range c.pay.Records("", "customers") {
		id := customer["id"].(string)
		got := keys(c.rows("/account/"+c.account()+"/customer/"+id+"/payment-method"), "token")
		slices.Sort(got)
		if !slices.Equal(got, all[id]) {
			t.Errorf("customer %s has %q, not %q", id, got, all[id])
		}
		methods += len(got)
	}
	if methods == 0 {
		t.Error("nobody has any")
	}
}

func TestShapeOfPayments(t *testing.T) {
	c := newClient(t, pay.Options{Scale: 1})
	seen := map[string]bool{}
	for _, r := range c.crawl("/account/" + c.account() + "/payments") {
		if r["id"] != r["paymentId"] || r["updatedAt"] != nil || r["terminalId"] == nil || r["reference"] == nil {
			t.Fatalf("a payment is %v", r)
		}
		if amount, ok := r["amount"].(float64); !ok || amount != float64(int64(amount)) {
			t.Fatalf("an amount is %v", r["amount"])
		}
		seen[fmt.Sprint(r["type"])], seen[fmt.Sprint(r["status"])] = true, true
		seen[map[bool]string{true: "millis", false: "seconds"}[strings.Contains(r["createdAt"].(string), ".")]] = true
		if at, ok := r["settledAt"].(string); ok && strings.Contains(at, ".") {
			t.Errorf("settledAt has milliseconds: %s", at)
		}
		method, _ := r["paymentMethodDetails"].(map[string]any)
		seen[fmt.Sprintf("month %T", method["expiryMonth"])] = true
		for _, name := range []string{"captureDetails", "refundDetails", "voidDetails", "surchargeAmount", "settledAt"} {
			seen[name] = seen[name] || r[name] != nil
		}
	}
	for _, want := range []string{
		"payment", "refund", "void", "completed", "declined", "awaiting-payment", "millis", "seconds", "month string", "month float64",
		"captureDetails", "refundDetails", "voidDetails", "surchargeAmount", "settledAt",
	} {
		if !seen[want] {
			t.Errorf("no payment has %s", want)
		}
	}
}

func TestPages(t *testing.T) {
	c := newClient(t, pay.Options{})
	path, all := "/account/"+c.account()+"/payments", len(c.pay.Records("", "payments"))
	a := c.get(path)
	if n := len(c.rows(path)); n != 100 || a.header.Get("X-Total-Count") != fmt.Sprint(all) || all <= 100 {
		t.Errorf("the first page has %d of %s, of %d", n, a.header.Get("X-Total-Count"), all)
	}
	for limit, want := range map[string]int{"0": 0, "7": 7, "100": 100, "101": 100, "1000": 100} {
		if got := len(c.rows(path, "$limit", limit)); got != want {
			t.Errorf("$limit=%s brings %d", limit, got)
		}
	}
	if got := len(c.rows(path, "$skip", fmt.Sprint(all-3))); got != 3 {
		t.Errorf("the last page has %d", got)
	}
	if got := len(c.rows(path, "$skip", "100000")); got != 0 {
		t.Errorf("after the last page come %d", got)
	}
	for position, want := range map[string]string{"absent": "", "wrong": fmt.Sprint(all + 3), "low": fmt.Sprint(all - 2), "page": "100", "all": fmt.Sprint(all), "exact": fmt.Sprint(all)} {
		c.set(func(w *pay.Switches) { w.Counts = position })
		if got := c.get(path).header.Get("X-Total-Count"); got != want {
			t.Errorf("counts %s: %q, not %q", position, got, want)
		}
	}
	c.set(func(w *pay.Switches) { w.PageCap = 5 })
	if got := len(c.rows(path, "$limit", "50")); got != 5 {
		t.Errorf("a cap of 5 brings %d", got)
	}
	c.set(func(w *pay.Switches) { w.PageCap, w.Counts = 0, "all" })
	if got := c.get(path, "createdAt[$gte]", "2099-01-01").header.Get("X-Total-Count"); got != fmt.Sprint(all) {
		t.Errorf("a total of everything is %s", got)
	}
	for _, spoilt := range []struct {
		set  func(*pay.Switches)
		rows []int // of pages one after the other
	}{
		{func(w *pay.Switches) { w.Hollow, w.Repeat, w.Ragged = 2, 0, 0 }, []int{0, 4}},
		{func(w *pay.Switches) { w.Hollow, w.Repeat, w.Ragged = 0, 0, 2 }, []int{2, 4}},
	} {
		c.set(spoilt.set)
		var got []int
		for len(got) < 2 {
			if n := len(c.rows(path, "$limit", "4")); len(got) > 0 || n != 4 {
				got = append(got, n)
			}
		}
		if !slices.Equal(got, spoilt.rows) {
			t.Errorf("pages have %v, not %v", got, spoilt.rows)
		}
	}
}

func TestSorting(t *testing.T) {
	c := newClient(t, pay.Options{Switches: pay.Switches{Natural: "scattered", PageCap: 10}})
	path := "/account/" + c.account() + "/payments"
	spelled := map[string][2]string{"object": {"$sort[createdAt]", "asc"}, "plain": {"$sort", "createdAt"}, "colon": {"$sort", "createdAt:asc"}}
	ordered := func(rows []map[string]any) bool {
		return slices.IsSortedFunc(rows, func(a, b map[string]any) int { return moment(a).Compare(moment(b)) })
	}
	for name, words := range spelled {
		if !ordered(c.crawl(path, words[0], words[1])) {
			t.Errorf("%s is not obeyed", name)
		}
	}
	c.set(func(w *pay.Switches) { w.Sorts = []string{"plain"} })
	for name, words := range spelled {
		if ordered(c.crawl(path, words[0], words[1])) != (name == "plain") {
			t.Errorf("with plain alone, %s is wrong", name)
		}
	}
	for _, words := range [][2]string{{"$sort", "-createdAt"}, {"$sort[createdAt]", "-1"}, {"$sort", "createdAt:desc"}} {
		c.set(func(w *pay.Switches) { w.Sorts = nil })
		rows := c.crawl(path, words[0], words[1])
		if slices.Reverse(rows); !ordered(rows) {
			t.Errorf("%s=%s is wrong", words[0], words[1])
		}
	}
}

func moment(r map[string]any) time.Time {
	t, err := time.Parse(time.RFC3339, r["createdAt"].(string))
	if err != nil {
		panic(err)
	}
	return t
}

func TestNaturalOrders(t *testing.T) {
	c := newClient(t, pay.Options{})
	path := "/account/" + c.account() + "/customer"
	inserted := keys(c.rows(path), "id")
	c.set(func(w *pay.Switches) { w.Natural = "newest" })
	newest := keys(c.rows(path), "id")
	if slices.Reverse(newest); !slices.Equal(newest, inserted) {
		t.Error("the newest are not first")
	}
	c.set(func(w *pay.Switches) { w.Natural = "scattered" })
	scattered := keys(c.rows(path), "id")
	if slices.Equal(scattered, inserted) || slices.IsSorted(scattered) {
		t.Error("they are not scattered")
	}
	c.set(func(w *pay.Switches) { w.UnstableTies = true })
	once := keys(c.rows(path, "$sort", "nothing"), "id")
	if slices.Equal(once, keys(c.rows(path, "$sort", "nothing"), "id")) {
		t.Error("ties have an order")
	}
}

func TestFilters(t *testing.T) {
	c := newClient(t, pay.Options{})
	path, all := "/account/"+c.account()+"/payments", c.pay.Records("", "payments")
	middle := all[len(all)/2]["createdAt"].(time.Time).UTC()
	at, ref := middle.Format("2006-01-02T15:04:05.000Z"), all[0]["reference"].(map[string]any)["referenceNo"].(string)
	many := func(keep func(map[string]any) bool) int {
		return len(slices.DeleteFunc(slices.Clone(all), func(r map[string]any) bool { return !keep(r) }))
	}
	created := func(r map[string]any) time.Time { return r["createdAt"].(time.Time) }
	for _, test := range []struct {
		name, value string
		want        int
	}{
		{"createdAt[$gte]", at, many(func(r map[string]any) bool { return !created(r).Before(middle) })},
		{"createdAt[$gt]", at, many(func(r map[string]any) bool { return created(r).After(middle) })},
		{"createdAt[$eq]", at, many(func(r map[string]any) bool { return created(r).Equal(middle) })},
		{"createdAt", at, many(func(r map[string]any) bool { return created(r).Equal(middle) })},
		{"type[$ne]", "payment", many(func(r map[string]any) bool { return r["type"] != "payment" })},
		{"amount[$gt]", "50000", many(func(r map[string]any) bool { return r["amount"].(int64) > 50000 })},
		{"refunded", "true", many(func(r map[string]any) bool { return r["refunded"] == true })},
		{"reference.referenceNo", ref, 1},
		{"updatedAt[$gte]", at, 0},
		{"createdAt[$lt]", at, len(all)},
		{"createdAt[$gte]", "whenever", 0},
	} {
		if got := c.get(path, test.name, test.value).header.Get("X-Total-Count"); got != fmt.Sprint(test.want) {
			t.Errorf("%s=%s finds %s, not %d", test.name, test.value, got, test.want)
		}
	}
	c.set(func(w *pay.Switches) { w.IgnoredFilters = []string{"createdAt"} })
	if got := len(c.crawl(path, "createdAt[$gte]", at, "type", "refund")); got == 0 || got != many(func(r map[string]any) bool { return r["type"] == "refund" }) {
		t.Errorf("with createdAt ignored there are %d", got)
	}
	c.set(func(w *pay.Switches) { w.Filters = "ignored" })
	if got := len(c.crawl(path, "type", "refund")); got != len(all) {
		t.Errorf("with filters ignored there are %d", got)
	}
	c.set(func(w *pay.Switches) { w.Filters = "refused" })
	if a := c.get(path, "type", "refund"); !a.is(http.StatusBadRequest, false, "pathIssues", `"type"`) {
		t.Errorf("with filters refused: %+v", a)
	}
}

func TestSelect(t *testing.T) {
	c := newClient(t, pay.Options{})
	row := c.rows("/onboarding", "$select", "_id,merchant.name,merchant.mcc,nothing")[0]
	merchant, _ := row["merchant"].(map[string]any)
	if len(row) != 2 || len(merchant) != 2 || merchant["mcc"] == nil {
		t.Errorf("selected: %v", row)
	}
}

// orders asks for a window.
func (c *client) orders(words ...string) (available any, ids []string) {
	c.t.Helper()
	o := c.get("/orders", words...).object(c.t)
	for _, r := range o["results"].([]any) {
		ids = append(ids, r.(map[string]any)["id"].(string))
	}
	return o["available"], ids
}

func TestOrders(t *testing.T) {
	c := newClient(t, pay.Options{Scale: 1})
	all := keys(c.pay.Records("0", "orders"), "id")
	var seen []string
	for to := start; to.After(start.AddDate(-2, 0, 0)); to = to.AddDate(0, 0, -30) {
		from := to.AddDate(0, 0, -30)
		available, ids := c.orders("from", from.Format(time.RFC3339), "to", to.Format(time.RFC3339))
		if available != float64(len(ids)) {
			t.Fatalf("%v are available, %d came", available, len(ids))
		}
		seen = append(seen, ids...)
	}
	slices.Sort(seen)
	if !slices.Equal(slices.Compact(seen), all) {
		t.Errorf("windows bring %d of %d", len(seen), len(all))
	}
	if !slices.ContainsFunc(all, func(id string) bool { return strings.Contains(id, "s") }) {
		t.Error("all ids are UUIDs")
	}
	_, month := c.orders()
	if _, same := c.orders("from", "2026-04-20T12:00:00.000Z", "to", "2026-05-20T12:00:00Z"); !slices.Equal(month, same) || len(month) == 0 {
		t.Errorf("the default is %d orders, the last month has %d", len(month), len(same))
	}
	if _, none := c.orders("to", "2026-04-01"); len(none) != 0 {
		t.Errorf("a window that ends before it begins has %d", len(none))
	}
	if a := c.get("/orders", "from", "2025-10-30", "to", "2026-05-01"); !a.is(http.StatusBadRequest, false, "order-validation-error", "six months") {
		t.Errorf("six months and a day: %+v", a)
	}
	c.orders("from", "2025-11-01", "to", "2026-05-01")
	c.set(func(w *pay.Switches) { w.Counts = "absent" })
	if available, _ := c.orders(); available != nil {
		t.Errorf("%v are available all the same", available)
	}
	c.set(func(w *pay.Switches) { w.IgnoredFilters = []string{"from", "to"} })
	if _, ignored := c.orders("from", "2026-01-01", "to", "2026-02-01"); !slices.Equal(ignored, month) {
		t.Errorf("ignored windows bring %d", len(ignored))
	}
}

func TestWhatAnOrganizationGets(t *testing.T) {
	c := newClient(t, pay.Options{Switches: pay.Switches{Partner: "none"}})
	if rows := c.rows("/payments"); len(rows) != 0 {
		t.Errorf("none are %d", len(rows))
	}
	c.set(func(w *pay.Switches) { w.Partner = "refused" })
	if a := c.get("/payments"); !a.is(403, false, "payments-forbidden-error") {
		t.Errorf("payments: %+v", a)
	}
	if a := c.get("/orders"); !a.is(403, false, "order-forbidden-error") {
		t.Errorf("orders: %+v", a)
	}
	if a := c.get("/customer"); !a.is(401, true) {
		t.Errorf("customers: %+v", a)
	}
	c.rows("/onboarding")
	c.token = c.issue(c.account())
	c.rows("/payments")
}

func TestOddCustomers(t *testing.T) {
	c := newClient(t, pay.Options{Switches: pay.Switches{CustomerObject: true, CustomerCreated: true}})
	path := "/account/" + c.account() + "/customer"
	if a := c.get(path); a.status != http.StatusCreated || a.body[0] != '[' {
		t.Errorf("many: %d %s", a.status, a.body)
	}
	c.change(pay.Change{Resource: "customers", Delete: len(c.pay.Records("", "customers")) - 1})
	if a := c.get(path); a.status != http.StatusCreated || a.body[0] != '{' || a.object(t)["id"] == nil {
		t.Errorf("one: %d %s", a.status, a.body)
	}
}
