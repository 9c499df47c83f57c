package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"exactduck/extract/sandbox"
	"exactduck/extract/sandbox/pay"
)

// TestStories runs what a person could type, in testdata/script: the whole program in a process of
// its own, against a simulated Exact Online on loopback.
func TestStories(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"), RequireUniqueNames: true,
		Setup: func(env *testscript.Env) error { return furnish(t, env) },
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "sandbox": openSandbox, "fill": fill, "authorize": authorize, "ahead": ahead,
			"steer": steer, "vary": vary, "ask": askFor, "nowhere": nowhere, "somewhere": somewhere, "mount": mount, "login-file": loginFile, "mangle": mangle, "tamper": tamper,
		},
		Condition: func(name string) (bool, error) {
			if name == "mount" {
				return mayMount(), nil
			}
			return false, fmt.Errorf("unknown condition %s", name)
		},
	})
}

// stage is what one story plays on.
type stage struct {
	t     *testing.T
	ctx   context.Context // of the test
	ahead atomic.Int64    // of the real clock
	hush  *hush
}

func on(ts *testscript.TestScript) *stage { return ts.Value("stage").(*stage) }

func furnish(t *testing.T, env *testscript.Env) error {
	port, err := freePort(t.Context())
	if err != nil {
		return err
	}
	st := &stage{t: t, ctx: t.Context(), hush: &hush{words: map[string]bool{}}}
	env.Values["stage"] = st
	env.Defer(func() {
		for _, problem := range st.hush.search(env.WorkDir) {
			t.Errorf("%s: %s", filepath.Base(env.WorkDir), problem)
		}
	})
	env.Vars = append(env.Vars,
		"XDG_STATE_HOME="+filepath.Join(env.WorkDir, ".state"), "NO_COLOR=1",
		fmt.Sprintf("REDIRECT_URL=http://127.0.0.1:%d/callback", port))
	return nil
}

func freePort(ctx context.Context) (int, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// openSandbox starts a simulated Exact Online with one small company, and a simulated Exact Payments with
// few payments.
func openSandbox(ts *testscript.TestScript, _ bool, _ []string) {
	st := on(ts)
	clock := func() time.Time { return time.Now().Add(time.Duration(st.ahead.Load())) }
	simulated, err := newSimulated(
		sandbox.Options{Seed: 1, Divisions: 1, Scale: 0.02, MinuteLimit: -1, DayLimit: -1, Clock: clock},
		pay.Options{Seed: 1, Scale: 0.1, Clock: clock})
	ts.Check(err)
	payments(ts, simulated.pay)
	server := httptest.NewServer(st.hush.listen(simulated))
	ts.Defer(server.Close)
	id, secret := simulated.exact.Client()
	st.hush.keep(secret)
	ts.Setenv("SANDBOX_URL", server.URL)
	ts.Setenv("EXACT_CLIENT_ID", id)
	ts.Setenv("EXACT_CLIENT_SECRET", secret)
}

// payments names a user of Exact Payments, an account, and a token.
func payments(ts *testscript.TestScript, p *pay.Sandbox) {
	user := p.Credentials()
	token, err := p.Token("")
	ts.Check(err)
	on(ts).hush.keep(user.Password)
	on(ts).hush.keep(token)
	ts.Setenv("PAY_EMAIL", user.Email)
	ts.Setenv("PAY_ACCOUNT", user.Accounts[0])
	ts.Setenv("PAY_APPLICATION", user.Application)
	ts.Setenv("PAY_ORGANIZATION", user.Organization)
	ts.Setenv("PAY_TOKEN", token)
	ts.Setenv(passwordVariable, user.Password)
}

// fill writes the addresses of this story into files.
func fill(ts *testscript.TestScript, _ bool, files []string) {
	redirect := ts.Getenv("REDIRECT_URL")
	words := strings.NewReplacer(
		"APPLICATION", ts.Getenv("PAY_APPLICATION"), "ORGANIZATION", ts.Getenv("PAY_ORGANIZATION"),
		"MONTHS_AGO", time.Now().AddDate(0, -3, 0).Format(time.DateOnly),
		"SANDBOX_URL", ts.Getenv("SANDBOX_URL"), "REDIRECT_URL", redirect,
		"REDIRECT_TLS", strings.Replace(redirect, "http:", "https:", 1))
	for _, name := range files {
		ts.Check(os.WriteFile(ts.MkAbs(name), []byte(words.Replace(ts.ReadFile(name))), 0o600))
	}
}

// vary makes pipelines.yaml of base.yaml with things replaced: "vary 'version: 1' 'version: 2'".
func vary(ts *testscript.TestScript, _ bool, args []string) {
	text := ts.ReadFile("base.yaml")
	for ; len(args) > 0; args = args[2:] {
		if !strings.Contains(text, args[0]) {
			ts.Fatalf("base.yaml has no %q", args[0])
		}
		text = strings.Replace(text, args[0], args[1], 1)
	}
	ts.Check(os.WriteFile(ts.MkAbs("pipelines.yaml"), []byte(text), 0o600))
	fill(ts, false, []string{"pipelines.yaml"})
}

// ahead sets the clock of the sandbox and of the program forward.
func ahead(ts *testscript.TestScript, _ bool, args []string) {
	d, err := time.ParseDuration(args[0])
	ts.Check(err)
	total := on(ts).ahead.Add(int64(d))
	ts.Setenv(childTime, time.Duration(total).String())
}

// exits runs the program and holds it to an exit code, and to the manners of every command: what
// fails has an error line and a hint, nothing is a bug, and no secret is shown.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec("exactduck", args[1:]...)
	ended(ts, args[0], err, ts.ReadFile("stdout"), ts.ReadFile("stderr"))
}

