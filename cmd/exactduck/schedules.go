package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"exactduck/cmd/exactduck/config"
	"exactduck/cmd/exactduck/schedule"
	"exactduck/load"
)

func scheduleCommands() []command {
	return []command{
		{
			name: "schedule list", usage: "what runs when, and how the last runs ended", args: "[PIPELINE…]", do: doScheduleList,
			help: `
Of what "exactduck serve" runs, whether it runs at the moment or not. Times are those of the zone of each
schedule; --output json has them in UTC.

   exactduck schedule list
   exactduck schedule list nightly --output json`,
		},
		{
			name: "schedule next", usage: "the next times of each schedule", args: "[PIPELINE…]", do: doScheduleNext,
			flags: []cli.Flag{&cli.IntFlag{Name: "count", Value: 5, Usage: "`NUMBER` of times, up to 1000", EnvVars: env("count")}},
			help: `
By the schedules of pipelines.yaml, with the nights in which the clocks change, and jitter left out.

   exactduck schedule next
   exactduck schedule next nightly --count 400`,
		},
		{
			name: "schedule pause", usage: "start nothing by schedule until it is resumed", args: "[PIPELINE…]",
			do: eachPipeline("paused", (*schedule.Book).Pause),
			help: `
Without a name: all pipelines. A run that is on goes on, "exactduck sync" and "exactduck schedule run"
work as ever, and the login is kept alive. A pause outlasts restarts.

   exactduck schedule pause nightly`,
		},
		{
			name: "schedule resume", usage: "start by schedule again", args: "[PIPELINE…]",
			do: eachPipeline("resumed", (*schedule.Book).Resume),
			help: `
Without a name: all pipelines. What the schedule has missed in the meantime is made up for by one run, at
once.

   exactduck schedule resume nightly`,
		},
		{
			name: "schedule run", usage: "have serve run a pipeline now", args: "PIPELINE…", do: doScheduleRun,
			help: `
Asks the running "exactduck serve" for a run, paused or not; it begins within a second or two, unless the
warehouse is busy: then as soon as that is over. What is asked for twice before it begins runs once.
"exactduck sync" runs in this terminal instead.

   exactduck schedule run nightly`,
		},
	}
}

// schedules are the pipelines that the arguments name, or all of them, and what is wanted of them.
func (k *call) schedules() (*config.Config, []schedule.Wanted, error) {
	pipelines, err := k.pipelines()
	if err != nil {
		return nil, nil, err
	}
	named := map[string]bool{}
	for _, p := range pipelines {
		named[p.Name()] = true
	}
	var wanted []schedule.Wanted
	for _, w := range k.scheduled(k.cfg) {
		if named[w.Pipeline] {
			wanted = append(wanted, w)
		}
	}
	return k.cfg, wanted, nil
}

// scheduleList is the result of schedule list.
type scheduleList struct {
	Serving   bool                `json:"serving"`
	Pipelines []schedule.Standing `json:"pipelines"`
}

func doScheduleList(ctx context.Context, k *call) (*view, error) {
	cfg, wanted, err := k.schedules()
	if err != nil {
		return nil, err
	}
	list := scheduleList{Serving: isServing(ctx, cfg)}
	if list.Pipelines, err = openBook(cfg, k).Standings(wanted); err != nil {
		return nil, err
	}
	if !list.Serving {
		k.warnings = append(k.warnings, `nothing is started by itself: "exactduck serve" does not run by this configuration`)
	}
	return &view{data: list, text: func(out io.Writer) { list.print(out, cfg, k.clock()) }}, nil
}

func (l scheduleList) print(out io.Writer, cfg *config.Config, now time.Time) {
	t := newTable(out, "pipeline", "schedule", "next", "last started", "ended with", "remarks")
	for _, s := range l.Pipelines {
		zone := cfg.Pipelines[s.Pipeline].Timezone.Location
		t.AppendRow([]any{s.Pipeline, cmp.Or(s.Spec, "never"), inZone(s.Next, zone), inZone(s.LastStarted, zone), endedWith(s), scheduleRemarks(s, zone, now)})
	}
	t.Render()
}

func inZone(at time.Time, zone *time.Location) string {
	if at.IsZero() {
		return ""
	}
	return at.In(zone).Format("Mon 2006-01-02 15:04 MST")
}

