package exactonline

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The beginning of 2026, as a person in any zone writes it: the clock's reading counts.
var newYear = time.Date(2026, 1, 1, 0, 0, 0, 0, time.FixedZone("elsewhere", -8*3600))

func january(day int) time.Time { return time.Date(2026, 1, day, 12, 0, 0, 0, amsterdam) }

func TestSinceIsAFilterWhereModifiedCanBeFiltered(t *testing.T) {
	e := &exact{clock: at(noon), answer: func(string, string) (int, string) { return 200, list("", account(1, noon)) }}
	r := accounts(t, "standard", "")
	r.Since = newYear
	mustCollect(t, e.source(t, nil), r)
	if want := "/api/v1/123/crm/Accounts?$select=ID,Modified,Name&$filter=Modified ge datetime'2026-01-01T00:00:00'"; e.asked[0] != want {
		t.Errorf("asked %s", e.asked[0])
	}
}

func TestSinceOnAFeedLeavesOutWhatIsOlder(t *testing.T) {
	e := &exact{clock: at(noon), answer: func(string, string) (int, string) {
		return 200, list("", account(1, january(1).AddDate(0, 0, -1)), account(2, january(1)), account(3, january(1).AddDate(-1, 0, 0)))
	}}
	r := accounts(t, "sync", "")
	r.Since = newYear
	last := mustCollect(t, e.source(t, nil), r)
	if last.Rows != 1 || last.Columns[0].Ints[0] != 2 {
		t.Errorf("got %q", rows(last))
	}
	if last.Next != `{"v":1,"kind":"timestamp","timestamp":3}` { // rows that were left out were seen
		t.Errorf("cursor %s", last.Next)
	}
	if diff := cmp.Diff([]string{feed + "0L"}, e.asked); diff != "" {
		t.Error(diff)
	}
}

func TestSinceLooksUpWhereToBegin(t *testing.T) {
	lookup := `{"d":{"results":[{"API":"x","Modified":"/Date(1767225600000)/","TimeStampAsBigInt":"40"}]}}`
	status := 200
	e := &exact{clock: at(noon), answer: func(path, _ string) (int, string) {
		if strings.HasSuffix(path, "SyncTimestamp") {
			return status, lookup
		}
		return 200, list("", account(40, january(1)), account(41, january(1).AddDate(0, 0, -9)))
	}}
	r := readOf(t, "sync/project/Projects", "", "ID")
	r.Since = newYear
	last := mustCollect(t, e.source(t, nil), r)
	want := []string{
		"/api/v1/123/read/sync/Sync/SyncTimestamp?modified=datetime'2026-01-01T00:00:00'&endPoint='Projects'",
		"/api/v1/123/sync/Project/Projects?$select=Timestamp,ID,Modified&$filter=Timestamp ge 40L",
	}
	if diff := cmp.Diff(want, e.asked); diff != "" {
		t.Error(diff)
	}
	if last.Rows != 1 || !strings.Contains(string(last.Next), `"timestamp":41`) {
		t.Errorf("%q, cursor %s", rows(last), last.Next)
	}
	for name, answer := range map[string]string{"nothing": `{"d":{"results":[]}}`, "nothing, bare": `{"d":[]}`, "null": `{"d":[{"TimeStampAsBigInt":null}]}`} {
		e.asked, lookup = nil, answer
		mustCollect(t, e.source(t, nil), r)
		if !strings.HasSuffix(e.asked[1], "Timestamp gt 0L") {
			t.Errorf("%s: asked %s", name, e.asked[1])
		}
	}
	e.asked, status = nil, 403
	mustCollect(t, e.source(t, nil), r)
	if !strings.HasSuffix(e.asked[1], "Timestamp gt 0L") {
		t.Errorf("refused: asked %s", e.asked[1])
	}
}

// When nothing is settled yet, the next read is still limited.
func TestSinceIsRememberedUntilThereIsACursor(t *testing.T) {
	now := noon
	e := &exact{clock: func() time.Time { return now }, answer: func(string, string) (int, string) {
		return 200, list("", account(1, noon.Add(-time.Minute)))
	}}
	r := accounts(t, "sync", "")
	r.Since = newYear
	first := mustCollect(t, e.source(t, nil), r)
	if first.Next != `{"v":1,"kind":"timestamp","since":"2026-01-01T00:00:00"}` {
		t.Errorf("cursor %s", first.Next)
	}
	now = now.Add(time.Hour)
	second := mustCollect(t, e.source(t, nil), accounts(t, "sync", first.Next))
	if second.Next != `{"v":1,"kind":"timestamp","timestamp":1}` {
		t.Errorf("cursor %s", second.Next)
	}
}

func TestSinceNeedsRecordsWithADate(t *testing.T) {
	e := &exact{clock: at(noon), answer: func(string, string) (int, string) { return 200, list("") }}
	for _, stream := range []string{"sync/inventory/StockPositions", "read/financial/ReceivablesList"} {
		r := readOf(t, stream, "", "ID")
		r.Since = newYear
		_, err := collect(t, e.source(t, nil), r)
		var undated *Undated
		if !errors.As(err, &undated) || len(e.asked) != 0 {
			t.Errorf("%s: got %v after %d calls", stream, err, len(e.asked))
		}
	}
}
