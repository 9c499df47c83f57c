package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"exactduck/auth"
	"exactduck/extract/sandbox/pay"
)

// pseudoTerminal is a terminal and the person at it.
func pseudoTerminal(t *testing.T) (person, terminal *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("this machine gives nobody a terminal:", err)
	}
	t.Cleanup(func() { person.Close() })
	fd := int(person.Fd())
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { terminal.Close() })
	return person, terminal
}

// TestAPasswordIsAskedForUnseen logs in and out as a person at a terminal does.
func TestAPasswordIsAskedForUnseen(t *testing.T) {
	t.Parallel()
	simulated, err := pay.New(pay.Options{Seed: 1, Scale: 0.05})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(simulated)
	t.Cleanup(server.Close)
	user, dir := simulated.Credentials(), t.TempDir()
	text := fmt.Sprintf("version: 1\nstate_dir: state\nconnections:\n  shop: {type: exactpay, base_url: %s, application: %s, organization: %s}\n"+
		"pipelines:\n  all: {streams: [exactpay/payments], to: {duckdb: warehouse.duckdb}}\n", server.URL, user.Application, user.Organization)
	if err := os.WriteFile(filepath.Join(dir, "pipelines.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, words := range [][]string{{"auth", "login"}, {"auth", "logout"}} {
		person, terminal := pseudoTerminal(t)
		var out bytes.Buffer
		a := newApp(terminal, &out, terminal)
		a.getenv = func(string) (string, bool) { return "", false }
		shown := converse(t.Context(), person, map[string]string{
			"[y/N] ": "y", "e-mail address at Exact Payments: ": user.Email, "password of " + user.Email + ": ": user.Password,
		})
		code := a.run(t.Context(), append([]string{"exactduck"}, append(words, "--config", filepath.Join(dir, "pipelines.yaml"))...))
		_ = terminal.Close()
		screen := shown()
		if code != 0 || strings.Contains(screen+out.String(), user.Password) || !strings.Contains(screen, "password of "+user.Email) {
			t.Errorf("%v: exit code %d, the screen shows %q, and the result is %q", words, code, screen, out.String())
		}
	}
	status, err := auth.ReadStatus(t.Context(), auth.NewFile(filepath.Join(dir, "state", "logins"), server.URL,
		auth.PayApp{Application: user.Application, Organization: user.Organization}.ID(), nil), time.Now())
	if err != nil || status.LoggedIn {
		t.Errorf("after a logout: %+v, %v", status, err)
	}
}

func echoes(terminal *os.File) bool {
	state, err := unix.IoctlGetTermios(int(terminal.Fd()), unix.TCGETS)
	return err == nil && state.Lflag&unix.ECHO != 0
}

// converse answers what is asked, each question once, and returns what shows on the screen in the end.
func converse(ctx context.Context, person *os.File, answers map[string]string) (shown func() string) {
	var screen bytes.Buffer
	var over sync.WaitGroup
	over.Go(func() {
		some := make([]byte, 1024)
		for ctx.Err() == nil {
			n, err := person.Read(some)
			screen.Write(some[:n])
			if err != nil {
				return
			}
			for question, answer := range answers {
				if strings.HasSuffix(screen.String(), question) {
					delete(answers, question)
					for strings.HasPrefix(question, "password") && echoes(person) { // nobody types before the terminal is ready
						runtime.Gosched()
					}
					_, _ = person.WriteString(answer + "\n")
				}
			}
		}
	})
	return func() string { over.Wait(); return screen.String() }
}
