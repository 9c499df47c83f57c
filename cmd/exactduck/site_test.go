package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"exactduck/auth"
	"exactduck/cmd/exactduck/config"
	"exactduck/cmd/exactduck/page"
	"exactduck/extract/sandbox"
)

// shown is the page of a world, as a browser sees it.
type shown struct {
	*httptest.Server
	t *testing.T
}

func (w *world) site() *page.Site {
	return site(func() (*books, error) { return w.books, nil }, func(string) (string, bool) { return "", false }, w.clock.time, w.log)
}

// shows serves the page of the world.
func (w *world) shows() *shown {
	w.t.Helper()
	w.logins = func(string) (*login, error) {
		id, _ := w.sandbox.Client()
		return &login{store: auth.NewFile(filepath.Join(w.dir, "logins"), "http://127.0.0.1:8700", id, w.log)}, nil
	}
	s := httptest.NewServer(w.site().Handler())
	w.t.Cleanup(s.Close)
	return &shown{s, w.t}
}

func (s *shown) get(path string, want int) string {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.URL+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return s.do(r, want)
}

func (s *shown) do(r *http.Request, want int) string {
	s.t.Helper()
	client := *s.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	answer, err := client.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if answer.StatusCode != want {
		s.t.Fatalf("%s %s answers %d, want %d: %s", r.Method, r.URL.Path, answer.StatusCode, want, text)
	}
	return string(text)
}

// press presses a button of the overview.
func (s *shown) press(action string) {
	s.t.Helper()
	token := regexp.MustCompile(`name="token" value="([^"]+)"`).FindStringSubmatch(s.get("/", http.StatusOK))
	if token == nil {
		s.t.Fatal("there is no button")
	}
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.URL+"/pipelines/nightly/"+action, strings.NewReader(url.Values{"token": token[1:]}.Encode()))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	s.do(r, http.StatusSeeOther)
}

func lacks(t *testing.T, page string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(page, part) {
			t.Errorf("the page lacks %q", part)
		}
	}
}

func TestPageOfAWorld(t *testing.T) {
	t.Parallel()
	w := newWorld(t, t.TempDir(), "      - {stream: crm/Accounts, max_age: 36h}\n      - crm/Contacts", sandbox.Options{Divisions: 2})
	w.pipelineLines += "    schedule: '15 4 * * *'\n"
	w.reconfigure("      - {stream: crm/Accounts, max_age: 36h}\n      - crm/Contacts")
	s := w.shows()
	lacks(t, s.get("/", http.StatusOK), "nightly has never run", "exactduck sync nightly", "exactduck auth login")

	run := w.run(syncOptions{})
	overview := s.get("/", http.StatusOK)
	lacks(t, overview, "All is well.", "Next is", "21 Nov, 04:15", "6 streams", "logged in", run.ID)
	lacks(t, s.get("/pipelines/nightly", http.StatusOK), "15 4 * * *", "Europe/Amsterdam", "crm/<wbr>Accounts")
	lacks(t, s.get("/pipelines/nightly/streams?stream=contacts", http.StatusOK), "2 of 6 streams", "crm/<wbr>Contacts")
	lacks(t, s.get("/runs", http.StatusOK), run.ID)
	lacks(t, s.get("/runs/"+run.ID, http.StatusOK), "crm/<wbr>Accounts", "first load")
	s.get("/runs/20200101T000000.000Z-aaaa", http.StatusNotFound)

	var facts page.Overview
	if err := json.Unmarshal([]byte(s.get("/api/v1/status", http.StatusOK)), &facts); err != nil {
		t.Fatal(err)
	}
	if p := facts.Pipelines[0]; p.Fresh.Lines != 6 || p.Last.ID != run.ID || p.Days[len(p.Days)-1].Calls != int64(run.Calls) || len(facts.Notices) != 0 {
		t.Errorf("the facts are %+v", facts)
	}

	w.clock.advance(48 * time.Hour)
	lacks(t, s.get("/", http.StatusOK), "need", "2 of 6 streams of nightly are older than max_age allows")
	s.press("pause")
	lacks(t, s.get("/", http.StatusOK), "nightly is paused", "exactduck schedule resume nightly", "Resume")
	s.press("resume")
	s.press("run")
	standings, err := w.schedules([]*config.Pipeline{w.pipeline()}, nil)
	if err != nil || standings[0].Paused || standings[0].Requested.IsZero() {
		t.Errorf("after the buttons: %+v, %v", standings, err)
	}
}

// What people must not see is nowhere on the page.
func TestPageShowsNoSecret(t *testing.T) {
	t.Parallel()
	w := newWorld(t, t.TempDir(), "      - crm/Accounts", sandbox.Options{Divisions: 1})
	run := w.run(syncOptions{})
	s := w.shows()
	_, secret := w.sandbox.Client()
	state, err := os.ReadFile(w.loginPath(t))
	if err != nil {
		t.Fatal(err)
	}
	tokens := regexp.MustCompile(`"(?:access|refresh)_token": ?"([^"]+)"`).FindAllStringSubmatch(string(state), -1)
	if len(tokens) == 0 {
		t.Fatal("there are no tokens to look for")
	}
	for _, path := range []string{"/", "/pipelines/nightly", "/pipelines/nightly/streams", "/runs", "/runs/" + run.ID, "/api/v1/status", "/api/v1/runs/" + run.ID, "/api/v1/pipelines/nightly"} {
		text := s.get(path, http.StatusOK)
		if strings.Contains(text, secret) {
			t.Errorf("%s shows the client secret", path)
		}
		for _, token := range tokens {
			if strings.Contains(text, token[1]) {
				t.Errorf("%s shows a token", path)
			}
		}
	}
}

func (b *books) loginPath(t *testing.T) string {
	t.Helper()
	l, err := b.logins("books")
	if err != nil {
		t.Fatal(err)
	}
	return l.store.Path()
}

// A run that was killed before it could say anything has no page.
func TestPageOfARecordThatSaysNothing(t *testing.T) {
	t.Parallel()
	w := newBooks(t)
	const id = "20261121T030000.000Z-0001"
	if err := os.MkdirAll(w.records(), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(w.records(), id+".ndjson"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]int{"/": http.StatusOK, "/runs": http.StatusOK, "/runs/" + id: http.StatusNotFound, "/api/v1/runs/" + id: http.StatusNotFound} {
		answer, r := httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost"+path, nil)
		r.RemoteAddr = "127.0.0.1:1"
		w.site().Handler().ServeHTTP(answer, r)
		if answer.Code != want {
			t.Errorf("%s: %d, want %d: %s", path, answer.Code, want, answer.Body)
		}
	}
}
