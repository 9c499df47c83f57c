package main

import (
	"bytes"
	"cmp"
	"context"
	"embed"
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

// presetFiles are lists of streams by what people want them for, and the frame around them.
//
//go:embed presets
var presetFiles embed.FS

// presets are the names of the lists, in the order in which they are offered.
var presets = []string{"finance", "sales", "projects", "hr"}

// start is what init has to know to write a configuration.
type start struct {
	Region, ClientID, RedirectURL, Preset, DuckDB string
	Streams                                       string
}

var startDefaults = start{
	Region: "nl", ClientID: "${EXACT_CLIENT_ID}", RedirectURL: config.DefaultRedirect, Preset: "finance", DuckDB: "warehouse.duckdb",
}

func initCommands() []command {
	return []command{{
		name: "init", usage: "write a pipelines.yaml to begin with",
		help: `
Asks on a terminal what it was not told; elsewhere flags say it, and --yes takes the defaults for the
rest. A file that is there is never overwritten.

   exactduck init
   exactduck init --region be --preset sales --yes

Exit codes: 0 written, 2 the file is there already or an answer cannot be meant, 10 it cannot be written.`,
		flags: []cli.Flag{
			&cli.StringFlag{Name: "region", Usage: "`REGION` of the books: " + strings.Join(config.Regions(), ", ") + " (default: nl)", EnvVars: env("region")},
			&cli.StringFlag{Name: "client-id", Usage: "`ID` of the app registered with Exact, or ${VARIABLE} (default: ${EXACT_CLIENT_ID})", EnvVars: env("client-id")},
			&cli.StringFlag{Name: "redirect-url", Usage: "redirect `URL` of that app (default: " + config.DefaultRedirect + ")", EnvVars: env("redirect-url")},
			&cli.StringFlag{Name: "preset", Usage: "`WHAT` to read: " + strings.Join(presets, ", ") + " (default: finance)", EnvVars: env("preset")},
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
		Preset: k.String("preset"), DuckDB: k.String("duckdb"),
	}
	for _, x := range s.settings() {
		if *x.answer != "" {
			if err := x.check(*x.answer); err != nil {
				return nil, &usageError{"--" + x.flag + ": " + err.Error(), x.hint}
			}
		}
	}
	if !k.Bool("yes") && terminal(k.in) && terminal(k.err) {
		return s, newAsker(k).all(ctx, s.settings())
	}
	if !k.Bool("yes") && (s.Region == "" || s.Preset == "") {
		return nil, &usageError{
			"there is no terminal to ask on, and --region or --preset is missing",
			"exactduck init --region nl --preset finance, or --yes for the defaults",
		}
	}
	for _, x := range s.settings() {
		*x.answer = cmp.Or(*x.answer, x.fallback)
	}
	return s, nil
}

func (s *start) settings() []setting {
	list := func(words []string) string { return "one of " + strings.Join(words, " ") }
	return []setting{
		{"region", "At which of Exact's sites are the books?", "use " + list(config.Regions()), startDefaults.Region, &s.Region, oneOf(config.Regions())},
		{"client-id", "What is the client id of your app? It may be a ${VARIABLE}.", "copy it from the app registration", startDefaults.ClientID, &s.ClientID, plain},
		{"redirect-url", "What is its redirect URL, to the letter?", "copy it from the app registration", startDefaults.RedirectURL, &s.RedirectURL, plain},
		{"preset", "What is to be read?", "use " + list(presets), startDefaults.Preset, &s.Preset, oneOf(presets)},
		{"duckdb", "Which file shall it go into?", "use a name such as warehouse.duckdb", startDefaults.DuckDB, &s.DuckDB, plain},
	}
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
	frame, err := template.New("pipelines.tmpl").ParseFS(presetFiles, "presets/pipelines.tmpl")
	if err != nil {
		return nil, fmt.Errorf("read the frame of a configuration: %w", err)
	}
	list, err := presetFiles.ReadFile("presets/" + s.Preset + ".yaml")
	if err != nil {
		return nil, fmt.Errorf("read the preset %s: %w", s.Preset, err)
	}
	filled := *s
	filled.Streams = "      " + strings.ReplaceAll(strings.TrimSpace(string(list)), "\n", "\n      ")
	for _, value := range []*string{&filled.ClientID, &filled.RedirectURL, &filled.DuckDB} {
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

// next are the commands to type after init.
func (s *start) next(path string) []string {
	var lines []string
	if name, ok := strings.CutPrefix(s.ClientID, "${"); ok {
		lines = append(lines, "export "+strings.TrimSuffix(name, "}")+"=…")
	}
	lines = append(lines, "export EXACT_CLIENT_SECRET=…")
	other := ""
	if path != "pipelines.yaml" {
		other = " --config " + path
	}
	return append(lines, "exactduck auth login"+other, "exactduck sync"+other)
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
