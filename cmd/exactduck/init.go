package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/template"
	"unicode"

	"github.com/goccy/go-yaml"
	"github.com/google/renameio/v2"
	"github.com/urfave/cli/v2"

	"exactduck/cmd/exactduck/config"
)

func initCommands() []command {
	return []command{{
		name: "init", usage: "write a pipelines.yaml to begin with",
		help: `
Asks on a terminal what it was not told; elsewhere flags say it, and --yes takes the defaults for the
rest. A file that is there is never overwritten.

   exactduck init
   exactduck init --region be --preset sales --yes
   exactduck init --preset payments --application books     of Exact Payments

Exit codes: 0 written, 2 the file is there already or an answer cannot be meant, 10 it cannot be written.`,
		flags: []cli.Flag{
			&cli.StringFlag{Name: "preset", Usage: "`WHAT` to read: " + strings.Join(presets, ", ") + " (default: finance)", EnvVars: env("preset")},
			&cli.StringFlag{Name: "region", Usage: "`REGION` of the books: " + strings.Join(config.Regions(), ", ") + " (default: nl)", EnvVars: env("region")},
			&cli.StringFlag{Name: "client-id", Usage: "`ID` of the app registered with Exact, or ${VARIABLE} (default: ${EXACT_CLIENT_ID})", EnvVars: env("client-id")},
			&cli.StringFlag{Name: "redirect-url", Usage: "redirect `URL` of that app (default: " + config.DefaultRedirect + ")", EnvVars: env("redirect-url")},
			&cli.StringFlag{Name: "environment", Usage: "`ENVIRONMENT` of the payments: production or sandbox (default: production)", EnvVars: env("environment")},
			&cli.StringFlag{Name: "application", Usage: "`NAME` of your application at Exact Payments (default: none, and a token comes from ${EXACTPAY_TOKEN})", EnvVars: env("application")},
			&cli.StringFlag{Name: "organization", Usage: "`ID` of the organization whose accounts are read (default: none)", EnvVars: env("organization")},
			&cli.StringFlag{Name: "duckdb", Usage: "`FILE` to publish (default: warehouse.duckdb)", EnvVars: env("duckdb")},
			yesFlag("take the defaults for what is not said"),
		},
		do: doInit,
	}}
}

func doInit(ctx context.Context, k *call) (*view, error) {
	path := k.String("config")
	if _, err := os.Lstat(path); err == nil {
		return nil, isThere(path)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("look for the configuration: %w", err)
	}
	s, err := k.start(ctx)
	if err != nil {
		return nil, err
	}
	text, err := s.text(path)
	if err != nil {
		return nil, err
	}
	if err := writeNew(path, text); err != nil {
		return nil, err
	}
	k.log.DebugContext(ctx, "wrote configuration", "path", path)
	next := s.next(path)
	data := map[string]any{"path": path, "preset": s.Preset, "next": next}
	return &view{data: data, text: func(out io.Writer) {
		fmt.Fprintf(out, "wrote %s: %s\n\nnext, type:\n", path, about(s.Preset))
		for _, line := range next {
			fmt.Fprintln(out, "  "+line)
		}
	}}, nil
}

func isThere(path string) error {
	return &usageError{path + " is there already", "edit it, or name another file: exactduck init --config other.yaml"}
}

// start collects what the flags say, what the person at the terminal answers, and defaults.
func (k *call) start(ctx context.Context) (*start, error) {
	s := &start{
		Region: k.String("region"), ClientID: k.String("client-id"), RedirectURL: k.String("redirect-url"),
		Environment: k.String("environment"), Application: k.String("application"), Organization: k.String("organization"),
		Preset: k.String("preset"), DuckDB: k.String("duckdb"),
	}
	what := s.what()
	if err := given(what); err != nil {
		return nil, err
	}
	asks := !k.Bool("yes") && terminal(k.in) && terminal(k.err)
	var asked *asker
	if asks {
		asked = newAsker(k)
		if err := asked.all(ctx, what); err != nil {
			return nil, err
		}
	}
	f := s.frame()
	if err := errors.Join(given(f.settings(s)), k.foreign(s, f)); err != nil {
		return nil, err
	}
	if asks {
		return s, asked.all(ctx, f.settings(s))
	}
	if !k.Bool("yes") && (s.Preset == "" || k.String(f.must) == "") {
		return nil, &usageError{
			"there is no terminal to ask on, and --" + f.must + " or --preset is missing",
			f.example + ", or --yes for the defaults",
		}
	}
	for _, x := range append(what, f.settings(s)...) {
		*x.answer = cmp.Or(*x.answer, x.fallback)
	}
	return s, nil
}

