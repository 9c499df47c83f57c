package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"exactduck/load"
)

// What a check looks at, beside the flaws of package load.
const (
	checkCount   = "count"     // of rows, here and at the source
	checkKeys    = "keys"      // of every row
	checkContent = "content"   // of every row
	checkSample  = "sample"    // of the content of rows
	checkStored  = "stored"    // what can be seen without the source: nothing was found
	checkLoaded  = "loaded"    // completely, and up to date
	checkAge     = "age"       // of the last read
	checkLeft    = "left over" // of a division that is not read any more
	checkWaiting = "waiting"   // a read that was begun and not ended
	checkDataset = "dataset"   // the files of the lake
)

// What a check comes to.
const (
	resultSame    = "same"
	resultDiffers = "differs"
	resultSuspect = "suspect" // it looks wrong, and nobody has asked the source
	resultSource  = "source"  // it looks wrong, and it is so at the source
	resultMended  = "mended"
	resultNote    = "note" // worth knowing, and no difference
	resultSkipped = "skipped"
)

// offlineChecks need no source.
var offlineChecks = []string{
	load.Doubled, load.Keyless, load.Misfit, load.Reference, load.Headless, load.Unbalanced, checkStored, checkLoaded, checkAge, checkLeft, checkWaiting,
}

// finding is a check on its way.
type finding struct {
	load.Check
	// about are the rows that are wrong if it is, where they are not those of the check.
	about streamScope
}

func (f *finding) at() streamScope { return streamScope{f.Stream, f.Scope} }

// bad tells that something is to be done.
func (f *finding) bad() bool { return f.Result == resultDiffers || f.Result == resultSuspect }

// culprit is whose rows are to be read again.
func (f *finding) culprit() streamScope {
	if f.about.stream != "" {
		return f.about
	}
	return f.at()
}

// The meanings of flaws, with the number and a sample.
var meanings = map[string]func(load.Flaw) string{
	load.Doubled: func(f load.Flaw) string { return counting(f.Count, "row", "there more than once") + sampled(f.Sample) },
	load.Keyless: func(f load.Flaw) string { return counting(f.Count, "row", "without a key") },
	load.Misfit: func(f load.Flaw) string {
		return counting(f.Count, "value", "kept in _extra, not fitting its column") + sampled(f.Sample)
	},
	load.Unbalanced: func(f load.Flaw) string {
		return counting(f.Count, "entry", "not adding up to zero") + sampled(f.Sample)
	},
	load.Unequal: func(f load.Flaw) string {
		return counting(f.Count, "sum", "not what ReportingBalance says") + sampled(f.Sample)
	},
	load.Headless: func(f load.Flaw) string {
		if f.Other == f.Stream {
			return counting(f.Count, "entry", "without its header, line 0") + sampled(f.Sample)
		}
		return counting(f.Count, "header", "missing in "+f.Other) + sampled(f.Sample)
	},
	load.Reference: func(f load.Flaw) string {
		return counting(f.Count, "row", "named by "+f.Column+" and missing in "+f.Other) + sampled(f.Sample)
	},
}

// counting says how many there are: "1 entry without", "2 entries without".
func counting(n int64, thing, what string) string { return plural(int(n), thing) + " " + what }

func plural(n int, thing string) string {
	switch stem, y := strings.CutSuffix(thing, "y"); {
	case n == 1:
	case y:
		thing = stem + "ies"
	default:
		thing += "s"
	}
	return fmt.Sprintf("%d %s", n, thing)
}

func sampled(sample string) string {
	if sample == "" {
		return ""
	}
	return ": " + sample
}

// inOrder puts what is wrong first, and what is well last.
func inOrder(all []finding) {
	rank := map[string]int{
		resultDiffers: 1, resultSuspect: 2, resultMended: 3, resultSource: 4, resultNote: 5, resultSkipped: 6, resultSame: 7,
	}
	slices.SortStableFunc(all, func(a, b finding) int {
		return cmp.Or(rank[a.Result]-rank[b.Result], strings.Compare(a.Stream, b.Stream), byNumber(a.Scope, b.Scope), strings.Compare(a.Kind, b.Kind))
	})
}

// different is the verdict on rows that are not what the source has.
type different struct {
	pipeline string
	bad, of  int
	next     string
}

func (e *different) Error() string {
	return fmt.Sprintf("%s: %d of %d checks found a difference", e.pipeline, e.bad, e.of)
}

func differentHint(err error) string {
	e := find[*different](err)
	if e.bad == 1 {
		return e.next
	}
	return e.next + "\nor all of them at once: exactduck verify --repair"
}

// verdict is nil when nothing is wrong.
func verdict(pipeline string, all []finding) error {
	e := &different{pipeline: pipeline, of: len(all)}
	for i := range all {
		if all[i].bad() {
			e.bad++
			e.next = cmp.Or(e.next, all[i].Advice)
		}
	}
	if e.bad == 0 {
		return nil
	}
	return e
}
