package load

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
)

// children are what this test binary does when it is run again with EXACTDUCK_CHILD set.
var children = map[string]func() error{}

func TestMain(m *testing.M) {
	child, ok := children[os.Getenv("EXACTDUCK_CHILD")]
	if !ok {
		os.Exit(m.Run())
	}
	if err := child(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// spawn prepares a child that does what children[name] does.
func spawn(t testing.TB, name string, env ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), self)
	c.Env = append(append(os.Environ(), "EXACTDUCK_CHILD="+name), env...)
	c.Stderr = os.Stderr
	return c
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
	if k.seen.Add(1) != k.at {
		return nil
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
		return err
	}
	select {} // until the signal arrives
}

// killerFromEnv logs to a killer that strikes at the record that EXACTDUCK_KILL_AT names; 0: never.
func killerFromEnv() (*slog.Logger, error) {
	at, err := strconv.ParseInt(os.Getenv("EXACTDUCK_KILL_AT"), 10, 64)
	return slog.New(killer{at: at, seen: new(atomic.Int64)}), err
}

// killed tells whether a child ended by SIGKILL.
func killed(err error) bool {
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		return false
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}
