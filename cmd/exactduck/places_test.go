package main

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"exactduck/cmd/exactduck/config"
	"exactduck/cmd/exactduck/runs"
	"exactduck/extract/sandbox"
	"exactduck/load"
)

// readIn are the divisions in which a run read a stream.
func readIn(s synced, stream string) (scopes []string) {
	for _, l := range lines(s, stream) {
		scopes = append(scopes, l.Scope)
	}
	slices.Sort(scopes)
	return slices.Compact(scopes)
}

// A new division is told of before payroll is read from it; the rest of it is read at once.
func TestNewDivisionsAreAnnounced(t *testing.T) {
	t.Parallel()
	w := newWorld(t, t.TempDir(), "      - general/Currencies\n      - payroll/Employees", sandbox.Options{Divisions: 1, Scale: 0.1})
	if first := w.run(syncOptions{}); len(first.Warnings) > 0 || len(readIn(first, "payroll/Employees")) != 1 {
		t.Fatalf("the first run warns of %q and reads payroll of %v", first.Warnings, readIn(first, "payroll/Employees"))
	}
	code, err := w.sandbox.AddDivision("Nieuw B.V.")
	if err != nil {
		t.Fatal(err)
	}
	w.clock.advance(day24)
	b, err := w.outlook(t.Context(), w.pipeline(), syncOptions{}, false)
	if err != nil {
		t.Fatal(err)
	}
	if len(b.Warnings) != 1 || slices.ContainsFunc(b.Reads, func(r plannedRead) bool { return r.Stream == "payroll/Employees" && r.Scope == fmt.Sprint(code) }) {
		t.Errorf("the plan warns of %q", b.Warnings)
	}
	second := w.run(syncOptions{})
	if len(second.Warnings) != 1 || !strings.Contains(second.Warnings[0], "Nieuw B.V. is new; the run after this one reads its 1 streams of personal data") {
		t.Errorf("warned of %q", second.Warnings)
	}
	if len(readIn(second, "payroll/Employees")) != 1 || len(readIn(second, "general/Currencies")) != 2 {
		t.Errorf("read in %v and %v", readIn(second, "payroll/Employees"), readIn(second, "general/Currencies"))
	}
	w.clock.advance(day24)
	if third := w.run(syncOptions{}); len(third.Warnings) > 0 || len(readIn(third, "payroll/Employees")) != 2 {
		t.Errorf("warned of %q, read in %v", third.Warnings, readIn(third, "payroll/Employees"))
	}
	w.equal()
}

// A division that is gone does not keep the others from being read, and its rows stay.
func TestVanishedDivisions(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		divisions config.Divisions
		code      int // the exit code
		said      string
	}{
		{config.Divisions{"123456", "123457"}, exitPartial, "is out of reach since"},
		{config.Divisions{"all"}, 0, "is out of reach from now on"},
		{config.Divisions{"123456", "999"}, exitUsage, `no division "999"`},
	} {
		t.Run(strings.Join(tc.divisions, " "), func(t *testing.T) {
			w := newWorld(t, t.TempDir(), "      - general/Currencies", sandbox.Options{Divisions: 2})
			w.run(syncOptions{})
			w.pipeline().Divisions = tc.divisions
			if err := w.sandbox.RemoveDivision(123457); err != nil {
				t.Fatal(err)
			}
			w.clock.advance(day24)
			result, err := w.sync(t.Context(), w.pipeline(), syncOptions{})
			said := fmt.Sprint(err, result.Warnings)
			if exitCode(err) != tc.code || !strings.Contains(said, tc.said) {
				t.Fatalf("code %d: %s", exitCode(err), said)
			}
			if tc.code == exitUsage {
				return
			}
			if got := readIn(result, "general/Currencies"); !slices.Equal(got, []string{"123456"}) {
				t.Errorf("read in %v", got)
			}
			reader, err := load.OpenReader(t.Context(), w.published())
			if err != nil {
				t.Fatal(err)
			}
			defer reader.Close()
			cursors, err := reader.Cursors(t.Context())
			if err != nil || !slices.ContainsFunc(cursors, func(c load.Cursor) bool { return c.Scope == "123457" && c.Rows > 0 }) {
				t.Errorf("the rows of the division that is gone did not stay: %v, %v", cursors, err)
			}
		})
	}
}

// Where every division that the pipeline names is gone, that does not mean all.
func TestOnlyDivisionVanished(t *testing.T) {
	t.Parallel()
	w := newWorld(t, t.TempDir(), "      - general/Currencies", sandbox.Options{Divisions: 2})
	w.run(syncOptions{})
	w.pipeline().Divisions = config.Divisions{"123457"}
	if err := w.sandbox.RemoveDivision(123457); err != nil {
		t.Fatal(err)
	}
	result, err := w.sync(t.Context(), w.pipeline(), syncOptions{})
	if exitCode(err) != exitPartial || len(result.Streams) > 0 {
		t.Errorf("code %d, read %+v", exitCode(err), result.Streams)
	}
}

// New is what came after the last run of the pipeline; of a run that was killed nobody was told.
func TestNewSince(t *testing.T) {
	t.Parallel()
	first := load.Division{Scope: "1", FirstSeen: night}
	late := load.Division{Scope: "2", FirstSeen: night.Add(day24)}
	for name, tc := range map[string]struct {
		last load.Run
		want bool
	}{
		"first run of the pipeline":    {load.Run{}, false},
		"met since":                    {load.Run{ID: "a", Started: night, Ended: night.Add(time.Hour)}, true},
		"met in a run that ended":      {load.Run{ID: "a", Started: night.Add(day24), Ended: night.Add(day24 + time.Hour)}, false},
		"met in a run that was killed": {load.Run{ID: "a", Started: night.Add(day24 - time.Minute)}, true},
	} {
		got := newSince([]load.Division{first, late}, tc.last)
		if got["1"] || got["2"] != tc.want {
			t.Errorf("%s: new are %v", name, got)
		}
	}
}

// Many companies in one run, one of which fails in one stream: what is under way at any moment does
// not grow with their number.
func TestManyDivisions(t *testing.T) {
	w := newWorld(t, t.TempDir(), "      - general/Currencies\n      - vat/VATCodes", sandbox.Options{Divisions: 150, Scale: 0.01})
	if err := w.sandbox.ForbidIn(123460, "vat/VATCodes", ""); err != nil {
		t.Fatal(err)
	}
	before, most := runtime.NumGoroutine(), 0 // of tests that wait for their turn
	w.wire.meet = func(*request) { most = max(most, runtime.NumGoroutine()) }
	result, err := w.sync(t.Context(), w.pipeline(), syncOptions{})
	if exitCode(err) != exitPartial {
		t.Fatalf("code %d: %v", exitCode(err), err)
	}
	if n := len(slices.DeleteFunc(slices.Clone(result.Streams), func(l runs.Stream) bool { return l.Status == "done" })); n != 1 || len(result.Streams) != 300 {
		t.Errorf("%d of %d streams failed", n, len(result.Streams))
	}
	if most-before > 100 {
		t.Errorf("%d goroutines more at once", most-before)
	}
	var out strings.Builder
	result.print(&out, false)
	if text := out.String(); strings.Count(text, "\n") > 160 || !strings.Contains(strings.SplitN(text, "\n", 4)[2], "vat/VATCodes") {
		t.Errorf("the summary does not begin with what failed, or is long:\n%s", text)
	}
}
