package sandbox_test

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"exactduck/extract/exactonline"
	"exactduck/extract/sandbox"
)

// Every endpoint that can be pulled answers with exactly the records that Records tells of, each
// value encoded as its Edm type demands, in as many pages as it takes.
func TestEveryPullableEndpointTellsTheTruth(t *testing.T) {
	v := visit(t, sandbox.Options{})
	pulled := 0
	for _, e := range exactonline.Endpoints() {
		if !e.Pullable {
			continue
		}
		pulled++
		rows := v.all(place(e, "123456") + "?" + selectAll(e))
		truth := v.sandbox.Records(123456, e.Path)
		if len(rows) != len(truth) {
			t.Errorf("%s: %d rows, Records has %d", e.Path, len(rows), len(truth))
			continue
		}
		for i, r := range rows {
			for _, p := range e.Properties {
				if p.Nested || p.Dropped {
					continue
				}
				if why := differs(p.Edm, r[p.Name], truth[i][p.Name]); why != "" {
					t.Fatalf("%s row %d %s: %s", e.Path, i, p.Name, why)
				}
			}
		}
	}
	if pulled < 370 {
		t.Errorf("only %d endpoints can be pulled", pulled)
	}
}

// differs compares a value as it came with the truth.
func differs(edm string, got, want any) string {
	if got == nil || want == nil {
		if got != want {
			return fmt.Sprintf("got %v, want %v", got, want)
		}
		return ""
	}
	switch want := want.(type) {
	case bool:
		if got == want {
			return ""
		}
	case int64:
		if n, ok := got.(json.Number); ok && edm != "Edm.Int64" && string(n) == strconv.FormatInt(want, 10) {
			return ""
		}
		if got == strconv.FormatInt(want, 10) && edm == "Edm.Int64" {
			return ""
		}
	case json.Number:
		n, ok := got.(json.Number)
		a, _ := n.Float64()
		b, _ := want.Float64()
		if ok && math.Abs(a-b) < 1e-8 {
			return ""
		}
	case time.Time:
		if got == fmt.Sprintf("/Date(%d)/", want.UnixMilli()) {
			return ""
		}
	case []byte:
		var back []byte
		if err := json.Unmarshal([]byte(strconv.Quote(got.(string))), &back); err == nil && string(back) == string(want) {
			return ""
		}
	case string:
		if got == want && (edm == "Edm.String" || edm == "Edm.Guid" && got == strings.ToLower(want)) {
			return ""
		}
	}
	return fmt.Sprintf("got %#v, want %#v (%s)", got, want, edm)
}

func TestKeysAreUnique(t *testing.T) {
	v := visit(t, sandbox.Options{})
	for _, e := range exactonline.Endpoints() {
		if !e.Pullable {
			continue
		}
		for _, key := range [][]string{e.Key, e.Identity} {
			seen := map[string]bool{}
			for _, r := range v.sandbox.Records(123457, e.Path) {
				var parts []string
				for _, name := range key {
					if r[name] == nil {
						t.Fatalf("%s: key %s is null", e.Path, name)
					}
					parts = append(parts, fmt.Sprint(r[name]))
				}
				k := strings.Join(parts, "|")
				if seen[k] {
					t.Fatalf("%s: key %v = %s occurs twice", e.Path, key, k)
				}
				seen[k] = true
			}
		}
	}
}

// The variants of a stream show the same records: what they both have, they agree on.
func TestVariantsAgree(t *testing.T) {
	s := visit(t, sandbox.Options{}).sandbox
	for _, stream := range exactonline.Streams() {
		first := stream.Variants[0]
		want := byKey(s.Records(123456, exactonline.EndpointOf(first).Path), first.Table.Key)
		for _, variant := range stream.Variants[1:] {
			same := sameTypes(exactonline.EndpointOf(first), exactonline.EndpointOf(variant))
			got := byKey(s.Records(123456, exactonline.EndpointOf(variant).Path), variant.Table.Key)
			if len(got) != len(want) {
				t.Errorf("%s has %d records, %s %d", first.Name, len(want), variant.Name, len(got))
			}
			for key, r := range got {
				for name, value := range r {
					if other, shared := want[key][name]; shared && same[name] && fmt.Sprint(other) != fmt.Sprint(value) {
						t.Fatalf("%s: %s of %s is %v in %s and %v in %s", stream.Name, name, key, value, variant.Name, other, first.Name)
					}
				}
			}
		}
	}
}

// sameTypes are the properties that two endpoints document alike.
func sameTypes(a, b *exactonline.Endpoint) map[string]bool {
	types := map[string]string{}
	for _, p := range a.Properties {
		types[p.Name] = p.Edm
	}
	same := map[string]bool{}
	for _, p := range b.Properties {
		same[p.Name] = types[p.Name] == p.Edm
	}
	return same
}

func byKey(rows []map[string]any, key []string) map[string]map[string]any {
	m := map[string]map[string]any{}
	for _, r := range rows {
		var parts []string
		for _, name := range key {
			parts = append(parts, fmt.Sprint(r[name]))
		}
		m[strings.Join(parts, "|")] = r
	}
	return m
}
