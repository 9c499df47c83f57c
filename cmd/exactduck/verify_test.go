package main

import (
	"cmp"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	_ "github.com/duckdb/duckdb-go/v2"
	gocmp "github.com/google/go-cmp/cmp"

	"exactduck/extract/exactonline"
	"exactduck/extract/mask"
	"exactduck/extract/sandbox"
	"exactduck/load"
	"exactduck/schema"
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

// seeded is what somebody may do to the rows, and what is found of it.
type seeded struct {
	name   string
	tamper string
	finds  []string // as toldOf says
}

// seededFaults are by the level that the help names for them; the levels before do not find them.
var seededFaults = []struct {
	o      verifyOptions
	faults []seeded
}{
	{verifyOptions{}, []seeded{
		{
			"a lost page", "DELETE FROM crm.Contacts WHERE ID IN (SELECT ID FROM crm.Contacts ORDER BY ID DESC LIMIT 5)",
			[]string{"differs keys crm/Contacts"},
		},
		{
			"a doubled line", "INSERT INTO logistics.Items FROM logistics.Items ORDER BY ID LIMIT 1",
			[]string{"differs doubled logistics/Items"},
		},
		{
			"a double that differs", "INSERT INTO crm.Accounts SELECT * REPLACE ('odd' AS Name) FROM crm.Accounts ORDER BY ID LIMIT 1",
			[]string{"differs doubled crm/Accounts"},
		},
		{
			"a missing header", "DELETE FROM salesinvoice.SalesInvoicesSync WHERE LineNumber = 0 AND InvoiceID = (SELECT min(InvoiceID) FROM salesinvoice.SalesInvoicesSync)",
			[]string{"differs headless salesinvoice/SalesInvoicesSync", "differs keys salesinvoice/SalesInvoicesSync"},
		},
		{
			"an amount that was changed", "UPDATE financial.TransactionLines SET AmountDC = AmountDC + 1 WHERE LineNumber = 1 AND Timestamp = (SELECT max(Timestamp) FROM financial.TransactionLines WHERE LineNumber = 1)",
			[]string{"differs balance financial/TransactionLines", "suspect unbalanced financial/TransactionLines"},
		},
		{
			"a lost account of the ledger", "DELETE FROM financial.GLAccounts WHERE ID = (SELECT max(GLAccount) FROM financial.TransactionLines)",
			[]string{"differs keys financial/GLAccounts", "differs reference financial/TransactionLines"},
		},
		{
			"a key without value", "UPDATE cashflow.Payments SET ID = NULL WHERE ID = (SELECT min(ID) FROM cashflow.Payments)",
			[]string{"differs keyless cashflow/Payments"},
		},
	}},
	{verifyOptions{keys: true}, []seeded{
		{
			"a row in the place of another", "UPDATE crm.Contacts SET ID = uuid() WHERE ID = (SELECT min(ID) FROM crm.Contacts)",
			[]string{"differs keys crm/Contacts"},
		},
		{
			"an update that was missed", "UPDATE logistics.Items SET Timestamp = Timestamp - 1, Description = 'before' WHERE ID = (SELECT min(ID) FROM logistics.Items)",
			[]string{"differs keys logistics/Items"},
		},
	}},
	{verifyOptions{deep: true}, []seeded{
		{
			"a name that was changed", "UPDATE crm.Accounts SET Name = 'changed' WHERE ID = (SELECT min(ID) FROM crm.Accounts)",
			[]string{"differs content crm/Accounts"},
		},
	}},
}

// Faults that nobody has told the program of are found by the level that the help names, by none below,
// and mended. By day those of a level come together, in a campaign one by one.
func TestSeededFaultsAreFoundAndMended(t *testing.T) {
	w := newBooksWorld(t)
	well := w.verifies(0, verifyOptions{})
	if said := toldOf(well, resultDiffers, resultSuspect, resultSource); said != nil {
		t.Fatalf("a warehouse that is well: %v", saidOf(well, ""))
	}
	for level, l := range seededFaults {
		groups := [][]seeded{l.faults}
		if long() {
			groups = slices.Collect(slices.Chunk(l.faults, 1))
		}
		for _, faults := range groups {
			w.clock.advance(time.Hour)
			var finds []string
			for _, f := range faults {
				w.tamper(f.tamper)
				finds = append(finds, f.finds...)
			}
			if level > 0 {
				if said := toldOf(w.verifies(0, seededFaults[level-1].o), resultDiffers, resultSuspect); said != nil {
					t.Errorf("the help says that %s is not found, and it is: %v", faults[0].name, said)
				}
			}
			w.findsAndMends(faults[0].name, l.o, finds)
		}
	}
}

func (w *world) findsAndMends(name string, o verifyOptions, finds []string) {
	w.t.Helper()
	slices.Sort(finds)
	found := w.verifies(exitDifferent, o)
	if d := gocmp.Diff(finds, toldOf(found, resultDiffers, resultSuspect)); d != "" {
		w.t.Errorf("findings of %s (-want +got):\n%s\n%s", name, d, strings.Join(saidOf(found, ""), "\n"))
	}
	for _, c := range found.Checks {
		if c.Result == resultDiffers && !strings.HasPrefix(c.Advice, "exactduck verify --repair --streams ") {
			w.t.Errorf("%s: what to type is %q", c.Detail, c.Advice)
		}
	}
	o.repair = true
	mended := w.verifies(0, o)
	if got := toldOf(mended, resultMended); len(got) != len(finds) {
		w.t.Errorf("%s: of %d findings %d are mended: %v", name, len(finds), len(got), saidOf(mended, ""))
	}
	w.equal()
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
	for round := range rounds(5, 300) {
		w.clock.advance(time.Duration(dice.IntN(40)) * time.Hour)
		for range dice.IntN(6) {
			w.change(dice)
		}
		w.clock.advance(16 * time.Minute)
		if dice.IntN(3) == 0 {
			w.run(syncOptions{accept: []string{"read/financial/ReceivablesList"}}) // a list of one may become empty
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

// What a verification costs is said before: where nothing differs, one count a stream and division more
// than a night without changes, and not what every run reads whole.
func TestVerifyCalls(t *testing.T) {
	w := newBooksWorld(t)
	var said []string
	o := verifyOptions{say: func(text string) { said = append(said, text) }}
	balances := 0
	for _, c := range w.verifies(0, o).Checks { // the balances have not changed since they were read
		if c.Kind == load.Unequal && c.Result == resultSame {
			balances++
		}
	}
	const divisions, news, deletions, counts = 1, 7, 1, 6 // the feed of invoices has no endpoint that counts
	result := w.verifies(0, o)
	if want := divisions + news + deletions + counts; balances != 1 || result.Calls != want {
		t.Errorf("%d calls, want %d; the ledger was added up %d times", result.Calls, want, balances)
	}
	if len(said) != 2 || !strings.Contains(said[1], fmt.Sprintf("at least %d calls, %d of them for counts", result.Calls, counts)) {
		t.Errorf("%d calls; said: %q", result.Calls, said)
	}

	w.maxCalls = result.Calls - 2
	w.clock.advance(time.Hour)
	short, err := w.verify(t.Context(), w.pipeline(), o)
	if exitCode(err) != exitQuota || short.Calls > w.maxCalls {
		t.Errorf("%d of %d calls, %v", short.Calls, w.maxCalls, err)
	}
	if left := toldOf(short, resultSkipped); !slices.ContainsFunc(left, func(s string) bool { return strings.HasPrefix(s, "skipped count") }) {
		t.Errorf("what could not be counted is not said: %v", saidOf(short, ""))
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

// A comparison that runs out of calls is gone on with.
func TestDeepVerificationGoesOn(t *testing.T) {
	const streams = "      - financial/TransactionLines"
	w := newWorld(t, t.TempDir(), streams, sandbox.Options{Divisions: 1, Scale: 1, MinuteLimit: -1, DayLimit: -1})
	w.pipelineLines = lakeless
	w.reconfigure(streams)
	w.run(syncOptions{})
	whole := w.verifies(0, verifyOptions{syncOptions: syncOptions{}, deep: true}).Calls
	w.maxCalls = whole - 3
	w.clock.advance(time.Hour)
	if short, err := w.verify(t.Context(), w.pipeline(), verifyOptions{deep: true}); exitCode(err) != exitQuota {
		t.Fatalf("%v after %d calls", err, short.Calls)
	}
	w.maxCalls = 0
	w.verifies(0, verifyOptions{}) // one that does not ask for as much leaves it alone
	w.tamper("UPDATE financial.TransactionLines SET Description = 'changed' WHERE Timestamp = (SELECT min(Timestamp) FROM financial.TransactionLines)")
	rest := w.verifies(exitDifferent, verifyOptions{deep: true})
	if rest.Calls >= whole-1 {
		t.Errorf("%d calls to go on, and %d for the whole", rest.Calls, whole)
	}
	if d := gocmp.Diff([]string{"differs content financial/TransactionLines"}, toldOf(rest, resultDiffers, resultSuspect)); d != "" {
		t.Errorf("findings (-want +got):\n%s", d)
	}
	if left, err := filepath.Glob(filepath.Join(w.comparisons(w.pipeline()), "*")); err != nil || len(left) > 0 {
		t.Errorf("reads that were compared stay: %v, %v", left, err)
	}
}

// Rights that were taken away look like rows that are gone: it is said, and believed only when a
// person says so.
func TestVerifyBelievesNoEmptySource(t *testing.T) {
	w := newBooksWorld(t)
	division := w.sandbox.Divisions()[0]
	for _, path := range []string{"crm/Contacts", "sync/CRM/Contacts", "bulk/CRM/Contacts"} {
		if err := w.sandbox.Revoke(division, path); err != nil {
			t.Fatal(err)
		}
	}
	found := w.verifies(exitDifferent, verifyOptions{})
	if d := gocmp.Diff([]string{"differs keys crm/Contacts"}, toldOf(found, resultDiffers, resultSuspect)); d != "" {
		t.Errorf("findings (-want +got):\n%s", d)
	}
	w.verifies(exitPartial, verifyOptions{repair: true})
	for _, path := range []string{"crm/Contacts", "sync/CRM/Contacts", "bulk/CRM/Contacts"} {
		if err := w.sandbox.Restore(division, path); err != nil {
			t.Fatal(err)
		}
	}
	w.clock.advance(time.Hour)
	w.run(syncOptions{})
	w.equal()
	w.verifies(0, verifyOptions{})
}

// What is not compared is remarked upon, and is no difference.
func TestVerifyRemarks(t *testing.T) {
	const streams = "      - {stream: crm/Accounts, max_age: 36h}\n      - crm/Contacts\n      - logistics/Items"
	w := newWorld(t, t.TempDir(), streams, sandbox.Options{Divisions: 2, Scale: 0.02, MinuteLimit: -1, DayLimit: -1})
	w.pipelineLines = lakeless
	w.reconfigure(streams)
	w.run(syncOptions{})
	first, second := w.sandbox.Divisions()[0], w.sandbox.Divisions()[1]
	w.pipelineLines = fmt.Sprintf("    divisions: [%d]\n", first) + lakeless
	w.reconfigure(streams)
	w.clock.advance(72 * time.Hour)
	w.tamper("UPDATE _exactduck.cursors SET complete = false WHERE stream = 'logistics/Items'")
	offline := w.verifies(0, verifyOptions{offline: true})
	want := []string{
		"note age crm/Accounts", "note left over crm/Accounts", "note left over crm/Contacts", "note left over logistics/Items", "note loaded logistics/Items",
	}
	if d := gocmp.Diff(want, toldOf(offline, resultNote)); d != "" {
		t.Errorf("remarks (-want +got):\n%s", d)
	}
	for _, c := range offline.Checks {
		if c.Kind == checkLeft && c.Advice != fmt.Sprintf("exactduck forget --division %d", second) {
			t.Errorf("advice %q", c.Advice)
		}
	}
	calls := w.sandbox.Calls()["/api/v1/{division}/sync/Logistics/Items"]
	if d := gocmp.Diff([]string{"skipped loaded logistics/Items"}, toldOf(w.verifies(0, verifyOptions{}), resultSkipped)); d != "" {
		t.Errorf("left out (-want +got):\n%s", d)
	}
	if again := w.sandbox.Calls()["/api/v1/{division}/sync/Logistics/Items"]; again != calls {
		t.Errorf("a first load is made by %d calls", again-calls)
	}
}

// The rows that others name are there in the catalogue, under a key of the same type.
func TestReferencesAreOfTheCatalogue(t *testing.T) {
	table := func(name string) *schema.Table {
		stream, _, err := exactonline.Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		return stream.Variants[0].Table
	}
	kind := func(t *schema.Table, column string) string {
		if at := t.Index(column); at >= 0 {
			return t.Columns[at].Type.String()
		}
		return column + " is missing"
	}
	for _, r := range load.References() {
		from, to := table(r.Stream), table(r.Other)
		if a, b := kind(from, r.Column), kind(to, cmp.Or(r.Key, to.Key[0])); a != b || len(to.Key) != 1 {
			t.Errorf("%+v: %s and %s", r, a, b)
		}
	}
}

// A row that was forgotten is missing here for good: that is no difference, costs keys once, and no
// check tells its key.
func TestVerifyAfterForgetting(t *testing.T) {
	w := newBooksWorld(t)
	reader, err := load.OpenReader(t.Context(), w.published())
	if err != nil {
		t.Fatal(err)
	}
	answer, err := reader.Query(t.Context(), "SELECT max(GLAccount)::VARCHAR FROM financial.TransactionLines")
	if err != nil {
		t.Fatal(err)
	}
	key := ""
	for row, err := range answer.Rows() {
		if err != nil {
			t.Fatal(err)
		}
		key = fmt.Sprint(row[0])
	}
	if err := errors.Join(answer.Close(), reader.Close()); err != nil {
		t.Fatal(err)
	}
	stream, _, err := exactonline.Lookup("financial/GLAccounts")
	if err != nil {
		t.Fatal(err)
	}
	w.tamper("INSERT INTO _exactduck.checks (prefix, stream, scope, table_name, kind, result, detail, checked_at) VALUES ('', 'crm/Contacts', '123456', '', 'keys', 'differs', '" + key + "', now())")
	_, err = w.forget(t.Context(), w.pipeline(), load.Forgetting{
		Stream: stream.Name, Table: stream.Variants[0].Table, Key: []string{key}, Hash: mask.KeyHash,
	}, false)
	if err != nil {
		t.Fatal(err)
	}
	first := w.verifies(0, verifyOptions{})
	for _, c := range first.Checks {
		if strings.Contains(c.Detail, key) {
			t.Errorf("%s tells the key of what was forgotten: %s", c.Kind, c.Detail)
		}
	}
	if d := gocmp.Diff([]string{"source keys financial/GLAccounts"}, toldOf(first, resultDiffers, resultSuspect, resultSource)); d != "" {
		t.Errorf("findings (-want +got):\n%s", d)
	}
	second := w.verifies(0, verifyOptions{})
	if d := gocmp.Diff(toldOf(first, resultSource), toldOf(second, resultSource)); d != "" || second.Calls >= first.Calls {
		t.Errorf("%d calls after %d:\n%s", second.Calls, first.Calls, d)
	}
}

// What is masked is compared as it is stored, and what is hashed is not added up.
func TestVerifyWithMasks(t *testing.T) {
	t.Setenv("EXACTDUCK_TEST_MASK_KEY", "a key that nobody guesses, long enough for a hash")
	w := newWorld(t, t.TempDir(), booksOfAccount, sandbox.Options{Divisions: 1, Scale: 0.02, MinuteLimit: -1, DayLimit: -1})
	w.pipelineLines = "    mask: {Account: hash, AmountDC: hash, Name: drop, Description: hash}\n    mask_key: ${EXACTDUCK_TEST_MASK_KEY}\n" + lakeless
	w.reconfigure(booksOfAccount)
	w.run(syncOptions{})
	if said := toldOf(w.verifies(0, verifyOptions{deep: true}), resultDiffers, resultSuspect, resultSource); said != nil {
		t.Errorf("a warehouse that is well: %v", said)
	}
	w.tamper("UPDATE crm.Contacts SET Account = 'changed' WHERE ID = (SELECT min(ID) FROM crm.Contacts)")
	if d := gocmp.Diff([]string{"differs content crm/Contacts"}, toldOf(w.verifies(exitDifferent, verifyOptions{deep: true}), resultDiffers, resultSuspect)); d != "" {
		t.Errorf("findings (-want +got):\n%s", d)
	}
}

// Rows that every sync reads whole are not compared; what can be seen of them is mended all the same.
func TestVerifyMendsWhatEverySyncReadsWhole(t *testing.T) {
	const streams = "      - salesinvoice/SalesInvoices\n      - salesinvoice/SalesInvoiceLines"
	w := newWorld(t, t.TempDir(), streams, sandbox.Options{Divisions: 1, Scale: 0.1, MinuteLimit: -1, DayLimit: -1})
	w.pipelineLines = lakeless
	w.reconfigure(streams)
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
	const streams = "      - crm/Accounts\n      - crm/Contacts\n      - financial/TransactionLines"
	w := newWorld(t, t.TempDir(), streams, sandbox.Options{Divisions: 1, Scale: 0.05, MinuteLimit: -1, DayLimit: -1})
	w.pipelineLines = lakeless
	w.reconfigure(streams)
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
	const streams = "      - cashflow/Payments"
	w := newWorld(t, t.TempDir(), streams, sandbox.Options{Divisions: 1, Scale: 0.1, MinuteLimit: -1, DayLimit: -1})
	w.pipelineLines = lakeless
	w.reconfigure(streams)
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
	const streams = "      - crm/Contacts"
	w := newWorld(t, t.TempDir(), streams, sandbox.Options{Divisions: 1, Scale: 0.1, MinuteLimit: -1, DayLimit: -1})
	w.pipelineLines = lakeless
	w.reconfigure(streams)
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

// An inspection publishes, and so it masks first, as a run does.
func TestInspectionMasksFirst(t *testing.T) {
	const streams = "      - crm/Contacts"
	w := newWorld(t, t.TempDir(), streams, sandbox.Options{Divisions: 1, Scale: 0.02, MinuteLimit: -1, DayLimit: -1})
	w.pipelineLines = lakeless
	w.reconfigure(streams)
	w.run(syncOptions{})
	w.pipelineLines = "    mask: {Email: drop, FullName: drop}\n" + lakeless
	w.reconfigure(streams)
	w.tamper("INSERT INTO crm.Contacts FROM crm.Contacts ORDER BY ID LIMIT 1")
	w.verifies(exitDifferent, verifyOptions{offline: true})
	reader, err := load.OpenReader(t.Context(), w.published())
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	answer, err := reader.Query(t.Context(), "SELECT count(*) FROM crm.Contacts WHERE FullName IS NOT NULL OR Email IS NOT NULL")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Close()
	for row, err := range answer.Rows() {
		if err != nil || fmt.Sprint(row[0]) != "0" {
			t.Errorf("%v rows are published as they came: %v", row, err)
		}
	}
}

// What comes while rows are counted is no difference, and no excuse for as many that are missing later.
func TestVerifyWhileRowsCome(t *testing.T) {
	const streams = "      - crm/Contacts"
	w := newWorld(t, t.TempDir(), streams, sandbox.Options{Divisions: 1, Scale: 0.1, MinuteLimit: -1, DayLimit: -1})
	w.pipelineLines = lakeless
	w.reconfigure(streams)
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
