package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"exactduck/cmd/exactduck/config"
	"exactduck/extract/sandbox"
	"exactduck/extract/sandbox/pay"
)

func sandboxCommand() command {
	return command{
		name: "sandbox", usage: "serve a simulated Exact Online and Exact Payments on this machine",
		help: `
The same addresses, rules and refusals as the real one, over companies that do not exist. What is
done in them, and who is logged in, is kept in the state file; in the folder of a demo that is the
demo's. Exact Payments listens at the same address, over merchants that do not exist either; it
keeps what happens beside that file, in sandbox.pay.ndjson. Ctrl-C stops both.

   exactduck sandbox
   exactduck sandbox --divisions 5 --scale 10 --seed 7 --state large.ndjson
   exactduck sandbox --divisions 500 --scale 0.01 --records crm/Opportunities=5000 --set others=30
   curl -X POST 'http://127.0.0.1:8700/_sandbox/change?entity=crm/Accounts&insert=3&update=2&delete=1'
   curl http://127.0.0.1:8700/_sandbox/calls          also: errors, divisions
   exactduck sandbox --accounts 5 --set pay.filters=ignored --set pay.natural=newest
   curl -X POST 'http://127.0.0.1:8700/_sandbox/pay/change?resource=payments&insert=3&refund=1'
   curl http://127.0.0.1:8700/_sandbox/pay/calls      also: accounts, login

A scenario is a YAML list of steps, each with one action and at most one moment:

   - at: 2h                                   # after the start
     change: {entity: crm/Accounts, insert: 3, update: 2}
   - every: 24h                               # the first time at "at", else after a day
     times: 30                                # left out: for ever
     change: {entity: financial/TransactionLines, insert: 10}
   - after: 2 calls of crm/Accounts in 123456 # "of" and "in" may be left out
     forbid: {division: 123456, path: crm/Contacts, reason: LicenseExpired}
   - every: 10 calls
     fault: {kind: 503, path: sync/, delay: 2s}
   - set: {others: 30, skip_token_life: 10m}  # at once

What is due by the clock happens before the next request. With --state a scenario goes on where it
was. The actions, also as POST /_sandbox/ACTION?NAME=VALUE:

` + sandbox.Manual() + `
Of Exact Payments, as POST /_sandbox/pay/ACTION?NAME=VALUE; --set has its switches as pay.SWITCH:

` + pay.Manual(),
		flags: sandboxFlags(),
		do:    doSandbox,
	}
}

// What shapes the companies, which a state file holds already.
var shaping = []string{"divisions", "scale", "seed", "records", "archived", "blocked"}

func sandboxFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "listen", Value: sandboxAddress, Usage: "`ADDRESS` on this machine; port 0 takes any that is free", EnvVars: env("listen")},
		&cli.StringFlag{Name: "state", Value: sandboxState, Usage: "the `FILE` that keeps what happens; '' keeps nothing", EnvVars: env("state")},
		&cli.IntFlag{Name: "divisions", Value: 2, Usage: "`NUMBER` of companies", EnvVars: env("divisions")},
		&cli.Float64Flag{Name: "scale", Value: 1, Usage: "`FACTOR` for the number of records; at 1 the first company has about 2500 transaction lines", EnvVars: env("scale")},
		&cli.Uint64Flag{Name: "seed", Usage: "`NUMBER` that all of it is made from", EnvVars: env("seed")},
		&cli.StringSliceFlag{Name: "records", Usage: "`STREAM=NUMBER` of records that a stream begins with in each division, may be repeated", EnvVars: env("records")},
		&cli.IntFlag{Name: "archived", Usage: "`NUMBER` of companies, the last ones, that are archived", EnvVars: env("archived")},
		&cli.IntFlag{Name: "blocked", Usage: "`NUMBER` of companies, those before, that are blocked", EnvVars: env("blocked")},
		&cli.IntFlag{Name: "accounts", Value: 2, Usage: "`NUMBER` of merchants at Exact Payments", EnvVars: env("accounts")},
		&cli.StringFlag{Name: "scenario", Usage: "the `FILE` of what happens by itself", EnvVars: env("scenario")},
		&cli.StringSliceFlag{Name: "set", Usage: "`SWITCH=VALUE`, see the switches above, may be repeated", EnvVars: env("set")},
		&cli.DurationFlag{Name: "window", Value: time.Minute, Usage: "`DURATION` of the minute of the minute limit", EnvVars: env("window")},
		&cli.IntFlag{Name: "minute-limit", Value: 60, Usage: "`CALLS` that a division may cost in a minute; 0: no limit", EnvVars: env("minute-limit")},
		&cli.IntFlag{Name: "day-limit", Value: 5000, Usage: "`CALLS` that a division may cost in a day; 0: no limit", EnvVars: env("day-limit")},
	}
}

