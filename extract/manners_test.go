package extract

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"exactduck/schema"
)

// scripted answers every request by a function of its number, which counts from 1.
func scripted(answer func(n int) *http.Response) *vendor {
	return &vendor{script: func(n int, _ *http.Request) (*http.Response, error) { return answer(n), nil }}
}

func header(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Set(pairs[i], pairs[i+1])
	}
	return h
}

func TestManners(t *testing.T) {
	for _, tc := range []struct {
		name     string
		manners  Manners
		answer   func(n int) *http.Response
		requests int
		took     time.Duration // at least, and not a minute more
		fails    string        // "": it does not
	}{
		{"201 is none of success", Manners{}, func(int) *http.Response { return reply(201, nil, `[]`) }, 4, 0, "201 Created"},
		{"201 is success", Manners{AnySuccess: true}, func(int) *http.Response { return reply(201, nil, `[]`) }, 1, 0, ""},
		{"nothing is no success", Manners{AnySuccess: true}, func(int) *http.Response { return reply(204, nil, ``) }, 4, 0, "not complete JSON"},
		{"500 as often as any failure", Manners{}, func(int) *http.Response { return reply(500, nil, `x`) }, 4, 0, "500"},
		{"500 twice", Manners{Failures: 2}, func(int) *http.Response { return reply(500, nil, `x`) }, 2, 0, "2 attempts"},
		{"503 more often than 500", Manners{Failures: 2}, func(n int) *http.Response { return reply([]int{0, 500, 503, 503, 503}[n], nil, `x`) }, 4, 0, "4 attempts"},
		{"a final 500", Manners{Final: func(a *Answer) bool { return string(a.Body) == "x" }}, func(int) *http.Response { return reply(500, nil, `x`) }, 1, 0, "refused with 500"},
		{"own words", Manners{Refusal: func(a *Answer) (string, string) { return "why", "because of " + string(a.Body) }}, func(int) *http.Response { return reply(403, nil, `x`) }, 1, 0, "refused with 403 why: because of x"},
		{"own words of a failure", Manners{Refusal: func(*Answer) (string, string) { return "why", "" }}, func(int) *http.Response { return reply(502, nil, `secret`) }, 4, 0, "502 Bad Gateway: why"},
		{"Retry-After is not known", Manners{}, func(n int) *http.Response {
			return reply([]int{0, 503, 200}[n], header("Retry-After", "600"), `[]`)
		}, 2, 5 * time.Second, ""},
		{"Retry-After of 503", Manners{RetryAfter: true}, func(n int) *http.Response {
			return reply([]int{0, 503, 200}[n], header("Retry-After", "600"), `[]`)
		}, 2, 10 * time.Minute, ""},
		{"Retry-After of 429", Manners{RetryAfter: true}, func(n int) *http.Response {
			return reply([]int{0, 429, 200}[n], header("Retry-After", "200"), `[]`)
		}, 2, 200 * time.Second, ""},
		{"Retry-After for too long", Manners{RetryAfter: true}, func(n int) *http.Response {
			return reply([]int{0, 429, 200}[n], header("Retry-After", "86400"), `[]`)
		}, 2, 17 * time.Minute, ""},
		{"Retry-After in the past", Manners{RetryAfter: true}, func(n int) *http.Response {
			return reply([]int{0, 503, 200}[n], header("Retry-After", "Fri, 20 Nov 2026 00:00:00 GMT"), `[]`)
		}, 2, 5 * time.Second, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				v := scripted(tc.answer)
				began := time.Now()
				_, err := get(t, v.caller(t, func(o *Options) { o.Manners = tc.manners }))
				if (err == nil) != (tc.fails == "") || err != nil && !strings.Contains(err.Error(), tc.fails) {
					t.Errorf("ends in %v", err)
				}
				if err != nil && strings.Contains(err.Error(), "secret") {
					t.Errorf("what the vendor's manners leave out is there: %v", err)
				}
				took := time.Since(began)
				if len(v.requests) != tc.requests || tc.took > 0 && (took < tc.took || took > tc.took+time.Minute) {
					t.Errorf("%d requests in %s", len(v.requests), took)
				}
			})
		})
	}
}

func TestStrikesAreTheVendors(t *testing.T) {
	bubble(t, func(t *testing.T) {
		v := scripted(func(int) *http.Response { return reply(404, nil, `{}`) })
		c := v.caller(t, func(o *Options) {
			o.Manners.Strike = func(endpoint string, _ int) bool { return endpoint != "harmless" }
		})
		for range 8 {
			_, _ = get(t, c)
		}
		if len(v.requests) != breakerRefusals {
			t.Errorf("%d requests were made to what counts", len(v.requests))
		}
		for range 8 {
			if _, err := c.Get(t.Context(), "123", "harmless", page); errors.Is(err, ErrBreaker) {
				t.Fatal(err)
			}
		}
	})
}

// So many requests are under way at a time, and so many a minute, whatever the scopes.
func TestPoliteness(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var mu sync.Mutex
		under, most := 0, 0
		v := &vendor{mute: true}
		slow := transport(func(r *http.Request) (*http.Response, error) {
			mu.Lock()
			under++
			most = max(most, under)
			mu.Unlock()
			pass(10 * time.Second)
			mu.Lock()
			under--
			mu.Unlock()
			return v.RoundTrip(r)
		})
		c := v.caller(t, func(o *Options) {
			o.Client = &http.Client{Transport: slow}
			o.Manners.Concurrent, o.Manners.PerMinute = 3, 100
		})
		var all sync.WaitGroup
		began := time.Now()
		for i := range 12 {
			all.Go(func() {
				if _, err := c.Get(t.Context(), schema.Scope(string(rune('a'+i))), "x", page); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if most != 3 || time.Since(began) != 40*time.Second {
			t.Errorf("%d were under way at a time, and all took %s", most, time.Since(began))
		}
		if left := c.Left("a"); left.MinuteLimit != 100 {
			t.Errorf("%+v", left)
		}
	})
}

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
