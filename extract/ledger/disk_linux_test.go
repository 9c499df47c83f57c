package ledger

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"exactduck/schema"
)

// smallDisk mounts a file system of the given size.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("a full disk needs a small file system, and mounting one is not permitted: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// cram fills the disk to the last byte.
func cram(t *testing.T, dir string) (ballast string) {
	t.Helper()
	ballast = filepath.Join(dir, "ballast")
	file, err := os.Create(ballast)
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = file.Write(make([]byte, 4096))
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	return ballast
}

// What has its place is written on a full disk too. What has none is remembered until there is room.
func TestFullDisk(t *testing.T) {
	dir := smallDisk(t, "256k")
	var said bytes.Buffer
	l := New(dir, slog.New(slog.NewTextHandler(&said, nil)))
	for range 2 {
		l.Update(t.Context(), books, func(a *Account) { a.Minute.Ours++ })
	}
	ballast := cram(t, dir)
	l.Update(t.Context(), books, func(a *Account) { a.Minute.Ours++ })
	if a := read(t, New(dir, nil)); a.Minute.Ours != 3 || said.Len() > 0 {
		t.Errorf("on a full disk: %+v, %s", a.Minute, said.String())
	}
	for range 3 {
		l.Update(t.Context(), books, func(a *Account) {
			a.Minute.Ours++
			a.Forbidden = map[string]Forbidden{"x": {Message: strings.Repeat("too large for its half", 500)}}
		})
		l.Update(t.Context(), "456", func(a *Account) { a.Minute.Ours++ })
	}
	if a := read(t, New(dir, nil)); a.Minute.Ours != 3 {
		t.Errorf("what others read is damaged: %+v", a.Minute)
	}
	if n := strings.Count(said.String(), "\n"); n != 1 {
		t.Errorf("said %d times: %s", n, said.String())
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	for _, s := range []struct {
		scope schema.Scope
		want  int
	}{{"123", 7}, {"456", 4}} {
		l.Update(t.Context(), s.scope, func(a *Account) { a.Minute.Ours++ })
		a, _, err := New(dir, nil).Read(s.scope)
		if err != nil || a.Minute.Ours != s.want {
			t.Errorf("with room again %s has %+v, %v; want %d", s.scope, a.Minute, err, s.want)
		}
	}
}
