package main

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"text/template"
	"time"

	"github.com/google/renameio/v2"
	"github.com/urfave/cli/v2"

	"exactduck/auth"
	"exactduck/cmd/exactduck/config"
	"exactduck/extract/sandbox"
	"exactduck/extract/sandbox/pay"
	"exactduck/load"
)

//go:embed demo.yaml
var demoConfig string

const (
	sandboxAddress = "127.0.0.1:8700"
	sandboxState   = "sandbox.ndjson" // in the folder of the demo
	sandboxSecret  = "sandbox.secret"
	demoRedirect   = "https://localhost:8585/callback"
	demoWindow     = 2 * time.Second // a minute would be a long time to watch
)

// The questions that the demo asks in the end.
var demoQueries = []question{
	{"who owes us most", `SELECT d.Description AS division, r.AccountName AS customer, count(*) AS invoices, sum(r.Amount) AS amount
FROM financial.ReceivablesList r JOIN exact_system.Divisions d ON d.Code = r._division
GROUP BY ALL ORDER BY amount DESC LIMIT 5`},
	{"do the books balance", `SELECT _division AS division, FinancialYear AS year, count(*) AS lines,
       count(DISTINCT EntryID) AS entries, sum(AmountDC) FILTER (AmountDC > 0) AS debit, sum(AmountDC) AS balance
FROM financial.TransactionLines GROUP BY ALL ORDER BY ALL`},
	{"what was earned", `SELECT division_name, currency, financial_year, sum(amount) FILTER (category_order = 1) AS revenue, sum(amount) AS result
FROM analytics.profit_and_loss GROUP BY ALL ORDER BY ALL`},
}

func demoCommand() command {
	return command{
		name: "demo", usage: "sandbox, login, sync and three queries in one go, offline",
		help: `
Makes a folder with a configuration and a simulated Exact Online of its own, logs in, syncs two
companies and asks three questions. Everything goes over real HTTP, OAuth, OData and DuckDB; nothing
leaves this machine. A second demo in the same folder goes on with it.

With --all there is a simulated Exact Payments too, synced into the same file, and a fourth question
that takes both: which invoices were paid, and what went back.

   exactduck demo
   exactduck demo --all
   cd exactduck-demo && exactduck sandbox      in one terminal
   cd exactduck-demo && exactduck sync         in another`,
		flags: []cli.Flag{
			&cli.BoolFlag{Name: "all", Usage: "sync Exact Payments too, and ask which invoices were paid", EnvVars: env("all")},
			&cli.StringFlag{Name: "dir", Value: "exactduck-demo", Usage: "the `FOLDER` to make", EnvVars: env("dir")},
			&cli.StringFlag{Name: "listen", Value: sandboxAddress, Usage: "where the sandbox listens; another port is taken when this one is not free", EnvVars: env("listen")},
		},
		do: doDemo,
	}
}

// demo is the folder that a demo plays in, its simulated Exact Online and, with --all, Exact Payments.
type demo struct {
	*call
	dir     string
	sandbox *sandbox.Sandbox
	pay     *pay.Sandbox // nil: without
	url     string
	story   io.Writer
}

func doDemo(ctx context.Context, k *call) (*view, error) {
	d := &demo{call: k, dir: k.String("dir"), story: k.out}
	if k.String("output") == "json" {
		d.story = k.err
	}
	if err := d.makeDir(); err != nil {
		return nil, err
	}
	stop, err := d.serve(ctx)
	if err != nil {
		return nil, err
	}
	defer stop()
	if err := d.configure(); err != nil {
		return nil, err
	}
	if err := d.login(ctx); err != nil {
		return nil, err
	}
	if d.pay != nil {
		if err := d.loginToPay(ctx); err != nil {
			return nil, err
		}
	}
	return d.syncAndAsk(ctx)
}

