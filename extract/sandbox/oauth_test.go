package sandbox_test

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"exactduck/extract/sandbox"
)

func (v *visitor) exchange(refresh string) (int, http.Header, string) {
	v.t.Helper()
	return v.token(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}})
}

func (v *visitor) mustRefuse(what string, wantStatus int, want string, status int, body string) {
	v.t.Helper()
	if status != wantStatus || body != want {
		v.t.Errorf("%s: got %d %s, want %d %s", what, status, body, wantStatus, want)
	}
}

func TestRefreshing(t *testing.T) {
	v := visit(t, sandbox.Options{})
	first := v.refresh
	v.clock.pass(569 * time.Second)
	status, header, body := v.exchange(first)
	v.mustRefuse("too early", 400, `{"error":"access_denied","error_description":"Rate limit exceeded: access_token not expired"}`, status, body)
	if got := header.Get("Reason"); !strings.HasPrefix(got, "TooEarlyToRefreshTokens: ") {
		t.Errorf("Reason is %q", got)
	}
	v.clock.pass(time.Second)
	status, _, body = v.exchange(first)
	if status != 200 {
		t.Fatalf("at 570 s: %d %s", status, body)
	}
	v.keep(body)
	if v.refresh == first {
		t.Error("the refresh token did not change")
	}
	v.clock.pass(600 * time.Second)
	status, _, body = v.exchange(first)
	v.mustRefuse("used twice", 401, `{"error":"invalid_grant","error_description":"Old refresh token used."}`, status, body)
	if status, _, body = v.exchange(v.refresh); status != 200 {
		t.Errorf("the current token stopped working: %d %s", status, body)
	}
}

func TestRefreshTokenLapses(t *testing.T) {
	v := visit(t, sandbox.Options{})
	v.clock.pass(30*24*time.Hour + time.Second)
	status, _, body := v.exchange(v.refresh)
	v.mustRefuse("after 30 days", 400, `{"error":"invalid_request","error_description":"The refresh token expired at 8/14/2026 10:00:00 AM and it is now 8/14/2026 10:00:01 AM."}`, status, body)
}

func TestASecondLoginKillsTheFirst(t *testing.T) {
	v := visit(t, sandbox.Options{})
	old := v.refresh
	v.login()
	v.clock.pass(600 * time.Second)
	status, _, body := v.exchange(old)
	v.mustRefuse("the first chain", 400, `{"error":"invalid_grant","error_description":"Token is not allowed, because of invalid or empty chainId"}`, status, body)
	if status, _, body := v.exchange(v.refresh); status != 200 {
		t.Errorf("the second chain: %d %s", status, body)
	}
}

func TestCodes(t *testing.T) {
	v := visit(t, sandbox.Options{})
	form := func(code, redirect string) url.Values {
		return url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {redirect}}
	}
	mangled := `{"error":"invalid_request","error_description":"Signed data extraction has failed"}`
	code := v.code()
	if !strings.Contains(code, "!") {
		t.Errorf("code %q has no exclamation mark", code)
	}
	status, _, body := v.token(form(url.QueryEscape(code), redirectURL))
	v.mustRefuse("not decoded", 400, mangled, status, body)
	status, _, body = v.token(form(code, "https://localhost:8585/other"))
	v.mustRefuse("another redirect", 400, `{"error":"invalid_request"}`, status, body)
	code = v.code()
	if status, _, body = v.token(form(code, redirectURL)); status != 200 {
		t.Errorf("a good code: %d %s", status, body)
	}
	if status, _, _ = v.token(form(code, redirectURL)); status != 400 {
		t.Errorf("a code was taken twice: %d", status)
	}
	code = v.code()
	v.clock.pass(3*time.Minute + time.Second)
	if status, _, _ = v.token(form(code, redirectURL)); status != 400 {
		t.Errorf("a code was taken after three minutes: %d", status)
	}
}

func TestTokenCallsAreCounted(t *testing.T) {
	v := visit(t, sandbox.Options{})
	for range 199 {
		v.exchange(v.refresh)
	}
	if status, _, _ := v.exchange(v.refresh); status != http.StatusTooManyRequests {
		t.Errorf("the 201st token call of a day answered %d", status)
	}
	v.clock.pass(24 * time.Hour)
	if status, _, body := v.exchange(v.refresh); status != 200 {
		t.Errorf("the next day: %d %s", status, body)
	}
}

func TestCredentialsCountInTheBodyOnly(t *testing.T) {
	v := visit(t, sandbox.Options{})
	id, secret := v.sandbox.Client()
	form := url.Values{"grant_type": {"authorization_code"}, "code": {v.code()}, "redirect_uri": {redirectURL}}
	req := posting(t, root+"/api/oauth2/token", form.Encode())
	req.SetBasicAuth(id, secret)
	r, err := v.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Body.Close() }()
	body, _ := io.ReadAll(r.Body)
	v.mustRefuse("Basic", 400, `{"error":"invalid_request"}`, r.StatusCode, string(body))
}

func TestTheConsentPage(t *testing.T) {
	v := visit(t, sandbox.Options{})
	id, _ := v.sandbox.Client()
	v.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	ask := func(id, redirect, more string) (int, http.Header, string) {
		return v.get("/api/oauth2/auth?client_id=" + id + "&redirect_uri=" + url.QueryEscape(redirect) + "&response_type=code&state=a%20b" + more)
	}
	if status, _, body := ask(id, redirectURL, ""); status != 200 || !strings.Contains(body, "auto=1") {
		t.Errorf("the page: %d %s", status, body)
	}
	status, header, _ := ask(id, redirectURL, "&auto=1")
	if to := header.Get("Location"); status != 302 || !strings.Contains(to, "%21") || !strings.HasSuffix(to, "&state=a+b") {
		t.Errorf("the redirect: %d %s", status, to)
	}
	if status, _, _ := ask("somebody", redirectURL, "&auto=1"); status != 400 {
		t.Errorf("an unknown app: %d", status)
	}
	if status, _, _ := ask(id, "http://example.com/", "&auto=1"); status != 400 {
		t.Errorf("a redirect that is not https: %d", status)
	}
	if _, err := v.sandbox.Authorize("http://example.com/", ""); err == nil {
		t.Error("Authorize took a redirect that is not https")
	}
}

func TestAccessTokens(t *testing.T) {
	v := visit(t, sandbox.Options{})
	ask := func(token string) (int, http.Header, string) {
		v.access = token
		return v.get("/api/v1/current/Me")
	}
	good := v.access
	if status, _, _ := ask(good); status != 200 {
		t.Fatalf("a good token: %d", status)
	}
	for token, challenge := range map[string]string{
		"garbage": `Bearer error="invalid_token",error_description="Signed%20data%20extraction%20has%20failed",Bearer`,
		good:      `Bearer error="invalid_token",error_description="access%20token%20expired",Bearer`,
	} {
		v.clock.pass(600 * time.Second)
		status, header, body := ask(token)
		if status != 401 || body != "" || header.Get("Content-Type") != "application/xml" {
			t.Errorf("%.10s: %d %q of %s", token, status, body, header.Get("Content-Type"))
		}
		if header.Get("Reason") != "AuthenticationRequired: Authentication required" || header.Get("WWW-Authenticate") != challenge {
			t.Errorf("%.10s: headers %v", token, header)
		}
	}
}
