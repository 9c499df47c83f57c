package main

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"exactduck/extract/sandbox"
	"exactduck/load"
)

// Rows that every sync reads whole are not compared; what can be seen of them is mended all the same.
func TestVerifyMendsWhatEverySyncReadsWhole(t *testing.T) {
	t.Parallel()
	const streams = "      - salesinvoice/SalesInvoices\n      - salesinvoice/SalesInvoiceLines"
	w := newWorld(t, t.TempDir(), streams, sandbox.Options{Divisions: 1, Scale: 0.1, MinuteLimit: -1, DayLimit: -1})
	w.run(syncOptions{})
	w.clock.advance(time.Hour)
	w.run(syncOptions{}) // so that what the lines name has been read after they were stored
	double := "INSERT INTO salesinvoice.SalesInvoiceLines FROM salesinvoice.SalesInvoiceLines ORDER BY ID LIMIT 1"
	w.tamper(double, "DELETE FROM salesinvoice.SalesInvoices WHERE InvoiceID = (SELECT min(InvoiceID) FROM salesinvoice.SalesInvoiceLines)")
	offline := w.verifies(exitDifferent, verifyOptions{offline: true})
	want := []string{"differs doubled salesinvoice/SalesInvoiceLines", "suspect headless salesinvoice/SalesInvoiceLines"}
	if d := gocmp.Diff(want, toldOf(offline, resultDiffers, resultSuspect)); d != "" {
		t.Errorf("findings (-want +got):\n%s", d)
	}
	w.findsAndMends("a header and a double", verifyOptions{}, []string{
		"differs doubled salesinvoice/SalesInvoiceLines", "differs headless salesinvoice/SalesInvoiceLines", "differs keys salesinvoice/SalesInvoices",
	})
	w.tamper(double, "UPDATE salesinvoice.SalesInvoiceLines SET AmountDC = AmountDC + 1 WHERE ID = (SELECT max(ID) FROM salesinvoice.SalesInvoiceLines)")
	w.clock.advance(time.Hour)
	w.run(syncOptions{})
	w.equal()
	w.verifies(0, verifyOptions{offline: true})
}

// What was read to be compared mends too: nothing is read twice.
func TestDeepVerificationMendsWithWhatItRead(t *testing.T) {
	t.Parallel()
	const streams = "      - crm/Accounts\n      - crm/Contacts\n      - financial/TransactionLines"
	w := newWorld(t, t.TempDir(), streams, sandbox.Options{Divisions: 1, Scale: 0.05, MinuteLimit: -1, DayLimit: -1})
	w.run(syncOptions{})
	calls := func() (sum int) {
		for path, n := range w.sandbox.Calls() {
			if strings.HasSuffix(path, "/TransactionLines") || strings.HasSuffix(path, "/Contacts") {
				sum += n
			}
		}
		return sum
	}
	before := calls()
	w.verifies(0, verifyOptions{deep: true})
	well := calls() - before
	w.tamper("UPDATE financial.TransactionLines SET Description = 'changed' WHERE Timestamp = (SELECT min(Timestamp) FROM financial.TransactionLines)",
		"DELETE FROM crm.Contacts WHERE ID = (SELECT min(ID) FROM crm.Contacts)", "INSERT INTO crm.Accounts FROM crm.Accounts ORDER BY ID LIMIT 1")
	mended := w.verifies(0, verifyOptions{deep: true, repair: true})
	want := []string{"mended content crm/Contacts", "mended content financial/TransactionLines", "mended doubled crm/Accounts"}
	if d := gocmp.Diff(want, toldOf(mended, resultMended)); d != "" {
		t.Errorf("mended (-want +got):\n%s", d)
	}
	const news = 2 // what changed since they were read
	if n := calls() - before - well; n != well+news {
		t.Errorf("%d calls to compare and mend them, and %d to compare them", n, well)
	}
	w.equal()
	if left, err := filepath.Glob(filepath.Join(w.comparisons(w.pipeline()), "*")); err != nil || len(left) > 0 {
		t.Errorf("reads that were compared stay: %v, %v", left, err)
	}
}

// A stream of whose rows none is left at the source is no note for the next sweep, which would not
// believe it either.
func TestVerifyBelievesNoSweepThatTakesAll(t *testing.T) {
	t.Parallel()
	const streams = "      - cashflow/Payments"
	w := newWorld(t, t.TempDir(), streams, sandbox.Options{Divisions: 1, Scale: 0.1, MinuteLimit: -1, DayLimit: -1})
	w.run(syncOptions{})
	if err := w.sandbox.Revoke(w.sandbox.Divisions()[0], ""); err != nil {
		t.Fatal(err)
	}
	found := w.verifies(exitDifferent, verifyOptions{})
	if said := saidOf(found, resultDiffers); len(said) != 1 || !strings.Contains(said[0], "rights that were taken away") {
		t.Errorf("said: %v", saidOf(found, ""))
	}
	w.verifies(exitPartial, verifyOptions{repair: true})
	if err := w.sandbox.Restore(w.sandbox.Divisions()[0], ""); err != nil {
		t.Fatal(err)
	}
	w.verifies(0, verifyOptions{repair: true})
	w.equal()
}

