package load

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"exactduck/load/spool"
)

// stocked is a warehouse with items of two scopes, and what narrows those of scope 7.
func stocked(t *testing.T) (*books, Narrowing) {
	t.Helper()
	b := newBooks(t)
	at := func(year int) int { return int(time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()) }
	rows := [][]any{
		{"A", 1, "old", at(2019)},
		{"B", 1, "on the day", at(2020)},
		{"C", 1, "new", at(2021), `{"Name": "of two", "Odd": 1.10,"\u00e9":[1, {"Name":2}]}`},
		{"D", 1, nil, at(2021)},
		{"E", 1, "no date", nil, `{"Name": 5}`},
		{"F", 1, nil, at(2022), `{"Other": 12345678901234567890.125}`},
	}
	b.apply("r1", read{table: items, scope: "7", mode: spool.Replace, next: "p", rows: rows}, read{table: items, scope: "8", mode: spool.Replace, rows: rows})
	b.tick()
	return b, Narrowing{
		Run: "r2", Stream: "logistics/Items", Scope: "7", Table: items, Drop: []string{"name", "Gone"}, Since: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC),
		Dated: "Changed", Fingerprint: "narrow", HistoryFrom: "2020-01-01",
	}
}

const stock = "SELECT Code, Name, year(Changed), _extra::VARCHAR, _run_id, _deleted_at IS NOT NULL FROM logistics.Items WHERE _division = 7 ORDER BY ALL"

