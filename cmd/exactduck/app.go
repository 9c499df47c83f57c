package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"exactduck/cmd/exactduck/config"
	"exactduck/cmd/exactduck/runs"
)

// app is the program as one person uses it: where it reads and writes, and what time it is.
type app struct {
	in       io.Reader
	out, err io.Writer
	clock    func() time.Time
	getenv   func(string) (string, bool)
	// wrapLog is given the handler of every logger; the crash tests put themselves in between.
	wrapLog func(slog.Handler) slog.Handler
	adopted string            // see adoptedBy
	wire    http.RoundTripper // to the source; nil: the network
}

func newApp(in io.Reader, out, err io.Writer) *app {
	return &app{in: in, out: out, err: err, clock: time.Now, getenv: os.LookupEnv, adopted: adoptedBy()}
}

// call is one command on its way.
type call struct {
	*app
	*cli.Context
	name     string
	log      *slog.Logger
	journal  *runs.Journal // of the run that this command makes, if it does
	warnings []string
	cfg      *config.Config
	dialled  []*connection
}

// commands are all there are, in the order in which help lists them.
func commands() []command {
	return slices.Concat(
		initCommands(), authCommands(), stateCommands(), runsCommands(),
		lookCommands(), []command{demoCommand(), planCommand(), syncCommand(), verifyCommand(), forgetCommand(), statusCommand(), compactCommand(), serveCommand(), healthCommand(), completionCommand(), versionCommand()},
		scheduleCommands(), alertCommands(),
	)
}

// command is one command of the program. Its result goes to standard output, as a table or, with
// --output json, in the envelope.
type command struct {
	name, usage string   // "auth login" for one of a family
	aliases     []string // other names of it
	args        string   // how help shows them: "[PIPELINE…]"
	help        string   // what is worth knowing, and examples
	formats     []string // what --output takes beside table and json
	flags       []cli.Flag
	do          func(context.Context, *call) (*view, error)
}

// usageError is a command line that cannot be meant.
type usageError struct{ text, hint string }

func (e *usageError) Error() string { return e.text }

// run parses a command line and runs it.
func (a *app) run(ctx context.Context, args []string) int {
	var code int
	if words, asked := toComplete(args); asked {
		return a.suggest(words)
	}
	program := &cli.App{
		Name: "exactduck", HelpName: "exactduck", Version: version(),
		Usage:  "your books out of Exact Online, and payments out of Exact Payments, in DuckDB and Parquet, equal to the source every night",
		Reader: a.in, Writer: a.out, ErrWriter: a.err, HideHelpCommand: true,
		ExitErrHandler: func(*cli.Context, error) {}, // exits happen in main
		OnUsageError:   func(_ *cli.Context, err error, _ bool) error { return asUsage(err) },
		Action:         func(c *cli.Context) error { return a.unknown(c, "exactduck", names(commands())) },
		Commands:       a.tree(&code),
	}
	cli.VersionPrinter = func(*cli.Context) { fmt.Fprintln(a.out, version()) }
	if err := program.RunContext(ctx, sorted(args)); err != nil {
		return a.fail(err)
	}
	return code
}

// tree turns the commands into what the library wants, families together.
func (a *app) tree(code *int) []*cli.Command {
	var all []*cli.Command
	families := map[string]*cli.Command{}
	for _, c := range commands() {
		leaf := a.leaf(c, code)
		family, rest, nested := strings.Cut(c.name, " ")
		if !nested {
			all, families[c.name] = append(all, leaf), leaf
			continue
		}
		leaf.Name = rest
		if families[family] == nil {
			parent := &cli.Command{Name: family, Usage: familyUsage[family], HideHelpCommand: true, OnUsageError: onUsage}
			parent.Action = func(c *cli.Context) error { return a.unknown(c, "exactduck "+family, subcommands(parent)) }
			families[family] = parent
			all = append(all, parent)
		}
		families[family].Subcommands = append(families[family].Subcommands, leaf)
	}
	return all
}

var familyUsage = map[string]string{"alert": "who is told when something is wrong: try it, see what was told", "auth": "the login: get it, see it, refresh it, move it, forget it", "schedule": "when pipelines run by themselves: see it, pause it, run one now", "schema": "the shapes of tables: what changed, what is due, what is accepted", "state": "how far streams are read: see it, reset it, move it"}

func onUsage(_ *cli.Context, err error, _ bool) error { return asUsage(err) }

func asUsage(err error) error {
	text := strings.ReplaceAll(err.Error(), "flag provided but not defined: -", "unknown flag -")
	return &usageError{text, `"exactduck COMMAND --help" lists the flags`}
}

func (a *app) leaf(c command, code *int) *cli.Command {
	return &cli.Command{
		Name: c.name, Aliases: c.aliases, Usage: c.usage, ArgsUsage: c.args, Description: strings.TrimSpace(c.help), HideHelpCommand: true,
		Flags: append(c.flags, commonFlags(c.formats)...), OnUsageError: onUsage,
		Action: func(context *cli.Context) error {
			*code = a.perform(context, c)
			return nil
		},
	}
}

func commonFlags(formats []string) []cli.Flag {
	formats = append([]string{"table", "json"}, formats...)
	return []cli.Flag{
		&cli.StringFlag{Name: "config", Value: "pipelines.yaml", Usage: "the configuration `FILE`", EnvVars: env("config")},
		&cli.StringFlag{Name: "output", Value: "table", Usage: "`FORMAT` of the result: " + strings.Join(formats, ", "), EnvVars: env("output")},
		&cli.StringFlag{Name: "log-format", Value: "text", Usage: "`FORMAT` of the log on standard error: text, json", EnvVars: env("log-format")},
		&cli.BoolFlag{Name: "q", Usage: "say nothing but errors"},
		&cli.BoolFlag{Name: "v", Usage: "log every step"},
	}
}

