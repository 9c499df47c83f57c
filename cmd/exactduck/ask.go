package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// setting is one thing that a flag says, or a person at a terminal.
type setting struct {
	flag, text, hint string
	fallback         string // what Enter alone means
	answer           *string
	check            func(string) error
}

// asker puts questions to the person at the terminal, on standard error.
type asker struct {
	out   io.Writer
	lines chan string // closed at the end of the input
}

// newAsker reads the input from now on. A read that nothing answers stays behind.
func newAsker(k *call) *asker {
	a := &asker{k.err, make(chan string)}
	go func() {
		defer close(a.lines)
		for scanner := bufio.NewScanner(k.in); scanner.Scan(); {
			a.lines <- strings.TrimSpace(scanner.Text())
		}
	}()
	return a
}

// line is what the person types next.
func (a *asker) line(ctx context.Context) (string, error) {
	select {
	case line, ok := <-a.lines:
		if !ok {
			fmt.Fprintln(a.out)
			return "", &usageError{"the input ended before all was answered", "run it again, or say everything with flags; --help lists them"}
		}
		return line, nil
	case <-ctx.Done():
		fmt.Fprintln(a.out)
		return "", ctx.Err()
	}
}

// typed is the next line that the person types. Nothing behind it is read, so that something else may be
// asked for afterwards; a read that nothing answers stays behind.
func (k *call) typed(ctx context.Context) (string, error) {
	lines := make(chan string, 1)
	go func() {
		defer close(lines)
		var line []byte
		for one := make([]byte, 1); ; {
			n, err := k.in.Read(one)
			if n == 1 && one[0] != '\n' {
				line = append(line, one[0])
			}
			if n == 1 && one[0] == '\n' || err != nil && len(line) > 0 {
				lines <- string(line)
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return (&asker{k.err, lines}).trimmed(ctx)
}

// trimmed is a line without the blanks around it.
func (a *asker) trimmed(ctx context.Context) (string, error) {
	line, err := a.line(ctx)
	return strings.TrimSpace(line), err
}

// all asks what has no answer yet, each until the answer will do.
func (a *asker) all(ctx context.Context, settings []setting) error {
	for _, x := range settings {
		for *x.answer == "" {
			fmt.Fprintf(a.out, "%s (%s)\n[%s] ", x.text, x.hint, x.fallback)
			line, err := a.line(ctx)
			if err != nil {
				return err
			}
			if line == "" {
				line = x.fallback
			}
			if err := x.check(line); err != nil {
				fmt.Fprintf(a.out, "%v\n", err)
				continue
			}
			*x.answer = line
		}
	}
	return nil
}

func yesFlag(usage string) cli.Flag {
	return &cli.BoolFlag{Name: "yes", Usage: usage, EnvVars: env("yes")}
}

// confirm asks before something that cannot be undone; without a terminal --yes has to say it.
func (k *call) confirm(ctx context.Context, what string) error {
	if k.Bool("yes") {
		return nil
	}
	if !terminal(k.in) || !terminal(k.err) {
		return &usageError{what + "? There is no terminal to ask on", fmt.Sprintf(`"exactduck %s --yes" does it without asking`, k.name)}
	}
	fmt.Fprintf(k.err, "%s? [y/N] ", what)
	line, err := k.typed(ctx)
	if err != nil {
		return err
	}
	if !slices.Contains([]string{"y", "yes", "j", "ja"}, strings.ToLower(line)) {
		return &usageError{"nothing was done", "answer y to do it"}
	}
	return nil
}
