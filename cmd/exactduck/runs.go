package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"exactduck/cmd/exactduck/runs"
)

func runsCommands() []command {
	return []command{
		{
			name: "runs", usage: "past runs: when, how they ended, what they did and what took so long", args: "[PIPELINE…]",
			help: `
The newest first. It reads the records in the state directory and, for what is older, the history in the
published files (_exactduck.runs), and disturbs no run. A run that was killed is called so, with what it
had done. Records and logs stay for 90 days, and no more of them than 500 files or 200 MB; the last 200
records stay in any case.

   exactduck runs
   exactduck runs nightly --failed --limit 5     which did not end well
   exactduck runs show last                      the last run, stream by stream
   exactduck runs --output json`,
			flags: []cli.Flag{
				&cli.BoolFlag{Name: "failed", Usage: "only runs that did not end well", EnvVars: env("failed")},
				&cli.IntFlag{Name: "limit", Value: 20, Usage: "at most `N` runs", EnvVars: env("limit")},
			},
			do: doRuns,
		},
		{
			name: "runs show", usage: "one run: where its time went, stream by stream, and its log", args: "ID",
			help: `
ID is what "exactduck runs" shows, or how it begins; "last" is the newest run, and the name of a pipeline
its last one. Streams are listed by what they took, those that failed first. A stream's time is divided
into waiting until it might call, reading, spooling (writing pages down), applying (putting rows into the
warehouse; what reads share is shared out by rows) and idle (others had their turn). Of the run, times
are by the clock on the wall.

   exactduck runs show last
   exactduck runs show 20261121T0400             how an id begins
   exactduck runs show nightly --log             what the last run of a pipeline logged
   exactduck runs show last -v                   all streams`,
			flags: []cli.Flag{&cli.BoolFlag{Name: "log", Usage: "print what the run logged", EnvVars: env("log")}},
			do:    doShowRun,
		},
	}
}

func doRuns(ctx context.Context, k *call) (*view, error) {
	if k.Int("limit") <= 0 {
		return nil, &usageError{"--limit must be a number of runs", "leave it out for 20"}
	}
	b, err := k.books()
	if err != nil {
		return nil, err
	}
	if _, err := k.pipelines(); err != nil {
		return nil, err
	}
	p, err := b.past(ctx)
	if err != nil {
		return nil, err
	}
	k.warnings = append(k.warnings, p.warnings...)
	all, err := p.list(wantedRuns{pipelines: k.Args().Slice(), bad: k.Bool("failed"), limit: k.Int("limit")})
	if err != nil {
		return nil, err
	}
	return &view{data: map[string]any{"runs": all}, text: func(out io.Writer) { printRuns(out, all) }}, nil
}

func printRuns(out io.Writer, all []pastRun) {
	if len(all) == 0 {
		fmt.Fprintln(out, "no runs")
		return
	}
	t := newTable(out, "run", "pipeline", "began (UTC)", "took", "ended", "read", "inserted", "updated", "deleted", "calls", "waited")
	for _, r := range all {
		took := "?"
		if !r.Ended.IsZero() {
			took = inShort(r.Ended.Sub(r.Started))
		}
		t.AppendRow([]any{
			r.ID, r.Pipeline, r.Started.UTC().Format("2006-01-02 15:04"), took, r.Status, r.Sums.Rows, r.Sums.Inserted,
			r.Sums.Updated, r.Sums.Deleted, r.Calls, inShort(millis(r.Wait)),
		})
	}
	t.Render()
}

// inShort is a time in the two largest units that say something.
func inShort(d time.Duration) string {
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	case d < time.Hour:
		return d.Round(time.Second).String()
	}
	return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
}

func doShowRun(ctx context.Context, k *call) (*view, error) {
	if k.Args().Len() != 1 {
		return nil, &usageError{"runs show takes the id of one run", `"exactduck runs" lists them; "exactduck runs show last" shows the newest`}
	}
	b, err := k.books()
	if err != nil {
		return nil, err
	}
	p, err := b.past(ctx)
	if err != nil {
		return nil, err
	}
	k.warnings = append(k.warnings, p.warnings...)
	id, err := p.find(k.Args().First())
	if err != nil {
		return nil, err
	}
	if k.Bool("log") {
		return b.showLog(id)
	}
	r, err := p.run(ctx, id)
	if err != nil {
		return nil, err
	}
	if r.ID == "" {
		return nil, &usageError{"the record of run " + id + " says nothing: it was killed as it began", `"exactduck runs" lists the others`}
	}
	return &view{data: r, runID: id, text: func(out io.Writer) { r.print(out, k.Bool("v")) }}, nil
}

