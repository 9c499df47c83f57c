package exactonline

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"exactduck/extract"

	"github.com/google/go-cmp/cmp"
)

const me = `{"__metadata":{"uri":"x","type":"Exact.Web.Api.Models.System.Me"},"CurrentDivision":124132,` +
	`"UserID":"cc20a11b-c137-48cc-8e55-09d4adbd4ac9","UserName":"jane@example.com","FullName":"Jane Doe",` +
	`"ServerTime":"2026-06-25T12:00:00","ServerUtcOffset":7200}`

func TestPlaces(t *testing.T) {
	e := &exact{clock: at(noon), answer: func(path, query string) (int, string) {
		switch {
		case path == "/api/v1/current/Me":
			return 200, list("", me)
		case strings.Contains(query, "skiptoken"):
			return 200, list("", `{"Code":99,"Description":" Old ","Status":2}`, `{"Code":100,"Description":"Blocked","Status":1,"BlockingStatus":3}`,
				`{"Code":200,"Status":0}`)
		}
		return 200, list(host+path+"?$skiptoken=1",
			`{"Code":3000000,"Description":"Moved BV","Status":1,"BlockingStatus":0,"DivisionMoveDate":"/Date(1767225600000)/","DivisionHRLinkUnlinkDate":null}`,
			`{"Code":124132,"Description":"Nango","Currency":"EUR ","Status":1,"BlockingStatus":0,"DivisionMoveDate":null,"DivisionHRLinkUnlinkDate":null}`)
	}}
	s := e.source(t, func(c *Config) { c.Division = "" })
	places, err := s.Places(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []extract.Place{
		{Scope: "99", Code: "99", Name: "Old"},
		{Scope: "100", Code: "100", Name: "Blocked"},
		{Scope: "200", Code: "200"},
		{Scope: "124132", Code: "124132", Name: "Nango", Currency: "EUR", Active: true},
		{Scope: "3000000", Code: "3000000", Name: "Moved BV", Active: true, Epoch: "moved 2026-01-01T00:00:00.000 linked -"},
	}
	if diff := cmp.Diff(want, places); diff != "" {
		t.Error(diff)
	}
	if len(e.asked) != 3 || !strings.HasPrefix(e.asked[1], "/api/v1/124132/system/Divisions?$select=Code,") {
		t.Errorf("asked %q", e.asked)
	}
}

// Without one of its dates a division would seem to have another epoch, and be loaded again.
func TestPlacesDoNotDoWithoutTheEpoch(t *testing.T) {
	e := &exact{clock: at(noon), answer: func(_, query string) (int, string) {
		if strings.Contains(query, moved) {
			return 400, refusal("Type Division does not have a property named " + moved)
		}
		return 200, list("", `{"Code":1}`)
	}}
	if places, err := e.source(t, nil).Places(t.Context()); err == nil {
		t.Errorf("got %v", places)
	}
}

func TestMeComparesTheClocks(t *testing.T) {
	for zone, warns := range map[string]bool{"Europe/Amsterdam": false, "Europe/London": true} {
		var log bytes.Buffer
		e := &exact{clock: at(noon), answer: func(string, string) (int, string) { return 200, list("", me) }}
		location, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		s := e.source(t, func(c *Config) { c.Zone, c.Log = location, slog.New(slog.NewTextHandler(&log, nil)) })
		u, err := s.Me(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if u.Division != "124132" || u.FullName != "Jane Doe" || u.ServerOffset != 2*time.Hour || u.ID.String() != "cc20a11b-c137-48cc-8e55-09d4adbd4ac9" {
			t.Errorf("got %+v", u)
		}
		if warned := strings.Contains(log.String(), "another time zone"); warned != warns {
			t.Errorf("%s: warned %v: %s", zone, warned, &log)
		}
	}
}

func TestDiscover(t *testing.T) {
	e := &exact{clock: at(noon), answer: func(string, string) (int, string) {
		return 200, `{"d":[{"__metadata":{},"ID":"00000000-0000-0000-0000-000000000001","ZetaNew":1,"AlphaNew":null,"BankAccounts":{"__deferred":{"uri":"x"}}}]}`
	}}
	s := e.source(t, nil)
	r := accounts(t, "standard", "")
	for _, body := range []string{"bare", "single"} {
		found, err := s.Discover(t.Context(), "123", r.Variant)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"AlphaNew", "ZetaNew"}, found); diff != "" {
			t.Errorf("%s: %s", body, diff)
		}
	}
	if e.asked[0] != "/api/v1/123/crm/Accounts?$top=1" {
		t.Errorf("asked %s", e.asked[0])
	}
	bulk := accounts(t, "bulk", "")
	if found, err := s.Discover(t.Context(), "123", bulk.Variant); err != nil || found != nil || len(e.asked) != 2 {
		t.Errorf("an endpoint that insists on $select was asked: %v, %v", found, err)
	}
}

func TestLanguages(t *testing.T) {
	for tag, want := range map[string]string{"nl": "NL-NL", "en": "EN-US", "en-gb": "EN-GB", "fr_BE": "FR-BE"} {
		if got := language(tag); got != want {
			t.Errorf("%s: %s, want %s", tag, got, want)
		}
	}
}

// A division that was taken away must not keep us from the others.
func TestPlacesThroughAnotherDivision(t *testing.T) {
	e := &exact{clock: at(noon), answer: func(path, _ string) (int, string) {
		switch {
		case path == "/api/v1/current/Me":
			return 200, list("", me)
		case strings.HasPrefix(path, "/api/v1/124132/"):
			return 200, list("", `{"Code":124132,"Status":1}`)
		}
		return 403, refusal("Forbidden")
	}}
	places, err := e.source(t, func(c *Config) { c.Division = "99" }).Places(t.Context())
	if err != nil || len(places) != 1 || len(e.asked) != 3 {
		t.Errorf("places are %v, %v after %q", places, err, e.asked)
	}
}

// What the user has open decides nothing: neither whether the divisions can be listed, nor through
// which of them the login's own things are asked for.
func TestPlacesWhateverIsOpen(t *testing.T) {
	e := &exact{clock: at(noon), answer: func(path, _ string) (int, string) {
		switch path {
		case "/api/v1/current/Me":
			return 200, list("", me)
		case "/api/v1/1/system/Divisions":
			return 200, list("", `{"Code":300,"Status":1}`, `{"Code":20,"Status":2}`)
		}
		return 403, refusal("Forbidden")
	}}
	s := e.source(t, func(c *Config) { c.Division = "" })
	places, err := s.Places(t.Context())
	if err != nil || len(places) != 2 || len(e.asked) != 3 {
		t.Errorf("places are %v, %v after %q", places, err, e.asked)
	}
	if through, err := s.anyDivision(t.Context()); err != nil || through != "300" || len(e.asked) != 3 {
		t.Errorf("asking through %q, %v", through, err)
	}
}
