package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"exactduck/auth"
	"exactduck/cmd/exactduck/alert"
	"exactduck/cmd/exactduck/config"
	"exactduck/cmd/exactduck/runs"
	"exactduck/extract/sandbox"
	"exactduck/load"
)

// toldNow is when the standings of these tests are gathered.
var toldNow = time.Date(2026, 11, 21, 4, 0, 0, 0, time.UTC)

// stood is a standing of one pipeline with some runs, the newest first, and streams.
func stood(streams []streamStanding, ended ...runs.Record) *standing {
	login := auth.Status{LoggedIn: true, DaysLeft: 30}
	p := pipelineStanding{Pipeline: "nightly", Streams: streams, login: login}
	for i, r := range ended {
		r.ID = fmt.Sprintf("run-%d", len(ended)-i)
		r.Ended = toldNow.Add(-time.Duration(i+1) * time.Hour)
		p.Runs = append(p.Runs, runStanding{Record: r})
	}
	if len(p.Runs) > 0 {
		p.LastRun = &p.Runs[0].Record
	}
	return &standing{At: toldNow, Logins: map[string]auth.Status{"books": login}, Pipelines: []pipelineStanding{p}}
}

// causesIn are the conditions of a report in short, sorted, and after them the kinds that are not
// settled for the pipeline.
func causesIn(r alert.Report) string {
	var all []string
	for _, c := range r.Conditions {
		all = append(all, strings.TrimSpace(fmt.Sprintf("%s:%s:%d", c.Kind, c.Subject, c.Count)))
	}
	slices.Sort(all)
	for _, kind := range alert.Kinds() {
		if kind == alert.Login || kind == alert.Expiring {
			continue
		}
		if !slices.ContainsFunc(r.Settled, func(a alert.Area) bool { return a.Kind == kind && a.Pipeline == "nightly" }) {
			all = append(all, "?"+string(kind))
		}
	}
	return strings.Join(all, " ")
}

func TestConditions(t *testing.T) {
	t.Parallel()
	done, partial := runs.Record{Status: "done"}, runs.Record{Status: "partial", ExitCode: exitPartial}
	failed := runs.Record{Status: "failed", ExitCode: exitSource, Message: "no answer\nat all"}
	var many []streamStanding
	for i := range 500 {
		many = append(many, streamStanding{Stream: "crm/Accounts", Scope: fmt.Sprint(i), Status: "failed", Cause: "unreachable", Error: "cut", ReadAt: toldNow})
	}
	one := func(status, cause string) []streamStanding {
		return []streamStanding{{Stream: "crm/Accounts", Scope: "1", Status: status, Cause: cause, ReadAt: toldNow}}
	}
	for _, test := range []struct {
		name string
		s    *standing
		want string
	}{
		{"never run", stood(nil), "?failure ?partial ?budget ?drift ?shrink"},
		{"all is well", stood(one("done", ""), done), ""},
		{"500 divisions of one cause", stood(many, partial), "partial:unreachable:500"},
		{"two causes", stood(append(one("forbidden", "forbidden"), many[:2]...), partial), "partial:forbidden:1 partial:unreachable:2"},
		{"forbidden and no news", stood(one("forbidden", ""), done), ""},
		{"shrunk", stood(one("suspect_shrink", "shrink"), partial), "shrink:shrink:1"},
		{"no calls", stood(one("postponed", "calls"), runs.Record{Status: "partial", ExitCode: exitQuota}), "budget:calls:1"},
		{"no calls for anything", stood(nil, runs.Record{Status: "partial", ExitCode: exitQuota}), "budget:calls:0"},
		{"frozen", stood(one("contract_broken", "contract"), runs.Record{Status: "partial", ExitCode: exitContract}), "drift:contract:1"},
		{"not whole, and no stream says why", stood(nil, partial), "partial:partial:0"},
		{"failed", stood(many, failed, partial), "failure:source:0 ?partial ?budget ?drift ?shrink"},
		{"killed", stood(nil, runs.Record{Status: "killed"}, done), "failure:killed:0 ?partial ?budget ?drift ?shrink"},
		{"failed, and now it runs", stood(one("reading", ""), runs.Record{Status: "running"}, failed), "failure:source:0 ?partial ?budget ?drift ?shrink"},
		{"partial, and now it runs", stood(one("reading", ""), runs.Record{Status: "running"}, partial), "?partial ?budget ?drift ?shrink"},
		{"failed, then interrupted", stood(nil, runs.Record{Status: "interrupted"}, failed), "failure:source:0 ?partial ?budget ?drift ?shrink"},
		{"well, but a stream was interrupted", stood(one("failed", causeInterrupted), done), "?partial ?budget ?drift ?shrink"},
	} {
		r := report(test.s)
		if got := causesIn(r); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
		for _, c := range r.Conditions {
			if c.Message == "" || strings.Contains(c.Message, "\n") || !strings.Contains(c.Hint, "exactduck ") {
				t.Errorf("%s: %q, hint %q", test.name, c.Message, c.Hint)
			}
		}
	}
}

