package main

import (
	"context"
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"exactduck/cmd/exactduck/config"
)

func verifyCommand() command {
	return command{
		name: "verify", usage: "is the warehouse equal to the source? finds what differs, and mends it", args: "[PIPELINE…]",
		help: `
Brings the streams up to date as a sync would, so that what changed meanwhile is no difference, and
then looks at the rows. What it will cost is said before, and it keeps to the reserve and to
--max-calls: what there are no calls for is left out, with the reason. A first load it leaves to sync.

   exactduck verify                        every stream of every division that is read
   exactduck verify nightly --streams 'financial/*' --division 123456
   exactduck verify --keys                 compare every key, also where the numbers of rows agree
   exactduck verify --sample 2             and every value of two pages each, chosen by chance
   exactduck verify --deep                 read every row again and compare what it holds
   exactduck verify --repair               read again what differs, and look once more
   exactduck verify --offline              only what costs no call
   exactduck verify --deep --dry-run       say what it would cost, and stop

What each level finds:

   --offline   keys that are there twice or not at all, lines without header, names of rows that are
               missing, entries that do not add up to zero, reads that are late or never ended; and files
               of the dataset that are damaged, missing or not ours, which are written anew at once
   (default)   the same; rows that are missing or too many, from one count a stream and division, and
               by key where the counts differ; amounts, accounts and periods of the ledger that were
               changed here, from Exact's own balances, where financial/ReportingBalance is read too.
               Not: a row that is missing where another is too many, or a changed name
   --keys      any row that is missing, too many or out of date, at up to 1,000 keys a call
   --sample N  some of the values that are not what Exact sends, and more of them every night: N calls a
               stream and division, or one more where a date has to be looked up first
   --deep      any value that is not what Exact sends; costs what a first load costs. When the calls
               run out, the next "verify --deep" within a week goes on

Streams that are read whole by every run are not compared: every run makes them equal. So does --deep,
and says what it took. Rows whose
deletion Exact does not tell stay until the next sweep, and are remarked upon. The newest result of
each check is in _exactduck.checks of the published file. With --streams or --division the files of
the dataset, of which each verification reads every byte, are left out.

Exit codes: 0 no difference, 6 differences; those of sync besides, before 6.`,
		flags: []cli.Flag{
			&cli.BoolFlag{Name: "repair", Usage: "read again what differs, and look once more", EnvVars: env("repair")},
			&cli.BoolFlag{Name: "keys", Usage: "compare every key, also where the counts agree", EnvVars: env("keys")},
			&cli.IntFlag{Name: "sample", Usage: "compare every value of `N` pages of each stream and division", EnvVars: env("sample")},
			&cli.BoolFlag{Name: "deep", Usage: "read every row again and compare what it holds", EnvVars: env("deep")},
			&cli.BoolFlag{Name: "offline", Usage: "only what costs no call", EnvVars: env("offline")},
			&cli.BoolFlag{Name: "dry-run", Usage: "say what it would cost and stop; costs one call for the divisions", EnvVars: env("dry-run")},
			&cli.StringSliceFlag{Name: "streams", Usage: "only these `STREAMS` of the pipeline: names or patterns, with commas", EnvVars: env("streams")},
			divisionFlag(),
			&cli.StringSliceFlag{Name: "accept-shrink", Usage: "believe that so many rows of `STREAM` are gone", EnvVars: env("accept-shrink")},
			&cli.IntFlag{Name: "max-calls", Usage: "make at most `N` calls", EnvVars: env("max-calls")},
			&cli.BoolFlag{Name: "wait", Usage: "wait while a run holds the warehouse", EnvVars: env("wait")},
		},
		do: doVerify,
	}
}

func doVerify(ctx context.Context, k *call) (*view, error) {
	o, err := k.verifyOptions()
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
	teller := k.teller()
	v, warnings, err := verifyAll(ctx, b, pipelines, o, k.Bool("v"))
	k.warnings = append(k.warnings, warnings...)
	teller.tell(ctx, b, pipelines, err)
	return v, err
}

func (k *call) verifyOptions() (verifyOptions, error) {
	o := verifyOptions{
		syncOptions: syncOptions{
			wait: k.Bool("wait"), streams: split(k.StringSlice("streams")), divisions: split(k.StringSlice("division")),
			accept: split(k.StringSlice("accept-shrink")),
		},
		keys: k.Bool("keys"), deep: k.Bool("deep"), repair: k.Bool("repair"), offline: k.Bool("offline"), dry: k.Bool("dry-run"), sample: k.Int("sample"),
		say: func(text string) {
			if !k.Bool("q") {
				fmt.Fprintln(k.err, text)
			}
		},
	}
	switch {
	case k.Int("max-calls") < 0:
		return o, &usageError{"--max-calls must be a number of calls", "leave it out for no limit"}
	case o.sample < 0:
		return o, &usageError{"--sample must be a number of pages", "leave it out for none"}
	case o.offline && (o.keys || o.deep || o.repair || o.dry || o.sample > 0):
		return o, &usageError{"--offline asks nobody, and --keys, --sample, --deep, --repair and --dry-run need answers", "leave --offline out"}
	}
	return o, nil
}

// verifyAll verifies pipelines one after another, as syncAll runs them.
func verifyAll(ctx context.Context, b *books, pipelines []*config.Pipeline, o verifyOptions, all bool) (v *view, warnings []string, err error) {
	var results []verified
	var failures []error
	for _, p := range pipelines {
		result, err := b.verify(ctx, p, o)
		results, warnings = append(results, result), append(warnings, result.warnings...)
		if err != nil {
			failures = append(failures, err)
		}
		if ctx.Err() != nil || isLogin(err) {
			break
		}
	}
	v = &view{data: results, text: func(out io.Writer) {
		for _, r := range results {
			r.print(out, all)
		}
	}}
	if len(results) == 1 {
		v.runID = results[0].RunID
	}
	switch len(failures) {
	case 0:
		return v, warnings, nil
	case 1:
		return v, warnings, failures[0]
	}
	return v, warnings, several(failures)
}
