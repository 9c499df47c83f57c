package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"exactduck/cmd/exactduck/config"
)

// What is still being written is not taken for what somebody wants.
func TestAHalfWrittenConfigurationIsNotLookedAt(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "pipelines.yaml")
	write := func(text string, at int) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, time.Time{}, time.Unix(int64(1e9+at), 0)); err != nil {
			t.Fatal(err)
		}
	}
	look := func(s *settings, want bool, when string) {
		t.Helper()
		if s.changed() != want {
			t.Errorf("%s: changed is %v", when, !want)
		}
	}
	const whole = `version: 1
connections:
  books: {type: exact-online, region: nl, client_id: me, client_secret: "${SECRET}"}
pipelines:
  nightly: {streams: [crm/Accounts], to: {duckdb: warehouse.duckdb}}
`
	write(whole, 0)
	cfg, err := config.Parse([]byte(whole), path, catalogue)
	if err != nil {
		t.Fatal(err)
	}
	s, err := accept(cfg, filepath.Join(t.TempDir(), "in-force.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	look(s, false, "nothing has happened")
	write("", 1)
	look(s, false, "emptied")
	write(whole, 2)
	look(s, false, "half written")
	write(whole+"# more\n", 2)
	look(s, false, "another size")
	look(s, true, "settled")
	look(s, false, "taken over")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	look(s, false, "gone")
	write(whole, 3)
	look(s, false, "back")
	look(s, true, "back and settled")
}
