package auth_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"exactduck/auth"
)

// login logs in with what the person pastes, which may depend on the address announced.
func (s *site) login(t *testing.T, redirect string, paste func(state string) string) (auth.Status, error) {
	t.Helper()
	in, out := io.Pipe()
	o := auth.LoginOptions{Options: s.options(), Input: in, Announce: func(p auth.Prompt) {
		go func() {
			_, _ = io.WriteString(out, paste(stateOf(t, p.URL))+"\n")
			_ = out.Close()
		}()
	}}
	if redirect != "" {
		o.App.RedirectURL = redirect
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	st, err := auth.Login(ctx, o)
	say(st)
	say(err)
	return st, err
}

func stateOf(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Error(err)
		return ""
	}
	return u.Query().Get("state")
}

// logsIn logs in by pasting and checks that the login works.
func (s *site) logsIn(t *testing.T) {
	t.Helper()
	if _, err := s.login(t, "", func(state string) string { return redirected(s.app().RedirectURL, s.grant(), state) }); err != nil {
		t.Fatal(err)
	}
	s.works(t)
}

func TestTheAddressToLogInAt(t *testing.T) {
	app := auth.App{Host: "https://start.exactonline.nl", ClientID: clientID, ClientSecret: clientSecret, RedirectURL: "https://localhost:8585/callback"}
	u, err := url.Parse(app.AuthorizationURL("s t"))
	if err != nil {
		t.Fatal(err)
	}
	want := url.Values{"client_id": {clientID}, "redirect_uri": {app.RedirectURL}, "response_type": {"code"}, "state": {"s t"}}
	if u.Host != "start.exactonline.nl" || u.Path != "/api/oauth2/auth" || u.Query().Encode() != want.Encode() {
		t.Error(u)
	}
}

func TestLoginByPasting(t *testing.T) {
	for name, form := range map[string]func(code, state string) string{
		"the address": func(code, state string) string { return redirected("https://example.com/callback", code, state) },
		"a quoted address": func(code, state string) string {
			return " '" + redirected("https://example.com/callback", code, state) + "' "
		},
		"the bare code":      func(code, _ string) string { return code },
		"a code from an URL": func(code, _ string) string { return strings.ReplaceAll(code, "!", "%21") },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			s.pass(time.Hour)
			st, err := s.login(t, "", func(state string) string { return form(s.grant(), state) })
			if err != nil {
				t.Fatal(err)
			}
			if !st.LoggedIn || st.CallsToday != 1 || st.DaysLeft != 30 || st.AccessAge != 0 || st.RefreshedBy.Command != "exactduck test" {
				t.Errorf("%+v", st)
			}
			if s.load(t).Previous != nil {
				t.Error("the pair of a login that is over is kept")
			}
			s.works(t)
		})
	}
}

func TestALoginThatFailsLeavesTheOneBefore(t *testing.T) {
	for name, c := range map[string]struct {
		paste func(s *site, state string) string
		cause auth.Cause
	}{
		"another state": {func(s *site, _ string) string { return redirected("https://example.com/callback", s.grant(), "x") }, auth.WrongState},
		"no state":      {func(s *site, _ string) string { return "https://example.com/callback?code=" + s.grant() }, auth.WrongState},
		"denied": {func(_ *site, state string) string {
			return "https://example.com/callback?error=access_denied&state=" + state
		}, auth.Denied},
		"a code too old": {func(s *site, _ string) string {
			code := s.grant()
			s.pass(4 * time.Minute)
			return code
		}, auth.Mangled},
		"decoded twice": {func(s *site, _ string) string { return strings.ReplaceAll(s.grant(), "!", "%2521") }, auth.Mangled},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			_, err := s.login(t, "", func(state string) string { return c.paste(s, state) })
			var login *auth.LoginError
			if !errors.As(err, &login) || login.Cause != c.cause || login.Host != s.URL {
				t.Fatal(err)
			}
			s.works(t)
		})
	}
}

