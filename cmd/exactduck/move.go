package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"exactduck/auth"
)

// moveCommands take a login to another machine.
func moveCommands(connection cli.Flag) []command {
	passphrase := &cli.StringFlag{
		Name: "passphrase-file", Usage: "`FILE` whose first line is the passphrase; or set EXACTDUCK_PASSPHRASE",
		EnvVars: env("passphrase-file"),
	}
	return []command{
		{
			name: "auth export", usage: "seal the login here, and write it to a file for another machine", do: doAuthExport,
			flags: []cli.Flag{
				connection, passphrase,
				&cli.StringFlag{Name: "to", Usage: "the bundle `FILE` to write", EnvVars: env("to")},
			},
			help: `
   exactduck auth export --to login.age            here; asks for a passphrase
   exactduck auth import --from login.age          there, with the same app in pipelines.yaml

A login can be used in one place only: whoever renews it ends every copy. So from the export on this
machine refuses to use it, and nothing that happens in between can leave two copies that do, or none:
if the export breaks off, export again. Importing here takes the login back; do so only if nobody has
imported it elsewhere. Import a bundle once, then delete it.

Exit codes: 0 it is exported, 2 the file exists or the passphrase is short, 4 there is no login,
10 the file cannot be written.`,
		},
		{
			name: "auth import", usage: "take over the login that was exported on another machine", do: doAuthImport,
			flags: []cli.Flag{
				connection, passphrase, yesFlag("replace the login that is here without asking"),
				&cli.StringFlag{Name: "from", Usage: "the bundle `FILE` to read", EnvVars: env("from")},
			},
			help: `
Takes the login out of a bundle that "exactduck auth export" wrote. Host and client_id of the connection
must be those of the bundle. Doing it again with the same bundle does nothing.

   exactduck auth import --from login.bundle
   exactduck auth import < login.bundle

Exit codes: 0 it is imported, 2 another app, a wrong passphrase or a login that is here already,
10 the file cannot be read.`,
		},
	}
}

func doAuthExport(ctx context.Context, k *call) (*view, error) {
	name, l, err := k.moving("to")
	if err != nil {
		return nil, err
	}
	before, err := k.loginStatus(ctx, name) // so that nobody thinks of a passphrase in vain
	if err != nil {
		return nil, err
	}
	if !before.LoggedIn && before.Cause != auth.Sealed {
		return nil, before.problem()
	}
	passphrase, err := k.passphrase(ctx, true)
	if err != nil {
		return nil, err
	}
	to := k.String("to")
	status, err := auth.Export(ctx, l.options(k), to, passphrase)
	if err != nil {
		return nil, err
	}
	data := struct {
		File string `json:"file"`
		loginStatus
	}{to, loginStatus{Connection: name, Status: status}}
	return &view{data: data, text: func(out io.Writer) {
		fmt.Fprintf(out, "sealed the login at %s on this machine: it is not used here any more\nwrote it to %s, encrypted\n", status.Host, to)
		fmt.Fprintf(out, "\nnext, on the other machine and nowhere else, type:\n  exactduck auth import --from %s\nthen delete the file\n", to)
	}}, nil
}

func doAuthImport(ctx context.Context, k *call) (*view, error) {
	name, l, err := k.moving("from")
	if err != nil {
		return nil, err
	}
	passphrase, err := k.passphrase(ctx, false)
	if err != nil {
		return nil, err
	}
	from := k.String("from")
	done, err := auth.Import(ctx, l.options(k), from, passphrase, k.Bool("yes"))
	if no := find[*auth.BundleError](err); no != nil && no.Taken && terminal(k.in) && terminal(k.err) {
		if err := k.confirm(ctx, "replace the login at "+l.app.Host); err != nil {
			return nil, err
		}
		done, err = auth.Import(ctx, l.options(k), from, passphrase, true)
	}
	if err != nil {
		return nil, err
	}
	return importView(name, from, done), nil
}

