package sandbox_test

import (
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"exactduck/extract/sandbox"
)

func scenario(t *testing.T, text string) *sandbox.Scenario {
	t.Helper()
	s, err := sandbox.ParseScenario("day.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func count(v *visitor, path string) int { return len(v.sandbox.Records(0, path)) }

func TestScenarioByTheClock(t *testing.T) {
	v := visit(t, sandbox.Options{Scale: 0.2, Scenario: scenario(t, `
# at once
- change: {entity: crm/Accounts, insert: 1}
- at: 2h
  change: {entity: crm/Contacts, insert: 2, division: 123456}
- every: 1d
  at: 6h
  times: 3
  change: {entity: crm/Addresses, insert: 1}
- every: 24h
  set: {others: 7}
`)})
	now := func() [3]int {
		return [3]int{count(v, "crm/Accounts"), count(v, "crm/Contacts"), count(v, "crm/Addresses")}
	}
	// Every account is born with a contact and an address.
	first := now()
	for _, step := range []struct {
		pass time.Duration
		want [3]int
	}{
		{0, [3]int{}},
		{2*time.Hour - time.Second, [3]int{}},
		{time.Second, [3]int{0, 2, 0}},
		{5 * time.Hour, [3]int{0, 2, 1}},
		{24 * time.Hour, [3]int{0, 2, 2}},
		{240 * time.Hour, [3]int{0, 2, 3}},
	} {
		v.clock.pass(step.pass)
		got := now()
		for i := range got {
			got[i] -= first[i]
		}
		if got != step.want {
			t.Errorf("after %v: %v, want %v", step.pass, got, step.want)
		}
	}
	// What was due long ago was done as of then.
	newest := time.Time{}
	for _, r := range v.sandbox.Records(0, "crm/Addresses") {
		if at, _ := r["Modified"].(time.Time); at.After(newest) {
			newest = at
		}
	}
	if want := time.Date(2026, 7, 17, 18, 0, 0, 0, time.UTC); !newest.Equal(want) {
		t.Errorf("the last address was made at %v, want %v", newest, want)
	}
}

// Steps that wait for calls work behind the reader's back: a record goes while the client pages.
func TestScenarioByCalls(t *testing.T) {
	v := visit(t, sandbox.Options{Scenario: scenario(t, `
- after: 1 call of crm/Accounts in 123456
  change: {entity: crm/Accounts, delete: 1}
- every: 2 calls of sync/CRM/Contacts
  times: 2
  change: {entity: crm/Contacts, insert: 1}
- after: 3 calls
  fault: {kind: 503, path: crm/, times: 1}
`)})
	n, contacts := count(v, "crm/Accounts"), count(v, "crm/Contacts")
	v.page("/api/v1/123457/crm/Accounts?$select=ID")
	if count(v, "crm/Accounts") != n {
		t.Error("the call of another division counted")
	}
	p := v.page("/api/v1/123456/bulk/CRM/Accounts?$select=ID")
	if len(p.rows) != n || count(v, "crm/Accounts") != n-1 {
		t.Errorf("%d rows came, and then there are %d", len(p.rows), count(v, "crm/Accounts"))
	}
	v.wants("/api/v1/current/Me", 200, "")
	v.wants("/api/v1/123456/crm/Accounts?$select=ID", 503, "")
	for i := range 9 {
		v.wants("/api/v1/123456/sync/CRM/Contacts?$select=ID", 200, "")
		if got := count(v, "crm/Contacts") - contacts; got != min((i+1)/2, 2) {
			t.Errorf("after %d calls there are %d more", i+1, got)
		}
	}
}

// A scenario goes on where it was; another one begins anew.
func TestScenarioAfterARestart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sandbox.ndjson")
	text := `
- change: {entity: crm/Accounts, insert: 1}
- every: 1d
  change: {entity: crm/Accounts, insert: 1}
- fault: {kind: 500, path: crm/Accounts}
- change: {entity: crm/Accounts, insert: 1, division: 99}   # there is none: passed over, once
`
	o := sandbox.Options{Scale: 0.2, StateFile: file, Scenario: scenario(t, text)}
	v := visit(t, o)
	n := count(v, "crm/Accounts")
	v.clock.pass(25 * time.Hour)
	if got := count(v, "crm/Accounts"); got != n+1 {
		t.Fatalf("a day later there are %d accounts, not %d", got, n+1)
	}
	again := visitAgain(t, v, o)
	if got := count(again, "crm/Accounts"); got != n+1 {
		t.Errorf("after a restart there are %d accounts, not %d", got, n+1)
	}
	again.clock.pass(24 * time.Hour)
	again.login()
	again.wants(accounts+"?$top=1", 200, "") // faults are of one process
	if got := count(again, "crm/Accounts"); got != n+2 {
		t.Errorf("a day after the restart there are %d accounts, not %d", got, n+2)
	}
	o.Scenario = scenario(t, text+"# another one\n")
	third := visitAgain(t, again, o)
	if got := count(third, "crm/Accounts"); got != n+3 {
		t.Errorf("with another scenario there are %d accounts, not %d", got, n+3)
	}
}

func TestScenarioMistakes(t *testing.T) {
	for text, want := range map[string]string{
		"change: {entity: crm/Accounts}": "day.yaml:1: a scenario is a list of steps",
		"- just words":                   "day.yaml:1: a step has one action",
		"- at: 2h":                       "day.yaml:1: there is nothing to do: change commit",
		"- at: soon\n  commit:":          `day.yaml:1: at: "soon" is no duration like 90s, 2h or 3d`,
		"- commit:\n- every: 1ms\n  commit:": `day.yaml:2: every: "1ms" is no duration like 24h, of a second at least, ` +
			"and no count of calls like 10 calls of crm/Accounts",
		"- after: 3 calls of crm/Acounts\n  commit:":   `day.yaml:1: after: "3 calls of crm/Acounts" is no count of calls`,
		"- after: 3 calls\n  at: 2h\n  commit:":        "day.yaml:1: a step waits for calls or for the clock",
		"- at: 1h\n  times: 3\n  commit:":              "day.yaml:1: times is for what happens every so often",
		"- every: 1h\n  times: 0\n  commit:":           `day.yaml:2: times: "0" is no number above zero`,
		"- commit:\n  move:":                           "day.yaml:2: a step has one action, and this has commit already",
		"- comit:":                                     `day.yaml:1: "comit" is no action and no moment`,
		"- change: {insert: 3}":                        "day.yaml:1: change needs entity",
		"- change:\n    entity: crm/Acounts":           `day.yaml:2: entity: "crm/Acounts" cannot be: `,
		"- change: {entity: crm/Accounts, insert: -1}": `day.yaml:1: insert: "-1" cannot be`,
		"- commit: {division: here}":                   `day.yaml:1: division: "here" cannot be`,
		"- commit: {office: 3}":                        "day.yaml:1: commit takes no office, but division",
		"- commit: 3":                                  "day.yaml:1: commit takes its parameters as {name: value}",
		"- fault: {kind: 418}":                         `day.yaml:1: kind: "418" cannot be: none of the faults`,
		"- set: {othrs: 3}":                            "day.yaml:1: set takes no othrs, but bare_limits",
		"- set: {others: many}":                        `day.yaml:1: others: "many" cannot be`,
		"- forbid: {reason: Boredom}":                  `day.yaml:1: reason: "Boredom" cannot be: none of BlockedUser`,
		"- require: {path: crm/Acounts, what: filter}": `day.yaml:1: path: "crm/Acounts" cannot be: no endpoint and no stream`,
		"- commit: {division: {x: 1}}":                 "day.yaml:1: division: one value is expected here",
		"- commit: [":                                  "day.yaml:1: ",
		"- add_property: {path: crm/Accounts, name: X, type: Edm.Int32, value: text}": "day.yaml:1: ",
	} {
		_, err := sandbox.ParseScenario("day.yaml", []byte(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
	if _, err := sandbox.ParseScenario("day.yaml", []byte("- at: x\n  commit:\n- at: y\n  commit:\n")); strings.Count(err.Error(), "day.yaml:") != 2 {
		t.Errorf("of two mistakes it says %v", err)
	}
	if _, err := sandbox.ParseScenario("day.yaml", nil); err != nil {
		t.Errorf("an empty scenario: %v", err)
	}
}

// Whatever the manual lists can be done by a step, and what was done is there after a restart.
func TestEverythingCanBeScripted(t *testing.T) {
	steps := map[string]string{
		"change": "{entity: crm/Accounts, insert: 3, update: 2, delete: 1, late: true}", "commit": "", "move": "{up: yes}", "link": "{division: 123457}",
		"revoke": "{path: crm/Addresses}", "restore": "{path: crm/Addresses}", "forbid": "{path: crm/Contacts, reason: DivisionBlocked, division: 123456}",
		"allow": "{path: crm/Contacts, division: 123457}", "require": "{path: logistics/Items, what: select}", "relax": "{path: logistics/Units, what: filter}",
		"refuse_filter": "{path: crm/Accounts, property: Modified}", "accept_filter": "{path: crm/Accounts}",
		"add_property":    "{path: crm/Accounts, name: Nieuw, type: Edm.Double, value: 1.5}",
		"drop_property":   "{path: crm/Accounts, name: Remarks}",
		"rename_property": "{path: crm/Accounts, name: Email, to: Mail}",
		"retype_property": "{path: crm/Accounts, name: Latitude, type: Edm.String}",
		"add_division":    "{name: Nieuwkomer}", "remove_division": "{division: 123458}", "rename_division": "{division: 123457, name: Anders}",
		"archive_division": "{division: 123457}", "reopen_division": "{division: 123457}", "fault": "{kind: cut before, path: nowhere, nth: 2, times: -1, delay: 1s}",
		"clear_faults": "", "set": "{others: 3, skip_token_life: 10m, unreported: [crm/QuotationLines, hrm/ScheduleEntries], duplicates: true}",
	}
	text := ""
	for _, name := range slices.Sorted(maps.Keys(steps)) {
		text += fmt.Sprintf("- %s: %s\n", name, steps[name])
		if !strings.Contains(sandbox.Manual(), "\n   "+name+" ") && !strings.HasPrefix(sandbox.Manual(), "   "+name+" ") {
			t.Errorf("the manual does not list %s", name)
		}
	}
	if listed := strings.Count(strings.Split(sandbox.Manual(), "\nFault kinds")[0], "\n   ") + 1; listed < len(steps) {
		t.Errorf("the manual has %d lines of actions", listed)
	}
	o := sandbox.Options{Seed: 4, Divisions: 3, Scale: 0.2, StateFile: filepath.Join(t.TempDir(), "sandbox.ndjson"), Scenario: scenario(t, text)}
	v := visit(t, o)
	again := visitAgain(t, v, o)
	for _, s := range []*visitor{v, again} {
		if got := s.sandbox.Divisions(); !reflect.DeepEqual(got, []int{123456, 123457, 123459}) {
			t.Errorf("divisions %v", got)
		}
		row := s.sandbox.Records(0, "crm/Accounts")[0]
		_, mail := row["Mail"]
		_, remarks := row["Remarks"]
		if _, number := row["Latitude"].(string); !mail || remarks || fmt.Sprint(row["Nieuw"]) != "1.5" || row["Latitude"] != nil && !number {
			t.Errorf("an account is %v", row)
		}
	}
	for _, path := range []string{"crm/Accounts", "sync/CRM/Accounts", "system/Divisions", "sync/HRM/LeaveAbsenceHoursByDay", "sync/Deleted"} {
		if !reflect.DeepEqual(v.sandbox.Records(123457, path), again.sandbox.Records(123457, path)) || !reflect.DeepEqual(v.sandbox.Records(0, path), again.sandbox.Records(0, path)) {
			t.Errorf("%s is otherwise after a restart", path)
		}
	}
	again.wants("/api/v1/123456/crm/Contacts?$top=1", 403, "")
	again.wants("/api/v1/123456/logistics/Items", 400, "Please add a $select")
	again.wants(accounts+"?$select=ID&$filter=Modified ne null", 400, "Filtering on these fields is not supported: Modified")
}
