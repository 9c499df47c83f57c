package load

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"exactduck/load/spool"
	"exactduck/schema"
)

// stated is a warehouse with something to export, through JSON.
func stated(t *testing.T) (*books, State) {
	t.Helper()
	b := newBooks(t)
	b.apply("r1", read{table: accounts, scope: "7", mode: spool.Replace, next: "9", rows: manyAccounts(0, 3)},
		read{table: accounts, scope: "8", mode: spool.Replace, rows: nil})
	b.apply("r1", read{table: items, scope: "7", mode: spool.Merge, next: "4", rows: [][]any{{"A", 1, "x", nil}}})
	b.apply("r1", read{table: deletions, scope: "7", mode: spool.Merge, next: "5", rows: [][]any{{30, 2, id(1)}}})
	if _, _, err := b.MeetDivisions(t.Context(), "r1", []Division{{Scope: "7", Code: "1", Name: "one", Epoch: "e", Active: true}}); err != nil {
		t.Fatal(err)
	}
	if err := b.Discover(t.Context(), "r1", "sync/CRM/Accounts", accounts, Discovery{At: b.moment, Refused: []string{"Name"}, Filtered: true}); err != nil {
		t.Fatal(err)
	}
	s, err := b.ExportState(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var back State
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if d := gocmp.Diff(s, back); d != "" {
		t.Fatalf("JSON changes it:\n%s", d)
	}
	if strings.Contains(string(text), "0001-01-01") || !strings.Contains(string(text), `"read_at":"2026-11-21T04:00:00Z"`) {
		t.Errorf("it is written as %s", text)
	}
	return b, back
}

// known is what a state is about, apart from when it was exported.
func (b *books) known() State {
	b.t.Helper()
	s, err := b.ExportState(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	return s
}

func TestStateComesBack(t *testing.T) {
	b, want := stated(t)
	if len(want.Cursors) != 4 || want.Cursors[1].Rows != 2 || len(want.Discoveries) != 1 || len(want.Divisions) != 1 {
		t.Fatalf("exported %+v", want)
	}
	if err := b.ResetCursor(t.Context(), "crm/Accounts", "7"); err != nil {
		t.Fatal(err)
	}
	execute(t, b.Warehouse, "DELETE FROM _exactduck.cursors WHERE scope = '8'", "DELETE FROM _exactduck.discoveries", "DELETE FROM _exactduck.divisions")
	if d := gocmp.Diff(want, b.known()); d == "" {
		t.Fatal("nothing was lost")
	}
	if err := b.ImportState(t.Context(), want, named); err != nil {
		t.Fatal(err)
	}
	if d := gocmp.Diff(want, b.known()); d != "" {
		t.Errorf("(-exported +imported):\n%s", d)
	}
	want.Cursors, want.Divisions = want.Cursors[:1], nil
	before := b.known()
	if err := b.ImportState(t.Context(), want, named); err != nil {
		t.Fatal(err)
	}
	if d := gocmp.Diff(before, b.known()); d != "" {
		t.Errorf("what a state does not speak of was changed:\n%s", d)
	}
}

// named names rows for the marks of what is forgotten.
func named(stream string, key ...string) string { return stream + " " + strings.Join(key, ",") }

func TestForgottenIsForgottenWhereverItIsImported(t *testing.T) {
	here, _ := stated(t)
	there, before := stated(t)
	forget := func(f Forgetting) {
		t.Helper()
		f.Hash = named
		if _, err := there.Forget(t.Context(), f); err != nil {
			t.Fatal(err)
		}
	}
	forget(Forgetting{Stream: "crm/Accounts", Table: accounts, Key: []string{uuid.UUID(id(2)).String()}})
	forget(Forgetting{Stream: "logistics/Items", Table: items, Key: []string{"never", "1"}})
	if err := there.Agree(t.Context(), "crm/Accounts", Contract{Columns: map[string]schema.Type{"Name": schema.Varchar}}); err != nil {
		t.Fatal(err)
	}
	told := there.known()
	if len(told.Contracts) != 1 || len(told.Forgotten) != 2 {
		t.Fatalf("exported %+v", told)
	}
	if err := here.ImportState(t.Context(), told, named); err != nil {
		t.Fatal(err)
	}
	if d := gocmp.Diff(told, here.known()); d != "" {
		t.Errorf("(-there +here):\n%s", d)
	}
	here.expect("accounts", "SELECT count(*) FROM crm.Accounts", there.query("SELECT count(*) FROM crm.Accounts")...)
	if due, err := here.PurgeDue(t.Context()); err != nil || !due {
		t.Errorf("files are to be purged: %t, %v", due, err)
	}

	forget(Forgetting{Scope: "7"})
	told = there.known()
	for _, s := range []State{told, before} { // of after, and of before
		if err := here.ImportState(t.Context(), s, named); err != nil {
			t.Fatal(err)
		}
		if d := gocmp.Diff(told, here.known()); d != "" {
			t.Errorf("(-there +here):\n%s", d)
		}
	}
	here.expect("rows", "SELECT count(*) FROM crm.Accounts", "0")
}

// TestUntrueStatesAreRefused spoils a state that was good, after a change that it would take back.
func TestUntrueStatesAreRefused(t *testing.T) {
	b, _ := stated(t)
	good := b.known()
	for name, spoil := range map[string]func(*State){
		"rows":            func(s *State) { s.Cursors[3].Rows++ },
		"no table":        func(s *State) { s.Cursors[3].Table = "crm.Nothing" },
		"no table name":   func(s *State) { s.Cursors[3].Table = "" },
		"not a table":     func(s *State) { s.Cursors[3].Table = "_exactduck.meta" },
		"other scope":     func(s *State) { s.Cursors[3].Scope = "9" },
		"format":          func(s *State) { s.Format = 1 },
		"mark":            func(s *State) { s.Mark = "" },
		"asked otherwise": func(s *State) { s.Cursors[3].Fingerprint = "masked" },
		"prefix":          func(s *State) { s.Prefix = "second_" },
		"twice":           func(s *State) { s.Cursors = append(s.Cursors, s.Cursors[0]) },
		"no stream":       func(s *State) { s.Cursors[3].Stream = "" },
		"division":        func(s *State) { s.Divisions[0].Scope = "" },
		"division's time": func(s *State) { s.Divisions[0].LastSeen = s.Divisions[0].LastSeen.AddDate(-1, 0, 0) },
		"two divisions":   func(s *State) { s.Divisions = append(s.Divisions, s.Divisions[0]) },
	} {
		s := b.known()
		s.Cursors[0].Position = "changed"
		if name == "format" && s.Format == 1 {
			t.Fatal("the format is 1")
		}
		spoil(&s)
		err := b.ImportState(t.Context(), s, named)
		if _, untrue := errors.AsType[*Untrue](err); !untrue {
			t.Errorf("%s: %v, want *Untrue", name, err)
		}
		if d := gocmp.Diff(good, b.known()); d != "" {
			t.Errorf("%s: something of it was taken:\n%s", name, d)
		}
	}
	b.apply("r2", read{table: accounts, scope: "7", mode: spool.Merge, rows: [][]any{{50, id(50), "new", 1}}})
	if err := b.ImportState(t.Context(), good, named); err == nil || !strings.Contains(err.Error(), "it counts 2 rows of crm.Accounts, and there are 3") {
		t.Errorf("a state from before a read: %v", err)
	}
}
