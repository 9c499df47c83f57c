package metrics

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

var now = time.Date(2026, 11, 21, 4, 0, 0, 0, time.UTC)

// sample has a pipeline with streams in some divisions.
func sample(divisions int) Facts {
	left := 4000
	p := Pipeline{
		Name: "nightly", Place: "division", Running: true, Next: now.Add(time.Hour), Good: now.Add(-time.Hour), Checks: 2,
		Last:    &Run{Started: now.Add(-2 * time.Hour), Ended: now.Add(-time.Hour), Exit: 3, Calls: 12, Rows: 3400},
		Day:     []Runs{{"done", 3, 30, 3000}, {"failed", 1, 2, 0}},
		Failing: map[string]int{"unreachable": 7},
	}
	for i := range divisions {
		for _, name := range []string{"crm/Accounts", "crm/Contacts"} {
			p.Streams = append(p.Streams, Stream{
				Name: name, Division: fmt.Sprint(i), Rows: 10, ReadAt: now.Add(-time.Duration(i) * time.Hour), MaxAge: 36 * time.Hour, Stale: i > 36,
			})
		}
	}
	p.Streams = append(p.Streams, Stream{Name: "hrm/Leaves", Division: "0", MaxAge: time.Hour, Stale: divisions > 36})
	return Facts{
		At: now, Version: "1.2.3", GoBuilt: "go1.26", Pipelines: []Pipeline{p},
		Logins: []Login{{"books", true, now.Add(24 * time.Hour)}, {"gone", false, time.Time{}}},
		Quotas: []Quota{{"books", "1", 10, 5, &left, 5000}, {"books", "2", 1, 0, nil, 0}},
		Alerts: []Alert{{"partial", "nightly", 7}, {"partial", "nightly", 1}, {"login", "", 0}},
	}
}

// Names, units and help texts are as Prometheus wants them.
func TestFiguresAreClean(t *testing.T) {
	f := sample(3)
	problems, err := testutil.GatherAndLint(registry(&f))
	if err != nil || len(problems) > 0 {
		t.Errorf("%v: %v", problems, err)
	}
}

func TestFigures(t *testing.T) {
	h := Handler(func(context.Context) (Facts, error) { return sample(3), nil }, slog.New(slog.DiscardHandler))
	_, text := get(t, h)
	for _, want := range []string{
		`exactduck_build_info{go_version="go1.26",version="1.2.3"} 1`,
		`exactduck_stream_age_seconds{pipeline="nightly",stream="crm/Accounts"} 7200`,
		`exactduck_stream_division_age_seconds{division="1",pipeline="nightly",stream="crm/Accounts"} 3600`,
		`exactduck_stream_rows{pipeline="nightly",stream="crm/Accounts"} 30`,
		`exactduck_stream_never_read{pipeline="nightly",stream="hrm/Leaves"} 1`,
		`exactduck_stream_max_age_seconds{pipeline="nightly",stream="crm/Accounts"} 129600`,
		`exactduck_failing_reads{cause="unreachable",pipeline="nightly"} 7`,
		`exactduck_last_run_duration_seconds{pipeline="nightly"} 3600`,
		`exactduck_day_runs{pipeline="nightly",status="done"} 3`,
		`exactduck_calls_left_least{connection="books"} 4000`,
		`exactduck_calls_left{connection="books",division="1"} 4000`,
		`exactduck_login_life_seconds{connection="books"} 86400`,
		`exactduck_login_valid{connection="gone"} 0`,
		`exactduck_alerts_open{kind="partial",pipeline="nightly"} 2`,
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("want %s, got\n%s", want, text)
		}
	}
}

// However many divisions there are, the number of series has a bound.
func TestManyDivisionsAreFewSeries(t *testing.T) {
	f := sample(5000)
	for i := range 5000 {
		f.Quotas = append(f.Quotas, Quota{Connection: "books", Division: fmt.Sprint(10 + i)})
	}
	n, err := testutil.GatherAndCount(registry(&f))
	if err != nil || n > 60 {
		t.Errorf("%d series, %v", n, err)
	}
}

func get(t *testing.T, h http.Handler) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
	return w.Code, w.Body.String()
}

func TestHandler(t *testing.T) {
	f, trouble := sample(1), error(nil)
	h := Handler(func(context.Context) (Facts, error) { return f, trouble }, slog.New(slog.DiscardHandler))
	for range 2 {
		code, text := get(t, h)
		if code != http.StatusOK || !strings.Contains(text, "exactduck_running{") || !strings.Contains(text, "go_goroutines") {
			t.Errorf("%d: %s", code, text)
		}
	}
	trouble = errors.New("no such place: /secret/path")
	if code, text := get(t, h); code != http.StatusInternalServerError || strings.Contains(text, "secret") {
		t.Errorf("%d: %s", code, text)
	}
}

func TestReady(t *testing.T) {
	f, clock, asked := sample(3), now, 0
	var trouble error
	h := Ready(func(context.Context) (Facts, error) { asked++; return f, trouble }, func() time.Time { return clock })
	for range 3 {
		if code, text := get(t, h); code != http.StatusOK || text != "ready\n" {
			t.Errorf("%d: %s", code, text)
		}
	}
	if asked != 1 {
		t.Errorf("looked %d times for one moment", asked)
	}
	f, clock = sample(40), clock.Add(time.Minute)
	code, text := get(t, h)
	want := "stale: nightly crm/Accounts in 3 divisions, read 39h0m0s ago, max_age 36h0m0s\n" +
		"stale: nightly crm/Contacts in 3 divisions, read 39h0m0s ago, max_age 36h0m0s\n" +
		"stale: nightly hrm/Leaves in 1 division, never read, max_age 1h0m0s\n"
	if code != http.StatusServiceUnavailable || text != want {
		t.Errorf("%d: %s", code, text)
	}
	trouble, clock = errors.New("no"), clock.Add(time.Minute)
	if code, _ := get(t, h); code != http.StatusServiceUnavailable {
		t.Errorf("what is not known is %d", code)
	}
}
