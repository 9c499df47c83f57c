package main

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	_ "github.com/duckdb/duckdb-go/v2"
	gocmp "github.com/google/go-cmp/cmp"

	"exactduck/extract/sandbox"
	"exactduck/load"
)

// tamper changes the working database behind the program's back.
func (w *world) tamper(statements ...string) {
	w.t.Helper()
	db, err := sql.Open("duckdb", filepath.Join(w.dir, ".exactduck", "books.work.duckdb"))
	if err != nil {
		w.t.Fatal(err)
	}
	defer db.Close()
	for _, s := range statements {
		r, err := db.ExecContext(w.t.Context(), s)
		if err != nil {
			w.t.Fatalf("%s: %v", s, err)
		}
		if n, err := r.RowsAffected(); err == nil && n == 0 {
			w.t.Fatalf("%s changes nothing", s)
		}
	}
}

// verifies verifies and expects an exit code.
func (w *world) verifies(code int, o verifyOptions) verified {
	w.t.Helper()
	w.clock.advance(time.Hour)
	result, err := w.verify(w.t.Context(), w.pipeline(), o)
	if exitCode(err) != code {
		w.t.Fatalf("verify ends with %d (%v), want %d: %s", exitCode(err), err, code, strings.Join(saidOf(result, ""), "\n"))
	}
	return result
}

// saidOf are the findings with a result, in words; "": all but those that are the same.
func saidOf(v verified, result string) (words []string) {
	for _, c := range v.Checks {
		if c.Result == result || result == "" && c.Result != resultSame {
			words = append(words, fmt.Sprintf("%s %s %s (%s): %s", c.Result, c.Kind, c.Stream, c.Scope, c.Detail))
		}
	}
	return words
}

// toldOf are the findings that say something, without keys and numbers.
func toldOf(v verified, results ...string) (words []string) {
	for _, c := range v.Checks {
		if slices.Contains(results, c.Result) {
			words = append(words, c.Result+" "+c.Kind+" "+c.Stream)
		}
	}
	slices.Sort(words)
	return words
}

const booksOfAccount = `      - crm/Accounts
      - crm/Contacts
      - financial/GLAccounts
      - financial/TransactionLines
      - financial/ReportingBalance
      - salesinvoice/SalesInvoicesSync
      - cashflow/Payments
      - logistics/Items`

func newBooksWorld(t *testing.T) *world {
	w := newWorld(t, t.TempDir(), booksOfAccount, sandbox.Options{Divisions: 1, Scale: 0.1, MinuteLimit: -1, DayLimit: -1})
	w.pipelineLines = lakeless
	w.reconfigure(booksOfAccount)
	w.run(syncOptions{})
	return w
}

// Faults that nobody has told the program of: each is found by the level that the help names, and mended.
func TestSeededFaultsAreFoundAndMended(t *testing.T) {
	w := newBooksWorld(t)
	well := w.verifies(0, verifyOptions{})
	if said := toldOf(well, resultDiffers, resultSuspect, resultSource); said != nil {
		t.Fatalf("a warehouse that is well: %v", saidOf(well, ""))
	}
	cases := []struct {
		name   string
		tamper []string
		o      verifyOptions
		finds  []string // as toldOf says
		blind  bool     // a level below does not find it
	}{
		{"a lost page", []string{"DELETE FROM crm.Contacts WHERE ID IN (SELECT ID FROM crm.Contacts ORDER BY ID LIMIT 60)"},
			verifyOptions{}, []string{"differs keys crm/Contacts"}, false},
		{"a lost line", []string{"DELETE FROM financial.TransactionLines WHERE LineNumber = 1 AND Timestamp = (SELECT max(Timestamp) FROM financial.TransactionLines WHERE LineNumber = 1)"},
			verifyOptions{}, []string{"differs balance financial/TransactionLines", "differs keys financial/TransactionLines", "suspect unbalanced financial/TransactionLines"}, false},
		{"a doubled line", []string{"INSERT INTO logistics.Items FROM logistics.Items ORDER BY ID LIMIT 1"},
			verifyOptions{}, []string{"differs doubled logistics/Items"}, false},
		{"two doubled lines that differ", []string{"INSERT INTO logistics.Items SELECT * REPLACE ('odd' AS Description) FROM logistics.Items ORDER BY ID LIMIT 1"},
			verifyOptions{}, []string{"differs doubled logistics/Items"}, false},
		{"a missing header", []string{"DELETE FROM salesinvoice.SalesInvoicesSync WHERE LineNumber = 0 AND InvoiceID = (SELECT min(InvoiceID) FROM salesinvoice.SalesInvoicesSync)"},
			verifyOptions{}, []string{"differs headless salesinvoice/SalesInvoicesSync", "differs keys salesinvoice/SalesInvoicesSync"}, false},
		{"an amount that was changed", []string{"UPDATE financial.TransactionLines SET AmountDC = AmountDC + 1 WHERE LineNumber = 1 AND Timestamp = (SELECT max(Timestamp) FROM financial.TransactionLines WHERE LineNumber = 1)"},
			verifyOptions{}, []string{"differs balance financial/TransactionLines", "suspect unbalanced financial/TransactionLines"}, false},
		{"a key without value", []string{"UPDATE crm.Contacts SET ID = NULL WHERE ID = (SELECT min(ID) FROM crm.Contacts)"},
			verifyOptions{}, []string{"differs keyless crm/Contacts"}, false},
		{"a row that took the place of another", []string{"UPDATE crm.Contacts SET ID = uuid() WHERE ID = (SELECT min(ID) FROM crm.Contacts)"},
			verifyOptions{keys: true}, []string{"differs keys crm/Contacts"}, true},
		{"an update that was missed", []string{"UPDATE crm.Accounts SET Timestamp = Timestamp - 1, Name = 'before' WHERE ID = (SELECT min(ID) FROM crm.Accounts)"},
			verifyOptions{keys: true}, []string{"differs keys crm/Accounts"}, true},
		{"a name that was changed", []string{"UPDATE crm.Accounts SET Name = 'changed' WHERE ID = (SELECT min(ID) FROM crm.Accounts)"},
			verifyOptions{deep: true}, []string{"differs content crm/Accounts"}, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w.t = t
			w.clock.advance(time.Hour)
			w.tamper(c.tamper...)
			if c.blind {
				lower := c.o
				lower.deep, lower.keys = false, c.o.deep
				if said := toldOf(w.verifies(0, lower), resultDiffers, resultSuspect); said != nil {
					t.Errorf("the help says that it is not found, and it is: %v", said)
				}
			}
			found := w.verifies(exitDifferent, c.o)
			if d := gocmp.Diff(c.finds, toldOf(found, resultDiffers, resultSuspect)); d != "" {
				t.Errorf("findings (-want +got):\n%s\n%s", d, strings.Join(saidOf(found, ""), "\n"))
			}
			c.o.repair = true
			mended := w.verifies(0, c.o)
			if got := toldOf(mended, resultMended); len(got) == 0 {
				t.Errorf("nothing is said to be mended: %v", saidOf(mended, ""))
			}
			w.equal()
		})
	}
}

