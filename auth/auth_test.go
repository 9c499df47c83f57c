package auth_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"exactduck/auth"
)

func TestARefreshIsSentWhenDueAndNotBefore(t *testing.T) {
	s := newSite(t)
	tr := s.transport(t)
	for _, step := range []struct {
		pass  time.Duration
		calls int
	}{{0, 0}, {574 * time.Second, 0}, {time.Second, 1}, {500 * time.Second, 1}, {75 * time.Second, 2}} {
		s.pass(step.pass)
		if code, err := s.me(t, tr); code != http.StatusOK {
			t.Fatal(code, err)
		}
		if err := tr.Fresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		if calls, early, reuses := s.count(); calls != step.calls || early+reuses > 0 {
			t.Errorf("after %v: %d token calls, want %d; %d early, %d reuses", step.pass, calls, step.calls, early, reuses)
		}
	}
}

func TestThePreviousPairStaysUntilTheNewOneHasWorked(t *testing.T) {
	s := newSite(t)
	before := s.load(t).Now
	tr := s.transport(t)
	s.pass(600 * time.Second)
	if err := tr.Fresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	state := s.load(t)
	if state.Previous == nil || state.Previous.Refresh != before.Refresh || state.Now.Refresh == before.Refresh {
		t.Fatal("the pair before is not beside the new one")
	}
	if state.Now.By.Command != "exactduck test" || state.Now.By.PID == 0 {
		t.Errorf("refreshed by %+v", state.Now.By)
	}
	if _, err := s.me(t, tr); err != nil {
		t.Fatal(err)
	}
	if s.load(t).Previous != nil {
		t.Error("the pair before is kept although the new one has worked")
	}
}

func TestA401OnAYoungTokenIsTriedOnceMore(t *testing.T) {
	s := newSite(t)
	refusals := 1
	s.refuseAPI = func(string) bool { refusals--; return refusals >= 0 }
	if code, err := s.me(t, s.transport(t)); code != http.StatusOK {
		t.Fatal(code, err)
	}
	refusals = 1000
	s.apiCalls = 0
	_, err := s.me(t, s.transport(t))
	var login *auth.LoginError
	if !errors.Is(err, auth.ErrLoginRequired) || !errors.As(err, &login) || login.Cause != auth.AccessRefused {
		t.Fatal(err)
	}
	if !strings.Contains(err.Error(), "Signed data extraction has failed") {
		t.Error("the server's words are missing:", err)
	}
	if calls, _, _ := s.count(); s.apiCalls != 2 || calls != 0 {
		t.Errorf("%d requests and %d token calls, want 2 and 0", s.apiCalls, calls)
	}
}

func TestA401FindsThePairOfAnotherProcess(t *testing.T) {
	s := newSite(t)
	here, there := s.transport(t), s.transport(t)
	if _, err := s.me(t, here); err != nil {
		t.Fatal(err)
	}
	s.pass(600 * time.Second)
	if _, err := s.me(t, there); err != nil {
		t.Fatal(err)
	}
	s.pass(-100 * time.Second) // here's clock says that its token is young
	if code, err := s.me(t, here); code != http.StatusOK {
		t.Fatal(code, err)
	}
	if calls, _, _ := s.count(); calls != 1 {
		t.Errorf("%d token calls, want 1", calls)
	}
}

func TestA401AfterASlowAnswerIsARefresh(t *testing.T) {
	s := newSite(t)
	state := s.load(t)
	state.Now.ObtainedAt = state.Now.ObtainedAt.Add(100 * time.Second)
	s.save(t, state)
	s.pass(600 * time.Second)
	if code, err := s.me(t, s.transport(t)); code != http.StatusOK {
		t.Fatal(code, err)
	}
}

func TestAClockThatWasSetBackDoesNotEndTheLogin(t *testing.T) {
	s := newSite(t)
	o := s.options()
	s.pass(600 * time.Second)
	o.Clock = func() time.Time { return s.clock().Add(-24 * time.Hour) }
	tr, err := auth.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if code, err := s.me(t, tr); code != http.StatusOK {
		t.Fatal(code, err)
	}
}

