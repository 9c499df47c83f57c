package pay_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"exactduck/extract/sandbox/pay"
)

// start is when the clock of a client stands at first.
var start = time.Date(2026, 5, 20, 12, 0, 0, 0, time.UTC)

// client asks a sandbox of its own, whose clock it keeps.
type client struct {
	t     *testing.T
	pay   *pay.Sandbox
	now   time.Time
	http  *http.Client
	token string
}

func newClient(t *testing.T, o pay.Options) *client {
	t.Helper()
	c := &client{t: t, now: start}
	if o.Clock == nil {
		o.Clock = func() time.Time { return c.now }
	}
	if o.Scale == 0 {
		o.Scale = 0.3
	}
	var err error
	if c.pay, err = pay.New(o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.pay.Close() })
	c.http = &http.Client{Transport: c.pay.Transport(), CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	if c.token, err = c.pay.Token(""); err != nil {
		t.Fatal(err)
	}
	return c
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

// String is short.
func (a answer) String() string { return fmt.Sprintf("%d %.300q", a.status, a.body) }

func (c *client) send(method, path, token string, body any) answer {
	c.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		c.t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(c.t.Context(), method, "https://pay.example"+path, bytes.NewReader(text))
	if err != nil {
		c.t.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", token)
	}
	got, err := c.http.Do(request)
	if err != nil {
		c.t.Fatal(err)
	}
	defer got.Body.Close()
	back, err := io.ReadAll(got.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return answer{got.StatusCode, got.Header, string(back)}
}

// get asks for a path; of the query, words are names and values in turn.
func (c *client) get(path string, words ...string) answer {
	c.t.Helper()
	query := url.Values{}
	for i := 0; i < len(words); i += 2 {
		query.Set(words[i], words[i+1])
	}
	if len(words) > 0 {
		path += "?" + query.Encode()
	}
	return c.send(http.MethodGet, path, c.token, nil)
}

// rows are those of a list that has to succeed.
func (c *client) rows(path string, words ...string) []map[string]any {
	c.t.Helper()
	a := c.get(path, words...)
	var rows []map[string]any
	if a.status != http.StatusOK || json.Unmarshal([]byte(a.body), &rows) != nil {
		c.t.Fatalf("%s %v answers %d %s", path, words, a.status, a.body)
	}
	return rows
}

func (a answer) object(t *testing.T) map[string]any {
	t.Helper()
	var o map[string]any
	if err := json.Unmarshal([]byte(a.body), &o); err != nil {
		t.Fatalf("%d %s: %v", a.status, a.body, err)
	}
	return o
}

// is says whether an answer is that status, in JSON with all these texts, or in plain text that is the
// only one.
func (a answer) is(status int, plain bool, texts ...string) bool {
	kind := a.header.Get("Content-Type")
	if a.status != status || strings.HasPrefix(kind, "text/plain") != plain {
		return false
	}
	for _, text := range texts {
		if !strings.Contains(a.body, text) || plain && a.body != text {
			return false
		}
	}
	return true
}

func (c *client) change(x pay.Change) {
	c.t.Helper()
	if err := c.pay.Change(x); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) set(change func(*pay.Switches)) {
	c.t.Helper()
	if err := c.pay.Switch(change); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) account() string { return c.pay.Accounts()[0] }

func (c *client) issue(account string, permissions ...string) string {
	c.t.Helper()
	token, err := c.pay.Token(account, permissions...)
	if err != nil {
		c.t.Fatal(err)
	}
	return token
}