func TestNarrow(t *testing.T) {
	b, n := stocked(t)
	b.Close()
	b.open()
	others := b.query("SELECT * FROM logistics.Items WHERE _division = 8 ORDER BY ALL")
	for range 2 { // the second time changes nothing, not even what is to be published
		if err := b.Narrow(t.Context(), n); err != nil {
			t.Fatal(err)
		}
		b.expect("rows", stock, `B|-|2020|-|r2|false`, `C|-|2021|{"Odd":1.10,"é":[1, {"Name":2}]}|r2|false`, `D|-|2021|-|r1|false`,
			`E|-|-|-|r2|false`, `F|-|2022|{"Other": 12345678901234567890.125}|r1|false`)
		b.expect("other scopes", "SELECT * FROM logistics.Items WHERE _division = 8 ORDER BY ALL", others...)
		b.expect("cursors", "SELECT scope, fingerprint, history_from, position, complete, rows, run_id FROM _exactduck.cursors ORDER BY ALL",
			"7|narrow|2020-01-01|p|true|5|r2", "8|f|2020-01-01||true|6|r1")
		b.expect("generation", "SELECT value FROM _exactduck.meta WHERE key = 'generation'", "5")
		b.expect("parts", "SELECT scope, generation FROM _exactduck.parts ORDER BY ALL", "7|5", "8|4")
		b.tick()
		n.Run = "r3"
	}
	n.Fingerprint = "other"
	if err := b.Narrow(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	b.expect("a cursor alone", "SELECT fingerprint, run_id FROM _exactduck.cursors WHERE scope = '7'", "other|r3")
	b.expect("is published", "SELECT value FROM _exactduck.meta WHERE key = 'generation'", "6")
}

func TestNarrowSoftly(t *testing.T) {
	b, n := stocked(t)
	n.Soft, n.Drop = true, nil
	for range 2 {
		if err := b.Narrow(t.Context(), n); err != nil {
			t.Fatal(err)
		}
		b.expect("marked", "SELECT Code, Name, _run_id, _deleted_at::TIMESTAMP::VARCHAR FROM logistics.Items WHERE _division = 7 AND _run_id = 'r2'", "A|old|r2|2026-11-21 04:01:00")
		b.expect("cursor", "SELECT rows FROM _exactduck.cursors WHERE scope = '7'", "5")
		b.tick()
		n.Run = "r3"
	}
}

func TestNarrowByADateThatIsDropped(t *testing.T) {
	b, n := stocked(t)
	n.Drop = []string{"Changed"}
	if err := b.Narrow(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	b.expect("rows", "SELECT Code, Changed FROM logistics.Items WHERE _division = 7 ORDER BY ALL", "B|-", "C|-", "D|-", "E|-", "F|-")
}

func TestNarrowRefusesWhatItCannotDo(t *testing.T) {
	b, good := stocked(t)
	before := b.dump()
	for name, spoil := range map[string]func(*Narrowing){
		"key":         func(n *Narrowing) { n.Drop = []string{"Line"} },
		"scope":       func(n *Narrowing) { n.Drop = []string{"_Division"} },
		"our own":     func(n *Narrowing) { n.Drop = []string{"_synced_at"} },
		"no date":     func(n *Narrowing) { n.Dated = "" },
		"no cursor":   func(n *Narrowing) { n.Scope = "9" },
		"other table": func(n *Narrowing) { n.Table = balances },
	} {
		n := good
		spoil(&n)
		if err := b.Narrow(t.Context(), n); err == nil {
			t.Errorf("%s: it was done", name)
		}
		if d := gocmp.Diff(before, b.dump()); d != "" {
			t.Errorf("%s: something was changed:\n%s", name, d)
		}
	}
}

// What is to be nowhere goes out of what is nested, too; what stays is to the letter as it came.
func TestWithout(t *testing.T) {
	for _, tc := range []struct{ object, shallow, deep string }{
		{`{"EMAIL":"x","Rank":1.50}`, `{"Rank":1.50}`, `{"Rank":1.50}`},
		{`{"Email":"x"}`, "", ""},
		{`{"Rank" : "Email"}`, `{"Rank" : "Email"}`, `{"Rank" : "Email"}`},
		{`{"a":[ 1,{"email":{}}],"b":{"c" : 1.0}}`, `{"a":[ 1,{"email":{}}],"b":{"c" : 1.0}}`, `{"a":[1,{}],"b":{"c" : 1.0}}`},
	} {
		for deep, want := range map[bool]string{false: tc.shallow, true: tc.deep} {
			if got, err := without(tc.object, []string{"Email"}, deep); err != nil || got != want {
				t.Errorf("%s, deep %t: %s, %v; want %s", tc.object, deep, got, err, want)
			}
		}
	}
}

// A row that is read again after its columns were dropped is as the stored one: the reload that the
// narrowing stands for would have changed nothing more.
func TestNarrowEqualsAReload(t *testing.T) {
	b, n := stocked(t)
	if err := b.Narrow(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	b.tick()
	narrow := items.Select(func(name string) bool { return name == "Changed" })
	at := func(year int) int { return int(time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()) }
	b.expectResult(b.apply("r3", read{table: narrow, scope: "7", mode: spool.Replace, rows: [][]any{
		{"B", 1, at(2020)}, {"C", 1, at(2021), `{"Odd":1.10,"é":[1, {"Name":2}]}`}, {"D", 1, at(2021)}, {"E", 1, nil}, {"F", 1, at(2022), `{"Other": 12345678901234567890.125}`},
	}}), "read 5 inserted 0 updated 0 deleted 0 missed 0")
}

func init() {
	children["narrow"] = func() error {
		log, err := killerFromEnv()
		if err != nil {
			return err
		}
		return narrowAll(os.Getenv("EXACTDUCK_DIR"), log)
	}
}

// narrowAll does what a run does that finds a cursor of more.
func narrowAll(dir string, log *slog.Logger) error {
	w, err := Open(context.Background(), Options{
		StateDir: filepath.Join(dir, "state"), Log: log, Clock: func() time.Time { return time.Date(2026, 11, 22, 4, 0, 0, 0, time.UTC) },
	})
	if err != nil {
		return err
	}
	defer w.Close()
	c, _, err := w.Cursor(context.Background(), "logistics/Items", "7")
	if err != nil || c.Fingerprint == "narrow" {
		return err
	}
	err = w.Narrow(context.Background(), Narrowing{
		Run: "r2", Stream: "logistics/Items", Scope: "7", Table: items, Drop: []string{"Name"}, Since: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC),
		Dated: "Changed", Fingerprint: "narrow", HistoryFrom: "2020-01-01",
	})
	if err != nil {
		return err
	}
	return w.Close()
}

// TestKillDuringNarrow kills it at each of its records: what is left is all of it or nothing.
func TestKillDuringNarrow(t *testing.T) {
	b, _ := stocked(t)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	state := func(dir string) []string {
		o := &books{t: t, dir: dir, log: slog.DiscardHandler}
		o.open()
		defer o.Close()
		return o.dump()
	}
	before := state(b.dir)
	var want []string
	first, stride := oneIn(4)
	for at := first - stride; ; at += stride {
		dir := filepath.Join(t.TempDir(), "copy")
		if err := os.CopyFS(dir, os.DirFS(b.dir)); err != nil {
			t.Fatal(err)
		}
		err := spawn(t, "narrow", "EXACTDUCK_DIR="+dir, fmt.Sprint("EXACTDUCK_KILL_AT=", max(at, 0))).Run()
		if err != nil && !killed(err) {
			t.Fatalf("killed at %d: %v", at, err)
		}
		left := state(dir)
		if want == nil { // before the first, at 0, nobody is killed
			want = left
			if text := strings.Join(want, "\n"); strings.Contains(text, "on the day") && strings.Count(text, "narrow") != 1 {
				t.Fatalf("undisturbed it did not do its work:\n%s", text)
			}
			continue
		}
		if gocmp.Diff(before, left) != "" && gocmp.Diff(want, left) != "" {
			t.Fatalf("after a kill at record %d (-all +left):\n%s", at, gocmp.Diff(want, left))
		}
		if err := narrowAll(dir, slog.New(slog.DiscardHandler)); err != nil {
			t.Fatal(err)
		}
		if d := gocmp.Diff(want, state(dir)); d != "" {
			t.Fatalf("the run after a kill at record %d (-all +healed):\n%s", at, d)
		}
		if err == nil {
			if at < 16 {
				t.Fatalf("only %d records: the steps are not all told", at)
			}
			return
		}
	}
}