func endedWith(s schedule.Standing) string {
	switch {
	case s.Running:
		return "running"
	case s.LastExit == nil:
		return ""
	case *s.LastExit == 0:
		return "done"
	case *s.LastExit == killed:
		return "killed"
	}
	return fmt.Sprintf("exit code %d", *s.LastExit)
}

// scheduleRemarks are what keeps a pipeline from its schedule, or adds to it.
func scheduleRemarks(s schedule.Standing, zone *time.Location, now time.Time) string {
	var all []string
	if s.Paused {
		all = append(all, "paused since "+inZone(s.PausedAt, zone))
	}
	if !s.Requested.IsZero() {
		all = append(all, "asked for")
	}
	if s.NeedsLogin {
		all = append(all, "waits until somebody logs in")
	}
	switch {
	case s.Due.IsZero() || s.Why == schedule.Requested:
	case s.Due.After(now):
		all = append(all, fmt.Sprintf("tried again at %s", inZone(s.Due, zone)))
	default:
		all = append(all, "due since "+inZone(s.Due, zone))
	}
	if s.Caught && s.LastExit != nil {
		all = append(all, "made up for a missed start")
	}
	return strings.Join(all, "; ")
}

// upcoming are the next times of one schedule.
type upcoming struct {
	Pipeline string      `json:"pipeline"`
	Schedule string      `json:"schedule"`
	Timezone string      `json:"timezone"`
	Times    []time.Time `json:"times"`
}

func doScheduleNext(_ context.Context, k *call) (*view, error) {
	count := k.Int("count")
	if count < 1 || count > 1000 {
		return nil, &usageError{"--count must be between 1 and 1000", "leave it out for 5"}
	}
	_, wanted, err := k.schedules()
	if err != nil {
		return nil, err
	}
	all := []upcoming{}
	for _, w := range wanted {
		if w.Spec == nil {
			continue
		}
		u := upcoming{Pipeline: w.Pipeline, Schedule: w.Spec.String(), Timezone: w.Spec.Zone().String(), Times: []time.Time{}}
		for at := w.Spec.Next(k.clock()); !at.IsZero() && len(u.Times) < count; at = w.Spec.Next(at) {
			u.Times = append(u.Times, at.UTC())
		}
		all = append(all, u)
	}
	return &view{data: all, text: func(out io.Writer) { printUpcoming(out, all, wanted) }}, nil
}

func printUpcoming(out io.Writer, all []upcoming, wanted []schedule.Wanted) {
	if len(all) == 0 {
		fmt.Fprintln(out, "no pipeline has a schedule; write one like this: schedule: \"15 4 * * *\"")
		return
	}
	zones := map[string]*time.Location{}
	for _, w := range wanted {
		if w.Spec != nil {
			zones[w.Pipeline] = w.Spec.Zone()
		}
	}
	t := newTable(out, "pipeline", "schedule", "next")
	for _, u := range all {
		for _, at := range u.Times {
			t.AppendRow([]any{u.Pipeline, u.Schedule, inZone(at, zones[u.Pipeline])})
		}
	}
	t.Render()
}

// eachPipeline is a command that does one thing to the schedule of each pipeline that is named.
func eachPipeline(done string, do func(*schedule.Book, string) error) func(context.Context, *call) (*view, error) {
	return func(_ context.Context, k *call) (*view, error) {
		cfg, wanted, err := k.schedules()
		if err != nil {
			return nil, err
		}
		if err := load.MakeStateDir(cfg.State()); err != nil {
			return nil, err
		}
		book := openBook(cfg, k)
		for _, w := range wanted {
			if err := do(book, w.Pipeline); err != nil {
				return nil, err
			}
		}
		standings, err := book.Standings(wanted)
		if err != nil {
			return nil, err
		}
		return &view{data: standings, text: func(out io.Writer) {
			for _, s := range standings {
				fmt.Fprintf(out, "%s %s\n", done, s.Pipeline)
			}
		}}, nil
	}
}

func doScheduleRun(ctx context.Context, k *call) (*view, error) {
	if !k.Args().Present() {
		return nil, &usageError{"schedule run needs the name of a pipeline", `"exactduck schedule list" shows them`}
	}
	if cfg, err := k.configuration(); err == nil && !isServing(ctx, cfg) {
		k.warnings = append(k.warnings, `"exactduck serve" does not run by this configuration: it runs this when it is started. To run it here: exactduck sync `+k.Args().First())
	}
	return eachPipeline("asked for", (*schedule.Book).Request)(ctx, k)
}
