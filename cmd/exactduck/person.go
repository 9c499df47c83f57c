package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"exactduck/auth"
)

// passwordVariable is where a script puts the password of a user.
const passwordVariable = "EXACTPAY_PASSWORD"

// personFlags name a user at Exact Payments. A password is never a flag: other users of a machine see those.
func personFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "email", Usage: "the `ADDRESS` of the user at Exact Payments", EnvVars: env("email")},
		&cli.StringFlag{Name: "password-file", Usage: "`FILE` whose first line is the password; - is standard input; or set " + passwordVariable, EnvVars: env("password-file")},
	}
}

// person is the user that the flags name, or who is at the terminal.
func (k *call) person(ctx context.Context) (u auth.PayUser, err error) {
	asks := terminal(k.in) && terminal(k.err)
	if u.Email = strings.TrimSpace(k.String("email")); u.Email == "" {
		if !asks {
			return u, &usageError{"it takes the e-mail address and the password of a user, and there is no terminal to ask on", "name them with --email, and --password-file or " + passwordVariable}
		}
		fmt.Fprint(k.err, "e-mail address at Exact Payments: ")
		if u.Email, err = k.typed(ctx); err != nil {
			return u, err
		}
	}
	if path := k.String("password-file"); path != "" {
		u.Password, err = k.firstLine(path)
		return u, err
	}
	if text, ok := k.getenv(passwordVariable); ok && text != "" {
		u.Password = auth.Secret(text)
		return u, nil
	}
	none := &usageError{"there is no password", "run it again, or use --password-file"}
	if !asks {
		return u, &usageError{"there is no password, and no terminal to ask on", "name a file with --password-file, or set " + passwordVariable}
	}
	u.Password, err = k.unseen(ctx, "password of "+u.Email+": ", none)
	return u, err
}

// firstLine is the first line of a file, or of standard input.
func (k *call) firstLine(path string) (auth.Secret, error) {
	var text []byte
	var err error
	if path == "-" {
		var from bytes.Buffer
		_, err = from.ReadFrom(k.in)
		text = from.Bytes()
	} else {
		text, err = os.ReadFile(path)
	}
	if err != nil {
		return "", fmt.Errorf("read the password: %w", err)
	}
	line, _, _ := bytes.Cut(text, []byte{'\n'})
	if line = bytes.TrimRight(line, "\r"); len(line) == 0 {
		return "", &usageError{"there is no password in " + path, "put it on the first line"}
	}
	return auth.Secret(line), nil
}
