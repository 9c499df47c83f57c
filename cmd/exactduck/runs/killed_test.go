package runs

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// childDir tells a child process of these tests where to keep a record, until it is killed.
const childDir = "EXACTDUCK_TEST_RECORDS"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		w, err := Create(dir, Record{ID: "20261121T030000.000Z-0001", Pipeline: "nightly"})
		if err != nil {
			panic(err)
		}
		if err := w.Stream(Stream{Stream: "crm/Accounts", Scope: "1", Status: "reading", Pages: 3, Rows: 3000}); err != nil {
			panic(err)
		}
		_, _ = os.Stdout.WriteString("ready\n")
		<-time.After(time.Minute) // and nobody kills it
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// A run that was killed is told from one that lives, by its record alone, with what it had done.
func TestKilledRunIsCalledSo(t *testing.T) {
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), self)
	c.Env = append(os.Environ(), childDir+"="+dir)
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		t.Fatalf("the child says %q, %v", line, err)
	}
	path := filepath.Join(dir, "20261121T030000.000Z-0001.ndjson")
	if r, err := Read(path); err != nil || r.Status != "running" || r.PID != c.Process.Pid {
		t.Errorf("while it lives: %+v, %v", r, err)
	}
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = c.Wait() // it was killed
	r, err := Read(path)
	if err != nil || r.Status != "killed" || !r.Ended.IsZero() || len(r.Streams) != 1 || r.Totals().Rows != 3000 {
		t.Errorf("when it is dead: %+v, %v", r, err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("the folder has %v, %v", entries, err)
	}
}
