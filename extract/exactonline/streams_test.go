package exactonline

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"exactduck/extract"
	"exactduck/schema"
)

func TestEveryPullableEndpointServesOneStream(t *testing.T) {
	served := map[string]string{}
	for _, s := range append(Streams(), Deletions()) {
		for _, v := range s.Variants {
			e := EndpointOf(v)
			if e == nil {
				t.Fatalf("%s: variant %s has no endpoint", s.Name, v.Name)
			}
			if other, twice := served[e.Path]; twice {
				t.Errorf("%s serves %s and %s", e.Path, other, s.Name)
			}
			if !e.Pullable || e.Retired {
				t.Errorf("%s serves %s though it cannot be pulled", e.Path, s.Name)
			}
			served[e.Path] = s.Name
		}
	}
	for _, e := range Endpoints() {
		if _, ok := served[e.Path]; e.Pullable && !ok {
			t.Errorf("%s serves no stream", e.Path)
		}
	}
	if len(served) != 374 {
		t.Errorf("%d endpoints serve streams, want 374", len(served))
	}
}

func TestNoTwoStreamsShareATable(t *testing.T) {
	tables := map[string]string{}
	for _, s := range Streams() {
		name := strings.ToLower(s.Variants[0].Table.FullName())
		if other, twice := tables[name]; twice {
			t.Errorf("%s and %s both fill %s", other, s.Name, name)
		}
		tables[name] = s.Name
		if service, _, _ := strings.Cut(name, "."); slices.Contains([]string{"main", "system", "temp", "pg_catalog", "information_schema"}, service) {
			t.Errorf("%s: schema %s belongs to DuckDB", s.Name, service)
		}
	}
}

func TestVariantsOfAStreamAreOneTable(t *testing.T) {
	for _, s := range append(Streams(), Deletions()) {
		first := s.Variants[0].Table
		types := map[string]schema.Column{}
		for i, v := range s.Variants {
			if v.Table.FullName() != first.FullName() || v.Table.Scope != scopeColumn || v.Table.Entity != first.Entity {
				t.Errorf("%s fills another table than %s", v.Name, s.Variants[0].Name)
			}
			if (len(first.Key) == 0) != (decided("keyless", s.Name) != "") || !slices.Equal(v.Table.Key, first.Key) {
				t.Errorf("%s: keys %v and %v", s.Name, v.Table.Key, first.Key)
			}
			if i > 0 && slices.Index(kinds, v.Kind) <= slices.Index(kinds, s.Variants[i-1].Kind) {
				t.Errorf("%s: %s is not dearer than the variant before it", s.Name, v.Name)
			}
			for _, c := range v.Table.Columns {
				lower := strings.ToLower(c.Name)
				if other, ok := types[lower]; ok && (other.Type != c.Type || other.Name != c.Name) {
					t.Errorf("%s: column %s %v is %s %v elsewhere", v.Name, c.Name, c.Type, other.Name, other.Type)
				}
				types[lower] = c
			}
		}
	}
}

func TestKeysAndVersionsAreColumns(t *testing.T) {
	for _, s := range append(Streams(), Deletions()) {
		for _, v := range s.Variants {
			if _, err := v.Table.Columns[0].Type.MarshalText(); err != nil {
				t.Errorf("%s: %v", v.Name, err)
			}
			for _, key := range v.Table.Key {
				if !hasColumn(v.Table, key) {
					t.Errorf("%s has no key column %s", v.Name, key)
				}
			}
			versioned := v.Cursor == extract.Versioned
			if (v.Kind == "sync") != versioned || versioned != (v.Table.Version == "Timestamp") {
				t.Errorf("%s: cursor %d with version %q", v.Name, v.Cursor, v.Table.Version)
			}
			if versioned && v.Table.Columns[v.Table.Index("Timestamp")].Type != schema.BigInt {
				t.Errorf("%s: the version is no BIGINT", v.Name)
			}
		}
	}
}

func hasColumn(t *schema.Table, name string) bool {
	return slices.ContainsFunc(t.Columns, func(c schema.Column) bool { return c.Name == name })
}

