package sandbox_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"exactduck/extract/exactonline"
	"exactduck/extract/sandbox"
)

const someGUID = "11111111-2222-4333-8444-555555555555"

// arguments are a value for each parameter of a function, as Go has it and as a query has it.
func arguments(e *exactonline.Endpoint) (params map[string]any, query []string) {
	params = map[string]any{}
	for _, p := range e.Parameters {
		var value any = 2
		text := "2"
		switch p.Edm {
		case "Edm.Guid":
			value, text = someGUID, "guid'"+someGUID+"'"
		case "Edm.String":
			value, text = "it's", "'it''s'"
		case "Edm.Boolean":
			value, text = true, "true"
		case "Edm.DateTime":
			value, text = "2026-05-01", "datetime'2026-05-01'"
		}
		if p.Name == "year" {
			value, text = 2026, "2026"
		}
		if p.Name == "endPoint" {
			value, text = "TransactionLines", "'TransactionLines'"
		}
		params[p.Name] = value
		query = append(query, p.Name+"="+text)
	}
	return params, query
}

// Every function whose parameters are known refuses a call without one of them or with one that is
// ill-typed, and answers what RecordsOf says with all of them.
func TestFunctions(t *testing.T) {
	v := visit(t, sandbox.Options{})
	tried := 0
	for _, e := range exactonline.Endpoints() {
		if len(e.Parameters) == 0 {
			continue
		}
		tried++
		params, query := arguments(e)
		address := place(e, "123456") + "?"
		for i := range query {
			for _, wrong := range [][]string{append(append([]string{}, query[:i]...), query[i+1:]...), append(append([]string{}, query[:i]...), append([]string{e.Parameters[i].Name + "=@"}, query[i+1:]...)...)} {
				if status, _, body := v.get(address + strings.Join(wrong, "&")); status != 400 || !strings.Contains(body, "Bad Request - Error in query syntax.") {
					t.Errorf("%s?%s: %d %s", e.Path, wrong, status, body)
				}
			}
		}
		v.clock.pass(2 * 60 * 60 * 1e9) // the errors are forgotten
		v.login()
		want, err := v.sandbox.RecordsOf(0, e.Path, params)
		if err != nil {
			t.Errorf("%s: %v", e.Path, err)
			continue
		}
		if len(e.Properties) == 0 {
			status, _, body := v.get(address + strings.Join(query, "&"))
			if value, _ := json.Marshal(want[0][e.Name]); status != 200 || body != fmt.Sprintf(`{"d":{"%s":%s}}`, e.Name, value) {
				t.Errorf("%s: %d %s, want %v", e.Path, status, body, want)
			}
			continue
		}
		got := v.all(address + strings.Join(query, "&"))
		if len(got) != len(want) {
			t.Errorf("%s: %d rows, want %d", e.Path, len(got), len(want))
			continue
		}
		for i := range got {
			for _, p := range e.Properties {
				if p.Nested || p.Dropped {
					continue
				}
				if why := differs(p.Edm, got[i][p.Name], want[i][p.Name]); why != "" {
					t.Errorf("%s: %s of row %d: %s", e.Path, p.Name, i, why)
				}
			}
		}
	}
	if tried != 49 {
		t.Errorf("%d functions", tried)
	}
}

func TestRowsFollowTheParameters(t *testing.T) {
	v := visit(t, sandbox.Options{})
	of := func(path string, params map[string]any) []map[string]any {
		t.Helper()
		rows, err := v.sandbox.RecordsOf(0, path, params)
		if err != nil {
			t.Fatal(err)
		}
		return rows
	}
	const hours = "read/project/HoursByDate"
	if a, b := of(hours, map[string]any{"checkDate": "2026-05-01"}), of(hours, map[string]any{"checkDate": "2026-05-02"}); reflect.DeepEqual(a, b) {
		t.Error("two days have the same hours")
	}
	all, parts := v.sandbox.Records(0, "read/financial/ReceivablesList"), 0
	for group := range 4 {
		parts += len(of("read/financial/ReceivablesListByAgeGroup", map[string]any{"ageGroup": group + 1}))
	}
	if len(all) == 0 || parts != len(all) {
		t.Errorf("%d receivables, %d by age", len(all), parts)
	}
	account := all[0]["AccountId"]
	for _, r := range of("read/financial/ReceivablesListByAccount", map[string]any{"accountId": account}) {
		if r["AccountId"] != account {
			t.Errorf("of another account: %v", r["AccountId"])
		}
	}
	if rows := of("read/logistics/StockPosition", map[string]any{"itemId": someGUID}); len(rows) != 1 || rows[0]["ItemId"] != someGUID {
		t.Errorf("the stock of an item: %v", rows)
	}
	if _, err := v.sandbox.RecordsOf(0, hours, nil); err == nil {
		t.Error("records of a function without its parameters")
	}
	if _, err := v.sandbox.RecordsOf(0, hours, map[string]any{"checkDate": "2026-05-01", "more": 1}); err == nil {
		t.Error("a parameter that the function does not have")
	}
	if status, _, _ := v.get("/api/v1/123456/read/crm/AccountDocumentsCount?accountId=guid'" + someGUID + "'&searchText='x'&useFullTextSearch=true"); status != http.StatusOK {
		t.Error("counting documents is refused")
	}
}
