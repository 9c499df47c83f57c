package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"exactduck/cmd/exactduck/runs"
	"exactduck/extract"
	"exactduck/extract/sandbox"
	"exactduck/load"
)

const day24 = 24 * time.Hour

// lines are what a run's record says of a stream, by mode.
func lines(s synced, stream string) (found []runs.Stream) {
	for _, l := range s.Streams {
		if l.Stream == stream {
			found = append(found, l)
		}
	}
	return found
}

// A stream that was first read by its cheap variant, which has no cursor, goes on with the dearer
// one night after night; it is not read whole again.
func TestCheapFirstLoadIsNotRepeated(t *testing.T) {
	t.Parallel()
	w := newWorld(t, t.TempDir(), "      - cashflow/Payments", sandbox.Options{})
	w.run(syncOptions{})
	for range 3 {
		w.clock.advance(day24)
		for _, l := range lines(w.run(syncOptions{}), "cashflow/Payments") {
			if l.Mode != "merge" {
				t.Errorf("%s of %s because of %q", l.Mode, l.Variant, l.Why)
			}
		}
	}
	w.equal()
}

// Where the cheapest variants are refused, a first load falls back, and the nights after it go on
// from there.
func TestFallbackLasts(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		stream string
		forbid []string
	}{
		{"crm/Contacts", []string{"sync/CRM/Contacts"}},
		{"crm/Contacts", []string{"sync/CRM/Contacts", "bulk/CRM/Contacts"}},
		{"crm/Accounts", []string{"sync/CRM/Accounts"}},
		{"cashflow/Payments", []string{"bulk/Cashflow/Payments"}},
	} {
		t.Run(tc.stream, func(t *testing.T) {
			w := newWorld(t, t.TempDir(), "      - "+tc.stream, sandbox.Options{Scale: 0.3})
			for _, path := range tc.forbid {
				if err := w.sandbox.Forbid(path); err != nil {
					t.Fatal(err)
				}
			}
			w.run(syncOptions{})
			for range rounds(3, 10) {
				w.clock.advance(day24)
				if err := w.sandbox.Change(sandbox.Change{Entity: tc.stream, Insert: 1, Update: 2}); err != nil {
					t.Fatal(err)
				}
				w.clock.advance(time.Hour)
				for _, l := range lines(w.run(syncOptions{}), tc.stream) {
					if l.Mode == "replace" {
						t.Errorf("%s of %s because of %q", l.Mode, l.Variant, l.Why)
					}
				}
			}
			w.equal()
		})
	}
}

// broken runs a sync during which something goes wrong.
func (w *world) broken(o syncOptions, f sandbox.Fault) error {
	w.t.Helper()
	w.sandbox.Fault(f)
	_, err := w.sync(w.t.Context(), w.pipeline(), o)
	w.sandbox.ClearFaults()
	if err == nil {
		w.t.Fatal("nothing went wrong")
	}
	return err
}

// A full refresh that broke off is finished by the next run without being asked again, and leaves
// a cursor that the runs after it can go on from.
func TestBrokenRefreshLeavesACursor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, t.TempDir(), "      - cashflow/Payments", sandbox.Options{Scale: 20})
	w.run(syncOptions{})
	w.clock.advance(day24)
	_ = w.broken(syncOptions{full: true}, sandbox.Fault{Path: "bulk/Cashflow/Payments", Nth: 2, Times: -1, Kind: sandbox.ServerError})
	for range 3 {
		w.clock.advance(day24)
		w.run(syncOptions{})
	}
	w.equal()
}

// A window that broke off must not bring back, weeks later, what rows were when it began.
func TestStaleWindowIsNotApplied(t *testing.T) {
	t.Parallel()
	w := newWorld(t, t.TempDir(), "      - cashflow/Payments", sandbox.Options{Scale: 1})
	w.run(syncOptions{})
	since := syncOptions{since: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)}
	w.clock.advance(day24)
	_ = w.broken(since, sandbox.Fault{Path: "cashflow/Payments", Nth: 2, Times: -1, Kind: sandbox.ServerError})
	for range 3 {
		w.clock.advance(day24)
		if err := w.sandbox.Change(sandbox.Change{Entity: "cashflow/Payments", Update: 30}); err != nil {
			t.Fatal(err)
		}
		w.clock.advance(time.Hour)
		w.run(syncOptions{})
		w.equal()
	}
	w.clock.advance(day24)
	w.run(since)
	w.equal()
}

