package main

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"exactduck/cmd/exactduck/alert"
	"exactduck/cmd/exactduck/config"
	"exactduck/extract/sandbox"
)

// listener is somebody who is told, on loopback. Its address has a secret in it.
type listener struct {
	*httptest.Server
	mu   sync.Mutex
	got  []heard
	down bool
}

type heard struct{ ID, Status, Kind, Pipeline, Subject, Message string }

const hookSecret = "hush-T00-B00-hook"

// listened makes the office tell somebody: of everything, and of each success by a ping.
func (o *office) listened() *listener {
	o.t.Helper()
	l := &listener{}
	l.Server = httptest.NewServer(l)
	o.t.Cleanup(l.Close)
	text, err := os.ReadFile(o.file("pipelines.yaml"))
	if err == nil {
		text = append(text, "alerts: [{webhook: file:hook}, {ping: file:ping}]\n"...)
		err = errors.Join(
			os.WriteFile(o.file("pipelines.yaml"), text, 0o600),
			os.WriteFile(o.file("hook"), []byte(l.URL+"/"+hookSecret), 0o600),
			os.WriteFile(o.file("ping"), []byte(l.URL+"/ping-"+hookSecret), 0o600),
		)
	}
	if err != nil {
		o.t.Fatal(err)
	}
	return l
}

func (l *listener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var h heard
	body, _ := io.ReadAll(r.Body)
	_ = json.Unmarshal(body, &h)
	if r.Method == http.MethodGet {
		h.Kind = "ping"
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	l.got = append(l.got, h)
}

// heard is what the listener was told since it was asked last, in short, sorted.
func (l *listener) heard() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := []string{}
	for _, h := range l.got {
		all = append(all, strings.Join(strings.Fields(h.Status+" "+h.Kind+" "+h.Subject), " "))
	}
	l.got = nil
	slices.Sort(all)
	return all
}

func (o *office) expect(l *listener, want ...string) {
	o.t.Helper()
	if got := l.heard(); !slices.Equal(got, want) {
		o.t.Errorf("told %q, want %q", got, want)
	}
}

// hushed fails the test when an address has got into a file or onto a terminal.
func (o *office) hushed(said string) {
	o.t.Helper()
	if strings.Contains(said, hookSecret) {
		o.t.Errorf("a secret is said: %s", said)
	}
	err := filepath.WalkDir(o.file("state"), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		if strings.Contains(string(text), hookSecret) {
			o.t.Errorf("a secret is in %s", path)
		}
		return err
	})
	if err != nil {
		o.t.Error(err)
	}
}

// The words of the configuration are those that the alerts have.
func TestWordsOfAlerts(t *testing.T) {
	t.Parallel()
	for i, kind := range alert.Kinds() {
		if config.AlertKinds[i] != string(kind) {
			t.Errorf("the configuration says %s of %s", config.AlertKinds[i], kind)
		}
	}
	for i, shape := range alert.Shapes() {
		if config.AlertShapes[i] != string(shape) {
			t.Errorf("the configuration says %s of %s", config.AlertShapes[i], shape)
		}
	}
}

// messagesOf are the messages of a log in JSON.
func messagesOf(log string) (messages []string) {
	for line := range strings.Lines(log) {
		var record struct{ Msg string }
		if json.Unmarshal([]byte(line), &record) == nil && record.Msg != "" {
			messages = append(messages, record.Msg)
		}
	}
	return messages
}

// However many processes see what is wrong, and wherever they are killed while they tell it, it is told;
// and a second time only under the same id.
func TestAlertsOfKilledRuns(t *testing.T) {
	t.Parallel()
	o := newOffice(t, "      - crm/Accounts\n      - crm/Contacts", sandbox.Options{Divisions: 1, Scale: 0.05})
	l := o.listened()
	o.run(0, "sync", "-q")
	o.expect(l, "ping")
	if err := o.sandbox.Forbid("crm/Contacts"); err != nil {
		t.Fatal(err)
	}
	o.later(time.Hour)
	told := messagesOf(o.copy(t).run(exitPartial, "sync", "-v", "--log-format", "json"))
	o.expect(l, "problem partial forbidden")
	first := slices.Index(told, "telling a receiver")
	last := slices.Index(told, "noted that it was told")
	if first < 0 || last < first {
		t.Fatalf("steps are %q", told[max(0, len(told)-20):])
	}
	for n := first; n <= last+1; n++ {
		of := o.copy(t)
		c := of.process("sync", "-v")
		c.Env = append(c.Env, childAt+"="+strconv.Itoa(n+1))
		if code := codeOf(c.Run()); code != -1 && n <= last {
			t.Errorf("to be killed at %d, it ends with %d", n, code)
		}
		said := of.run(exitPartial, "sync", "-q")
		l.mu.Lock()
		ids := map[string]int{}
		for _, h := range l.got {
			ids[h.ID]++
			if h.Kind != "partial" {
				t.Errorf("killed at %d: told of %+v", n, h)
			}
		}
		l.got = nil
		l.mu.Unlock()
		if len(ids) != 1 {
			t.Errorf("killed at %d: told %v", n, ids)
		}
		of.hushed(said)
	}
}

