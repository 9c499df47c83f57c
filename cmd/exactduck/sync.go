package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"exactduck/cmd/exactduck/config"
	"exactduck/cmd/exactduck/runs"
	"exactduck/schema"
)

func syncCommand() command {
	return command{
		name: "sync", usage: "bring the warehouse up to date with the source", args: "[PIPELINE…]",
		help: `
Reads what changed since the last run, page by page, puts it into the working database with the
cursors in the same transaction, and publishes the DuckDB file and the Parquet dataset in one go.
Without a name all pipelines run, one after another. A run may be interrupted at any moment: the
next one goes on where it stopped.

   exactduck sync                          everything that pipelines.yaml says
   exactduck sync nightly --streams 'crm/*'
   exactduck sync --since 2026-01-01       read again what was modified since
   exactduck sync --full-refresh --streams financial/TransactionLines
   exactduck sync --dry-run                say what would be read, and why

Exit codes: 0 done, 3 some streams failed and the rest is published, 4 a person must log in,
5 the source cannot be reached, 7 the calls of the day are used up and the next run goes on,
8 a stream with contract: freeze has changed its shape, 9 another run holds the lock, 10 something on
this machine is in the way, 130 interrupted.`,
		flags: append(readFlags(),
			&cli.StringSliceFlag{Name: "accept-shrink", Usage: "believe that so many rows of `STREAM` are gone", EnvVars: env("accept-shrink")},
			&cli.BoolFlag{Name: "dry-run", Usage: "make the plan and stop; costs one call for the divisions", EnvVars: env("dry-run")},
			&cli.BoolFlag{Name: "wait", Usage: "wait while another run holds the warehouse", EnvVars: env("wait")},
			&cli.IntFlag{Name: "max-calls", Usage: "make at most `N` calls; the next run goes on", EnvVars: env("max-calls")},
			&cli.DurationFlag{Name: "timeout", Usage: "stop after `DURATION` (30m); the next run goes on", EnvVars: env("timeout")},
		),
		do: doSync,
	}
}

// divisionFlag narrows a command to some places.
func divisionFlag() cli.Flag {
	return &cli.StringSliceFlag{Name: "division", Aliases: []string{"account"}, Usage: "only these `CODES` of divisions, or ids of accounts", EnvVars: env("division")}
}

// readFlags say what is read; a plan takes them too.
func readFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "since", Usage: "read what was modified at or after `DATE` (2026-01-31), at the source's own clock", EnvVars: env("since")},
		&cli.BoolFlag{Name: "full-refresh", Usage: "read everything again and replace what is held", EnvVars: env("full-refresh")},
		&cli.StringSliceFlag{Name: "streams", Usage: "only these `STREAMS` of the pipeline: names or patterns, with commas", EnvVars: env("streams")},
		divisionFlag(),
	}
}

func doSync(ctx context.Context, k *call) (*view, error) {
	o, err := k.syncOptions()
	if err != nil {
		return nil, err
	}
	pipelines, err := k.pipelines()
	if err != nil {
		return nil, err
	}
	b, err := k.books()
	if err != nil {
		return nil, err
	}
	within := ctx
	if d := k.Duration("timeout"); d > 0 {
		var cancel context.CancelFunc
		within, cancel = context.WithTimeout(ctx, d)
		defer cancel()
	}
	if k.Bool("dry-run") {
		return k.plan(within, b, pipelines, o)
	}
	teller := k.teller()
	v, warnings, err := syncAll(within, b, pipelines, o, k.Bool("v"))
	k.warnings = append(k.warnings, warnings...)
	teller.tell(ctx, b, pipelines, err)
	return v, err
}

func (k *call) syncOptions() (o syncOptions, err error) {
	o = syncOptions{
		full: k.Bool("full-refresh"), wait: k.Bool("wait"), streams: split(k.StringSlice("streams")),
		divisions: split(k.StringSlice("division")), accept: split(k.StringSlice("accept-shrink")),
	}
	if k.Int("max-calls") < 0 {
		return o, &usageError{"--max-calls must be a number of calls", "leave it out for no limit"}
	}
	if text := k.String("since"); text != "" {
		if o.since, err = time.Parse(time.DateOnly, text); err != nil {
			return o, &usageError{fmt.Sprintf("--since %q is no date", text), "write it as 2026-01-31"}
		}
		if o.full {
			return o, &usageError{"--since and --full-refresh contradict each other", "leave one of them out"}
		}
	}
	return o, nil
}

// split takes lists written with commas apart, and blanks off.
func split(values []string) []string {
	var all []string
	for _, v := range values {
		for part := range strings.SplitSeq(v, ",") {
			if part = strings.TrimSpace(part); part != "" {
				all = append(all, part)
			}
		}
	}
	return all
}

