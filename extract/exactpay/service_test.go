package exactpay_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"exactduck/extract"
	"exactduck/extract/exactpay"
	"exactduck/schema"
)

const account schema.Scope = "63ee4a296fd695eded58febe"

// service is one that answers by a script and remembers what it was asked.
type service struct {
	*httptest.Server
	t      *testing.T
	answer func(w http.ResponseWriter, path string, q url.Values)

	mu     sync.Mutex
	asked  []string
	waited time.Duration
	now    time.Time
}

func serve(t *testing.T, answer func(w http.ResponseWriter, path string, q url.Values)) *service {
	s := &service{t: t, answer: answer, now: time.Date(2026, 5, 20, 12, 0, 0, 0, time.UTC)}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		query, _ := url.QueryUnescape(r.URL.RawQuery)
		s.asked = append(s.asked, strings.TrimSuffix(r.URL.Path+"?"+query, "?"))
		s.mu.Unlock()
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.Header().Set("Date", s.clock().Format(http.TimeFormat))
		s.answer(w, r.URL.Path, r.URL.Query())
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *service) clock() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *service) wait(_ context.Context, d time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now, s.waited = s.now.Add(d), s.waited+d
	return nil
}

func (s *service) source(change func(*exactpay.Config)) *exactpay.Source {
	s.t.Helper()
	c := exactpay.Config{BaseURL: s.URL, Clock: s.clock, Wait: s.wait, PerMinute: 10_000}
	if change != nil {
		change(&c)
	}
	source, err := exactpay.New(c)
	if err != nil {
		s.t.Fatal(err)
	}
	return source
}

// all reads everything of a list.
func all(t *testing.T, s *exactpay.Source, r extract.Read) (keys []string, last *schema.Page, err error) {
	t.Helper()
	for page, err := range s.Pages(t.Context(), r) {
		if err != nil {
			return keys, last, err
		}
		column := &page.Columns[page.Table.Index(page.Table.Key[len(page.Table.Key)-1])]
		for i := range page.Rows {
			keys = append(keys, string(column.At(i)))
		}
		last = page
	}
	return keys, last, nil
}

func payments(t testing.TB) extract.Read { t.Helper(); return read(t, "payments", account, "") }

func TestErrorShapes(t *testing.T) {
	long := strings.Repeat("eyJhbGciOi", 8)
	for _, tc := range []struct {
		name, kind, body string
		header           string
		status           int
		reason, message  string
		calls            int
	}{
		{"typed", "", `{"type":"authorization-error","code":"payments-forbidden-error","message":"You do not have permission","requestId":"bcc78633-cd09-4e7d-8f3b-d593fdc1439c"}`, "", 403, "payments-forbidden-error", "You do not have permission (request bcc78633-cd09-4e7d-8f3b-d593fdc1439c)", 4}, // other lists are asked whether the token is good
		{"paths", "", `{"code":"validation","message":"bad","requestId":"r1","pathIssues":[{"path":["query","$limit"],"message":"too large"}]}`, "", 409, "validation", "bad; query.$limit too large (request r1)", 1},
		{"paths with details", "", `{"type":"invalid-request-error","code":"validation-error","message":"bad","pathIssues":[{"field":"$limit","type":"invalidType","details":["Required","Too small"]}]}`, "", 409, "validation-error", "bad; $limit Required, Too small", 1},
		{"paths by name", "", `{"type":"validationError","message":"bad","pathIssues":{"merchant.name":[{"type":"invalidType","message":"Required","variant":{}}],"merchant.mcc":[{"type":"custom"}]}}`, "", 409, "validationError", "bad; merchant.mcc custom; merchant.name Required", 1},
		{"paths in no form", "", `{"code":"x","message":"bad","pathIssues":"none","issues":7}`, "", 409, "x", "bad", 1},
		{"zod", "", `{"issues":[{"code":"invalid_type","path":["a",0],"message":"Required","received":"4111111111111111"}]}`, "", 409, "", "a.0 Required", 1},
		{"messages", "", `{"messages":["one",{"message":"two"}]}`, "", 409, "", "one; two", 1},
		{"text", "text/plain", "Unauthorized", "", 402, "", "Unauthorized", 1},
		{"text with id", "text/plain", "Not Found", "q-7", 404, "", "Not Found (request q-7)", 1},
		{"html", "text/html", "<html>\n<h1>Bad\x07 Gateway</h1>", "", 404, "", "<html> <h1>Bad Gateway</h1>", 1},
		{"nothing", "text/plain", "", "", 404, "", "Not Found", 1},
		{"other json", "", `["card 4111111111111111"]`, "", 404, "", "Not Found", 1},
		{"a token", "", `{"code":"x","message":"the token ` + long + ` is not known"}`, "", 404, "x", "the token … is not known", 1},
		{"malformed id", "", `{"code":"unhandled","message":"CastError: Cast to ObjectId failed","type":"system-error","requestId":"r2"}`, "", 500, "unhandled", "CastError: Cast to ObjectId failed (request r2)", 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := serve(t, func(w http.ResponseWriter, _ string, _ url.Values) {
				w.Header().Set("Content-Type", cmp.Or(tc.kind, "application/json"))
				if tc.header != "" {
					w.Header().Set("X-Request-Id", tc.header)
				}
				w.WriteHeader(tc.status)
				_, _ = io.WriteString(w, tc.body)
			})
			_, _, err := all(t, s.source(nil), payments(t))
			refused, ok := errors.AsType[*extract.Refused](err)
			if !ok || refused.Status != tc.status || refused.Reason != tc.reason || refused.Message != tc.message {
				t.Fatalf("%#v", err)
			}
			if refused.Scope != account || refused.Endpoint != "exactpay/payments" || len(s.asked) != tc.calls {
				t.Errorf("%v after %q", refused, s.asked)
			}
		})
	}
}