// A repair for which the calls do not suffice is not forgotten, and gone on with.
func TestVerifyGoesOnMending(t *testing.T) {
	t.Parallel()
	const streams = "      - crm/Contacts"
	w := newWorld(t, t.TempDir(), streams, sandbox.Options{Divisions: 1, Scale: 0.1, MinuteLimit: -1, DayLimit: -1})
	w.run(syncOptions{})
	well := w.verifies(0, verifyOptions{}).Calls
	w.tamper("DELETE FROM crm.Contacts WHERE ID = (SELECT min(ID) FROM crm.Contacts)")
	w.maxCalls = w.verifies(exitDifferent, verifyOptions{}).Calls
	if w.maxCalls <= well {
		t.Fatalf("%d calls to find a difference, and %d without", w.maxCalls, well)
	}
	w.clock.advance(time.Hour)
	if short, err := w.verify(t.Context(), w.pipeline(), verifyOptions{repair: true}); exitCode(err) != exitQuota || short.Calls > w.maxCalls {
		t.Fatalf("%d calls: %v", short.Calls, err)
	}
	w.maxCalls = 0
	waits := w.verifies(exitDifferent, verifyOptions{})
	if d := gocmp.Diff([]string{"suspect loaded crm/Contacts"}, toldOf(waits, resultDiffers, resultSuspect)); d != "" {
		t.Errorf("what waits to be mended (-want +got):\n%s", d)
	}
	w.verifies(0, verifyOptions{repair: true})
	w.equal()
	if said := saidOf(w.verifies(0, verifyOptions{}), ""); said != nil {
		t.Errorf("mended: %v", said)
	}
}

// An inspection publishes, as "compact" does, and so they mask first, as a run does.
func TestWhatPublishesMasksFirst(t *testing.T) {
	t.Parallel()
	const streams = "      - crm/Contacts"
	w := newWorld(t, t.TempDir(), streams, sandbox.Options{Divisions: 1, Scale: 0.02, MinuteLimit: -1, DayLimit: -1})
	w.run(syncOptions{})
	w.tamper("INSERT INTO crm.Contacts FROM crm.Contacts ORDER BY ID LIMIT 1")
	for column, publish := range map[string]func(){
		"Email": func() { w.verifies(exitDifferent, verifyOptions{offline: true}) },
		"FullName": func() {
			if _, err := w.compact(t.Context(), w.pipeline(), false); err != nil {
				t.Fatal(err)
			}
		},
	} {
		w.pipelineLines = "    mask: {" + column + ": drop}\n" + lakeless
		w.reconfigure(streams)
		publish()
		if n := w.counted("SELECT count(" + column + ") FROM crm.Contacts"); n != "0" {
			t.Errorf("%s of %s rows is published as it came", column, n)
		}
	}
}

// counted is the one value that a query on the published file answers.
func (w *world) counted(query string) (value string) {
	w.t.Helper()
	reader, err := load.OpenReader(w.t.Context(), w.published())
	if err != nil {
		w.t.Fatal(err)
	}
	defer reader.Close()
	answer, err := reader.Query(w.t.Context(), query)
	if err != nil {
		w.t.Fatal(err)
	}
	defer answer.Close()
	for row, err := range answer.Rows() {
		if err != nil {
			w.t.Fatal(err)
		}
		value = fmt.Sprint(row[0])
	}
	return value
}

// What comes while rows are counted is no difference, and no excuse for as many that are missing later.
func TestVerifyWhileRowsCome(t *testing.T) {
	t.Parallel()
	const streams = "      - crm/Contacts"
	w := newWorld(t, t.TempDir(), streams, sandbox.Options{Divisions: 1, Scale: 0.1, MinuteLimit: -1, DayLimit: -1})
	w.run(syncOptions{})
	came := 0
	w.wire.onRequest(func(r *request) {
		if came == 0 && strings.Contains(r.query, "inlinecount") {
			came = 2
			if err := w.sandbox.Change(sandbox.Change{Entity: "crm/Contacts", Insert: came}); err != nil {
				t.Error(err)
			}
			w.clock.advance(16 * time.Minute) // so that the feed shows them
		}
	})
	first := w.verifies(0, verifyOptions{})
	if said := saidOf(first, ""); came == 0 || said != nil {
		t.Errorf("%d rows came: %v", came, said)
	}
	w.tamper("DELETE FROM crm.Contacts WHERE ID IN (SELECT ID FROM crm.Contacts ORDER BY ID LIMIT 2)")
	if d := gocmp.Diff([]string{"differs keys crm/Contacts"}, toldOf(w.verifies(exitDifferent, verifyOptions{}), resultDiffers, resultSuspect)); d != "" {
		t.Errorf("findings (-want +got):\n%s", d)
	}
}