// What serve sees between runs is told by it, what a sync sees by that, and nothing twice.
func TestServeTellsBetweenRuns(t *testing.T) {
	t.Parallel()
	o := newOffice(t, "      - {stream: crm/Accounts, max_age: 36h}", sandbox.Options{Divisions: 2, Scale: 0.05})
	l := o.listened()
	o.run(0, "sync", "-q")
	o.expect(l, "ping")
	o.later(40 * time.Hour)
	l.down = true
	s := o.serve()
	s.await("could not be told: it answered 503")
	s.stop()
	o.hushed(s.said.String())
	l.mu.Lock()
	l.down = false
	l.mu.Unlock()
	o.later(2 * time.Minute)
	for range 2 {
		s = o.serve("-v")
		s.await("looked at what is wrong")
		s.stop()
	}
	o.expect(l, "problem stale")
	o.run(0, "sync", "-q")
	o.expect(l, "ping", "recovered stale")
}

// A run that ends before it can write a record is told of too.
func TestServeTellsOfARunThatCouldNotBegin(t *testing.T) {
	t.Parallel()
	o := newScheduled(t, "      - crm/Contacts")
	l := o.listened()
	s := o.serve()
	if err := os.WriteFile(o.file("state/schedule/accepted.yaml"), []byte("version: [\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o.run(0, "schedule", "run", "nightly", "-q")
	s.await("run ended badly")
	s.stop()
	for range 2 {
		s = o.serve("-v") // which writes the file anew
		s.await("looked at what is wrong")
		s.stop()
	}
	o.expect(l, "problem failure configuration")
	o.run(0, "schedule", "run", "nightly", "-q")
	s = o.serve()
	s.await("msg=\"run ended\"")
	s.stop()
	o.expect(l, "ping", "recovered failure configuration")
}

// That serve does nothing, because it cannot read what it must remember, is told too.
func TestServeTellsThatItIsBlind(t *testing.T) {
	t.Parallel()
	o := newOffice(t, "      - crm/Accounts", sandbox.Options{Divisions: 1, Scale: 0.05})
	l := o.listened()
	if err := os.MkdirAll(o.file("state/schedule"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(o.file("state/schedule/book.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		s := o.serve("-v")
		s.await("looked at what is wrong")
		s.await("schedules cannot be followed")
		s.stop()
	}
	o.expect(l, "problem failure serve")
	if err := os.Remove(o.file("state/schedule/book.json")); err != nil {
		t.Fatal(err)
	}
	s := o.serve("-v")
	s.await("looked at what is wrong")
	s.stop()
	o.expect(l, "recovered failure serve")
}

// fetch is what a serving process answers.
func (s *server) fetch(path string) (int, string) {
	s.o.t.Helper()
	found := regexp.MustCompile(`listen=(\S+)`).FindStringSubmatch(s.said.String())
	r, err := http.NewRequestWithContext(s.o.t.Context(), http.MethodGet, "http://"+found[1]+path, nil)
	if err != nil {
		s.o.t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		s.o.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		s.o.t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

// Machines are told by a serving process whether the tables are fresh, and how things are.
func TestServeAnswersMachines(t *testing.T) {
	t.Parallel()
	o := newOffice(t, "      - {stream: crm/Accounts, max_age: 36h}", sandbox.Options{Divisions: 2, Scale: 0.05})
	o.run(0, "sync", "-q")
	o.later(40 * time.Hour)
	s := o.serve("--listen", "127.0.0.1:0")
	if code, text := s.fetch("/healthz"); code != http.StatusOK || text != "alive\n" {
		t.Errorf("alive: %d %s", code, text)
	}
	if code, text := s.fetch("/readyz"); code != http.StatusServiceUnavailable || !strings.Contains(text, "stale: nightly crm/Accounts in 2 divisions") {
		t.Errorf("ready: %d %s", code, text)
	}
	code, text := s.fetch("/metrics")
	for _, want := range []string{
		`exactduck_stream_stale{pipeline="nightly",stream="crm/Accounts"} 2`, `exactduck_last_run_exit_code{pipeline="nightly"} 0`,
		`exactduck_alerts_open{kind="stale",pipeline="nightly"} 1`, `exactduck_login_valid{connection="books"} 1`,
		"exactduck_last_run_rows_read", "exactduck_last_run_calls", "exactduck_calls_left", "process_open_fds",
	} {
		if code != http.StatusOK || !strings.Contains(text, want) {
			t.Errorf("%d: want %s, got\n%s", code, want, text)
		}
	}
	listen := regexp.MustCompile(`listen=(\S+)`).FindStringSubmatch(s.said.String())[1]
	o.run(0, "health", "--listen", listen)
	o.run(exitPartial, "health", "--ready", "--listen", listen)
	o.run(0, "sync", "-q")
	o.until("the tables are fresh", func() bool { code, _ := s.fetch("/readyz"); return code == http.StatusOK })
	if _, text := s.fetch("/metrics"); !strings.Contains(text, `exactduck_stream_stale{pipeline="nightly",stream="crm/Accounts"} 0`) || strings.Contains(text, `kind="stale"`) {
		t.Errorf("figures of what is fresh:\n%s", text)
	}
	o.run(0, "health", "--ready", "--listen", listen)
	s.stop()
	o.run(exitMachine, "health", "--listen", listen)
}
