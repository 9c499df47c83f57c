package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"exactduck/extract/sandbox"
	"exactduck/load"
)

// A refusal is told in the first night. After that it makes a night partial where somebody named the
// stream, and is no more than a warning where a pattern took it in; it costs no call until a week has
// passed or somebody asks for the stream by its name.
func TestKnownRefusals(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		streams string
		second  int // exit code of the second night
	}{
		{"      - general/Currencies\n      - vat/*", 0},
		{"      - general/Currencies\n      - vat/VATCodes", exitPartial},
	} {
		t.Run(strings.Fields(tc.streams)[3], func(t *testing.T) {
			w := newWorld(t, t.TempDir(), tc.streams, sandbox.Options{Divisions: 1})
			if err := w.sandbox.Forbid("vat/VATCodes"); err != nil {
				t.Fatal(err)
			}
			night := func(o syncOptions, code int) (synced, int) {
				t.Helper()
				before := w.sandbox.Calls()["/api/v1/123456/vat/VATCodes"]
				result, err := w.sync(t.Context(), w.pipeline(), o)
				if exitCode(err) != code {
					t.Errorf("code %d: %v", exitCode(err), err)
				}
				for _, l := range lines(result, "vat/VATCodes") {
					if l.Status != "forbidden" {
						t.Errorf("the stream is %s", l.Status)
					}
				}
				w.clock.advance(day24)
				return result, w.sandbox.Calls()["/api/v1/123456/vat/VATCodes"] - before
			}
			if _, calls := night(syncOptions{}, exitPartial); calls == 0 {
				t.Errorf("nobody asked: %v", w.sandbox.Calls())
			}
			result, calls := night(syncOptions{}, tc.second)
			if calls != 0 {
				t.Errorf("%d calls for what is known to be refused", calls)
			}
			if warned := strings.Contains(fmt.Sprint(result.Warnings), "vat/VATCodes"); warned != (tc.second == 0) {
				t.Errorf("warned of %q", result.Warnings)
			}
			if _, calls := night(syncOptions{streams: []string{"vat/VATCodes"}}, exitPartial); calls == 0 {
				t.Error("naming the stream does not ask again")
			}
			w.clock.advance(7 * day24)
			if _, calls := night(syncOptions{}, exitPartial); calls == 0 {
				t.Error("it is not asked again after a week")
			}
		})
	}
}

// While a run holds the working database a plan is made of what was published, and says so; a plan
// turns no run away.
func TestPlanBesideARun(t *testing.T) {
	t.Parallel()
	w := newWorld(t, t.TempDir(), "      - general/Currencies", sandbox.Options{Divisions: 1})
	w.run(syncOptions{})
	held, err := load.Open(t.Context(), w.options(w.pipeline()))
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	plan, err := w.outlook(t.Context(), w.pipeline(), syncOptions{}, false)
	if err != nil {
		t.Fatal(err)
	}
	if len(plan.Warnings) != 1 || !strings.Contains(plan.Warnings[0], "when it was published last") {
		t.Errorf("warned of %q", plan.Warnings)
	}
	for _, r := range plan.Reads {
		if r.Stream == "general/Currencies" && r.Why != whyNews && r.Why != whyWhole {
			t.Errorf("%s because of %q", r.Stream, r.Why)
		}
	}
}

// What does not fit into a day is done on the day that the plan says.
func TestPlanIsKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t, t.TempDir(), "      - standard/crm/Contacts\n      - standard/financialtransaction/TransactionLines", sandbox.Options{
		Divisions: 1, Scale: 0.5, DayLimit: 12, MinuteLimit: -1,
	})
	plan, err := w.outlook(t.Context(), w.pipeline(), syncOptions{}, true)
	if err != nil {
		t.Fatal(err)
	}
	d := plan.Divisions[0]
	if d.Before == nil || *d.Before >= 12 || d.PerDay != 12 || d.Assumed || d.Postpone == 0 || d.Expected == nil {
		t.Fatalf("the plan of a small day is %+v", d)
	}
	for range 10 {
		_, err := w.sync(t.Context(), w.pipeline(), syncOptions{})
		if code := exitCode(err); code == 0 {
			break
		} else if code != exitQuota {
			t.Fatal(err)
		}
		if later, err := w.outlook(t.Context(), w.pipeline(), syncOptions{}, false); err != nil || later.Divisions[0].Done > d.Done {
			t.Errorf("later the plan is %+v, %v", later, err)
		}
		w.clock.advance(day24)
	}
	w.equal()
	if done := w.clock.time().Format(time.DateOnly); done != d.Done {
		t.Errorf("done on %s, and the plan said %s: %+v", done, d.Done, d)
	}
}
