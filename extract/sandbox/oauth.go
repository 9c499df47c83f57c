package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// authorize is GET /api/oauth2/auth: the page on which a person lets the app in. With auto=1, and
// after the button, it redirects with a code.
func (s *Sandbox) authorize(r *http.Request) *reply {
	q := r.URL.Query()
	if q.Get("client_id") != s.clientID {
		return page(http.StatusBadRequest, "Onbekende app: client_id klopt niet.")
	}
	target, err := redirectTarget(q.Get("redirect_uri"))
	if err != nil {
		return page(http.StatusBadRequest, "redirect_uri wordt niet geaccepteerd: "+err.Error())
	}
	if q.Get("response_type") != "code" {
		return redirect(target, url.Values{"error": {"unsupported_response_type"}, "state": q["state"]}.Encode())
	}
	if q.Get("auto") != "1" {
		q.Set("auto", "1")
		return page(http.StatusOK, `<p>Exactduck wil uw administraties lezen.</p><p><a href="?`+html.EscapeString(q.Encode())+`"><button>Toestaan</button></a></p>`)
	}
	code, err := s.consent(q.Get("redirect_uri"))
	if err != nil {
		return page(http.StatusInternalServerError, "Het zandbakbestand kan niet worden geschreven.")
	}
	values := "code=" + url.QueryEscape(code)
	if state := q.Get("state"); state != "" {
		values += "&state=" + url.QueryEscape(state)
	}
	return redirect(target, values)
}

// Authorize is what the round trip through the browser ends in: the redirect URL with a code, and
// with the state if there is one. It is refused where the page would refuse it.
func (s *Sandbox) Authorize(redirectURL, state string) (string, error) {
	q := url.Values{"client_id": {s.clientID}, "redirect_uri": {redirectURL}, "response_type": {"code"}, "auto": {"1"}}
	if state != "" {
		q.Set("state", state)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	answer := s.authorize(&http.Request{Method: http.MethodGet, URL: &url.URL{Path: authPath, RawQuery: q.Encode()}})
	if answer.Status != http.StatusFound {
		return "", fmt.Errorf("authorize: the page answered %d", answer.Status)
	}
	return answer.Header.Get("Location"), nil
}

// redirectTarget accepts https anywhere, and http on this machine.
func redirectTarget(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "":
		return nil, fmt.Errorf("geen adres")
	case u.Scheme == "https":
	case u.Scheme == "http" && (u.Hostname() == "localhost" || u.Hostname() == "127.0.0.1" || u.Hostname() == "::1"):
	default:
		return nil, fmt.Errorf("alleen https")
	}
	return u, nil
}

func redirect(target *url.URL, values string) *reply {
	to := *target
	if to.RawQuery != "" {
		values = to.RawQuery + "&" + values
	}
	to.RawQuery = values
	return &reply{Status: http.StatusFound, Header: http.Header{"Location": {to.String()}}}
}

func page(status int, body string) *reply {
	return &reply{
		Status: status, Header: http.Header{"Content-Type": {"text/html; charset=utf-8"}},
		Body: []byte("<!doctype html><meta charset=utf-8><title>Exact Online (zandbak)</title><h1>Exact Online (zandbak)</h1>" + body),
	}
}

// oauthError is the answer of the token endpoint to what it refuses.
type oauthError struct {
	status            int
	code, description string
	reason            string
}

func (e *oauthError) Error() string { return e.code + ": " + e.description }

func (e *oauthError) reply() *reply {
	body := `{"error":"` + e.code + `"`
	if e.description != "" {
		quoted, _ := json.Marshal(e.description)
		body += `,"error_description":` + string(quoted)
	}
	r := &reply{Status: e.status, Header: http.Header{"Content-Type": {"application/json;charset=utf-8"}}, Body: []byte(body + "}")}
	if e.reason != "" {
		r.Header.Set("Reason", e.reason)
	}
	return r
}