func ended(ts *testscript.TestScript, want string, err error, stdout, stderr string) {
	code := 0
	if ended, ok := errors.AsType[*exec.ExitError](err); ok {
		code = ended.ExitCode()
	} else {
		ts.Check(err)
	}
	if strconv.Itoa(code) != want {
		ts.Fatalf("exit code %d, want %s", code, want)
	}
	failed := strings.Contains(stderr, "error: ")
	if failed != (code != 0) || failed && !strings.Contains(stderr, "\nhint: ") {
		ts.Fatalf("exit code %d needs an error line and a hint, and 0 needs none", code)
	}
	on(ts).hush.keep(ts.Getenv(env("passphrase")[0]))
	if found := on(ts).hush.in([]byte(stdout + stderr)); found > 0 {
		ts.Fatalf("%d secrets are shown", found)
	}
}

// answers are what a person can do with the address that the browser ends at.
var answers = map[string]func(address string) string{
	"paste": func(address string) string { return address },
	"code": func(address string) string {
		_, query, _ := strings.Cut(address, "code=")
		return strings.Split(query, "&")[0]
	},
	"slip":    func(address string) string { return "no code at all\n" + address },
	"stale":   func(address string) string { return strings.Replace(address, "state=", "state=X", 1) },
	"refuse":  func(address string) string { return strings.Replace(address, "code=", "error=access_denied&was=", 1) },
	"wrong":   func(address string) string { return strings.Replace(address, "%21", "%21X", 1) },
	"nothing": func(string) string { return "" },
}

// authorize runs "auth login" and is the person with the browser: it opens the address that the
// program prints, lets the app in, and either follows the browser back ("browser") or pastes
// something, see answers. Its arguments are the exit code, the way, and the command line.
func authorize(ts *testscript.TestScript, _ bool, args []string) {
	cmd := exec.CommandContext(on(ts).ctx, "exactduck", args[2:]...)
	cmd.Dir = ts.MkAbs(".")
	for _, name := range []string{"PATH", "HOME", "XDG_STATE_HOME", "EXACT_CLIENT_ID", "EXACT_CLIENT_SECRET", "EXACT_TOKEN_KEY", childTime} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	in, err := cmd.StdinPipe()
	ts.Check(err)
	told, err := cmd.StderrPipe()
	ts.Check(err)
	var out, shown strings.Builder
	cmd.Stdout = &out
	ts.Check(cmd.Start())
	for lines := bufio.NewScanner(told); lines.Scan(); {
		fmt.Fprintln(&shown, lines.Text())
		if strings.HasPrefix(lines.Text(), ts.Getenv("SANDBOX_URL")+"/api/oauth2/auth?") {
			address := letIn(ts, lines.Text())
			on(ts).hush.keep(answers["code"](address))
			if way := answers[args[1]]; way != nil {
				_, _ = io.WriteString(in, way(address)+"\n") // the program may have ended
				_ = in.Close()
			} else {
				visit(ts, address)
			}
		}
	}
	err = cmd.Wait()
	_, _ = io.WriteString(ts.Stdout(), out.String())
	_, _ = io.WriteString(ts.Stderr(), shown.String())
	ended(ts, args[0], err, out.String(), shown.String())
}

