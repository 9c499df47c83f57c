package sandbox_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"exactduck/extract/sandbox"
)

const deleted = "/api/v1/123456/sync/Deleted?$select=ID,Timestamp,EntityType,EntityKey,DeletedDate"

func version(t *testing.T, r row) int64 {
	t.Helper()
	n, err := json.Number(r["Timestamp"].(string)).Int64()
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// highest is the cursor that a client would keep.
func highest(t *testing.T, rows []row, since int64) int64 {
	t.Helper()
	for _, r := range rows {
		since = max(since, version(t, r))
	}
	return since
}

func (v *visitor) change(c sandbox.Change) {
	v.t.Helper()
	if err := v.sandbox.Change(c); err != nil {
		v.t.Fatal(err)
	}
}

// A client that keeps the highest Timestamp, reads what is above it and honours Deleted, has what
// the company has.
func TestSyncFollowsChanges(t *testing.T) {
	v := visit(t, sandbox.Options{Scale: 0.3})
	const feed = "/api/v1/123456/sync/CRM/Accounts?$select=ID,Name,Timestamp,Modified"
	copied := map[string]string{}
	var cursor, gone int64
	for round := range 6 {
		rows := v.all(fmt.Sprintf("%s&$filter=Timestamp gt %dL", feed, cursor))
		if round > 0 && len(rows) != 5 {
			t.Fatalf("round %d brought %d rows, want 3 inserted and 2 updated", round, len(rows))
		}
		for _, r := range rows {
			copied[r["ID"].(string)] = fmt.Sprint(r["Name"], r["Modified"])
		}
		cursor = highest(t, rows, cursor)
		tombs := v.all(fmt.Sprintf("%s&$filter=Timestamp gt %dL and EntityType eq 2", deleted, gone))
		for _, r := range tombs {
			delete(copied, r["EntityKey"].(string))
		}
		gone = highest(t, tombs, gone)
		truth := v.sandbox.Records(0, "crm/Accounts")
		if len(copied) != len(truth) {
			t.Fatalf("round %d: the copy has %d rows, the company %d", round, len(copied), len(truth))
		}
		for _, r := range truth {
			if want := fmt.Sprintf("%v/Date(%d)/", r["Name"], r["Modified"].(time.Time).UnixMilli()); copied[r["ID"].(string)] != want {
				t.Fatalf("round %d: the copy has %s, the company %s", round, copied[r["ID"].(string)], want)
			}
		}
		v.clock.pass(time.Minute)
		v.change(sandbox.Change{Entity: "crm/Accounts", Insert: 3, Update: 2, Delete: 1})
		v.change(sandbox.Change{Entity: "logistics/Items", Insert: 1, Delete: 1})
		v.login()
	}
}

func TestModifiedIsLocalTime(t *testing.T) {
	v := visit(t, sandbox.Options{})
	v.change(sandbox.Change{Entity: "crm/Accounts", Update: 1})
	want := time.Date(2026, 7, 15, 12, 0, 0, 0, time.UTC) // 10:00 UTC is noon in Amsterdam
	if rows := v.page(accounts + "?$select=Modified&$filter=Modified ge datetime'2026-07-15T12:00:00'").rows; len(rows) != 1 ||
		rows[0]["Modified"] != fmt.Sprintf("/Date(%d)/", want.UnixMilli()) {
		t.Errorf("got %v", rows)
	}
}

func TestDeletionsAreKeptTwoMonths(t *testing.T) {
	v := visit(t, sandbox.Options{})
	v.change(sandbox.Change{Entity: "crm/Accounts", Delete: 2})
	v.change(sandbox.Change{Entity: "salesinvoice/SalesInvoices", Delete: 1})
	types := map[string]int{}
	for _, r := range v.all(deleted) {
		types[fmt.Sprint(r["EntityType"])]++
	}
	if types["2"] != 2 || types["1"] < 2 || types["13"] < 2 || types["10"] != 1 {
		t.Errorf("deletions by type: %v", types)
	}
	v.clock.pass(61 * 24 * time.Hour)
	v.login()
	if n := len(v.all(deleted)); n == 0 {
		t.Error("nothing is left after 61 days")
	}
	v.clock.pass(2 * 24 * time.Hour)
	v.login()
	if n := len(v.all(deleted)); n != 0 {
		t.Errorf("%d rows are left after two months", n)
	}
}

// A late change has row versions below those of a change that was seen before it.
func TestLateCommits(t *testing.T) {
	v := visit(t, sandbox.Options{})
	before := highest(t, v.all(lines), 0)
	v.change(sandbox.Change{Entity: "financial/TransactionLines", Insert: 1, Late: true})
	v.clock.pass(time.Minute)
	v.change(sandbox.Change{Entity: "financial/TransactionLines", Insert: 1})
	seen := v.all(fmt.Sprintf("%s&$filter=Timestamp gt %dL", lines, before))
	entries := map[any]bool{}
	for _, r := range seen {
		entries[r["EntryID"]] = true
	}
	if len(entries) != 1 {
		t.Fatalf("%d entries are visible, want the one that is committed", len(entries))
	}
	cursor := highest(t, seen, before)
	if err := v.sandbox.Commit(0); err != nil {
		t.Fatal(err)
	}
	if n := len(v.all(fmt.Sprintf("%s&$filter=Timestamp gt %dL", lines, cursor))); n != 0 {
		t.Errorf("%d late rows have a version above the cursor", n)
	}
	if n := len(v.all(fmt.Sprintf("%s&$filter=Timestamp gt %dL", lines, before))); n <= len(seen) {
		t.Error("the late rows did not appear")
	}
	checkBooks(t, v.sandbox, 0)
}

func TestMovingADivision(t *testing.T) {
	v := visit(t, sandbox.Options{})
	before := v.all(lines)
	cursor := highest(t, before, 0)
	if err := v.sandbox.MoveDivision(123456); err != nil {
		t.Fatal(err)
	}
	after := v.all(lines)
	if len(after) != len(before) || highest(t, after, 0) >= cursor {
		t.Errorf("%d rows became %d, the highest version %d became %d", len(before), len(after), cursor, highest(t, after, 0))
	}
	rows := v.page("/api/v1/123456/system/Divisions?$select=Code,DivisionMoveDate").rows
	if moved, _ := rows[0]["DivisionMoveDate"].(string); !strings.HasPrefix(moved, "/Date(") || rows[1]["DivisionMoveDate"] != nil {
		t.Errorf("Divisions says %v", rows)
	}
	v.change(sandbox.Change{Entity: "financial/TransactionLines", Insert: 1})
	if n := len(v.all(fmt.Sprintf("%s&$filter=Timestamp gt %dL", lines, highest(t, after, 0)))); n < 2 {
		t.Errorf("a change after the move shows %d rows", n)
	}
}

// Pages are cut by key on live data: what does not change while a client pages is seen once.
func TestPagingWhileTheCompanyWorks(t *testing.T) {
	v := visit(t, sandbox.Options{Scale: 4})
	stay := map[string]int{}
	for _, r := range v.sandbox.Records(0, "crm/Accounts") {
		stay[r["ID"].(string)] = 0
	}
	address, pages := accounts+"?$select=ID", 0
	for address != "" {
		p := v.page(address)
		for _, r := range p.rows {
			if _, known := stay[r["ID"].(string)]; known {
				stay[r["ID"].(string)]++
			}
		}
		pages++
		v.change(sandbox.Change{Entity: "crm/Accounts", Insert: 7, Update: 3})
		address = p.next
	}
	if pages < 6 {
		t.Fatalf("only %d pages", pages)
	}
	for id, n := range stay {
		if n != 1 {
			t.Errorf("%s was seen %d times", id, n)
		}
	}
}

// A row that changes behind the reader of a sync feed comes again at its end, with a higher version.
func TestRowsMoveInASyncFeed(t *testing.T) {
	v := visit(t, sandbox.Options{})
	p := v.page(lines)
	first := p.rows[0]["ID"]
	times, entry := 0, ""
	v.change(sandbox.Change{Entity: "financial/TransactionLines", Update: 30})
	for _, r := range append(p.rows, v.all(p.next)...) {
		if r["ID"] == first {
			times++
		}
		entry = r["EntryID"].(string)
	}
	if times == 0 || entry == "" {
		t.Error("the first row was lost")
	}
	seen, twice := map[any]bool{}, 0
	for _, r := range append(p.rows, v.all(p.next)...) {
		if seen[r["ID"]] {
			twice++
		}
		seen[r["ID"]] = true
	}
	if twice == 0 {
		t.Error("no row came twice")
	}
}

func TestLinkingHR(t *testing.T) {
	v := visit(t, sandbox.Options{})
	const feed = "/api/v1/123456/sync/HRM/LeaveAbsenceHoursByDay?$select=ID,Timestamp"
	before := v.all(feed)
	if err := v.sandbox.LinkHR(0); err != nil {
		t.Fatal(err)
	}
	after := v.all(fmt.Sprintf("%s&$filter=Timestamp gt %dL", feed, highest(t, before, 0)))
	old := map[any]bool{}
	for _, r := range before {
		old[r["ID"]] = true
	}
	for _, r := range after {
		if old[r["ID"]] {
			t.Fatalf("%v kept its ID", r["ID"])
		}
	}
	if len(after) != len(before) || len(v.all(feed)) != len(before) || len(v.all(deleted)) != 0 {
		t.Errorf("%d records became %d, with %d deletions", len(before), len(after), len(v.all(deleted)))
	}
	if r := v.page("/api/v1/123456/system/Divisions?$select=DivisionHRLinkUnlinkDate").rows[0]; r["DivisionHRLinkUnlinkDate"] == nil {
		t.Error("Divisions does not say so")
	}
}
