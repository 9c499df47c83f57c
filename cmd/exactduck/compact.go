package main

import (
	"context"
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"exactduck/cmd/exactduck/config"
	"exactduck/load"
)

func compactCommand() command {
	return command{
		name: "compact", usage: "write the files anew, without the room that removed rows have left", args: "[PIPELINE…]",
		help: `
Copies the working database into a fresh file, puts that in its place in one step, and publishes it.
Readers are not disturbed, no row changes, and the source is not asked. A run does so by itself when
the file has grown to 1.3 times what a fresh one would be and by 2 MiB or more. It takes the room of a
second file on the disk of the state directory while it works.

   exactduck compact
   exactduck compact nightly --output json`,
		flags: []cli.Flag{
			&cli.BoolFlag{Name: "wait", Usage: "wait while another run holds the warehouse", EnvVars: env("wait")},
		},
		do: doCompact,
	}
}

// compacted is what became of the file of a pipeline.
type compacted struct {
	Pipeline string `json:"pipeline"`
	File     string `json:"file"`
	load.Compacted
	Published bool   `json:"published"`
	Why       string `json:"why,omitempty"` // nothing was done
}

func doCompact(ctx context.Context, k *call) (*view, error) {
	pipelines, err := k.pipelines()
	if err != nil {
		return nil, err
	}
	b, err := k.books()
	if err != nil {
		return nil, err
	}
	results, seen := []compacted{}, map[string]bool{}
	for _, p := range pipelines {
		if seen[p.To.DuckDB] { // pipelines may share a file
			continue
		}
		seen[p.To.DuckDB] = true
		result, err := b.compact(ctx, p, k.Bool("wait"))
		if err != nil {
			return nil, err
		}
		results = append(results, result)
	}
	return &view{data: results, text: func(out io.Writer) {
		for _, r := range results {
			r.print(out)
		}
	}}, nil
}

// compact writes the working database of a pipeline anew and publishes it.
func (b *books) compact(ctx context.Context, p *config.Pipeline, wait bool) (compacted, error) {
	result := compacted{Pipeline: p.Name(), File: p.To.DuckDB}
	w, err := b.open(ctx, p, wait)
	if err != nil {
		return result, err
	}
	defer w.Close()
	run := runID(b.clock())
	if err := b.conceal(ctx, w, p, run); err != nil { // it publishes
		return result, err
	}
	cursors, err := w.Cursors(ctx)
	if err != nil {
		return result, err
	}
	if len(cursors) == 0 {
		result.Why = "nothing was loaded yet"
		return result, w.Close()
	}
	if result.Compacted, err = w.Compact(ctx); err != nil {
		return result, err
	}
	published, err := w.Publish(ctx, target(p, run))
	if err != nil {
		return result, err
	}
	result.Published = published.DuckDB
	return result, w.Close()
}

func (c compacted) print(out io.Writer) {
	if c.Why != "" {
		fmt.Fprintf(out, "%s: %s\n", c.Pipeline, c.Why)
		return
	}
	fmt.Fprintf(out, "%s: the working database had %s and has %s; published\n", c.Pipeline, bytesInWords(c.Before), bytesInWords(c.After))
}

// bytesInWords is a size as people write it.
func bytesInWords(n int64) string {
	value, unit := float64(n), 0
	for ; value >= 1024 && unit < 4; unit++ {
		value /= 1024
	}
	return fmt.Sprintf("%.3g %s", value, []string{"bytes", "KiB", "MiB", "GiB", "TiB"}[unit])
}