func (b *books) showLog(id string) (*view, error) {
	file, err := runs.OpenLog(b.logs(), id)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &usageError{"run " + id + " has no log, or none any more", `"exactduck runs show ` + id + `" tells what is known of it`}
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	lines, err := runs.ReadLog(file)
	if err != nil {
		return nil, err
	}
	return &view{data: map[string]any{"log": lines}, runID: id, text: func(out io.Writer) {
		for _, l := range lines {
			fmt.Fprintln(out, printable(l.String()))
		}
	}}, nil
}

func (r *pastRun) print(out io.Writer, all bool) {
	fmt.Fprintf(out, "%s of %s: %s\n", r.ID, r.Pipeline, r.Status)
	if r.Message != "" {
		fmt.Fprintf(out, "%s\n", printable(r.Message))
	}
	fmt.Fprintf(out, "began %s", r.Started.UTC().Format(time.RFC3339))
	if !r.Ended.IsZero() {
		fmt.Fprintf(out, ", took %s", inShort(r.Ended.Sub(r.Started)))
	}
	fmt.Fprintf(out, "\n%d rows read, %d inserted, %d updated, %d deleted\n", r.Sums.Rows, r.Sums.Inserted, r.Sums.Updated, r.Sums.Deleted)
	fmt.Fprintf(out, "%s, %d of them made again; %s of answers", plural(r.Calls, "call"), r.Retries, bytesInWords(r.Bytes))
	if r.Wire > 0 {
		fmt.Fprintf(out, ", %s over the network", bytesInWords(r.Wire))
	}
	fmt.Fprint(out, "\n\n")
	r.printPhases(out)
	r.printStreams(out, all)
	for _, w := range r.Warnings {
		fmt.Fprintln(out, "warning:", printable(w))
	}
	if r.Log != "" {
		fmt.Fprintln(out, "log:", r.Log)
	}
}

// printPhases says where the time of the run went; of one that was killed nobody knows.
func (r *pastRun) printPhases(out io.Writer) {
	sum := r.Time() + r.Publish + r.Other
	if sum == 0 {
		return
	}
	t := newTable(out, "the run was", "for", "%")
	for _, p := range []struct {
		what string
		took int64
	}{
		{"waiting until it might call", r.Wait},
		{"reading", r.Read},
		{"writing pages down", r.Spool},
		{"putting rows into the warehouse", r.Apply},
		{"publishing", r.Publish},
		{"at everything else", r.Other},
	} {
		t.AppendRow([]any{p.what, inShort(millis(p.took)), (100*p.took + sum/2) / sum})
	}
	t.Render()
	fmt.Fprintln(out)
}

// became is why a read was made, or what went wrong with it.
func became(l runs.Stream) string {
	if l.Status == "done" {
		return l.Why
	}
	return strings.ReplaceAll(l.Status, "_", " ")
}

func (r *pastRun) printStreams(out io.Writer, all bool) {
	if len(r.Streams) == 0 {
		return
	}
	streams := slices.SortedFunc(slices.Values(r.Streams), func(a, b runs.Stream) int {
		return cmp.Or(cmp.Compare(wellOrNot(a), wellOrNot(b)), cmp.Compare(b.Time(), a.Time()), strings.Compare(a.Stream, b.Stream), strings.Compare(a.Scope, b.Scope))
	})
	shown := len(streams)
	if !all {
		shown = min(shown, mostLines)
	}
	t := newTable(out, "stream", wordFor(r.Streams, func(l runs.Stream) string { return l.Stream }), "what", "read", "changed", "calls", "again", "bytes", "wait", "read for", "spool", "apply", "idle")
	for _, l := range streams[:shown] {
		t.AppendRow([]any{
			l.Stream, shownScope(l.Scope), became(l), l.Rows, l.Inserted + l.Updated + l.Deleted, l.Calls, l.Retries, bytesInWords(l.Bytes),
			inShort(millis(l.Wait)), inShort(millis(l.Read)), inShort(millis(l.Spool)), inShort(millis(l.Apply)), inShort(millis(l.Idle)),
		})
	}
	t.Render()
	if more := len(streams) - shown; more > 0 {
		fmt.Fprintf(out, "and %d more; -v shows them all\n", more)
	}
	for _, l := range streams[:shown] {
		if l.Error != "" {
			fmt.Fprintf(out, "%s (%s): %s\n", l.Stream, placed(l.Stream, l.Scope), printable(l.Error))
		}
	}
}
