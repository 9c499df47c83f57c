package auth_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"exactduck/auth"
)

const payEmail, payPassword, payApplication = "ann@shop.example", "E*3q&87uBHc5xiIs", "duck"

// shop is a token server of Exact Payments.
type shop struct {
	*httptest.Server
	t   *testing.T
	dir string

	mu        sync.Mutex
	n         int
	users     map[string]time.Time // their tokens, and until when they live
	tokens    []auth.PayPermit
	secret    map[string]string // of a token: its id
	permitted []string
	self      bool   // application tokens may list and delete
	home      string // what the user belongs to
	page      int    // tokens in an answer; 0: all, whatever is asked for
	answer    func(r *http.Request, after bool) int
	now       time.Time
	paths     []string
}

func newShop(t *testing.T) *shop {
	s := &shop{
		t: t, dir: t.TempDir(), users: map[string]time.Time{}, secret: map[string]string{},
		permitted: []string{"accounts.read", "charges.read", "customers.read", "charges.create"}, now: time.Date(2026, 11, 21, 4, 0, 0, 0, time.UTC),
	}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	keepSecret(payPassword)
	return s
}

func (s *shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.paths = append(s.paths, r.Method+" "+r.URL.Path)
	if s.answer != nil {
		if code := s.answer(r, false); code != 0 {
			http.Error(w, "no "+r.Header.Get("Authorization"), code)
			return
		}
	}
	reply := func(code int, v any) {
		if s.answer != nil && s.answer(r, true) != 0 {
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_ = json.NewEncoder(w).Encode(v)
	}
	var asked struct {
		Email, Password, Application, Label string
		Permissions                         []string
	}
	_ = json.NewDecoder(r.Body).Decode(&asked)
	s.n++
	if r.URL.Path == "/token" {
		switch {
		case asked.Application != payApplication:
			http.Error(w, "Application not found", http.StatusNotFound)
		case asked.Email != payEmail || asked.Password != payPassword:
			http.Error(w, "Unauthorized: "+asked.Password, http.StatusUnauthorized)
		default:
			token := fmt.Sprintf("user-token-%024x", s.n)
			keepSecret(token)
			s.users[token] = s.now.Add(time.Hour)
			reply(http.StatusCreated, map[string]any{"token": token, "account": s.home, "allowedPermissions": s.permitted, "expiresAt": s.now.Add(time.Hour).Format(time.RFC3339Nano)})
		}
		return
	}
	carried := r.Header.Get("Authorization")
	until, user := s.users[carried]
	if valid := user && s.now.Before(until) || s.self && s.secret[carried] != ""; !valid {
		http.Error(w, "Unauthorized", http.StatusUnauthorized)
		return
	}
	switch r.Method {
	case http.MethodPost:
		id, token := fmt.Sprintf("%024x", s.n), fmt.Sprintf("application-token-%032x", s.n)
		keepSecret(token)
		s.tokens = append(s.tokens, auth.PayPermit{ID: id, Label: asked.Label, Permissions: asked.Permissions, CreatedAt: s.now.Format(time.RFC3339)})
		s.secret[token] = id
		reply(http.StatusCreated, map[string]any{"id": id, "token": token, "mode": "test", "allowedPermissions": asked.Permissions})
	case http.MethodGet:
		from, most := 0, len(s.tokens)
		if s.page > 0 {
			from, _ = strconv.Atoi(r.URL.Query().Get("$skip"))
			from, most = min(from, most), s.page
		}
		reply(http.StatusOK, s.tokens[from:min(from+most, len(s.tokens))])
	case http.MethodDelete:
		id := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
		s.tokens = slices.DeleteFunc(s.tokens, func(p auth.PayPermit) bool { return p.ID == id })
		reply(http.StatusNoContent, nil)
	}
}

func (s *shop) options() auth.PayOptions {
	app := auth.PayApp{Host: s.URL, Application: payApplication}
	return auth.PayOptions{
		App: app, Store: auth.NewFile(s.dir, s.URL, app.ID(), log), Clock: func() time.Time { return s.now }, Log: log, Command: "exactduck test",
	}
}

var reading = []string{"accounts.read", "charges.read", "events.read"}

func (s *shop) login() (auth.PayLoggedIn, error) {
	in, err := auth.PayLogin(s.t.Context(), s.options(), auth.PayUser{Email: payEmail, Password: payPassword}, reading)
	say(in)
	say(err)
	return in, err
}

func (s *shop) status() auth.Status {
	s.t.Helper()
	st, err := auth.ReadStatus(s.t.Context(), s.options().Store, s.now)
	if err != nil {
		s.t.Fatal(err)
	}
	return st
}

// balanced fails the test unless whatever is at the server is stored here or traced.
func (s *shop) balanced() {
	s.t.Helper()
	st := s.status()
	for _, t := range s.tokens {
		if t.Label != st.Label && !slices.ContainsFunc(st.Leftovers, func(l auth.Leftover) bool { return l.Label == t.Label }) {
			s.t.Errorf("a token %q is at the server, and nothing here tells", t.Label)
		}
	}
}

func TestAnApplicationTokenMayOnlyWhatIsRead(t *testing.T) {
	s := newShop(t)
	in, err := s.login()
	if err != nil || !in.LoggedIn || !in.Lasting || !slices.Equal(in.Permissions, reading[:2]) || !slices.Equal(in.Lacking, reading[2:]) {
		t.Fatalf("%+v, %v", in, err)
	}
	if len(s.tokens) != 1 || !slices.Equal(s.tokens[0].Permissions, reading[:2]) {
		t.Errorf("the server made %+v", s.tokens)
	}
	again, err := s.login()
	if err != nil || again.Label == in.Label || len(s.tokens) != 1 || s.tokens[0].Label != again.Label || len(again.Leftovers) != 0 {
		t.Errorf("after a second login %+v, %v, and the server has %+v", again, err, s.tokens)
	}
	token, err := auth.PayToken(t.Context(), s.options())
	if err != nil || s.secret[string(token)] != s.tokens[0].ID {
		t.Errorf("the stored token is another, %v", err)
	}
}

func TestATokenIsForOneHostAndGoesAsItIs(t *testing.T) {
	s := newShop(t)
	if _, err := s.login(); err != nil {
		t.Fatal(err)
	}
	s.self = true
	permits, err := auth.PayPermits(t.Context(), s.options(), "")
	if err != nil || len(permits) != 1 {
		t.Errorf("%+v, %v", permits, err)
	}
	tr, err := auth.NewPayTransport(s.URL, "abc", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := get(t.Context(), tr, "http://127.0.0.2:1/payments"); err == nil || !strings.Contains(err.Error(), "belongs to") {
		t.Errorf("another host: %v", err)
	}
	for _, bad := range []auth.Secret{"", "a b", "a\nb"} {
		if _, err := auth.NewPayTransport(s.URL, bad, nil); !errors.Is(err, auth.ErrAppRefused) {
			t.Errorf("a token that cannot be one: %v", err)
		}
	}
	if _, err := auth.NewPayTransport("http://api.example", "abc", nil); err == nil {
		t.Error("a token would go over the network in clear")
	}
}

func TestWhatALoginAtExactPaymentsIsRefusedFor(t *testing.T) {
	s := newShop(t)
	for code, want := range map[int]auth.Cause{401: auth.WrongPassword, 403: auth.PasswordExpired, 404: auth.NoSuchApplication, 423: auth.LockedOut} {
		s.answer = func(*http.Request, bool) int { return code }
		_, err := s.login()
		no, ok := errors.AsType[*auth.LoginError](err)
		if !ok || no.Cause != want {
			t.Errorf("%d: %v", code, err)
		}
	}
	for _, code := range []int{302, 500, 503} {
		s.answer = func(*http.Request, bool) int { return code }
		if _, err := s.login(); err == nil || !errors.As(err, new(*auth.UnavailableError)) {
			t.Errorf("%d: %v", code, err)
		}
	}
	s.answer = func(r *http.Request, _ bool) int {
		if strings.HasPrefix(r.URL.Path, "/application") {
			return 401
		}
		return 0
	}
	if _, err := s.login(); !errors.Is(err, auth.ErrLoginRequired) || len(s.status().Leftovers) != 0 {
		t.Errorf("a user who may not make tokens: %v, %+v", err, s.status().Leftovers)
	}
	s.answer, s.permitted = nil, []string{"charges.create"}
	if _, err := s.login(); !errors.Is(err, auth.ErrLoginRequired) || len(s.tokens) != 0 {
		t.Errorf("a user who may read nothing: %v, %+v", err, s.tokens)
	}
}

func TestAnAnswerThatIsLostLeavesNoToken(t *testing.T) {
	s := newShop(t)
	lose := 1
	s.answer = func(r *http.Request, after bool) int {
		if after && r.Method == http.MethodPost && r.URL.Path != "/token" && lose > 0 {
			lose--
			return 500
		}
		return 0
	}
	if _, err := s.login(); !errors.As(err, new(*auth.UnavailableError)) {
		t.Fatal(err)
	}
	if len(s.tokens) != 0 || len(s.status().Leftovers) != 0 || s.status().LoggedIn {
		t.Errorf("the server has %+v, and here is %+v", s.tokens, s.status())
	}
	lose = 1
	s.answer = func(r *http.Request, after bool) int {
		if after && r.Method == http.MethodPost && r.URL.Path != "/token" || lose == 0 && r.Method == http.MethodGet {
			lose = 0
			return 500
		}
		return 0
	}
	if _, err := s.login(); err == nil || len(s.tokens) != 1 || len(s.status().Leftovers) != 1 {
		t.Errorf("%v, the server has %+v, and here is %+v", err, s.tokens, s.status())
	}
	s.balanced()
	s.answer = nil
	if in, err := s.login(); err != nil || len(s.tokens) != 1 || in.Label != s.tokens[0].Label || len(in.Leftovers) != 0 {
		t.Errorf("the next login: %+v, %v, the server has %+v", in, err, s.tokens)
	}
}

func TestLogoutDeletesTheTokenAtTheVendor(t *testing.T) {
	s := newShop(t)
	if _, err := s.login(); err != nil {
		t.Fatal(err)
	}
	err := auth.PayLogout(t.Context(), s.options(), auth.PayUser{})
	if no, ok := errors.AsType[*auth.LoginError](err); !ok || no.Cause != auth.NotAllowed || !s.status().LoggedIn {
		t.Fatalf("a token that may not delete itself: %v", err)
	}
	if err := auth.PayLogout(t.Context(), s.options(), auth.PayUser{Email: payEmail, Password: payPassword}); err != nil || len(s.tokens) != 0 || s.status().LoggedIn {
		t.Errorf("%v, the server has %+v", err, s.tokens)
	}
	if _, err := s.login(); err != nil {
		t.Fatal(err)
	}
	s.self = true
	if err := auth.PayLogout(t.Context(), s.options(), auth.PayUser{}); err != nil || len(s.tokens) != 0 || s.status().LoggedIn {
		t.Errorf("%v, the server has %+v", err, s.tokens)
	}
	if err := auth.PayLogout(t.Context(), s.options(), auth.PayUser{}); err != nil {
		t.Errorf("without a login: %v", err)
	}
}

func TestTokensForAnAccount(t *testing.T) {
	s := newShop(t)
	o := s.options()
	o.App.Account = strings.Repeat("a", 24)
	o.Store = auth.NewFile(s.dir, s.URL, o.App.ID(), log)
	if _, err := auth.PayLogin(t.Context(), o, auth.PayUser{Email: payEmail, Password: payPassword}, reading); err != nil {
		t.Fatal(err)
	}
	if want := "POST /application/duck/account/" + o.App.Account + "/token"; !slices.Contains(s.paths, want) {
		t.Errorf("%q was not asked among %q", want, s.paths)
	}
	if s.status().LoggedIn {
		t.Error("the application's own login is that of an account")
	}
	s.paths, s.home = nil, o.App.Account
	if in, err := auth.PayLogin(t.Context(), o, auth.PayUser{Email: payEmail, Password: payPassword}, reading); err != nil || in.Mode != "test" {
		t.Fatalf("%+v, %v", in, err)
	}
	if want := "POST /application/duck/token"; !slices.Contains(s.paths, want) {
		t.Errorf("a user of that account asked %q, without %q", s.paths, want)
	}
}

// How many tokens are in one answer is not known: one that nobody knows the id of is looked for in all.
func TestTokensOnLaterPagesAreFound(t *testing.T) {
	s := newShop(t)
	for i := range 7 {
		s.tokens = append(s.tokens, auth.PayPermit{ID: fmt.Sprint("other", i), Label: "of somebody else"})
	}
	lost := false
	s.answer = func(r *http.Request, after bool) int {
		if after && r.Method == http.MethodPost && r.URL.Path != "/token" && !lost {
			lost = true
			return 500
		}
		if lost && r.Method == http.MethodGet {
			return 500
		}
		return 0
	}
	if _, err := s.login(); err == nil || len(s.tokens) != 8 || len(s.status().Leftovers) != 1 {
		t.Fatalf("%v, the server has %+v, and here is %+v", err, s.tokens, s.status())
	}
	s.answer, s.page = nil, 3
	if in, err := s.login(); err != nil || len(s.tokens) != 8 || len(in.Leftovers) != 0 || s.tokens[7].Label != in.Label {
		t.Errorf("%+v, %v, the server has %+v", in, err, s.tokens)
	}
	s.self = true
	if permits, err := auth.PayPermits(t.Context(), s.options(), ""); err != nil || len(permits) != 8 {
		t.Errorf("%d of 8 tokens are listed, %v", len(permits), err)
	}
}

// payChild is what a child process of TestKilledAtEveryStepOfAPayLogin does.
func payChild(o auth.Options, do string) error {
	app := auth.PayApp{Host: o.App.Host, Application: payApplication}
	p := auth.PayOptions{App: app, Store: auth.NewFile(os.Getenv("AUTH_DIR"), app.Host, app.ID(), o.Log), Clock: o.Clock, Log: o.Log}
	user := auth.PayUser{Email: payEmail, Password: payPassword}
	if do == "pay logout" {
		return auth.PayLogout(context.Background(), p, user)
	}
	_, err := auth.PayLogin(context.Background(), p, user, reading)
	return err
}

func TestKilledAtEveryStepOfAPayLogin(t *testing.T) {
	for _, do := range []string{"pay login", "pay logout"} {
		at := 1
		for ; ; at++ {
			s := newShop(t)
			if _, err := s.login(); err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), os.Args[0])
			cmd.Env = append(os.Environ(), "AUTH_CHILD=1", "AUTH_DO="+do, "AUTH_DIR="+s.dir, "AUTH_HOST="+s.URL,
				"AUTH_NOW="+s.now.Format(time.RFC3339Nano), fmt.Sprintf("AUTH_KILL=%d", at))
			out, err := cmd.CombinedOutput()
			if err == nil {
				break
			}
			s.balanced()
			if in, err := s.login(); err != nil || len(s.tokens) != 1 || in.Label != s.tokens[0].Label || len(in.Leftovers) != 0 {
				t.Errorf("%s, killed at record %d (%s): the next login is %+v, %v, and the server has %+v", do, at, out, in, err, s.tokens)
			}
			if err := auth.PayLogout(t.Context(), s.options(), auth.PayUser{Email: payEmail, Password: payPassword}); err != nil || len(s.tokens) != 0 {
				t.Errorf("%s, killed at record %d: logout %v, and the server has %+v", do, at, err, s.tokens)
			}
		}
		if at < 5 {
			t.Errorf("%s has only %d steps", do, at-1)
		}
	}
}

