package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"exactduck/load"
)

// shown is what the table calls what was looked at.
var shown = map[string]string{
	checkCount: "number of rows", checkKeys: "keys", checkContent: "content", checkStored: "rows stored", checkLoaded: "loaded", checkAge: "age",
	checkLeft: "left over", checkWaiting: "waiting", load.Doubled: "doubled rows", load.Keyless: "rows without key", load.Misfit: "odd values",
	load.Reference: "missing names", load.Headless: "missing headers", load.Unbalanced: "entries", load.Unequal: "sums",
}

// print is the result as a table: what is wrong first, and what is well summed up. What is to be said of
// many divisions alike, and wrong in none, is said once.
func (r *verified) print(out io.Writer, all bool) {
	var shows []load.Check
	divisions := map[load.Check]int{}
	for _, c := range r.Checks {
		if !all && c.Result == resultSame {
			continue
		}
		alike := load.Check{Result: c.Result, Kind: c.Kind, Stream: c.Stream, Detail: c.Detail}
		if !all && slices.Contains([]string{resultNote, resultSkipped, resultSource}, c.Result) {
			divisions[alike]++
			if divisions[alike] > 1 {
				continue
			}
		}
		shows = append(shows, c)
	}
	more := max(0, len(shows)-manyLines)
	if all {
		more = 0
	}
	if len(shows) > 0 {
		t := newTable(out, "result", "check", "stream", "division", "here", "at Exact", "what it means", "what to type")
		for _, c := range shows[:len(shows)-more] {
			where, n := string(c.Scope), divisions[load.Check{Result: c.Result, Kind: c.Kind, Stream: c.Stream, Detail: c.Detail}]
			if n > 1 {
				where, c.Here, c.There = fmt.Sprintf("%d of them", n), nil, nil
				c.Advice = strings.Replace(c.Advice, "--division "+string(c.Scope), "--division N", 1)
			}
			t.AppendRow([]any{c.Result, shown[c.Kind], c.Stream, where, orNothing(c.Here), orNothing(c.There), printable(c.Detail), c.Advice})
		}
		t.Render()
	}
	if more > 0 {
		fmt.Fprintf(out, "and %d more; -v shows them all\n", more)
	}
	fmt.Fprintln(out, r.sum())
}

func orNothing(n *int64) string {
	if n == nil {
		return ""
	}
	return fmt.Sprint(*n)
}

// sum is the result in one line.
func (r *verified) sum() string {
	n := map[string]int{}
	for _, c := range r.Checks {
		n[c.Result]++
	}
	text := fmt.Sprintf("%s: %d checks found nothing, %d a difference", r.Pipeline, n[resultSame], n[resultDiffers]+n[resultSuspect])
	for _, part := range []struct{ result, what string }{
		{resultMended, "mended"}, {resultSource, "as at Exact"}, {resultNote, "remarks"}, {resultSkipped, "left out"},
	} {
		if n[part.result] > 0 {
			text += fmt.Sprintf(", %d %s", n[part.result], part.what)
		}
	}
	return text + fmt.Sprintf("; %d calls", r.Calls)
}
