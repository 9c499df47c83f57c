package page

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// world is a site whose facts tests make up, and what its buttons did.
type world struct {
	Site
	t        *testing.T
	facts    Overview
	of       []Run
	log      string // of every run
	password string

	mu    sync.Mutex
	now   time.Time
	did   []string
	said  bytes.Buffer // in the log of the program
	inner http.Handler
}

func newWorld(t *testing.T) *world {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Amsterdam")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC)
	last := Run{ID: "20261121T031500.000Z-beef", Pipeline: "nightly", Zone: zone, Status: "done", Started: now.Add(-4 * time.Hour), Ended: now.Add(-3 * time.Hour), Calls: 40, Read: 1234567}
	w := &world{t: t, now: now, of: []Run{last}}
	w.facts = Overview{At: now, Pipelines: []Pipeline{{
		Name: "nightly", Zone: zone, Timezone: "Europe/Amsterdam", Schedule: "15 4 * * *", Next: now.Add(19 * time.Hour), Last: &last,
		Fresh: Fresh{Lines: 60, Rows: 1234567, Oldest: now.Add(-4 * time.Hour)},
		Days:  []Day{{Day: "2026-11-20", Runs: 1, Calls: 40, Rows: 10}, {Day: "2026-11-21", Runs: 2, Failed: 1, Calls: 80, Rows: 1234567}},
	}}}
	do := func(what string) func(context.Context, string) error {
		return func(_ context.Context, name string) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.did = append(w.did, what+" "+name)
			return nil
		}
	}
	w.Site = Site{
		Version: "1.2.3", Clock: func() time.Time { w.mu.Lock(); defer w.mu.Unlock(); return w.now },
		Log:      slog.New(slog.NewTextHandler(&w.said, nil)),
		Password: func() (string, string) { return "duck", w.password },
		Overview: func(context.Context) (Overview, error) { return w.facts, nil },
		Lines:    func(_ context.Context, name string) (Pipeline, []Line, error) { return w.one(name, nil) },
		Runs:     func(context.Context, string) ([]Run, error) { return w.of, nil },
		Run: func(_ context.Context, id string) (Run, error) {
			if id != w.of[0].ID {
				return Run{}, ErrUnknown
			}
			return w.of[0], nil
		},
		RunLog: func(context.Context, string) (io.ReadSeekCloser, error) {
			if w.log == "" {
				return nil, ErrUnknown
			}
			return closing{strings.NewReader(w.log)}, nil
		},
		Pause: do("pause"), Resume: do("resume"), RunNow: do("run"),
	}
	return w
}

func (w *world) one(name string, lines []Line) (Pipeline, []Line, error) {
	if p := w.facts.Pipelines[0]; p.Name == name {
		return p, lines, nil
	}
	return Pipeline{}, nil, ErrUnknown
}

type closing struct{ *strings.Reader }

func (closing) Close() error { return nil }

// ask sends a request from a machine to the page.
func (w *world) ask(from, method, path, body string, change func(*http.Request)) *httptest.ResponseRecorder {
	w.t.Helper()
	if w.inner == nil {
		w.inner = w.Handler()
	}
	r := httptest.NewRequestWithContext(w.t.Context(), method, path, strings.NewReader(body))
	r.RemoteAddr, r.Host = from, "127.0.0.1:8586"
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if change != nil {
		change(r)
	}
	answer := httptest.NewRecorder()
	w.inner.ServeHTTP(answer, r)
	return answer
}

const (
	here  = "127.0.0.1:55555"
	there = "203.0.113.9:4444"
)

func (w *world) get(path string) string {
	w.t.Helper()
	answer := w.ask(here, http.MethodGet, path, "", nil)
	if answer.Code != http.StatusOK {
		w.t.Fatalf("%s answers %d: %s", path, answer.Code, answer.Body)
	}
	return answer.Body.String()
}

