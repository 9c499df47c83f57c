package runs

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What is logged during a run is in its log, whatever the log on standard error shows, with the
// run's own clock and with what a logger was given before.
func TestJournalKeepsTheLogOfARun(t *testing.T) {
	dir, at := filepath.Join(t.TempDir(), "logs"), time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)
	var shown bytes.Buffer
	var j Journal
	log := slog.New(j.Handler(slog.NewTextHandler(&shown, &slog.HandlerOptions{Level: slog.LevelWarn})))
	early := log.With("stream", "crm/Accounts").WithGroup("page").With("rows", 7)
	log.Info("before")
	if err := j.Begin(dir, "20261121T030000.000Z-0001", slog.LevelInfo, func() time.Time { return at }); err != nil {
		t.Fatal(err)
	}
	log.Debug("a step")
	early.Info("read", "done", true)
	log.Warn("careful")
	if err := j.Begin(dir, "20261121T040000.000Z-0002", slog.LevelDebug, func() time.Time { return at }); err != nil {
		t.Fatal(err)
	}
	log.Debug("a step of the second")
	if err := errors.Join(j.End(), j.End()); err != nil {
		t.Fatal(err)
	}
	log.Warn("after")
	for id, want := range map[string]string{
		"20261121T030000.000Z-0001": `{"time":"2026-11-21T03:00:00Z","level":"INFO","msg":"read","stream":"crm/Accounts","page":{"rows":7,"done":true}}
{"time":"2026-11-21T03:00:00Z","level":"WARN","msg":"careful"}
`,
		"20261121T040000.000Z-0002": `{"time":"2026-11-21T03:00:00Z","level":"DEBUG","msg":"a step of the second"}
`,
	} {
		file, err := OpenLog(dir, id)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(file)
		if err := errors.Join(err, file.Close()); err != nil || string(text) != want {
			t.Errorf("the log of %s is %s, %v", id, text, err)
		}
	}
	if got := shown.String(); strings.Contains(got, "read") || !strings.Contains(got, "careful") || !strings.Contains(got, "after") {
		t.Errorf("shown is %s", got)
	}
	if info, err := os.Stat(filepath.Join(dir, "20261121T030000.000Z-0001.log")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

// A log that has become long takes only warnings.
func TestJournalIsLimited(t *testing.T) {
	dir := t.TempDir()
	var j Journal
	log := slog.New(j.Handler(slog.DiscardHandler))
	if err := j.Begin(dir, "20261121T030000.000Z-0001", slog.LevelDebug, time.Now); err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("x", 1<<20)
	for range 2 * logLimit >> 20 {
		log.DebugContext(t.Context(), "a step", "long", long)
	}
	log.Warn("the end")
	if err := j.End(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "20261121T030000.000Z-0001.log"))
	if err != nil || len(text) > logLimit+2<<20 || !bytes.HasSuffix(text, []byte(`"msg":"the end"}`+"\n")) {
		t.Errorf("%d bytes, %v", len(text), err)
	}
	if log.Enabled(context.Background(), slog.LevelWarn) {
		t.Error("the journal goes on after its end")
	}
}

func TestLogLinesAsPeopleReadThem(t *testing.T) {
	lines, err := ReadLog(strings.NewReader(`{"time":"2026-11-21T03:00:00.25Z","level":"INFO","msg":"stream \"synced\"","stream":"crm/Accounts","rows":7,"deep":{"a":[1]}}

nonsense
{"level":"WARN","msg":"torn`))
	if err != nil || len(lines) != 1 {
		t.Fatalf("%v, %v", lines, err)
	}
	if got, want := lines[0].String(), `2026-11-21 03:00:00.250 INFO  stream "synced" stream="crm/Accounts" rows=7 deep={"a":[1]}`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if text, err := lines[0].MarshalJSON(); err != nil || !bytes.HasPrefix(text, []byte(`{"time":"2026`)) {
		t.Errorf("as JSON %s, %v", text, err)
	}
}

func TestNoPathIsMadeOfAnID(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "secret.log"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"secret", "../" + filepath.Base(dir) + "/secret", "", ".", "20261121T030000/../secret", "20261121T030000.000Z-0009"} {
		if _, err := OpenLog(dir, id); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: %v", id, err)
		}
	}
}
