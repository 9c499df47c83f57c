package exactonline

import (
	"errors"
	"strings"
	"testing"
	"time"

	"exactduck/extract"
	"exactduck/schema"

	"github.com/google/go-cmp/cmp"
)

var noon = time.Date(2026, 6, 25, 10, 0, 0, 0, time.UTC) // 12:00 in Amsterdam

func at(t time.Time) func() time.Time { return func() time.Time { return t } }

const feed = "/api/v1/123/sync/CRM/Accounts?$select=Timestamp,ID,Modified,Name&$filter=Timestamp gt "

func TestAReadFollowsItsContinuations(t *testing.T) {
	next := host + "/api/v1/123/sync/CRM/Accounts?$select=ID&$filter=Timestamp%20gt%200L&$skiptoken=2L"
	e := &exact{clock: at(noon), answer: func(_, query string) (int, string) {
		if strings.Contains(query, "$skiptoken") {
			return 200, list("", account(3, noon.Add(-time.Hour)))
		}
		return 200, list(next, account(1, noon.Add(-time.Hour)), account(2, noon.Add(-time.Hour)))
	}}
	pages, err := collect(t, e.source(t, nil), accounts(t, "sync", ""))
	if err != nil {
		t.Fatal(err)
	}
	if len(pages) != 2 || pages[0].Rows != 2 || pages[1].Rows != 1 || pages[0].Done {
		t.Errorf("pages %v", pages)
	}
	want := []string{feed + "0L", "/api/v1/123/sync/CRM/Accounts?$select=ID&$filter=Timestamp gt 0L&$skiptoken=2L"}
	if diff := cmp.Diff(want, e.asked); diff != "" {
		t.Error(diff)
	}
	if got := pages[1].Next; got != `{"v":1,"kind":"timestamp","timestamp":3}` {
		t.Errorf("cursor %s", got)
	}
}

func TestAReadWithoutRowsIsOneEmptyPage(t *testing.T) {
	for _, body := range []string{`{"d":{"results":[]}}`, `{"d":[]}`} {
		e := &exact{clock: at(noon), answer: func(string, string) (int, string) { return 200, body }}
		from := schema.Position(`{"v":1,"kind":"timestamp","timestamp":77}`)
		last := mustCollect(t, e.source(t, nil), accounts(t, "sync", from))
		if last.Rows != 0 || last.Next != from {
			t.Errorf("%d rows, cursor %s", last.Rows, last.Next)
		}
		if e.asked[0] != feed+"77L" {
			t.Errorf("asked %s", e.asked[0])
		}
	}
}

// A Timestamp is safe when its row was modified a quarter of an hour before the read began: rows
// with lower ones were written before, and are visible by now.
func TestTimestampCursorStopsAtWhatIsSettled(t *testing.T) {
	ago := func(d time.Duration) time.Time { return noon.Add(-d) }
	for name, c := range map[string]struct {
		from    schema.Position
		records []string
		want    string
	}{
		"all settled":         {"", []string{account(5, ago(time.Hour)), account(9, ago(15*time.Minute))}, `"timestamp":9`},
		"the last is fresh":   {"", []string{account(5, ago(time.Hour)), account(9, ago(15*time.Minute-time.Second))}, `"timestamp":5`},
		"any order":           {"", []string{account(9, ago(time.Hour)), account(5, ago(time.Minute)), account(7, ago(time.Hour))}, `"timestamp":9`},
		"never back":          {`{"v":1,"kind":"timestamp","timestamp":50}`, []string{account(60, ago(time.Minute))}, `"timestamp":50`},
		"the future of noon":  {`{"v":1,"kind":"timestamp","timestamp":50}`, []string{account(60, noon.Add(5*time.Hour))}, `"timestamp":50`},
		"nothing settled yet": {"", []string{account(60, ago(time.Minute))}, `"kind":"timestamp"}`},
	} {
		e := &exact{clock: at(noon), answer: func(string, string) (int, string) { return 200, list("", c.records...) }}
		last := mustCollect(t, e.source(t, nil), accounts(t, "sync", c.from))
		if !strings.Contains(string(last.Next), c.want) {
			t.Errorf("%s: cursor %s, want %s", name, last.Next, c.want)
		}
	}
}

