package auth_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"exactduck/auth"
)

// shown is everything that the tests of this package saw the package say; hush is everything
// that it must not say.
var shown, hush = struct {
	sync.Mutex
	bytes.Buffer
}{}, struct {
	sync.Mutex
	words map[string]bool
}{words: map[string]bool{}}

func keepSecret(s string) {
	hush.Lock()
	defer hush.Unlock()
	hush.words[s], hush.words[url.QueryEscape(s)], hush.words[url.PathEscape(s)] = true, true, true
}

// say records output that a user could see.
func say(what any) {
	shown.Lock()
	defer shown.Unlock()
	fmt.Fprintf(&shown.Buffer, "%v\n%+v\n%#v\n", what, what, what)
}

type recorder struct{}

func (recorder) Write(p []byte) (int, error) {
	shown.Lock()
	defer shown.Unlock()
	return shown.Write(p)
}

var log = slog.New(slog.NewTextHandler(recorder{}, &slog.HandlerOptions{Level: slog.LevelDebug}))

// leaks returns the secrets that text holds.
func leaks(text string) (found []string) {
	const beginning = 12 // campaigns use so many secrets that each cannot be looked for by itself
	byBeginning := map[string][]string{}
	for word := range hush.words {
		if len(word) >= beginning {
			byBeginning[word[:beginning]] = append(byBeginning[word[:beginning]], word)
		} else if strings.Contains(text, word) {
			found = append(found, word)
		}
	}
	for at := range max(0, len(text)-beginning+1) {
		for _, word := range byBeginning[text[at:at+beginning]] {
			if strings.HasPrefix(text[at:], word) {
				found = append(found, word)
			}
		}
	}
	return found
}

func TestMain(m *testing.M) {
	auth.Weaken()
	if os.Getenv("AUTH_CHILD") != "" {
		os.Exit(child())
	}
	code := m.Run()
	if found := leaks(shown.String()); len(found) > 0 {
		fmt.Fprintf(os.Stderr, "FAIL: %d secrets were shown in logs or errors\n", len(found))
		code = 1
	}
	if len(hush.words) > 0 && shown.Len() == 0 {
		fmt.Fprintln(os.Stderr, "FAIL: nothing was recorded, so nothing was checked for secrets")
		code = 1
	}
	os.Exit(code)
}

// site is a server with a login in a directory of its own.
type site struct {
	*strict
	dir string
	key auth.Secret // of the login, when it is encrypted
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{strict: newStrict(t), dir: t.TempDir()}
	s.mu.Lock()
	pair := s.issue()
	s.mu.Unlock()
	s.save(t, auth.State{
		Host: s.URL, ClientID: clientID, LoggedInAt: pair.at,
		Now: &auth.Token{
			Access: auth.Secret(pair.access), Refresh: auth.Secret(pair.refresh), AskedAt: pair.at,
			ObtainedAt: pair.at, Life: 600 * time.Second,
		},
	})
	return s
}

func (s *site) store() *auth.File { return openStore(s.dir, s.URL, s.key, log) }

func openStore(dir, host string, key auth.Secret, log *slog.Logger) *auth.File {
	if key == "" {
		return auth.NewFile(dir, host, clientID, log)
	}
	k, err := auth.ParseKey(key)
	if err != nil {
		panic(err)
	}
	return auth.NewEncryptedFile(dir, host, clientID, k, log)
}

func (s *site) options() auth.Options {
	return auth.Options{
		App: s.app(), Store: s.store(), Base: s.Client().Transport, Clock: s.clock, Log: log,
		Command: "exactduck test", RetryWait: time.Millisecond,
	}
}

func (s *site) transport(t *testing.T) *auth.Transport {
	t.Helper()
	tr, err := auth.New(s.options())
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func (s *site) save(t *testing.T, state auth.State) {
	t.Helper()
	if err := s.store().Locked(t.Context(), func(slot auth.Slot) error { return slot.Save(state) }); err != nil {
		t.Fatal(err)
	}
}

func (s *site) load(t *testing.T) (state auth.State) {
	t.Helper()
	err := s.store().Locked(context.Background(), func(slot auth.Slot) (err error) {
		state, err = slot.Load()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	say(state)
	return state
}

// get asks for current/Me and returns its status, or the error.
func get(ctx context.Context, tr http.RoundTripper, address string) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, err
	}
	resp, err := (&http.Client{Transport: tr}).Do(req)
	if err != nil {
		say(err)
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}

func (s *site) me(t *testing.T, tr *auth.Transport) (int, error) {
	t.Helper()
	return get(t.Context(), tr, s.URL+"/api/v1/current/Me")
}

// works fails the test unless the login is good, now and after the next refresh.
func (s *site) works(t *testing.T) {
	t.Helper()
	for range 2 {
		if code, err := s.me(t, s.transport(t)); code != http.StatusOK {
			t.Fatalf("the login does not work: %d %v", code, err)
		}
		s.pass(580 * time.Second)
	}
}
