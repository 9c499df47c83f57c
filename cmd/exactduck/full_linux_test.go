package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"

	"exactduck/extract/sandbox"
)

// A full disk under the state directory ends a run with what to do. Nothing is lost by it: with
// room again the next run ends where an undisturbed one would have.
func TestFullDiskLosesNothing(t *testing.T) {
	t.Parallel()
	o := newOffice(t, crashing, sandbox.Options{Divisions: 1, Scale: 0.1})
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=64m"); err != nil {
		t.Skipf("a full disk needs a small file system, and mounting one is not permitted: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	if err := os.RemoveAll(o.file("state")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(disk, o.file("state")); err != nil {
		t.Fatal(err)
	}
	o.login()
	o.synced()
	for _, room := range []int64{0, 16 << 10, 256 << 10, 2 << 20} { // for nothing, a spool, a transaction, most of a run
		held := o.rows()
		o.change(happening...)
		ballast := cram(t, disk, room)
		c := o.process("sync")
		var said bytes.Buffer
		c.Stderr = &said
		code := codeOf(c.Run())
		if code != exitMachine && (room == 0 || code != 0) || code != 0 && !strings.Contains(said.String(), "free some space") {
			t.Errorf("with room for %d bytes a run ends with %d: %s", room, code, said.String())
		}
		if now := o.rows(); code != 0 && now != held {
			t.Errorf("readers see %s, before %s", now, held)
		}
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
		o.run(0, "sync", "-q")
		o.equal("cashflow/Payments")
		o.tidy()
		o.fresh()
	}
}

// cram writes a file until the disk has room for so many bytes only.
func cram(t *testing.T, disk string, room int64) (path string) {
	t.Helper()
	file, err := os.CreateTemp(disk, "ballast")
	if err != nil {
		t.Fatal(err)
	}
	for block := make([]byte, 4096); err == nil; {
		_, err = file.Write(block)
	}
	size, err := file.Seek(0, io.SeekCurrent)
	if err == nil {
		err = file.Truncate(size - room)
	}
	if err := errors.Join(err, file.Close()); err != nil {
		t.Fatal(err)
	}
	return file.Name()
}
