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
	tamperWith(w.t, filepath.Join(w.dir, ".exactduck", "books.work.duckdb"), statements...)
}

func tamperWith(t *testing.T, database string, statements ...string) {
	t.Helper()
	db, err := sql.Open("duckdb", database)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, s := range statements {
		r, err := db.ExecContext(t.Context(), s)
		if err != nil {
			t.Fatalf("%s: %v", s, err)
		}
		if n, err := r.RowsAffected(); err == nil && n == 0 {
			t.Fatalf("%s changes nothing", s)
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
	t.Parallel()
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
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	dice := rand.New(rand.NewPCG(seed, 0))
	w := newWorld(t, t.TempDir(), changing, sandbox.Options{Seed: seed, Divisions: 1, Scale: 0.05, MinuteLimit: -1, DayLimit: -1})
	w.run(syncOptions{})
	for round := range rounds(3, 300) {
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
	t.Parallel()
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
	t.Parallel()
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
	t.Parallel()
	const streams = "      - financial/TransactionLines"
	w := newWorld(t, t.TempDir(), streams, sandbox.Options{Divisions: 1, Scale: 1, MinuteLimit: -1, DayLimit: -1})
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
	t.Parallel()
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
	t.Parallel()
	const streams = "      - {stream: crm/Accounts, max_age: 36h}\n      - crm/Contacts\n      - logistics/Items"
	w := newWorld(t, t.TempDir(), streams, sandbox.Options{Divisions: 2, Scale: 0.02, MinuteLimit: -1, DayLimit: -1})
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
	t.Parallel()
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
	t.Parallel()
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
