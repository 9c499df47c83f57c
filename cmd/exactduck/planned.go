package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"exactduck/cmd/exactduck/config"
)

func planCommand() command {
	return command{
		name: "plan", usage: "calls and days per stream and division, before spending them", args: "[PIPELINE…]",
		help: `
Says what a sync would read now, why, and what it costs: the calls that it takes at least, and those
that it will probably take, judged by earlier runs. It costs one call, for the divisions, changes
nothing and keeps no run waiting. "?" is a first load of which nobody knows the size: --count asks,
at one call for each of them, and remembers the answers for a day.

   exactduck plan
   exactduck plan nightly --count
   exactduck plan --streams 'financial/*' --since 2026-01-01
   exactduck plan -v                       every read, however many there are

What does not fit into the calls of the day is spooled, and the run of the next day goes on with it.
"left today" leaves out what the connection's reserve keeps for other software.`,
		flags: append(readFlags(),
			&cli.BoolFlag{Name: "count", Usage: "ask how large the first loads are; costs a call for each", EnvVars: env("count")},
			&cli.BoolFlag{Name: "wait", Usage: "wait while a run holds the warehouse", EnvVars: env("wait")},
		),
		do: func(ctx context.Context, k *call) (*view, error) {
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
			return k.plan(ctx, b, pipelines, o)
		},
	}
}

// plan makes the plans of some pipelines; "sync --dry-run" shows the same.
func (k *call) plan(ctx context.Context, b *books, pipelines []*config.Pipeline, o syncOptions) (*view, error) {
	var plans []*outlook
	for _, p := range pipelines {
		plan, err := b.outlook(ctx, p, o, k.Bool("count"))
		if err != nil {
			return nil, err
		}
		k.warnings = append(k.warnings, plan.Warnings...)
		plans = append(plans, plan)
	}
	return &view{data: plans, text: func(out io.Writer) {
		for _, plan := range plans {
			plan.print(out, k.Bool("v"))
		}
	}}, nil
}

// manyLines is how long a table may be before it is summed up by division.
const manyLines = 200

func (o *outlook) print(out io.Writer, all bool) {
	fmt.Fprintf(out, "%s\n\n", o.Pipeline)
	if all || len(o.Reads) <= manyLines {
		o.printReads(out)
	}
	o.printDivisions(out)
	o.printChanges(out)
	fmt.Fprintf(out, "%s\n\n", o.sum())
}

func (o *outlook) printReads(out io.Writer) {
	t := newTable(out, "stream", wordFor(o.Reads, func(r plannedRead) string { return r.Stream }), "variant", "mode", "at least", "expected", "why", "done")
	for _, r := range o.Reads {
		why := r.Why
		if r.How != "" {
			why += "; " + r.How
		}
		if r.Begun > 0 {
			why += fmt.Sprintf("; goes on after %d pages", r.Begun)
		}
		t.AppendRow([]any{r.Stream, shownScope(r.Scope), r.Variant, r.Mode, r.Least, orUnknown(r.Expected), why, r.Done})
	}
	t.Render()
	fmt.Fprintln(out)
}

func (o *outlook) printDivisions(out io.Writer) {
	t := newTable(out, wordFor(o.Reads, func(r plannedRead) string { return r.Stream }), "name", "reads", "at least", "expected", "minutes", "left today", "left after", "per day", "done")
	for _, d := range o.Divisions {
		perDay := strconv.Itoa(d.PerDay)
		switch {
		case d.PerDay >= boundless:
			perDay = "no limit"
		case d.Assumed:
			perDay += " assumed"
		}
		t.AppendRow([]any{
			shownScope(d.Scope), printable(d.Name), d.Reads, d.Least, orUnknown(d.Expected), d.Minutes, orUnknown(d.Before), orUnknown(d.After),
			perDay, d.Done,
		})
	}
	t.Render()
	fmt.Fprintln(out)
}

func orUnknown(n *int) string {
	if n == nil {
		return "?"
	}
	return strconv.Itoa(*n)
}

// printChanges says what a changed configuration does to what is stored.
func (o *outlook) printChanges(out io.Writer) {
	divisions := map[string][]string{}
	for _, r := range o.Reads {
		switch {
		case r.Why == whyChoice:
			divisions[r.Stream+" is read again: "+whyChoice] = append(divisions[r.Stream+" is read again: "+whyChoice], r.Scope)
		case r.Rewrite != "":
			text := r.Stream + " is rewritten: " + r.Rewrite
			divisions[text] = append(divisions[text], r.Scope)
		}
	}
	texts := make([]string, 0, len(divisions))
	for text := range divisions {
		texts = append(texts, text)
	}
	slices.Sort(texts)
	for _, text := range texts {
		where := "in " + plural(len(divisions[text]), placeWord(divisions[text]...))
		if len(divisions[text]) <= 3 {
			where = "in " + strings.Join(shownScopes(divisions[text]), ", ")
		}
		fmt.Fprintf(out, "%s (%s)\n", text, where)
	}
}

// sum is the plan in one line.
func (o *outlook) sum() string {
	least, expected, last, late := 0, 0, "", 0
	sized := true
	for _, d := range o.Divisions {
		least += d.Least
		if sized = sized && d.Expected != nil; sized {
			expected += *d.Expected
		}
		last, late = max(last, d.Done), late+d.Postpone
	}
	text := fmt.Sprintf("%d reads, at least %d calls", len(o.Reads), least)
	if sized {
		text += fmt.Sprintf(", expected %d", expected)
	} else {
		text += `; nobody knows how large some first loads are ("?"): --count asks, at one call each`
	}
	if late > 0 {
		text += fmt.Sprintf("; %d reads do not fit into today's calls, all is done on %s", late, last)
	}
	return text
}