func (w *world) token() string {
	w.t.Helper()
	found := regexp.MustCompile(`name="token" value="([^"]+)"`).FindStringSubmatch(w.get("/"))
	if found == nil {
		w.t.Fatal("the page has no token")
	}
	return found[1]
}

func (w *world) form() string { return url.Values{"token": {w.token()}}.Encode() }

func has(t *testing.T, page string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(page, part) {
			t.Errorf("the page lacks %q", part)
		}
	}
}

func TestOneGlance(t *testing.T) {
	w := newWorld(t)
	has(t, w.get("/"), "All is well.", "Sun 22 Nov, 04:00", "in 19 h", "1\u202f234\u202f567", "60 streams")
	w.facts.Notices = []Notice{{Act: true, Text: "Somebody must log in as books", Do: "exactduck auth login", Since: w.now.Add(-time.Hour)}}
	has(t, w.get("/"), "One thing needs you.", "Somebody must log in as books", "<code>exactduck auth login</code>", "1 h ago")
	w.facts.Notices = append(w.facts.Notices, Notice{Act: true, Text: "<script>alert(1)</script>"})
	page := w.get("/")
	has(t, page, "2 things need you.", "&lt;script&gt;")
	if strings.Contains(page, "<script") {
		t.Error("the page runs what others say")
	}
	running := w.of[0]
	running.Status, running.Ended = "running", time.Time{}
	w.facts.Notices, w.facts.Pipelines[0].Last = nil, &running
	has(t, w.get("/"), "All is well; nightly is running.", `http-equiv="refresh" content="5"`)
}

func TestButtonsDoWhatTheySay(t *testing.T) {
	w := newWorld(t)
	for _, action := range []string{"pause", "resume", "run"} {
		answer := w.ask(here, http.MethodPost, "/pipelines/nightly/"+action, w.form(), nil)
		if answer.Code != http.StatusSeeOther {
			t.Fatalf("%s answers %d: %s", action, answer.Code, answer.Body)
		}
		to := answer.Header().Get("Location")
		if page := w.get(to); !strings.Contains(page, `role="status"`) {
			t.Errorf("%s says nothing", to)
		}
	}
	if got := strings.Join(w.did, ", "); got != "pause nightly, resume nightly, run nightly" {
		t.Errorf("the buttons did %s", got)
	}
	if !strings.Contains(w.said.String(), "somebody used a button") {
		t.Error("nothing is logged")
	}
}

// What must not come through is refused, logged and without effect.
func TestAbuseIsRefused(t *testing.T) {
	w := newWorld(t)
	form := w.form()
	set := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	host := func(name string) func(*http.Request) { return func(r *http.Request) { r.Host = name } }
	for _, test := range []struct {
		name, from, method, path, body string
		change                         func(*http.Request)
		want                           int
	}{
		{"from another machine", there, "GET", "/", "", nil, 403},
		{"an action from another machine", there, "POST", "/pipelines/nightly/run", form, nil, 403},
		{"a name that leads here", here, "GET", "/", "", host("rebound.example:8586"), 421},
		{"an action under such a name", here, "POST", "/pipelines/nightly/run", form, host("rebound.example:8586"), 421},
		{"a name like ours", here, "GET", "/api/v1/status", "", host("localhost.example"), 421},
		{"no name", here, "GET", "/", "", host(""), 421},
		{"another site's form", here, "POST", "/pipelines/nightly/run", form, set("Origin", "https://evil.example"), 403},
		{"another site's form, as browsers tell", here, "POST", "/pipelines/nightly/run", form, set("Sec-Fetch-Site", "cross-site"), 403},
		{"a form of another port", here, "POST", "/pipelines/nightly/run", form, set("Origin", "http://127.0.0.1:9999"), 403},
		{"no token", here, "POST", "/pipelines/nightly/run", "", nil, 403},
		{"a wrong token", here, "POST", "/pipelines/nightly/run", "token=AAAA", nil, 403},
		{"the token in the address", here, "POST", "/pipelines/nightly/run?" + form, "", nil, 403},
		{"no form", here, "POST", "/pipelines/nightly/run", `{"token":"x"}`, set("Content-Type", "application/json"), 415},
		{"a large form", here, "POST", "/pipelines/nightly/run", form + "&x=" + strings.Repeat("x", 1<<20), nil, 413},
		{"a large form of unknown length", here, "POST", "/pipelines/nightly/run", form + "&x=" + strings.Repeat("x", 1<<20), func(r *http.Request) { r.ContentLength = -1 }, 413},
		{"a large body where none belongs", here, "GET", "/", strings.Repeat("x", 1<<20), nil, 413},
		{"an action by a link", here, "GET", "/pipelines/nightly/run", "", nil, 404},
		{"an action that there is not", here, "POST", "/pipelines/nightly/delete", form, nil, 404},
		{"a pipeline that there is not", here, "POST", "/pipelines/weekly/run", form, nil, 404},
		{"another method", here, "DELETE", "/runs", "", nil, 415},
	} {
		w.said.Reset()
		w.now = w.now.Add(2 * saidEvery)
		answer := w.ask(test.from, test.method, test.path, test.body, test.change)
		if answer.Code != test.want {
			t.Errorf("%s: answers %d, want %d: %s", test.name, answer.Code, test.want, answer.Body)
		}
		if test.want != 404 && !strings.Contains(w.said.String(), "refused a request") {
			t.Errorf("%s: nothing is logged", test.name)
		}
	}
	if len(w.did) > 0 {
		t.Errorf("they had effects: %v", w.did)
	}
}

