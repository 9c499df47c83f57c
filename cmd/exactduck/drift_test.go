package main

import (
	"encoding/json"
	"strings"
	"testing"

	"exactduck/extract/sandbox"
	"exactduck/load"
)

// asked runs a query on the published file and returns the rows, one line each.
func (w *world) asked(query string) string {
	w.t.Helper()
	reader, err := load.OpenReader(w.t.Context(), w.published())
	if err != nil {
		w.t.Fatal(err)
	}
	defer reader.Close()
	a, err := collect(w.t.Context(), reader, query)
	if err != nil {
		w.t.Fatal(err)
	}
	text, err := json.Marshal(a.Rows)
	if err != nil {
		w.t.Fatal(err)
	}
	return string(text)
}

func (w *world) expect(what, query, want string) {
	w.t.Helper()
	if got := w.asked(query); got != want {
		w.t.Errorf("%s: %s, want %s", what, got, want)
	}
}

func (w *world) adds(name, edm string, value any) {
	w.t.Helper()
	if err := w.sandbox.AddProperty("sync/CRM/Accounts", name, edm, value); err != nil {
		w.t.Fatal(err)
	}
}

// warned reports whether a run has warned of something.
func warned(s synced, of string) bool { return strings.Contains(strings.Join(s.Warnings, "\n"), of) }

const rowsOfAccounts = "SELECT count(*), count(_extra), count(DISTINCT _run_id) FROM crm.Accounts"

// A property that Exact has added is found, kept beside the columns, and then given one: the rows that
// do not change otherwise stay what they were.
func TestPropertyGetsAColumn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, t.TempDir(), "      - crm/Accounts", sandbox.Options{Scale: 0.05})
	w.run(syncOptions{})
	w.adds("Novelty", "Edm.Int32", 42)
	w.clock.advance(8 * day24)
	if got := w.run(syncOptions{full: true}); !warned(got, "Exact has the property Novelty, which has no column") {
		t.Errorf("warnings are %q", got.Warnings)
	}
	w.expect("beside the columns", "SELECT DISTINCT _extra::VARCHAR FROM crm.Accounts", `[["{\"Novelty\":42}"]]`)
	rows := w.asked(rowsOfAccounts)
	stamp := w.asked("SELECT max(_synced_at), min(_synced_at) FROM crm.Accounts")
	w.clock.advance(day24)
	w.reconfigure("      - {stream: crm/Accounts, columns: {Novelty: BIGINT}}")
	got := w.run(syncOptions{})
	if !warned(got, "crm.Accounts: Novelty: column added: BIGINT, with") {
		t.Errorf("warnings are %q", got.Warnings)
	}
	if s := got.Streams[0]; s.Why != whyChoice || s.Updated != 0 || s.Inserted != 0 {
		t.Errorf("the read was %+v", s)
	}
	w.expect("in its column", "SELECT DISTINCT Novelty, _extra FROM crm.Accounts", `[[42,null]]`)
	w.expect("when rows changed", "SELECT max(_synced_at), min(_synced_at) FROM crm.Accounts", stamp)
	if after := w.asked(rowsOfAccounts); after == rows {
		t.Errorf("_extra is as it was: %s", after)
	}
	w.clock.advance(day24)
	w.reconfigure("      - crm/Accounts")
	if got := w.run(syncOptions{}); got.Streams[0].Why != whyChoice || !warned(got, "Novelty: column removed") {
		t.Errorf("without the column: %+v, %q", got.Streams[0], got.Warnings)
	}
	w.expect("beside the columns again", "SELECT DISTINCT Novelty, _extra::VARCHAR FROM crm.Accounts", `[[null,"{\"Novelty\":42}"]]`)
}

