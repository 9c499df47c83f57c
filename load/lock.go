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

// acquire takes the lock at path and writes our process id into it. The file stays where it is
// afterwards: were it removed, two runs could each hold the lock of a file with that name.
func acquire(ctx context.Context, path string, wait bool) (*flock.Flock, error) {
	lock := flock.New(path, flock.SetPermissions(0o600))
	taken, err := lock.TryLock()
	if err == nil && !taken && wait {
		taken, err = lock.TryLockContext(ctx, 100*time.Millisecond)
	}
	if err == nil && !taken {
		err = &Busy{Path: path, Holder: holder(path)}
	}
	if err == nil {
		err = os.WriteFile(path, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o600)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock the warehouse: %w", err), lock.Close())
	}
	return lock, nil
}

// holder is the process id in a lock file; 0 when it cannot be told.
func holder(path string) int {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0
	}
	return pid
}
