package auth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"exactduck/auth"
)

func TestEveryAnswerOfTheTokenServer(t *testing.T) {
	const html = "text/html"
	before := func(f func(http.ResponseWriter) bool) fault { return fault{before: f} }
	after := func(f func(http.ResponseWriter) bool) fault { return fault{after: f} }
	body := func(format string) fault {
		return fault{body: func(p issued) string { return fmt.Sprintf(format, p.access, p.refresh) }}
	}
	gateway := status(500, "text/plain", "Failed to execute the ExtractVariables: ExtractAccessToken")

	for _, c := range []struct {
		name   string
		faults []fault
		calls  int
		cause  auth.Cause // "": the login survives
		broken bool
	}{
		{name: "granted", calls: 1},
		{name: "500 before it acted", faults: []fault{before(gateway)}, calls: 2},
		{name: "503 in HTML, three times", faults: []fault{before(status(503, html, "<html>")), before(status(503, html, "<html>")), before(status(503, html, "<html>"))}, calls: 4},
		{name: "cut before it acted", faults: []fault{before(cut)}, calls: 2},
		{name: "empty before it acted", faults: []fault{before(status(200, "application/json", ""))}, calls: 2},
		{name: "expires_in is no number", faults: []fault{body(`{"access_token":%q,"token_type":"bearer","expires_in":"abc","refresh_token":%q}`)}, calls: 1},
		{name: "expires_in is a bare word", faults: []fault{body(`{"access_token":%q,"token_type":"bearer","expires_in":abc,"refresh_token":%q}`)}, calls: 1},
		{name: "expires_in is a number", faults: []fault{body(`{"access_token":%q,"expires_in":600,"refresh_token":%q}`)}, calls: 1},
		{name: "the end is cut off", faults: []fault{body(`{"access_token":%q,"token_type":"bearer","refresh_token":%q`)}, calls: 1},
		{name: "it is wrapped in HTML", faults: []fault{body(`<html>{"access_token":%q,"refresh_token":%q}</html>`)}, calls: 1},
		{name: "500 after it acted", faults: []fault{after(gateway)}, calls: 2, cause: auth.AnswerLost, broken: true},
		{name: "cut after it acted", faults: []fault{after(cut)}, calls: 2, cause: auth.AnswerLost, broken: true},
		{name: "empty after it acted", faults: []fault{after(status(200, "application/json", ""))}, calls: 2, cause: auth.AnswerLost, broken: true},
		{name: "expired", faults: []fault{before(status(400, "application/json", `{"error":"invalid_request","error_description":"The refresh token expired at 10/11/2022 9:18:20 PM and it is now 10/28/2022 4:15:50 PM."}`))}, calls: 1, cause: auth.Expired, broken: true},
		{name: "broken chain", faults: []fault{before(status(400, "application/json", `{"error":"invalid_grant","error_description":"Token is not allowed, because of invalid or empty chainId"}`))}, calls: 1, cause: auth.BrokenChain, broken: true},
		{name: "used elsewhere", faults: []fault{before(status(401, "text/plain", "Old refresh token used."))}, calls: 1, cause: auth.Reused, broken: true},
		{name: "mangled", faults: []fault{before(status(400, "application/json", `{"error":"invalid_request","error_description":"Signed data extraction has failed"}`))}, calls: 1, cause: auth.Mangled},
		{name: "bare", faults: []fault{before(status(400, "application/json", `{"error":"invalid_request"}`))}, calls: 1, cause: auth.Unclear},
		{name: "wrong client", faults: []fault{before(status(401, "application/json", `{"error":"invalid_client"}`))}, calls: 1, cause: auth.WrongClient},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSite(t)
			s.pass(600 * time.Second)
			for n, f := range c.faults {
				s.fail(n+1, f)
			}
			err := s.transport(t).Fresh(t.Context())
			say(err)
			calls, early, _ := s.count()
			if calls != c.calls || early != 0 {
				t.Errorf("%d token calls, want %d; %d too early", calls, c.calls, early)
			}
			if c.cause == "" {
				if err != nil {
					t.Fatal(err)
				}
				s.works(t)
				return
			}
			var login *auth.LoginError
			if !errors.As(err, &login) || login.Cause != c.cause {
				t.Fatalf("error %v, want cause %s", err, c.cause)
			}
			if app := c.cause == auth.WrongClient; errors.Is(err, auth.ErrAppRefused) != app || errors.Is(err, auth.ErrLoginRequired) == app {
				t.Errorf("whose move is it? %v", err)
			}
			s.afterRefusal(t, c.broken)
		})
	}
}

// afterRefusal checks that a login that is known to be dead is not asked about again, and that
// one that may live does once the server is well.
func (s *site) afterRefusal(t *testing.T, broken bool) {
	t.Helper()
	calls, _, _ := s.count()
	err := s.transport(t).Fresh(t.Context())
	if broken != errors.Is(err, auth.ErrLoginRequired) {
		t.Errorf("the next run: %v", err)
	}
	if again, _, _ := s.count(); broken && again != calls {
		t.Error("a refresh that is known to fail was sent")
	}
	if st := s.load(t).Status(s.clock()); st.LoggedIn == broken {
		t.Errorf("status: %+v", st)
	}
	if !broken {
		s.works(t)
	}
}

