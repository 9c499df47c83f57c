package alert

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// On a disk that is full it is told once that it is, by however many processes.
func TestAFullDiskIsToldOnce(t *testing.T) {
	o := newOffice(t)
	check(t, os.MkdirAll(o.dir, 0o700))
	if err := syscall.Mount("tmpfs", o.dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("a full disk needs a small file system, and mounting one is not permitted: %v", err)
	}
	t.Cleanup(func() { check(t, syscall.Unmount(o.dir, syscall.MNT_DETACH)) })
	check(t, o.tell())
	ballast, err := os.Create(filepath.Join(o.dir, "ballast"))
	check(t, err)
	for err == nil {
		_, err = ballast.Write(make([]byte, 4096))
	}
	check(t, ballast.Close())
	for range 3 {
		o.later(time.Minute)
		o.open(o.receiver()) // another process
		check(t, o.tell(failing()))
	}
	o.told("problem failure 5")
	check(t, os.Remove(ballast.Name()))
	check(t, o.tell())
	o.told("recovered failure 5")
	if _, err := os.Stat(filepath.Join(o.dir, "reserve")); err != nil {
		t.Errorf("room is not held again: %v", err)
	}
}
