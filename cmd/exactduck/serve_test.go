package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"exactduck/cmd/exactduck/runs"
	"exactduck/cmd/exactduck/schedule"
	"exactduck/extract/sandbox"
)

// overheard is what a process has written so far.
type overheard struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *overheard) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *overheard) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// server is a running exactduck serve.
type server struct {
	*exec.Cmd
	o     *office
	said  *overheard
	ended chan error
}

func (o *office) serve(args ...string) *server {
	o.t.Helper()
	return o.serveBy(append([]string{"--listen", "off"}, args...)...)
}

// serveBy serves by these flags alone.
func (o *office) serveBy(flags ...string) *server {
	o.t.Helper()
	s := &server{Cmd: o.process(append([]string{"serve"}, flags...)...), o: o, said: &overheard{}, ended: make(chan error, 1)}
	s.Stderr = s.said
	s.WaitDelay = time.Second // its child may hold the pipe for longer
	if err := s.Start(); err != nil {
		o.t.Fatal(err)
	}
	go func() { s.ended <- s.Wait() }()
	o.t.Cleanup(func() { _ = s.Process.Kill() })
	s.await("msg=serving")
	return s
}

// await waits until the server has said something.
func (s *server) await(text string) {
	s.o.t.Helper()
	s.o.until("serve says "+text, func() bool { return strings.Contains(s.said.String(), text) })
}

// until waits for something to become true.
func (o *office) until(what string, is func() bool) {
	o.t.Helper()
	for end := time.Now().Add(30 * time.Second); !is(); {
		if time.Now().After(end) {
			o.t.Fatalf("%s: not within half a minute", what)
		}
		if err := pauseFor(o.t.Context(), 20*time.Millisecond); err != nil {
			o.t.Fatal(err)
		}
	}
}

// stop ends a server as a system does, and expects it to end well and soon.
func (s *server) stop() {
	s.o.t.Helper()
	at := time.Now()
	if err := s.Process.Signal(syscall.SIGTERM); err != nil {
		s.o.t.Fatal(err)
	}
	if code := codeOf(<-s.ended); code != 0 {
		s.o.t.Errorf("serve ends with %d: %s", code, s.said)
	}
	if took := time.Since(at); took > 10*time.Second {
		s.o.t.Errorf("it took %v to stop", took)
	}
}

// standing is what schedule list says of the pipeline.
func (o *office) standing() schedule.Standing {
	o.t.Helper()
	c := o.process("schedule", "list", "--output", "json", "-q")
	text, err := c.Output()
	if err != nil {
		o.t.Fatal(err)
	}
	var answer struct{ Data scheduleList }
	if err := json.Unmarshal(text, &answer); err != nil || len(answer.Data.Pipelines) != 1 {
		o.t.Fatalf("%v: %s", err, text)
	}
	return answer.Data.Pipelines[0]
}

// ran are the records of all runs, the oldest first.
func (o *office) ran() []runs.Record {
	o.t.Helper()
	paths, err := runs.List(o.file("state/runs"), o.now())
	if err != nil {
		o.t.Fatal(err)
	}
	all := make([]runs.Record, len(paths))
	for i, path := range paths {
		if all[i], err = runs.Read(path); err != nil {
			o.t.Fatal(err)
		}
	}
	return all
}

// rewrite puts other words into the configuration.
func (o *office) rewrite(old, other string) {
	o.t.Helper()
	text, err := os.ReadFile(o.file("pipelines.yaml"))
	if err != nil || !bytes.Contains(text, []byte(old)) {
		o.t.Fatalf("%v, %q in %s", err, old, text)
	}
	text = bytes.Replace(text, []byte(old), []byte(other), 1)
	if err := os.WriteFile(o.file("pipelines.yaml"), text, 0o600); err != nil {
		o.t.Fatal(err)
	}
}

// newScheduled is an office whose pipeline has a schedule that does not come while a test runs.
func newScheduled(t *testing.T, streams string) *office {
	t.Helper()
	o := newOffice(t, streams, sandbox.Options{Divisions: 1, Scale: 0.5})
	o.rewrite("    from: books\n", "    from: books\n    schedule: "+time.Now().UTC().Add(-2*time.Hour).Format(`"4 15 * * *"`)+"\n    timezone: UTC\n")
	return o
}

