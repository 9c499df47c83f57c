package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"exactduck/load"
)

// kindShown is what the table calls what was looked at.
var kindShown = map[string]string{
	checkCount: "number of rows", checkKeys: "keys", checkContent: "content", checkSample: "sample of rows", checkStored: "rows stored", checkLoaded: "loaded", checkAge: "age",
	checkLeft: "left over", checkWaiting: "waiting", checkDataset: "dataset", load.Doubled: "doubled rows", load.Keyless: "rows without key", load.Misfit: "odd values",
	load.Reference: "missing names", load.Headless: "missing headers", load.Unbalanced: "entries", load.Unequal: "sums",
}

// row is a line of the table.
type row struct {
	load.Check
	divisions int // of which the same is to be said
}

// rows are what the table shows: of what is wrong every one; what is to be said of many divisions alike,
// and is wrong in none, once; and with all what is well too.
func (r *verified) rows(all bool) []*row {
	var rows []*row
	alike := map[load.Check]*row{}
	for _, c := range r.Checks {
		if !all && c.Result == resultSame {
			continue
		}
		key := load.Check{Result: c.Result, Kind: c.Kind, Stream: c.Stream, Detail: c.Detail}
		if known := alike[key]; known != nil && !all && slices.Contains([]string{resultNote, resultSkipped, resultSource}, c.Result) {
			known.divisions++
			continue
		}
		alike[key] = &row{c, 1}
		rows = append(rows, alike[key])
	}
	return rows
}

// print is the result as a table, what is wrong first.
func (r *verified) print(out io.Writer, all bool) {
	rows := r.rows(all)
	shown := len(rows)
	if !all {
		shown = min(shown, manyLines)
	}
	if shown > 0 {
		t := newTable(out, "result", "check", "stream", wordFor(rows, func(n *row) string { return n.Stream }), "here", "there", "what it means", "what to type")
		for _, n := range rows[:shown] {
			t.AppendRow(n.cells())
		}
		t.Render()
	}
	if more := len(rows) - shown; more > 0 {
		fmt.Fprintf(out, "and %d more; -v shows them all\n", more)
	}
	fmt.Fprintln(out, r.sum())
}

func (n *row) cells() []any {
	where, here, there, advice := shownScope(n.Scope), orNothing(n.Here), orNothing(n.There), n.Advice
	if n.divisions > 1 {
		where, here, there = fmt.Sprintf("%d of them", n.divisions), "", ""
		advice = strings.Replace(advice, placed(n.Stream, n.Scope), vendorNamed(n.Stream).words().place+" N", 1)
	}
	return []any{n.Result, kindShown[n.Kind], n.Stream, where, here, there, printable(n.Detail), advice}
}

func orNothing(n *int64) string {
	if n == nil {
		return ""
	}
	return fmt.Sprint(*n)
}

// sum is the result in one line.
func (r *verified) sum() string {
	if len(r.Checks) == 0 {
		return fmt.Sprintf("%s: nothing was verified; %s", r.Pipeline, plural(r.Calls, "call"))
	}
	n := map[string]int{}
	for _, c := range r.Checks {
		n[c.Result]++
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%s: %s found nothing, %d a difference", r.Pipeline, plural(n[resultSame], "check"), n[resultDiffers]+n[resultSuspect])
	for _, part := range []struct{ result, what string }{
		{resultMended, "mended"}, {resultSource, "as at the source"}, {resultNote, "remarks"}, {resultSkipped, "left out"},
	} {
		if n[part.result] > 0 {
			fmt.Fprintf(&text, ", %d %s", n[part.result], part.what)
		}
	}
	fmt.Fprintf(&text, "; %s", plural(r.Calls, "call"))
	return text.String()
}
