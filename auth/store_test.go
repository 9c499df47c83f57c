package auth_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"exactduck/auth"
	"exactduck/auth/authtest"
)

func TestFileStore(t *testing.T) {
	authtest.TestStore(t, func(t *testing.T) func() auth.Store {
		dir := filepath.Join(t.TempDir(), "state", "exactduck")
		return func() auth.Store { return auth.NewFile(dir, "https://start.exactonline.nl", clientID, log) }
	})
}

func TestFilesAreForTheirOwnerOnly(t *testing.T) {
	s := newSite(t)
	s.dir = filepath.Join(s.dir, "new")
	s.logsIn(t)
	for path, want := range map[string]os.FileMode{s.dir: 0o700, s.store().Path(): 0o600, s.store().Path() + ".lock": 0o600} {
		about, err := os.Stat(path)
		if err != nil || about.Mode().Perm() != want {
			t.Errorf("%s: %v %v, want %v", path, about.Mode(), err, want)
		}
	}
}

func TestEachHostAndClientHasAFileOfItsOwn(t *testing.T) {
	seen := map[string]string{}
	for _, host := range []string{"https://start.exactonline.nl", "https://start.exactonline.be", "http://127.0.0.1:8080", "https://../../etc"} {
		for _, client := range []string{"a", "b", "../../etc/passwd", "{b81c}", strings.Repeat("x", 400)} {
			path := auth.NewFile("/state", host, client, nil).Path()
			if filepath.Dir(path) != "/state" || len(filepath.Base(path)) > 150 {
				t.Errorf("%s %s: %s", host, client, path)
			}
			if other, taken := seen[path]; taken {
				t.Errorf("%s %s shares a file with %s", host, client, other)
			}
			seen[path] = host + " " + client
		}
	}
	if auth.NewFile("/state", "https://Start.ExactOnline.nl/", "a", nil).Path() != auth.NewFile("/state", "https://start.exactonline.nl", "a", nil).Path() {
		t.Error("two spellings of a host have two files")
	}
}

func TestAFileThatCannotBeTrustedIsNamedAndLeftAlone(t *testing.T) {
	for name, c := range map[string]struct {
		spoil  func(path string) error
		says   string
		advice string
	}{
		"cut off": {func(p string) error { return os.Truncate(p, 100) }, "is damaged", "mv "},
		"empty":   {func(p string) error { return os.Truncate(p, 0) }, "is damaged", "mv "},
		"two states": {func(p string) error {
			raw, err := os.ReadFile(p)
			return errors.Join(err, os.WriteFile(p, append(raw, raw...), 0o600))
		}, "is damaged", "mv "},
		"a later version": {func(p string) error { return os.WriteFile(p, []byte(`{"version":4}`), 0o600) }, "newer version", "update"},
		"a later field":   {func(p string) error { return os.WriteFile(p, []byte(`{"version":2,"sealed_by":true}`), 0o600) }, "is damaged", "mv "},
		"no refresh token": {func(p string) error {
			return os.WriteFile(p, []byte(`{"version":1,"now":{"access_token":"x"}}`), 0o600)
		}, "is damaged", "mv "},
		"readable by all": {func(p string) error { return os.Chmod(p, 0o644) }, "read by others", "chmod 600"},
		"a directory":     {func(p string) error { return errors.Join(os.Remove(p), os.Mkdir(p, 0o700)) }, "regular file", "move it"},
		"open directory":  {func(p string) error { return os.Chmod(filepath.Dir(p), 0o777) }, "others can write", "chmod 700"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			path := s.store().Path()
			if err := c.spoil(path); err != nil {
				t.Fatal(err)
			}
			before, _ := os.ReadFile(path)
			code := s.grant()
			_, loginErr := s.login(t, "", func(string) string { return code })
			saveErr := s.store().Locked(t.Context(), func(slot auth.Slot) error { return slot.Save(auth.State{}) })
			for _, err := range []error{s.transport(t).Fresh(t.Context()), loginErr, saveErr} {
				var damage *auth.StoreError
				if !errors.As(err, &damage) || damage.Path != path || !strings.Contains(err.Error(), c.says) || !strings.Contains(damage.Advice, c.advice) {
					t.Errorf("error %v", err)
				}
				say(err)
			}
			if after, _ := os.ReadFile(path); string(after) != string(before) {
				t.Error("the file was changed")
			}
			if calls, _, _ := s.count(); calls != 0 {
				t.Errorf("%d token calls", calls)
			}
		})
	}
}

func TestAStateDirectoryThatIsAFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	err := auth.NewFile(dir, "https://start.exactonline.nl", "a", nil).Locked(t.Context(), func(auth.Slot) error { return nil })
	if _, ok := errors.AsType[*auth.StoreError](err); !ok {
		t.Error(err)
	}
}

func TestWhatAKilledWriterLeftIsSwept(t *testing.T) {
	s := newSite(t)
	left := filepath.Join(s.dir, "."+filepath.Base(s.store().Path())+"123456")
	mine := filepath.Join(s.dir, ".other")
	for _, path := range []string{left, mine} {
		if err := os.WriteFile(path, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.works(t)
	if _, err := os.Stat(left); err == nil {
		t.Error("half a file with secrets is still there")
	}
	if _, err := os.Stat(mine); err != nil {
		t.Error("a stranger's file was removed")
	}
}

func TestDefaultDir(t *testing.T) {
	t.Setenv("HOME", "/home/x")
	for env, want := range map[string]string{
		"/state": "/state/exactduck", "": "/home/x/.local/state/exactduck", "relative": "/home/x/.local/state/exactduck",
	} {
		t.Setenv("XDG_STATE_HOME", env)
		if dir, err := auth.DefaultDir(); dir != want || err != nil {
			t.Error(env, dir, err)
		}
	}
}

func TestLogoutRemovesTheFile(t *testing.T) {
	s := newSite(t)
	for range 2 {
		if err := auth.Logout(t.Context(), s.store()); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		raw, _ := os.ReadFile(filepath.Join(s.dir, e.Name()))
		if found := leaks(string(raw)); len(found) > 0 {
			t.Errorf("%s still holds secrets", e.Name())
		}
	}
	st, err := auth.ReadStatus(t.Context(), s.store(), s.clock())
	if err != nil || st.LoggedIn || st.Cause != auth.NoLogin {
		t.Error(st, err)
	}
}

func TestUnmarshalNeverQuotes(t *testing.T) {
	secret := "very-secret-refresh"
	for _, raw := range []string{secret, `{"version":1,"now":` + secret, `{"` + secret + `":1}`, fmt.Sprintf(`{"version":%q}`, secret)} {
		if _, err := auth.Unmarshal([]byte(raw)); err == nil || strings.Contains(err.Error(), secret) {
			t.Error(err)
		}
	}
}

func FuzzUnmarshal(f *testing.F) {
	f.Add([]byte(`{"version":1,"now":{"access_token":"a","refresh_token":"r","expires_in":600}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		state, err := auth.Unmarshal(raw)
		if err != nil {
			return
		}
		again, err := auth.Marshal(state)
		if err != nil {
			return // a year beyond 9999 cannot be written
		}
		if _, err := auth.Unmarshal(again); err != nil {
			t.Error(err)
		}
	})
}
