package main

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"exactduck/extract/exactonline"
)

func TestCommittedCatalogueIsGenerated(t *testing.T) {
	want, err := Catalogue(facts)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../catalogue.txt")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")); diff != "" {
		t.Errorf("catalogue.txt is not what the facts make; run: go generate ./extract/exactonline\n(-facts +file):\n%s", diff)
	}
}

// What the program reads at start-up is what the facts say, nothing lost on the way.
func TestNothingIsLost(t *testing.T) {
	var file struct {
		Endpoints []endpoint `json:"endpoints"`
	}
	if err := json.Unmarshal(facts, &file); err != nil {
		t.Fatal(err)
	}
	var want []*exactonline.Endpoint
	for _, e := range file.Endpoints {
		want = append(want, expected(e))
	}
	got := exactonline.Endpoints()
	if len(got) != len(want) {
		t.Fatalf("%d endpoints, want %d", len(got), len(want))
	}
	for i := range want {
		if diff := cmp.Diff(want[i], got[i]); diff != "" {
			t.Errorf("%s (-facts +read):\n%s", want[i].Path, diff)
		}
	}
}

// expected is an endpoint of the facts as the program is to see it.
func expected(e endpoint) *exactonline.Endpoint {
	want := &exactonline.Endpoint{
		Kind: e.Kind, Path: e.Path, Service: e.Service, Name: e.Name, Key: e.Key, Identity: e.Identity,
		Filterable: e.Filterable, SelectRequired: e.SelectRequired, NoSelectStar: e.SelectStar != nil && !*e.SelectStar,
		HeaderAndLines: e.HeaderAndLines, Pullable: e.Pullable, Retired: e.Retired, Function: e.Function,
		Keyless: e.Keyless, ParametersUnknown: e.ParametersUnknown, PageSize: e.PageSize, Entity: e.EntityType,
		EntityInferred: e.EntityInferred, SyncTimestamp: e.SyncTimestamp, Methods: e.Methods,
		OAuthScope: strings.Join(scopes(e), " "),
	}
	if e.ReplacedBy != "" {
		want.ReplacedBy = strings.Split(e.ReplacedBy, "+")
	}
	for _, p := range e.Parameters {
		want.Parameters = append(want.Parameters, exactonline.Parameter{Name: p.Name, Edm: p.Type, Mandatory: p.Mandatory})
	}
	for _, p := range e.Properties {
		edm, guessed := strings.CutSuffix(p.Type, "?")
		want.Properties = append(want.Properties, exactonline.Property{
			Name: p.Name, Edm: edm, Guessed: guessed, Key: p.Key, Dropped: p.Dropped,
			Nested: !strings.HasPrefix(edm, "Edm."),
		})
	}
	return want
}

func TestScopes(t *testing.T) {
	for _, c := range []struct {
		documented, inferred string
		want                 []string
	}{
		{"crm accounts", "", []string{"crm.accounts"}},
		{"financial receivables financial payables", "", []string{"financial.receivables", "financial.payables"}},
		{"", "hrm payroll", []string{"hrm.payroll"}},
		{"-", "", nil},
		{"", "", nil},
	} {
		if got := scopes(endpoint{Scope: c.documented, ScopeInferred: c.inferred}); !slices.Equal(got, c.want) {
			t.Errorf("%q, %q: got %q, want %q", c.documented, c.inferred, got, c.want)
		}
	}
}

func TestUnknownTypesAreRefused(t *testing.T) {
	for _, text := range []string{
		`{"endpoints":[{"path":"/a","properties":[{"name":"X","edmType":"Edm.Single"}]}]}`,
		`{"endpoints":[{"path":"/a","parameters":[{"name":"x","edmType":"Guid"}]}]}`,
		`{"endpoints":`,
	} {
		if out, err := Catalogue([]byte(text)); err == nil {
			t.Errorf("%s became %q", text, out)
		}
	}
}