// syncAll runs the pipelines one after another. One that fails does not keep the next from
// running, unless a person has to act or to wait for it.
func syncAll(ctx context.Context, b *books, pipelines []*config.Pipeline, o syncOptions, all bool) (v *view, warnings []string, err error) {
	var results []synced
	var failures []error
	for _, p := range pipelines {
		result, err := b.sync(ctx, p, o)
		if result.ID != "" {
			results = append(results, result)
			warnings = append(warnings, result.Warnings...)
		}
		if err != nil {
			failures = append(failures, err)
		}
		if ctx.Err() != nil || isLogin(err) {
			break
		}
	}
	v = &view{data: results, text: func(out io.Writer) {
		for _, r := range results {
			if len(r.Streams) > 0 {
				r.print(out, all)
			}
		}
	}}
	if len(results) == 1 {
		v.runID = results[0].ID
	}
	switch len(failures) {
	case 0:
		return v, warnings, nil
	case 1:
		return v, warnings, failures[0]
	}
	return v, warnings, several(failures)
}

// several are the failures of several pipelines.
type several []error

func (e several) Error() string {
	words := make([]string, len(e))
	for i, err := range e {
		words[i], _, _ = strings.Cut(err.Error(), "\n")
	}
	return fmt.Sprintf("%d pipelines failed: %s", len(e), strings.Join(words, "; "))
}

func (e several) Unwrap() []error { return e }

// print is the summary of a run: what failed first, and one line a division where there would be too
// many others.
func (s synced) print(out io.Writer, all bool) {
	streams := slices.SortedFunc(slices.Values(s.Streams), func(a, b runs.Stream) int {
		return cmp.Or(cmp.Compare(wellOrNot(a), wellOrNot(b)), strings.Compare(a.Stream, b.Stream), strings.Compare(a.Scope, b.Scope))
	})
	failed, _ := slices.BinarySearchFunc(streams, 1, func(l runs.Stream, well int) int { return wellOrNot(l) - well })
	if all || len(streams) <= manyLines {
		failed = len(streams)
	}
	t := newTable(out, "stream", wordFor(streams, func(l runs.Stream) string { return l.Stream }), "read", "inserted", "updated", "deleted", "what")
	shown := failed
	if !all {
		shown = min(shown, manyLines)
	}
	for _, l := range streams[:shown] {
		what := l.Why
		if l.Status != "done" {
			what = strings.ReplaceAll(l.Status, "_", " ")
		}
		t.AppendRow([]any{l.Stream, shownScope(l.Scope), l.Rows, l.Inserted, l.Updated, l.Deleted, what})
	}
	for _, l := range byDivision(streams[failed:]) {
		t.AppendRow([]any{fmt.Sprintf("%d streams", l.Pages), shownScope(l.Scope), l.Rows, l.Inserted, l.Updated, l.Deleted, ""})
	}
	t.Render()
	if more := failed - shown; more > 0 {
		fmt.Fprintf(out, "and %d more that did not end well; -v shows them all\n", more)
	}
	sum := s.Totals()
	fmt.Fprintf(out, "\n%s %s: %d rows read, %d upserted, %d deleted; %d calls", s.Pipeline, s.Status, sum.Rows,
		sum.Inserted+sum.Updated, sum.Deleted, s.Calls)
	if scope, least := fewest(s.Left); scope != "" {
		fmt.Fprintf(out, ", %d left today in %s %s", least, placeWord(scope), scope)
	}
	fmt.Fprintf(out, "; %s\n", s.said())
	if c := s.Published.Compacted; c != nil {
		fmt.Fprintf(out, "the working database was compacted from %s to %s\n", bytesInWords(c.Before), bytesInWords(c.After))
	}
}

// wellOrNot is 0 for a stream that did not end well, and 1 for the others.
func wellOrNot(l runs.Stream) int {
	if l.Status == "done" {
		return 1
	}
	return 0
}

// byDivision adds streams up; Pages is how many there were of the division.
func byDivision(streams []runs.Stream) []runs.Stream {
	sums := map[string]*runs.Stream{}
	for _, l := range streams {
		if sums[l.Scope] == nil {
			sums[l.Scope] = &runs.Stream{Scope: l.Scope}
		}
		sum := sums[l.Scope]
		sum.Pages++
		sum.Rows, sum.Inserted, sum.Updated, sum.Deleted = sum.Rows+l.Rows, sum.Inserted+l.Inserted, sum.Updated+l.Updated, sum.Deleted+l.Deleted
	}
	all := make([]runs.Stream, 0, len(sums))
	for _, sum := range sums {
		all = append(all, *sum)
	}
	slices.SortFunc(all, func(a, b runs.Stream) int { return byNumber(schema.Scope(a.Scope), schema.Scope(b.Scope)) })
	return all
}

func (s synced) said() string {
	switch {
	case s.Published.DuckDB && s.Published.Parquet:
		return "published the file and the dataset"
	case s.Published.DuckDB:
		return "published the file"
	case s.Published.Parquet:
		return "published the dataset"
	}
	if sum := s.Totals(); sum.Inserted+sum.Updated+sum.Deleted > 0 {
		return "not published yet, the next run does it"
	}
	return "nothing changed, nothing published"
}
