package extract

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

func TestGetSendsTheLinkVerbatim(t *testing.T) {
	v := &vendor{}
	c := v.caller(t, func(o *Options) { o.Header = http.Header{"Customdescriptionlanguage": {"nl-NL"}} })
	link := base + "/api/v1/123/crm/Accounts?$select=ID,Name&$skiptoken=datetime'2018-09-21T04%3A18%3A55.617',guid'cb dd'"
	if _, err := c.Get(t.Context(), "123", "crm/Accounts", link); err != nil {
		t.Fatal(err)
	}
	r := v.requests[0]
	if got, want := r.URL.RequestURI(), strings.ReplaceAll(strings.TrimPrefix(link, base), " ", "%20"); got != want {
		t.Errorf("requested %s\nwant      %s", got, want)
	}
	if r.Header.Get("Accept") != "application/json" || r.Header.Get("CustomDescriptionLanguage") != "nl-NL" {
		t.Errorf("headers %v", r.Header)
	}
}

// What a retry can cure is retried, a few times, with growing pauses.
func TestTransientFailuresAreRetried(t *testing.T) {
	html := http.Header{"Content-Type": {"text/html"}}
	cut := func() *http.Response {
		r := reply(200, nil, "")
		r.Body = io.NopCloser(io.MultiReader(strings.NewReader(`{"d":{"resu`), iotest.ErrReader(io.ErrUnexpectedEOF)))
		return r
	}
	for name, fail := range map[string]func() (*http.Response, error){
		"network":        func() (*http.Response, error) { return nil, errors.New("connection reset by peer") },
		"408":            func() (*http.Response, error) { return reply(408, nil, ""), nil },
		"500":            func() (*http.Response, error) { return reply(500, nil, "A problem has occurred."), nil },
		"503 with HTML":  func() (*http.Response, error) { return reply(503, html.Clone(), "<html>down</html>"), nil },
		"200 with HTML":  func() (*http.Response, error) { return reply(200, html.Clone(), "<html>login</html>"), nil },
		"empty":          func() (*http.Response, error) { return reply(200, nil, ""), nil },
		"cut body":       func() (*http.Response, error) { return cut(), nil },
		"truncated JSON": func() (*http.Response, error) { return reply(200, nil, `{"d":{"results":[{"ID":1}`), nil },
		"garbage behind": func() (*http.Response, error) { return reply(200, nil, `{"d":[]}x`), nil },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				down := 3
				v := &vendor{script: func(n int, _ *http.Request) (*http.Response, error) {
					if n <= down {
						return fail()
					}
					return nil, nil
				}}
				c := v.caller(t, nil)
				begin := time.Now()
				if a, err := get(t, c); err != nil || string(a.Body) != `{"d":{"results":[]}}` {
					t.Fatalf("got %v, %v", a, err)
				}
				if took := time.Since(begin); took < 40*time.Second || took > 75*time.Second {
					t.Errorf("retried for %v, want about a minute", took)
				}
				down = 100
				_, err := get(t, c)
				var unreachable *Unreachable
				if !errors.As(err, &unreachable) || unreachable.Attempts != 4 {
					t.Errorf("got %v, want unreachable after 4 attempts", err)
				}
				if n := c.Calls()[0].Calls; n != 8 {
					t.Errorf("%d calls counted, want 8", n)
				}
			})
		})
	}
}

func TestAHangingAnswerIsCutAndRetried(t *testing.T) {
	bubble(t, func(t *testing.T) {
		v := &vendor{}
		v.script = func(n int, r *http.Request) (*http.Response, error) {
			if n == 1 {
				<-r.Context().Done()
				return nil, r.Context().Err()
			}
			return nil, nil
		}
		c := v.caller(t, nil)
		if _, err := get(t, c); err != nil || len(v.requests) != 2 {
			t.Errorf("%v after %d requests", err, len(v.requests))
		}
	})
}

func TestRefusalsAreNeverRetriedAndStopTheEndpoint(t *testing.T) {
	bubble(t, func(t *testing.T) {
		v := &vendor{script: func(int, *http.Request) (*http.Response, error) {
			h := http.Header{"Reason": {"NoDivisionAccess: You have no access"}}
			return reply(400, h, `{"error":{"code":"","message":{"lang":"","value":"Forbidden - Application Scope Violated."}}}`), nil
		}}
		c := v.caller(t, nil)
		for range 5 {
			_, err := get(t, c)
			var refused *Refused
			if !errors.As(err, &refused) {
				t.Fatalf("got %v", err)
			}
			want := Refused{Endpoint: "crm/Accounts", Scope: "123", Status: 400, Reason: "NoDivisionAccess", Message: "Forbidden - Application Scope Violated."}
			if *refused != want {
				t.Fatalf("got %+v, want %+v", *refused, want)
			}
			pass(time.Minute)
		}
		_, err := get(t, c)
		if !errors.Is(err, ErrBreaker) || len(v.requests) != 5 {
			t.Fatalf("got %v after %d requests, want the breaker after 5", err, len(v.requests))
		}
		if _, err := c.Get(t.Context(), "123", "crm/Contacts", page); errors.Is(err, ErrBreaker) {
			t.Error("another endpoint is stopped too")
		}
		if _, err := c.Get(t.Context(), "456", "crm/Accounts", page); errors.Is(err, ErrBreaker) {
			t.Error("another scope is stopped too")
		}
		pass(55*time.Minute + 30*time.Second) // the first refusal is an hour old
		if _, err := get(t, c); errors.Is(err, ErrBreaker) {
			t.Error("still stopped when the first refusal is an hour old")
		}
		if _, err := get(t, c); !errors.Is(err, ErrBreaker) {
			t.Error("not stopped though five refusals are within the hour again")
		}
	})
}