var (
	errBare      = &oauthError{status: http.StatusBadRequest, code: "invalid_request"}
	errClient    = &oauthError{status: http.StatusBadRequest, code: "invalid_client"}
	errMangled   = &oauthError{status: http.StatusBadRequest, code: "invalid_request", description: "Signed data extraction has failed"}
	errChain     = &oauthError{status: http.StatusBadRequest, code: "invalid_grant", description: "Token is not allowed, because of invalid or empty chainId"}
	errSpentCode = &oauthError{status: http.StatusBadRequest, code: "invalid_grant", description: "The authorization code has expired or was used before"}
	errOldToken  = &oauthError{status: http.StatusUnauthorized, code: "invalid_grant", description: "Old refresh token used."}
	errTooEarly  = &oauthError{
		status: http.StatusBadRequest, code: "access_denied", description: "Rate limit exceeded: access_token not expired",
		reason: "TooEarlyToRefreshTokens: Rate limit exceeded: access_token not expired",
	}
	errTooMany = &oauthError{status: http.StatusTooManyRequests, code: "access_denied", description: "Rate limit exceeded: too many token requests"}
)

// token is POST /api/oauth2/token. Credentials count in the form body only.
func (s *Sandbox) token(r *http.Request, body []byte) *reply {
	answer, err := s.exchange(r, body)
	if err != nil {
		if refused, ok := errors.AsType[*oauthError](err); ok {
			return refused.reply()
		}
		return failure(http.StatusInternalServerError, "", "A problem has occurred. The cause of this issue will be investigated as soon as possible.", true)
	}
	text, _ := json.Marshal(answer)
	return &reply{Status: http.StatusOK, Header: http.Header{
		"Content-Type":  {"application/json;charset=utf-8"},
		"Cache-Control": {"no-cache, no-store"},
	}, Body: text}
}

// tokenAnswer has expires_in as the text that Exact sends.
type tokenAnswer struct {
	Access  string `json:"access_token"`
	Type    string `json:"token_type"`
	Expires string `json:"expires_in"`
	Refresh string `json:"refresh_token"`
}

func (s *Sandbox) exchange(r *http.Request, body []byte) (*tokenAnswer, error) {
	media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if r.Method != http.MethodPost || media != "application/x-www-form-urlencoded" {
		return nil, errBare
	}
	form, err := url.ParseQuery(string(body))
	if err != nil || form.Get("client_id") == "" || form.Get("client_secret") == "" {
		return nil, errBare
	}
	if form.Get("client_id") != s.clientID || form.Get("client_secret") != s.secret {
		return nil, errClient
	}
	now := s.now()
	if !s.logins.call(now) {
		return nil, errTooMany
	}
	switch form.Get("grant_type") {
	case "authorization_code":
		err = s.logins.redeem(s.unsign(form.Get("code")), form.Get("redirect_uri"), now)
	case "refresh_token":
		err = s.logins.refresh(s.unsign(form.Get("refresh_token")), now)
	default:
		return nil, errBare
	}
	if err != nil {
		return nil, err
	}
	access, refresh := s.logins.issue(now)
	if err := s.saveLogins(); err != nil {
		return nil, err
	}
	return &tokenAnswer{s.sign("access", access), "bearer", "600", s.sign("refresh", refresh)}, nil
}

const usDate = "1/2/2006 3:04:05 PM"

func lapsed(at, now time.Time) error {
	return &oauthError{
		status: http.StatusBadRequest, code: "invalid_request",
		description: fmt.Sprintf("The refresh token expired at %s and it is now %s.", at.UTC().Format(usDate), now.UTC().Format(usDate)),
	}
}

// bearer checks the access token of a call. It answers nil when the token is good.
func (s *Sandbox) bearer(r *http.Request) *reply {
	scheme, value, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || value == "" {
		return unauthorized("")
	}
	id := s.unsign(value)
	if id == "" {
		return unauthorized("Signed data extraction has failed")
	}
	if !s.logins.valid(id, s.now()) {
		return unauthorized("access token expired")
	}
	return nil
}

// unauthorized is a 401 as Exact sends it: XML whatever was asked for, and without a body.
func unauthorized(why string) *reply {
	challenge := "Bearer"
	if why != "" {
		challenge = `Bearer error="invalid_token",error_description="` + url.PathEscape(why) + `",Bearer`
	}
	return &reply{Status: http.StatusUnauthorized, Header: http.Header{
		"Cache-Control": {"no-cache, no-store"}, "Pragma": {"no-cache"}, "Content-Type": {"application/xml"},
		"DataServiceVersion": {"1.0;"}, "Reason": {"AuthenticationRequired: Authentication required"}, "WWW-Authenticate": {challenge},
	}}
}