func importView(name, from string, done auth.Imported) *view {
	data := struct {
		File     string    `json:"file"`
		Already  bool      `json:"already"`
		Exported auth.Move `json:"exported"`
		loginStatus
	}{from, done.Already, done.Exported, loginStatus{Connection: name, Status: done.Status}}
	return &view{data: data, text: func(out io.Writer) {
		switch {
		case done.Already && done.Status.LoggedIn:
			fmt.Fprintf(out, "%s was taken over here at %s; nothing was done\n", from, minute(done.Status.Imported.At))
		case done.Already:
			fmt.Fprintf(out, "%s was taken over here at %s; since then: %s\n", from, minute(done.Status.Imported.At), done.Status.Problem)
		default:
			by := done.Exported.By.Machine
			fmt.Fprintf(out, "took over the login at %s that was exported on %s at %s; only this machine uses it now\n",
				done.Status.Host, by, minute(done.Exported.At))
			fmt.Fprintf(out, "the login lapses at %s unless it is used before\n\nnext, delete %s and type:\n  exactduck sync\n",
				minute(done.Status.ExpiresAt), from)
		}
	}}
}

// moving finds the login that is to be moved, once the file is named.
func (k *call) moving(flag string) (string, *login, error) {
	if k.String(flag) == "" {
		return "", nil, &usageError{"there is no file", fmt.Sprintf("name it: exactduck %s --%s login.age", k.name, flag)}
	}
	name, err := k.connectionName()
	if err != nil {
		return "", nil, err
	}
	if err := k.vendorOn(name).stays(); err != nil {
		return "", nil, err
	}
	l, err := k.login(name)
	return name, l, err
}

// passphrase is what a bundle is encrypted with: from a file, the environment, or the person, who
// types a new one twice. It is not shown.
func (k *call) passphrase(ctx context.Context, twice bool) (auth.Secret, error) {
	if path := k.String("passphrase-file"); path != "" {
		text, err := os.ReadFile(path)
		if err != nil {
			return "", fmt.Errorf("read the passphrase: %w", err)
		}
		line, _, _ := bytes.Cut(text, []byte{'\n'})
		return auth.Secret(strings.TrimSpace(string(line))), nil
	}
	if text, ok := k.getenv(env("passphrase")[0]); ok && text != "" {
		return auth.Secret(text), nil
	}
	if !terminal(k.in) || !terminal(k.err) {
		return "", &usageError{"there is no passphrase, and no terminal to ask on", "name a file with --passphrase-file, or set EXACTDUCK_PASSPHRASE"}
	}
	none := &usageError{"there is no passphrase", "run it again, or use --passphrase-file"}
	first, err := k.unseen(ctx, "passphrase of the bundle: ", none)
	if err != nil || !twice {
		return first, err
	}
	again, err := k.unseen(ctx, "the same once more: ", none)
	if err == nil && again != first {
		return "", &usageError{"the two passphrases differ", "run it again; nothing was done"}
	}
	return first, err
}

// unseen asks for a line without showing what is typed; none is the error when nothing is. An interruption leaves a terminal that shows
// again what is typed.
func (k *call) unseen(ctx context.Context, question string, none error) (auth.Secret, error) {
	in, ok := k.in.(*os.File)
	if !ok {
		return "", errors.New("ask without showing the answer: no terminal")
	}
	showing, err := term.GetState(int(in.Fd()))
	if err != nil {
		return "", fmt.Errorf("ask without showing the answer: %w", err)
	}
	fmt.Fprint(k.err, question)
	defer fmt.Fprintln(k.err)
	typed := make(chan auth.Secret, 1)
	go func() {
		text, _ := term.ReadPassword(int(in.Fd()))
		typed <- auth.Secret(text)
	}()
	select {
	case text := <-typed:
		if text == "" {
			return "", none
		}
		return text, nil
	case <-ctx.Done():
		_ = term.Restore(int(in.Fd()), showing)
		return "", ctx.Err()
	}
}