func TestTricksWithPathsLeadNowhere(t *testing.T) {
	w := newWorld(t)
	w.RunLog = func(_ context.Context, id string) (io.ReadSeekCloser, error) {
		t.Errorf("the log %q was asked for", id)
		return nil, ErrUnknown
	}
	for _, path := range []string{
		"/runs/..%2f..%2fetc%2fpasswd/log", "/runs/%2e%2e/log", "/runs/..%5c..%5cx/log", "/runs/a%00b/log", "/runs/.hidden/log",
		"/runs/x%2F..%2Fy", "/runs/" + strings.Repeat("a", 5000) + "/log", "/assets/../page.go", "/assets/x/style.css", "/html/style.css",
		"/pipelines/..%2f/streams", "/pipelines/%3Cscript%3E", "//evil.example/", "/api/v1/runs/..%2fx",
	} {
		answer := w.ask(here, http.MethodGet, path, "", nil)
		if answer.Code != http.StatusNotFound && answer.Code/100 != 3 {
			t.Errorf("%.80s answers %d", path, answer.Code)
		}
		if to := answer.Header().Get("Location"); strings.HasPrefix(to, "//") || strings.Contains(to, "evil.example") && !strings.HasPrefix(to, "/evil") {
			t.Errorf("%s leads to %s", path, to)
		}
		if strings.Contains(answer.Body.String(), "<script") {
			t.Errorf("%s comes back as a script", path)
		}
	}
}

func TestOnlyWithThePassword(t *testing.T) {
	w := newWorld(t)
	w.password = "correct horse battery"
	with := func(user, password string) func(*http.Request) {
		return func(r *http.Request) { r.SetBasicAuth(user, password); r.Host = "books.example:8586" }
	}
	if answer := w.ask(there, http.MethodGet, "/", "", nil); answer.Code != http.StatusUnauthorized || answer.Header().Get("WWW-Authenticate") == "" {
		t.Errorf("without a password it answers %d", answer.Code)
	}
	if answer := w.ask(here, http.MethodGet, "/api/v1/status", "", nil); answer.Code != http.StatusUnauthorized {
		t.Errorf("without a password it answers this machine %d", answer.Code)
	}
	if answer := w.ask(there, http.MethodGet, "/", "", with("duck", w.password)); answer.Code != http.StatusOK {
		t.Errorf("with the password it answers %d", answer.Code)
	}
	if strings.Contains(w.said.String(), w.password) {
		t.Error("the log has the password")
	}
}

