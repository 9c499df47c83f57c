package exactonline_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"exactduck/extract"
	"exactduck/extract/exactonline"
	"exactduck/extract/sandbox"
	"exactduck/schema"
)

// Every function delivers what it finds for its parameters, column by column.
func TestEveryFunctionDelivers(t *testing.T) {
	f := open(t, sandbox.Options{Seed: 7, Scale: 0.2})
	s := f.source()
	account := f.sb.Records(division, "read/financial/ReceivablesList")[0]["AccountId"]
	params := map[string]any{"Edm.Guid": account, "Edm.String": "it's", "Edm.Int32": 2, "Edm.Int16": 1, "Edm.Boolean": true, "Edm.DateTime": "2026-01-31"}
	calls, found := 0, 0
	for _, e := range exactonline.Endpoints() {
		given := map[string]any{}
		for _, p := range e.Parameters {
			given[p.Name] = params[p.Edm]
			switch p.Name {
			case "year":
				given[p.Name] = 2026
			case "endPoint":
				given[p.Name] = "Projects"
			}
		}
		if len(given) == 0 {
			continue
		}
		calls++
		name := streamOf(e)
		stream, err := exactonline.Call(name, given, "")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		v := stream.Variants[0]
		b := &books{stream: stream, variant: v, rows: map[string]map[string]string{}, version: map[string]int64{}}
		if err := b.load(f, func() *exactonline.Source { return s }); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		records, err := f.sb.RecordsOf(division, e.Path, given)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		compare(t, name, b.rows, toldRows(v.Table, records))
		found += min(len(records), 1)
	}
	if calls < 48 || found < 40 {
		t.Errorf("%d functions, of which %d found something", calls, found)
	}
}

func streamOf(e *exactonline.Endpoint) string {
	const root = "/api/v1/{division}/"
	return e.Path[len(root):]
}

func toldRows(table *schema.Table, records []map[string]any) map[string]map[string]string {
	rows := map[string]map[string]string{}
	for _, r := range records {
		record := map[string]string{}
		for _, c := range table.Columns {
			record[c.Name] = told(r[c.Name], c.Type)
			if truth, ok := r[c.Name].(bool); ok && c.Type == schema.Varchar {
				record[c.Name] = fmt.Sprint(truth)
			}
		}
		rows[keyOf(table, record)] = record
	}
	return rows
}

// A filter keeps the same records, whether the service is asked for it or it is judged here, and
// whichever variant is read.
func TestFiltersKeepTheSameWhereverTheyAreJudged(t *testing.T) {
	f := open(t, sandbox.Options{Seed: 7, Scale: 1})
	kept := 0
	for _, c := range []struct{ stream, filter string }{
		{"standard/crm/Accounts", "Country eq 'NL' and not (Status eq 'c')"},
		{"standard/crm/Accounts", "startswith(tolower(Name),'b') or substringof('ER',Name) eq true"},
		{"standard/crm/Accounts", "trim(Code) gt '104' and Created ge datetime'2024-06-01'"},
		{"standard/crm/Accounts", "Email eq null or not substringof('8',Email)"},
		{"bulk/crm/Accounts", "IsSupplier eq true and CreditLinePurchase ne 0"},
		{"standard/financial/GLAccounts", "Type ge 20 and (BalanceSide eq 'd' or BalanceType ne 'W')"},
		{"bulk/financial/TransactionLines", "AmountDC gt 100.25 and AmountDC le 5000L"},
		{"bulk/financial/TransactionLines", "FinancialYear eq 2026 and Account ne null"},
		{"standard/salesorder/SalesOrders", "OrderDate lt datetime'2026-05-01T12:00:00' and AmountDC ge 0.5d"},
	} {
		asked, here := f.source(), f.source()
		b := ledgerOf(t, c.stream)
		here.Know(b.variant.Name, []string{"$filter"}, false)
		if !exactonline.FilterWhere(b.variant, c.filter) {
			t.Errorf("%s: %s is not asked", c.stream, c.filter)
		}
		got := map[*exactonline.Source]map[string]map[string]string{}
		for _, s := range []*exactonline.Source{asked, here} {
			b := ledgerOf(t, c.stream)
			b.filter = c.filter
			if err := b.load(f, func() *exactonline.Source { return s }); err != nil {
				t.Fatal(err)
			}
			got[s] = b.rows
		}
		compare(t, c.stream+" "+c.filter, got[here], got[asked])
		if all := len(truth(f, b.variant)); len(got[asked]) == 0 || len(got[asked]) == all {
			t.Errorf("%s: %s keeps %d of %d", c.stream, c.filter, len(got[asked]), all)
		}
		kept += len(got[asked])
	}
	if kept < 100 {
		t.Errorf("%d rows prove little", kept)
	}
}

// What no longer passes a filter goes, what begins to comes.
func TestAFilteredTableStaysEqual(t *testing.T) {
	const filter = "substringof('a',Name) and not (City eq null)"
	for _, name := range []string{"sync/crm/Accounts", "standard/crm/Accounts"} {
		f := open(t, sandbox.Options{Seed: 5, Scale: 0.3})
		s, b, out := f.source(), ledgerOf(t, name), 0
		b.filter, b.out = filter, &out
		for round := range 8 {
			if err := b.load(f, func() *exactonline.Source { return s }); err != nil {
				t.Fatal(err)
			}
			fresh := ledgerOf(t, name)
			fresh.filter = filter
			if err := fresh.load(f, func() *exactonline.Source { return s }); err != nil {
				t.Fatal(err)
			}
			compare(t, fmt.Sprintf("%s, round %d", name, round), b.rows, fresh.rows)
			f.pass(24 * time.Hour)
			f.change(b, sandbox.Change{Insert: 5, Update: 25})
			f.pass(time.Hour)
		}
		if out == 0 {
			t.Errorf("%s: nothing was marked", name)
		}
	}
}