func TestTheTokenGoesToNoOtherHost(t *testing.T) {
	s := newSite(t)
	tr := s.transport(t)
	for _, address := range []string{
		"http://localhost:1/api/v1/current/Me", strings.Replace(s.URL, "http:", "https:", 1) + "/api/v1/current/Me", s.URL + "/elsewhere",
	} {
		if _, err := get(t.Context(), tr, address); err == nil || !strings.Contains(err.Error(), "refused to go to") {
			t.Errorf("%s: %v", address, err)
		}
	}
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL, strings.NewReader("x"))
	if resp, err := tr.RoundTrip(req); err == nil {
		_ = resp.Body.Close()
		t.Error("a request with a body was sent")
	}
	if req, _ = http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/api/v1/current/Me", nil); req.Header.Get("Authorization") != "" {
		t.Error("the request itself was changed")
	}
}

func TestManyGoroutinesRefreshOnce(t *testing.T) {
	s := newSite(t)
	tr := s.transport(t)
	s.pass(600 * time.Second)
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			if code, err := s.me(t, tr); code != http.StatusOK {
				t.Error(code, err)
			}
		})
	}
	all.Wait()
	if calls, _, _ := s.count(); calls != 1 {
		t.Errorf("%d token calls, want 1", calls)
	}
}

func TestARefreshThatWasSentIsWaitedFor(t *testing.T) {
	s := newSite(t)
	s.pass(600 * time.Second)
	ctx, cancel := context.WithCancel(t.Context())
	s.fail(1, fault{after: func(http.ResponseWriter) bool { cancel(); return false }})
	if err := s.transport(t).Fresh(ctx); err != nil {
		t.Fatal("interrupted although it was sent:", err)
	}
	if string(s.load(t).Now.Refresh) != s.latest().refresh {
		t.Error("the answer is not in the store")
	}
	s.works(t)
}

func TestWhoCannotUseTheStoreIsTold(t *testing.T) {
	s := newSite(t)
	cause := func(o auth.Options) auth.Cause {
		tr, err := auth.New(o)
		if err != nil {
			t.Fatal(err)
		}
		var login *auth.LoginError
		if err := tr.Fresh(t.Context()); !errors.As(err, &login) {
			t.Fatal(err)
		}
		say(login)
		return login.Cause
	}
	o := s.options()
	o.Store = auth.NewFile(t.TempDir(), s.URL, clientID, nil)
	if got := cause(o); got != auth.NoLogin {
		t.Error(got)
	}
	o = s.options()
	o.App.ClientID = "another"
	if got := cause(o); got != auth.OtherLogin {
		t.Error(got)
	}
}

func TestAppsThatCannotWorkAreRefused(t *testing.T) {
	good := auth.App{Host: "https://start.exactonline.nl/", ClientID: "id", ClientSecret: "s"}
	store := auth.NewFile(t.TempDir(), good.Host, good.ClientID, nil)
	if _, err := auth.New(auth.Options{App: good, Store: store}); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*auth.App){
		"no host":         func(a *auth.App) { a.Host = "" },
		"no scheme":       func(a *auth.App) { a.Host = "start.exactonline.nl" },
		"plain http":      func(a *auth.App) { a.Host = "http://start.exactonline.nl" },
		"a path":          func(a *auth.App) { a.Host = "https://start.exactonline.nl/api" },
		"somebody at":     func(a *auth.App) { a.Host = "https://me:pw@start.exactonline.nl" },
		"no client":       func(a *auth.App) { a.ClientID = "" },
		"no secret":       func(a *auth.App) { a.ClientSecret = "" },
		"no url at all":   func(a *auth.App) { a.Host = "%zz" },
		"another network": func(a *auth.App) { a.Host = "http://10.0.0.1" },
	} {
		app := good
		change(&app)
		if _, err := auth.New(auth.Options{App: app, Store: store}); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}