func TestUnauthorizedInXML(t *testing.T) {
	v := &vendor{script: func(int, *http.Request) (*http.Response, error) {
		h := http.Header{"Content-Type": {"application/xml"}}
		return reply(401, h, `<?xml version="1.0" encoding="utf-8" standalone="yes"?>
<error xmlns=""><message xml:lang="">Unauthorized - Authentication required</message></error>`), nil
	}}
	_, err := get(t, v.caller(t, nil))
	if !errors.Is(err, ErrUnauthorized) || !strings.Contains(err.Error(), "Authentication required") {
		t.Errorf("got %v", err)
	}
	if len(v.requests) != 1 {
		t.Errorf("%d requests", len(v.requests))
	}
}

func TestOtherHostsAreNeverCalled(t *testing.T) {
	v := &vendor{}
	c := v.caller(t, nil)
	for _, link := range []string{
		"https://evil.example/api/v1/123/crm/Accounts",
		"http://start.exactonline.nl/api/v1/123/crm/Accounts",
		"https://start.exactonline.nl:8443/api/v1/123/crm/Accounts",
		"https://start.exactonline.nl@evil.example/",
		"https://user@start.exactonline.nl/",
		"//evil.example/x", "/api/v1/123/crm/Accounts", "",
	} {
		if _, err := c.Get(t.Context(), "123", "crm/Accounts", link); !errors.Is(err, ErrForeignHost) {
			t.Errorf("%s: got %v", link, err)
		}
	}
	if len(v.requests) != 0 {
		t.Errorf("%d requests were sent", len(v.requests))
	}
	if _, err := c.Get(t.Context(), "123", "crm/Accounts", "https://START.exactonline.nl:443/x"); err != nil {
		t.Errorf("same host in other words: %v", err)
	}
}

func TestRedirectsToOtherHostsAreRefused(t *testing.T) {
	seen := false
	evil := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { seen = true }))
	defer evil.Close()
	here := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/away":
			http.Redirect(w, r, evil.URL, http.StatusFound)
		case "/near":
			http.Redirect(w, r, "/there", http.StatusFound)
		default:
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"d":[]}`)
		}
	}))
	defer here.Close()
	c, err := NewCaller(Options{Base: here.URL})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Get(t.Context(), "1", "x", here.URL+"/away"); !errors.Is(err, ErrForeignHost) || seen {
		t.Errorf("got %v, other host seen: %v", err, seen)
	}
	if _, err := c.Get(t.Context(), "1", "x", here.URL+"/near"); err != nil {
		t.Errorf("on the same host: %v", err)
	}
}

func TestTheEndOfTheContextWins(t *testing.T) {
	bubble(t, func(t *testing.T) {
		stop := errors.New("interrupted by a person")
		for name, script := range map[string]func(int, *http.Request) (*http.Response, error){
			"while the vendor is down": func(int, *http.Request) (*http.Response, error) { return reply(503, nil, ""), nil },
			"while throttled":          func(int, *http.Request) (*http.Response, error) { return reply(429, nil, ""), nil },
			"while waiting for an answer": func(_ int, r *http.Request) (*http.Response, error) {
				<-r.Context().Done()
				return nil, errors.New("net/http: request canceled")
			},
		} {
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(5*time.Second, func() { cancel(stop) })
			c := (&vendor{script: script}).caller(t, nil)
			begin := time.Now()
			if _, err := c.Get(ctx, "123", "crm/Accounts", page); !errors.Is(err, stop) {
				t.Errorf("%s: got %v", name, err)
			}
			if took := time.Since(begin); took != 5*time.Second {
				t.Errorf("%s: ended after %v", name, took)
			}
		}
	})
}

func TestErrorsThatNoRetryCures(t *testing.T) {
	over := errors.New("the login is over")
	v := &vendor{script: func(int, *http.Request) (*http.Response, error) { return nil, over }}
	c := v.caller(t, func(o *Options) { o.Permanent = func(err error) bool { return errors.Is(err, over) } })
	if _, err := get(t, c); !errors.Is(err, over) || len(v.requests) != 1 {
		t.Errorf("got %v after %d requests", err, len(v.requests))
	}
	big := &vendor{script: func(int, *http.Request) (*http.Response, error) {
		return reply(200, nil, `{"d":[`+strings.Repeat(" ", 1000)+`]}`), nil
	}}
	c = big.caller(t, func(o *Options) { o.MaxBody = 1000 })
	if _, err := get(t, c); !errors.Is(err, errTooLarge) || len(big.requests) != 1 {
		t.Errorf("got %v after %d requests", err, len(big.requests))
	}
}

// A read's beginning must not be dated after it: what changes in between would be lost.
func TestAskedIsNeverTooLate(t *testing.T) {
	bubble(t, func(t *testing.T) {
		v := &vendor{ahead: 40 * time.Second, latency: 3 * time.Second}
		c := v.caller(t, nil)
		truth := time.Now().Add(v.ahead)
		a, err := get(t, c)
		if err != nil {
			t.Fatal(err)
		}
		if late := a.Asked.Sub(truth); late > 0 || late < -time.Second {
			t.Errorf("asked %v after the truth", late)
		}
	})
}

func TestBaseMustBeAHost(t *testing.T) {
	for _, bad := range []string{"", "start.exactonline.nl", "ftp://x", "http://start.exactonline.nl", "https://a:b@x", "https://"} {
		if _, err := NewCaller(Options{Base: bad}); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
	for _, good := range []string{"https://start.exactonline.nl", "http://127.0.0.1:8585", "http://localhost:1/", "http://[::1]:80"} {
		if _, err := NewCaller(Options{Base: good}); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
}