// stopping is how long requests under way may take once the sandbox is to stop.
const stopping = 500 * time.Millisecond

func doSandbox(ctx context.Context, k *call) (*view, error) {
	options, err := k.sandboxOptions()
	if err != nil {
		return nil, err
	}
	payments, err := k.payOptions(options)
	if err != nil {
		return nil, err
	}
	listener, err := listenHere(ctx, k.String("listen"))
	if err != nil {
		return nil, err
	}
	both, err := newSimulated(options, payments)
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	return &view{raw: func(out io.Writer) error {
		if err := k.introduce(out, newServed(both, listener, options.StateFile)); err != nil {
			return errors.Join(err, listener.Close(), both.Close())
		}
		err := serve(ctx, listener, both, k.log)
		if err == nil && !k.Bool("q") {
			fmt.Fprintln(k.err, "the sandbox has stopped")
		}
		return errors.Join(err, both.Close())
	}}, nil
}

func (k *call) sandboxOptions() (o sandbox.Options, err error) {
	o = sandbox.Options{
		Seed: k.Uint64("seed"), Divisions: k.Int("divisions"), Scale: k.Float64("scale"), Window: k.Duration("window"),
		MinuteLimit: unlimited(k.Int("minute-limit")), DayLimit: unlimited(k.Int("day-limit")), Clock: k.clock, Log: k.log,
		Archived: k.Int("archived"), Blocked: k.Int("blocked"), Records: map[string]int{},
	}
	switch {
	case o.Divisions < 1:
		return o, &usageError{"--divisions must be at least 1", "leave it out for 2"}
	case !(o.Scale > 0) || math.IsInf(o.Scale, 0):
		return o, &usageError{"--scale must be a number above 0", "leave it out for 1"}
	case o.Window <= 0:
		return o, &usageError{"--window must be longer than nothing", "write it as 60s or 2s"}
	}
	if err := errors.Join(k.recordsIn(&o), k.switchesIn(&o)); err != nil {
		return o, err
	}
	if err := o.Check(); err != nil {
		return o, &usageError{err.Error(), "look at --records, --archived and --blocked"}
	}
	if o.Scenario, err = readScenario(k.String("scenario")); err != nil {
		return o, err
	}
	if k.String("state") == "" {
		return o, nil
	}
	if o.StateFile, err = filepath.Abs(k.String("state")); err != nil {
		return o, err
	}
	if fileHolds(o.StateFile) {
		for _, flag := range shaping {
			if k.IsSet(flag) {
				return o, &usageError{
					fmt.Sprintf("%s holds companies already, which --%s cannot change", o.StateFile, flag),
					"leave --" + flag + " out, or name another file with --state",
				}
			}
		}
	}
	return o, nil
}

// fileHolds says whether there is a file with something in it.
func fileHolds(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Size() > 0
}

func (k *call) recordsIn(o *sandbox.Options) error {
	for _, text := range k.StringSlice("records") {
		stream, number, ok := strings.Cut(text, "=")
		n, err := strconv.Atoi(number)
		if !ok || err != nil || n < 0 {
			return &usageError{fmt.Sprintf("--records %q is no stream with a number", text), "write it like crm/Opportunities=5000"}
		}
		o.Records[stream] = n
	}
	return nil
}

func (k *call) switchesIn(o *sandbox.Options) error {
	for _, text := range k.StringSlice("set") {
		name, value, _ := strings.Cut(text, "=")
		if strings.HasPrefix(name, paySwitch) {
			continue
		}
		if err := o.Set(name, value); err != nil {
			return &usageError{fmt.Sprintf("--set %s: %v", text, err), "write it like --set others=30"}
		}
	}
	return nil
}

// readScenario reads the file of a scenario; "" is none.
func readScenario(path string) (*sandbox.Scenario, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, &usageError{fmt.Sprintf("--scenario: %v", err), "name a file that can be read"}
	}
	scenario, err := sandbox.ParseScenario(path, text)
	if err != nil {
		return nil, &usageError{err.Error(), `"exactduck sandbox --help" says what a scenario is made of`}
	}
	return scenario, nil
}

// unlimited turns what the flags call no limit into what the sandbox calls so.
func unlimited(calls int) int {
	if calls <= 0 {
		return -1
	}
	return calls
}

// stateError says that the state file of a sandbox is of no use.
type stateError struct {
	path string
	err  error
}

func (e *stateError) Error() string { return e.err.Error() }
func (e *stateError) Unwrap() error { return e.err }

