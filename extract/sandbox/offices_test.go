package sandbox_test

import (
	"encoding/json"
	"fmt"
	"runtime"
	"testing"
	"time"

	"exactduck/extract/sandbox"
)

func TestDivisionsComeAndGo(t *testing.T) {
	v := visit(t, sandbox.Options{Divisions: 4, Archived: 1, Blocked: 1, Scale: 0.1})
	s := v.sandbox
	list := func() map[string]string {
		found := map[string]string{}
		for _, r := range v.page("/api/v1/123456/system/Divisions?$select=Code,Description,Status,BlockingStatus").rows {
			found[fmt.Sprint(r["Code"])] = fmt.Sprintf("%v %v %v", r["Status"], r["BlockingStatus"], r["Description"])
		}
		return found
	}
	before := list()
	if before["123457"][:4] != "1 0 " || before["123458"][:4] != "1 1 " || before["123459"][:4] != "2 0 " {
		t.Errorf("the divisions are %v", before)
	}
	v.wants("/api/v1/123458/crm/Accounts?$top=1", 403, "Forbidden")
	v.wants("/api/v1/123459/crm/Accounts?$top=1", 200, "")
	code, err := s.AddDivision("Nieuwkomer B.V.")
	must(t, err, s.RemoveDivision(123457), s.RenameDivision(123456, "Anders"), s.ArchiveDivision(123459, false))
	if code != 123460 || len(s.Records(code, "crm/Accounts")) == 0 {
		t.Errorf("the newcomer is %d", code)
	}
	v.wants("/api/v1/123460/sync/CRM/Accounts?$select=ID", 200, "")
	v.wants("/api/v1/123457/crm/Accounts?$top=1", 403, "")
	after := list()
	if len(after) != 4 || after["123460"] != "1 0 Nieuwkomer B.V." || after["123456"] != "1 0 Anders" || after["123457"] != "" || after["123459"][:4] != "1 0 " {
		t.Errorf("the divisions are %v", after)
	}
	if code, err = s.AddDivision(""); err != nil || code != 123461 {
		t.Errorf("the next one is %d %v: codes of the gone are not given again", code, err)
	}
	if s.RemoveDivision(123457) == nil {
		t.Error("what is gone was removed")
	}
	for _, o := range []sandbox.Options{{Divisions: 2, Archived: 3}, {Blocked: -1}, {Records: map[string]int{"crm/Acounts": 1}}, {Records: map[string]int{"salesinvoice/SalesInvoices": 1}}} {
		if _, err := sandbox.New(o); err == nil {
			t.Errorf("%+v was taken", o)
		}
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestManyDivisions(t *testing.T) {
	before, began := heap(), time.Now()
	v := visit(t, sandbox.Options{Divisions: 500, Scale: 0.02})
	took, cost := time.Since(began), int64(heap())-int64(before)
	if took > time.Second || cost > 50<<20 {
		t.Errorf("500 divisions took %v and %d MB", took, cost>>20)
	}
	names := map[any]bool{}
	for _, r := range v.all("/api/v1/123456/system/Divisions?$select=Code,Description") {
		names[r["Description"]] = true
	}
	if len(names) != 500 {
		t.Errorf("%d different names", len(names))
	}
	v.wants("/api/v1/123955/crm/Accounts?$select=ID", 200, "guid")
	t.Logf("500 divisions: %v, %d kB", took, cost>>10)
}

// A hundred thousand wide records fit into a quarter of what they would take written out, can be
// read, changed and compared.
func TestManyRecords(t *testing.T) {
	before := heap()
	const many = 100_000
	v := visit(t, sandbox.Options{Divisions: 1, Scale: 0.1, Records: map[string]int{"salesorder/SalesOrderHeaders": many, "crm/Accounts": 200, "financial/TransactionLines": 3000}})
	const orders = "/api/v1/123456/sync/SalesOrder/SalesOrderHeaders?$select=Timestamp,ID,Description,Modified,AmountDC"
	p := v.page(orders)
	if len(p.rows) != 1000 || p.next == "" {
		t.Fatalf("%d rows", len(p.rows))
	}
	if cost := int64(heap()) - int64(before); cost > 150<<20 {
		t.Errorf("they cost %d MB", cost>>20)
	} else {
		t.Logf("%d records: %d MB", many, cost>>20)
	}
	v.change(sandbox.Change{Entity: "salesorder/SalesOrderHeaders", Insert: 3, Update: 5, Delete: 7})
	if n := len(v.all("/api/v1/123456/sync/SalesOrder/SalesOrderHeaders?$select=ID")); n != many-4 {
		t.Errorf("%d records are left", n)
	}
	var first map[string]any
	for first = range v.sandbox.Walk(0, "sync/SalesOrder/SalesOrderHeaders") {
		break
	}
	if got := v.page(orders).rows[0]; fmt.Sprint(first["Timestamp"]) != got["Timestamp"] || first["ID"] != got["ID"] || fmt.Sprint(orNone(first["Description"])) != fmt.Sprint(orNone(got["Description"])) {
		t.Errorf("the first is %v, the truth %v", got, first)
	}
	if rows := v.all(fmt.Sprintf(orders+"&$filter=Timestamp gt %sL", highestOf(t, v.page(orders+"&$orderby=Timestamp desc&$top=9").rows))); len(rows) != 8 {
		t.Errorf("%d rows changed", len(rows))
	}
	if n := len(v.sandbox.Records(0, "crm/Accounts")); n != 200 {
		t.Errorf("%d accounts", n)
	}
	if n := len(v.sandbox.Records(0, "sync/Financial/TransactionLines")); n != 3000 {
		t.Errorf("%d lines", n)
	}
	checkBooks(t, v.sandbox, 0)
}

// highestOf is the version of the last of some rows, which come the highest first.
func highestOf(t *testing.T, rows []row) string {
	t.Helper()
	n, ok := rows[len(rows)-1]["Timestamp"].(string)
	if !ok {
		t.Fatal("no version")
	}
	return n
}

func orNone(v any) any {
	if n, ok := v.(json.Number); ok {
		return n.String()
	}
	return v
}