// In the hour that comes twice a wall time may mean the later of two instants.
func TestTheOctoberHourIsTakenForTheLater(t *testing.T) {
	first := time.Date(2026, 10, 25, 0, 30, 0, 0, time.UTC) // 02:30 summer time; an hour later it is 02:30 again
	for name, c := range map[string]struct {
		began time.Time
		want  string
	}{
		"before the second 02:30":           {first.Add(40 * time.Minute), `"kind":"timestamp"}`},
		"just after the second 02:30":       {first.Add(74 * time.Minute), `"kind":"timestamp"}`},
		"15 minutes after the second 02:30": {first.Add(75 * time.Minute), `"timestamp":9}`},
	} {
		e := &exact{clock: at(c.began), answer: func(string, string) (int, string) { return 200, list("", account(9, first)) }}
		last := mustCollect(t, e.source(t, nil), accounts(t, "sync", ""))
		if !strings.Contains(string(last.Next), c.want) {
			t.Errorf("%s: cursor %s, want %s", name, last.Next, c.want)
		}
	}
}

// Rows that do not say when they were modified settle when a later read began a quarter of an
// hour after the one that saw them.
func TestTimestampCursorOfUndatedRows(t *testing.T) {
	now, top := noon, 0
	e := &exact{clock: func() time.Time { return now }, answer: func(string, string) (int, string) {
		return 200, list("", `{"Timestamp":"`+strings.Repeat("9", top)+`"}`)
	}}
	s, from := e.source(t, nil), schema.Position("")
	for _, step := range []struct {
		wait  time.Duration
		top   int
		asked string
		want  string
	}{
		{0, 1, "gt 0L", `{"v":1,"kind":"timestamp","pending":{"timestamp":9,"began":"2026-06-25T10:00:00Z"}}`},
		{14 * time.Minute, 2, "gt 0L", `{"v":1,"kind":"timestamp","pending":{"timestamp":9,"began":"2026-06-25T10:00:00Z"}}`},
		{time.Minute, 3, "gt 0L", `{"v":1,"kind":"timestamp","timestamp":9,"pending":{"timestamp":999,"began":"2026-06-25T10:15:00Z"}}`},
		{24 * time.Hour, 3, "gt 9L", `{"v":1,"kind":"timestamp","timestamp":999}`},
	} {
		now, top = now.Add(step.wait), step.top
		from = mustCollect(t, s, readOf(t, "sync/inventory/StockPositions", from, "ID")).Next
		if string(from) != step.want {
			t.Errorf("after %v: cursor\n%s, want\n%s", step.wait, from, step.want)
		}
		if asked := e.asked[len(e.asked)-1]; !strings.HasSuffix(asked, step.asked) {
			t.Errorf("asked %s", asked)
		}
	}
}

func TestModifiedCursorIsTheBeginningOfTheRead(t *testing.T) {
	now := noon
	e := &exact{clock: func() time.Time { return now }, answer: func(path, query string) (int, string) {
		now = now.Add(24 * time.Hour) // the read takes days
		if strings.Contains(query, "skiptoken") {
			return 200, list("", account(2, now))
		}
		return 200, list(host+path+"?$skiptoken=guid'1'", account(1, now))
	}}
	s := e.source(t, nil)
	first := mustCollect(t, s, accounts(t, "standard", ""))
	// the answer is dated a day late, and so is taken to have been asked for a day before that
	if first.Next != `{"v":1,"kind":"modified","modified":"2026-06-25T10:00:00"}` {
		t.Errorf("cursor %s", first.Next)
	}
	second := mustCollect(t, s, accounts(t, "standard", first.Next))
	if second.Next != `{"v":1,"kind":"modified","modified":"2026-06-27T10:00:00"}` {
		t.Errorf("cursor %s", second.Next)
	}
	want := []string{
		"/api/v1/123/crm/Accounts?$select=ID,Modified,Name",
		"/api/v1/123/crm/Accounts?$skiptoken=guid'1'",
		"/api/v1/123/crm/Accounts?$select=ID,Modified,Name&$filter=Modified ge datetime'2026-06-25T10:00:00'",
		"/api/v1/123/crm/Accounts?$skiptoken=guid'1'",
	}
	if diff := cmp.Diff(want, e.asked); diff != "" {
		t.Error(diff)
	}
}

