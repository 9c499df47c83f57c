package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"exactduck/extract/sandbox"
)

func TestSandboxListensHereOnly(t *testing.T) {
	t.Parallel()
	for address, ok := range map[string]bool{
		"127.0.0.1:8700": true, "localhost:0": true, "[::1]:80": true, "127.1.2.3:1": true,
		"0.0.0.0:8700": false, ":8700": false, "[::]:8700": false, "192.168.1.1:8700": false, "example.com:80": false,
		"127.0.0.1": false, "": false, "8700": false, "localhost.example.com:80": false,
	} {
		err := loopbackOnly(address)
		if (err == nil) != ok || err != nil && exitCode(err) != exitUsage {
			t.Errorf("%q: %v", address, err)
		}
	}
}

func TestSandboxRefusesWhatCannotBeMeant(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	garbage, free := write("garbage.ndjson", "garbage\n"), []string{"--listen", "127.0.0.1:0"}
	for _, test := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"--listen", taken.Addr().String(), "--state", ""}, 10, "address already in use\nhint: another program"},
		{[]string{"--listen", "0.0.0.0:8700"}, 2, "is not on this machine alone"},
		{[]string{"--listen", "127.0.0.1:99999"}, 2, "has no port that there is"},
		{[]string{"--listen", "127.0.0.1:nope"}, 2, "has no port that there is"},
		{append(free, "--state", garbage), 10, "garbage.ndjson:1: "},
		{append(free, "--state", garbage, "--seed", "4"), 2, "holds companies already, which --seed cannot change"},
		{append(free, "--state", filepath.Join(dir, "none", "s.ndjson")), 10, "hint: make its folder first"},
		{append(free, "--divisions", "0"), 2, "--divisions must be at least 1"},
		{append(free, "--scale", "NaN"), 2, "--scale must be a number above 0"},
		{append(free, "--scale", "Inf"), 2, "--scale must be a number above 0"},
		{append(free, "--window", "0s"), 2, "--window must be longer than nothing"},
		{append(free, "more"), 2, "sandbox takes no arguments"},
		{append(free, "--scenario", filepath.Join(dir, "none.yaml")), 2, "--scenario: open "},
		{append(free, "--scenario", write("wrong.yaml", "- at: 1h\n  chnge: {entity: crm/Accounts}\n")), 2, "wrong.yaml:2: \"chnge\" is no action"},
		{append(free, "--set", "othrs=3"), 2, "there is no switch othrs; there are bare_limits "},
		{append(free, "--set", "others=many"), 2, "\"many\" is no number"},
		{append(free, "--records", "crm/Accounts"), 2, "is no stream with a number"},
		{append(free, "--records", "crm/Acounts=3"), 2, "crm/Acounts"},
		{append(free, "--blocked", "3"), 2, "of 2 divisions 0 cannot be archived and 3 blocked"},
	} {
		code, out, complaints := typed(t.Context(), "", append([]string{"sandbox"}, test.args...)...)
		if code != test.code || out != "" || !strings.Contains(complaints, test.want) || !strings.Contains(complaints, "\nhint: ") {
			t.Errorf("%q: exit code %d, %s%s", test.args, code, out, complaints)
		}
	}
}

// running is a sandbox that somebody has started.
type running struct {
	served
	stop  func()
	ended chan int
	log   bytes.Buffer // of use after the end
}

func startSandbox(t *testing.T, args ...string) *running {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	r := &running{stop: stop, ended: make(chan int, 1)}
	read, write := io.Pipe()
	go func() {
		args := append([]string{"exactduck", "sandbox", "-v", "--listen", "127.0.0.1:0", "--output", "json"}, args...)
		r.ended <- execute(ctx, newApp(strings.NewReader(""), write, &r.log), args)
		write.Close()
	}()
	out := bufio.NewReader(read)
	if err := json.NewDecoder(out).Decode(&struct{ Data *served }{&r.served}); err != nil {
		stop()
		t.Fatalf("exit code %d, %v: %s", <-r.ended, err, r.log.String())
	}
	go func() { _, _ = io.Copy(io.Discard, read) }()
	return r
}

func (r *running) post(t *testing.T, control string) {
	t.Helper()
	if status := visitURL(t.Context(), t, http.MethodPost, r.Control+control); status != http.StatusOK {
		t.Errorf("%s answers %d", control, status)
	}
}

func visitURL(ctx context.Context, t *testing.T, method, url string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0
	}
	defer answer.Body.Close()
	return answer.StatusCode
}

