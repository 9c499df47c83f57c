package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"exactduck/auth"
)

func authCommands() []command {
	connection := &cli.StringFlag{Name: "connection", Usage: "`NAME` of the connection, where there are several", EnvVars: env("connection")}
	return append([]command{
		loginCommand(connection),
		{
			name: "auth status", usage: "how the logins are, and until when", flags: []cli.Flag{connection}, do: doAuthStatus,
			help: `
   exactduck auth status --output json

Exit codes: 0 all are logged in, 4 a person must log in.`,
		},
		{
			name: "auth refresh", usage: "renew the login if that is due", flags: []cli.Flag{connection}, do: doAuthRefresh,
			help: `
Every sync does this by itself. A login that nobody uses lapses after 30 days; this uses it. Tokens
younger than 575 s are left alone, because Exact refuses to renew them.

   exactduck auth refresh
   exactduck auth refresh --connection books

Exit codes: 0 it is fresh, 4 a person must log in, 5 the token server cannot be reached.`,
		},
		{
			name: "auth logout", usage: "forget the login on this machine", do: doAuthLogout,
			flags: append([]cli.Flag{
				connection, yesFlag("do it without asking"),
				&cli.BoolFlag{Name: "local", Usage: "forget it here and tell nobody", EnvVars: env("local")},
			}, personFlags()...),
			help: `
Removes the login file. At Exact Online the login lapses after 30 days; to end it there at once, withdraw
the app's access in the app centre. At Exact Payments the application token that "auth login" made is
deleted first, which takes the e-mail address and the password of a user who may: it asks, or takes
--email and --password-file. With --local it stays there.

   exactduck auth logout
   exactduck auth logout --connection books --yes`,
		},
		{
			name: "auth key", usage: "make a key for token_store: encrypted-file", do: doAuthKey,
			help: `
   exactduck auth key                                    prints one
   (umask 077; exactduck auth key > exactduck.key)       then token_key: file:exactduck.key

Keep the key where backups of the login do not go, and a copy of it in a safe place: without it an
encrypted login is lost, and a person must log in again. To replace it, put a new key on the first
line of the file and remove the old one after the next refresh.`,
		},
	}, moveCommands(connection)...)
}

// loginStatus is the status of the login of one connection.
type loginStatus struct {
	Connection string `json:"connection"`
	auth.Status
	// Tokens are those that the vendor lists of the application.
	Tokens []auth.PayPermit `json:"application_tokens,omitempty"`
}

// permits fills in which tokens the vendor has, where it has such, and returns what is to be said of them.
func (k *call) permits(ctx context.Context, s *loginStatus) (said []string) {
	lister, ok := k.vendorOn(s.Connection).(interface {
		permits(context.Context, *call, string, *login, auth.Status) ([]auth.PayPermit, []string)
	})
	l, err := k.login(s.Connection)
	if !ok || err != nil || !s.LoggedIn {
		return leftoverWarnings(s.Status)
	}
	s.Tokens, said = lister.permits(ctx, k, s.Connection, l, s.Status)
	return said
}

// loginStatus reads how the login of a connection is; none is no error.
func (k *call) loginStatus(ctx context.Context, name string) (loginStatus, error) {
	l, err := k.login(name)
	if err != nil {
		return loginStatus{}, err
	}
	status, err := l.status(ctx, k.clock())
	if err != nil {
		return loginStatus{}, err
	}
	if status.Host == "" {
		status.Host, status.ClientID = l.app.Host, l.app.ClientID
	}
	return loginStatus{Connection: name, Status: status}, nil
}

func doAuthStatus(ctx context.Context, k *call) (*view, error) {
	cfg, err := k.configuration()
	if err != nil {
		return nil, err
	}
	names := cfg.ConnectionNames()
	if k.String("connection") != "" {
		name, err := k.connectionName()
		if err != nil {
			return nil, err
		}
		names = []string{name}
	}
	var all []loginStatus
	var problems []error
	for _, name := range names {
		status, err := k.loginStatus(ctx, name)
		if err != nil {
			problems = append(problems, fmt.Errorf("connection %s: %w", name, err))
			continue
		}
		said := k.permits(ctx, &status)
		k.warnings = append(k.warnings, said...)
		all = append(all, status)
		if !status.LoggedIn {
			problems = append(problems, fmt.Errorf("connection %s: %w", name, status.problem()))
		}
		if warning := loginWarning(status.Status); warning != "" {
			k.warnings = append(k.warnings, warning)
		}
	}
	if len(problems) == 1 {
		return statusView(all), problems[0]
	}
	return statusView(all), errors.Join(problems...)
}

// problem is why a person must log in.
func (s loginStatus) problem() error {
	return &auth.LoginError{Host: s.Host, Cause: s.Cause, Moved: s.Sealed}
}

func statusView(all []loginStatus) *view {
	return &view{data: all, text: func(out io.Writer) {
		if len(all) == 0 {
			return
		}
		t := newTable(out, "connection", "host", "logged in", "lapses", "token age", "refresh due", "token calls today")
		for _, s := range all {
			if s.Lasting {
				t.AppendRow([]any{s.Connection, s.Host, sinceWhen(s.Status), "never", "", "", ""})
				continue
			}
			if !s.LoggedIn {
				t.AppendRow([]any{s.Connection, s.Host, "no: " + strings.ReplaceAll(string(s.Cause), "_", " "), "", "", "", s.CallsToday})
				continue
			}
			t.AppendRow([]any{
				s.Connection, s.Host, minute(s.LoggedInAt), fmt.Sprintf("%s, in %s", minute(s.ExpiresAt), days(s.DaysLeft)),
				time.Duration(s.AccessAge) * time.Second, s.RefreshDue.Local().Format(time.TimeOnly), s.CallsToday,
			})
		}
		t.Render()
		printPermits(out, all)
	}}
}

