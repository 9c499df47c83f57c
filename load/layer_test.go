package load

import (
	"path/filepath"
	"testing"

	"exactduck/load/spool"
	"exactduck/schema"
)

var periods = &schema.Table{
	Service: "financial", Name: "FinancialPeriods", Scope: division, Key: []string{"ID"},
	Columns: []schema.Column{
		{Name: "ID", Type: schema.UUID},
		{Name: "FinYear", Type: schema.SmallInt},
		{Name: "FinPeriod", Type: schema.SmallInt},
		{Name: "StartDate", Type: schema.Timestamp},
		{Name: "EndDate", Type: schema.Timestamp},
	},
}

// Views that cannot be made hold nothing up, and are published as soon as they can be, though no
// row has changed; from then on nothing is.
func TestViewsHoldNoPublicationUp(t *testing.T) {
	b := newBooks(t)
	target := Target{DuckDB: filepath.Join(b.dir, "books.duckdb")}
	night := func(zone string) (bool, []string) {
		b.zone = zone
		p, err := b.Publish(t.Context(), target)
		if err != nil {
			t.Fatal(err)
		}
		b.Close()
		b.open()
		return p.DuckDB, b.query("SELECT view_name FROM duckdb_views() WHERE schema_name = 'analytics' ORDER BY ALL")
	}
	b.apply("one", read{table: periods, scope: "1", mode: spool.Replace, rows: [][]any{{id(1), 2026, 1, 1_767_225_600_000_000, 1_767_312_000_000_000}}})
	if done, views := night("Europe/Atlantis"); !done || len(views) > 0 {
		t.Errorf("in a zone that nobody knows: published %v, views %v", done, views)
	}
	if done, views := night("Europe/Amsterdam"); !done || len(views) != 4 {
		t.Errorf("in a zone that there is: published %v, views %v", done, views)
	}
	b.expect("its days", "SELECT division_code, financial_year, date FROM analytics.calendar ORDER BY ALL", "1|2026|2026-01-01", "1|2026|2026-01-02")
	if done, _ := night("Europe/Amsterdam"); done {
		t.Error("published again, and nothing has changed")
	}
}
