package load

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"
)

// Who only looks something up makes nobody turn away; who runs does.
func TestABriefHolderIsWaitedFor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "books.lock")
	run, err := acquire(t.Context(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	var busy *Busy
	if _, err := acquire(t.Context(), path, Options{Brief: true}); !errors.As(err, &busy) || busy.Holder == 0 {
		t.Fatalf("beside a run: %v", err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it takes %v to turn away", took)
	}
	if err := run.Close(); err != nil {
		t.Fatal(err)
	}
	look, err := acquire(t.Context(), path, Options{Brief: true})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		second, err := acquire(context.Background(), path, Options{})
		if err == nil {
			err = second.Close()
		}
		done <- err
	}()
	select {
	case err := <-done:
		t.Fatalf("a run does not wait for a moment: %v", err)
	case <-time.After(300 * time.Millisecond):
	}
	if err := look.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}
