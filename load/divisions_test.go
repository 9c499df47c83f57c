package load

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
)

func listed(all []Division) string {
	var list []string
	for _, d := range all {
		list = append(list, string(d.Scope)+d.Name)
	}
	return strings.Join(list, " ")
}

func TestMeetDivisions(t *testing.T) {
	b := newBooks(t)
	first := b.moment
	meet := func(newcomers, gone string, now ...Division) {
		t.Helper()
		gotNew, gotGone, err := b.MeetDivisions(t.Context(), "r", now)
		if err != nil || listed(gotNew) != newcomers || listed(gotGone) != gone {
			t.Errorf("new %q, gone %q, %v; want %q and %q", listed(gotNew), listed(gotGone), err, newcomers, gone)
		}
		b.tick()
	}
	generation := func() string { return b.query("SELECT value FROM _exactduck.meta WHERE key = 'generation'")[0] }
	seven, eight, ten := Division{Scope: "7", Code: "1", Name: "a", Epoch: "e", Currency: "EUR", Active: true}, Division{Scope: "8", Name: "b", Active: true}, Division{Scope: "10", Name: "c"}
	meet("", "", seven, eight, eight)
	before := generation()
	meet("", "", eight, seven)
	if after := generation(); after != before {
		t.Errorf("nothing new raised the generation from %s to %s", before, after)
	}
	meet("10c", "7a", eight, ten)
	if generation() == before {
		t.Error("a new division is not published")
	}
	meet("", "8b 10c")
	seven.Name = "renamed"
	meet("", "", seven)
	seven.FirstSeen, seven.LastSeen = first, first.Add(4*time.Minute)
	eight.FirstSeen, eight.LastSeen, eight.GoneSince = first, first.Add(2*time.Minute), first.Add(3*time.Minute)
	ten.FirstSeen, ten.LastSeen, ten.GoneSince = first.Add(2*time.Minute), first.Add(2*time.Minute), first.Add(3*time.Minute)
	all, err := b.Divisions(t.Context())
	if d := gocmp.Diff([]Division{seven, eight, ten}, all); err != nil || d != "" {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
	other := &Warehouse{db: b.db, clock: b.clock, log: b.Warehouse.log, prefix: "second_"} // another connection into it
	if fresh, _, err := other.MeetDivisions(t.Context(), "r", []Division{seven}); err != nil || fresh != nil {
		t.Errorf("at the first meeting of another connection %v is new, %v", fresh, err)
	}
	if all, err := other.Divisions(t.Context()); err != nil || len(all) != 1 {
		t.Errorf("it knows %v, %v", all, err)
	}
}

// TestDivisionsWithoutCurrency reads them from a file that was published before they had one.
func TestDivisionsWithoutCurrency(t *testing.T) {
	dir := t.TempDir()
	asOf(currencyFormat-1, func() {
		b := &books{t: t, dir: dir, Warehouse: open(t, dir)}
		execute(t, b.Warehouse, "INSERT INTO _exactduck.divisions VALUES ('', '7', '1', 'a', 'e', true, now(), now(), NULL, 'r')",
			"UPDATE _exactduck.meta SET value = '5' WHERE key = 'generation'")
		publish(t, b.Warehouse, dir, "r")
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
	})
	r, err := OpenReader(t.Context(), filepath.Join(dir, "warehouse.duckdb"))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	all, err := r.Divisions(t.Context())
	known, err2 := r.Known(t.Context(), "", "p")
	if err != nil || err2 != nil || len(all) != 1 || len(known.Divisions) != 1 || all[0].Name != "a" || all[0].Currency != "" {
		t.Errorf("%+v, %+v, %v, %v", all, known.Divisions, err, err2)
	}
}