// How numbers are kept can be chosen; rows that mean the same stay.
func TestNumbersAreKeptOtherwise(t *testing.T) {
	t.Parallel()
	w := newWorld(t, t.TempDir(), "      - financial/TransactionLines", sandbox.Options{Scale: 0.05})
	w.run(syncOptions{})
	sum := w.asked("SELECT sum(AmountDC), count(*) FROM financial.TransactionLines")
	w.clock.advance(day24)
	w.reconfigure("      - {stream: financial/TransactionLines, numbers: {AmountDC: double, Quantity: decimal}}")
	got := w.run(syncOptions{})
	if s := got.Streams[0]; s.Why != whyChoice || !warned(got, "AmountDC: column retyped: from DECIMAL(18,4) to DOUBLE") {
		t.Errorf("the read was %+v, warnings %q", s, got.Warnings)
	}
	w.expect("types", "SELECT DISTINCT typeof(AmountDC), typeof(Quantity) FROM financial.TransactionLines", `[["DOUBLE","DECIMAL(18,4)"]]`)
	w.expect("values", "SELECT sum(AmountDC::DECIMAL(18,4)), count(*) FROM financial.TransactionLines", sum)
	w.expect("views", "SELECT count(*) > 0 FROM analytics.gl_transactions", "[[true]]")
	w.clock.advance(day24)
	w.pipelineLines = "    numbers: {financial/TransactionLines.Quantity: decimal}\n" + lakeless
	w.reconfigure("      - financial/TransactionLines")
	if s := w.run(syncOptions{}).Streams[0]; s.Updated != 0 || s.Why != whyChoice { // the noise of doubles is no change
		t.Errorf("the read back was %+v", s)
	}
	w.expect("types again", "SELECT DISTINCT typeof(AmountDC), typeof(Quantity) FROM financial.TransactionLines", `[["DECIMAL(18,4)","DECIMAL(18,4)"]]`)
	w.expect("values again", "SELECT sum(AmountDC), count(*) FROM financial.TransactionLines", sum)
	w.clock.advance(day24)
	if got := w.run(syncOptions{}); got.Streams[0].Why != whyNews {
		t.Errorf("the night after: %+v", got.Streams[0])
	}
}

// A frozen stream stops when a property comes, goes or does not fit, and goes on when that is accepted,
// without a call for what it has read already.
func TestFrozenStream(t *testing.T) {
	t.Parallel()
	const frozen = "      - {stream: crm/Accounts, contract: freeze, types: {Size: INTEGER}}\n      - logistics/Items"
	w := newWorld(t, t.TempDir(), frozen, sandbox.Options{Scale: 0.05})
	w.adds("Size", "Edm.String", "43")
	w.run(syncOptions{})
	rows := w.asked(rowsOfAccounts)
	night := func(breach string) {
		t.Helper()
		w.clock.advance(day24)
		if err := w.sandbox.Change(sandbox.Change{Entity: "crm/Accounts", Insert: 1, Update: 3}); err != nil {
			t.Fatal(err)
		}
		result, err := w.sync(t.Context(), w.pipeline(), syncOptions{})
		if code := exitCode(err); code != exitContract || !strings.Contains(hint(err), "exactduck schema accept crm/Accounts") || result.Status != "partial" {
			t.Fatalf("the run ends with %d: %v; %s", code, err, result.Status)
		}
		if !strings.Contains(err.Error(), breach) {
			t.Errorf("the error is %v, want %s", err, breach)
		}
		for _, s := range result.Streams {
			if want := map[string]string{"crm/Accounts": "contract_broken", "logistics/Items": "done"}[s.Stream]; s.Mode != "sweep" && s.Status != want && want != "" {
				t.Errorf("%s is %s, want %s", s.Stream, s.Status, want)
			}
		}
		w.expect("nothing of it was applied", rowsOfAccounts, rows)
	}
	accept := func() {
		t.Helper()
		taken, err := w.accept(t.Context(), w.pipeline(), must(choose(w.pipeline(), []string{"crm/Accounts"})))
		if err != nil || len(taken) != 1 || len(taken[0].Breaches) == 0 {
			t.Fatalf("accepted %+v, %v", taken, err)
		}
		w.run(syncOptions{})
		w.clock.advance(day24)
		w.run(syncOptions{})
		rows = w.asked(rowsOfAccounts)
	}
	if err := w.sandbox.DropProperty("sync/CRM/Accounts", "Size"); err != nil {
		t.Fatal(err)
	}
	w.adds("Size", "Edm.String", "large")
	night("misfit Size (a value does not fit INTEGER)")
	night("misfit Size")
	accept()
	w.expect("what did not fit", "SELECT DISTINCT Size, _extra::VARCHAR FROM crm.Accounts WHERE _extra IS NOT NULL", `[[null,"{\"Size\":\"large\"}"]]`)

	if err := w.sandbox.DropProperty("sync/CRM/Accounts", "Remarks"); err != nil {
		t.Fatal(err)
	}
	night("removed property Remarks")
	accept()

	w.adds("Novelty", "Edm.Int32", 1)
	w.clock.advance(8 * day24)
	night("new property Novelty")
	calls := func() (n int) {
		for _, r := range w.wire.seen {
			if strings.Contains(r.path, "/sync/CRM/Accounts") {
				n++
			}
		}
		return n
	}
	before := calls()
	night("new property Novelty")
	if after := calls(); after != before || before == 0 {
		t.Errorf("%d calls of a stream that is known to be broken, after %d", after-before, before)
	}
	accept()
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
