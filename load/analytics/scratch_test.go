package analytics_test

import (
	"log/slog"
	"os"
	"testing"

	"exactduck/extract/sandbox"
)

func TestScratch(t *testing.T) {
	f := newOffice(t, sandbox.Options{Seed: 1, Divisions: 2, Scale: 0.5})
	os.RemoveAll("/tmp/exp/books")
	os.MkdirAll("/tmp/exp/books", 0o755)
	w := warehouse{t: t, dir: "/tmp/exp/books", log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))}
	t.Log(w.sync(f, "", everything...))
	t.Log(w.sync(f, ""))
}
