package load

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"exactduck/schema"
)

func TestDiscovery(t *testing.T) {
	dir := t.TempDir()
	w, err := Open(t.Context(), Options{StateDir: filepath.Join(dir, "state"), Target: filepath.Join(dir, "books.duckdb")})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if d, err := w.Discovery(t.Context(), "crm/Accounts"); err != nil || !d.At.IsZero() || d.Properties != nil {
		t.Fatalf("before anybody looked: %+v, %v", d, err)
	}
	table := &schema.Table{Service: "crm", Name: "Accounts"}
	at := time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)
	for _, found := range [][]string{nil, {"ClientGroup", "Zeta"}, {"ClientGroup", "Zeta"}} {
		at = at.Add(7 * 24 * time.Hour)
		if err := w.Discover(t.Context(), "r", "crm/Accounts", table, Discovery{At: at, Properties: found}); err != nil {
			t.Fatal(err)
		}
		d, err := w.Discovery(t.Context(), "crm/Accounts")
		if err != nil || !d.At.Equal(at) || !slices.Equal(d.Properties, found) {
			t.Errorf("noted %v at %v, known %+v, %v", found, at, d, err)
		}
	}
	var reported int
	if err := w.db.QueryRowContext(t.Context(), "SELECT count(*) FROM _exactduck.schema_changes WHERE change = 'discovered'").Scan(&reported); err != nil {
		t.Fatal(err)
	}
	if reported != 2 {
		t.Errorf("%d properties are reported, want each of the two once", reported)
	}
}

func TestRefusedColumnsAreRemembered(t *testing.T) {
	b := newBooks(t)
	at := b.moment
	discover := func(filtered bool, refused ...string) {
		t.Helper()
		want := Discovery{At: at, Properties: []string{"Zeta"}, Refused: refused, Filtered: filtered}
		if err := b.Discover(t.Context(), at.String(), "sync/CRM/Accounts", accounts, want); err != nil {
			t.Fatal(err)
		}
		if d, err := b.Discovery(t.Context(), "sync/CRM/Accounts"); err != nil || gocmp.Diff(want, d) != "" {
			t.Errorf("%v: %s", err, gocmp.Diff(want, d))
		}
		at = at.Add(time.Hour)
	}
	discover(false, "Name")
	discover(true, "Amount", "Name")
	discover(true, "Amount", "Name")
	discover(false, "Amount")
	discover(false, "Amount", "Name")
	b.expect("history", "SELECT hour(changed_at::TIMESTAMP), table_name, column_name, change FROM _exactduck.schema_changes WHERE change <> 'discovered' ORDER BY ALL",
		"4|crm.Accounts|Name|column refused", "5|crm.Accounts|Amount|column refused", "7|crm.Accounts|Name|column came back", "8|crm.Accounts|Name|column refused")
	if err := b.Discover(t.Context(), "r", "v", accounts, Discovery{Refused: []string{"Name"}}); err != nil {
		t.Fatal(err)
	}
	if d, err := b.Discovery(t.Context(), "v"); err != nil || !d.At.IsZero() || len(d.Refused) != 1 {
		t.Errorf("refused before anybody looked: %+v, %v", d, err)
	}
}
