package main

import (
	"io"
	"log/slog"
	"os"
	"strings"
	"testing"

	"exactduck/extract/sandbox"
	"exactduck/load"
)

// What somebody has written beside the published file is told of, and serve takes it away.
func TestServeRemovesWhatIsWrittenBesideThePublishedFile(t *testing.T) {
	const streams = "      - crm/Accounts"
	w := newWorld(t, t.TempDir(), streams, sandbox.Options{Divisions: 1, Scale: 0.02, MinuteLimit: -1, DayLimit: -1})
	w.run(syncOptions{})
	said := func() string {
		how := w.how()
		var all []string
		for _, n := range how.fileNotices() {
			all = append(all, n.Text)
		}
		return strings.Join(all, "\n")
	}
	if text := said(); text != "" {
		t.Errorf("of a file that is well: %s", text)
	}
	if err := os.WriteFile(w.published()+".wal", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if text := said(); !strings.Contains(text, "Somebody has written to the published file of nightly") {
		t.Errorf("said: %q", text)
	}
	s := &service{call: &call{app: newApp(nil, io.Discard, io.Discard), name: "test", cfg: w.config, log: slog.New(slog.DiscardHandler)}}
	s.settings = &settings{cfg: w.config}
	s.removeStrays(t.Context())
	if wal := load.StrayLog(w.published()); wal != "" || said() != "" {
		t.Errorf("%s stays: %s", wal, said())
	}
}