// env is the variable that stands for a flag.
func env(flag string) []string {
	return []string{"EXACTDUCK_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))}
}

// perform runs a command whose flags are parsed.
func (a *app) perform(context *cli.Context, c command) int {
	k := &call{app: a, Context: context, name: c.name}
	if err := k.check(c); err != nil {
		return a.fail(err)
	}
	shown := a.logger(context.String("log-format"), context.Bool("q"), context.Bool("v"))
	k.journal = new(runs.Journal)
	k.log = slog.New(k.journal.Handler(shown.Handler()))
	v, err := c.do(context.Context, k)
	return k.show(v, err)
}

func (k *call) check(c command) error {
	if formats := append([]string{"table", "json"}, c.formats...); !slices.Contains(formats, k.String("output")) {
		return &usageError{fmt.Sprintf("there is no output format %q", k.String("output")), "use one of " + strings.Join(formats, ", ")}
	}
	if f := k.String("log-format"); f != "text" && f != "json" {
		return &usageError{fmt.Sprintf("there is no log format %q", f), "use text or json"}
	}
	if c.args == "" && k.Args().Present() {
		return &usageError{fmt.Sprintf("%s takes no arguments, and %q is one", c.name, k.Args().First()), fmt.Sprintf(`"exactduck %s --help" shows what it takes`, c.name)}
	}
	return nil
}

// logger writes to standard error: warnings, and with -v every step.
func (a *app) logger(format string, quiet, verbose bool) *slog.Logger {
	level := slog.LevelWarn
	switch {
	case quiet:
		level = slog.LevelError
	case verbose:
		level = slog.LevelDebug
	}
	return a.logAt(format, level)
}

// logAt writes to standard error what is at a level or above.
func (a *app) logAt(format string, level slog.Level) *slog.Logger {
	options := &slog.HandlerOptions{Level: level}
	var handler slog.Handler = slog.NewTextHandler(a.err, options)
	if format == "json" {
		handler = slog.NewJSONHandler(a.err, options)
	}
	if a.wrapLog != nil {
		handler = a.wrapLog(handler)
	}
	return slog.New(handler)
}

// configuration reads and checks the file that --config names, once.
func (k *call) configuration() (*config.Config, error) {
	if k.cfg != nil {
		return k.cfg, nil
	}
	cfg, err := k.loadConfig()
	if err != nil {
		return nil, err
	}
	if err := checkState(cfg.State()); err != nil {
		return nil, err
	}
	k.cfg, k.warnings = cfg, append(k.warnings, cfg.Warnings()...)
	return cfg, nil
}

// loadConfig reads the file, or what serve tells its child to go by in its stead.
func (k *call) loadConfig() (*config.Config, error) {
	path := k.String("config")
	if k.adopted == "" || k.name != "sync" {
		return config.Load(path, catalogue)
	}
	text, err := os.ReadFile(k.adopted)
	if err != nil {
		return nil, &config.ReadError{Path: k.adopted, Err: err}
	}
	return config.Parse(text, path, catalogue)
}

func (a *app) unknown(c *cli.Context, family string, known []string) error {
	switch {
	case !c.Args().Present() && family == c.App.Name:
		return cli.ShowAppHelp(c)
	case !c.Args().Present():
		return cli.ShowSubcommandHelp(c)
	}
	name := c.Args().First()
	hint := fmt.Sprintf(`"%s --help" lists the commands`, family)
	if near := config.Nearest(name, known); len(near) > 0 {
		hint = fmt.Sprintf(`did you mean "%s %s"?`, family, near[0])
	}
	return &usageError{fmt.Sprintf("there is no command %q", name), hint}
}

func names(all []command) []string {
	var list []string
	for _, c := range all {
		first, _, _ := strings.Cut(c.name, " ")
		list = append(append(list, first), c.aliases...)
	}
	return slices.Compact(list)
}

func subcommands(parent *cli.Command) []string {
	var list []string
	for _, c := range parent.Subcommands {
		list = append(list, c.Name)
	}
	return list
}

// fail prints an error that came before any command could.
func (a *app) fail(err error) int {
	code := exitCode(err)
	a.complain(err, code)
	return code
}

func (a *app) complain(err error, code int) {
	if code == exitInterrupted && errors.Is(err, context.Canceled) {
		fmt.Fprintln(a.err, "interrupted; nothing is lost")
		return
	}
	if wrong := find[*config.Error](err); wrong != nil {
		a.complainOfConfig(wrong)
		return
	}
	what, _, _ := strings.Cut(err.Error(), "\n") // DuckDB goes on with advice of its own
	a.sayWrong(what, "", hint(err))
}

// complainOfConfig shows every problem at its place.
func (a *app) complainOfConfig(wrong *config.Error) {
	for _, p := range wrong.Problems {
		a.sayWrong(fmt.Sprintf("%s:%d:%d: %s", wrong.Path, p.Line, p.Column, p.Message), p.Excerpt,
			cmp.Or(p.Hint, `"exactduck init" writes a configuration to start from`))
	}
}

func (a *app) sayWrong(what, excerpt, hints string) {
	fmt.Fprintln(a.err, "error:", what)
	if excerpt != "" {
		fmt.Fprintln(a.err, excerpt)
	}
	for line := range strings.SplitSeq(hints, "\n") {
		if line != "" {
			fmt.Fprintln(a.err, "hint:", line)
		}
	}
}