func stateHint(err error) string {
	if errors.Is(err, fs.ErrNotExist) {
		return "make its folder first, or name another file with --state"
	}
	return "another sandbox may be using that file, or it is no state of a sandbox: name another one with --state"
}

// listenError says that the sandbox cannot listen where it should.
type listenError struct {
	address string
	err     error
}

func (e *listenError) Error() string { return fmt.Sprintf("listen on %s: %v", e.address, e.err) }
func (e *listenError) Unwrap() error { return e.err }

func listenHint(err error) string {
	if errors.Is(err, syscall.EADDRINUSE) {
		return "another program, perhaps this one a second time, listens there: stop it, or take another port with --listen 127.0.0.1:0"
	}
	return "take another port with --listen 127.0.0.1:0"
}

// loopbackOnly refuses addresses that other machines can reach: the sandbox knows no strangers.
func loopbackOnly(address string) error {
	const hint = "write it like " + sandboxAddress
	host, _, err := net.SplitHostPort(address)
	switch {
	case err != nil:
		return &usageError{fmt.Sprintf("--listen %q is no address with a port", address), hint}
	case !config.Loopback(host):
		return &usageError{fmt.Sprintf("--listen %q is not on this machine alone, and the sandbox serves nobody else", address), hint}
	}
	return nil
}

func listenHere(ctx context.Context, address string) (net.Listener, error) {
	if err := loopbackOnly(address); err != nil {
		return nil, err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if as[*net.AddrError](err) || as[*net.DNSError](err) { // a port beyond the last one; one by a name unheard of
		return nil, &usageError{fmt.Sprintf("--listen %q has no port that there is", address), "write it like " + sandboxAddress}
	}
	if err != nil {
		return nil, &listenError{address, reason(err)}
	}
	return listener, nil
}

// reason is the innermost error: the outer ones repeat the address.
func reason(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}

// serve answers requests until the context ends.
func serve(ctx context.Context, listener net.Listener, handler http.Handler, log *slog.Logger) error {
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute,
		BaseContext: func(net.Listener) context.Context { return ctx }, // ends what a fault makes wait
		ErrorLog:    slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopping)
		defer cancel()
		err := server.Shutdown(grace)
		if errors.Is(err, context.DeadlineExceeded) {
			err = server.Close()
		}
		stopped <- err
	})
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		if stop() {
			return fmt.Errorf("serve the sandbox: %w", err)
		}
	}
	return <-stopped
}

// served is where a sandbox is and how to log in to it.
type served struct {
	URL          string `json:"url"`
	Divisions    []int  `json:"divisions"`
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"` // of no worth outside this sandbox
	StateFile    string `json:"state_file,omitempty"`
	Control      string `json:"control_url"`

	Payments servedPay `json:"payments"`
}

func newServed(s *simulated, listener net.Listener, state string) *served {
	id, secret := s.exact.Client()
	url := "http://" + listener.Addr().String()
	return &served{
		URL: url, Divisions: s.exact.Divisions(), ClientID: id, ClientSecret: secret, StateFile: state, Control: url + "/_sandbox/",
		Payments: servedPay{Credentials: s.pay.Credentials(), StateFile: payState(state), Control: url + "/_sandbox/pay/"},
	}
}

// introduce says what is served, before it is: a sandbox has no end at which to say it.
func (k *call) introduce(out io.Writer, s *served) error {
	if k.String("output") != "json" {
		return s.print(out)
	}
	if code := k.showJSON(&view{data: s}, nil, 0); code != 0 {
		return &listenError{s.URL, errors.New("nobody could be told")}
	}
	return nil
}

func (s *served) print(out io.Writer) error {
	state := s.StateFile
	if state == "" {
		state = "nowhere: it is gone when the sandbox stops"
	}
	_, err := fmt.Fprintf(out, `a simulated Exact Online listens on %[1]s

divisions      %[2]s
kept in        %[3]s
client id      %[4]s
client secret  %[5]s   (opens nothing but this sandbox)

To read from it, write into pipelines.yaml:

connections:
  sandbox:
    type: exact-online
    base_url: %[1]s
    client_id: %[4]s
    client_secret: %[5]s

To work in its books, as people would (omit division: the first):

  curl -X POST '%[6]schange?division=%[7]d&entity=crm/Accounts&insert=3&update=2&delete=1'
  curl %[6]scalls
`, s.URL, strings.Trim(fmt.Sprint(s.Divisions), "[]"), state, s.ClientID, s.ClientSecret, s.Control, s.Divisions[0])
	if err == nil {
		err = s.Payments.print(out, s.URL)
	}
	if err == nil {
		_, err = fmt.Fprintln(out, "\nCtrl-C stops both.")
	}
	return err
}
