package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"exactduck/auth"
	"exactduck/cmd/exactduck/doctor"
	"exactduck/extract/sandbox"
	"exactduck/load"
)

// surgery is a configuration with a simulated Exact Online behind it.
type surgery struct {
	t       *testing.T
	dir     string
	sandbox *sandbox.Sandbox
	app     auth.App
}

func newSurgery(t *testing.T, streams string, o sandbox.Options) *surgery {
	t.Helper()
	simulated, err := sandbox.New(o)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(simulated)
	t.Cleanup(server.Close)
	id, secret := simulated.Client()
	s := &surgery{t, t.TempDir(), simulated, auth.App{
		Host: server.URL, ClientID: id, ClientSecret: auth.Secret(secret), RedirectURL: "https://localhost:8585/callback",
	}}
	text := fmt.Sprintf(`version: 1
state_dir: state
connections:
  books: {type: exact-online, base_url: "%s", client_id: "%s", client_secret: "${SECRET}"}
pipelines:
  nightly: {streams: [%s], to: {duckdb: warehouse.duckdb}}
`, server.URL, id, streams)
	if err := os.WriteFile(filepath.Join(s.dir, "pipelines.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

// login is the round trip through the browser.
func (s *surgery) login() {
	s.t.Helper()
	input, browser := io.Pipe()
	defer input.Close()
	_, err := auth.Login(s.t.Context(), auth.LoginOptions{
		Options: auth.Options{App: s.app, Store: auth.NewFile(filepath.Join(s.dir, "state", "logins"), s.app.Host, s.app.ClientID, nil)},
		Input:   input, NoListener: true,
		Announce: func(p auth.Prompt) {
			go func() {
				page, err := url.Parse(p.URL)
				if err == nil {
					var back string
					back, err = s.sandbox.Authorize(s.app.RedirectURL, page.Query().Get("state"))
					_, _ = io.WriteString(browser, back+"\n")
				}
				browser.CloseWithError(err)
			}()
		},
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// examine runs doctor and returns what it found, by check and what it is of.
func (s *surgery) examine(args ...string) (code int, x examination, results map[string]doctor.Result) {
	s.t.Helper()
	var out, told bytes.Buffer
	a := newApp(strings.NewReader(""), &out, &told)
	a.getenv = func(name string) (string, bool) { return string(s.app.ClientSecret), name == "SECRET" }
	code = a.run(s.t.Context(), append([]string{"exactduck", "doctor", "--config", filepath.Join(s.dir, "pipelines.yaml"), "--output", "json"}, args...))
	e := envelope{Data: &x}
	if err := json.Unmarshal(out.Bytes(), &e); err != nil {
		s.t.Fatalf("%v\n%s%s", err, &out, &told)
	}
	if e.ExitCode != code || strings.Contains(out.String()+told.String(), string(s.app.ClientSecret)) {
		s.t.Errorf("exit code %d and %d; or the secret is shown", e.ExitCode, code)
	}
	results = map[string]doctor.Result{}
	for _, c := range x.Checks {
		results[strings.TrimSpace(c.Check+" "+c.Of)] = c.Result
		if c.Finding == "" || (c.Result == doctor.Fail || c.Result == doctor.Warn) != (c.Advice != "") {
			s.t.Errorf("%s %s: %s without a finding or with the wrong advice: %+v", c.Check, c.Of, c.Result, c)
		}
	}
	return code, x, results
}

// The server counts what doctor spends: at most what was announced, and one call a stream.
func TestDoctorSpendsOneCallAStream(t *testing.T) {
	t.Parallel()
	s := newSurgery(t, `"crm/*", "financial/*", "project/*"`, sandbox.Options{Seed: 1, Divisions: 2, Scale: 0.02})
	s.login()
	before := s.sandbox.Calls()
	code, x, results := s.examine()
	calls, streams := 0, 0
	for path, n := range s.sandbox.Calls() {
		if n -= before[path]; strings.HasPrefix(path, "/api/v1/") {
			calls += n
			if n > 1 {
				t.Errorf("%s was asked %d times", path, n)
			}
		}
	}
	for _, c := range x.Checks {
		if c.Check == "stream" {
			streams++
			if c.Result != doctor.Pass {
				t.Errorf("%s: %s, %s", c.Of, c.Result, c.Finding)
			}
		}
	}
	if code != 0 || calls != x.CallsMade || calls > x.CallsAnnounced || calls != streams+2 || streams < 30 {
		t.Errorf("exit code %d; %d calls counted, %d made, %d announced for %d streams", code, calls, x.CallsMade, x.CallsAnnounced, streams)
	}
	if results["calls left books"] != doctor.Pass || len(x.Scopes) != 1 || len(x.Scopes[0].Scopes) < 5 {
		t.Errorf("calls left: %s; scopes: %+v", results["calls left books"], x.Scopes)
	}
}

// While a run holds the warehouse, its working database is left alone.
func TestDoctorDuringARun(t *testing.T) {
	t.Parallel()
	s := newSurgery(t, "crm/Accounts", sandbox.Options{Seed: 1, Scale: 0.02})
	w, err := load.Open(t.Context(), load.Options{StateDir: filepath.Join(s.dir, "state"), Target: filepath.Join(s.dir, "warehouse.duckdb")})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	code, x, results := s.examine("--no-calls")
	if code != exitLogin || results["lock warehouse.duckdb"] != doctor.Warn || results["working database warehouse.duckdb"] != doctor.Skip {
		t.Errorf("exit code %d, %+v", code, x.Checks)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, x, results = s.examine("--no-calls"); results["lock warehouse.duckdb"] != doctor.Pass || results["working database warehouse.duckdb"] != doctor.Pass {
		t.Errorf("after the run: %+v", x.Checks)
	}
}

// When the calls of the day are used up, no stream is asked for any more.
func TestDoctorStopsWhenNoCallsAreLeft(t *testing.T) {
	t.Parallel()
	s := newSurgery(t, "crm/Accounts, crm/Contacts, financial/GLAccounts, logistics/Items", sandbox.Options{Seed: 1, Scale: 0.02, DayLimit: 4})
	s.login()
	code, x, results := s.examine()
	if code != exitQuota || results["stream crm/Contacts"] != doctor.Pass || results["stream logistics/Items"] != doctor.Skip {
		t.Errorf("exit code %d: %+v", code, x.Checks)
	}
	if results["calls left books"] != doctor.Warn {
		t.Errorf("calls left: %s", results["calls left books"])
	}
}

// An endpoint that is down is asked once; after three in a row the others are not.
func TestDoctorGivesUpOnASourceThatIsDown(t *testing.T) {
	t.Parallel()
	s := newSurgery(t, "crm/Accounts, crm/Contacts, financial/GLAccounts, logistics/Items, project/Projects", sandbox.Options{Seed: 1, Scale: 0.02})
	s.login()
	for _, path := range []string{"crm/", "financial/"} {
		s.sandbox.Fault(sandbox.Fault{Path: path, Kind: sandbox.Unavailable, Times: -1})
	}
	code, x, results := s.examine()
	if code != exitSource || results["stream financial/GLAccounts"] != doctor.Fail || results["stream logistics/Items"] != doctor.Skip {
		t.Errorf("exit code %d: %+v", code, x.Checks)
	}
	if x.CallsMade != 2+3 {
		t.Errorf("%d calls", x.CallsMade)
	}
}
