package exactonline

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"exactduck/extract"
	"exactduck/schema"
)

func TestEveryDecisionHasASubject(t *testing.T) {
	for _, d := range decisions() {
		covered := slices.ContainsFunc(Streams(), func(s *extract.Stream) bool { return d.covers(s.Name) })
		switch d.verb {
		case "own", "same", "joins":
			_, covered = EndpointFor(apiRoot + placeholder + "/" + d.subject)
		}
		for _, e := range Endpoints() {
			covered = covered || e.takesParameters() && d.covers(streamName(e))
		}
		if !covered {
			t.Errorf("%s %s: there is no such thing", d.verb, d.subject)
		}
		if d.verb == "dated" || d.verb == "born" {
			s, _, err := Lookup(d.subject)
			if err != nil || !slices.ContainsFunc(s.Variants, func(v *extract.Variant) bool { return v.Dated == d.object }) {
				t.Errorf("%s %s %s: %v", d.verb, d.subject, d.object, err)
			}
		} else if _, _, err := Lookup(d.object); d.object != "" && err != nil {
			t.Errorf("%s %s %s: %v", d.verb, d.subject, d.object, err)
		}
	}
}

func TestMixedGrainsAreDecidedOn(t *testing.T) {
	for _, e := range Endpoints() {
		name := variantName(e)
		own, same := decided("own", name) != "", decided("same", name) != ""
		if e.HeaderAndLines == (own == same) {
			t.Errorf("%s: headers and lines %v, own %v, same %v", name, e.HeaderAndLines, own, same)
		}
	}
}

func TestTraits(t *testing.T) {
	var shared, quiet, personal []string
	for _, s := range Streams() {
		if s.Shared {
			shared = append(shared, s.Name)
		}
		service, _, _ := strings.Cut(s.Name, "/")
		if s.Quiet && service != "read" && service != "beta" {
			quiet = append(quiet, s.Name)
		}
		if s.Personal && service != "payroll" && service != "hrm" {
			personal = append(personal, s.Name)
		}
		if (service == "read" || service == "beta") && !s.Quiet || (service == "payroll" || service == "hrm") && !s.Personal {
			t.Errorf("%s: quiet %v, personal %v", s.Name, s.Quiet, s.Personal)
		}
		for _, v := range s.Variants {
			if !EndpointOf(v).PerDivision() && !s.Shared {
				t.Errorf("%s has no division in its address and is not shared", s.Name)
			}
		}
	}
	for _, c := range []struct{ got, want []string }{
		{shared, []string{"system/Divisions", "system/GetMostRecentlyUsedDivisions", "system/Me", "system/Users"}},
		{quiet, []string{"system/GetMostRecentlyUsedDivisions", "system/Me", "webhooks/WebhookSubscriptions"}},
		{personal, []string{
			"beta/payroll/EmploymentConditionGroups", "beta/payroll/PayrollComponents",
			"beta/payroll/PayrollTransactionsByPayrollYear", "project/EmploymentInternalRates",
		}},
	} {
		if diff := cmp.Diff(c.want, c.got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

// Lines are read from feeds whose deletions are told, as those of their headers are, and name the
// header by its key.
func TestLinesHaveHeaders(t *testing.T) {
	found := 0
	for _, s := range Streams() {
		if s.Header == "" {
			continue
		}
		found++
		header, _, err := Lookup(s.Header)
		if err != nil {
			t.Error(err)
			continue
		}
		lines, headers := s.Variants[0].Table, header.Variants[0].Table
		at := lines.Index(s.HeaderKey)
		if at < 0 || lines.Columns[at].Type != schema.UUID || len(headers.Key) != 1 || headers.Columns[headers.Index(headers.Key[0])].Type != schema.UUID {
			t.Errorf("%s: %s names no %v of %s", s.Name, s.HeaderKey, headers.Key, s.Header)
		}
		if lines.Entity == 0 || headers.Entity == 0 || s.Variants[0].Kind != "sync" || header.Variants[0].Kind != "sync" {
			t.Errorf("%s: deletions %d, of headers %d", s.Name, lines.Entity, headers.Entity)
		}
		for _, v := range s.Variants {
			if v.Table.Index(s.HeaderKey) < 0 {
				t.Errorf("%s has no %s", v.Name, s.HeaderKey)
			}
		}
	}
	if found != 8 {
		t.Errorf("%d streams of lines", found)
	}
}

// What is part of a record names it by its key.
func TestPartsHaveWholes(t *testing.T) {
	found := 0
	for _, s := range Streams() {
		for _, part := range s.PartOf {
			found++
			whole, _, err := Lookup(part.Stream)
			if err != nil || part.Stream == s.Name {
				t.Errorf("%s is part of %s: %v", s.Name, part.Stream, err)
				continue
			}
			for _, v := range s.Variants {
				at, keys := v.Table.Index(part.Column), whole.Variants[0].Table
				if at < 0 || v.Table.Columns[at].Type != schema.UUID || len(keys.Key) != 1 || keys.Columns[keys.Index(keys.Key[0])].Type != schema.UUID {
					t.Errorf("%s: %s names no %v of %s", v.Name, part.Column, keys.Key, part.Stream)
				}
			}
		}
	}
	if found != 39 {
		t.Errorf("%d parts", found)
	}
}

func TestParseDecision(t *testing.T) {
	got, err := parseDecision("quiet read/: for screens: mostly")
	if want := (decision{"quiet", "read/", "", "", "for screens: mostly"}); err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, line := range []string{"quiet", "quiet read/", "quiet read/:", ": why", "loud read/: why", "joins a: why", "own a b: why", "lines a b: why", "lines a b c d: why", ": "} {
		if d, err := parseDecision(line); err == nil {
			t.Errorf("%q was taken for %+v", line, d)
		}
	}
}
