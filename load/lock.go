package load

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// patience is for how long a lock is waited for that is only held to look something up.
const patience = 10 * time.Second

// brief follows the process id in the lock file of a holder that only looks something up.
const brief = "brief"

// acquire takes the lock at path and writes our process id into it. The file stays where it is
// afterwards: were it removed, two runs could each hold the lock of a file with that name.
func acquire(ctx context.Context, path string, o Options) (*flock.Flock, error) {
	lock := flock.New(path, flock.SetPermissions(0o600))
	taken, err := lock.TryLock()
	if err == nil && !taken {
		taken, err = await(ctx, lock, o.Wait)
	}
	if err == nil && !taken {
		err = &Busy{Path: path, Holder: holder(path)}
	}
	if err == nil {
		text := strconv.Itoa(os.Getpid())
		if o.Brief {
			text += " " + brief
		}
		err = os.WriteFile(path, []byte(text+"\n"), 0o600)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock the warehouse: %w", err), lock.Close())
	}
	return lock, nil
}

// await waits for the lock: as long as the context lives if that is wanted, and else only while it is
// held briefly. Who has just taken it may not have said so yet, so it is asked twice.
func await(ctx context.Context, lock *flock.Flock, wait bool) (taken bool, err error) {
	if wait {
		return lock.TryLockContext(ctx, 100*time.Millisecond)
	}
	within, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for doubts := 0; doubts < 2; {
		if !heldBriefly(lock.Path()) {
			doubts++
		}
		moment, end := context.WithTimeout(within, 50*time.Millisecond)
		taken, err = lock.TryLockContext(moment, 10*time.Millisecond)
		end()
		if taken || within.Err() != nil {
			break
		}
	}
	if ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		err = nil
	}
	return taken, err
}

func heldBriefly(path string) bool {
	text, err := os.ReadFile(path)
	return err == nil && strings.HasSuffix(strings.TrimSpace(string(text)), " "+brief)
}

// holder is the process id in a lock file; 0 when it cannot be told.
func holder(path string) int {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
	pid, err := strconv.Atoi(first)
	if err != nil {
		return 0
	}
	return pid
}
