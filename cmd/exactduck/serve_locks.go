package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/gofrs/flock"
	"golang.org/x/sys/unix"
)

// lockService makes this process the only one that serves from a folder. The error is *[serving] when
// another is.
func lockService(ctx context.Context, dir string) (*flock.Flock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of schedules: %w", err)
	}
	lock, err := takeService(ctx, dir, (*flock.Flock).TryLockContext)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(lock.Path(), []byte(strconv.Itoa(os.Getpid())+"\n"), 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("note who serves: %w", err), lock.Close())
	}
	return lock, nil
}

// lookAtService is for finding out whether a process serves; many may look at once.
func lookAtService(ctx context.Context, dir string) (*flock.Flock, error) {
	return takeService(ctx, dir, (*flock.Flock).TryRLockContext)
}

// takeService waits a moment, because who looks holds the lock too.
func takeService(ctx context.Context, dir string, take func(*flock.Flock, context.Context, time.Duration) (bool, error)) (*flock.Flock, error) {
	lock := flock.New(filepath.Join(dir, "serve.lock"), flock.SetPermissions(0o600))
	moment, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	taken, err := take(lock, moment, 50*time.Millisecond)
	switch {
	case taken:
		return lock, nil
	case err == nil || errors.Is(err, context.DeadlineExceeded):
		err = &serving{path: lock.Path(), pid: numberIn(lock.Path())}
	default:
		err = fmt.Errorf("lock the folder of schedules: %w", err)
	}
	return nil, errors.Join(err, lock.Close())
}

func numberIn(path string) int {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0
	}
	return n
}

// errRunning says that a child of this or an earlier serve still runs.
var errRunning = errors.New("a run of an earlier serve is still on")

// lockRun takes the lock that a child holds while it lives: it inherits the open file, so that the lock
// outlives a serve that is killed. The error is errRunning when a child has it.
func lockRun(dir, pipeline string) (*os.File, error) {
	file, err := os.OpenFile(filepath.Join(dir, pipeline+".running"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the lock of a run: %w", err)
	}
	err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	switch {
	case err == nil:
		return file, nil
	case errors.Is(err, unix.EWOULDBLOCK):
		err = errRunning
	default:
		err = fmt.Errorf("lock a run: %w", err)
	}
	return nil, errors.Join(err, file.Close())
}
