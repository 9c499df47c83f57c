package auth_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"exactduck/auth"
	"exactduck/extract/sandbox"
)

func TestADayAtTheSandbox(t *testing.T) {
	now := time.Date(2026, 11, 21, 4, 15, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	box, err := sandbox.New(sandbox.Options{Seed: 1, Divisions: 1, Scale: 0.01, Clock: clock, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	id, secret := box.Client()
	keepSecret(secret)
	const host = "https://start.exactonline.nl"
	o := auth.Options{
		App:  auth.App{Host: host, ClientID: id, ClientSecret: auth.Secret(secret), RedirectURL: "https://example.com/callback"},
		Base: box.Transport(), Clock: clock, Log: log, RetryWait: time.Millisecond,
		Store: auth.NewFile(t.TempDir(), host, id, log),
	}
	pasted := ""
	in := lazy(func() string { return pasted })
	_, err = auth.Login(t.Context(), auth.LoginOptions{Options: o, Input: in, Announce: func(p auth.Prompt) {
		if pasted, err = box.Authorize(o.App.RedirectURL, stateOf(t, p.URL)); err != nil {
			t.Error(err)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	tr, err := auth.New(o)
	if err != nil {
		t.Fatal(err)
	}
	for range 24 * 6 {
		if code, err := get(t.Context(), tr, host+"/api/v1/current/Me"); code != http.StatusOK {
			t.Fatal(code, err)
		}
		now = now.Add(10 * time.Minute)
	}
	st, err := auth.ReadStatus(t.Context(), o.Store, now)
	if err != nil || !st.LoggedIn {
		t.Errorf("%+v %v", st, err)
	}
	calls := 0
	for path, n := range box.Calls() {
		if strings.HasSuffix(path, "/token") {
			calls += n
		}
	}
	if calls != 24*6 {
		t.Errorf("%d token calls in a day of tokens that live ten minutes, want %d", calls, 24*6)
	}
}

// lazy reads what is only known when it is read.
type lazy func() string

func (l lazy) Read(p []byte) (int, error) { return copy(p, l()+"\n"), nil }
