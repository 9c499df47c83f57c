package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"exactduck/cmd/exactduck/runs"
	"exactduck/cmd/exactduck/schedule"
)

const (
	// servedBy tells a child that it was started by serve, and where the configuration is that it goes by.
	servedBy = "EXACTDUCK_SERVED_BY"
	// inherited is the descriptor of the lock that a child holds while it lives.
	inherited = 3
	// childGrace is how long a child may take to end once it is asked to.
	childGrace = 7 * time.Second
	// killed is the exit code of a process that a signal has ended.
	killed = -1
)

// start runs one pipeline in a process of its own and waits for its end.
func (s *service) start(ctx context.Context, t schedule.Turn) int {
	cfg := s.settings.now()
	lock, err := lockRun(scheduleDir(cfg), t.Pipeline)
	if errors.Is(err, errRunning) {
		return exitBusy
	}
	if err != nil {
		s.log.ErrorContext(ctx, "run could not be started", "pipeline", t.Pipeline, "error", err)
		return exitMachine
	}
	defer lock.Close()
	began := s.clock()
	s.log.InfoContext(ctx, "run starts", "pipeline", t.Pipeline, "why", string(t.Why), "due_at", t.Due.UTC(), "caught_up", t.Caught)
	exit, err := s.child(ctx, t.Pipeline, lock)
	s.sayEnded(context.WithoutCancel(ctx), t.Pipeline, began, exit, err)
	return exit
}

// process runs a pipeline in a process of its own, which inherits its lock.
func (s *service) process(ctx context.Context, pipeline string, lock *os.File) (int, error) {
	self, err := os.Executable()
	if err != nil {
		return exitMachine, err
	}
	c := exec.CommandContext(ctx, self, s.childArgs(pipeline)...)
	c.Env = append(os.Environ(), servedBy+"="+s.settings.path)
	c.Stderr = s.err
	c.ExtraFiles = []*os.File{lock}
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a Ctrl-C is for the service to pass on
	c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) }
	c.WaitDelay = childGrace
	err = c.Run()
	if c.ProcessState == nil {
		if ctx.Err() != nil {
			return exitInterrupted, nil
		}
		return exitMachine, err
	}
	return c.ProcessState.ExitCode(), nil
}

func (s *service) childArgs(pipeline string) []string {
	args := []string{"sync", "--wait", "--config", s.settings.now().Path(), "--log-format", s.String("log-format")}
	for _, flag := range []string{"q", "v"} {
		if s.Bool(flag) {
			args = append(args, "-"+flag)
		}
	}
	return append(args, pipeline)
}

func (s *service) sayEnded(ctx context.Context, pipeline string, began time.Time, exit int, trouble error) {
	attrs := []any{"pipeline", pipeline, "exit_code", exit, "took", s.clock().Sub(began).Round(time.Millisecond)}
	if r, found := s.recordSince(pipeline, began); found {
		attrs = append(attrs, "run_id", r.ID, "status", r.Status, "calls", r.Calls)
		if r.Message != "" {
			attrs = append(attrs, "message", r.Message)
		}
	}
	if trouble != nil {
		attrs = append(attrs, "error", trouble)
	}
	if exit == 0 || ctx.Err() != nil {
		s.log.InfoContext(ctx, "run ended", attrs...)
		return
	}
	s.log.WarnContext(ctx, "run ended badly", attrs...)
}

// found says what became of the child of an earlier serve.
func (s *service) found(pipeline string, begun time.Time) remains {
	lock, err := lockRun(scheduleDir(s.settings.now()), pipeline)
	if err != nil { // also when it cannot be told: nothing is started twice
		return remains{on: true}
	}
	defer lock.Close()
	switch r, known := s.recordSince(pipeline, begun); {
	case !known:
		return remains{}
	case r.Ended.IsZero():
		return remains{ended: s.clock(), exit: killed}
	default:
		return remains{ended: r.Ended, exit: r.ExitCode}
	}
}

// recordSince is the record of the newest run of a pipeline that began at a time or after it.
func (s *service) recordSince(pipeline string, begun time.Time) (runs.Record, bool) {
	paths, err := runs.List(s.records, s.clock())
	if err != nil {
		return runs.Record{}, false
	}
	oldest := begun.UTC().Format("20060102T150405.000Z")
	for _, path := range slices.Backward(paths) {
		if id := filepath.Base(path); id < oldest || runs.Ahead(id, s.clock()) {
			break
		}
		if r, err := runs.Read(path); err == nil && r.Pipeline == pipeline {
			return r, true
		}
	}
	return runs.Record{}, false
}

// adoptedBy is the configuration that serve tells its child to go by; "" for other processes. The child's
// own children are told nothing and inherit no lock. A run that outlives its serve also outlives whoever
// read the log of both: what it says into a broken pipe is lost, and it goes on.
func adoptedBy() string {
	path := os.Getenv(servedBy)
	if path == "" {
		return ""
	}
	_ = os.Unsetenv(servedBy) // it has a name
	unix.CloseOnExec(inherited)
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) // unlike one that is ignored, not for its children
	return path
}

// impatient reports whether a second signal is to end the process at once: whoever types Ctrl-C twice
// wants that, but what stops a whole group of processes signals a child of serve twice.
func impatient() bool { return os.Getenv(servedBy) == "" }