func TestWhoTriesPasswordsWaits(t *testing.T) {
	w := newWorld(t)
	w.password = "correct horse battery"
	try := func(from, password string) *httptest.ResponseRecorder {
		return w.ask(from, http.MethodGet, "/", "", func(r *http.Request) { r.SetBasicAuth("duck", password) })
	}
	looked := 0
	for i := range 1000 {
		w.now = w.now.Add(100 * time.Millisecond)
		if try(there, fmt.Sprint("guess", i)).Code == http.StatusUnauthorized {
			looked++
		}
	}
	if looked > 12 {
		t.Errorf("%d of 1000 guesses in 100 seconds were looked at", looked)
	}
	if answer := try(there, w.password); answer.Code != http.StatusTooManyRequests || answer.Header().Get("Retry-After") == "" {
		t.Errorf("while it waits even the right one gives %d", answer.Code)
	}
	if answer := try("203.0.113.10:1", w.password); answer.Code != http.StatusOK {
		t.Errorf("somebody else gets %d", answer.Code)
	}
	w.now = w.now.Add(2 * longestWait)
	if answer := try(there, w.password); answer.Code != http.StatusOK {
		t.Errorf("after the wait the right one gives %d", answer.Code)
	}
	for i := range 2 * mostSeen {
		w.locks(fmt.Sprintf("10.%d.%d.%d:1", i>>16, i>>8&255, i&255), try)
	}
}

func (w *world) locks(from string, try func(string, string) *httptest.ResponseRecorder) {
	if code := try(from, "x").Code; code != http.StatusUnauthorized {
		w.t.Fatalf("%s gets %d", from, code)
	}
}

func TestHeadersOfEveryAnswer(t *testing.T) {
	w := newWorld(t)
	w.Open = map[string]http.Handler{"GET /healthz": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "alive") })}
	for _, path := range []string{"/", "/runs", "/healthz", "/nothing", "/api/v1/status"} {
		answer := w.ask(here, http.MethodGet, path, "", nil)
		for name, want := range map[string]string{
			"Content-Security-Policy": "default-src 'none'", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Cache-Control": "no-store",
		} {
			if got := answer.Header().Get(name); !strings.Contains(got, want) {
				t.Errorf("%s: %s is %q", path, name, got)
			}
		}
		if policy := answer.Header().Get("Content-Security-Policy"); strings.Contains(policy, "unsafe") || strings.Contains(policy, "script-src") {
			t.Errorf("%s: the policy is %s", path, policy)
		}
		if text := answer.Body.String(); strings.Contains(text, "style=") || strings.Contains(text, "<script") || strings.Contains(text, "https://") {
			t.Errorf("%s needs what its policy forbids", path)
		}
	}
	if answer := w.ask(there, http.MethodGet, "/healthz", "", nil); answer.Code != http.StatusOK {
		t.Errorf("others are told %d at an open path", answer.Code)
	}
}

func TestLogOfARun(t *testing.T) {
	w := newWorld(t)
	path := "/runs/" + w.of[0].ID
	has(t, w.get(path), "Nothing was kept of what it logged")
	w.log = `{"time":"2026-11-21T03:15:01Z","level":"INFO","msg":"run begins","run_id":"x","pipeline":"nightly"}` + "\n" +
		`{"time":"2026-11-21T03:15:02Z","level":"ERROR","msg":"stream failed","stream":"crm/Accounts","n":3}` + "\n" + "<b>odd\n"
	has(t, w.get(path), "04:15:01", "run begins", "pipeline=nightly", "<b>ERROR</b>", "n=3 stream=crm/Accounts", "&lt;b&gt;odd")
	if text := w.get(path + "/log"); text != w.log {
		t.Errorf("the whole log is %q", text)
	}
	w.log = `{"time":5,"level":{"a":1},"msg":"\u001b[2Jone\n\u202etwo","a\u0007b":"\u200b"}` + "\n[1]\n\xff\x1b\n"
	has(t, w.get(path), "\ufffd[2Jone \ufffdtwo", "a\ufffdb=\ufffd", "[1]", "\ufffd\ufffd")
	w.log = strings.Repeat(`{"time":"2026-11-21T03:15:01Z","level":"INFO","msg":"a page was spooled"}`+"\n", 200_000) + `{"msg":"the end"}`
	page := w.get(path)
	has(t, page, "The end of it", "the end")
	if len(page) > 400_000 {
		t.Errorf("the page has %d bytes", len(page))
	}
}

