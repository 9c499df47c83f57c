package main

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"exactduck/extract/mask"
	"exactduck/extract/sandbox"
	"exactduck/load"
	"exactduck/schema"
)

// words are values that only the rows of a condition have, and that are long enough to be looked for.
func (o *office) words(table, column, where string) []string {
	o.t.Helper()
	text := o.ask(fmt.Sprintf(`SELECT string_agg(DISTINCT %[2]s, '|') FROM %[1]s WHERE %[3]s AND length(%[2]s) >= 8
		AND %[2]s NOT IN (SELECT %[2]s FROM %[1]s WHERE NOT (%[3]s) AND %[2]s IS NOT NULL)`, table, column, where))
	if text == "" {
		o.t.Fatalf("%s has nothing to look for in %s where %s", column, table, where)
	}
	return strings.Split(text, "|")
}

// everywhere fails the test when the search does not find the words where they are.
func (o *office) everywhere(words []string) {
	o.t.Helper()
	all := strings.Join(found(o.t, o.dir, words...), "\n")
	for _, file := range []string{"books.work.duckdb", "/books.duckdb", ".parquet"} {
		if !strings.Contains(all, file) {
			o.t.Fatalf("%q are not found in %s, so the search is of no use:\n%s", words, file, all)
		}
	}
}

func (o *office) nowhere(words []string) {
	o.t.Helper()
	if all := found(o.t, o.dir, words...); len(all) > 0 {
		o.t.Fatalf("what was forgotten is on the disk:\n%s", strings.Join(all, "\n"))
	}
}

// A division that is forgotten is in no file any more, whatever the command was killed at before, and
// comes back only when somebody says so.
func TestForgetADivision(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	o := newOffice(t, bareStreams, sandbox.Options{Divisions: 2, Scale: 0.05})
	o.synced()
	division := o.ask("SELECT max(_division) FROM crm.Accounts")
	code, err := strconv.Atoi(division)
	if err != nil {
		t.Fatal(err)
	}
	o.change(sandbox.Change{Division: code, Entity: "crm/Accounts", Insert: 1})
	o.synced()
	words := o.words("crm.Accounts", "Name", "_division = "+division)
	words = append(words, o.ask("SELECT name FROM _exactduck.divisions WHERE scope = '"+division+"'"))
	o.everywhere(words)
	at := slices.Index(o.copy(t).steps("sync", "--full-refresh"), "spooled page")
	for n := 0; len(o.spooled()) == 0; n++ {
		if !o.kill(at+n, "sync", "--full-refresh") {
			t.Fatal("no half read is left")
		}
	}
	told := o.copy(t).steps("forget", "--division", division, "--yes")
	for _, n := range append(some(rand.New(rand.NewPCG(seed, 0)), rounds(1, 100), len(told)), len(told)+1) {
		t.Run(fmt.Sprintf("killed at %d", n), func(t *testing.T) {
			o := o.copy(t)
			if o.kill(n, "forget", "--division", division, "--yes") {
				o.run(0, "forget", "--division", division, "--yes")
			}
			o.nowhere(words)
			if n := o.ask("SELECT count(*) FROM crm.Accounts WHERE _division = " + division); n != "0" {
				t.Errorf("%s rows are published", n)
			}
		})
	}

	o.run(0, "forget", "--division", division, "--yes")
	if said := o.run(0, "sync"); !strings.Contains(said, "division "+division+" was forgotten on") || !strings.Contains(said, "--undo --division "+division) {
		t.Errorf("the next run says %s", said)
	}
	o.nowhere(words)
	o.tidy()
	o.run(2, "forget", "--undo", "--division", "1")
	o.run(0, "forget", "--undo", "--division", division)
	o.run(0, "sync", "-q")
	o.equal()
}

