package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"exactduck/cmd/exactduck/config"
	"exactduck/cmd/exactduck/doctor"
)

func doctorCommand() command {
	return command{
		name: "doctor", usage: "what is missing or wrong, and what to do about it", args: "[PIPELINE…]",
		help: `
Looks at the configuration, the folders and files, the login, the divisions and the streams of the
pipelines, and explains what it finds; it repairs nothing. It says beforehand how many calls it will
spend: one or two a connection and one a stream, in one division. One that is refused counts among
the ten errors an hour after which Exact blocks an endpoint. Without a login or a network, checks
that need them are left out.

   exactduck doctor
   exactduck doctor nightly --no-calls     ask nobody but this machine
   exactduck doctor --output json

Exit codes: 0 nothing failed; otherwise that of the worst that did: 2 configuration or app
registration, 4 a person must log in, 10 this machine, 9 a lock, 5 the source cannot be reached,
7 the calls of the day are used up, 3 a stream may not be read.`,
		flags: []cli.Flag{&cli.BoolFlag{Name: "no-calls", Usage: "ask the source nothing", EnvVars: env("no-calls")}},
		do:    doDoctor,
	}
}

// examination is what doctor found.
type examination struct {
	Checks []checked `json:"checks"`
	// CallsAnnounced is how many calls there were to be at most, CallsMade how many there were.
	CallsAnnounced int        `json:"calls_announced"`
	CallsMade      int        `json:"calls_made"`
	Scopes         []scopesOf `json:"scopes"`
}

type checked struct {
	Check    string        `json:"check"`
	Of       string        `json:"of,omitempty"`
	Result   doctor.Result `json:"result"`
	Finding  string        `json:"finding"`
	Advice   string        `json:"advice,omitempty"`
	ExitCode int           `json:"exit_code,omitempty"` // what it would end with alone
}

func doDoctor(ctx context.Context, k *call) (*view, error) {
	_, err := k.configuration()
	checks := []doctor.Check{{Name: "configuration", Of: k.String("config"), Look: func(context.Context) doctor.Verdict {
		if err != nil {
			return doctor.Wrong(err)
		}
		return doctor.Well(fmt.Sprintf("%s, %s", count(len(k.cfg.Connections), "connection"), count(len(k.cfg.Pipelines), "pipeline")))
	}}}
	var patients []*patient
	if err == nil {
		pipelines, err := k.pipelines()
		if err != nil {
			return nil, err
		}
		if patients, err = k.patients(ctx, pipelines); err != nil {
			return nil, err
		}
		checks = append(checks, k.machineChecks(ctx, pipelines)...)
		for _, p := range patients {
			checks = append(checks, p.checks()...)
		}
	}
	x := examination{Scopes: []scopesOf{}}
	var asked []vendor
	for _, p := range patients {
		if p.most > 0 {
			asked = append(asked, p.vendor())
		}
		x.CallsAnnounced += p.most
		x.Scopes = append(x.Scopes, p.scopes())
	}
	if x.CallsAnnounced > 0 && !k.Bool("q") {
		fmt.Fprintf(k.err, "asking %s, which costs %s at most\n", namesOf(asked...), count(x.CallsAnnounced, "call"))
	}
	outcomes, ended := doctor.Examine(ctx, checks)
	for _, p := range patients {
		x.CallsMade += p.made()
	}
	x.Checks = reported(outcomes)
	if ended == nil {
		ended = ailment(outcomes)
	}
	return &view{data: x, text: x.print}, ended
}

// count is a number of things.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// reported are the outcomes with what is known of their errors.
func reported(outcomes []doctor.Outcome) []checked {
	all := make([]checked, len(outcomes))
	for i, o := range outcomes {
		finding, _, _ := strings.Cut(o.Finding, "\n")
		all[i] = checked{Check: o.Name, Of: o.Of, Result: o.Result, Finding: finding, Advice: o.Advice, ExitCode: exitCode(o.Err)}
		if o.Err != nil {
			all[i].Advice = hint(o.Err)
		}
	}
	return all
}

// ailing are the checks that failed.
type ailing []doctor.Outcome

func ailment(outcomes []doctor.Outcome) error {
	failed := slices.DeleteFunc(slices.Clone(outcomes), func(o doctor.Outcome) bool { return o.Err == nil })
	if len(failed) == 0 {
		return nil
	}
	return ailing(failed)
}

func (a ailing) Error() string {
	if len(a) == 1 {
		finding, _, _ := strings.Cut(a[0].Finding, "\n")
		return a[0].Title() + ": " + finding
	}
	titles := make([]string, len(a))
	for i, o := range a {
		titles[i] = o.Title()
	}
	return fmt.Sprintf("%d checks failed: %s", len(a), strings.Join(titles, ", "))
}

func (a ailing) Unwrap() []error {
	errs := make([]error, len(a))
	for i, o := range a {
		errs[i] = o.Err
	}
	return errs
}

func (x examination) print(out io.Writer) {
	widest := 0
	for _, c := range x.Checks {
		widest = max(widest, len([]rune(c.title())))
	}
	for _, c := range x.Checks {
		fmt.Fprintf(out, "%s  %-*s  %s\n", c.Result, min(widest, 50), printable(c.title()), printable(c.Finding))
		for line := range strings.SplitSeq(c.Advice, "\n") {
			if line != "" {
				fmt.Fprintf(out, "      ▸ %s\n", line)
			}
		}
	}
	for _, s := range x.Scopes {
		s.print(out)
	}
}

func (c checked) title() string { return strings.TrimSpace(c.Check + " " + c.Of) }

// connectionsOf are the connections of some pipelines, or all of the file's when those are all.
func connectionsOf(cfg *config.Config, pipelines []*config.Pipeline) []string {
	all := cfg.ConnectionNames()
	if len(pipelines) == len(cfg.Pipelines) {
		return all
	}
	return slices.DeleteFunc(all, func(name string) bool {
		return !slices.ContainsFunc(pipelines, func(p *config.Pipeline) bool { return p.From == name })
	})
}
