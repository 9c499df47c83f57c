package sandbox_test

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"exactduck/extract/sandbox"
)

// What was done to a sandbox, and who is logged in, is there again after a restart.
func TestRestart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sandbox.ndjson")
	v := visit(t, sandbox.Options{Seed: 3, Scale: 0.5, StateFile: file})
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	v.all(accounts + "?$select=ID")
	for _, entity := range []string{"crm/Accounts", "project/Projects", "salesinvoice/SalesInvoices", "financial/TransactionLines"} {
		v.clock.pass(time.Second)
		v.change(sandbox.Change{Entity: entity, Insert: 3, Update: 2, Delete: 1})
	}
	v.change(sandbox.Change{Entity: "crm/Contacts", Insert: 2, Late: true})
	v.change(sandbox.Change{Entity: "logistics/Items", Update: 2})
	must(v.sandbox.Commit(0))
	must(v.sandbox.MoveDivision(123457))
	must(v.sandbox.LinkHR(0))
	must(v.sandbox.Revoke(0, "crm/Addresses"))
	must(v.sandbox.Forbid("hrm/Departments"))
	must(v.sandbox.AddProperty("crm/Accounts", "Nieuw", "Edm.Double", 1.5))
	v.change(sandbox.Change{Entity: "crm/Contacts", Insert: 1, Late: true}) // still open
	again := visitAgain(t, v, sandbox.Options{Seed: 99, StateFile: file})
	for _, path := range []string{
		"sync/CRM/Accounts", "crm/Accounts", "sync/CRM/Contacts", "project/Projects", "sync/Project/Projects",
		"sync/SalesInvoice/SalesInvoices", "sync/Financial/TransactionLines", "sync/Deleted", "crm/Addresses", "system/Divisions",
		"financial/ReportingBalance", "sync/Logistics/Items", "payroll/Employees", "sync/HRM/LeaveAbsenceHoursByDay", "manufacturing/ShopOrders",
	} {
		for _, division := range v.sandbox.Divisions() {
			if want, got := v.sandbox.Records(division, path), again.sandbox.Records(division, path); !reflect.DeepEqual(want, got) {
				t.Errorf("%s of %d: %d records became %d others", path, division, len(want), len(got))
			}
		}
	}
	if status, _, _ := again.get("/api/v1/123456/hrm/Departments"); status != 403 {
		t.Errorf("what was forbidden answers %d", status)
	}
	if status, _, _ := again.get(accounts + "?$top=1"); status != 200 {
		t.Errorf("the access token answers %d", status)
	}
	again.clock.pass(600 * time.Second)
	status, _, body := again.exchange(v.refresh)
	if status != 200 {
		t.Errorf("the refresh token: %d %s", status, body)
	}
	must(again.sandbox.Commit(0))
}

// visitAgain starts another sandbox over the state file of one that is gone, with its tokens.
func visitAgain(t *testing.T, v *visitor, o sandbox.Options) *visitor {
	t.Helper()
	if _, err := sandbox.New(o); err == nil {
		t.Error("two sandboxes share a state file")
	}
	if err := v.sandbox.Close(); err != nil {
		t.Fatal(err)
	}
	o.Clock, o.MinuteLimit, o.DayLimit = v.clock.Now, -1, -1
	s, err := sandbox.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	again := *v
	again.sandbox, again.http = s, clientOf(s)
	return &again
}

func TestATornStateFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sandbox.ndjson")
	v := visit(t, sandbox.Options{Scale: 0.1, StateFile: file})
	v.change(sandbox.Change{Entity: "crm/Accounts", Insert: 1})
	want := len(v.sandbox.Records(0, "crm/Accounts"))
	v.change(sandbox.Change{Entity: "crm/Accounts", Insert: 5})
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(file, int64(len(text)-9)); err != nil {
		t.Fatal(err)
	}
	again := visitAgain(t, v, sandbox.Options{StateFile: file})
	if got := len(again.sandbox.Records(0, "crm/Accounts")); got != want {
		t.Errorf("%d accounts, want the %d before the torn line", got, want)
	}
	again.change(sandbox.Change{Entity: "crm/Accounts", Insert: 1})
	third := visitAgain(t, again, sandbox.Options{StateFile: file})
	if got := len(third.sandbox.Records(0, "crm/Accounts")); got != want+1 {
		t.Errorf("%d accounts after going on, want %d", got, want+1)
	}
	if err := third.sandbox.Close(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v %v", info.Mode(), err)
	}
	if err := os.WriteFile(file, []byte("{}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := sandbox.New(sandbox.Options{StateFile: file}); err == nil {
		t.Error("a file that is none of ours was taken")
	}
}
