package exactonline_test

import (
	"errors"
	"strconv"
	"testing"

	"exactduck/extract"
	"exactduck/extract/exactonline"
	"exactduck/extract/sandbox"
	"exactduck/schema"
)

// here is the only division.
var here = schema.Scope(strconv.Itoa(division))

// Every variant of every stream can be probed with one request, and an endpoint that insists on a
// filter is no exception.
func TestProbe(t *testing.T) {
	f := open(t, sandbox.Options{Seed: 3, Scale: 0.2, MandatoryFilter: true})
	s := f.source()
	variants, rows := 0, 0
	for _, stream := range exactonline.Streams() {
		for _, v := range stream.Variants {
			n, err := s.Probe(t.Context(), here, v)
			if err != nil || n > 1 {
				t.Errorf("%s: %d rows, %v", v.Name, n, err)
			}
			variants, rows = variants+1, rows+n
		}
	}
	calls := 0
	for _, c := range s.Caller().Calls() {
		calls += c.Calls
	}
	if calls != variants || rows < variants/4 {
		t.Errorf("%d calls for %d variants, %d of them with rows", calls, variants, rows)
	}
}

func TestProbeWithoutRights(t *testing.T) {
	f := open(t, sandbox.Options{Seed: 3, Scale: 0.02})
	s := f.source()
	stream, _, err := exactonline.Lookup("crm/Accounts")
	if err != nil {
		t.Fatal(err)
	}
	if err := f.sb.Revoke(division, "crm/Accounts"); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Probe(t.Context(), here, stream.Variants[0]); n != 0 || err != nil {
		t.Errorf("rights taken away in silence: %d rows, %v", n, err)
	}
	if err := f.sb.Forbid("crm/Accounts"); err != nil {
		t.Fatal(err)
	}
	_, err = s.Probe(t.Context(), here, stream.Variants[0])
	if refused, ok := errors.AsType[*extract.Refused](err); !ok || refused.Status != 403 {
		t.Errorf("without the scope: %v", err)
	}
}
