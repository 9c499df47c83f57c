package auth_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"exactduck/auth"
)

// long is set for campaigns that take minutes.
var long = os.Getenv("EXACTDUCK_LONG") != ""

// slow takes its time, as much as it takes a process to start.
func slow(http.ResponseWriter) bool {
	<-time.After(time.Duration(rand.IntN(40)) * time.Millisecond)
	return false
}

// troubles are what can become of one refresh, beside the kill.
var troubles = map[string]fault{
	"none":                    {},
	"slow":                    {before: slow, after: slow},
	"cut before it rotated":   {before: cut},
	"cut after it rotated":    {after: cut},
	"500 before it rotated":   {before: status(500, "text/html", "<html>")},
	"500 after it rotated":    {after: status(500, "text/plain", "Failed to execute the ExtractVariables: ExtractAccessToken")},
	"401":                     {before: status(401, "application/xml", "")},
	"empty before it rotated": {before: status(200, "application/json", "")},
	"empty after it rotated":  {after: status(200, "application/json", "")},
	"malformed": {body: func(p issued) string {
		return fmt.Sprintf(`{"access_token":%q,"refresh_token":%q,`, p.access, p.refresh)
	}},
	"cut before the refresh token": {body: func(p issued) string { return fmt.Sprintf(`{"access_token":%q,"refresh_to`, p.access) }},
}

// next makes the next token call, and no other, meet with trouble.
func (s *strict) next(f fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.faults)
	s.faults[s.calls+1] = f
}

// tally is what a campaign saw.
type tally struct{ trials, killed, survived, lost int }

// Whatever the token server does, and whenever the process is killed: the login survives unless
// the server had spent the refresh token and its answer was lost, and then it says so.
func TestKilledInEveryTrouble(t *testing.T) {
	trials := 4
	if long {
		trials = 250
	}
	for name, trouble := range troubles {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			if len(name)%2 == 0 {
				_, s.key = newKey(t)
			}
			var seen tally
			for n := range trials {
				s.trial(t, n, trouble, &seen)
			}
			_, early, _ := s.count()
			if early > 0 || seen.survived+seen.lost != seen.trials {
				t.Errorf("%d early refreshes, %+v", early, seen)
			}
			t.Logf("%s: %d trials, %d children killed; %d logins survived, %d answers lost on the wire", name, seen.trials, seen.killed, seen.survived, seen.lost)
		})
	}
}

// trial lets one child refresh and kills it at a log record or a random moment. Then the next
// process uses the login.
func (s *site) trial(t *testing.T, n int, trouble fault, seen *tally) {
	t.Helper()
	s.pass(time.Hour)
	s.next(trouble)
	_, _, before := s.count()
	ctx, cancel := t.Context(), context.CancelFunc(func() {})
	record := 0
	if n%2 == 0 {
		record = n/2%14 + 1
	} else {
		ctx, cancel = context.WithTimeout(ctx, time.Duration(rand.IntN(100_000))*time.Microsecond)
	}
	cmd := s.command(ctx, record)
	var said strings.Builder
	cmd.Stderr = &said
	_ = cmd.Run()
	cancel()
	_, _ = recorder{}.Write([]byte(said.String()))
	seen.trials++
	if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() == -1 {
		seen.killed++
	}
	s.next(fault{})

	_, err := s.me(t, s.transport(t))
	if state := s.load(t); err == nil && state.Attempt != nil && string(state.Now.Refresh) != s.latest().refresh {
		s.pass(time.Hour) // the access token was saved; the refresh token was not in the answer
		_, err = s.me(t, s.transport(t))
	}
	if err == nil {
		seen.survived++
		s.pass(time.Hour)
		if code, err := s.me(t, s.transport(t)); code != http.StatusOK {
			t.Fatalf("trial %d: the login works once and no more: %v", n, err)
		}
		return
	}
	login, ok := errors.AsType[*auth.LoginError](err)
	_, _, reuses := s.count()
	switch {
	case !ok || login.Cause != auth.AnswerLost || login.Sent.IsZero():
		t.Fatalf("trial %d: the login was lost without need: %v", n, err)
	case reuses == before || reuses > before+2:
		t.Fatalf("trial %d: the spent token was sent %d times", n, reuses-before)
	case string(s.load(t).Now.Refresh) == s.latest().refresh:
		t.Fatalf("trial %d: the newest pair is on disk and was not used", n)
	}
	seen.lost++
	s.logsIn(t)
}

// worker is a child that makes a request whenever it is told the time, until its input ends. It
// finds the login as the program does.
func worker() error {
	var now atomic.Pointer[time.Time]
	dir, err := auth.DefaultDir()
	if err != nil {
		return err
	}
	host := os.Getenv("AUTH_HOST")
	tr, err := auth.New(auth.Options{
		App:   auth.App{Host: host, ClientID: clientID, ClientSecret: clientSecret},
		Store: auth.NewFile(dir, host, clientID, nil),
		Clock: func() time.Time { return *now.Load() }, RetryWait: time.Millisecond,
	})
	if err != nil {
		return err
	}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		at, err := time.Parse(time.RFC3339Nano, lines.Text())
		if err != nil {
			return err
		}
		now.Store(&at)
		code, err := get(context.Background(), tr, host+"/api/v1/current/Me")
		if _, err := fmt.Fprintln(os.Stdout, code, err); err != nil {
			return err
		}
	}
	return nil
}

// colleague is a worker as its parent sees it.
type colleague struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func (s *site) hire(t *testing.T, configuration, state string) *colleague {
	t.Helper()
	cmd := s.command(t.Context(), 0)
	cmd.Dir, cmd.Env = configuration, append(cmd.Env, "AUTH_DO=work", "XDG_STATE_HOME="+state)
	in, inErr := cmd.StdinPipe()
	out, outErr := cmd.StdoutPipe()
	if err := errors.Join(inErr, outErr, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	return &colleague{cmd, in, bufio.NewReader(out)}
}

// Processes of two configurations of one app, all at once, all day: one refreshes, the others use
// what it got.
func TestADayOfManyProcesses(t *testing.T) {
	processes, step := 4, 10*time.Minute
	if long {
		processes, step = 50, 5*time.Minute
	}
	s, state := newSite(t), t.TempDir()
	shared := &site{strict: s.strict, dir: filepath.Join(state, "exactduck")}
	shared.save(t, s.load(t))
	configurations := []string{t.TempDir(), t.TempDir()}
	var all []*colleague
	for n := range processes {
		all = append(all, shared.hire(t, configurations[n%2], state))
	}
	requests := 0
	for passed := time.Duration(0); passed < 24*time.Hour; passed += step {
		now := shared.clock().Format(time.RFC3339Nano)
		var asking sync.WaitGroup
		for _, c := range all {
			requests++
			asking.Go(func() {
				_, err := fmt.Fprintln(c.in, now)
				answer, readErr := c.out.ReadString('\n')
				if err = errors.Join(err, readErr); err != nil || !strings.HasPrefix(answer, "200 ") {
					t.Errorf("at %s: %q %v", now, answer, err)
				}
			})
		}
		asking.Wait()
		shared.pass(step)
	}
	for _, c := range all {
		if err := errors.Join(c.in.Close(), c.cmd.Wait()); err != nil {
			t.Error(err)
		}
	}
	calls, early, reuses := shared.count()
	if early+reuses > 0 || calls > auth.MaxCalls || calls < 140 {
		t.Errorf("%d token calls, %d early, %d reuses", calls, early, reuses)
	}
	t.Logf("%d processes, %d requests, %d token calls, %d early, %d reuses", processes, requests, calls, early, reuses)
}