func TestColumnsAreTheFlatProperties(t *testing.T) {
	for _, s := range Streams() {
		for _, v := range s.Variants {
			var want, got []string
			for _, p := range EndpointOf(v).Properties {
				if !p.Nested && !p.Dropped {
					want = append(want, p.Name)
				}
			}
			for _, c := range v.Table.Columns {
				got = append(got, c.Name)
				if strings.HasPrefix(c.Name, "_") || c.Type == 0 {
					t.Errorf("%s: column %s %v", v.Name, c.Name, c.Type)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", v.Name, diff)
			}
		}
	}
}

func TestStreamsAsDocumented(t *testing.T) {
	type row struct {
		table, key string
		variants   string
		cursors    string // S whole, M modified, V versioned
		entity     int32
	}
	for name, want := range map[string]row{
		"crm/Accounts":                          {"crm.Accounts", "ID", "sync bulk standard", "VMM", 2},
		"crm/Contacts":                          {"crm.Contacts", "ID", "sync bulk standard", "VWM", 5},
		"crm/QuotationLines":                    {"crm.QuotationLines", "ID", "sync bulk standard", "VWW", 35},
		"crm/QuotationHeaders":                  {"crm.QuotationHeaders", "ID", "sync", "V", 34},
		"crm/Quotations":                        {"crm.Quotations", "QuotationID", "bulk standard", "WM", 0},
		"financial/TransactionLines":            {"financial.TransactionLines", "ID", "sync bulk standard", "VMM", 1},
		"financialtransaction/Transactions":     {"financialtransaction.Transactions", "EntryID", "standard", "M", 0},
		"salesinvoice/SalesInvoices":            {"salesinvoice.SalesInvoices", "InvoiceID", "bulk standard", "MM", 0},
		"salesinvoice/SalesInvoicesSync":        {"salesinvoice.SalesInvoicesSync", "ID", "sync", "V", 13},
		"purchaseorder/PurchaseOrders":          {"purchaseorder.PurchaseOrders", "PurchaseOrderID", "standard", "M", 0},
		"purchaseorder/PurchaseOrdersSync":      {"purchaseorder.PurchaseOrdersSync", "ID", "sync", "V", 22},
		"salesorder/SalesOrders":                {"salesorder.SalesOrders", "OrderID", "bulk standard", "MM", 0},
		"salesorder/GoodsDeliveries":            {"salesorder.GoodsDeliveries", "EntryID", "sync bulk standard", "VWM", 16},
		"subscription/Subscriptions":            {"subscription.Subscriptions", "EntryID", "sync standard", "VM", 23},
		"manufacturing/MaterialIssues":          {"manufacturing.MaterialIssues", "StockTransactionId", "sync standard", "VW", 0},
		"logistics/SupplierItem":                {"logistics.SupplierItem", "ID", "sync standard", "VM", 0},
		"cashflow/Payments":                     {"cashflow.Payments", "ID", "bulk standard", "WM", 0},
		"openingbalance/CurrentYear/AfterEntry": {"openingbalance.CurrentYear_AfterEntry", "Division GLAccount ReportingYear", "standard", "W", 0},
		"system/Me":                             {"exact_system.Me", "UserID", "standard", "W", 0},
		"system/Divisions":                      {"exact_system.Divisions", "Code", "standard", "M", 0},
		"read/financial/ReceivablesList":        {"financial.ReceivablesList", "HID", "read", "W", 0},
		"beta/budget/BudgetScenarios":           {"budget.BudgetScenarios", "ID", "beta", "M", 0},
	} {
		s, _, err := Lookup(name)
		if err != nil {
			t.Error(err)
			continue
		}
		var kinds []string
		cursors := ""
		for _, v := range s.Variants {
			kinds = append(kinds, v.Kind)
			cursors += string("WMV"[v.Cursor])
		}
		table := s.Variants[0].Table
		got := row{table.FullName(), strings.Join(table.Key, " "), strings.Join(kinds, " "), cursors, table.Entity}
		if s.Name != name || got != want {
			t.Errorf("%s is %+v, want %s %+v", s.Name, got, name, want)
		}
	}
}

// A cursor on Modified is worth nothing where the server refuses to filter by it.
func TestModifiedCursorsCanBeFiltered(t *testing.T) {
	for _, s := range Streams() {
		for _, v := range s.Variants {
			e := EndpointOf(v)
			i := v.Table.Index("Modified")
			dated := i >= 0 && v.Table.Columns[i].Type == schema.Timestamp
			if dated && v.Dated != "Modified" {
				t.Errorf("%s: Dated is %q", v.Name, v.Dated)
			}
			if i := v.Table.Index(v.Dated); v.Dated != "" && (i < 0 || v.Table.Columns[i].Type != schema.Timestamp) {
				t.Errorf("%s is dated by %q, which is no time", v.Name, v.Dated)
			}
			restricted := e.Filterable != nil && !slices.Contains(e.Filterable, "Modified")
			if v.Cursor == extract.Modified && (!dated || restricted) {
				t.Errorf("%s cannot be read by Modified", v.Name)
			}
		}
	}
}

func TestDeletions(t *testing.T) {
	d := Deletions()
	table := d.Variants[0].Table
	var columns []string
	for _, c := range table.Columns {
		columns = append(columns, c.Name+" "+c.Type.String())
	}
	want := []string{
		"Timestamp BIGINT", "DeletedBy UUID", "DeletedDate TIMESTAMP", "Division INTEGER",
		"EntityKey UUID", "EntityType INTEGER", "ID UUID",
	}
	if diff := cmp.Diff(want, columns); diff != "" {
		t.Errorf("columns (-want +got):\n%s", diff)
	}
	if table.FullName() != "_exactduck.tombstones" || table.Version != "Timestamp" ||
		!slices.Equal(table.Key, []string{"EntityType", "EntityKey"}) || d.Variants[0].Name != "sync/Deleted" {
		t.Errorf("deletions go to %+v", table)
	}
	if slices.ContainsFunc(Streams(), func(s *extract.Stream) bool { return s.Name == d.Name }) {
		t.Error("the deletions are among the streams")
	}
}

// One number of the deletions feed means one table.
func TestDeletionNumbersAreUnique(t *testing.T) {
	seen := map[int32]string{}
	for _, s := range Streams() {
		n := s.Variants[0].Table.Entity
		if other, twice := seen[n]; n != 0 && twice {
			t.Errorf("%s and %s are both deleted as %d", other, s.Name, n)
		}
		seen[n] = s.Name
	}
	if len(seen)-1 != 53 {
		t.Errorf("%d streams have a number in the deletions feed, want 53", len(seen)-1)
	}
}