func TestAServerThatStaysDownCostsNothing(t *testing.T) {
	s := newSite(t)
	s.pass(600 * time.Second)
	for n := range 12 {
		s.fail(n+1, fault{before: status(503, "text/html", "<html>secret?</html>")})
	}
	for run := range 3 {
		err := s.transport(t).Fresh(t.Context())
		say(err)
		var down *auth.UnavailableError
		if !errors.As(err, &down) || errors.Is(err, auth.ErrLoginRequired) {
			t.Fatal(err)
		}
		if calls, _, _ := s.count(); calls != 4*(run+1) {
			t.Fatalf("%d token calls after run %d", calls, run)
		}
	}
	if a := s.load(t).Attempt; a == nil || a.Tries != 12 || a.Outcome != "answered HTTP 503" {
		t.Errorf("journal: %+v", a)
	}
	s.works(t)
	if s.load(t).Attempt != nil {
		t.Error("the attempt is still open")
	}
}

func TestAServerThatQuotesTheTokenIsNotQuoted(t *testing.T) {
	for _, words := range []string{"Signed data extraction has failed for ", "what is "} {
		s := newSite(t)
		s.pass(600 * time.Second)
		token := s.latest().refresh
		s.fail(1, fault{before: status(400, "text/plain", words+token+" or "+url.QueryEscape(token)+clientSecret)})
		err := s.transport(t).Fresh(t.Context())
		if err == nil || !strings.Contains(err.Error(), words) || len(leaks(err.Error())) > 0 {
			t.Errorf("%d secrets in %.40q", len(leaks(err.Error())), err)
		}
	}
}

func TestWhatTheServerDeclinesIsNotSentAgain(t *testing.T) {
	for code, says := range map[int]string{429: "too many", 404: "right host", 302: "right host", 405: "right host"} {
		s := newSite(t)
		s.pass(600 * time.Second)
		s.fail(1, fault{before: status(code, "text/html", "<html>no</html>")})
		err := s.transport(t).Fresh(t.Context())
		if down, ok := errors.AsType[*auth.UnavailableError](err); !ok || !strings.Contains(down.Problem, says) {
			t.Error(code, err)
		}
		if calls, _, _ := s.count(); calls != 1 || s.load(t).Attempt != nil || s.load(t).Calls.Count != 1 {
			t.Errorf("%d: %d token calls; %+v", code, calls, s.load(t).Attempt)
		}
		s.works(t)
	}
}

func TestALostAnswerIsAskedForOnceMoreAndNoFurther(t *testing.T) {
	s := newSite(t)
	s.pass(600 * time.Second)
	for n := range 4 {
		s.fail(n+1, fault{before: cut})
	}
	var down *auth.UnavailableError
	if err := s.transport(t).Fresh(t.Context()); !errors.As(err, &down) {
		t.Fatal(err)
	}
	if calls, _, _ := s.count(); calls != 2 {
		t.Errorf("%d token calls, want 2", calls)
	}
}

func TestWithoutAConnectionNothingIsSpent(t *testing.T) {
	s := newSite(t)
	s.pass(600 * time.Second)
	o := s.options()
	o.Base = &http.Transport{Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: "127.0.0.1:1"})}
	tr, err := auth.New(o)
	if err != nil {
		t.Fatal(err)
	}
	var down *auth.UnavailableError
	if err := tr.Fresh(t.Context()); !errors.As(err, &down) {
		t.Fatal(err)
	}
	if state := s.load(t); state.Attempt != nil || state.Calls.Count != 0 {
		t.Errorf("journal: %+v, calls: %+v", state.Attempt, state.Calls)
	}
	s.works(t)
}

func TestTooEarlyKeepsThePair(t *testing.T) {
	s := newSite(t)
	o := s.options()
	ahead := 30 * time.Second
	o.Clock = func() time.Time { return s.clock().Add(ahead) }
	s.pass(550 * time.Second)
	tr, err := auth.New(o)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 { // the second and third within the wait
		if code, err := s.me(t, tr); code != http.StatusOK {
			t.Fatal(code, err)
		}
	}
	if calls, early, _ := s.count(); calls != 1 || early != 1 {
		t.Errorf("%d token calls, %d too early, want 1 and 1", calls, early)
	}
	s.pass(31 * time.Second)
	if code, err := s.me(t, tr); code != http.StatusOK {
		t.Fatal(code, err)
	}
	if calls, early, reuses := s.count(); calls != 2 || early != 1 || reuses != 0 {
		t.Errorf("%d token calls, %d too early, %d reuses", calls, early, reuses)
	}
}

