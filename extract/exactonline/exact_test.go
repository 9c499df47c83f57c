package exactonline

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"exactduck/extract"
	"exactduck/schema"
)

const host = "https://start.exactonline.nl"

// exact is a service that answers by a script and remembers what it was asked.
type exact struct {
	clock  func() time.Time                                   // nil: time.Now
	answer func(path, query string) (status int, body string) // the query is unescaped

	mu    sync.Mutex
	asked []string
}

func (e *exact) RoundTrip(r *http.Request) (*http.Response, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	query, err := url.PathUnescape(r.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	e.asked = append(e.asked, strings.TrimSuffix(r.URL.Path+"?"+query, "?"))
	status, body := e.answer(r.URL.Path, query)
	header := http.Header{"Content-Type": {"application/json;charset=utf-8"}}
	header.Set("Date", e.now().UTC().Format(http.TimeFormat))
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

func (e *exact) now() time.Time {
	if e.clock == nil {
		return time.Now()
	}
	return e.clock()
}

func (e *exact) source(t *testing.T, change func(*Config)) *Source {
	t.Helper()
	c := Config{BaseURL: host, Client: &http.Client{Transport: e}, Clock: e.now, Division: "123"}
	if change != nil {
		change(&c)
	}
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// accounts is a read of a few columns of crm/Accounts.
func accounts(t *testing.T, variant string, from schema.Position) extract.Read {
	t.Helper()
	return readOf(t, variant+"/crm/Accounts", from, "ID", "Name", "Modified")
}

func readOf(t *testing.T, name string, from schema.Position, columns ...string) extract.Read {
	t.Helper()
	stream, v, err := Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	if v == nil {
		v = stream.Variants[0]
	}
	table := v.Table.Select(func(c string) bool { return slices.Contains(columns, c) })
	return extract.Read{Stream: stream.Name, Variant: v, Table: table, Scope: "123", From: from}
}

// collect reads to the end or to an error.
func collect(t *testing.T, s *Source, r extract.Read) ([]*schema.Page, error) {
	t.Helper()
	var pages []*schema.Page
	for page, err := range s.Pages(t.Context(), r) {
		if err != nil {
			return pages, err
		}
		if len(pages) > 0 && pages[len(pages)-1].Done {
			t.Fatal("a page after the last")
		}
		checkShape(t, page)
		pages = append(pages, page)
	}
	if len(pages) == 0 || !pages[len(pages)-1].Done {
		t.Fatal("a read without an end")
	}
	return pages, nil
}

func mustCollect(t *testing.T, s *Source, r extract.Read) (last *schema.Page) {
	t.Helper()
	pages, err := collect(t, s, r)
	if err != nil {
		t.Fatal(err)
	}
	return pages[len(pages)-1]
}

// account is a record of a feed, modified at an instant, with the wall clock of Amsterdam.
func account(timestamp int, modified time.Time) string {
	return fmt.Sprintf(`{"__metadata":{"uri":"x"},"Timestamp":"%d","ID":"00000000-0000-0000-0000-%012d","Name":"n","Modified":"/Date(%d)/"}`,
		timestamp, timestamp, wall(modified, amsterdam).UnixMilli())
}

func list(next string, records ...string) string {
	if next != "" {
		next = `,"__next":"` + next + `"`
	}
	return `{"d":{"results":[` + strings.Join(records, ",") + `]` + next + `}}`
}

func refusal(text string) string {
	return fmt.Sprintf(`{"error":{"code":"","message":{"lang":"","value":%q}}}`, text)
}

var amsterdam = func() *time.Location {
	zone, err := time.LoadLocation("Europe/Amsterdam")
	if err != nil {
		panic(err)
	}
	return zone
}()
