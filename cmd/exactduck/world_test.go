package main

import (
	"context"
	"io"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"exactduck/auth"
	"exactduck/cmd/exactduck/config"
	"exactduck/extract/exactonline"
	"exactduck/extract/ledger"
	"exactduck/extract/sandbox"
	"exactduck/schema"
)

// world is a company, its books in a simulated Exact Online, and a warehouse that follows it. The
// clock moves only when a test or a wait moves it, so that nothing sleeps.
type world struct {
	*books
	t       *testing.T
	dir     string
	clock   *clock
	sandbox *sandbox.Sandbox
	wire    *wire
	log     *slog.Logger
	// lines go into the configuration as they are: of the connection, and of the pipeline.
	connectionLines, pipelineLines string
	maxCalls                       int // of each run; 0: no limit
}

type clock struct {
	mu    sync.Mutex
	now   time.Time
	since time.Time // of the bubble in which it runs by itself; zero: it does not
}

func (c *clock) time() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.since.IsZero() {
		return c.now.Add(time.Since(c.since))
	}
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// wait takes the place of a pause.
func (c *clock) wait(ctx context.Context, d time.Duration) error {
	if !c.since.IsZero() {
		return pause(ctx, d)
	}
	c.advance(d)
	return ctx.Err()
}

// pause is a real one, or in a bubble of package synctest as good as one.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return ctx.Err()
}

// Where a pipeline writes, with a lake and without.
const (
	withLake = "    to: {duckdb: books.duckdb, parquet: lake/}\n"
	lakeless = "    to: {duckdb: books.duckdb}\n"
)

// newWorld makes a world in a folder, or goes on with the one that is there. streams are the
// entries of the pipeline's list, indented by six.
func newWorld(t *testing.T, dir, streams string, o sandbox.Options) *world {
	t.Helper()
	w := &world{t: t, dir: dir, clock: &clock{now: time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)}, pipelineLines: lakeless}
	if o.Clock == nil {
		o.Clock = w.clock.time
	}
	simulated, err := sandbox.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { simulated.Close() })
	w.sandbox = simulated
	w.wire = &wire{clock: o.Clock, next: simulated.Transport()}
	w.log = slog.New(slog.DiscardHandler)
	if os.Getenv("EXACTDUCK_TEST_LOG") != "" {
		w.log = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	w.books = &books{config: w.configure(streams), dial: w.dial, clock: w.clock.time, log: w.log}
	return w
}

// reconfigure goes on with another list of streams.
func (w *world) reconfigure(streams string) {
	w.t.Helper()
	w.config = w.configure(streams)
}

func (w *world) configure(streams string) *config.Config {
	w.t.Helper()
	text := `version: 1
connections:
  books:
    type: exact-online
    base_url: http://127.0.0.1:8700
    client_id: app
    client_secret: secret
` + w.connectionLines + `pipelines:
  nightly:
    from: books
    streams:
` + streams + `
` + w.pipelineLines
	path := filepath.Join(w.dir, "pipelines.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	c, err := config.Load(path, catalogue)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// dial logs in to the sandbox when there is no login yet.
func (w *world) dial(ctx context.Context, _ string, division schema.Scope) (*connection, error) {
	id, secret := w.sandbox.Client()
	app := auth.App{Host: "http://127.0.0.1:8700", ClientID: id, ClientSecret: auth.Secret(secret), RedirectURL: "https://localhost:8585/callback"}
	store := auth.NewFile(filepath.Join(w.dir, "logins"), app.Host, id, w.log)
	transport, err := auth.New(auth.Options{App: app, Store: store, Base: w.wire, Clock: w.clock.time, Log: w.log})
	if err != nil {
		return nil, err
	}
	status, err := auth.ReadStatus(ctx, store, w.clock.time())
	if err != nil {
		return nil, err
	}
	if !status.LoggedIn {
		if err := w.login(ctx, app, store); err != nil {
			return nil, err
		}
	}
	if err := transport.Fresh(ctx); err != nil {
		return nil, err
	}
	source, err := exactonline.New(exactonline.Config{
		BaseURL: app.Host, Client: transport.Client(), Clock: w.clock.time, Wait: w.clock.wait, Log: w.log, Permanent: isLogin,
		Division: division, Ledger: ledger.New(filepath.Join(w.dir, "ledger"), w.log), LoggedIn: status.LoggedInAt,
		Reserve: reserve(w.config.Connections["books"].Reserve), MaxCalls: w.maxCalls,
	})
	return &connection{source: source}, err
}

// login is the round trip through the browser, with the redirected address pasted.
func (w *world) login(ctx context.Context, app auth.App, store auth.Store) error {
	input, browser := io.Pipe()
	defer input.Close()
	_, err := auth.Login(ctx, auth.LoginOptions{
		Options: auth.Options{App: app, Store: store, Base: w.wire, Clock: w.clock.time, Log: w.log},
		Input:   input, NoListener: true,
		Announce: func(p auth.Prompt) {
			go func() {
				page, err := url.Parse(p.URL)
				if err == nil {
					var back string
					back, err = w.sandbox.Authorize(app.RedirectURL, page.Query().Get("state"))
					_, _ = io.WriteString(browser, back+"\n")
				}
				browser.CloseWithError(err)
			}()
		},
	})
	return err
}

func (w *world) pipeline() *config.Pipeline { return w.config.Pipelines["nightly"] }

// run syncs once and expects it to end well.
func (w *world) run(o syncOptions) synced {
	w.t.Helper()
	result, err := w.sync(w.t.Context(), w.pipeline(), o)
	if err != nil {
		w.t.Fatalf("sync: %v", err)
	}
	return result
}

func (w *world) published() string { return filepath.Join(w.dir, "books.duckdb") }