// given checks what flags have answered.
func given(settings []setting) error {
	for _, x := range settings {
		if *x.answer != "" {
			if err := x.check(*x.answer); err != nil {
				return &usageError{"--" + x.flag + ": " + err.Error(), x.hint}
			}
		}
	}
	return nil
}

// foreign reports a flag that the configuration to be written has no place for.
func (k *call) foreign(s *start, f *frame) error {
	for _, other := range frames {
		for _, x := range other.settings(s) {
			own := slices.ContainsFunc(f.settings(s), func(y setting) bool { return y.flag == x.flag })
			if !own && k.IsSet(x.flag) {
				return &usageError{"--" + x.flag + " says nothing of " + cmp.Or(s.Preset, startDefaults.Preset), "leave it out, or choose with --preset: " + strings.Join(other.presets, ", ")}
			}
		}
	}
	return nil
}

func oneOf(words []string) func(string) error {
	return func(answer string) error {
		if slices.Contains(words, answer) {
			return nil
		}
		return fmt.Errorf("%q is none of %s", answer, strings.Join(words, " "))
	}
}

// plain takes what fits on one line of YAML.
func plain(answer string) error {
	if strings.ContainsFunc(answer, unicode.IsControl) {
		return errors.New("line breaks and other control characters cannot be meant")
	}
	return nil
}

// text is the configuration, checked as every other is before it is used.
func (s *start) text(path string) ([]byte, error) {
	file := s.frame().file
	frame, err := template.New(file).ParseFS(presetFiles, "presets/"+file)
	if err != nil {
		return nil, fmt.Errorf("read the frame of a configuration: %w", err)
	}
	list, err := presetFiles.ReadFile("presets/" + s.Preset + ".yaml")
	if err != nil {
		return nil, fmt.Errorf("read the preset %s: %w", s.Preset, err)
	}
	filled := *s
	filled.Streams = "      " + strings.ReplaceAll(strings.TrimSpace(string(list)), "\n", "\n      ")
	for _, value := range []*string{&filled.Application, &filled.Organization} {
		if *value == none {
			*value = ""
		}
	}
	for _, value := range []*string{&filled.ClientID, &filled.RedirectURL, &filled.DuckDB, &filled.Application, &filled.Organization} {
		if *value == "" {
			continue
		}
		quoted, err := yaml.Marshal(*value)
		if err != nil {
			return nil, fmt.Errorf("write %q as YAML: %w", *value, err)
		}
		*value = strings.TrimSpace(string(quoted))
	}
	var out bytes.Buffer
	if err := frame.Execute(&out, filled); err != nil {
		return nil, fmt.Errorf("fill in the frame of a configuration: %w", err)
	}
	_, err = config.Parse(out.Bytes(), path, catalogue)
	return out.Bytes(), err
}

// about is the first line of a preset.
func about(preset string) string {
	list, _ := presetFiles.ReadFile("presets/" + preset + ".yaml") // text has read it before
	first, _, _ := strings.Cut(string(list), "\n")
	return strings.TrimPrefix(first, "# ")
}

// writeNew writes a file that must not be there yet, whole or not at all.
func writeNew(path string, text []byte) error {
	dir := filepath.Dir(path)
	pending, err := renameio.NewPendingFile(path, renameio.WithTempDir(dir), renameio.WithPermissions(0o644))
	if err != nil {
		return fmt.Errorf("write the configuration: %w", err)
	}
	defer pending.Cleanup() //nolint:errcheck // what is left then is a hidden file without secrets
	_, err = pending.Write(text)
	if err = errors.Join(err, pending.Sync()); err != nil {
		return fmt.Errorf("write the configuration: %w", err)
	}
	// A link, unlike a rename, never replaces what somebody has just put there.
	switch err := os.Link(pending.Name(), path); {
	case errors.Is(err, fs.ErrExist):
		return isThere(path)
	case err == nil:
		return nil
	}
	if err := pending.CloseAtomicallyReplace(); err != nil { // a file system without links
		return fmt.Errorf("write the configuration: %w", err)
	}
	return nil
}
