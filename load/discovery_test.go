package load

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

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
