package extract

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// What calls come to is counted by the meter of their read, and by the one around it: the waits by
// the clock, repeated calls, and bytes before and after they are unpacked.
func TestMeterCountsWhatCallsComeTo(t *testing.T) {
	bubble(t, func(t *testing.T) {
		v := &vendor{script: func(n int, _ *http.Request) (*http.Response, error) {
			if n <= 2 {
				return reply(500, nil, "down"), nil
			}
			return nil, nil
		}}
		c := v.caller(t, func(o *Options) { o.Client = &http.Client{Transport: Wire(o.Client.Transport)} })
		var run, one, other Meter
		ctx := run.In(t.Context())
		began := time.Now()
		if _, err := c.Get(one.In(ctx), "123", "crm/Accounts", base+"/api/v1/123/crm/Accounts"); err != nil {
			t.Fatal(err)
		}
		waited := time.Since(began)
		if _, err := c.Get(other.In(ctx), "123", "crm/Accounts", base+"/api/v1/123/crm/Accounts"); err != nil {
			t.Fatal(err)
		}
		answer := int64(len(`{"d":{"results":[]}}`))
		want := Metered{Calls: 3, Retries: 2, Waited: waited, Bytes: answer + 2*int64(len("down")), Wire: answer + 2*int64(len("down"))}
		if got := one.Sum(); got != want || waited < 20*time.Second {
			t.Errorf("the read came to %+v, want %+v", got, want)
		}
		if got := other.Sum(); got != (Metered{Calls: 1, Bytes: answer, Wire: answer}) {
			t.Errorf("the other read came to %+v", got)
		}
		if got := run.Sum(); got.Calls != 4 || got.Retries != 2 || got.Waited != waited || got.Bytes != want.Bytes+answer {
			t.Errorf("both came to %+v", got)
		}
	})
}

// A wait that ends with an error was one nevertheless.
func TestMeterCountsWaitsInVain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		v := &vendor{script: func(int, *http.Request) (*http.Response, error) { return reply(500, nil, ""), nil }}
		var m Meter
		began := time.Now()
		if _, err := v.caller(t, nil).Get(m.In(t.Context()), "1", "e", base+"/api/v1/1/e"); err == nil {
			t.Fatal("no error")
		}
		if got := m.Sum(); got.Waited != time.Since(began) || got.Calls != 4 || got.Retries != 3 {
			t.Errorf("counted %+v in %v", got, time.Since(began))
		}
	})
}

// Answers travel compressed, are counted as they travel, and arrive as they were. One that is cut off
// within is as good as none.
func TestWireUnpacksAnswers(t *testing.T) {
	long := `{"d":{"results":[` + strings.Repeat(`{"ID":1},`, 10000) + `{"ID":1}]}}`
	for name, test := range map[string]struct {
		serve func(w http.ResponseWriter)
		fails bool
	}{
		"plain": {serve: func(w http.ResponseWriter) { _, _ = io.WriteString(w, long) }},
		"compressed": {serve: func(w http.ResponseWriter) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			_, _ = io.WriteString(z, long)
			_ = z.Close()
		}},
		"cut": {fails: true, serve: func(w http.ResponseWriter) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			_, _ = io.WriteString(z, long)
			_ = z.Flush()
		}},
		"empty": {fails: true, serve: func(w http.ResponseWriter) { w.Header().Set("Content-Encoding", "gzip") }},
		"wrong": {fails: true, serve: func(w http.ResponseWriter) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = io.WriteString(w, long)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Accept-Encoding") != "gzip" {
					t.Errorf("asked for %q", r.Header.Get("Accept-Encoding"))
				}
				w.Header().Set("Content-Type", "application/json")
				test.serve(w)
			}))
			defer server.Close()
			c, err := NewCaller(Options{Base: server.URL, Client: &http.Client{Transport: Wire(nil)}, Attempts: 1})
			if err != nil {
				t.Fatal(err)
			}
			var m Meter
			a, err := c.Get(m.In(t.Context()), "1", "e", server.URL+"/e")
			if test.fails {
				if err == nil {
					t.Error("no error")
				}
				return
			}
			if err != nil || string(a.Body) != long {
				t.Fatalf("got %v", err)
			}
			sum := m.Sum()
			if sum.Bytes != int64(len(long)) || name == "plain" && sum.Wire != sum.Bytes || name == "compressed" && sum.Wire*20 > sum.Bytes {
				t.Errorf("counted %+v of %d bytes", sum, len(long))
			}
		})
	}
}
