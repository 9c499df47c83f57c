package exactonline

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"

	"exactduck/extract"
	"exactduck/schema"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"
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

// One refusal tells of one column; the second time all names are asked for.
func TestManyRefusedColumnsAreFoundAtOnce(t *testing.T) {
	refuses := []string{"Name", "Email", "City", "Phone", "Fax"}
	e := &exact{clock: at(noon), answer: func(_, query string) (int, string) {
		if !strings.Contains(query, "$select") {
			return 200, list("", `{"__metadata":{"uri":"x"},"Timestamp":"1","ID":null,"Modified":null,"Website":null}`)
		}
		for _, name := range refuses {
			if strings.Contains(query, ","+name) {
				return 400, refusal("does not have a property named " + name)
			}
		}
		return 200, list("", `{"Timestamp":"1","ID":"00000000-0000-0000-0000-000000000001"}`)
	}}
	s := e.source(t, nil)
	mustCollect(t, s, readOf(t, "sync/crm/Accounts", "", append(refuses, "Modified", "Website")...))
	if len(e.asked) != 4 || !strings.Contains(e.asked[2], "?$top=1&$filter=Timestamp gt 0L") {
		t.Errorf("asked %q", e.asked)
	}
	refused, insists := s.Known("sync/CRM/Accounts")
	if diff := cmp.Diff([]string{"City", "Email", "Fax", "Name", "Phone"}, refused); diff != "" || insists {
		t.Error(diff)
	}
	// Another process is told.
	other := e.source(t, nil)
	other.Know("sync/CRM/Accounts", refused, insists)
	e.asked = nil
	mustCollect(t, other, readOf(t, "sync/crm/Accounts", "", append(refuses, "Modified", "Website")...))
	if len(e.asked) != 1 {
		t.Errorf("told, asked %q", e.asked)
	}
	// And, a week later, forgets.
	other.Know("sync/CRM/Accounts", nil, false)
	if again, _ := other.Known("sync/CRM/Accounts"); len(again) != 0 {
		t.Errorf("still knows %q", again)
	}
}

func TestAnEndpointThatIsTooWideNamesItsColumns(t *testing.T) {
	record := `{"ID":"00000000-0000-0000-0000-000000000001","Modified":null}`
	e := &exact{clock: at(noon), answer: func(_, query string) (int, string) {
		if strings.Contains(query, "Name") {
			return 400, refusal("Please add a $select or a $top=1 statement to the query string.")
		}
		return 200, list("", record)
	}}
	mustCollect(t, e.source(t, nil), accounts(t, "standard", ""))
	want := []string{"/api/v1/123/crm/Accounts?$select=ID,Modified,Name", "/api/v1/123/crm/Accounts?$top=1", "/api/v1/123/crm/Accounts?$select=ID,Modified"}
	if diff := cmp.Diff(want, e.asked); diff != "" {
		t.Error(diff)
	}
	for name, with := range map[string]string{"no record": "", "nothing lacks": `{"ID":null,"Modified":null,"name":null}`, "the key lacks": `{"Modified":null}`} {
		e.asked, record = nil, with
		if _, err := collect(t, e.source(t, nil), accounts(t, "standard", "")); err == nil || len(e.asked) != 2 {
			t.Errorf("%s: %v after %q", name, err, e.asked)
		}
	}
}

func TestAFilterThatIsRefusedIsAppliedHere(t *testing.T) {
	for name, words := range map[string]string{
		"documented":      "This $filter parameter is not supported for this resource",
		"names the field": "Filtering on these fields is not supported: Country",
		"in Dutch":        "Filteren op deze velden wordt niet ondersteund: Country",
		"in any words":    "Zo niet.",
	} {
		e := &exact{clock: at(noon), answer: func(_, query string) (int, string) {
			if strings.Contains(query, "Country eq") {
				return 400, refusal(words)
			}
			return 200, list("", named(1, "a", "NL "), named(2, "b", "NL "))
		}}
		s := e.source(t, nil)
		for range 2 {
			if page := mustCollect(t, s, filtered(t, "standard", "")); page.Rows != 1 {
				t.Errorf("%s: %q", name, rows(page))
			}
		}
		const here = "/api/v1/123/crm/Accounts?$select=ID,Modified,Name,Country"
		if len(e.asked) != 3 || e.asked[1] != here || e.asked[2] != here {
			t.Errorf("%s: asked %q", name, e.asked)
		}
		if refused, _ := s.Known("crm/Accounts"); !cmp.Equal(refused, []string{"$filter"}) {
			t.Errorf("%s: known %q", name, refused)
		}
	}
}

// At worst everything is read, and what is too old left out.
func TestADateThatIsRefusedIsAppliedHere(t *testing.T) {
	e := &exact{clock: at(noon), answer: func(_, query string) (int, string) {
		if strings.Contains(query, "Modified ge") {
			return 400, refusal("This $filter parameter is not supported for this resource")
		}
		return 200, list("", account(1, january(1).AddDate(0, 0, -1)), account(2, january(2)))
	}}
	s := e.source(t, nil)
	since := accounts(t, "standard", "")
	since.Since = newYear
	for _, r := range []extract.Read{since, accounts(t, "standard", `{"v":1,"kind":"modified","modified":"2026-01-01T00:00:00"}`)} {
		page := mustCollect(t, s, r)
		if page.Rows != 1 || !strings.Contains(string(page.Next), `"modified":"2026-06-25T10:00:00"`) {
			t.Errorf("%q, cursor %s", rows(page), page.Next)
		}
	}
	if len(e.asked) != 3 {
		t.Errorf("asked %q", e.asked)
	}
}

