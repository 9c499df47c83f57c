package sandbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"exactduck/extract/sandbox"
)

// Each fault looks the same over a connection as it does in process.
func TestFaults(t *testing.T) {
	for _, over := range []string{"transport", "tcp"} {
		v, base := visit(t, sandbox.Options{MinuteLimit: 1000, DayLimit: 1000}), root
		if over == "tcp" {
			server := httptest.NewServer(v.sandbox)
			defer server.Close()
			// On a connection that was used before, net/http would repeat the request by itself.
			v.http, base = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, server.URL
		}
		for _, c := range faults {
			t.Run(over+" "+string(c.kind), func(t *testing.T) { v.suffer(t, base+accounts+"?$select=ID", c) })
		}
	}
}

type fault struct {
	kind   sandbox.FaultKind
	status int    // 0: the answer does not arrive whole
	has    string // in the body
}

var faults = []fault{
	{sandbox.ServerError, 500, "A problem has occurred."},
	{sandbox.BadGateway, 502, "<!doctype html>"},
	{sandbox.Unavailable, 503, "<!doctype html>"},
	{sandbox.TimedOut, 408, ""},
	{sandbox.MinuteLimit, 429, ""},
	{sandbox.DayLimit, 429, ""},
	{sandbox.BareLimit, 429, ""},
	{sandbox.Unauthorized, 401, ""},
	{sandbox.Forbidden, 403, "Scope Violated"},
	{sandbox.BadRequest, 400, "query syntax"},
	{sandbox.Gateway, 500, "ExtractAccessToken"},
	{sandbox.CutBefore, 0, ""},
	{sandbox.Cut, 0, ""},
	{sandbox.CutBody, 0, ""},
	{sandbox.Truncated, 200, `{"d":`},
	{sandbox.Empty, 200, ""},
	{sandbox.Page, 200, "<!doctype html>"},
	{sandbox.ForeignNext, 200, "https://elsewhere.example/"},
	{sandbox.Nothing, 200, `"results"`},
}

// suffer meets a fault on the second of three requests.
func (v *visitor) suffer(t *testing.T, address string, c fault) {
	v.sandbox.Fault(sandbox.Fault{Kind: c.kind, Path: "crm/accounts", Nth: 2})
	defer v.sandbox.ClearFaults()
	if status, _, _, err := v.try(address, "application/json"); status != 200 || err != nil {
		t.Fatalf("the first request: %d %v", status, err)
	}
	status, header, body, err := v.try(address, "application/json")
	if (err != nil) != (c.status == 0) || err == nil && status != c.status || !strings.Contains(body, c.has) {
		t.Errorf("the second request: %d %.200s %v", status, body, err)
	}
	if c.kind == sandbox.Truncated && json.Valid([]byte(body)) {
		t.Error("the truncated body is whole")
	}
	if minutely := header.Get("X-RateLimit-Minutely-Reset") != ""; c.status == 429 && minutely != (c.kind == sandbox.MinuteLimit) {
		t.Errorf("headers %v", header)
	}
	if status, _, _, err := v.try(address, "application/json"); status != 200 || err != nil {
		t.Errorf("the third request: %d %v", status, err)
	}
}

func TestHangingEndsWithTheClient(t *testing.T) {
	v := visit(t, sandbox.Options{})
	v.sandbox.Fault(sandbox.Fault{Kind: sandbox.Hang})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, root+accounts, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := v.http.Do(req); !errors.Is(err, context.DeadlineExceeded) {
		if err == nil {
			_ = r.Body.Close()
		}
		t.Errorf("got %v", err)
	}
}

// A token call whose answer is lost has been carried out: the old refresh token is spent.
func TestALostTokenAnswer(t *testing.T) {
	v := visit(t, sandbox.Options{})
	v.clock.pass(600 * time.Second)
	v.sandbox.Fault(sandbox.Fault{Kind: sandbox.Cut, Path: "/token"})
	id, secret := v.sandbox.Client()
	form := "grant_type=refresh_token&refresh_token=" + strings.ReplaceAll(v.refresh, "!", "%21") + "&client_id=" + id + "&client_secret=" + secret
	if r, err := v.http.Do(posting(t, root+"/api/oauth2/token", form)); err == nil {
		_ = r.Body.Close()
		t.Fatal("the answer arrived")
	}
	if status, _, body := v.exchange(v.refresh); status != 401 || !strings.Contains(body, "Old refresh token used.") {
		t.Errorf("%d %s", status, body)
	}
}

func TestAFaultCanChangeTheCompany(t *testing.T) {
	v := visit(t, sandbox.Options{})
	v.sandbox.Fault(sandbox.Fault{Path: "crm/Accounts", Query: "$skiptoken", Then: func() {
		v.change(sandbox.Change{Entity: "crm/Accounts", Insert: 40})
	}})
	if n := len(v.all(accounts + "?$select=ID")); n <= 90 {
		t.Errorf("%d rows, want more than the 90 there were", n)
	}
}

