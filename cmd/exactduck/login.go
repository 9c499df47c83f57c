package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/pkg/browser"
	"github.com/urfave/cli/v2"

	"exactduck/auth"
)

func loginCommand(connection cli.Flag) command {
	return command{
		name: "auth login", usage: "log in: at Exact Online in a browser, at Exact Payments with e-mail address and password",
		help: `
Prints an address, opens it in a browser when somebody is at the terminal, and takes whichever comes
first: the browser that comes back to this machine (when the redirect URL leads here), or the address
that the browser ended at, or the bare code, pasted as a line. A code works once and for three minutes.

   exactduck auth login
   exactduck auth login --no-browser       over ssh: open the address elsewhere, paste what it ends at
   exactduck auth login --code-file -      in a script: the address or the code comes from a pipe (or
                                           a named pipe or file), and the first line must be right

One app and one user have one login: logging in with them anywhere ends the login that they have
elsewhere. Register an app for each installation, or move the login with "exactduck auth export".

Exit codes: 0 logged in, 2 the app registration or what was pasted is not right, 4 access was not
granted, 5 the token server cannot be reached.

At Exact Payments it asks for your e-mail address and password, does not show the password, keeps neither,
and makes an application token that may read what pipelines.yaml lists, and nothing else. It is stored as
logins are, and does not expire. "exactduck auth logout" deletes it there and here.

   exactduck auth login --connection payments
   exactduck auth login --email ann@example.com --password-file /run/secrets/exactpay`,
		flags: append([]cli.Flag{
			connection,
			&cli.StringFlag{Name: "code-file", Usage: "read the address that the browser ended at, or the code, from `FILE`; - is standard input", EnvVars: env("code-file")},
			&cli.BoolFlag{Name: "no-browser", Usage: "print the address and open nothing", EnvVars: env("no-browser")},
		}, personFlags()...),
		do: doLogin,
	}
}

func doLogin(ctx context.Context, k *call) (*view, error) {
	name, err := k.connectionName()
	if err != nil {
		return nil, err
	}
	l, err := k.login(name)
	if err != nil {
		return nil, err
	}
	return k.vendorOn(name).enter(ctx, k, name, l)
}

func (exactOnline) enter(ctx context.Context, k *call, name string, l *login) (_ *view, err error) {
	o := auth.LoginOptions{Options: l.options(k), Input: k.in, Announce: k.announce, Reject: k.reject}
	if !k.Bool("no-browser") && terminal(k.err) {
		o.OpenBrowser = func(url string) error { return k.openBrowser(ctx, url) }
	}
	if k.String("code-file") != "" {
		if o.Input, err = k.codeFile(k.String("code-file")); err != nil {
			return nil, err
		}
		o.Reject, o.OpenBrowser, o.NoListener = nil, nil, true
	}
	if terminal(k.err) && !k.Bool("q") {
		var stop func()
		o.Exchanging, stop = k.countdown(ctx)
		defer stop()
	}
	status, err := auth.Login(ctx, o)
	if err != nil {
		return nil, err
	}
	return &view{data: loginStatus{Connection: name, Status: status}, text: func(out io.Writer) {
		fmt.Fprintf(out, "logged in at %s\nthe login lapses at %s unless it is used before: every sync uses it\n\nnext, type:\n  exactduck sync\n",
			status.Host, minute(status.ExpiresAt))
	}}, nil
}

// announce tells the person what to do. The address stands on a line of its own.
func (k *call) announce(p auth.Prompt) {
	fmt.Fprintf(k.err, "Open this address in a browser and log in:\n\n%s\n\n", p.URL)
	fmt.Fprintf(k.err, "This ends any other login of the same app and user, on whatever machine.\n")
	switch {
	case p.Listening && p.TLS:
		fmt.Fprintf(k.err, `The browser will come back to %s, which is this program. Before that it
warns that nobody vouches for the certificate: this program has just made it, for this login
only. Choose "Advanced" and go on. If the page does not open, paste its address here:
`, p.Redirect)
	case p.Listening:
		fmt.Fprintf(k.err, "The browser will come back to %s, which is this program. If the page\ndoes not open, paste its address here:\n", p.Redirect)
	default:
		if p.ListenProblem != nil {
			fmt.Fprintf(k.err, "This program cannot wait for the browser to come back: %v.\n", p.ListenProblem)
		}
		fmt.Fprintf(k.err, "The browser will end at a page that begins with %s; it may look\nbroken. Paste its address here:\n", p.Redirect)
	}
}

func (k *call) reject(err error) {
	fmt.Fprintf(k.err, "That will not do: %v\n", err)
}

// openBrowser does not wait: some openers stay until the browser is closed.
func (k *call) openBrowser(ctx context.Context, url string) error {
	browser.Stdout, browser.Stderr = io.Discard, io.Discard
	go func() {
		if err := browser.OpenURL(url); err != nil {
			k.log.DebugContext(ctx, "could not open a browser", "error", err)
		}
	}()
	return nil
}

// codeFile is where a script puts the code. The file is opened when it is read, because a named
// pipe cannot be opened before somebody writes to it.
func (k *call) codeFile(path string) (io.Reader, error) {
	if path == "-" {
		return k.in, nil
	}
	about, err := os.Stat(path)
	if err != nil || about.IsDir() {
		return nil, &usageError{"there is no file " + path + " to read the code from", "make it first, with mkfifo for instance, or use --code-file -"}
	}
	return &openedLate{path: path}, nil
}

// openedLate is a file that is opened by the first read, and closed when there is no more.
type openedLate struct {
	path string
	file *os.File
}

func (o *openedLate) Read(p []byte) (n int, err error) {
	if o.file == nil {
		if o.file, err = os.Open(o.path); err != nil {
			return 0, err
		}
	}
	if n, err = o.file.Read(p); err != nil {
		_ = o.file.Close()
	}
	return n, err
}

// countdown returns what shows for how long a code is good, second by second, while it is being
// exchanged, and what ends it.
func (k *call) countdown(ctx context.Context) (show func(until time.Time), stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var showing sync.WaitGroup
	show = func(until time.Time) {
		line := func() {
			left := max(0, until.Sub(k.clock())).Round(time.Second)
			fmt.Fprintf(k.err, "\rexchanging the code, which is good for %d:%02d more ", int(left.Minutes()), int(left.Seconds())%60)
		}
		line()
		showing.Go(func() {
			defer fmt.Fprintln(k.err)
			tick := time.NewTicker(time.Second)
			defer tick.Stop()
			for {
				select {
				case <-tick.C:
					line()
				case <-ctx.Done():
					return
				}
			}
		})
	}
	return show, func() { cancel(); showing.Wait() }
}
