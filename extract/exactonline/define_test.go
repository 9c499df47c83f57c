package exactonline

import (
	"errors"
	"strings"
	"testing"

	"exactduck/extract"
	"exactduck/schema"

	"github.com/google/go-cmp/cmp"
)

func TestDefine(t *testing.T) {
	types := map[string]string{"ID": "Guid", "Name": "edm.string", "Amount": "decimal(18, 4)", "Price": "DOUBLE", "Changed": "DateTime", "N": "integer"}
	for _, c := range []struct {
		d       Definition
		name    string
		variant extract.Variant
		path    string
		columns string
	}{
		{
			Definition{Path: "crm/NewThings", Key: []string{"ID"}, Types: types, Modified: "Changed"},
			"crm/NewThings",
			extract.Variant{Name: "crm/NewThings", Kind: "standard", Cursor: extract.Modified, PageSize: 60, Dated: "Changed", Searchable: true, Countable: true},
			"/api/v1/{division}/crm/NewThings",
			"crm.NewThings: ID UUID, Amount DECIMAL(18,4), Changed TIMESTAMP, N INTEGER, Name VARCHAR, Price DOUBLE",
		},
		{
			Definition{Stream: "crm/Things", Path: "sync/CRM/NewThings", Key: []string{"ID"}, Types: types, Modified: "Modified"},
			"crm/Things",
			extract.Variant{Name: "sync/CRM/NewThings", Kind: "sync", Cursor: extract.Versioned, PageSize: 1000, Dated: "Modified", Searchable: true},
			"/api/v1/{division}/sync/CRM/NewThings",
			"crm.Things: ID UUID, Amount DECIMAL(18,4), Changed TIMESTAMP, Modified TIMESTAMP, N INTEGER, Name VARCHAR, Price DOUBLE, Timestamp BIGINT",
		},
		{
			Definition{Path: "bulk/CRM/New/Things", Types: map[string]string{"b": "UUID", "A": "Edm.Int64"}, PageSize: 500},
			"crm/New/Things",
			extract.Variant{Name: "bulk/CRM/New/Things", Kind: "bulk", PageSize: 500, Searchable: true},
			"/api/v1/{division}/bulk/CRM/New/Things",
			"crm.New_Things: A BIGINT, b UUID",
		},
		{
			Definition{Path: "beta/system/Things", Types: map[string]string{"A": "Byte"}, Modified: "M"},
			"beta/system/Things",
			extract.Variant{Name: "beta/system/Things", Kind: "beta", PageSize: 60, Dated: "M", Searchable: true},
			"/api/v1/beta/{division}/system/Things",
			"exact_system.Things: A UTINYINT, M TIMESTAMP",
		},
		{ // known, and retired: its own columns
			Definition{Path: "sync/CRM/Quotations", Stream: "crm/OldQuotations", Key: []string{"ID"}},
			"crm/OldQuotations",
			extract.Variant{Name: "sync/CRM/Quotations", Kind: "sync", Cursor: extract.Versioned, PageSize: 1000, Searchable: true},
			"/api/v1/{division}/sync/CRM/Quotations", "crm.OldQuotations: ID UUID, AmountDC ",
		},
	} {
		s, err := Define(c.d)
		if err != nil {
			t.Errorf("%s: %v", c.d.Path, err)
			continue
		}
		v := *s.Variants[0]
		if s.Name != c.name || EndpointOf(&v) == nil || EndpointOf(&v).Path != c.path {
			t.Errorf("%s: %s at %+v", c.d.Path, s.Name, v.Origin)
		}
		if got := described(v.Table); !strings.HasPrefix(got, c.columns) {
			t.Errorf("%s: %s, want %s", c.d.Path, got, c.columns)
		}
		v.Table, v.Origin = nil, nil
		if diff := cmp.Diff(c.variant, v); diff != "" {
			t.Errorf("%s: %s", c.d.Path, diff)
		}
	}
}

func described(t *schema.Table) string {
	text := t.FullName() + ":"
	for i, c := range t.Columns {
		text += map[bool]string{true: ",", false: ""}[i > 0] + " " + c.Name + " " + c.Type.String()
	}
	return text
}

