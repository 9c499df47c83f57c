package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/urfave/cli/v2"

	"exactduck/auth"
	"exactduck/cmd/exactduck/config"
	"exactduck/extract/sandbox"
)

// month is a company in whose office the program serves in simulated time: the service, its runs, the
// warehouses and the alerts are real, and the receiver of these is on loopback. Runs are made in this
// process, since processes have clocks of their own.
type month struct {
	t       *testing.T
	dir     string
	off     time.Duration // from the time of the bubble to that of the office
	sandbox *sandbox.Sandbox
	told    *confidant
	every   time.Duration // the rhythm of the service
	tells   time.Duration // and of its looking after alerts
	stop    func()        // ends the service

	mu     sync.Mutex
	ran    []ranAt
	alerts []toldAt
}

// ranAt is a run that the service made.
type ranAt struct {
	pipeline   string
	start, end time.Time
	exit       int
}

// toldAt is what the receiver was told, and when.
type toldAt struct {
	at time.Time
	message
}

type message struct {
	ID, Status, Kind, Pipeline, Subject, Message string
	Alerts                                       []message
}

// confidant is told, outside of the bubble: what waits for a connection there would stop its clock.
type confidant struct {
	*httptest.Server
	mu  sync.Mutex
	got []message
}

func newConfidant(t *testing.T) *confidant {
	t.Helper()
	r := &confidant{}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *confidant) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	m := message{Kind: "ping"}
	if q.Method == http.MethodPost {
		if err := json.NewDecoder(q.Body).Decode(&m); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if m.Alerts == nil {
		m.Alerts = []message{m}
	}
	r.got = append(r.got, m.Alerts...)
}

func (r *confidant) take() []message {
	r.mu.Lock()
	defer r.mu.Unlock()
	got := r.got
	r.got = nil
	return got
}

// monthPipelines are those of the office; these two share a warehouse.
const monthPipelines = `version: 1
state_dir: state
connections:
  books:
    type: exact-online
    base_url: http://127.0.0.1:8700
    client_id: %s
    client_secret: %s
alerts: [{webhook: file:hook}, {ping: file:ping}]
pipelines:
  nightly:
    from: books
    schedule: "30 2 * * *"
    timezone: Europe/Amsterdam
    defaults: {max_age: 36h}
    streams: [crm/Accounts, crm/Addresses]
    to: {duckdb: books.duckdb}
  weekly:
    from: books
    schedule: "0 3 * * 0"
    timezone: Europe/Amsterdam
    streams: [logistics/Items]
    to: {duckdb: books.duckdb}
`

// officePipeline runs often.
const officePipeline = `  office:
    from: books
    schedule: "0 8,13,18 * * 1-5"
    timezone: Europe/Amsterdam
    streams: [crm/Contacts]
    to: {duckdb: items.duckdb}
`

// newMonth opens an office in a bubble, in which somebody has logged in.
func newMonth(t *testing.T, dir string, told *confidant, now time.Time) *month {
	t.Helper()
	m := &month{t: t, dir: dir, told: told, off: time.Until(now), every: 2 * time.Minute, tells: 10 * time.Minute}
	pipelines := monthPipelines
	if long() {
		m.every, m.tells, pipelines = time.Minute, time.Minute, pipelines+officePipeline
	}
	var err error
	if m.sandbox, err = sandbox.New(sandbox.Options{Divisions: 1, Scale: 0.05, Clock: m.now}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.sandbox.Close() })
	id, secret := m.sandbox.Client()
	m.must(errors.Join(
		os.WriteFile(m.file("pipelines.yaml"), fmt.Appendf(nil, pipelines, id, secret), 0o600),
		os.WriteFile(m.file("hook"), []byte(told.URL+"/hook"), 0o600),
		os.WriteFile(m.file("ping"), []byte(told.URL+"/ping"), 0o600),
	))
	m.login()
	return m
}

func (m *month) now() time.Time { return time.Now().Add(m.off).UTC() }

func (m *month) file(name string) string { return filepath.Join(m.dir, name) }

