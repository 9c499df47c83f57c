package load

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"exactduck/load/spool"
)

var update = flag.Bool("update", false, "accept the SQL as it is now")

// TestStatements shows a reader all SQL of an apply, mode by mode.
func TestStatements(t *testing.T) {
	versioned := shape{
		service: "crm", name: "Accounts", scope: "_division", key: []string{"ID"}, version: "Timestamp",
		stored:  []field{{"Timestamp", "BIGINT"}, {"ID", "UUID"}, {"Name", "VARCHAR"}, {"Notes", "VARCHAR"}},
		spooled: []string{"Timestamp", "ID", "Name"},
	}
	composite := shape{
		service: "logistics", name: `Items "old"`, scope: "_division", key: []string{"Code", "Line"},
		stored: []field{{"Code", "VARCHAR"}, {"Line", "INTEGER"}, {"Name", "VARCHAR"}}, spooled: []string{"Code", "Line", "Name"},
	}
	keyless := composite
	keyless.key = nil
	of := func(s shape, mode spool.Mode, soft bool) shape {
		s.mode, s.soft = mode, soft
		return s
	}
	merged := func(s shape) []string {
		list := []string{s.countStored(), s.createNewest(), s.bar()}
		if s.header != "" {
			list = append(list, s.barLines())
		}
		if s.marks() && s.merges() {
			list = append(list, s.createOut(), countGone)
		}
		if s.marks() {
			list = append(list, dropOut)
		}
		list = append(list, s.createMet())
		if s.byContent() {
			list = append(list, s.compareContent()...)
		}
		if s.mode == spool.Replace || s.mode == spool.Sweep {
			list = append(list, s.createGone(), countGone)
		}
		if s.mode == spool.Sweep {
			list = append(list, s.countMissed())
		} else {
			list = append(list, countMerged)
		}
		if s.mode != spool.Sweep {
			list = append(list, selectWanted, s.deleteReplaced())
		}
		if s.mode == spool.Replace || s.mode == spool.Sweep || s.marks() {
			list = append(list, s.removeGone())
		}
		if s.mode != spool.Sweep {
			list = append(list, s.insertWanted())
		}
		return list
	}
	let, follow, told := of(versioned, spool.Merge, false), of(composite, spool.Merge, true), of(versioned, spool.Merge, false)
	let.out, follow.header, told.renumbered = true, "EntryID", true
	dated := of(versioned, spool.Sweep, false)
	dated.dated = "Modified"
	grave := grave{service: "crm", name: "Accounts", scope: "_division", key: "ID", version: "Timestamp", entity: 2}
	cases := map[string][]string{
		"merge_version":   merged(of(versioned, spool.Merge, false)),
		"merge_out":       merged(let),
		"merge_follow":    merged(follow),
		"merge_epoch":     merged(told),
		"merge_content":   merged(of(composite, spool.Merge, false)),
		"replace_version": merged(of(versioned, spool.Replace, false)),
		"replace_soft":    merged(of(composite, spool.Replace, true)),
		"sweep":           merged(of(versioned, spool.Sweep, false)),
		"sweep_dated":     merged(dated),
		"sweep_soft":      merged(of(composite, spool.Sweep, true)),
		"rewrite":         {keyless.countStored(), keyless.sumStored(), keyless.sumSpooled(), keyless.deletePart(), keyless.insertWanted()},
		"bury":            {grave.createGone("_division", false), shape{service: "crm", name: "Accounts"}.removeGone()},
		"bury_soft":       {grave.createGone("_division", true), shape{service: "crm", name: "Accounts", soft: true}.removeGone()},
		"shape":           {createTable("crm", accounts), addColumn("crm", "Accounts", accounts.Columns[3]), createPart("INTEGER"), addParts(2), dropSteps},
	}
	for name, statements := range cases {
		t.Run(name, func(t *testing.T) { golden(t, name+".sql", strings.Join(statements, ";\n\n")+";\n") })
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v: run the test with -update", err)
	}
	if d := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); d != "" {
		t.Errorf("%s (-want +got):\n%s", path, d)
	}
}
