package auth_test

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"exactduck/auth"
)

const (
	clientID     = "{b81cc4cb-1f1f-4d0e-9a6e-2f4f7c3c5a11}"
	clientSecret = "client%21Secret!S3"
)

// strict is a token server that knows the rules of the real one and keeps count of who breaks
// them. Its API is /api/v1/current/Me.
type strict struct {
	*httptest.Server
	mu        sync.Mutex
	now       time.Time
	codes     map[string]time.Time // unused, by when they were made
	chain     []issued             // every pair ever made, oldest first
	calls     int                  // to the token endpoint
	early     int                  // refreshes within 570 s
	reuses    int                  // of a refresh token
	apiCalls  int
	misuse    []string      // what no client may ever do
	faults    map[int]fault // by number of the token call, from 1
	refuseAPI func(access string) bool
}

type issued struct {
	access, refresh string
	at              time.Time
}

// fault changes one token call: before the server acts, or after it has.
type fault struct {
	before, after func(w http.ResponseWriter) (done bool)
	body          func(issued) string // instead of the proper one
}

func newStrict(t *testing.T) *strict {
	t.Helper()
	s := &strict{
		now: time.Date(2026, 11, 21, 4, 15, 0, 0, time.UTC), codes: map[string]time.Time{},
		faults: map[int]fault{}, refuseAPI: func(string) bool { return false },
	}
	s.Server = httptest.NewServer(s)
	t.Cleanup(func() {
		s.Close()
		for _, m := range s.misuse {
			t.Error("misuse:", m)
		}
	})
	keepSecret(clientSecret)
	return s
}

func (s *strict) app() auth.App {
	return auth.App{Host: s.URL, ClientID: clientID, ClientSecret: clientSecret, RedirectURL: "https://example.com/callback"}
}

func (s *strict) clock() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *strict) pass(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
}

// grant is the browser's part of a login: the code, as the redirect would carry it.
func (s *strict) grant() (code string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	code = "stampNL001." + rand.Text() + "!Ex"
	keepSecret(code)
	s.codes[code] = s.now
	return code
}

// issue makes a pair as if somebody had logged in.
func (s *strict) issue() issued {
	pair := issued{"gAAAA" + rand.Text(), "Y2MN!IAAAA" + rand.Text() + "+/=", s.now}
	keepSecret(pair.access)
	keepSecret(pair.refresh)
	s.chain = append(s.chain, pair)
	return pair
}

func (s *strict) latest() issued {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.chain[len(s.chain)-1]
}

func (s *strict) count() (calls, early, reuses int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls, s.early, s.reuses
}

func (s *strict) fail(call int, f fault) { s.faults[call] = f }

func (s *strict) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch r.URL.Path {
	case "/api/oauth2/token":
		s.token(w, r)
	case "/api/v1/current/Me":
		s.me(w, r)
	case "/elsewhere":
		http.Redirect(w, r, "http://localhost:1/steal", http.StatusFound)
	default:
		http.NotFound(w, r)
	}
}

func (s *strict) me(w http.ResponseWriter, r *http.Request) {
	s.apiCalls++
	access, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	last := s.chain[len(s.chain)-1]
	if access != last.access || s.now.Sub(last.at) >= 600*time.Second || s.refuseAPI(access) {
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token",error_description="Signed%20data%20extraction%20has%20failed",Bearer`)
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	_, _ = fmt.Fprint(w, `{"d":{"results":[]}}`)
}

func (s *strict) token(w http.ResponseWriter, r *http.Request) {
	s.calls++
	f := s.faults[s.calls]
	if f.before != nil && f.before(w) {
		return
	}
	if err := r.ParseForm(); err != nil || r.Method != http.MethodPost || len(r.URL.RawQuery) > 0 ||
		r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" || r.Header.Get("Authorization") != "" {
		s.misuse = append(s.misuse, "a token call that is no plain form post")
	}
	if r.PostForm.Get("client_id") != clientID || r.PostForm.Get("client_secret") != clientSecret {
		refuse(w, http.StatusUnauthorized, "invalid_client", "")
		return
	}
	var pair issued
	switch r.PostForm.Get("grant_type") {
	case "authorization_code":
		made, ok := s.codes[r.PostForm.Get("code")]
		if !ok || s.now.Sub(made) > 3*time.Minute {
			refuse(w, http.StatusBadRequest, "invalid_request", "Signed data extraction has failed")
			return
		}
		delete(s.codes, r.PostForm.Get("code"))
		pair = s.issue()
	case "refresh_token":
		if !s.mayRefresh(w, r.PostForm.Get("refresh_token")) {
			return
		}
		pair = s.issue()
	default:
		refuse(w, http.StatusBadRequest, "unsupported_grant_type", "")
		return
	}
	if f.after != nil && f.after(w) {
		return
	}
	body := fmt.Sprintf(`{"access_token":%q,"token_type":"bearer","expires_in":"600","refresh_token":%q}`, pair.access, pair.refresh)
	if f.body != nil {
		body = f.body(pair)
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = fmt.Fprint(w, body)
}

func (s *strict) mayRefresh(w http.ResponseWriter, refresh string) bool {
	for n, pair := range s.chain {
		if pair.refresh != refresh {
			continue
		}
		switch {
		case n < len(s.chain)-1:
			s.reuses++
			refuse(w, http.StatusUnauthorized, "invalid_grant", "Old refresh token used.")
		case s.now.Sub(pair.at) < 570*time.Second:
			s.early++
			w.Header().Set("Reason", "TooEarlyToRefreshTokens: Rate limit exceeded: access_token not expired")
			refuse(w, http.StatusBadRequest, "access_denied", "Rate limit exceeded: access_token not expired")
		case s.now.Sub(pair.at) > 30*24*time.Hour:
			refuse(w, http.StatusBadRequest, "invalid_request", "The refresh token expired at 10/11/2022 9:18:20 PM and it is now 10/28/2022 4:15:50 PM.")
		default:
			return true
		}
		return false
	}
	s.misuse = append(s.misuse, "a refresh token that was never issued")
	refuse(w, http.StatusBadRequest, "invalid_grant", "Token is not allowed, because of invalid or empty chainId")
	return false
}

func refuse(w http.ResponseWriter, status int, code, words string) {
	body := map[string]string{"error": code}
	if words != "" {
		body["error_description"] = words
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// status answers with a status and a body and nothing more.
func status(code int, contentType, body string) func(http.ResponseWriter) bool {
	return func(w http.ResponseWriter) bool {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(code)
		_, _ = fmt.Fprint(w, body)
		return true
	}
}

// cut breaks the connection.
func cut(http.ResponseWriter) bool { panic(http.ErrAbortHandler) }

func redirected(base, code, state string) string {
	return base + "?code=" + strings.ReplaceAll(url.QueryEscape(code), "!", "%21") + "&state=" + url.QueryEscape(state)
}