// A run that had no login is over with the login; one whose login was not taken is not.
func TestConditionsOfRunsWithoutLogin(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name      string
		login     auth.Status
		told, say string
	}{
		{"nobody has logged in", auth.Status{}, "login:books:0", "act: Somebody must log in as books"},
		{
			"somebody has since",
			auth.Status{LoggedIn: true, DaysLeft: 30, LoggedInAt: toldNow.Add(-time.Minute)},
			"",
			"note: The last run of nightly had no login; somebody has logged in since",
		},
		{
			"it was brought from elsewhere since",
			auth.Status{LoggedIn: true, DaysLeft: 30, Imported: &auth.Move{At: toldNow}},
			"",
			"note: The last run of nightly had no login; somebody has logged in since",
		},
		{
			"it was not taken",
			auth.Status{LoggedIn: true, DaysLeft: 20, LoggedInAt: toldNow.Add(-48 * time.Hour)},
			"failure:login:0",
			"act: The source did not take the login of nightly: refused",
		},
	} {
		s := stood(nil, runs.Record{Status: "failed", ExitCode: exitLogin, Message: "refused"})
		s.Logins["books"], s.Pipelines[0].login = test.login, test.login
		want := strings.TrimSpace(test.told + " ?partial ?budget ?drift ?shrink")
		if got := causesIn(report(s)); got != want {
			t.Errorf("%s: told is %s, want %s", test.name, got, want)
		}
		said := (&books{}).notices(s)
		if len(said) != 1 || !strings.HasPrefix(said[0].Level+": "+said[0].Text, test.say) {
			t.Errorf("%s: said is %+v, want %s", test.name, said, test.say)
		}
	}
}

func TestConditionsOfTheMoment(t *testing.T) {
	t.Parallel()
	s := stood([]streamStanding{
		{Stream: "crm/Accounts", Scope: "1", Status: "done", Stale: true, ReadAt: toldNow.Add(-40 * time.Hour)},
		{Stream: "crm/Accounts", Scope: "2", Status: "done", Stale: true, ReadAt: toldNow.Add(-50 * time.Hour)},
		{Stream: "crm/Contacts", Scope: "1", Status: "reading", Stale: true},
	}, runs.Record{Status: "done"})
	p := &s.Pipelines[0]
	p.Checks = []load.Check{{Kind: "keys", At: toldNow}, {Kind: "counts", At: toldNow}}
	p.Schedule.Due = toldNow.Add(-time.Hour)
	change := shapeChange{Run: "run-1", At: toldNow.Add(-time.Hour), Table: "crm.Accounts", Column: "Size", Change: "unknown property"}
	old := change
	old.Run, old.At = "run-0", toldNow.Add(-8*24*time.Hour)
	first := change
	first.Change = "table created"
	p.Changes = []shapeChange{change, change, first, old}
	s.Logins = map[string]auth.Status{"books": {LoggedIn: true, DaysLeft: 3}, "gone": {Problem: "it was taken back"}}
	r := report(s)
	if got, want := causesIn(r), "check::2 drift:run-1:2 expiring:books:0 login:gone:0 missed::0 stale::2 ?partial ?budget ?drift ?shrink"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	for _, c := range r.Conditions {
		if c.Kind == alert.Stale && !strings.Contains(c.Message, "crm/Accounts (division 2), read 2 days ago") {
			t.Errorf("stale: %s", c.Message)
		}
		if c.News != (c.Kind == alert.Drift) {
			t.Errorf("%s is news: %v", c.Kind, c.News)
		}
	}
	if len(r.Successes) != 1 || r.Successes[0].Run != "run-1" {
		t.Errorf("successes are %v", r.Successes)
	}
	p.Schedule.Paused = true
	if got := causesIn(report(s)); strings.Contains(got, "missed") {
		t.Errorf("a schedule that is paused misses nothing: %s", got)
	}
	p.Schedule.Paused, p.LastRun = false, &runs.Record{Status: "running"}
	if got := causesIn(report(s)); strings.Contains(got, "missed") {
		t.Errorf("a run that is on is not missed: %s", got)
	}
}