func TestBadDefinitions(t *testing.T) {
	one := map[string]string{"ID": "Guid"}
	key := []string{"ID"}
	for field, list := range map[string][]Definition{
		"path": {
			{Types: one},
			{Path: "crm", Types: one},
			{Path: "sync/CRM", Types: one},
			{Path: "crm/../x", Types: one},
			{Path: "crm/A?b=c", Types: one},
			{Path: "/api/v1/1/crm/A", Types: one},
			{Path: "https://x/crm/A", Types: one},
			{Path: "crm/Accounts", Types: one},
			{Path: "CRM/accounts", Types: one},
			{Path: "sync/crm/Accounts", Types: one},
			{Path: "sync/Deleted/", Types: one},
			{Path: "read/financial/ReceivablesList", Types: one},
		},
		"stream": {
			{Path: "crm/New", Stream: "crm/accounts", Types: one},
			{Path: "crm/New", Stream: "New", Types: one},
			{Path: "crm/New", Stream: "crm/a b", Types: one},
			{Path: "crm/New", Stream: "crm/AccountDocuments", Types: one},
			{Path: "read/logistics/SalesItemPrice", Types: one},
		},
		"key":      {{Path: "crm/New", Types: one, Key: []string{"X"}}, {Path: "sync/crm/New", Types: one}, {Path: "sync/crm/New", Types: one, Key: []string{"Timestamp"}}},
		"types":    {{Path: "crm/New"}, {Path: "crm/New", Types: map[string]string{"A": "Money"}}, {Path: "crm/New", Types: map[string]string{"$a": "Guid"}}},
		"modified": {{Path: "crm/New", Types: one, Key: key, Modified: "ID"}},
	} {
		for _, d := range list {
			_, err := Define(d)
			if bad, ok := errors.AsType[*BadDefinition](err); !ok || bad.Field != field {
				t.Errorf("%s: %+v: %v", field, d, err)
			}
		}
	}
	_, err := Define(Definition{Path: "Sync/crm/accounts", Types: one})
	if want := `endpoint "Sync/crm/accounts": path: this endpoint is known: it is stream crm/Accounts`; err == nil || err.Error() != want {
		t.Errorf("%v", err)
	}
}

// A defined endpoint is read like any other: cursor, filter, date and all.
func TestADefinedEndpointIsRead(t *testing.T) {
	e := &exact{clock: at(noon), answer: func(string, string) (int, string) {
		return 200, list("", `{"Timestamp":"5","ID":"00000000-0000-0000-0000-000000000001","Changed":"/Date(1782000000000)/","N":1}`)
	}}
	s := e.source(t, nil)
	types := map[string]string{"ID": "Guid", "N": "Int32"}
	plain, err := Define(Definition{Path: "crm/New", Key: []string{"ID"}, Types: types, Modified: "Changed"})
	if err != nil {
		t.Fatal(err)
	}
	fed, err := Define(Definition{Path: "sync/crm/New", Stream: "crm/Fed", Key: []string{"ID"}, Types: types, Modified: "Changed"})
	if err != nil {
		t.Fatal(err)
	}
	read := func(stream *extract.Stream) extract.Read {
		return extract.Read{Stream: stream.Name, Variant: stream.Variants[0], Scope: "123"}
	}
	r := read(plain)
	first := mustCollect(t, s, r)
	r.From, r.Filter = first.Next, "N eq 2"
	second := mustCollect(t, s, r)
	r.From, r.Since = "", newYear
	mustCollect(t, s, r)
	third := mustCollect(t, s, read(fed))
	if first.Next != `{"v":1,"kind":"modified","modified":"2026-06-25T10:00:00"}` || !cmp.Equal(second.Out, []bool{true}) || third.Next != `{"v":1,"kind":"timestamp","timestamp":5}` {
		t.Errorf("cursors %s, %s, out %v", first.Next, third.Next, second.Out)
	}
	want := []string{
		"/api/v1/123/crm/New?$select=ID,Changed,N",
		"/api/v1/123/crm/New?$select=ID,Changed,N&$filter=Changed ge datetime'2026-06-25T10:00:00'",
		"/api/v1/123/crm/New?$select=ID,Changed,N&$filter=(Changed ge datetime'2026-01-01T00:00:00') and (N eq 2)",
		"/api/v1/123/sync/crm/New?$select=ID,Changed,N,Timestamp&$filter=Timestamp gt 0L",
	}
	if diff := cmp.Diff(want, e.asked); diff != "" {
		t.Error(diff)
	}
}