func TestAnApplicationTokenNeverShows(t *testing.T) {
	const word = "4b757cf8f34660db39e26b147bd2c830"
	token := auth.ApplicationToken{Token: word}
	state := auth.State{Application: &token}
	for _, v := range []any{token, &token, state, auth.PayUser{Password: word}} {
		text := fmt.Sprintf("%v %+v %#v %s %x", v, v, v, v, v)
		raw, _ := json.Marshal(v)
		if strings.Contains(text+string(raw), word) || strings.Contains(text, fmt.Sprintf("%x", word)) {
			t.Errorf("%T shows it", v)
		}
	}
	var out strings.Builder
	slog.New(slog.NewTextHandler(&out, nil)).InfoContext(t.Context(), "v", "value", token)
	if strings.Contains(out.String(), word) {
		t.Error("the log shows it")
	}
}

func TestStoredFormats(t *testing.T) {
	pair := auth.State{Host: "h", Now: &auth.Token{Refresh: "r"}}
	application := auth.State{Host: "h", Application: &auth.ApplicationToken{ID: "1", Token: "t", Permissions: []string{"charges.read"}}, Leftovers: []auth.Leftover{{Label: "l"}}}
	for state, version := range map[*auth.State]string{&pair: `"version": 2`, &application: `"version": 3`} {
		raw, err := auth.Marshal(*state)
		if err != nil || !strings.Contains(string(raw), version) {
			t.Errorf("%s, %v", version, err)
		}
		back, err := auth.Unmarshal(raw)
		if err != nil || (back.Application == nil) != (state.Application == nil) || len(back.Leftovers) != len(state.Leftovers) {
			t.Errorf("%+v, %v", back, err)
		}
	}
	if _, err := auth.Unmarshal([]byte(`{"version": 4}`)); err == nil {
		t.Error("a later format is read")
	}
}