// printPermits lists the application tokens, and marks ours.
func printPermits(out io.Writer, all []loginStatus) {
	t := newTable(out, "connection", "application token", "made", "may", "")
	for _, s := range all {
		for _, p := range s.Tokens {
			ours := ""
			if p.Label == s.Label {
				ours = "ours"
			}
			t.AppendRow([]any{s.Connection, printable(p.Label), p.CreatedAt, strings.Join(p.Permissions, ", "), ours})
		}
		if s.Lasting && !s.Given && len(s.Tokens) == 0 {
			t.AppendRow([]any{s.Connection, printable(s.Label), minute(s.LoggedInAt), strings.Join(s.Permissions, ", "), "ours"})
		}
	}
	if t.Length() > 0 {
		fmt.Fprintln(out)
		t.Render()
	}
}

// sinceWhen says since when somebody is logged in with a token that does not lapse.
func sinceWhen(s auth.Status) string {
	if s.Given {
		return "token of the configuration"
	}
	return minute(s.LoggedInAt)
}

// minute is a time as a person reads it, at this machine's clock.
func minute(at time.Time) string { return at.Local().Format("2006-01-02 15:04") }

func days(n int) string {
	if n == 1 {
		return "1 day"
	}
	return fmt.Sprintf("%d days", n)
}

// loginWarning says that a login will lapse soon; "" when there is time, or no login.
func loginWarning(s auth.Status) string {
	if !s.LoggedIn || s.Lasting || s.DaysLeft > 14 {
		return ""
	}
	steps := []int{2, 7, 14} // the nearest of them names the urgency
	left := steps[slices.IndexFunc(steps, func(most int) bool { return s.DaysLeft <= most })]
	return fmt.Sprintf(`the login at %s lapses within %s, at %s, unless it is used: "exactduck auth refresh" uses it`,
		s.Host, days(left), minute(s.ExpiresAt))
}

func doAuthRefresh(ctx context.Context, k *call) (*view, error) {
	name, err := k.connectionName()
	if err != nil {
		return nil, err
	}
	before, err := k.loginStatus(ctx, name)
	if err != nil {
		return nil, err
	}
	l, err := k.login(name)
	if err != nil {
		return nil, err
	}
	if _, err := k.vendorOn(name).connect(ctx, k, l); err != nil {
		if warning := loginWarning(before.Status); warning != "" {
			k.warnings = append(k.warnings, warning)
		}
		return nil, err
	}
	after, err := k.loginStatus(ctx, name)
	if err != nil {
		return nil, err
	}
	return refreshView(before, after), nil
}

func refreshView(before, after loginStatus) *view {
	refreshed := !after.RefreshedAt.Equal(before.RefreshedAt)
	data := struct {
		Refreshed bool `json:"refreshed"`
		loginStatus
	}{refreshed, after}
	return &view{data: data, text: func(out io.Writer) {
		switch {
		case after.Lasting:
			fmt.Fprintf(out, "the token for %s does not expire, and there is nothing to renew\n", after.Host)
			return
		case refreshed:
			fmt.Fprintf(out, "renewed the login at %s; it lapses at %s unless it is used before\n", after.Host, minute(after.ExpiresAt))
			return
		}
		fmt.Fprintf(out, "the login at %s is fresh; renewing it is due at %s, and Exact refuses it earlier\n",
			after.Host, after.RefreshDue.Local().Format(time.TimeOnly))
	}}
}

func doAuthLogout(ctx context.Context, k *call) (*view, error) {
	name, err := k.connectionName()
	if err != nil {
		return nil, err
	}
	l, err := k.login(name)
	if err != nil {
		return nil, err
	}
	if l.given != "" {
		return nil, &usageError{"the token of connection " + name + " is in the configuration, and nothing of it is kept", "take token: out of pipelines.yaml; withdraw it where it was made"}
	}
	status, err := auth.ReadStatus(ctx, l.store, k.clock())
	if err != nil && !as[*auth.StoreError](err) { // a file that cannot be read can be forgotten
		return nil, err
	}
	data := map[string]any{"connection": name, "host": l.app.Host, "path": l.store.Path()}
	if err == nil && status.Cause == auth.NoLogin && len(status.Leftovers) == 0 {
		return &view{data: data, text: func(out io.Writer) { fmt.Fprintf(out, "there is no login at %s\n", l.app.Host) }}, nil
	}
	if err := k.confirm(ctx, "forget the login at "+l.app.Host); err != nil {
		return nil, err
	}
	if err == nil && !k.Bool("local") {
		if err := k.vendorOn(name).leave(ctx, k, l); err != nil {
			return nil, err
		}
	}
	if err := auth.Logout(ctx, l.store); err != nil {
		return nil, err
	}
	return &view{data: data, text: func(out io.Writer) { fmt.Fprintf(out, "forgot the login at %s\n", l.app.Host) }}, nil
}

func doAuthKey(context.Context, *call) (*view, error) {
	key, err := auth.NewKey()
	if err != nil {
		return nil, err
	}
	return &view{
		data: map[string]string{"token_key": string(key)},
		text: func(out io.Writer) { fmt.Fprintln(out, string(key)) },
	}, nil
}
