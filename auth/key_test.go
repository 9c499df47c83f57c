package auth_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"exactduck/auth"
	"exactduck/auth/authtest"
)

// newKey makes a key whose text nobody may see.
func newKey(t *testing.T, older ...auth.Secret) (*auth.Key, auth.Secret) {
	t.Helper()
	text, err := auth.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	keepSecret(string(text))
	for _, k := range older {
		text += "\n" + k
	}
	key, err := auth.ParseKey(text)
	if err != nil {
		t.Fatal(err)
	}
	return key, text
}

func TestEncryptedFileStore(t *testing.T) {
	key, _ := newKey(t)
	authtest.TestStore(t, func(t *testing.T) func() auth.Store {
		dir := filepath.Join(t.TempDir(), "state", "exactduck")
		return func() auth.Store {
			return auth.NewEncryptedFile(dir, "https://start.exactonline.nl", clientID, key, log)
		}
	})
}

func TestWhatIsNoKey(t *testing.T) {
	_, text := newKey(t)
	for _, no := range []auth.Secret{"", "a passphrase", text[:len(text)-1], text + "x", "age1" + text[20:]} {
		_, err := auth.ParseKey(no)
		if !errors.Is(err, auth.ErrKey) || no != "" && strings.Contains(err.Error(), string(no)) {
			t.Errorf("%v", err)
		}
	}
	key, err := auth.ParseKey("# created: 2026-11-21\n# public key: age1…\n" + text + "\n")
	if err != nil {
		t.Fatal("as age-keygen writes it:", err)
	}
	say(key)
	if shows := fmt.Sprintf("%v %+v %#v %s", key, key, key, key); strings.Contains(strings.ToUpper(shows), "KEY-1") || strings.Contains(shows, "age1") {
		t.Error("a key shows")
	}
}

// inForm says which store opens the login of a site.
func (s *site) inForm(key *auth.Key) *auth.File {
	if key == nil {
		return s.store()
	}
	return auth.NewEncryptedFile(s.dir, s.URL, clientID, key, log)
}

func (s *site) raw(t *testing.T) string {
	t.Helper()
	raw, err := os.ReadFile(s.store().Path())
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// loggedIn fails the test unless the store holds the login.
func (s *site) loggedIn(t *testing.T, store auth.Store) {
	t.Helper()
	st, err := auth.ReadStatus(t.Context(), store, s.clock())
	if err != nil || !st.LoggedIn {
		t.Fatal(st, err)
	}
}

func TestALoginIsEncryptedWhenItIsFirstUsed(t *testing.T) {
	s := newSite(t)
	key, _ := newKey(t)
	if len(leaks(s.raw(t))) == 0 {
		t.Fatal("the login is not plain to begin with")
	}
	s.loggedIn(t, s.inForm(key))
	if found := leaks(s.raw(t)); len(found) > 0 || !strings.HasPrefix(s.raw(t), "-----BEGIN AGE") {
		t.Error("the login is still plain")
	}
	about, err := os.Stat(s.store().Path())
	if err != nil || about.Mode().Perm() != 0o600 {
		t.Error(about.Mode(), err)
	}
	s.loggedIn(t, auth.NewDecryptedFile(s.dir, s.URL, clientID, key, log))
	if len(leaks(s.raw(t))) == 0 {
		t.Error("the login is still encrypted")
	}
	s.works(t)
}

func TestAKeyIsReplacedByPuttingTheNewOneFirst(t *testing.T) {
	s := newSite(t)
	old, oldText := newKey(t)
	s.loggedIn(t, s.inForm(old))
	both, text := newKey(t, oldText)
	state := s.loadFrom(t, s.inForm(both))
	s.saveTo(t, s.inForm(both), state)
	alone, err := auth.ParseKey(auth.Secret(strings.Split(string(text), "\n")[0]))
	if err != nil {
		t.Fatal(err)
	}
	s.loggedIn(t, s.inForm(alone))
}

func (s *site) loadFrom(t *testing.T, store auth.Store) (state auth.State) {
	t.Helper()
	err := store.Locked(t.Context(), func(slot auth.Slot) (err error) {
		state, err = slot.Load()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return state
}

func (s *site) saveTo(t *testing.T, store auth.Store, state auth.State) {
	t.Helper()
	if err := store.Locked(t.Context(), func(slot auth.Slot) error { return slot.Save(state) }); err != nil {
		t.Fatal(err)
	}
}

func TestAnEncryptedLoginIsNotOverwrittenWithoutItsKey(t *testing.T) {
	right, _ := newKey(t)
	wrong, _ := newKey(t)
	for name, c := range map[string]struct {
		key    *auth.Key
		spoil  func(path string) error
		says   string
		advice string
	}{
		"another key": {wrong, nil, "encrypted with another key", "token_key"},
		"no key":      {nil, nil, "is encrypted", "token_key"},
		"cut off":     {right, func(p string) error { return os.Truncate(p, 300) }, "is damaged", "mv "},
		"flipped": {right, func(p string) error {
			raw, err := os.ReadFile(p)
			raw[len(raw)-60] ^= 2
			return errors.Join(err, os.WriteFile(p, raw, 0o600))
		}, "is damaged", "mv "},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			s.loggedIn(t, s.inForm(right))
			if c.spoil != nil {
				if err := c.spoil(s.store().Path()); err != nil {
					t.Fatal(err)
				}
			}
			before := s.raw(t)
			o := s.options()
			o.Store = s.inForm(c.key)
			tr, err := auth.New(o)
			if err != nil {
				t.Fatal(err)
			}
			save := o.Store.Locked(t.Context(), func(slot auth.Slot) error { return slot.Save(auth.State{}) })
			for _, err := range []error{tr.Fresh(t.Context()), save} {
				damage, ok := errors.AsType[*auth.StoreError](err)
				if !ok || !strings.Contains(err.Error(), c.says) || !strings.Contains(damage.Advice, c.advice) {
					t.Errorf("error %v", err)
				}
				say(err)
			}
			if s.raw(t) != before {
				t.Error("the file was changed")
			}
			if calls, _, _ := s.count(); calls != 0 {
				t.Errorf("%d token calls", calls)
			}
		})
	}
}

// On a disk that fills up during a refresh the answer goes into the reserve, encrypted too.
func TestAnEncryptedLoginSurvivesAFullDisk(t *testing.T) {
	s := newSite(t)
	key, _ := newKey(t)
	s.loggedIn(t, s.inForm(key))
	s.saveTo(t, s.inForm(key), s.loadFrom(t, s.inForm(key)))
	s.pass(600 * time.Second)
	file := s.inForm(key)
	writes := 0
	file.FillDisk(func() error {
		if writes++; writes > 1 {
			return errors.New("no space left on device")
		}
		return nil
	})
	o := s.options()
	o.Store = file
	tr, err := auth.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := tr.Fresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := s.loadFrom(t, s.inForm(key)); string(got.Now.Refresh) != s.latest().refresh {
		t.Error("the answer was lost")
	}
}
