package auth_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"exactduck/auth"
)

// child is the process that the crash tests start: it makes one request at a time that is told
// to it, and may kill itself at a log record.
func child() int {
	now, err := time.Parse(time.RFC3339Nano, os.Getenv("AUTH_NOW"))
	if err != nil {
		return 2
	}
	kill, _ := strconv.Atoi(os.Getenv("AUTH_KILL"))
	log := slog.New(&killer{at: kill})
	host := os.Getenv("AUTH_HOST")
	o := auth.Options{
		App:   auth.App{Host: host, ClientID: clientID, ClientSecret: clientSecret},
		Store: openStore(os.Getenv("AUTH_DIR"), host, auth.Secret(os.Getenv("AUTH_KEY")), log),
		Clock: func() time.Time { return now }, Log: log, Command: "child", RetryWait: time.Millisecond,
	}
	switch file := os.Getenv("AUTH_BUNDLE"); os.Getenv("AUTH_DO") {
	case "export":
		_, err = auth.Export(context.Background(), o, file, bundlePassphrase)
	case "work":
		err = worker()
	case "pay login", "pay logout":
		err = payChild(o, os.Getenv("AUTH_DO"))
	case "import":
		_, err = auth.Import(context.Background(), o, file, bundlePassphrase, false)
	default:
		var tr *auth.Transport
		if tr, err = auth.New(o); err == nil {
			_, err = get(context.Background(), tr, host+"/api/v1/current/Me")
		}
	}
	return ended(err)
}

// ended is the exit code of a child.
func ended(err error) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, auth.ErrLoginRequired):
		fmt.Fprintln(os.Stderr, err)
		return 4
	}
	fmt.Fprintln(os.Stderr, err)
	return 5
}

// killer ends its process as kill -9 does, at one of its records.
type killer struct {
	mu sync.Mutex
	n  int
	at int
}

func (k *killer) Enabled(context.Context, slog.Level) bool { return true }
func (k *killer) WithAttrs([]slog.Attr) slog.Handler       { return k }
func (k *killer) WithGroup(string) slog.Handler            { return k }

func (k *killer) Handle(_ context.Context, r slog.Record) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.n++
	fmt.Fprintln(os.Stderr, "record", r.Message)
	if k.n == k.at {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
	return nil
}

func (s *site) command(ctx context.Context, kill int) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), "AUTH_CHILD=1", "AUTH_HOST="+s.URL, "AUTH_DIR="+s.dir,
		"AUTH_NOW="+s.clock().Format(time.RFC3339Nano), "AUTH_KILL="+strconv.Itoa(kill), "AUTH_KEY="+string(s.key))
	return cmd
}

// spawn runs a child to its end. It returns its exit code, -1 when it was killed, and the
// last thing it said.
func (s *site) spawn(t *testing.T, kill int, env ...string) (code int, last string) {
	t.Helper()
	cmd := s.command(t.Context(), kill)
	cmd.Env = append(cmd.Env, env...)
	var out strings.Builder
	cmd.Stderr = &out
	err := cmd.Run()
	_, _ = recorder{}.Write([]byte(out.String()))
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	return cmd.ProcessState.ExitCode(), lines[len(lines)-1]
}

func TestTwentyProcessesRefreshOnce(t *testing.T) {
	s := newSite(t)
	s.pass(600 * time.Second)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if code, last := s.spawn(t, 0); code != 0 {
				t.Errorf("exit %d: %s", code, last)
			}
		})
	}
	all.Wait()
	if calls, early, reuses := s.count(); calls != 1 || early+reuses > 0 {
		t.Errorf("%d token calls, %d too early, %d reuses; want one", calls, early, reuses)
	}
	if n := s.load(t).Calls.Count; n != 1 {
		t.Errorf("%d token calls counted on disk", n)
	}
}

func TestKilledAtEveryStepOfARefresh(t *testing.T) {
	_, key := newKey(t)
	steps := []string{
		"saving login", "saved login", "sending token call", "token call answered", // the attempt and the call
		"saving login", "saved login", // the answer
		"saving login", "saved login", // the pair before is let go of
	}
	t.Run("plain", func(t *testing.T) { killedAtEveryStep(t, "", steps) })
	steps = append([]string{"converting login", "converted login"}, steps...)
	t.Run("encrypted", func(t *testing.T) { killedAtEveryStep(t, key, steps) })
}

func killedAtEveryStep(t *testing.T, key auth.Secret, want []string) {
	var steps []string
	for at := 1; ; at++ {
		s := newSite(t)
		s.key = key
		s.pass(600 * time.Second)
		code, last := s.spawn(t, at)
		if code == 0 {
			break // there are fewer records than that
		}
		if code != -1 {
			t.Fatalf("killed at record %d: exit %d: %s", at, code, last)
		}
		steps = append(steps, strings.TrimPrefix(last, "record "))
		t.Run(fmt.Sprintf("%d %s", at, last), func(t *testing.T) { s.recovers(t) })
	}
	if strings.Join(steps, ",") != strings.Join(want, ",") {
		t.Errorf("steps %q, want %q", steps, want)
	}
}

// recovers checks what a start after a kill makes of what it finds.
func (s *site) recovers(t *testing.T) {
	t.Helper()
	calls, _, _ := s.count()
	state := s.load(t)
	if state.Attempt == nil && calls > 0 && string(state.Now.Refresh) != s.latest().refresh {
		t.Fatal("a call was made that the journal does not know of, and its answer is not on disk")
	}
	spent := string(state.Now.Refresh) != s.latest().refresh
	code, err := s.me(t, s.transport(t))
	if !spent {
		if code != http.StatusOK {
			t.Fatalf("the login was lost: %v", err)
		}
		s.works(t)
		return
	}
	// The server acted and the answer was not on disk yet: the one window that no client can
	// close. It must be named for what it is, and asked about only once.
	var login *auth.LoginError
	if !errors.As(err, &login) || login.Cause != auth.AnswerLost || login.Sent.IsZero() {
		t.Fatalf("the lost answer is not recognised: %v", err)
	}
	if _, err := s.me(t, s.transport(t)); !errors.Is(err, auth.ErrLoginRequired) {
		t.Fatal(err)
	}
	if _, _, reuses := s.count(); reuses != 1 {
		t.Errorf("the spent token was sent %d times", reuses)
	}
	s.logsIn(t)
}

func TestKilledWhenTheConnectionBroke(t *testing.T) {
	for name, broken := range map[string]fault{"before the server acted": {before: cut}, "after it": {after: cut}} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			s.pass(600 * time.Second)
			s.fail(1, broken)
			if code, last := s.spawn(t, 4); code != -1 || last != "record token call failed" {
				t.Fatalf("exit %d: %s", code, last)
			}
			s.recovers(t)
		})
	}
}

func TestKilledAtRandomMoments(t *testing.T) {
	s := newSite(t)
	lost := 0
	for range 25 {
		s.pass(600 * time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.IntN(40_000))*time.Microsecond)
		cmd := s.command(ctx, 0)
		_ = cmd.Run() // the context kills it
		cancel()
		_, _, before := s.count()
		_, err := s.me(t, s.transport(t))
		if err == nil {
			continue
		}
		lost++
		var login *auth.LoginError
		if _, _, reuses := s.count(); !errors.As(err, &login) || login.Cause != auth.AnswerLost || reuses != before+1 {
			t.Fatal("the login was lost without need:", err)
		}
		s.logsIn(t)
	}
	t.Logf("%d answers were lost on the wire", lost)
}
