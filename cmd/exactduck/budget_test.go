package main

import (
	"fmt"
	"testing"
	"time"

	"exactduck/extract/sandbox"
)

// sizeable are streams of some fifty calls, with pages of ten.
const sizeable = `      - crm/Accounts
      - financial/TransactionLines
      - cashflow/Payments`

// days syncs day after day until everything is read, and returns how many calls each day had.
func (w *world) days(most int) (calls []int) {
	w.t.Helper()
	for len(calls) < most {
		w.clock.advance(w.clock.time().Truncate(day24).Add(day24 + time.Hour).Sub(w.clock.time()))
		from := w.wire.passed()
		_, err := w.sync(w.t.Context(), w.pipeline(), syncOptions{})
		calls = append(calls, len(w.wire.calls(from)))
		if err == nil {
			return calls
		}
		if code := exitCode(err); code != exitQuota {
			w.t.Fatalf("day %d ends with %d: %v", len(calls), code, err)
		}
	}
	w.t.Errorf("after %d days not everything is read", most)
	return calls
}

// clean fails the test when a call was refused, or a page of a read was fetched twice.
func (w *world) clean(calls []request) {
	w.t.Helper()
	seen := map[request]bool{}
	for _, r := range calls {
		if r.status != 200 {
			w.t.Errorf("%s is answered with %d", r.path, r.status)
		}
		page := request{path: r.path, query: r.query}
		if seen[page] && r.more {
			w.t.Errorf("fetched twice: %s?%s", r.path, r.query)
		}
		seen[page] = true
	}
}

// What is reserved for other software is never touched, and what does not fit is read on the days
// that follow.
func TestReserveIsLeftToOthers(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		reserve string
		most    int // calls of the forty that a day has
	}{{"25%", 30}, {"15", 25}} {
		t.Run(tc.reserve, func(t *testing.T) {
			w := newWorld(t, t.TempDir(), sizeable, sandbox.Options{Divisions: 1, Scale: 0.3, PageSize: 10, DayLimit: 40})
			w.connectionLines, w.pipelineLines = fmt.Sprintf("    reserve: %s\n", tc.reserve), lakeless
			w.reconfigure(sizeable)
			calls := w.days(10)
			for i, n := range calls {
				if n > tc.most || n < tc.most-4 && i+1 < len(calls) {
					t.Errorf("on day %d of %d there were %d calls, and %d were free", i+1, len(calls), n, tc.most)
				}
			}
			w.clean(w.wire.calls(0))
			w.equal("cashflow/Payments")
		})
	}
}

// A run that may make only so many calls stops when it has, with everything kept, and the next goes
// on there.
func TestMaxCallsStopsAndGoesOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, t.TempDir(), sizeable, sandbox.Options{Divisions: 1, Scale: 0.3, PageSize: 10})
	w.pipelineLines, w.maxCalls = lakeless, 23
	w.reconfigure(sizeable)
	calls := w.days(10)
	if len(calls) < 3 {
		t.Errorf("everything was read in runs of %v calls", calls)
	}
	for i, n := range calls {
		if n > 23 || n < 23 && i+1 < len(calls) {
			t.Errorf("run %d of %d made %d calls, and might make 23", i+1, len(calls), n)
		}
	}
	w.clean(w.wire.calls(0))
	w.equal("cashflow/Payments")
}

// Processes that run at once share the calls of the day: together they make no more than there are,
// and what each of them could not read it reads on the days that follow.
func TestProcessesShareTheDay(t *testing.T) {
	t.Parallel()
	const crowd, most = 3, 40
	o := newOffice(t, sizeable, sandbox.Options{Divisions: 1, Scale: 0.15, PageSize: 10, DayLimit: most})
	o.pipelines(crowd, sizeable)
	noon := o.now().Truncate(day24).Add(36 * time.Hour)
	for day := range 12 {
		o.later(noon.Add(time.Duration(day) * day24).Sub(o.now()))
		before := o.calls("") - o.calls("/oauth2/token")
		done := o.together(crowd, 0, exitQuota)[0]
		if n := o.calls("") - o.calls("/oauth2/token") - before; n > most || n < most-4*crowd && done < crowd {
			t.Errorf("on day %d there were %d calls, and there are %d; %d of %d processes are done", day+1, n, most, done, crowd)
		}
		if done == crowd {
			if day < 2 {
				t.Errorf("everything was read within %d days", day+1)
			}
			for i := range crowd {
				comparison{t, o.file(fmt.Sprintf("own%d.duckdb", i)), o.config().Pipelines["nightly"], o.sandbox}.equal("cashflow/Payments")
			}
			return
		}
	}
	t.Error("the processes do not come to an end")
}

// A division without calls for the rest of the day does not keep the others from being read, though
// the list of divisions is asked for at its cost.
func TestSpentDivisionLeavesTheOthersTheirRuns(t *testing.T) {
	t.Parallel()
	w := newWorld(t, t.TempDir(), sizeable, sandbox.Options{Divisions: 2, Scale: 0.3, PageSize: 10, DayLimit: 45})
	_, err := w.sync(t.Context(), w.pipeline(), syncOptions{})
	if code := exitCode(err); code != exitQuota {
		t.Fatalf("the day suffices: %v", err)
	}
	second := w.sandbox.Divisions()[1]
	if err := w.sandbox.Change(sandbox.Change{Division: second, Entity: "crm/Accounts", Insert: 3}); err != nil {
		t.Fatal(err)
	}
	w.clock.advance(time.Hour)
	from := w.wire.passed()
	if _, err = w.sync(t.Context(), w.pipeline(), syncOptions{}); exitCode(err) != exitQuota {
		t.Errorf("the second run ends with %v", err)
	}
	w.clean(w.wire.calls(from))
	truth := fmt.Sprint(len(w.sandbox.Records(second, "crm/Accounts")))
	if held := w.only(fmt.Sprintf("SELECT count(*) FROM crm.Accounts WHERE _division = %d", second)); held != truth {
		t.Errorf("of %s accounts of the other division %s are here", truth, held)
	}
}