// What is done in a sandbox is there when it is started again; it stops within a second although
// a request hangs in it.
func TestSandboxStopsAndGoesOn(t *testing.T) {
	t.Parallel()
	state := filepath.Join(t.TempDir(), "sandbox.ndjson")
	first := startSandbox(t, "--state", state, "--divisions", "1", "--scale", "0.02", "--seed", "3")
	if first.StateFile != state || len(first.Divisions) != 1 || first.ClientSecret == "" {
		t.Errorf("it says %+v", first.served)
	}
	first.post(t, "change?entity=crm/Accounts&insert=2")
	first.post(t, "fault?kind=hang&path=current/Me")
	hung := make(chan int, 1)
	go func() {
		hung <- visitURL(context.WithoutCancel(t.Context()), t, http.MethodGet, first.URL+"/api/v1/current/Me")
	}()
	first.waitForCall(t)
	began := time.Now()
	first.stop()
	if code := <-first.ended; code != 0 {
		t.Errorf("exit code %d", code)
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("it took %v to stop", took)
	}
	<-hung
	if log := first.log.String(); !strings.Contains(log, `"sandbox request"`) || !strings.HasSuffix(log, "the sandbox has stopped\n") {
		t.Errorf("it logs\n%s", log)
	}
	kept, err := os.ReadFile(state)
	if err != nil || !bytes.Contains(kept, []byte("crm/Accounts")) {
		t.Errorf("the state holds %s, %v", kept, err)
	}
	second := startSandbox(t, "--state", state)
	if second.ClientID != first.ClientID || len(second.Divisions) != 1 {
		t.Errorf("started again it is %+v", second.served)
	}
	second.stop()
	if code := <-second.ended; code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// waitForCall waits until the sandbox has seen a call.
func (r *running) waitForCall(t *testing.T) {
	t.Helper()
	for t.Context().Err() == nil {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.Control+"calls", nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(text, []byte("current/Me")) {
			return
		}
	}
}

func TestSandboxSaysHowToUseIt(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	s := &served{URL: "http://127.0.0.1:8700", Divisions: []int{123456, 123457}, ClientID: "app", ClientSecret: "hush", Control: "http://127.0.0.1:8700/_sandbox/"}
	if err := s.print(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"listens on http://127.0.0.1:8700\n", "divisions      123456 123457\n", "kept in        nowhere", "client id      app\n", "client secret  hush ",
		"    base_url: http://127.0.0.1:8700\n    client_id: app\n    client_secret: hush\n",
		"curl -X POST 'http://127.0.0.1:8700/_sandbox/change?division=123456&entity=crm/Accounts&insert=3&update=2&delete=1'\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("it does not say %q:\n%s", want, &out)
		}
	}
}

// What shapes the companies, the rules and what happens by itself can be given with flags.
func TestSandboxFollowsItsFlags(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	scenario := filepath.Join(dir, "scenario.yaml")
	if err := os.WriteFile(scenario, []byte("- add_division: {name: Nieuwkomer}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := startSandbox(t, "--state", filepath.Join(dir, "sandbox.ndjson"), "--divisions", "3", "--scale", "0.02", "--archived", "1", "--blocked", "1",
		"--records", "crm/Opportunities=7", "--set", "others=5", "--set", "unreported=*", "--scenario", scenario)
	defer func() { r.stop(); <-r.ended }()
	visitURL(t.Context(), t, http.MethodGet, r.URL+"/api/v1/current/Me")
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.Control+"divisions", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if text, err := io.ReadAll(answer.Body); err != nil || string(text) != "[123456,123457,123458,123459]\n" {
		t.Errorf("divisions %s %v", text, err)
	}
	r.post(t, "set?others=6&skip_token_life=10m")
	r.post(t, "forbid?path=crm/Contacts&reason=LicenseExpired")
	if status := visitURL(t.Context(), t, http.MethodPost, r.Control+"forbid?path=crm/Contacts&reason=Boredom"); status != http.StatusBadRequest {
		t.Errorf("nonsense answers %d", status)
	}
	kept, err := os.ReadFile(filepath.Join(dir, "sandbox.ndjson"))
	for _, want := range []string{`"crm/Opportunities":7`, `"archived":1`, `"blocked":1`, `"op":"scenario"`, `"op":"add division"`, `"others":"6"`, `"reason":"LicenseExpired"`} {
		if err != nil || !bytes.Contains(kept, []byte(want)) {
			t.Errorf("the state does not hold %s: %s %v", want, kept, err)
		}
	}
}

func TestSandboxHelpTellsEverySwitch(t *testing.T) {
	t.Parallel()
	_, out, _ := typed(t.Context(), "", "sandbox", "--help")
	for _, want := range []string{"others ", "skip_token_life", "count_everywhere", "rename_property", "--scenario FILE", "- at: 2h", "after: 2 calls of crm/Accounts"} {
		if !strings.Contains(out, want) {
			t.Errorf("the help does not tell %q", want)
		}
	}
	_, example, _ := strings.Cut(out, "at most one moment:\n")
	example, _, _ = strings.Cut(example, "What is due")
	if _, err := sandbox.ParseScenario("help", []byte(example)); err != nil || strings.Count(example, "- ") != 5 {
		t.Errorf("the example of the help: %v\n%s", err, example)
	}
}
