package load

import (
	"strings"
	"testing"

	"exactduck/load/spool"
	"exactduck/schema"
)

// What a read of everything did not bring stays when its source cannot vouch for it; and the next run
// is to read everything again.
func TestNothingGoesForAReadThatMayHaveMissedRows(t *testing.T) {
	b := filled(t)
	table := *accounts
	table.Version = ""
	three := [][]any{{1, id(1), "one", 1}, {1, id(2), "two", 2}, {1, id(3), "three", 3}}
	b.apply("r1", read{table: &table, scope: "7", mode: spool.Replace, rows: three})
	b.expect("cursor", "SELECT swept_at IS NULL FROM _exactduck.cursors WHERE scope = '7'", "false")
	b.tick()
	unproven := func(p *schema.Page) { p.Unproven = p.Done }
	applied := b.apply("r2", read{table: &table, scope: "7", mode: spool.Replace, rows: [][]any{{1, id(1), "other", 1}, {1, id(4), "four", 4}}, tell: unproven, next: "n"})
	b.expectResult(applied, "read 2 inserted 1 updated 1 deleted 0 missed 0")
	if !applied[0].Unproven {
		t.Error("nobody is told")
	}
	b.expect("rows", "SELECT Name FROM crm.Accounts ORDER BY ALL", "four", "other", "three", "two")
	b.expect("cursor", "SELECT swept_at IS NULL, position, complete FROM _exactduck.cursors WHERE scope = '7'", "true|n|true")
	b.tick()
	applied = b.apply("r3", read{table: &table, scope: "7", mode: spool.Replace, rows: three})
	b.expectResult(applied, "read 3 inserted 0 updated 1 deleted 1 missed 0")
	if applied[0].Unproven {
		t.Error("a read that is whole is doubted")
	}

	keyless := &schema.Table{Service: "odd", Name: "keyless", Scope: division, Columns: []schema.Column{{Name: "N", Type: schema.Integer}}}
	_, err := b.Apply(t.Context(), b.batch("r4", read{table: keyless, scope: "7", mode: spool.Replace, rows: [][]any{{1}}, tell: unproven}))
	if err == nil || !strings.Contains(err.Error(), "missed rows") {
		t.Errorf("rows without a key were replaced by some of them: %v", err)
	}
}