// A stream with a limited history is swept without being taken for one that missed rows.
func TestSweepRespectsHistory(t *testing.T) {
	t.Parallel()
	w := newWorld(t, t.TempDir(), "      - {stream: cashflow/Payments, since: 2026-06-01}", sandbox.Options{Scale: 2})
	w.run(syncOptions{})
	for range 10 {
		w.clock.advance(day24)
		for _, l := range lines(w.run(syncOptions{}), "cashflow/Payments") {
			if l.Mode == "replace" {
				t.Errorf("read again because of %q", l.Why)
			}
		}
	}
}

// The same with a history that the command line began.
func TestSweepRespectsHistoryOfFirstRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t, t.TempDir(), "      - cashflow/Payments", sandbox.Options{Scale: 2})
	w.run(syncOptions{since: time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)})
	for range 10 {
		w.clock.advance(day24)
		for _, l := range lines(w.run(syncOptions{}), "cashflow/Payments") {
			if l.Mode == "replace" {
				t.Errorf("read again because of %q", l.Why)
			}
		}
	}
}

// A limited history costs nothing beside the read itself, night after night.
func TestSinceCostsNoExtraCalls(t *testing.T) {
	t.Parallel()
	w := newWorld(t, t.TempDir(), `      - {stream: financial/TransactionLines, since: 2026-06-01}
      - {stream: cashflow/Payments, since: 2026-06-01}`, sandbox.Options{})
	w.run(syncOptions{})
	w.clock.advance(day24)
	second := w.run(syncOptions{})
	pages := 0
	for _, s := range second.Streams {
		pages += s.Pages
	}
	if second.Calls != pages+1 {
		t.Errorf("%d calls for %d pages: %v", second.Calls, pages, w.sandbox.Calls())
	}
}

// Only when every read of a run found the source down is it the source that is down.
func TestDeletionsAloneAreNotTheSource(t *testing.T) {
	t.Parallel()
	w := newWorld(t, t.TempDir(), "      - crm/Accounts", sandbox.Options{Divisions: 1})
	err := w.broken(syncOptions{}, sandbox.Fault{Path: "sync/Deleted", Times: -1, Kind: sandbox.ServerError})
	if code := exitCode(err); code != exitPartial {
		t.Errorf("code %d: %v", code, err)
	}
}

// As long as the deletions cannot be read, nothing is read again for their sake more than once in
// the time that they are kept; when they come back, no deletion has been overlooked.
func TestDeletionsThatFailForMonths(t *testing.T) {
	t.Parallel()
	w := newWorld(t, t.TempDir(), "      - crm/Contacts", sandbox.Options{Scale: 0.3})
	if err := w.sandbox.Forbid("sync/Deleted"); err != nil {
		t.Fatal(err)
	}
	reloads, weeks := 0, rounds(9, 20)
	for range weeks {
		result, err := w.sync(t.Context(), w.pipeline(), syncOptions{})
		if exitCode(err) != exitPartial {
			t.Fatalf("code %d: %v", exitCode(err), err)
		}
		for _, l := range lines(result, "crm/Contacts") {
			if l.Mode == "replace" {
				reloads++
			}
		}
		if err := w.sandbox.Change(sandbox.Change{Entity: "crm/Contacts", Delete: 1}); err != nil {
			t.Fatal(err)
		}
		w.clock.advance(7 * day24)
	}
	if want := 2 * (1 + weeks*7/55); reloads > want {
		t.Errorf("%d whole reads in %d weeks", reloads, weeks)
	}
	if err := w.sandbox.Allow("sync/Deleted"); err != nil {
		t.Fatal(err)
	}
	w.clock.advance(day24)
	w.run(syncOptions{})
	w.equal()
}

// A stream that has to be read again is read as far back as before, whatever the command line asks
// of streams that were never read.
func TestReadingAgainKeepsHistory(t *testing.T) {
	t.Parallel()
	c := chosen(t, "crm/Accounts")
	june := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	for _, history := range []string{"", "2024-01-01"} {
		p := newPlanner(night, []load.Cursor{held(c, func(c *load.Cursor) { c.Complete, c.HistoryFrom = false, history })}, exactOnline{})
		p.since = june
		if task := p.read(c, extract.Place{Scope: "1", Epoch: "e"}); task.historyFrom != history || day(task.since) != history {
			t.Errorf("history from %q is read again from %q, since %v", history, task.historyFrom, task.since)
		}
	}
}