// Of every feed that the service can say it of, exactly what was modified since is read, and the
// one on the boundary comes.
func TestSinceOnEveryFeedThatCanLookItUp(t *testing.T) {
	f := open(t, sandbox.Options{Seed: 7, Scale: 1})
	s, feeds := f.source(), 0
	for _, stream := range exactonline.Streams() {
		v := stream.Variants[0]
		if exactonline.EndpointOf(v).SyncTimestamp == "" {
			continue
		}
		feeds++
		records := f.sb.Records(division, v.Name)
		modified := func(r map[string]any) time.Time { at, _ := r[v.Dated].(time.Time); return at }
		slices.SortFunc(records, func(a, b map[string]any) int { return modified(a).Compare(modified(b)) })
		if len(records) < 2 {
			t.Errorf("%s has %d records", v.Name, len(records))
			continue
		}
		boundary := modified(records[len(records)/2]).Truncate(time.Second)
		want := slices.DeleteFunc(records, func(r map[string]any) bool { return modified(r).Before(boundary) })
		pages := (len(want)+v.PageSize-1)/v.PageSize + 1
		f.sent = 0
		b := &books{stream: stream, variant: v, rows: map[string]map[string]string{}, version: map[string]int64{}, since: boundary}
		if err := b.load(f, func() *exactonline.Source { return s }); err != nil {
			t.Errorf("%s: %v", v.Name, err)
			continue
		}
		maps.DeleteFunc(b.rows, func(_ string, r map[string]string) bool { return r[v.Dated] == "NULL" }) // kept to be safe
		compare(t, v.Name, b.rows, toldRows(v.Table, want))
		if len(b.rows) == 0 || f.sent != pages {
			t.Errorf("%s: %d rows with %d calls", v.Name, len(b.rows), f.sent)
		}
	}
	if feeds != 24 {
		t.Errorf("%d feeds, want 24", feeds)
	}
}

// Each whim of an endpoint costs one refusal, once.
func TestTheWhimsOfEndpoints(t *testing.T) {
	const name = "standard/crm/Accounts"
	for whim, c := range map[string]struct {
		arm    func(*sandbox.Sandbox) error
		filter string
		extra  int
		lost   []string
	}{
		"mandatory filter":  {func(sb *sandbox.Sandbox) error { return sb.Require("crm/Accounts", sandbox.Filter) }, "", 1, nil},
		"no filters":        {func(sb *sandbox.Sandbox) error { return sb.RefuseFilter("crm/Accounts", "") }, "Country eq 'NL'", 1, nil},
		"not on this field": {func(sb *sandbox.Sandbox) error { return sb.RefuseFilter("crm/Accounts", "Country") }, "Country eq 'NL'", 1, nil},
		"a column renamed":  {func(sb *sandbox.Sandbox) error { return sb.RenameProperty("crm/Accounts", "Website", "Site") }, "", 1, []string{"Website"}},
		"many columns gone": {func(sb *sandbox.Sandbox) error {
			return errors.Join(sb.DropProperty("crm/Accounts", "Website"), sb.DropProperty("crm/Accounts", "Email"), sb.DropProperty("crm/Accounts", "City"))
		}, "", 3, []string{"Website", "Email", "City"}},
	} {
		f := open(t, sandbox.Options{Seed: 7, Scale: 0.2})
		calm := ledgerOf(t, name)
		calm.filter = c.filter
		if err := calm.load(f, f.source); err != nil {
			t.Fatal(err)
		}
		all := ledgerOf(t, name)
		f.sent = 0
		if err := all.load(f, f.source); err != nil {
			t.Fatal(err)
		}
		pages := f.sent
		if err := c.arm(f.sb); err != nil {
			t.Fatal(err)
		}
		s := f.source()
		for again, extra := range []int{c.extra, 0} {
			f.sent = 0
			b := ledgerOf(t, name)
			b.filter, b.lenient = c.filter, true
			if err := b.load(f, func() *exactonline.Source { return s }); err != nil {
				t.Errorf("%s: %v", whim, err)
				continue
			}
			want := map[string]map[string]string{}
			for key, record := range calm.rows {
				want[key] = maps.Clone(record)
				for _, column := range c.lost {
					want[key][column] = "NULL"
				}
			}
			compare(t, whim, b.rows, want)
			if f.sent != pages+extra {
				t.Errorf("%s, read %d: %d calls for %d pages, want %d more", whim, again+1, f.sent, pages, extra)
			}
		}
	}
}

// The sandbox counts what it holds.
func TestCountOfTheSandbox(t *testing.T) {
	f := open(t, sandbox.Options{Seed: 7, Scale: 0.3})
	s, counted := f.source(), 0
	for _, stream := range exactonline.Streams() {
		for _, v := range stream.Variants {
			if v.Kind != "standard" || stream.Shared {
				continue
			}
			f.sent = 0
			n, err := s.Count(t.Context(), extract.Read{Stream: stream.Name, Variant: v, Scope: theDivision})
			if errors.Is(err, extract.ErrUncounted) {
				continue
			}
			if want := len(f.sb.Records(division, exactonline.EndpointOf(v).Path)); err != nil || int(n) != want || f.sent != 1 {
				t.Errorf("%s: %d, %v, want %d; %d calls", v.Name, n, err, want, f.sent)
			}
			counted++
		}
	}
	if counted < 200 {
		t.Errorf("%d endpoints were counted", counted)
	}
}