func (m *month) must(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

// app is the program in the office.
func (m *month) app() *app {
	a := newApp(strings.NewReader(""), io.Discard, m.t.Output())
	a.clock, a.wire = m.now, m.sandbox.Transport()
	return a
}

// login is what a person does in a browser.
func (m *month) login() {
	m.t.Helper()
	cfg, err := config.Load(m.file("pipelines.yaml"), catalogue)
	m.must(err)
	k := &call{app: m.app(), name: "auth login", cfg: cfg, log: slog.New(slog.DiscardHandler)}
	l, err := k.login("books")
	m.must(err)
	input, browser := io.Pipe()
	defer input.Close()
	_, err = auth.Login(m.t.Context(), auth.LoginOptions{
		Options: l.options(k), Input: input, NoListener: true,
		Announce: func(p auth.Prompt) {
			go func() {
				page, err := url.Parse(p.URL)
				if err == nil {
					var back string
					back, err = m.sandbox.Authorize(l.app.RedirectURL, page.Query().Get("state"))
					_, _ = io.WriteString(browser, back+"\n")
				}
				browser.CloseWithError(err)
			}()
		},
	})
	m.must(err)
}

// elsewhere somebody logs in with the same app, which ends the login that is here.
func (m *month) elsewhere() {
	m.t.Helper()
	id, secret := m.sandbox.Client()
	const redirect = "https://localhost:8585/callback"
	back, err := m.sandbox.Authorize(redirect, "elsewhere")
	m.must(err)
	page, err := url.Parse(back)
	m.must(err)
	form := url.Values{
		"grant_type": {"authorization_code"}, "code": {page.Query().Get("code")}, "redirect_uri": {redirect},
		"client_id": {id}, "client_secret": {secret},
	}
	r, err := http.NewRequestWithContext(m.t.Context(), http.MethodPost, "http://127.0.0.1:8700/api/oauth2/token", strings.NewReader(form.Encode()))
	m.must(err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := m.sandbox.Transport().RoundTrip(r)
	m.must(err)
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		m.t.Fatalf("the login elsewhere is answered %d", answer.StatusCode)
	}
}

// command runs a command line as the program does; do takes the place of what the command does, if it
// is given.
func (m *month) command(ctx context.Context, adopted string, args []string, do func(context.Context, *call) (*view, error)) int {
	a := m.app()
	a.adopted = adopted
	code := 0
	at := slices.IndexFunc(commands(), func(c command) bool { return c.name == args[0] })
	c := commands()[at]
	if do != nil {
		c.do = do
	}
	program := &cli.App{
		Name: "exactduck", Reader: a.in, Writer: a.out, ErrWriter: a.err, HideHelpCommand: true, HideVersion: true,
		ExitErrHandler: func(*cli.Context, error) {}, Commands: []*cli.Command{a.leaf(c, &code)},
	}
	if err := program.RunContext(ctx, append([]string{"exactduck"}, args...)); err != nil {
		m.t.Errorf("%v: %v", args, err)
	}
	return code
}

// boot starts the service.
func (m *month) boot() {
	ctx, cancel := context.WithCancel(m.t.Context())
	done := make(chan int, 1)
	go func() {
		done <- m.command(ctx, "", []string{"serve", "--listen", "off", "--config", m.file("pipelines.yaml"), "-q"}, m.serve)
	}()
	m.stop = func() {
		m.t.Helper()
		cancel()
		if code := <-done; code != 0 {
			m.t.Errorf("serve ends with %d", code)
		}
	}
}

// serve is what the service does, in a slower rhythm, with runs in this process.
func (m *month) serve(ctx context.Context, k *call) (*view, error) {
	s, end, err := k.service(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	s.child = func(ctx context.Context, pipeline string, _ *os.File) (int, error) {
		run := ranAt{pipeline: pipeline, start: m.now()}
		run.exit = m.command(ctx, s.settings.path, s.childArgs(pipeline), nil)
		run.end = m.now()
		m.mu.Lock()
		defer m.mu.Unlock()
		m.ran = append(m.ran, run)
		m.hear()
		return run.exit, nil
	}
	r := s.roster()
	r.every = m.every
	for i := range r.chores {
		r.chores[i].every = max(m.tells, r.chores[i].every)
		do := r.chores[i].do
		r.chores[i].do = func(ctx context.Context) {
			do(ctx)
			m.mu.Lock()
			defer m.mu.Unlock()
			m.hear()
		}
	}
	r.run(ctx)
	return &view{}, nil
}

// hear notes when the receiver was told what it was told. The caller holds the lock.
func (m *month) hear() {
	for _, got := range m.told.take() {
		m.alerts = append(m.alerts, toldAt{m.now(), got})
	}
}

// until lets time pass.
func (m *month) until(at time.Time) {
	m.t.Helper()
	m.must(pauseFor(m.t.Context(), at.Sub(m.now())))
}

// equal holds all warehouses against the books.
func (m *month) equal() {
	m.t.Helper()
	cfg, err := config.Load(m.file("pipelines.yaml"), catalogue)
	m.must(err)
	for _, name := range cfg.PipelineNames() {
		p := cfg.Pipelines[name]
		comparison{m.t, p.To.DuckDB, p, m.sandbox}.equal()
	}
}

// change is a day's work at some streams.
func (m *month) change(entities ...string) {
	m.t.Helper()
	for _, entity := range entities {
		m.must(m.sandbox.Change(sandbox.Change{Entity: entity, Insert: 2, Update: 2, Delete: 1}))
	}
}

// mounted puts a small file system into a folder, where that is permitted.
func mounted(t *testing.T, dir string) bool {
	t.Helper()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=96m"); err != nil {
		t.Logf("no disk is full: mounting a small one is not permitted: %v", err)
		return false
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return true
}