func TestFailuresAreTriedAgain(t *testing.T) {
	const one = `[{"paymentId":"a","createdAt":"2026-01-01T00:00:00Z"}]`
	for _, tc := range []struct {
		name    string
		fail    func(w http.ResponseWriter)
		times   int // that it fails; below 0: for ever
		calls   int // until then
		waited  time.Duration
		refused string
	}{
		{"500 once", status(500), 1, 2, 0, ""},
		{"500 for ever", status(500), -1, 2, 0, "2 attempts: 500 Internal Server Error: broken down (request r9)"},
		{"502", status(502), 1, 2, 0, ""},
		{"503 for ever", status(503), -1, 4, 0, "4 attempts: 503"},
		{"503 with Retry-After", after(503, "300"), 1, 2, 300 * time.Second, ""},
		{"429 with Retry-After", after(429, "7"), 1, 2, 7 * time.Second, ""},
		{"429 with a date", after(429, "Wed, 20 May 2026 12:00:40 GMT"), 1, 2, 39 * time.Second, ""},
		{"429 bare", status(429), 1, 2, 30 * time.Second, ""},
		{"429 for ever", after(429, "1"), -1, 6, 5 * time.Second, "429 too many requests"},
		{"torn", func(w http.ResponseWriter) { _, _ = io.WriteString(w, `[{"paymentId":"a"`) }, 1, 2, 0, ""},
		{"cut", func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "500")
			_, _ = io.WriteString(w, `[{"payme`)
		}, 1, 2, 0, ""},
		{"page of a proxy", func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, "<html>maintenance")
		}, -1, 4, 0, "maintenance"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			failed := 0
			s := serve(t, nil)
			s.answer = func(w http.ResponseWriter, _ string, q url.Values) {
				if failed++; tc.times < 0 || failed <= tc.times {
					tc.fail(w)
					return
				}
				if q.Get("$skip") != "0" {
					_, _ = io.WriteString(w, "[]")
					return
				}
				w.Header().Set("X-Total-Count", "1")
				_, _ = io.WriteString(w, one)
			}
			keys, _, err := all(t, s.source(nil), payments(t))
			if tc.refused == "" && (err != nil || strings.Join(keys, "") != "a") || tc.refused != "" && (err == nil || !strings.Contains(err.Error(), tc.refused)) {
				t.Errorf("%q, %v", keys, err)
			}
			if tc.times < 0 && failed != tc.calls {
				t.Errorf("%d calls, want %d", failed, tc.calls)
			}
			if s.waited < tc.waited {
				t.Errorf("waited %s, want at least %s", s.waited, tc.waited)
			}
		})
	}
}

