package load

import (
	"errors"
	"path/filepath"
	"strconv"
	"testing"

	"exactduck/load/spool"
)

// asOf runs f as a version of this program that knows fewer formats.
func asOf(format int, f func()) {
	all := migrations
	defer func() { migrations = all }()
	migrations = all[:format]
	f()
}

// TestFileOfTheFirstFormat brings a file up to date that a version before divisions has written, and
// lets that version meet it again.
func TestFileOfTheFirstFormat(t *testing.T) {
	dir := t.TempDir()
	before := func() (w *Warehouse, err error) {
		asOf(1, func() { w, err = Open(t.Context(), options(dir)) })
		return w, err
	}
	w, err := before()
	if err != nil {
		t.Fatal(err)
	}
	execute(t, w,
		"CREATE SCHEMA crm", createTable("crm", accounts),
		`INSERT INTO crm.Accounts VALUES (7, 5, '`+uuidText(1)+`', 'one', 1.5, now(), 'r1', NULL, NULL), (7, 6, '`+uuidText(2)+`', 'two', 2.5, now(), 'r1', NULL, NULL)`,
		createTable(ownSchema, deletions),
		"INSERT INTO _exactduck.tombstones (_division, Timestamp, EntityType, EntityKey) VALUES (7, 3, 2, '"+uuidText(9)+"')",
		"INSERT INTO _exactduck.tables VALUES ('crm', 'Accounts', '_division', ['ID'], 'Timestamp', 2)",
		"INSERT INTO _exactduck.parts VALUES ('crm.Accounts', '7', 1)",
		"UPDATE _exactduck.meta SET value = '1' WHERE key = 'generation'",
		"INSERT INTO _exactduck.discoveries VALUES ('', 'sync/CRM/Accounts', '2026-11-20 04:00:00+00', ['Zeta'])",
		"INSERT INTO _exactduck.cursors (stream, scope, table_name, variant, fingerprint, epoch, position, complete, rows) VALUES ('crm/Accounts', '7', 'crm.Accounts', 'v', 'f', 'e', '6', true, 2)")
	publish(t, w, dir, "r1")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	published := filepath.Join(dir, "warehouse.duckdb")
	old, err := OpenReader(t.Context(), published)
	if err != nil {
		t.Fatal(err)
	}
	if all, err := old.Divisions(t.Context()); err != nil || all != nil {
		t.Errorf("divisions of a file from before them: %v, %v", all, err)
	}
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}

	b := &books{t: t, dir: dir, Warehouse: open(t, dir)}
	b.expect("format", "SELECT value FROM _exactduck.meta WHERE key = 'format'", strconv.Itoa(Format()))
	b.expect("rows", names, "0001|5|one", "0002|6|two")
	b.expect("tables", "FROM _exactduck.tables", "crm|Accounts|_division|[ID]|Timestamp|2|-|-|-|-")
	if d, err := b.Discovery(t.Context(), "sync/CRM/Accounts"); err != nil || len(d.Properties) != 1 || d.Refused != nil || d.Filtered || d.At.IsZero() {
		t.Errorf("discovery %+v, %v", d, err)
	}
	if c, known, err := b.Cursor(t.Context(), "crm/Accounts", "7"); err != nil || !known || c.Position != "6" || c.Rows != 2 || !c.Complete {
		t.Errorf("cursor %+v, %v", c, err)
	}
	b.expectResult(b.apply("r2", read{table: accounts, scope: "7", mode: spool.Merge, rows: [][]any{{7, id(1), "new", 1}, {2, id(9), "deleted", 1}}}),
		"read 2 inserted 0 updated 1 deleted 0 missed 0")
	if _, _, err := b.MeetDivisions(t.Context(), "r2", []Division{{Scope: "7", Name: "Seven"}}); err != nil {
		t.Fatal(err)
	}
	publish(t, b.Warehouse, dir, "r2")
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if got := answer(t, published, "SELECT scope, name FROM _exactduck.divisions"); got != "7 Seven\n" {
		t.Errorf("the published file has the divisions %q", got)
	}
	_, err = before()
	if newer, ok := errors.AsType[*Newer](err); !ok || newer.Format != len(migrations) || newer.Known != 1 {
		t.Errorf("the older version: %v, want *Newer", err)
	}
}

// TestUpgradeIsPublished does so although no row has changed.
func TestUpgradeIsPublished(t *testing.T) {
	dir := t.TempDir()
	asOf(1, func() {
		w, err := Open(t.Context(), options(dir))
		if err != nil {
			t.Fatal(err)
		}
		publish(t, w, dir, "r1")
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	})
	w := open(t, dir)
	if p, err := w.Publish(t.Context(), target(dir, "r2")); err != nil || !p.DuckDB {
		t.Errorf("%+v, %v", p, err)
	}
}