// Some addresses need a division: one that has been out of reach for long is not the one to use.
func TestDivisionThatIsThereIsAskedThrough(t *testing.T) {
	t.Parallel()
	held := []load.Cursor{
		{Scope: shared, ReadAt: night}, {Scope: "1", ReadAt: night.Add(-day24)}, {Scope: "2", ReadAt: night.Add(-time.Hour)},
	}
	if got := someDivision(nil, held); got != "2" {
		t.Errorf("asking through %q", got)
	}
	if got := someDivision(nil, held[:1]); got != "" {
		t.Errorf("asking through %q", got)
	}
	met := []load.Division{
		{Scope: "8", Active: false}, {Scope: "9", Active: true, GoneSince: night}, {Scope: "100", Active: true}, {Scope: "20", Active: true},
	}
	if got := someDivision(met, held); got != "20" {
		t.Errorf("asking through %q where the divisions are known", got)
	}
}

// A stream that is refused costs one call a night, not another one to look for news in it.
func TestRefusedStreamCostsOneCall(t *testing.T) {
	t.Parallel()
	w := newWorld(t, t.TempDir(), "      - crm/Accounts\n      - general/Currencies", sandbox.Options{Divisions: 1})
	if err := w.sandbox.Forbid("general/Currencies"); err != nil {
		t.Fatal(err)
	}
	for night := range 4 {
		before := w.sandbox.Calls()
		if _, err := w.sync(t.Context(), w.pipeline(), syncOptions{}); exitCode(err) != exitPartial {
			t.Fatal(err)
		}
		for path, n := range w.sandbox.Calls() {
			if n -= before[path]; night > 0 && n > 1 {
				t.Errorf("%d calls of %s", n, path)
			}
		}
		w.clock.advance(day24)
	}
}

// What changed between a run that broke off and the next one is there after the next one.
func TestResumedReadIsUpToDate(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ stream, path string }{
		{"cashflow/Payments", "bulk/Cashflow/Payments"},
		{"crm/Accounts", "sync/CRM/Accounts"},
	} {
		t.Run(tc.stream, func(t *testing.T) {
			w := newWorld(t, t.TempDir(), "      - "+tc.stream, sandbox.Options{Scale: 12})
			_ = w.broken(syncOptions{}, sandbox.Fault{Path: tc.path, Nth: 2, Times: -1, Kind: sandbox.ServerError})
			w.resumed(tc.stream)
		})
	}
}

// The same when the read was whole and what died was the run, before it could apply it; the
// deletions are read as far as well.
func TestAppliedLateIsUpToDate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, t.TempDir(), "      - cashflow/Payments\n      - crm/Accounts", sandbox.Options{Divisions: 2})
	w.run(syncOptions{})
	second := textOf(w.sandbox.Divisions()[1])
	for _, path := range []string{"/cashflow/Payments", "/sync/CRM/Accounts", "/sync/Deleted"} {
		w.clock.advance(day24)
		ctx, kill := context.WithCancel(t.Context())
		w.sandbox.Fault(sandbox.Fault{Path: second + path, Kind: sandbox.Nothing, Delay: time.Second, Then: func() {
			time.AfterFunc(300*time.Millisecond, kill)
		}})
		if _, err := w.sync(ctx, w.pipeline(), syncOptions{}); exitCode(err) != exitInterrupted {
			t.Fatal(err)
		}
		w.sandbox.ClearFaults()
		for _, stream := range []string{"crm/Accounts", "cashflow/Payments"} {
			w.resumed(stream)
		}
	}
}

// resumed changes a stream and syncs.
func (w *world) resumed(stream string) {
	w.t.Helper()
	w.clock.advance(time.Hour)
	change := sandbox.Change{Entity: stream, Update: 100, Insert: 20}
	if stream == "crm/Accounts" {
		change.Update, change.Delete = 20, 2
	}
	if err := w.sandbox.Change(change); err != nil {
		w.t.Fatal(err)
	}
	w.clock.advance(time.Hour)
	w.run(syncOptions{})
	w.equal()
}

// A doubt about the login is none about the variant.
func TestUnauthorizedIsNoReasonToFallBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, t.TempDir(), "      - crm/Accounts", sandbox.Options{Divisions: 1})
	err := w.broken(syncOptions{}, sandbox.Fault{Path: "sync/CRM/Accounts", Times: -1, Kind: sandbox.Unauthorized})
	if code := exitCode(err); code != exitLogin {
		t.Errorf("code %d: %v", code, err)
	}
	for path, n := range w.sandbox.Calls() {
		if strings.Contains(path, "bulk/CRM/Accounts") && n > 0 {
			t.Errorf("%d calls of %s", n, path)
		}
	}
}

