package sandbox_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"exactduck/extract/sandbox"
)

// wants checks that an address is answered with a status, and the message that contains a text.
func (v *visitor) wants(address string, status int, text string) {
	v.t.Helper()
	if got, _, body := v.get(address); got != status || !strings.Contains(body, text) {
		v.t.Errorf("%s: %d %.300s, want %d %s", address, got, body, status, text)
	}
}

func must(t testing.TB, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// $inlinecount is a string on standard endpoints; bulk and sync pay no attention, unless told to.
func TestCounting(t *testing.T) {
	v := visit(t, sandbox.Options{})
	want := fmt.Sprint(len(v.sandbox.Records(0, "crm/Contacts")))
	for _, c := range []struct {
		path string
		want any
	}{{"crm/Contacts", want}, {"bulk/CRM/Contacts", nil}, {"sync/CRM/Contacts", nil}} {
		if p := v.page("/api/v1/123456/" + c.path + "?$select=ID&$skip=0&$inlinecount=allpages"); p.count != c.want {
			t.Errorf("%s counts %v, want %v", c.path, p.count, c.want)
		}
	}
	must(t, v.sandbox.Switch(func(o *sandbox.Options) { o.CountEverywhere = true }))
	if p := v.page("/api/v1/123456/sync/CRM/Contacts?$select=ID&$top=1&$inlinecount=allpages"); p.count != want || p.bare {
		t.Errorf("switched on, sync counts %v", p.count)
	}
}

func TestEndpointsInsist(t *testing.T) {
	v := visit(t, sandbox.Options{})
	s := v.sandbox
	const contacts, items = "/api/v1/123456/crm/Contacts", "/api/v1/123456/bulk/Logistics/Items?$select=ID"
	must(t, s.Require("crm/Contacts", sandbox.Select), s.Require("bulk/Logistics/Items", sandbox.Filter), s.Require("sync/CRM/Contacts", sandbox.Filter),
		s.RefuseFilter("crm/Addresses", "Modified"), s.RefuseFilter("bulk/CRM/Accounts", ""))
	v.wants(contacts, 400, "Please add a $select or a $top=1 statement to the query string.")
	v.wants(contacts+"?$top=1", 200, "")
	v.wants(contacts+"?$select=ID", 200, "")
	v.wants(items, 400, "filter parameter with one of the following fields in the url:AssembledLeadDays,")
	v.wants(items+"&$filter=Modified ge datetime'2020-01-01'", 200, "")
	v.wants("/api/v1/123456/logistics/Items?$select=ID", 200, "")
	v.wants("/api/v1/123456/sync/CRM/Contacts?$select=ID", 400, "fields in the url:Timestamp")
	v.wants("/api/v1/123456/crm/Addresses?$filter=Modified ge datetime'2020-01-01'", 400, "Filtering on these fields is not supported: Modified")
	v.wants("/api/v1/123456/crm/Addresses?$filter=Main eq true", 200, "")
	v.wants("/api/v1/123456/bulk/CRM/Accounts?$select=ID&$filter=ID ne null", 400, "This $filter parameter is not supported for this resource")
	must(t, s.Relax("crm/Contacts", sandbox.Select), s.Relax("bulk/Logistics/Items", sandbox.Filter), s.AcceptFilter("crm/Addresses", "Modified"))
	v.wants(contacts, 200, "")
	v.wants(items, 200, "")
	v.wants("/api/v1/123456/crm/Addresses?$filter=Modified ge datetime'2020-01-01'", 200, "")
	if s.Require("crm/Contacts", "money") == nil || s.Require("crm/Nothing", sandbox.Select) == nil || s.RefuseFilter("crm/Contacts", "Nothing") == nil {
		t.Error("nonsense was required")
	}
}

func TestForbiddenInOneDivision(t *testing.T) {
	v := visit(t, sandbox.Options{Divisions: 3})
	s := v.sandbox
	must(t, s.ForbidIn(123456, "crm/Contacts", ""), s.ForbidIn(123457, "", "LicenseExpired"))
	for address, want := range map[string]string{
		"/api/v1/123456/crm/Contacts?$top=1":                  "Forbidden: Application Scope Violated",
		"/api/v1/123456/sync/CRM/Contacts?$select=ID":         "Forbidden: Application Scope Violated",
		"/api/v1/123456/crm/Addresses?$top=1":                 "",
		"/api/v1/123457/crm/Addresses?$top=1":                 "LicenseExpired: Forbidden",
		"/api/v1/123457/system/Divisions?$select=Code":        "",
		"/api/v1/123458/crm/Contacts?$top=1":                  "",
		"/api/v1/123457/sync/CRM/Contacts?$select=ID&$top=10": "LicenseExpired: Forbidden",
	} {
		status, header, _ := v.get(address)
		if (status == http.StatusForbidden) != (want != "") || header.Get("Reason") != want {
			t.Errorf("%s: %d, Reason %q, want %q", address, status, header.Get("Reason"), want)
		}
	}
	must(t, s.AllowIn(123456, "crm/Contacts"), s.AllowIn(123457, ""))
	v.wants("/api/v1/123456/crm/Contacts?$top=1", 200, "")
	v.wants("/api/v1/123457/crm/Contacts?$top=1", 200, "")
	if s.ForbidIn(123456, "crm/Contacts", "Boredom") == nil || s.ForbidIn(1, "crm/Contacts", "") == nil {
		t.Error("nonsense was forbidden")
	}
}

func TestLinksLapse(t *testing.T) {
	v := visit(t, sandbox.Options{SkipTokenLife: 10 * time.Minute})
	next := v.page(accounts + "?$select=ID").next
	v.clock.pass(9 * time.Minute)
	v.wants(next, 200, "")
	v.clock.pass(30 * time.Second)
	v.login()
	v.clock.pass(30 * time.Second)
	v.wants(next, 400, "Bad Request - Error in query syntax.")
	v.page(accounts + "?$select=ID")
	v.wants(next, 200, "") // given out again
	must(t, v.sandbox.Switch(func(o *sandbox.Options) { o.SkipTokenLife = 0 }))
	v.clock.pass(time.Hour)
	v.login()
	v.wants(next, 200, "")
}

// A feed with duplicates holds a record that was updated twice: as it is, and under a lower
// Timestamp as it was before.
func TestDuplicates(t *testing.T) {
	v := visit(t, sandbox.Options{Duplicates: true})
	before := v.all("/api/v1/123456/sync/CRM/Contacts?$select=ID,Timestamp,LastName")
	v.change(sandbox.Change{Entity: "crm/Contacts", Update: 1000})
	v.change(sandbox.Change{Entity: "crm/Contacts", Update: 1000})
	v.change(sandbox.Change{Entity: "crm/Contacts", Delete: 1})
	after := v.all("/api/v1/123456/sync/CRM/Contacts?$select=ID,Timestamp,LastName")
	seen := map[any]int64{}
	twice := 0
	for _, r := range after {
		if seen[r["ID"]] > 0 {
			twice++
		}
		if at := version(t, r); at < seen[r["ID"]] {
			t.Errorf("%v comes with %d after %d", r["ID"], at, seen[r["ID"]])
		}
		seen[r["ID"]] = version(t, r)
	}
	if len(seen) != len(before)-1 || twice != len(seen) {
		t.Errorf("of %d records less one, %d are there, %d of them twice", len(before), len(seen), twice)
	}
	if n := len(v.sandbox.Records(0, "sync/CRM/Contacts")); n != len(seen) {
		t.Errorf("the truth has %d records", n)
	}
	must(t, v.sandbox.MoveDivision(0))
	if n := len(v.all("/api/v1/123456/sync/CRM/Contacts?$select=ID")); n != len(after) {
		t.Errorf("after a move the feed has %d rows, want %d", n, len(after))
	}
	must(t, v.sandbox.Switch(func(o *sandbox.Options) { o.Duplicates = false }))
	if n := len(v.all("/api/v1/123456/sync/CRM/Contacts?$select=ID")); n != len(seen) {
		t.Errorf("switched off, the feed has %d rows", n)
	}
}

func TestMovingUp(t *testing.T) {
	v := visit(t, sandbox.Options{})
	before := highest(t, v.all(lines), 0)
	must(t, v.sandbox.MoveDivisionUp(0))
	rows := v.all(lines)
	for _, r := range rows {
		if version(t, r) <= before-2_000_000 {
			t.Fatalf("a row has the version %d", version(t, r))
		}
	}
	if highest(t, rows, 0) <= before {
		t.Error("versions are not higher")
	}
	last := before
	for range 6 {
		must(t, v.sandbox.MoveDivision(0))
		now := highest(t, v.all(lines+"&$orderby=Timestamp desc&$top=1"), 0)
		if now <= 0 || now >= last && last != before {
			t.Fatalf("after %d comes %d", last, now)
		}
		last = now
	}
}

// Another client takes its share of each minute, evenly, and no more than there is.
func TestOthersUseTheQuota(t *testing.T) {
	v := visit(t, sandbox.Options{MinuteLimit: 60, DayLimit: 5000, Others: 30})
	remaining := func() string {
		_, header, _ := v.get(cheap)
		return header.Get("X-RateLimit-Minutely-Remaining") + " " + header.Get("X-RateLimit-Remaining")
	}
	if got := remaining(); got != "58 4998" {
		t.Errorf("at the beginning %s are left", got)
	}
	v.clock.pass(30 * time.Second)
	if got := remaining(); got != "42 4982" {
		t.Errorf("after half a minute %s are left", got)
	}
	v.clock.pass(30 * time.Second)
	if got := remaining(); got != "58 4980" {
		t.Errorf("in the next minute %s are left", got)
	}
	must(t, v.sandbox.Switch(func(o *sandbox.Options) { o.Others = 100 }))
	v.clock.pass(59 * time.Second)
	if status, header, _ := v.get(cheap); status != http.StatusTooManyRequests || header.Get("X-RateLimit-Minutely-Remaining") != "0" {
		t.Errorf("when others took all: %d", status)
	}
	must(t, v.sandbox.Switch(func(o *sandbox.Options) { o.BareLimits = true }))
	if status, header, _ := v.get(cheap); status != http.StatusTooManyRequests || header.Get("X-RateLimit-Minutely-Remaining") != "" {
		t.Errorf("without headers: %d %v", status, header)
	}
}

// Errors count within any hour, faults among them, and a second block lasts longer.
func TestErrorsWithinAnyHour(t *testing.T) {
	v := visit(t, sandbox.Options{})
	const bad = "/api/v1/123456/crm/AccountClasses?$select=Nonsense"
	fail := func(n int) {
		t.Helper()
		for range n {
			if status, _, _ := v.get(bad); status != 400 {
				t.Fatalf("an error answered %d", status)
			}
		}
	}
	pass := func(d time.Duration) { v.clock.pass(d); v.login() }
	fail(5)
	pass(50 * time.Minute)
	fail(4)
	pass(11 * time.Minute)
	fail(5) // the first five are older than an hour
	v.sandbox.Fault(sandbox.Fault{Path: "AccountClasses", Kind: sandbox.Forbidden})
	v.wants(cheap, 403, "")
	if status, _, _ := v.get(cheap); status != http.StatusTooManyRequests {
		t.Errorf("after ten errors in an hour: %d", status)
	}
	v.sandbox.Fault(sandbox.Fault{Path: "AccountClasses", Kind: sandbox.Forbidden})
	if status, _, _ := v.get(cheap); status != http.StatusTooManyRequests {
		t.Errorf("a fault of a blocked endpoint: %d", status)
	}
	if got := v.sandbox.Errors(); got["123456 /api/v1/{division}/crm/accountclasses"] != 15 || len(got) != 1 {
		t.Errorf("errors %v", got)
	}
	pass(time.Hour)
	fail(10)
	pass(time.Hour)
	if status, _, _ := v.get(cheap); status != http.StatusTooManyRequests {
		t.Errorf("an hour into the second block: %d", status)
	}
	pass(time.Hour)
	v.wants(cheap, 200, "")
	list := v.sandbox.Answers()
	if last := list[len(list)-1]; last.Status != 200 || last.Division != 123456 || last.Path+"?"+last.Query != cheap || !last.At.Equal(v.clock.Now()) {
		t.Errorf("the last answer is %+v", last)
	}
}

func TestPropertiesAreRenamedAndRetyped(t *testing.T) {
	v := visit(t, sandbox.Options{})
	s := v.sandbox
	old := v.page(accounts + "?$select=ID,Email,Type,Code").rows
	must(t, s.RenameProperty("crm/Accounts", "Email", "Mail"), s.RetypeProperty("crm/Accounts", "Latitude", "Edm.String"), s.RetypeProperty("crm/Accounts", "Blocked", "Edm.Int32"))
	v.wants(accounts+"?$select=Email", 400, "Type Exact.Web.Api.Models.Account does not have a property named Email")
	v.wants("/api/v1/123456/sync/CRM/Accounts?$select=Email", 200, "")
	for i, r := range v.page(accounts + "?$select=ID,Mail,Latitude,Blocked&$filter=Blocked ge 0").rows {
		if r["Mail"] != old[i]["Email"] || r["ID"] != old[i]["ID"] {
			t.Errorf("row %d has %v, and had %v", i, r, old[i])
		}
		if _, text := r["Latitude"].(string); !text && r["Latitude"] != nil || fmt.Sprint(r["Blocked"]) != "0" {
			t.Errorf("row %d is %v", i, r)
		}
	}
	for _, err := range []error{
		s.RenameProperty("crm/Accounts", "Email", "Post"), s.RenameProperty("crm/Accounts", "Mail", "Name"), s.RetypeProperty("crm/Accounts", "Name", "Text"),
		s.RetypeProperty("sync/CRM/Accounts", "Timestamp", "Edm.String"), s.DropProperty("crm/Accounts", "ID"), s.AddProperty("crm/Accounts", "Name", "Edm.String", "x"),
	} {
		if err == nil {
			t.Error("nonsense drifted")
		}
	}
}
