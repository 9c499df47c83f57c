package exactonline

import (
	"errors"
	"strings"
	"testing"

	"exactduck/extract"

	"github.com/google/go-cmp/cmp"
)

func TestARefusedColumnIsLeftOut(t *testing.T) {
	for name, words := range map[string]string{
		"documented":   "Type Exact.Web.Api.Models.Account does not have a property named Name",
		"quoted":       "Could not find a property named 'Name' on type 'Account'.",
		"in any words": "Het veld Name is onbekend.",
	} {
		var dropped []Dropped
		e := &exact{clock: at(noon), answer: func(_, query string) (int, string) {
			if strings.Contains(query, "Name") {
				return 400, refusal(words)
			}
			return 200, list("", `{"Timestamp":"1","ID":"00000000-0000-0000-0000-000000000001"}`)
		}}
		s := e.source(t, func(c *Config) { c.Dropped = func(d Dropped) { dropped = append(dropped, d) } })
		for range 2 {
			page := mustCollect(t, s, accounts(t, "sync", ""))
			if page.Rows != 1 || page.Columns[page.Table.Index("Name")].Valid[0] {
				t.Errorf("%s: %q", name, rows(page))
			}
		}
		if len(e.asked) != 3 {
			t.Errorf("%s: asked %q, want one refusal", name, e.asked)
		}
		want := []Dropped{{Stream: "crm/Accounts", Variant: "sync/CRM/Accounts", Column: "Name", Scope: "123"}}
		if diff := cmp.Diff(want, dropped); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestMandatoryFilteringIsMetOnceAndRemembered(t *testing.T) {
	for name, words := range map[string]string{
		"documented": "This endpoint has mandatory filtering applied. A GET request for this endpoint must have a $filter " +
			"parameter with one of the following fields in the url:Accountant,Created,ID,Modified",
		"in any words": "Zo niet.",
	} {
		e := &exact{clock: at(noon), answer: func(_, query string) (int, string) {
			if !strings.Contains(query, "$filter") {
				return 400, refusal(words)
			}
			return 200, list("", account(1, noon))
		}}
		s := e.source(t, nil)
		for range 2 {
			mustCollect(t, s, accounts(t, "standard", ""))
		}
		want := "/api/v1/123/crm/Accounts?$select=ID,Modified,Name&$filter=Modified ge datetime'1900-01-01T00:00:00'"
		if len(e.asked) != 3 || e.asked[1] != want || e.asked[2] != want {
			t.Errorf("%s: asked %q", name, e.asked)
		}
	}
}

func TestWhatCannotBeHealedIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		variant, words string
		status, calls  int
	}{
		"a key":                    {"sync", "does not have a property named ID", 400, 1},
		"the version":              {"sync", "does not have a property named Timestamp", 400, 1},
		"a column nobody asked":    {"sync", "does not have a property named Other", 400, 1},
		"the same again and again": {"sync", "does not have a property named Name", 400, 4},
		"a filter though there is": {"sync", "mandatory filtering", 400, 1},
		"a filter, still":          {"standard", "mandatory filtering", 400, 2},
		"rights":                   {"standard", "does not have a property named Name", 403, 1},
	} {
		e := &exact{clock: at(noon), answer: func(string, string) (int, string) { return c.status, refusal(c.words) }}
		pages, err := collect(t, e.source(t, nil), accounts(t, c.variant, ""))
		var refused *extract.Refused
		if !errors.As(err, &refused) || len(pages) != 0 || len(e.asked) != c.calls {
			t.Errorf("%s: %v after %d calls, want %d", name, err, len(e.asked), c.calls)
		}
	}
}
