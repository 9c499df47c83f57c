package main

import (
	"regexp"
	"strings"
	"testing"

	"exactduck/extract/exactonline"
	"exactduck/extract/sandbox"
)

// Every endpoint that can be pulled is, in one run of each rank: the cheapest variants of all
// streams, then the second of those that have one, then the third. Nothing is said of any of them
// but their names, and every table equals what its endpoint has.
func TestEverythingIsRead(t *testing.T) {
	asked := map[string]bool{}
	for rank := range 3 {
		var names []string
		for _, s := range exactonline.Streams() {
			switch {
			case rank < len(s.Variants) && rank > 0:
				names = append(names, s.Variants[rank].Kind+"/"+s.Name)
			case rank == 0:
				names = append(names, s.Name)
			}
		}
		w := newWorld(t, t.TempDir(), streamLines(names...), sandbox.Options{Divisions: 1, Scale: 0.2, MinuteLimit: 10_000})
		w.pipelineLines = lakeless
		w.reconfigure(streamLines(names...))
		w.run(syncOptions{})
		w.equal()
		for _, r := range w.wire.calls(0) {
			asked[documented(r.path)] = asked[documented(r.path)] || r.status == 200 && !strings.Contains(r.query, "$top=1")
		}
		t.Logf("%d streams in one run, with %d calls", len(names), len(w.wire.calls(0)))
	}
	pullable := 0
	for _, e := range exactonline.Endpoints() {
		if !e.Pullable {
			continue
		}
		if pullable++; !asked[documented(e.Path)] {
			t.Errorf("%s was not read", e.Path)
		}
	}
	if pullable != 374 {
		t.Errorf("%d endpoints can be pulled, want 374", pullable)
	}
}

var divisionInPath = regexp.MustCompile(`^(/api/v1/(?:beta/)?)(?:\d+|\{division\})/`)

// documented is a path without its division.
func documented(path string) string {
	return strings.ToLower(divisionInPath.ReplaceAllString(path, "$1"))
}