// Whatever people do in the company, a warehouse that is well gives no alarm.
func TestVerifyGivesNoFalseAlarm(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	dice := rand.New(rand.NewPCG(seed, 0))
	w := newWorld(t, t.TempDir(), changing, sandbox.Options{Seed: seed, Divisions: 1, Scale: 0.05, MinuteLimit: -1, DayLimit: -1})
	w.pipelineLines = lakeless
	w.reconfigure(changing)
	w.run(syncOptions{})
	for round := range rounds(20, 300) {
		w.clock.advance(time.Duration(dice.IntN(40)) * time.Hour)
		for range dice.IntN(6) {
			w.change(dice)
		}
		w.clock.advance(16 * time.Minute)
		if dice.IntN(3) == 0 {
			w.run(syncOptions{})
		}
		o := verifyOptions{keys: dice.IntN(4) == 0, deep: dice.IntN(6) == 0}
		result := w.verifies(0, o)
		for _, c := range result.Checks {
			if c.Result == resultSource || c.Result == resultSkipped && c.Kind != checkLoaded && c.Kind != checkCount {
				t.Errorf("round %d: %s", round, strings.Join(saidOf(result, c.Result), "\n"))
			}
		}
	}
}

func TestVerifyOffline(t *testing.T) {
	w := newBooksWorld(t)
	calls := w.sandbox.Calls()
	o := verifyOptions{offline: true}
	if said := toldOf(w.verifies(0, o), resultDiffers, resultSuspect); said != nil {
		t.Errorf("a warehouse that is well: %v", said)
	}
	w.tamper("INSERT INTO logistics.Items FROM logistics.Items ORDER BY ID LIMIT 1",
		"DELETE FROM financial.TransactionLines WHERE LineNumber = 0 AND Timestamp = (SELECT max(Timestamp) FROM financial.TransactionLines WHERE LineNumber = 0)")
	found := w.verifies(exitDifferent, o)
	want := []string{"differs doubled logistics/Items", "suspect headless financial/TransactionLines", "suspect unbalanced financial/TransactionLines"}
	if d := gocmp.Diff(want, toldOf(found, resultDiffers, resultSuspect)); d != "" {
		t.Errorf("findings (-want +got):\n%s", d)
	}
	if d := gocmp.Diff(calls, w.sandbox.Calls()); d != "" {
		t.Errorf("it makes calls:\n%s", d)
	}
	reader, err := load.OpenReader(t.Context(), w.published())
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	answer, err := reader.Query(t.Context(), "SELECT count(*) FROM _exactduck.checks WHERE result IN ('differs', 'suspect')")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Close()
	for row, err := range answer.Rows() {
		if err != nil || fmt.Sprint(row[0]) != "3" {
			t.Errorf("published findings: %v, %v", row, err)
		}
	}
}