// A pipeline of another warehouse that is running has not been killed, and is no run of this one.
func TestRunsOfOtherWarehousesAreTheirs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, t.TempDir(), "      - crm/Accounts", sandbox.Options{Divisions: 1})
	other, err := runs.Create(w.records(), runs.Record{ID: "20261120T000000Z-aaaa", Pipeline: "elsewhere", Started: w.clock.time()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := other.End(runs.Record{}); err != nil {
			t.Error(err)
		}
	})
	w.run(syncOptions{})
	reader, err := load.OpenReader(t.Context(), w.published())
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	answer, err := reader.Query(t.Context(), "SELECT status FROM _exactduck.runs WHERE pipeline = 'elsewhere'")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Close()
	for row, err := range answer.Rows() {
		t.Errorf("a run of another pipeline is %v here, %v", row, err)
	}
}

// A disk that takes no more pages ends the run: no call is spent on what cannot be kept.
func TestFullDiskEndsTheRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t, t.TempDir(), changing, sandbox.Options{Divisions: 2})
	if err := os.MkdirAll(filepath.Dir(w.spools(w.pipeline())), 0o700); err != nil {
		t.Fatal(err)
	}
	w.sandbox.Fault(sandbox.Fault{Path: "/crm/", Then: func() {
		_ = os.RemoveAll(w.spools(w.pipeline()))
		_ = os.WriteFile(w.spools(w.pipeline()), nil, 0o600)
	}})
	_, err := w.sync(t.Context(), w.pipeline(), syncOptions{})
	if code := exitCode(err); code != exitMachine {
		t.Errorf("code %d: %v", code, err)
	}
	if n := total(w.sandbox.Calls()); n > 22+2 {
		t.Errorf("%d calls: %v", n, w.sandbox.Calls())
	}
}

// The hint names the stream that shrank, and no other that failed as well.
func TestShrinkHintNamesTheStreamThatShrank(t *testing.T) {
	t.Parallel()
	err := errors.Join(&partial{of: 3, failures: []error{
		&streamError{"crm/Contacts", "1", &extract.Refused{Status: 403}},
		&streamError{"system/Users", "1", &load.Shrink{Table: "uk_exact_system.Users", Stream: "system/Users", Have: 9, Gone: 9}},
	}}, errors.New("another pipeline failed"))
	if text := hint(err); !strings.Contains(text, "--accept-shrink system/Users") {
		t.Error(text)
	}
}

// What there was before the right to a stream was given comes when it is, however many nights found
// nothing.
func TestRightsThatComeAfterTheFirstLoad(t *testing.T) {
	t.Parallel()
	for _, stream := range []string{"standard/crm/Contacts", "crm/Opportunities", "salesinvoice/SalesInvoices"} {
		t.Run(stream, func(t *testing.T) {
			w := newWorld(t, t.TempDir(), streamLines(stream), sandbox.Options{Divisions: 1, Scale: 0.3})
			if err := w.sandbox.Revoke(0, ""); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				w.run(syncOptions{})
				w.clock.advance(day24)
			}
			if err := w.sandbox.Restore(0, ""); err != nil {
				t.Fatal(err)
			}
			w.run(syncOptions{})
			w.equal()
		})
	}
}

// What was modified while the right to a stream was taken away without a word comes when it is back,
// whatever nights lay between.
func TestChangesWithoutTheRightComeLater(t *testing.T) {
	t.Parallel()
	for _, stream := range []string{"crm/Contacts", "standard/crm/Contacts", "crm/Opportunities"} {
		t.Run(stream, func(t *testing.T) {
			w := newWorld(t, t.TempDir(), streamLines(stream), sandbox.Options{Divisions: 1, Scale: 0.3})
			w.run(syncOptions{})
			if err := w.sandbox.Revoke(0, ""); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				w.clock.advance(day24)
				w.edit(strings.TrimPrefix(stream, "standard/"), 3, 1)
				w.clock.advance(time.Hour)
				w.run(syncOptions{})
			}
			if err := w.sandbox.Restore(0, ""); err != nil {
				t.Fatal(err)
			}
			w.clock.advance(day24)
			w.run(syncOptions{})
			w.equal()
		})
	}
}