func status(code int) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.WriteHeader(code)
		_, _ = io.WriteString(w, `{"message":"broken down","requestId":"r9"}`)
	}
}

func after(code int, text string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.Header().Set("Retry-After", text)
		w.WriteHeader(code)
	}
}

func TestNoOtherHostIsAsked(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("another host was asked with %q", r.Header.Get("Authorization"))
	}))
	defer other.Close()
	s := serve(t, func(w http.ResponseWriter, _ string, _ url.Values) {
		w.Header().Set("Location", strings.Replace(other.URL, "127.0.0.1", "localhost", 1)+"/payments")
		w.WriteHeader(http.StatusTemporaryRedirect)
	})
	if _, _, err := all(t, s.source(nil), payments(t)); !errors.Is(err, extract.ErrForeignHost) {
		t.Errorf("a redirect to another host ends in %v", err)
	}
	if len(s.asked) != 1 {
		t.Errorf("%q were asked", s.asked)
	}
}

func TestMalformedIdentitiesAreNotAsked(t *testing.T) {
	s := serve(t, func(http.ResponseWriter, string, url.Values) {})
	for _, id := range []string{"", "1", "63ee4a296fd695eded58feb", "63ee4a296fd695eded58febe0", "63EE4A296FD695EDED58FEBE", "../../token/63ee4a296fd6", "63ee4a296fd695eded58feb\n"} {
		_, _, err := all(t, s.source(nil), read(t, "payments", schema.Scope(id), ""))
		if bad, ok := errors.AsType[*exactpay.BadIdentity](err); !ok {
			t.Errorf("%q: %v, %v", id, bad, err)
		}
		if _, err := exactpay.New(exactpay.Config{BaseURL: s.URL, Accounts: []string{id}}); err == nil {
			t.Errorf("%q is taken for an account", id)
		}
	}
	if len(s.asked) != 0 {
		t.Errorf("%q were asked", s.asked)
	}
}

func TestBodiesThatAreNoLists(t *testing.T) {
	for _, body := range []string{
		`"text"`, `7`, `null`, `[1]`, `[[]]`, `[{"createdAt":"2026-01-01T00:00:00Z"}]`, `[{"paymentId":""}]`, `[{"paymentId":null}]`, `{}`,
		`{"results":[{}]}`, `[{"paymentId":"a","paymentId":"b"}]`, `{"message":"all is well","requestId":"7"}`, `[{"paymentId":"a","reference":{"customerRef":"1","customerRef":"2"}}]`,
	} {
		s := serve(t, func(w http.ResponseWriter, _ string, _ url.Values) { _, _ = io.WriteString(w, body) })
		_, _, err := all(t, s.source(nil), payments(t))
		if bad, ok := errors.AsType[*extract.Malformed](err); !ok || len(s.asked) != 1 {
			t.Errorf("%s: %v, %v after %q", body, bad, err, s.asked)
		}
	}
}