// makeDir makes the folder, or takes that of an earlier demo. It touches no other.
func (d *demo) makeDir() error {
	entries, err := os.ReadDir(d.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, err := os.Stat(filepath.Join(d.dir, sandboxState)); len(entries) > 0 && err != nil {
		return &usageError{d.dir + " is there and was not made by a demo", "name another folder with --dir"}
	}
	return os.MkdirAll(d.dir, 0o700)
}

// serve starts the sandbox on loopback.
func (d *demo) serve(ctx context.Context) (stop func(), err error) {
	if err := loopbackOnly(d.String("listen")); err != nil {
		return nil, err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", d.String("listen"))
	if err != nil {
		listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	}
	if err != nil {
		return nil, fmt.Errorf("listen for the sandbox: %w", err)
	}
	handler, err := d.simulate()
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	d.url = "http://" + listener.Addr().String()
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(listener) }() // ends with ErrServerClosed below
	d.tell("a simulated Exact Online with %d companies listens on %s", len(d.sandbox.Divisions()), d.url)
	if d.pay != nil {
		d.tell("so does a simulated Exact Payments, through which customers of the first have paid")
	}
	return func() {
		_ = server.Close() // nobody is served any more: the calls are over
		if err := handler.Close(); err != nil {
			d.log.WarnContext(ctx, "the sandbox could not keep its state", "error", err)
		}
	}, nil
}

// simulation is what a demo plays on.
type simulation interface {
	http.Handler
	io.Closer
}

func (d *demo) simulate() (simulation, error) {
	o := sandbox.Options{StateFile: filepath.Join(d.dir, sandboxState), Window: demoWindow, Clock: d.clock, Log: d.log}
	if d.Bool("all") {
		both, err := newSimulated(o, pay.Options{Clock: d.clock, Log: d.log})
		if err != nil {
			return nil, err
		}
		d.sandbox, d.pay = both.exact, both.pay
		return both, nil
	}
	var err error
	d.sandbox, err = sandbox.New(o)
	return d.sandbox, err
}

func (d *demo) tell(format string, args ...any) { fmt.Fprintf(d.story, "▸ "+format+"\n", args...) }

// configure writes pipelines.yaml for the sandbox as it listens now.
func (d *demo) configure() error {
	id, secret := d.sandbox.Client()
	var text bytes.Buffer
	err := template.Must(template.New("demo").Parse(demoConfig)).Execute(&text, map[string]any{
		"URL": d.url, "ClientID": id, "Redirect": demoRedirect, "Payments": d.merchants(),
	})
	if err != nil {
		return err
	}
	path := filepath.Join(d.dir, "pipelines.yaml")
	if err := renameio.WriteFile(filepath.Join(d.dir, sandboxSecret), []byte(secret+"\n"), 0o600); err != nil {
		return fmt.Errorf("write the sandbox's client secret: %w", err)
	}
	if err := renameio.WriteFile(path, text.Bytes(), 0o644); err != nil {
		return fmt.Errorf("write the demo's configuration: %w", err)
	}
	d.cfg, err = config.Load(path, catalogue)
	d.tell("%s says what to read and where to", path)
	return err
}

// login is what a person does with a browser, done by the program: open the page, agree, come back
// with a code.
func (d *demo) login(ctx context.Context) error {
	l, err := d.call.login("sandbox")
	if err != nil {
		return err
	}
	status, err := auth.ReadStatus(ctx, l.store, d.clock())
	if err != nil {
		return err
	}
	if status.LoggedIn {
		d.tell("logged in already; the login is in %s", l.store.Path())
		return nil
	}
	input, browser := io.Pipe()
	defer input.Close()
	_, err = auth.Login(ctx, auth.LoginOptions{
		Options: l.options(d.call), Input: input, NoListener: true,
		Announce: func(p auth.Prompt) { go agree(ctx, p.URL, browser) },
	})
	if err != nil {
		return err
	}
	d.tell("logged in by OAuth; the login is in %s", l.store.Path())
	return nil
}

// agree opens the page of a login and pastes where it leads to.
func agree(ctx context.Context, page string, into *io.PipeWriter) {
	back, err := redirectOf(ctx, page)
	if err == nil {
		_, err = fmt.Fprintln(into, back)
	}
	into.CloseWithError(err)
}

func redirectOf(ctx context.Context, page string) (string, error) {
	at, err := url.Parse(page)
	if err != nil {
		return "", err
	}
	query := at.Query()
	query.Set("auto", "1") // the sandbox's way to agree without a click
	at.RawQuery = query.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return "", err
	}
	answer, err := http.DefaultTransport.RoundTrip(request) // a client would follow the redirect
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusFound {
		return "", fmt.Errorf("the login page answered %s", answer.Status)
	}
	return answer.Header.Get("Location"), nil
}

func (d *demo) syncAndAsk(ctx context.Context) (*view, error) {
	b, err := d.books()
	if err != nil {
		return nil, err
	}
	v, err := d.syncAll(ctx, b)
	if err != nil {
		return v, err
	}
	reader, err := load.OpenReader(ctx, d.cfg.Pipelines["nightly"].To.DuckDB)
	if err != nil {
		return v, err
	}
	defer reader.Close()
	for _, q := range d.questions() {
		fmt.Fprintln(d.story)
		d.tell("%s?\n\n%s;\n", q.about, q.sql)
		answer, err := reader.Query(ctx, q.sql)
		if err != nil {
			return v, err
		}
		if err := errors.Join(printAnswer(d.story, answer), answer.Close()); err != nil {
			return v, err
		}
	}
	d.farewell()
	return v, nil
}

// syncAll runs the one pipeline, or both.
func (d *demo) syncAll(ctx context.Context, b *books) (*view, error) {
	var results []synced
	for _, name := range d.cfg.PipelineNames() {
		result, err := b.sync(ctx, d.cfg.Pipelines[name], syncOptions{})
		results = append(results, result)
		if err != nil {
			return demoView(results), err
		}
		d.tell("synced")
		result.print(d.story, false)
	}
	return demoView(results), nil
}

// demoView is the run of the one pipeline, or a list of the runs of both.
func demoView(results []synced) *view {
	if len(results) == 1 {
		return &view{data: results[0], runID: results[0].ID}
	}
	return &view{data: results}
}

func (d *demo) farewell() {
	fmt.Fprintln(d.story)
	if self, err := os.Executable(); err == nil && strings.Contains(self, "go-build") {
		fmt.Fprintln(d.story, "go install ./cmd/exactduck makes this program the command exactduck.")
	}
	fmt.Fprintf(d.story, `Go on in %s:
  %-39s serves the companies (leave it running in another terminal)
  exactduck sync                          brings what changed; nothing has, yet
  curl -X POST '%s/_sandbox/change?entity=crm/Accounts&insert=3&update=5&delete=1'
`, d.dir, d.sandboxLine(), d.url)
	if d.pay != nil {
		fmt.Fprintf(d.story, "  curl -X POST '%s/_sandbox/pay/change?resource=payments&insert=3&refund=1'\n", d.url)
	}
	fmt.Fprintln(d.story, `  exactduck sync && exactduck status
  exactduck query "FROM crm.Accounts LIMIT 5"`)
}

// sandboxLine is how to serve the companies again where pipelines.yaml expects them.
func (d *demo) sandboxLine() string {
	if address := strings.TrimPrefix(d.url, "http://"); address != sandboxAddress {
		return "exactduck sandbox --listen " + address
	}
	return "exactduck sandbox"
}
