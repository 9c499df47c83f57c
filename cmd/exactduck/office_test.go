package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"exactduck/auth"
	"exactduck/cmd/exactduck/config"
	"exactduck/extract/sandbox"
	"exactduck/load/spool"
)

// What a child is told through its environment, beside its arguments.
const (
	childDoes = "EXACTDUCK_TEST_CHILD" // "program" or "reader"
	childAt   = "EXACTDUCK_TEST_KILL"  // the log record at which the program kills itself
	childTime = "EXACTDUCK_TEST_AHEAD" // how far the program's clock is ahead
)

// child is what this test binary does when a test runs it again.
func child() int {
	if os.Getenv(childDoes) == "reader" {
		return readAll()
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	if impatient() {
		context.AfterFunc(ctx, stop)
	}
	a := newApp(os.Stdin, os.Stdout, os.Stderr)
	if ahead, err := time.ParseDuration(os.Getenv(childTime)); err == nil {
		a.clock = func() time.Time { return time.Now().Add(ahead) }
	}
	if at, err := strconv.ParseInt(os.Getenv(childAt), 10, 64); err == nil {
		seen := new(atomic.Int64)
		a.wrapLog = func(slog.Handler) slog.Handler { return killer{at, seen} }
	}
	return execute(ctx, a, os.Args)
}

// killer is a log handler that kills its own process at the record with the given number.
type killer struct {
	at   int64
	seen *atomic.Int64
}

func (killer) Enabled(context.Context, slog.Level) bool { return true }
func (k killer) WithAttrs([]slog.Attr) slog.Handler     { return k }
func (k killer) WithGroup(string) slog.Handler          { return k }

func (k killer) Handle(context.Context, slog.Record) error {
	if k.seen.Add(1) < k.at {
		return nil
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
		return err
	}
	select {} // until the signal arrives
}

// office is a company whose books are in a simulated Exact Online on loopback, and a folder in
// which processes of the program work: real sockets, real files, and the real clock, which a test
// may set forward for both.
type office struct {
	t       *testing.T
	dir     string
	sandbox *sandbox.Sandbox
	url     string
	ahead   *atomic.Int64
}

// newOffice opens an office in which somebody has logged in. streams are the entries of the
// pipeline's list, indented by six. Limits that o leaves out are out of reach.
func newOffice(t *testing.T, streams string, o sandbox.Options) *office {
	t.Helper()
	of := &office{t: t, dir: filepath.Join(t.TempDir(), "office"), ahead: new(atomic.Int64)}
	o.Clock = of.now
	if o.MinuteLimit == 0 {
		o.MinuteLimit = 1_000_000
	}
	if o.DayLimit == 0 {
		o.DayLimit = 100_000_000
	}
	o.Window = time.Second
	simulated, err := sandbox.New(o)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(simulated)
	t.Cleanup(server.Close)
	of.sandbox, of.url = simulated, server.URL
	of.configure(streams)
	of.login()
	return of
}

func (o *office) now() time.Time { return time.Now().Add(time.Duration(o.ahead.Load())) }

// later lets time pass. The login is refreshed if that is due then: a kill between the token
// server's answer and our disk loses a login, as package auth says and tests; here it would only
// hide what else may go wrong.
func (o *office) later(d time.Duration) {
	o.t.Helper()
	o.ahead.Add(int64(d))
	o.fresh()
}

func (o *office) configure(streams string) {
	o.t.Helper()
	id, secret := o.sandbox.Client()
	text := fmt.Sprintf(`version: 1
state_dir: state
connections:
  books:
    type: exact-online
    base_url: %s
    client_id: %s
    client_secret: %s
    redirect_url: https://localhost:8585/callback
pipelines:
  nightly:
    from: books
    streams:
%s
    to: {duckdb: books.duckdb, parquet: lake/}
`, o.url, id, secret, streams)
	if err := os.MkdirAll(o.dir, 0o700); err != nil {
		o.t.Fatal(err)
	}
	if err := os.WriteFile(o.file("pipelines.yaml"), []byte(text), 0o600); err != nil {
		o.t.Fatal(err)
	}
}

func (o *office) file(name string) string { return filepath.Join(o.dir, name) }

func (o *office) config() *config.Config {
	o.t.Helper()
	c, err := config.Load(o.file("pipelines.yaml"), catalogue)
	if err != nil {
		o.t.Fatal(err)
	}
	return c
}

func (o *office) options() auth.Options {
	o.t.Helper()
	a := newApp(nil, io.Discard, io.Discard)
	a.clock = o.now
	k := &call{app: a, name: "test", cfg: o.config(), log: slog.New(slog.DiscardHandler)}
	l, err := k.login("books")
	if err != nil {
		o.t.Fatal(err)
	}
	return l.options(k)
}

func (o *office) login() {
	o.t.Helper()
	input, browser := io.Pipe()
	defer input.Close()
	_, err := auth.Login(o.t.Context(), auth.LoginOptions{
		Options: o.options(), Input: input, NoListener: true,
		Announce: func(p auth.Prompt) { go agree(o.t.Context(), p.URL, browser) },
	})
	if err != nil {
		o.t.Fatal(err)
	}
}

// fresh fails the test when the login is lost.
func (o *office) fresh() {
	o.t.Helper()
	transport, err := auth.New(o.options())
	if err == nil {
		err = transport.Fresh(o.t.Context())
	}
	if err != nil {
		o.t.Fatalf("the login is lost: %v", err)
	}
}

// copy is another office of the same company, with the files as they are now. Logins are copied
// too, so only one of the two may let time pass; in a campaign so long that the copies would come to
// refresh the login that they share, the first one logs in anew.
func (o *office) copy(t *testing.T) *office {
	t.Helper()
	status, err := auth.ReadStatus(t.Context(), o.options().Store, o.now())
	if err != nil {
		t.Fatal(err)
	}
	if status.AccessAge > 400 {
		o.login()
	}
	of := *o
	of.t, of.dir = t, filepath.Join(t.TempDir(), "office")
	if out, err := exec.CommandContext(t.Context(), "cp", "-a", o.dir, of.dir).CombinedOutput(); err != nil {
		t.Fatalf("copy %s: %v: %s", o.dir, err, out)
	}
	return &of
}

// process prepares a run of the program in the office.
func (o *office) process(args ...string) *exec.Cmd {
	o.t.Helper()
	self, err := os.Executable()
	if err != nil {
		o.t.Fatal(err)
	}
	c := exec.CommandContext(o.t.Context(), self, args...)
	c.Dir = o.dir
	c.Env = append(os.Environ(), childDoes+"=program", childTime+"="+time.Duration(o.ahead.Load()).String())
	return c
}

// run runs the program and expects an exit code; it returns what was said on standard error.
func (o *office) run(code int, args ...string) string {
	o.t.Helper()
	var said bytes.Buffer
	c := o.process(args...)
	c.Stderr = &said
	if got := codeOf(c.Run()); got != code {
		o.t.Fatalf("%s ends with %d, want %d: %s", strings.Join(args, " "), got, code, said.String())
	}
	return said.String()
}

// codeOf is the exit code of a process; -1: a signal ended it.
func codeOf(err error) int {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode()
	}
	if err != nil {
		return -2
	}
	return 0
}