func TestRightsCanGo(t *testing.T) {
	v := visit(t, sandbox.Options{})
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	const feed = "/api/v1/123456/sync/CRM/Accounts?$select=ID"
	must(v.sandbox.Revoke(123456, "crm/Accounts"))
	if a, b := len(v.all(feed)), len(v.all(accounts)); a != 0 || b != 0 {
		t.Errorf("%d and %d rows without rights", a, b)
	}
	if n := len(v.all("/api/v1/123457/crm/Accounts")); n == 0 {
		t.Error("the other division has no rows either")
	}
	must(v.sandbox.Restore(123456, "crm/Accounts"))
	if n := len(v.all(feed)); n != 90 {
		t.Errorf("%d rows with rights", n)
	}
	must(v.sandbox.Forbid("sync/CRM/Accounts"))
	status, _, body := v.get(feed)
	if status != 403 || !strings.Contains(body, "Application Scope Violated") {
		t.Errorf("%d %s", status, body)
	}
	if n := len(v.all(accounts)); n != 90 {
		t.Error("the standard endpoint is forbidden too")
	}
	must(v.sandbox.Allow("sync/CRM/Accounts"))
	if n := len(v.all(feed)); n != 90 {
		t.Errorf("%d rows when allowed again", n)
	}
}

func TestDrift(t *testing.T) {
	v := visit(t, sandbox.Options{})
	if err := v.sandbox.AddProperty("crm/Accounts", "ClientGroupX", "Edm.String", "goud"); err != nil {
		t.Fatal(err)
	}
	if err := v.sandbox.DropProperty("crm/Accounts", "BSN"); err != nil {
		t.Fatal(err)
	}
	if r := v.page(accounts + "?$top=1").rows[0]; r["ClientGroupX"] != "goud" {
		t.Error("the new property does not show")
	} else if _, ok := r["BSN"]; ok {
		t.Error("the dropped property shows")
	}
	if r := v.page(accounts + "?$select=ID,ClientGroupX&$top=1").rows[0]; r["ClientGroupX"] != "goud" {
		t.Error("the new property cannot be selected")
	}
	if status, _, body := v.get(accounts + "?$select=ID,BSN"); status != 400 || !strings.Contains(body, "does not have a property named BSN") {
		t.Errorf("%d %s", status, body)
	}
	if status, _, _ := v.get("/api/v1/123456/sync/CRM/Accounts?$select=ID,BSN"); status != 200 {
		t.Error("the sync endpoint lost the property too")
	}
	if err := v.sandbox.AddProperty("crm/Accounts", "Wrong", "Edm.Int32", "text"); err == nil {
		t.Error("a text was taken for an Int32")
	}
}

func TestControl(t *testing.T) {
	v := visit(t, sandbox.Options{})
	server := httptest.NewServer(v.sandbox)
	defer server.Close()
	post := func(what string) (int, string) {
		t.Helper()
		r, err := server.Client().Do(posting(t, server.URL+"/_sandbox/"+what, ""))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = r.Body.Close() }()
		body, _ := io.ReadAll(r.Body)
		return r.StatusCode, string(body)
	}
	before := len(v.sandbox.Records(0, "crm/Accounts"))
	if status, body := post("change?division=123456&entity=crm/Accounts&insert=3&delete=1"); status != 200 {
		t.Errorf("change: %d %s", status, body)
	}
	if after := len(v.sandbox.Records(0, "crm/Accounts")); after != before+2 {
		t.Errorf("%d records became %d", before, after)
	}
	if status, body := post("change?entity=crm/Acounts&insert=3"); status != 400 || !strings.Contains(body, "Acounts") {
		t.Errorf("a wrong entity: %d %s", status, body)
	}
	if status, _ := post("nonsense"); status != 404 {
		t.Errorf("an unknown control: %d", status)
	}
	v.get(accounts + "?$top=1")
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/_sandbox/calls", nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := server.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Body.Close() }()
	var calls map[string]int
	if err := json.NewDecoder(r.Body).Decode(&calls); err != nil || calls[accounts] != 1 || calls["/api/oauth2/token"] != 1 {
		t.Errorf("calls %v %v", calls, err)
	}
	foreign := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/_sandbox/move", nil)
	foreign.RemoteAddr = "192.0.2.7:4711"
	w := httptest.NewRecorder()
	v.sandbox.ServeHTTP(w, foreign)
	if w.Code != http.StatusForbidden {
		t.Errorf("another machine was answered %d", w.Code)
	}
}