func TestManyLinesArePaged(t *testing.T) {
	w := newWorld(t)
	var all []Line
	for i := range 30_000 {
		all = append(all, Line{Stream: fmt.Sprintf("crm/S%02d", i%60), Scope: fmt.Sprint(100000 + i/60), Status: "done", ReadAt: w.now, Stale: i == 17_001})
	}
	w.Lines = func(_ context.Context, name string) (Pipeline, []Line, error) { return w.one(name, all) }
	page := w.get("/pipelines/nightly/streams")
	has(t, page, "1 to 200 of 30\u202f000", "from=200")
	if rows := strings.Count(page, "<tr>"); rows != mostLines+1 {
		t.Errorf("there are %d rows", rows)
	}
	if strings.Index(page, "100283") > strings.Index(page, "100001") && strings.Contains(page, "100001") {
		t.Error("the worst is not the first")
	}
	has(t, w.get("/pipelines/nightly/streams?from=29999"), "30\u202f000 to 30\u202f000 of")
	has(t, w.get("/pipelines/nightly/streams?from=999999999"), "100499")
	has(t, w.get("/pipelines/nightly/streams?only=1"), "1 of 60 streams", "100283")
	has(t, w.get("/pipelines/nightly/streams?division=100499&stream=s07"), "1 of 60 streams", "crm/<wbr>S07")
	if answer := w.ask(here, http.MethodGet, "/pipelines/nightly/streams?from=-1", "", nil); answer.Code != http.StatusBadRequest {
		t.Errorf("from=-1 answers %d", answer.Code)
	}
}

func TestJSONOfTheSameFacts(t *testing.T) {
	w := newWorld(t)
	w.facts.Notices = []Notice{{Act: true, Text: "no"}}
	var all Overview
	if err := json.Unmarshal([]byte(w.get("/api/v1/status")), &all); err != nil {
		t.Fatal(err)
	}
	if len(all.Notices) != 1 || all.Pipelines[0].Fresh.Rows != 1234567 || all.Pipelines[0].Last.ID != w.of[0].ID {
		t.Errorf("it says %+v", all)
	}
	for _, path := range []string{"/api/v1/runs?limit=1", "/api/v1/runs/" + w.of[0].ID, "/api/v1/pipelines/nightly"} {
		if text := w.get(path); !json.Valid([]byte(text)) || !strings.Contains(text, w.of[0].ID) {
			t.Errorf("%s says %s", path, text)
		}
	}
	for path, want := range map[string]int{"/api/v1/runs?limit=x": 400, "/api/v1/runs/none": 404, "/api/v1/pipelines/none": 404, "/api/v2": 404} {
		if answer := w.ask(here, http.MethodGet, path, "", nil); answer.Code != want || strings.Contains(answer.Body.String(), "<html") {
			t.Errorf("%s answers %d: %s", path, answer.Code, answer.Body)
		}
	}
}

func TestPageThatCannotBeShown(t *testing.T) {
	w := newWorld(t)
	w.Overview = func(context.Context) (Overview, error) { return Overview{}, errors.New("the file <i>is damaged") }
	answer := w.ask(here, http.MethodGet, "/", "", nil)
	has(t, answer.Body.String(), "This page cannot be shown", "the file &lt;i&gt;is damaged")
	if answer.Code != http.StatusInternalServerError || !strings.Contains(w.said.String(), "a page cannot be shown") {
		t.Errorf("it answers %d and logs %s", answer.Code, w.said.String())
	}
}