// letIn is a person who logs in and lets the app in; it returns where the browser is sent.
func letIn(ts *testscript.TestScript, page string) string {
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	r := send(ts, client, http.MethodGet, page+"&auto=1")
	defer r.Body.Close()
	if r.StatusCode != http.StatusFound {
		ts.Fatalf("the login page answered %s", r.Status)
	}
	return r.Header.Get("Location")
}

// visit is the browser coming back; like a person it goes on past the warning of the certificate.
func visit(ts *testscript.TestScript, address string) {
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	ts.Check(send(ts, client, http.MethodGet, address).Body.Close())
}

func send(ts *testscript.TestScript, client *http.Client, method, address string) *http.Response {
	req, err := http.NewRequestWithContext(on(ts).ctx, method, address, nil)
	ts.Check(err)
	r, err := client.Do(req)
	ts.Check(err)
	return r
}

// steer does something to the company: "steer change?entity=crm/Accounts&insert=3".
func steer(ts *testscript.TestScript, _ bool, args []string) {
	r := send(ts, http.DefaultClient, http.MethodPost, ts.Getenv("SANDBOX_URL")+"/_sandbox/"+args[0])
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		ts.Fatalf("the sandbox answered %s", r.Status)
	}
}

// loginFile sets LOGIN to the path of the login.
func loginFile(ts *testscript.TestScript, _ bool, _ []string) {
	found, err := filepath.Glob(filepath.Join(ts.Getenv("XDG_STATE_HOME"), "exactduck", "login-*.json"))
	ts.Check(err)
	if len(found) != 1 {
		ts.Fatalf("%d login files", len(found))
	}
	ts.Setenv("LOGIN", found[0])
}

// mangle overwrites the beginning of files.
func mangle(ts *testscript.TestScript, _ bool, files []string) {
	for _, name := range files {
		f, err := os.OpenFile(ts.MkAbs(name), os.O_WRONLY, 0)
		ts.Check(err)
		_, err = f.WriteAt([]byte(strings.Repeat("mangled ", 2048)), 0)
		ts.Check(errors.Join(err, f.Close()))
	}
}

// tamper runs statements on the working database of warehouse.duckdb, which no run knows of.
func tamper(ts *testscript.TestScript, _ bool, statements []string) {
	db, err := sql.Open("duckdb", ts.MkAbs(filepath.Join(".exactduck", "warehouse.work.duckdb")))
	ts.Check(err)
	for _, s := range statements {
		_, err := db.ExecContext(on(ts).ctx, s)
		ts.Check(err)
	}
	ts.Check(db.Close())
}

// askFor sets a variable to the one value of a query: "ask ROWS 'SELECT count(*) FROM crm.Accounts'".
func askFor(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(ts.Exec("exactduck", "query", "--output", "csv", args[1]))
	lines := strings.Split(strings.TrimSpace(ts.ReadFile("stdout")), "\n")
	ts.Setenv(args[0], strings.TrimSpace(lines[len(lines)-1]))
}

// nowhere searches all files for values, as found does, configuration and script aside.
func nowhere(ts *testscript.TestScript, _ bool, words []string) {
	for _, where := range found(on(ts).t, ts.MkAbs("."), words...) {
		ts.Fatalf("there is still %s", where)
	}
}

// somewhere makes sure that nowhere would find a value in a file: "somewhere VALUE NAME", of which the
// end is enough.
func somewhere(ts *testscript.TestScript, _ bool, args []string) {
	for _, where := range found(on(ts).t, ts.MkAbs("."), args[0]) {
		if strings.HasSuffix(where, args[1]) {
			return
		}
	}
	ts.Fatalf("no %s with %s in it", args[1], args[0])
}

// mount makes a folder a file system of its own with a size: "mount small 64k".
func mount(ts *testscript.TestScript, _ bool, args []string) {
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o700))
	ts.Check(tmpfs(on(ts).ctx, dir, args[1]))
	ts.Defer(func() { _ = exec.CommandContext(context.Background(), "umount", "--lazy", dir).Run() })
}

func tmpfs(ctx context.Context, dir, size string) error {
	return exec.CommandContext(ctx, "mount", "-t", "tmpfs", "-o", "size="+size, "tmpfs", dir).Run()
}

// mayMount tells whether this process may mount, which takes a privileged one.
var mayMount = sync.OnceValue(func() bool {
	dir, err := os.MkdirTemp("", "exactduck-mount")
	if err != nil {
		return false
	}
	defer os.Remove(dir)
	if tmpfs(context.Background(), dir, "64k") != nil {
		return false
	}
	return exec.CommandContext(context.Background(), "umount", dir).Run() == nil
})