// A person asks from another terminal, breaks the configuration and mends it; serve goes on by what was
// right.
func TestServeRunsWhatIsAskedForByTheConfigurationThatIsRight(t *testing.T) {
	t.Parallel()
	o := newScheduled(t, "      - crm/Accounts")
	o.rewrite("pipelines:\n", "alerts:\n  - command: [sh, -c, cat >> \""+o.file("told.ndjson")+"\"]\npipelines:\n")
	s := o.serve("--listen", "127.0.0.1:0")
	if text := o.run(exitBusy, "serve", "--listen", "off"); !strings.Contains(text, "another serve runs") || !strings.Contains(text, "schedule list") {
		t.Errorf("a second serve says %q", text)
	}
	o.run(0, "schedule", "pause", "nightly")
	o.run(0, "schedule", "run", "nightly", "-q")
	s.await("msg=\"run ended\"")
	if all := o.ran(); len(all) != 1 || all[0].ExitCode != 0 || all[0].PID == s.Process.Pid {
		t.Errorf("runs: %+v", all)
	}

	o.rewrite("crm/Accounts", "crm/Acounts")
	s.await("configuration refused")
	if err := s.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	o.until("it is looked at again", func() bool { return strings.Count(s.said.String(), "configuration refused") == 2 })
	if text := s.said.String(); !strings.Contains(text, "did you mean crm/Accounts") || !strings.Contains(text, "line=18") {
		t.Errorf("a refusal says %s", text)
	}
	if _, text := o.get(s.url()); !strings.Contains(text, "has a mistake, and what it said before stays in force") {
		t.Errorf("the page does not say so: %s", text)
	}
	o.until("somebody is told", func() bool {
		told, err := os.ReadFile(o.file("told.ndjson"))
		return err == nil && strings.Contains(string(told), "the configuration has a mistake")
	})
	whole, err := os.ReadFile(o.file("pipelines.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := schedule.Open(o.file("state/schedule"), o.now).Request("nightly"); err != nil { // what commands cannot with this file, the page can
		t.Fatal(err)
	}
	o.until("it runs by what was right", func() bool { return strings.Count(s.said.String(), "msg=\"run ended\"") == 2 })
	if all := o.ran(); len(all) != 2 || all[1].ExitCode != 0 {
		t.Errorf("runs: %+v", all)
	}
	if err := os.WriteFile(o.file("pipelines.yaml"), bytes.Replace(whole, []byte("crm/Acounts"), []byte("crm/Contacts"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	s.await("configuration reloaded")
	o.run(0, "schedule", "resume")
	o.run(0, "schedule", "run", "nightly", "-q")
	o.until("it runs by what is right now", func() bool { return strings.Count(s.said.String(), "msg=\"run ended\"") == 3 })
	if n := o.ask("SELECT count(*) FROM crm.Contacts"); n == "0" {
		t.Error("the new stream was not read")
	}
	s.stop()
	if st := o.standing(); st.Paused || st.LastExit == nil || *st.LastExit != 0 || st.Next.IsZero() {
		t.Errorf("afterwards: %+v", st)
	}
}

// A configuration whose secrets cannot be had is as wrong as one with a mistake: at the start, and when
// it is taken over.
func TestServeRefusesSecretsThatCannotBeHad(t *testing.T) {
	t.Parallel()
	o := newScheduled(t, "      - crm/Accounts")
	s := o.serve("--listen", "127.0.0.1:0")
	o.rewrite("client_secret: ", "client_secret: ${NOBODY_HAS_SET_THIS} # ")
	s.await("configuration refused")
	if code, text := o.get(s.url()); code != http.StatusOK || !strings.Contains(text, "the variable NOBODY_HAS_SET_THIS is not set") {
		t.Errorf("the page says %d %s", code, text)
	}
	s.stop()
	if text := o.run(exitUsage, "serve", "--listen", "off"); !strings.Contains(text, "export NOBODY_HAS_SET_THIS=") {
		t.Errorf("a start says %s", text)
	}
}

// interrupted lets a server start a long run, and returns when that is in the middle.
func (o *office) interrupted(args ...string) *server {
	o.t.Helper()
	asked := make(chan struct{})
	o.sandbox.Fault(sandbox.Fault{
		Path: "/financialtransaction/TransactionLines", Nth: 5, Delay: 15 * time.Second, Then: func() { close(asked) },
	})
	s := o.serve(args...)
	o.run(0, "schedule", "run", "nightly", "-q")
	select {
	case <-asked:
	case err := <-s.ended:
		o.t.Fatalf("serve ends: %v: %s", err, s.said)
	}
	return s
}

// Stopping ends the child in the middle of its work; the next serve goes on with it by itself.
func TestServeStopsSoonAndTheNextOneGoesOn(t *testing.T) {
	t.Parallel()
	o := newScheduled(t, slow)
	s := o.interrupted()
	s.stop()
	if all := o.ran(); len(all) != 1 || all[0].Status != "interrupted" {
		t.Errorf("runs: %+v", all)
	}
	o.sandbox.ClearFaults()
	s = o.serve()
	s.await("msg=\"run ended\"")
	s.stop()
	if all := o.ran(); len(all) != 2 || all[1].Status != "done" {
		t.Errorf("runs: %+v", all)
	}
	o.readOnce(1)
	o.equal()
	o.tidy()
}

// A serve that is killed leaves its child at work. The next one waits for that, and starts no other.
func TestAKilledServeDoublesNothing(t *testing.T) {
	t.Parallel()
	o := newScheduled(t, slow)
	s := o.interrupted()
	if err := s.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := <-s.ended; err == nil {
		t.Error("a serve that is killed ends well")
	}
	o.sandbox.ClearFaults()
	next := o.serve()
	if !o.standing().Running {
		t.Errorf("the next serve does not see what runs: %+v", o.standing())
	}
	next.await("run of an earlier serve has ended")
	if st := o.standing(); st.Running || st.LastExit == nil || *st.LastExit != 0 {
		t.Errorf("afterwards: %+v", st)
	}
	next.stop()
	if all := o.ran(); len(all) != 1 || all[0].Status != "done" {
		t.Errorf("runs: %+v", all)
	}
	o.equal()
	o.tidy()
}

// A serve and its child are killed together, as a machine that loses its power does: the next serve
// starts anew what was lost.
func TestAChildThatIsKilledTooIsRunAgain(t *testing.T) {
	t.Parallel()
	o := newScheduled(t, slow)
	s := o.interrupted()
	if err := s.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := <-s.ended; err == nil {
		t.Error("a serve that is killed ends well")
	}
	if err := syscall.Kill(o.ran()[0].PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	o.sandbox.ClearFaults()
	next := o.serve()
	next.await("run of an earlier serve has ended")
	if st := o.standing(); st.Running || st.Due.IsZero() || time.Until(st.Due) > time.Minute {
		t.Errorf("what was lost is not due within a minute: %+v", st)
	}
	next.stop()
	o.ahead.Add(int64(2 * time.Minute))
	next = o.serve()
	next.await("msg=\"run ended\"")
	next.stop()
	o.equal()
	o.tidy()
}

// A login that nothing uses is used for its own sake, though all pipelines are paused.
func TestServeKeepsALoginAlive(t *testing.T) {
	t.Parallel()
	o := newScheduled(t, "      - crm/Accounts")
	o.run(0, "schedule", "pause")
	for range 2 { // forty days, of which it would survive thirty
		o.ahead.Add(int64(20 * 24 * time.Hour))
		s := o.serve()
		s.await("login kept alive")
		s.stop()
	}
	s := o.serve()
	s.stop()
	if text := s.said.String(); strings.Contains(text, "login kept alive") {
		t.Errorf("a login that was just used is used again: %s", text)
	}
	o.fresh()
}

// url is where the page of a server is.
func (s *server) url() string {
	_, rest, _ := strings.Cut(s.said.String(), "listen=")
	address, _, _ := strings.Cut(rest, "\n")
	return "http://" + strings.TrimSpace(address) + "/"
}

func (o *office) get(url string) (int, string) {
	o.t.Helper()
	r, err := http.NewRequestWithContext(o.t.Context(), http.MethodGet, url, nil)
	if err != nil {
		o.t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		o.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		o.t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

func TestWhereServeMayListen(t *testing.T) {
	t.Parallel()
	o := newScheduled(t, "      - crm/Accounts")
	for address, hint := range map[string]string{"0.0.0.0:0": "password", "nowhere": "write it like", "127.0.0.1:99999": "write it like"} {
		if text := o.run(exitUsage, "serve", "--listen", address); !strings.Contains(text, hint) {
			t.Errorf("--listen %s says %q", address, text)
		}
	}
	if err := os.WriteFile(o.file("password"), []byte("correct horse battery\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o.rewrite("pipelines:\n", "serve: {password: file:password}\npipelines:\n")
	all := o.serve("--listen", "0.0.0.0:0")
	if url := all.url(); !strings.HasPrefix(url, "http://0.0.0.0:") {
		t.Errorf("all of IPv4 is %s", url)
	}
	all.stop()
	o.rewrite("serve: {password: file:password}\n", "")
	s := o.serve("--listen", "127.0.0.1:0")
	for path, want := range map[string]string{"healthz": "alive", "readyz": "", "metrics": "exactduck_", "": "nightly", "api/v1/status": "nightly"} {
		code, text := o.get(s.url() + path)
		if code != http.StatusOK && path != "readyz" || !strings.Contains(text, want) {
			t.Errorf("/%s answers %d %s", path, code, text)
		}
	}
	s.stop()
	if left, err := filepath.Glob(o.file("state/*.wal")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
