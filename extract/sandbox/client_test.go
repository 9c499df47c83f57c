package sandbox_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"exactduck/extract/exactonline"
	"exactduck/extract/sandbox"
)

const redirectURL = "https://localhost:8585/callback"

// clock is a time that only moves when a test says so.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 7, 15, 10, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// visitor is a client that is logged in and follows no rules but those it is told to.
type visitor struct {
	t       testing.TB
	sandbox *sandbox.Sandbox
	clock   *clock
	http    *http.Client
	access  string
	refresh string
}

const root = "https://start.exactonline.test"

// visit starts a sandbox without limits, unless the options have some, and logs in.
func visit(t testing.TB, o sandbox.Options) *visitor {
	t.Helper()
	v := &visitor{t: t, clock: newClock()}
	if o.Clock == nil {
		o.Clock = v.clock.Now
	}
	if o.MinuteLimit == 0 {
		o.MinuteLimit = -1
	}
	if o.DayLimit == 0 {
		o.DayLimit = -1
	}
	s, err := sandbox.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	v.sandbox, v.http = s, clientOf(s)
	v.login()
	return v
}

func clientOf(s *sandbox.Sandbox) *http.Client { return &http.Client{Transport: s.Transport()} }

func (v *visitor) login() {
	v.t.Helper()
	status, _, body := v.token(url.Values{"grant_type": {"authorization_code"}, "code": {v.code()}, "redirect_uri": {redirectURL}})
	if status != http.StatusOK {
		v.t.Fatalf("login answered %d %s", status, body)
	}
	v.keep(body)
}

func (v *visitor) code() string {
	v.t.Helper()
	to, err := v.sandbox.Authorize(redirectURL, "xyz")
	if err != nil {
		v.t.Fatal(err)
	}
	u, err := url.Parse(to)
	if err != nil {
		v.t.Fatal(err)
	}
	if got := u.Query().Get("state"); got != "xyz" {
		v.t.Fatalf("state came back as %q", got)
	}
	return u.Query().Get("code")
}

func (v *visitor) keep(body string) {
	v.t.Helper()
	var pair struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
		Type    string `json:"token_type"`
		Expires any    `json:"expires_in"`
	}
	if err := json.Unmarshal([]byte(body), &pair); err != nil {
		v.t.Fatal(err)
	}
	if pair.Expires != "600" || pair.Type != "bearer" {
		v.t.Fatalf("token answer is %s", body)
	}
	v.access, v.refresh = pair.Access, pair.Refresh
}

// token posts to the token endpoint with the credentials of the app in the body.
func (v *visitor) token(form url.Values) (int, http.Header, string) {
	v.t.Helper()
	id, secret := v.sandbox.Client()
	form.Set("client_id", id)
	form.Set("client_secret", secret)
	r, err := v.http.Do(posting(v.t, root+"/api/oauth2/token", form.Encode()))
	if err != nil {
		v.t.Fatal(err)
	}
	defer func() { _ = r.Body.Close() }()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return r.StatusCode, r.Header, string(body)
}

func posting(t testing.TB, address, form string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(form))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return req
}

// get sends a GET for a URL, or for what stands behind the host.
func (v *visitor) get(address string) (int, http.Header, string) {
	v.t.Helper()
	status, header, body, err := v.try(address, "application/json")
	if err != nil {
		v.t.Fatal(err)
	}
	return status, header, body
}

func (v *visitor) try(address, accept string) (int, http.Header, string, error) {
	v.t.Helper()
	if strings.HasPrefix(address, "/") {
		address = root + address
	}
	u, err := url.Parse(strings.ReplaceAll(address, " ", "%20"))
	if err != nil {
		v.t.Fatal(err)
	}
	req := &http.Request{Method: http.MethodGet, URL: u, Host: u.Host, Header: http.Header{"Accept": {accept}, "Authorization": {"Bearer " + v.access}}}
	r, err := v.http.Do(req.WithContext(v.t.Context()))
	if err != nil {
		return 0, nil, "", err
	}
	defer func() { _ = r.Body.Close() }()
	body, err := io.ReadAll(r.Body)
	return r.StatusCode, r.Header, string(body), err
}

// row is a record as it came.
type row map[string]any

// page is one answer with records.
type page struct {
	rows  []row
	next  string
	bare  bool
	count any
}

func (v *visitor) page(address string) page {
	v.t.Helper()
	status, _, body := v.get(address)
	if status != http.StatusOK {
		v.t.Fatalf("%s answered %d %s", address, status, body)
	}
	return parse(v.t, body)
}

func parse(t testing.TB, body string) page {
	t.Helper()
	var envelope struct{ D json.RawMessage }
	if err := decode(body, &envelope); err != nil {
		t.Fatalf("%v in %.300s", err, body)
	}
	var p page
	if strings.HasPrefix(string(envelope.D), "[") {
		p.bare = true
		if err := decode(string(envelope.D), &p.rows); err != nil {
			t.Fatal(err)
		}
		return p
	}
	var full struct {
		Results []row
		Next    string `json:"__next"`
		Count   any    `json:"__count"`
	}
	if err := decode(string(envelope.D), &full); err != nil {
		t.Fatal(err)
	}
	p.rows, p.next, p.count = full.Results, full.Next, full.Count
	return p
}

func decode(body string, to any) error {
	d := json.NewDecoder(strings.NewReader(body))
	d.UseNumber()
	return d.Decode(to)
}

// all follows __next to the end.
func (v *visitor) all(address string) []row {
	v.t.Helper()
	var rows []row
	for address != "" {
		p := v.page(address)
		rows, address = append(rows, p.rows...), p.next
	}
	return rows
}

// selectAll is a $select of everything that an endpoint has.
func selectAll(e *exactonline.Endpoint) string {
	var names []string
	for _, p := range e.Properties {
		if !p.Nested && !p.Dropped {
			names = append(names, p.Name)
		}
	}
	return "$select=" + strings.Join(names, ",")
}

func place(e *exactonline.Endpoint, division string) string {
	return strings.Replace(e.Path, "{division}", division, 1)
}