// A row that is forgotten takes its lines with it, and does not come back with any read.
func TestForgetARow(t *testing.T) {
	t.Parallel()
	o := newOffice(t, "      - salesorder/SalesOrderHeaders\n      - salesorder/SalesOrderLines\n      - crm/Accounts", sandbox.Options{Divisions: 1, Scale: 0.05})
	o.synced()
	o.change(sandbox.Change{Entity: "crm/Accounts", Insert: 1}, sandbox.Change{Entity: "salesorder/SalesOrderHeaders", Insert: 1})
	o.synced()
	account := o.ask("SELECT max_by(ID, Created)::VARCHAR FROM crm.Accounts WHERE Email LIKE '%@%'") // no other row speaks of it yet
	words := o.words("crm.Accounts", "Email", "ID = '"+account+"'")
	o.everywhere(words)
	const lines = "SELECT count(*) FROM salesorder.SalesOrderLines"
	order := o.ask("SELECT min(OrderID)::VARCHAR FROM salesorder.SalesOrderLines")
	others := o.ask(lines + " WHERE OrderID <> '" + order + "'")

	o.run(2, "forget", "--stream", "crm/Accounts", "--key", "nonsense", "--yes")
	o.run(2, "forget", "--stream", "crm/Accounts", "--yes")
	o.run(2, "forget", "--stream", "crm/Accounts", "--key", account)
	o.run(0, "forget", "--stream", "crm/Accounts", "--key", "{"+strings.ToUpper(account)+"}", "--yes")
	o.nowhere(words)
	o.run(0, "forget", "--stream", "salesorder/SalesOrderHeaders", "--key", order, "--yes")
	o.later(8 * 24 * time.Hour) // sweeps are due
	o.change(sandbox.Change{Entity: "crm/Accounts", Update: 1000}, sandbox.Change{Entity: "salesorder/SalesOrderHeaders", Update: 1000})
	for _, args := range [][]string{{"sync", "-q"}, {"sync", "-q", "--full-refresh", "--accept-shrink", "crm/Accounts"}} {
		o.run(0, args...)
		o.nowhere(words)
		for query, want := range map[string]string{
			"SELECT count(*) FROM crm.Accounts WHERE ID = '" + account + "'":                    "0",
			"SELECT count(*) FROM salesorder.SalesOrderHeaders WHERE OrderID = '" + order + "'": "0",
			lines + " WHERE OrderID = '" + order + "'":                                          "0",
			"SELECT (count(*) > 0)::VARCHAR FROM crm.Accounts":                                  "true",
			lines: others,
		} {
			if got := o.ask(query); got != want {
				t.Errorf("%v: %s: %s, want %s", args, query, got, want)
			}
		}
	}
}

// A row is kept out where it was forgotten: elsewhere a key that is a number is another row's.
func TestRowsAreForgottenWhereTheyWere(t *testing.T) {
	t.Parallel()
	s, _, err := lookup("salesinvoice/SalesInvoiceLines")
	if err != nil {
		t.Fatal(err)
	}
	marks := []load.Mark{
		{Scope: "1", Stream: s.Name, Hash: "here"},
		{Scope: "2", Stream: s.Name, Hash: "there"},
		{Stream: s.Name, Hash: "anywhere"},
		{Stream: "salesinvoice/SalesInvoices", Hash: "whole"},
		{Stream: "crm/Accounts", Hash: "another"},
		{Scope: "1", Hash: ""},
	}
	if got := slices.Sorted(maps.Keys(forgottenOf(s, "1", marks).Keys)); !slices.Equal(got, []string{"anywhere", "here", "whole"}) {
		t.Errorf("kept out are %q", got)
	}
}

func TestForgottenRowsLeaveThePage(t *testing.T) {
	t.Parallel()
	table := &schema.Table{Key: []string{"ID"}, Columns: []schema.Column{
		{Name: "ID", Type: schema.Integer}, {Name: "Header", Type: schema.UUID}, {Name: "Size", Type: schema.Double}, {Name: "Name", Type: schema.Varchar},
	}}
	p := schema.NewPage(table, "1", 3)
	for i := range 3 {
		p.Columns[0].AppendInt(int64(i))
		p.Columns[1].AppendUUID([16]byte{byte(i)})
		p.Columns[2].AppendFloat(float64(i))
		p.Columns[3].AppendText([]byte(strings.Repeat("x", i)))
		p.Extra.AppendNull()
	}
	p.Rows, p.Out, p.Done, p.Next = 3, []bool{false, true, true}, true, "next"
	f := mask.Forgotten{Stream: "lines", PartOf: map[string][]string{"Header": {"others", "headers"}, "Nowhere": {"headers"}}, Keys: map[string]bool{
		mask.KeyHash("lines", "0"): true, mask.KeyHash("headers", "01000000-0000-0000-0000-000000000000"): true, mask.KeyHash("headers", "2"): true,
	}}
	left := f.Page(p)
	if left.Rows != 1 || left.Columns[0].Ints[0] != 2 || string(left.Columns[3].At(0)) != "xx" || left.Extra.Len() != 1 || !slices.Equal(left.Out, []bool{true}) ||
		!left.Done || left.Next != "next" || p.Rows != 3 {
		t.Errorf("left is %+v", left)
	}
	if f.Keys = nil; f.Page(p) != p {
		t.Error("a page is copied for nothing")
	}
}