// kill lets the program run until its log record n and tells whether it came that far.
func (o *office) kill(n int, args ...string) bool {
	o.t.Helper()
	c := o.process(append(args, "-v")...)
	c.Env = append(c.Env, childAt+"="+strconv.Itoa(n))
	err := c.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL {
		return true
	}
	if err != nil {
		o.t.Fatalf("%s, to be killed at record %d: %v", strings.Join(args, " "), n, err)
	}
	return false
}

func (o *office) change(c ...sandbox.Change) {
	o.t.Helper()
	for _, c := range c {
		if err := o.sandbox.Change(c); err != nil {
			o.t.Fatal(err)
		}
	}
}

// equal compares the published tables with the books.
func (o *office) equal(except ...string) {
	o.t.Helper()
	comparison{o.t, o.file("books.duckdb"), o.config().Pipelines["nightly"], o.sandbox}.equal(except...)
}

// tidy fails the test when runs have left anything behind that no run needs any more.
func (o *office) tidy() {
	o.t.Helper()
	for _, path := range o.spooled() {
		file, err := spool.Open(path)
		if err != nil {
			o.t.Fatal(err)
		}
		o.t.Errorf("a spool is left: %+v, whole: %v", file.Header(), file.Done())
		if err := file.Close(); err != nil {
			o.t.Error(err)
		}
	}
	for _, pattern := range []string{".*", "*.wal", "lake/.*", "lake/runs/.*", "lake/*/.*", "state/*.adopting", "state/*.wal"} {
		if left, err := filepath.Glob(o.file(pattern)); err != nil || len(left) > 0 {
			o.t.Errorf("left behind: %v, %v", left, err)
		}
	}
	if kept, err := filepath.Glob(o.file("lake/runs/*")); err != nil || len(kept) > 2 {
		o.t.Errorf("%d snapshots are kept, %v; want 2", len(kept), err)
	}
}

// calls is how often the simulated Exact was asked for something whose address ends like this.
func (o *office) calls(path string) int {
	sum := 0
	for p, n := range o.sandbox.Calls() {
		if strings.HasSuffix(strings.ToLower(p), strings.ToLower(path)) {
			sum += n
		}
	}
	return sum
}

// spooled are the reads that wait for a run to go on with them.
func (o *office) spooled() []string {
	o.t.Helper()
	left, err := filepath.Glob(o.file("state/spool/nightly/*.spool"))
	if err != nil {
		o.t.Fatal(err)
	}
	return left
}