// A service waits a while before it says that a start was missed, or what is stale for want of it: it may
// be about to make up for it.
func TestServeIsPatientWithWhatItMissed(t *testing.T) {
	t.Parallel()
	owed, asleep := stood(nil), stood(nil)
	owed.Pipelines[0].Schedule.Due = toldNow.Add(-time.Hour)
	for _, test := range []struct {
		kind  alert.Kind
		s     *standing
		first int // the minute in which it is told
	}{
		{alert.Missed, owed, 5},
		{alert.Stale, owed, 60},
		{alert.Stale, asleep, 0},
		{alert.Failure, owed, 0},
	} {
		v := &vigil{}
		area := alert.Area{Kind: test.kind, Pipeline: "nightly"}
		for minutes := range 65 {
			at := toldNow.Add(time.Duration(minutes) * time.Minute)
			r := alert.Report{
				At: at, Conditions: []alert.Condition{{Kind: test.kind, Pipeline: "nightly", Message: "late"}},
				Settled: []alert.Area{area, {Kind: alert.Check, Pipeline: "nightly"}},
			}
			want := 0
			if minutes >= test.first {
				want = 1
			}
			if v.patient(&r, test.s); len(r.Conditions) != want || len(r.Settled) != want+1 {
				t.Errorf("after %d minutes: %+v", minutes, r)
			}
		}
		r := alert.Report{At: toldNow.Add(2 * time.Hour), Settled: []alert.Area{area}}
		if v.patient(&r, test.s); len(r.Settled) != 1 {
			t.Error("what is made up for is not over")
		}
	}
}

// What a sync meets is what is told, and it is over when it is over.
func TestConditionsOfRuns(t *testing.T) {
	t.Parallel()
	w := newWorld(t, t.TempDir(), "      - crm/Accounts\n      - crm/Contacts", sandbox.Options{Divisions: 2, Scale: 0.05})
	tell := func() string {
		t.Helper()
		w.clock.advance(time.Hour)
		_, _ = w.sync(t.Context(), w.pipeline(), syncOptions{})
		s, err := w.standing(t.Context(), []*config.Pipeline{w.pipeline()})
		if err != nil {
			t.Fatal(err)
		}
		return causesIn(report(&s))
	}
	if got := tell(); got != "" {
		t.Errorf("in the beginning: %s", got)
	}
	if err := w.sandbox.Forbid("crm/Contacts"); err != nil {
		t.Fatal(err)
	}
	if got := tell(); got != "partial:forbidden:2" {
		t.Errorf("while one is forbidden: %s", got)
	}
	if err := w.sandbox.Allow("crm/Contacts"); err != nil {
		t.Fatal(err)
	}
	w.clock.advance(8 * 24 * time.Hour) // a refusal is believed for a week
	if got := tell(); got != "" {
		t.Errorf("after it was allowed: %s", got)
	}
	w.sandbox.Fault(sandbox.Fault{Path: "/crm/Accounts", Times: -1, Kind: sandbox.ServerError})
	if got := tell(); got != "partial:unreachable:2" {
		t.Errorf("while one breaks down: %s", got)
	}
	w.sandbox.Fault(sandbox.Fault{Path: "/", Times: -1, Kind: sandbox.ServerError})
	if got := tell(); got != "failure:source:0 ?partial ?budget ?drift ?shrink" {
		t.Errorf("while all breaks down: %s", got)
	}
	w.sandbox.ClearFaults()
	w.clock.advance(2 * time.Hour)
	if got := tell(); got != "" {
		t.Errorf("in the end: %s", got)
	}
}