func TestModifiedCursorNeverGoesBack(t *testing.T) {
	from := schema.Position(`{"v":1,"kind":"modified","modified":"2026-07-01T00:00:00"}`)
	e := &exact{clock: at(noon), answer: func(string, string) (int, string) { return 200, list("") }}
	if last := mustCollect(t, e.source(t, nil), accounts(t, "standard", from)); last.Next != from {
		t.Errorf("cursor %s", last.Next)
	}
}

// A read that goes on keeps its beginning, its limit and what it has seen.
func TestAResumedReadEndsLikeAnUndisturbedOne(t *testing.T) {
	now := noon
	cut := true
	e := &exact{clock: func() time.Time { return now }, answer: func(path, query string) (int, string) {
		switch {
		case !strings.Contains(query, "skiptoken"):
			return 200, list(host+path+"?$skiptoken=1", account(9, noon.Add(-time.Hour)))
		case cut:
			return 403, ""
		}
		return 200, list("", account(10, noon.Add(-time.Minute)))
	}}
	s, r := e.source(t, nil), accounts(t, "sync", "")
	pages, err := collect(t, s, r)
	if err == nil || len(pages) != 1 {
		t.Fatalf("%v after %d pages", err, len(pages))
	}
	now, cut = now.Add(48*time.Hour), false
	r.Resume = pages[0].Next
	last := mustCollect(t, e.source(t, nil), r) // another process
	if last.Rows != 1 || last.Next != `{"v":1,"kind":"timestamp","timestamp":9}` {
		t.Errorf("%d rows, cursor %s", last.Rows, last.Next)
	}
	if n := len(e.asked); n != 3 || !strings.HasSuffix(e.asked[2], "?$skiptoken=1") {
		t.Errorf("asked %q", e.asked)
	}
}

func TestAPlaceThatIsNoLongerAcceptedVoidsTheRead(t *testing.T) {
	status := 0
	e := &exact{clock: at(noon), answer: func(string, string) (int, string) { return status, refusal("bad token") }}
	r := accounts(t, "sync", "")
	for _, status = range []int{400, 404, 410} {
		r.Resume = encode(resume{Version: 1, Next: host + "/x", Began: noon})
		_, err := collect(t, e.source(t, nil), r)
		var refused *extract.Refused
		if !errors.Is(err, extract.ErrResume) || !errors.As(err, &refused) {
			t.Errorf("%d: got %v", status, err)
		}
	}
	for _, status = range []int{401, 403} {
		if _, err := collect(t, e.source(t, nil), r); err == nil || errors.Is(err, extract.ErrResume) {
			t.Errorf("%d: got %v, want a refusal that leaves the read alone", status, err)
		}
	}
	sent := len(e.asked)
	for _, strange := range []schema.Position{"x", "{}", `{"v":2,"next":"https://x","began":"2026-06-25T10:00:00Z"}`} {
		r.Resume = strange
		if _, err := collect(t, e.source(t, nil), r); !errors.Is(err, extract.ErrResume) {
			t.Errorf("%s: got %v", strange, err)
		}
	}
	if len(e.asked) != sent {
		t.Error("a position that cannot be read was asked for")
	}
}

func TestForeignAndCircularContinuationsGiveNoPage(t *testing.T) {
	for _, next := range []string{"https://evil.example/api", "http://start.exactonline.nl/x", "/relative"} {
		e := &exact{clock: at(noon), answer: func(string, string) (int, string) { return 200, list(next, account(1, noon)) }}
		pages, err := collect(t, e.source(t, nil), accounts(t, "sync", ""))
		if !errors.Is(err, extract.ErrForeignHost) || len(pages) != 0 || len(e.asked) != 1 {
			t.Errorf("%s: %d pages, %v", next, len(pages), err)
		}
	}
	e := &exact{clock: at(noon), answer: func(path, _ string) (int, string) {
		return 200, list(host+path+"?$skiptoken=1", account(1, noon))
	}}
	pages, err := collect(t, e.source(t, nil), accounts(t, "sync", ""))
	var malformed *extract.Malformed
	if !errors.As(err, &malformed) || len(pages) != 1 {
		t.Errorf("%d pages, %v", len(pages), err)
	}
}

