package page

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// However often strangers are refused, the log has a line a minute for each reason, with their number.
func TestRefusalsDoNotFillTheLog(t *testing.T) {
	w := newWorld(t)
	for range 10_000 {
		w.ask(there, http.MethodGet, "/", "", nil)
		w.now = w.now.Add(time.Minute / 1000)
	}
	w.ask(here, http.MethodGet, "/", "", func(r *http.Request) { r.Host = "rebound.example" })
	w.now = w.now.Add(-time.Hour) // a clock that is set back silences nobody
	w.ask(there, http.MethodGet, "/", "", nil)
	said := w.said.String()
	if n := strings.Count(said, "\n"); n != 12 {
		t.Errorf("%d lines:\n%.2000s", n, said)
	}
	if !strings.Contains(said, "more_since_the_last_line=999") || !strings.Contains(said, "421") {
		t.Errorf("what is said:\n%.2000s", said)
	}
}

// Behind a proxy all come from one address. Wrong passwords of a stranger do not keep out a browser that has
// given the right one before, and its cookie is no password.
func TestStrangersDoNotKeepOutWhoIsKnown(t *testing.T) {
	w := newWorld(t)
	w.password = "correct horse battery"
	try := func(password, cookie string) *httptest.ResponseRecorder {
		return w.ask(there, http.MethodGet, "/", "", func(r *http.Request) {
			r.SetBasicAuth("duck", password)
			if cookie != "" {
				r.Header.Set("Cookie", cookie)
			}
		})
	}
	first := try(w.password, "")
	given := first.Result().Cookies()
	if len(given) != 1 || !given[0].HttpOnly || given[0].SameSite != http.SameSiteStrictMode {
		t.Fatalf("it is given %v", given)
	}
	cookie := given[0].Name + "=" + given[0].Value
	if again := try(w.password, cookie); again.Code != http.StatusOK || len(again.Result().Cookies()) > 0 {
		t.Errorf("with the cookie: %d, %v", again.Code, again.Result().Cookies())
	}
	for range 2 * freeTries {
		try("guess", "")
	}
	for name, test := range map[string]struct {
		password, cookie string
		want             int
	}{
		"who is known":       {w.password, cookie, http.StatusOK},
		"who is not":         {w.password, "", http.StatusTooManyRequests},
		"a made up cookie":   {w.password, cookieName + "=me.0123456789abcdef", http.StatusTooManyRequests},
		"a cookie alone":     {"", cookie, http.StatusUnauthorized},
		"an old wrong guess": {"guess", cookie, http.StatusUnauthorized},
	} {
		if code := try(test.password, test.cookie).Code; code != test.want {
			t.Errorf("%s: %d, want %d", name, code, test.want)
		}
	}
	for range 2 * freeTries {
		try("guess", cookie)
	}
	if code := try(w.password, cookie).Code; code != http.StatusTooManyRequests {
		t.Errorf("who has a cookie may guess for ever: %d", code)
	}
}