func TestACodeIsSentAgainOnlyWhenItMayBe(t *testing.T) {
	for name, c := range map[string]struct {
		fault fault
		calls int
		ok    bool
	}{
		"503":            {fault{before: status(503, "text/html", "<html>")}, 2, true},
		"empty answer":   {fault{after: status(200, "", "")}, 1, false},
		"broken off":     {fault{after: cut}, 1, false},
		"not this place": {fault{before: status(404, "text/html", "<html>")}, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			s.fail(1, c.fault)
			_, err := s.login(t, "", func(string) string { return s.grant() })
			if calls, _, _ := s.count(); calls != c.calls || (err == nil) != c.ok {
				t.Errorf("%d token calls, error %v", calls, err)
			}
		})
	}
}

func TestLoginByRedirectToThisMachine(t *testing.T) {
	for _, scheme := range []string{"http", "https"} {
		for _, host := range []string{"localhost", "127.0.0.1"} {
			t.Run(scheme+" "+host, func(t *testing.T) {
				s := newSite(t)
				redirect := scheme + "://" + net.JoinHostPort(host, freePort(t)) + "/callback"
				o := auth.LoginOptions{Options: s.options(), Input: strings.NewReader("")}
				o.App.RedirectURL = redirect
				o.Announce = func(p auth.Prompt) {
					if !p.Listening || p.TLS != (scheme == "https") || p.Redirect != redirect || p.ListenProblem != nil {
						t.Errorf("%+v", p)
					}
				}
				o.OpenBrowser = func(address string) error { go s.browse(t, redirect, address); return nil }
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				if st, err := auth.Login(ctx, o); err != nil || !st.LoggedIn {
					t.Fatal(st, err)
				}
				s.works(t)
			})
		}
	}
}

// browse is a browser in which strangers knock first.
func (s *site) browse(t *testing.T, redirect, address string) {
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true, //nolint:gosec // self-signed by design
	}}
	state := stateOf(t, address)
	for _, visit := range []struct {
		address string
		status  int
	}{
		{strings.Replace(redirect, "/callback", "/favicon.ico", 1), 404},
		{redirected(redirect, "stolen", "guessed"), 400},
		{redirect + "?error=access_denied", 400},
		{redirect, 400},
		{redirected(redirect, s.grant(), state), 200},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, visit.address, nil)
		if err != nil {
			t.Error(err)
			return
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Error(err)
			return
		}
		page, _ := io.ReadAll(resp.Body)
		say(string(page))
		if _ = resp.Body.Close(); resp.StatusCode != visit.status {
			t.Errorf("%s: %d, want %d", visit.address, resp.StatusCode, visit.status)
		}
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	l := occupy(t)
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return port
}

// occupy takes a port of this machine until the test ends.
func occupy(t *testing.T) net.Listener {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func TestPastingWorksWhereListeningDoesNot(t *testing.T) {
	s := newSite(t)
	taken := occupy(t)
	redirect := "http://" + taken.Addr().String() + "/callback"
	if _, err := s.login(t, redirect, func(state string) string { return redirected(redirect, s.grant(), state) }); err != nil {
		t.Fatal(err)
	}
	o := auth.LoginOptions{Options: s.options()}
	o.App.RedirectURL = redirect
	if _, err := auth.Login(t.Context(), o); !errors.Is(err, auth.ErrCode) || !strings.Contains(err.Error(), "listen") {
		t.Error("with no way to give a code:", err)
	}
}

func TestABadLineIsRejectedAndTheNextOneRead(t *testing.T) {
	s := newSite(t)
	var bad []error
	o := auth.LoginOptions{
		Options: s.options(), Reject: func(err error) { bad = append(bad, err) },
		Input: strings.NewReader("\nhttps://example.com/callback\n" + s.grant() + "\n"),
	}
	if _, err := auth.Login(t.Context(), o); err != nil || len(bad) != 2 {
		t.Fatal(err, bad)
	}
}

func TestTheInputEndsWithoutACode(t *testing.T) {
	s := newSite(t)
	if _, err := s.login(t, "", func(string) string { return "" }); !errors.Is(err, auth.ErrCode) {
		t.Error(err)
	}
	o := auth.LoginOptions{Options: s.options(), Input: strings.NewReader("")}
	if _, err := auth.Login(t.Context(), o); !errors.Is(err, auth.ErrCode) {
		t.Error(err)
	}
}