func TestThePairBeforeIsTriedWhenTheNewOneNeverWorked(t *testing.T) {
	s := newSite(t)
	old := s.latest()
	s.pass(600 * time.Second)
	if err := s.transport(t).Fresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.mu.Lock() // the server forgets the pair that it has just handed out
	s.chain = []issued{old}
	s.mu.Unlock()
	s.fail(2, fault{before: status(400, "application/json", `{"error":"invalid_grant","error_description":"Token is not allowed, because of invalid or empty chainId"}`)})
	s.pass(600 * time.Second)
	if err := s.transport(t).Fresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.works(t)
}

func TestAnAnswerCutBeforeTheRefreshTokenStillServes(t *testing.T) {
	s := newSite(t)
	s.pass(600 * time.Second)
	s.fail(1, fault{body: func(p issued) string { return `{"access_token":"` + p.access + `","token_type":"bea` }})
	tr := s.transport(t)
	if code, err := s.me(t, tr); code != http.StatusOK {
		t.Fatal(code, err)
	}
	s.pass(600 * time.Second)
	_, err := s.me(t, tr)
	var login *auth.LoginError
	if !errors.As(err, &login) || login.Cause != auth.AnswerLost || login.Sent.IsZero() {
		t.Fatal(err)
	}
}

func TestADamagedAccessTokenDoesNotCostTheLogin(t *testing.T) {
	s := newSite(t)
	s.pass(600 * time.Second)
	s.fail(1, fault{body: func(p issued) string { return `{"access_token":"` + "a\\nb" + `","refresh_token":"` + p.refresh + `"}` }})
	var down *auth.UnavailableError
	if err := s.transport(t).Fresh(t.Context()); !errors.As(err, &down) || down.Retry.IsZero() {
		t.Fatal(err)
	}
	s.pass(600 * time.Second)
	s.works(t)
}

func TestNoMoreThan200TokenCallsADay(t *testing.T) {
	s := newSite(t)
	s.now = time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	s.chain[0].at = s.now.Add(-time.Hour)
	state := s.load(t)
	state.Now.AskedAt, state.Now.ObtainedAt = s.now.Add(-time.Hour), s.now.Add(-time.Hour)
	state.Calls = auth.Calls{Day: "2026-11-21", Count: 199}
	s.save(t, state)
	if err := s.transport(t).Fresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.pass(600 * time.Second)
	err := s.transport(t).Fresh(t.Context())
	var spent *auth.BudgetError
	if !errors.As(err, &spent) || !spent.Reset.Equal(time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)) {
		t.Fatal(err)
	}
	if calls, _, _ := s.count(); calls != 1 {
		t.Errorf("%d token calls, want 1", calls)
	}
	s.pass(24 * time.Hour)
	s.works(t)
}

func TestNoAnswerIsUsedBeforeItIsSaved(t *testing.T) {
	s := newSite(t)
	s.pass(600 * time.Second)
	o := s.options()
	full := &fullDisk{Store: o.Store}
	o.Store = full
	s.fail(1, fault{after: func(http.ResponseWriter) bool { full.is = true; return false }})
	tr, err := auth.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.me(t, tr); err == nil || !strings.Contains(err.Error(), "no space") {
		t.Fatal(err)
	}
	if s.apiCalls != 0 {
		t.Error("a token was used that is not on disk")
	}
}

func TestADiskThatFillsUpDuringARefresh(t *testing.T) {
	s := newSite(t)
	s.pass(600 * time.Second)
	var full error
	store := s.store()
	store.FillDisk(func() error { return full })
	o := s.options()
	o.Store = store
	s.fail(1, fault{after: func(http.ResponseWriter) bool { full = syscall.ENOSPC; return false }})
	tr, err := auth.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := tr.Fresh(t.Context()); err != nil {
		t.Fatal("the answer found no room:", err)
	}
	if string(s.load(t).Now.Refresh) != s.latest().refresh {
		t.Error("the answer is not on disk")
	}
	s.pass(600 * time.Second)
	if err := tr.Fresh(t.Context()); !errors.Is(err, syscall.ENOSPC) {
		t.Error("refreshed without room for the answer:", err)
	}
	if calls, _, _ := s.count(); calls != 1 {
		t.Errorf("%d token calls, want 1", calls)
	}
	full = nil
	s.works(t)
}

func TestAFullDiskSendsNothing(t *testing.T) {
	s := newSite(t)
	s.pass(600 * time.Second)
	o := s.options()
	o.Store = &fullDisk{Store: o.Store, is: true}
	tr, err := auth.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := tr.Fresh(t.Context()); err == nil {
		t.Fatal("no error")
	}
	if calls, _, _ := s.count(); calls != 0 {
		t.Errorf("%d token calls although the attempt could not be written down", calls)
	}
	s.works(t)
}

// fullDisk is a store whose disk can fill up.
type fullDisk struct {
	auth.Store
	is bool
}

func (d *fullDisk) Locked(ctx context.Context, f func(auth.Slot) error) error {
	return d.Store.Locked(ctx, func(slot auth.Slot) error { return f(&fullSlot{slot, d}) })
}

type fullSlot struct {
	auth.Slot
	disk *fullDisk
}

func (s *fullSlot) Save(state auth.State) error {
	if s.disk.is {
		return errors.New("no space left on device")
	}
	return s.Slot.Save(state)
}