// TestResume breaks reads off after every page and goes on, in this process and in another.
func TestResume(t *testing.T) {
	for _, ignored := range []bool{false, true} {
		for _, another := range []bool{false, true} {
			t.Run(fmt.Sprintf("filters ignored %v, another process %v", ignored, another), func(t *testing.T) {
				s := serve(t, list(350, ignored))
				source := s.source(nil)
				r := payments(t)
				seen := map[string]bool{}
				restarts := 0
				for {
					page, err := first(t, source, r)
					if errors.Is(err, extract.ErrResume) {
						if restarts++; !ignored || !another || restarts > 1 {
							t.Fatal(err)
						}
						seen, r.Resume, another = map[string]bool{}, "", false
						continue
					}
					if err != nil {
						t.Fatal(err)
					}
					for i := range page.Rows {
						seen[string(page.Columns[0].At(i))] = true
					}
					if page.Done {
						if page.Unproven {
							t.Error("it is not proven")
						}
						break
					}
					if r.Resume = page.Next; another {
						source = s.source(nil)
					}
				}
				if len(seen) != 350 {
					t.Errorf("%d payments were read of 350", len(seen))
				}
			})
		}
	}
	s := serve(t, list(1, false))
	for _, at := range []schema.Position{"x", "{}", `{"v":2,"step":1}`, `{"v":1,"step":1}`} {
		r := payments(t)
		if r.Resume = at; true {
			if _, err := first(t, s.source(nil), r); !errors.Is(err, extract.ErrResume) {
				t.Errorf("%s is gone on from: %v", at, err)
			}
		}
		if r.From, r.Resume = at, ""; at != `{"v":1,"step":1}` {
			if _, err := first(t, s.source(nil), r); err == nil {
				t.Errorf("%s is taken for a cursor", at)
			}
		}
	}
}

// first is the next page.
func first(t *testing.T, s *exactpay.Source, r extract.Read) (*schema.Page, error) {
	t.Helper()
	for page, err := range s.Pages(t.Context(), r) {
		return page, err
	}
	return nil, errors.New("no page came")
}

// list answers with payments of an hour each.
func list(n int, ignored bool) func(http.ResponseWriter, string, url.Values) {
	return func(w http.ResponseWriter, _ string, q url.Values) {
		var rows []string
		for i := range n {
			at := time.Date(2026, 1, 1, i, 0, 0, 0, time.UTC).Format("2006-01-02T15:04:05.000Z")
			if from := q.Get("createdAt[$gte]"); ignored || at >= from {
				rows = append(rows, fmt.Sprintf(`{"paymentId":"p%03d","createdAt":%q}`, i, at))
			}
		}
		if q.Get("$sort") == "-createdAt" {
			slices.Reverse(rows)
		}
		w.Header().Set("X-Total-Count", fmt.Sprint(len(rows)))
		var skip int
		_, _ = fmt.Sscan(q.Get("$skip"), &skip)
		rows = rows[min(skip, len(rows)):]
		_, _ = io.WriteString(w, "["+strings.Join(rows[:min(100, len(rows))], ",")+"]")
	}
}

func TestWhatIsAskedFor(t *testing.T) {
	s := serve(t, list(3, false))
	source := s.source(nil)
	_, last, err := all(t, source, payments(t))
	if err != nil {
		t.Fatal(err)
	}
	if got := exactpay.Describe(last.Next); got != "createdAt from 2026-01-01T02:00:00Z on, and what may have changed before it" {
		t.Error(got)
	}
	ask := func(r extract.Read) string {
		s.asked = nil
		if _, _, err := all(t, source, r); err != nil {
			t.Fatal(err)
		}
		return s.asked[0]
	}
	path := "/account/" + string(account) + "/payments?$limit=100&$skip=0&$sort=createdAt"
	r := payments(t)
	if got := ask(r); got != path {
		t.Errorf("everything: %s", got)
	}
	r.From = last.Next
	if got, want := ask(r), path+"&createdAt[$gte]=2025-11-27T02:00:00.000Z"; got != want {
		t.Errorf("from a cursor: %s, want %s", got, want)
	}
	r.Lookback = time.Hour
	if got, want := ask(r), path+"&createdAt[$gte]=2026-01-01T01:00:00.000Z"; got != want {
		t.Errorf("with a lookback of an hour: %s, want %s", got, want)
	}
	r.From, r.Since = "", time.Date(2026, 1, 1, 1, 30, 0, 0, time.FixedZone("", 3600))
	if got, want := ask(r), path+"&createdAt[$gte]=2026-01-01T01:30:00.000Z"; got != want {
		t.Errorf("since a wall time: %s, want %s", got, want)
	}
	n, err := source.Count(t.Context(), r)
	if err != nil || n != 1 || s.asked[len(s.asked)-1] != "/account/"+string(account)+"/payments?$limit=1&createdAt[$gte]=2026-01-01T01:30:00.000Z" {
		t.Errorf("%d, %v, %q", n, err, s.asked)
	}
}