func TestCursorsOfOtherKindsAreErrors(t *testing.T) {
	e := &exact{clock: at(noon), answer: func(string, string) (int, string) { return 200, list("") }}
	for _, from := range []schema.Position{"x", `{"v":1,"kind":"modified","modified":"2026-07-01T00:00:00"}`, `{"v":9,"kind":"timestamp"}`} {
		if _, err := collect(t, e.source(t, nil), accounts(t, "sync", from)); err == nil || len(e.asked) > 0 {
			t.Errorf("%s: %v", from, err)
		}
	}
}

func TestSweepsAskForKeysAndWhatTheCursorNeeds(t *testing.T) {
	e := &exact{clock: at(noon), answer: func(string, string) (int, string) { return 200, list("", account(1, noon)) }}
	r := accounts(t, "sync", "")
	r.Table = r.Variant.Table.Keys()
	page := mustCollect(t, e.source(t, nil), r)
	if e.asked[0] != "/api/v1/123/sync/CRM/Accounts?$select=Timestamp,ID,Modified&$filter=Timestamp gt 0L" {
		t.Errorf("asked %s", e.asked[0])
	}
	if diff := cmp.Diff([]string{"Name"}, page.Unknown); diff != "" { // the script sends it unasked
		t.Error(diff)
	}
}

func TestDeletionsAreReadLikeAnyFeed(t *testing.T) {
	e := &exact{clock: at(noon), answer: func(string, string) (int, string) {
		return 200, list("", `{"Timestamp":"7","ID":"00000000-0000-0000-0000-000000000001","EntityType":2,"Division":123,`+
			`"EntityKey":"00000000-0000-0000-0000-000000000002","DeletedDate":"/Date(1782400000000)/","DeletedBy":null}`,
			`{"Timestamp":"8","EntityType":2,"DeletedDate":"/Date(1577836800000)/"}`, `{"Timestamp":"9","DeletedDate":"/Date(1782400000000)/"}`)
	}}
	d := Deletions()
	last := mustCollect(t, e.source(t, nil), extract.Read{Stream: d.Name, Variant: d.Variants[0], Scope: "123"})
	if want := "/api/v1/123/sync/Deleted?$select=Timestamp,DeletedBy,DeletedDate,Division,EntityKey,EntityType,ID&$filter=Timestamp gt 0L"; e.asked[0] != want {
		t.Errorf("asked %s", e.asked[0])
	}
	if last.Rows != 3 || last.Misfits != nil || last.Next != `{"v":1,"kind":"timestamp","timestamp":8}` {
		t.Errorf("%q cursor %s", rows(last), last.Next)
	}
}

func TestWhatTheConnectionOwnsIsReadInAnyDivision(t *testing.T) {
	e := &exact{clock: at(noon), answer: func(path, _ string) (int, string) {
		if path == "/api/v1/current/Me" {
			return 200, list("", `{"CurrentDivision":456}`)
		}
		return 200, list("", `{"Code":1}`)
	}}
	s := e.source(t, func(c *Config) { c.Division = "" })
	r := readOf(t, "system/Divisions", "", "Code")
	r.Scope = "0"
	mustCollect(t, s, r)
	mustCollect(t, s, r)
	if page := mustCollect(t, s, r); page.Scope != "0" {
		t.Errorf("scope %s", page.Scope)
	}
	if len(e.asked) != 4 || !strings.HasPrefix(e.asked[3], "/api/v1/456/system/Divisions?$select=Code") {
		t.Errorf("asked %q", e.asked)
	}
}

func TestAStoppedLoopMakesNoMoreCalls(t *testing.T) {
	e := &exact{clock: at(noon), answer: func(path, _ string) (int, string) {
		return 200, list(host+path+"?$skiptoken=1", account(1, noon))
	}}
	for _, err := range e.source(t, nil).Pages(t.Context(), accounts(t, "sync", "")) {
		if err != nil {
			t.Fatal(err)
		}
		break
	}
	if len(e.asked) != 1 {
		t.Errorf("%d calls", len(e.asked))
	}
}