// A sample finds what many rows have wrong, at the calls foretold, and nothing in rows that are well,
// whatever happens to them meanwhile.
func TestVerifySample(t *testing.T) {
	t.Parallel()
	const streams = "      - crm/Accounts\n      - crm/Contacts\n      - cashflow/Payments"
	w := newWorld(t, t.TempDir(), streams, sandbox.Options{Divisions: 1, Scale: 0.1, MinuteLimit: -1, DayLimit: -1})
	w.run(syncOptions{})
	plain := w.verifies(0, verifyOptions{}).Calls
	var said []string
	o := verifyOptions{sample: 1, say: func(text string) { said = append(said, text) }}
	well := w.verifies(0, o)
	if d := gocmp.Diff([]string{"same sample cashflow/Payments", "same sample crm/Accounts", "same sample crm/Contacts"}, those(toldOf(well, resultSame), "sample")); d != "" {
		t.Errorf("findings (-want +got):\n%s", d)
	}
	const dates = 3 // where a date begins may have to be looked up
	least := 0
	if _, err := fmt.Sscanf(said[0], "nightly: at least %d calls", &least); err != nil || least <= plain || well.Calls < least || well.Calls > least+dates {
		t.Errorf("%d calls and %d without a sample: %q", well.Calls, plain, said)
	}
	dice := rand.New(rand.NewPCG(1, 2))
	w.wire.onRequest(func(*request) {
		if err := w.sandbox.Change(sandbox.Change{Entity: []string{"crm/Accounts", "crm/Contacts", "cashflow/Payments"}[dice.IntN(3)], Insert: 1, Update: 2}); err != nil {
			t.Error(err)
		}
		w.clock.advance(time.Second)
	})
	for range 3 {
		if said := toldOf(w.verifies(0, o), resultDiffers, resultSuspect); said != nil {
			t.Errorf("rows that change meanwhile: %v", said)
		}
	}
	w.wire.onRequest(nil)
	w.clock.advance(time.Hour)
	w.tamper("UPDATE crm.Contacts SET FullName = 'changed'")
	if said := toldOf(w.verifies(0, verifyOptions{}), resultDiffers); said != nil {
		t.Errorf("found without a sample: %v", said)
	}
	w.findsAndMends("values that were changed", o, []string{"differs sample crm/Contacts"})
}

func those(words []string, part string) []string {
	return slices.DeleteFunc(words, func(s string) bool { return !strings.Contains(s, part) })
}

// Wherever a repair is killed, the next one ends well.
func TestKilledRepairsAreGoneOnWith(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	dice := rand.New(rand.NewPCG(seed, 0))
	o := newOffice(t, "      - crm/Accounts\n      - crm/Contacts\n      - cashflow/Payments", sandbox.Options{Seed: seed, Divisions: 1, Scale: 0.1})
	o.synced()
	tamperWith(t, o.file("state/books.work.duckdb"), "DELETE FROM crm.Contacts WHERE ID IN (SELECT ID FROM crm.Contacts ORDER BY ID DESC LIMIT 3)",
		"INSERT INTO crm.Accounts FROM crm.Accounts ORDER BY ID LIMIT 1", "DELETE FROM cashflow.Payments WHERE ID = (SELECT min(ID) FROM cashflow.Payments)")
	ways := [][]string{{"verify", "--repair"}, {"verify", "--repair", "--deep"}}
	if !long() {
		ways = ways[dice.IntN(2):][:1]
	}
	for _, args := range ways {
		steps := o.copy(t).steps(args...)
		for _, n := range some(dice, rounds(1, 100), len(steps)) {
			c := o.copy(t)
			c.kill(n, args...)
			c.run(0, append(args, "-q")...)
			c.equal()
			left, err := filepath.Glob(c.file("state/verify/nightly/*"))
			if err != nil || len(left) > 0 || t.Failed() {
				t.Fatalf("%v killed at %d, %s: %v, %v stay", args, n, steps[n-1], err, left)
			}
		}
	}
}