// What decides which records are wanted cannot be left out.
func TestAColumnThatTheReadNeedsIsNotDropped(t *testing.T) {
	e := &exact{clock: at(noon), answer: func(_, query string) (int, string) {
		for _, name := range []string{"Country", "Modified"} {
			if strings.Contains(query, ","+name) {
				return 400, refusal("does not have a property named " + name)
			}
		}
		return 200, list("", account(1, noon))
	}}
	since := accounts(t, "sync", "")
	since.Since = newYear
	for name, r := range map[string]extract.Read{"a filter": filtered(t, "sync", ""), "a date": since} {
		_, err := collect(t, e.source(t, nil), r)
		if _, refused := errors.AsType[*extract.Refused](err); !refused {
			t.Errorf("%s: %v", name, err)
		}
		e.asked = nil
		known := e.source(t, nil)
		known.Know("sync/CRM/Accounts", []string{"Country", "Modified"}, false)
		if _, err := collect(t, known, r); err == nil || len(e.asked) > 0 {
			t.Errorf("%s, known: %v after %d calls", name, err, len(e.asked))
		}
	}
}

// What passes every record where there is no Modified to filter on.
func TestMandatoryFilteringWithoutModified(t *testing.T) {
	for stream, want := range map[string]string{
		"standard/crm/Accounts": "Modified ge datetime'1900-01-01T00:00:00'",
		"bulk/crm/Contacts":     "ID ne guid'00000000-0000-0000-0000-000000000000'",
	} {
		e := &exact{clock: at(noon), answer: func(_, query string) (int, string) {
			if !strings.Contains(query, "$filter") {
				return 400, refusal("This endpoint has mandatory filtering applied.")
			}
			return 200, list("")
		}}
		s := e.source(t, nil)
		mustCollect(t, s, readOf(t, stream, "", "ID"))
		if len(e.asked) != 2 || !strings.HasSuffix(e.asked[1], "&$filter="+want) {
			t.Errorf("%s: asked %q", stream, e.asked)
		}
		if _, filters := s.Known(strings.Replace(strings.TrimPrefix(stream, "standard/"), "bulk/crm", "bulk/CRM", 1)); !filters {
			t.Errorf("%s: not known", stream)
		}
	}
	// A filter of people's own is not one that the endpoint insists on.
	e := &exact{clock: at(noon), answer: func(_, query string) (int, string) {
		if !strings.Contains(query, "Modified ge") {
			return 400, refusal("This endpoint has mandatory filtering applied.")
		}
		return 200, list("")
	}}
	mustCollect(t, e.source(t, nil), filtered(t, "standard", ""))
	if len(e.asked) != 2 || !strings.HasSuffix(e.asked[1], "$filter=(Modified ge datetime'1900-01-01T00:00:00') and (Name eq 'a' and Country eq 'NL ')") {
		t.Errorf("asked %q", e.asked)
	}
}

// Eight divisions at once meet a refusal once.
func TestOneReadGoesFirst(t *testing.T) {
	e := &exact{clock: at(noon), answer: func(_, query string) (int, string) {
		if strings.Contains(query, "Name") {
			return 400, refusal("does not have a property named Name")
		}
		return 200, list("", account(1, noon))
	}}
	s := e.source(t, nil)
	var group errgroup.Group
	for scope := range 8 {
		group.Go(func() error {
			r := accounts(t, "sync", "")
			r.Scope = schema.Scope(strconv.Itoa(scope + 1))
			for _, err := range s.Pages(t.Context(), r) {
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	if len(e.asked) != 9 {
		t.Errorf("%d calls, want 8 and a refusal: %q", len(e.asked), e.asked)
	}
}

// Who fails leaves the way to the next, and nobody waits for ever.
func TestScoutsDoNotHoldEachOther(t *testing.T) {
	var s scouts
	report, err := s.enter(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	if other, err := s.enter(t.Context(), "b"); err != nil {
		t.Fatal(err)
	} else {
		other(true)
	}
	next := make(chan error)
	go func() {
		report, err := s.enter(t.Context(), "a")
		if err == nil {
			report(true)
		}
		next <- err
	}()
	report(false)
	if err := <-next; err != nil {
		t.Error(err)
	}
	if _, known := s.known["a"]; !known {
		t.Error("the second answered, and it is not known")
	}
	stopped, stop := context.WithCancel(t.Context())
	if _, err := s.enter(stopped, "c"); err != nil {
		t.Fatal(err)
	}
	stop()
	if _, err := s.enter(stopped, "c"); !errors.Is(err, context.Canceled) {
		t.Errorf("waited until %v", err)
	}
}
