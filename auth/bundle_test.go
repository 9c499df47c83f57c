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
)

const bundlePassphrase = "correct horse battery staple"

// other is another machine: the same app, and a directory of its own.
func (s *site) other(t *testing.T) *site {
	t.Helper()
	keepSecret(bundlePassphrase)
	return &site{strict: s.strict, dir: t.TempDir()}
}

func (s *site) exports(t *testing.T, to string) {
	t.Helper()
	st, err := auth.Export(t.Context(), s.options(), to, bundlePassphrase)
	if err != nil || st.LoggedIn || st.Cause != auth.Sealed {
		t.Fatal(st, err)
	}
}

func (s *site) imports(t *testing.T, from string) auth.Imported {
	t.Helper()
	done, err := auth.Import(t.Context(), s.options(), from, bundlePassphrase, false)
	if err != nil || !done.Status.LoggedIn {
		t.Fatal(done, err)
	}
	return done
}

// sealed fails the test unless the login is refused for having been exported, without a call.
func (s *site) sealed(t *testing.T) {
	t.Helper()
	before, _, _ := s.count()
	_, err := s.me(t, s.transport(t))
	login, ok := errors.AsType[*auth.LoginError](err)
	if !ok || login.Cause != auth.Sealed || login.Moved == nil || !errors.Is(err, auth.ErrLoginRequired) {
		t.Fatalf("a sealed login: %v", err)
	}
	if after, _, _ := s.count(); after != before {
		t.Error("a sealed login made a token call")
	}
}

func TestALoginMovesAndMovesBack(t *testing.T) {
	here := newSite(t)
	there := here.other(t)
	first, second := filepath.Join(t.TempDir(), "login.age"), filepath.Join(t.TempDir(), "back.age")

	here.exports(t, first)
	raw, err := os.ReadFile(first)
	if found := leaks(string(raw)); err != nil || len(found) > 0 {
		t.Error("the bundle shows secrets", err)
	}
	if about, err := os.Stat(first); err != nil || about.Mode().Perm() != 0o600 {
		t.Error(about.Mode(), err)
	}
	here.sealed(t)
	here.pass(600 * time.Second)
	here.sealed(t)
	if done := there.imports(t, first); done.Already || done.Exported.ID == "" {
		t.Errorf("%+v", done)
	}
	there.works(t)
	here.sealed(t)

	// The same bundle once more: the tokens there are newer, and stay.
	if done := there.imports(t, first); !done.Already {
		t.Errorf("%+v", done)
	}
	there.works(t)

	there.exports(t, second)
	there.sealed(t)
	if done, err := auth.Import(t.Context(), there.options(), first, bundlePassphrase, true); err != nil || !done.Already || done.Status.LoggedIn {
		t.Error("an old bundle woke a sealed login:", done, err)
	}
	here.imports(t, second)
	here.works(t)
	there.sealed(t)
	if _, early, reuses := here.count(); early+reuses > 0 {
		t.Errorf("%d too early, %d reuses", early, reuses)
	}
}

func TestASealedLoginIsTakenBackByItsOwnBundle(t *testing.T) {
	s := newSite(t)
	file := filepath.Join(t.TempDir(), "login.age")
	s.exports(t, file)
	s.imports(t, file)
	s.works(t)
}

func TestASealedLoginIsExportedAgain(t *testing.T) {
	here := newSite(t)
	there := here.other(t)
	lost, again := filepath.Join(t.TempDir(), "lost.age"), filepath.Join(t.TempDir(), "again.age")
	here.exports(t, lost)
	here.exports(t, again)
	there.imports(t, again)
	if done := there.imports(t, lost); !done.Already {
		t.Error("two bundles of one export are two logins")
	}
	there.works(t)
}

func TestLoggingInOpensASealedStore(t *testing.T) {
	s := newSite(t)
	s.exports(t, filepath.Join(t.TempDir(), "login.age"))
	s.logsIn(t)
	s.works(t)
}

func TestTokenCallsMoveAlong(t *testing.T) {
	here := newSite(t)
	there := here.other(t)
	here.pass(600 * time.Second)
	here.works(t)
	file := filepath.Join(t.TempDir(), "login.age")
	here.exports(t, file)
	want := here.load(t).Calls.Count
	if got := there.imports(t, file).Status.CallsToday; want == 0 || got != want {
		t.Errorf("%d token calls there, %d here", got, want)
	}
}

func TestWhatCannotBeExportedOrImported(t *testing.T) {
	s := newSite(t)
	dir := t.TempDir()
	good, cut, empty := filepath.Join(dir, "good.age"), filepath.Join(dir, "cut.age"), s.other(t)
	from := s.other(t)
	from.save(t, s.load(t))
	from.exports(t, good)
	raw, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(cut, raw[:len(raw)-200], 0o600); err != nil {
		t.Fatal(err)
	}
	foreign := empty.options()
	foreign.App.ClientID = "{another}"
	foreign.Store = auth.NewFile(empty.dir, foreign.App.Host, foreign.App.ClientID, log)

	export := func(to string, pass auth.Secret) func() error {
		return func() error { _, err := auth.Export(t.Context(), s.options(), to, pass); return err }
	}
	take := func(o auth.Options, from string, pass auth.Secret) func() error {
		return func() error { _, err := auth.Import(t.Context(), o, from, pass, false); return err }
	}
	for name, c := range map[string]struct {
		do     func() error
		says   string
		person bool
	}{
		"short passphrase":  {export(filepath.Join(dir, "new.age"), "short"), "at least 12", true},
		"a file is there":   {export(good, bundlePassphrase), "exists already", true},
		"no such folder":    {export(filepath.Join(dir, "no", "new.age"), bundlePassphrase), "cannot be written", false},
		"no such file":      {take(empty.options(), filepath.Join(dir, "no.age"), bundlePassphrase), "cannot be read", false},
		"a folder":          {take(empty.options(), dir, bundlePassphrase), "is no bundle", true},
		"a login file":      {take(empty.options(), s.store().Path(), bundlePassphrase), "is no bundle", true},
		"cut off":           {take(empty.options(), cut, bundlePassphrase), "is damaged", false},
		"wrong passphrase":  {take(empty.options(), good, "another passphrase"), "does not open", true},
		"another app":       {take(foreign, good, bundlePassphrase), "another app", true},
		"a live login here": {take(s.options(), good, bundlePassphrase), "a login that works here", true},
	} {
		t.Run(name, func(t *testing.T) {
			err := c.do()
			say(err)
			no, ok := errors.AsType[*auth.BundleError](err)
			if !ok || !strings.Contains(err.Error(), c.says) || no.Advice == "" || no.Person != c.person {
				t.Errorf("%v", err)
			}
		})
	}
	s.works(t) // none of this has sealed or replaced it
	if st, err := auth.ReadStatus(t.Context(), empty.store(), s.clock()); err != nil || st.LoggedIn {
		t.Error(st, err)
	}
	if _, err := auth.Export(t.Context(), empty.options(), filepath.Join(dir, "none.age"), bundlePassphrase); !errors.Is(err, auth.ErrLoginRequired) {
		t.Error("without a login:", err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".exactduck-export-*")); len(left) > 0 {
		t.Error("left behind:", left)
	}
}

func TestABundleLapses(t *testing.T) {
	here := newSite(t)
	there := here.other(t)
	file := filepath.Join(t.TempDir(), "login.age")
	here.exports(t, file)
	here.pass(31 * 24 * time.Hour)
	_, err := auth.Import(t.Context(), there.options(), file, bundlePassphrase, false)
	if no, ok := errors.AsType[*auth.BundleError](err); !ok || !strings.Contains(no.Problem, "30 days") {
		t.Error(err)
	}
}

// A disk that is full where the bundle goes seals nothing; one that fails later loses nothing.
func TestAFullDiskUnderAnExport(t *testing.T) {
	s := newSite(t)
	there := s.other(t)
	full := errors.New("no space left on device")
	store := s.store()
	store.FillDisk(func() error { return full })
	if err := os.Remove(store.Path() + ".reserve"); err != nil {
		t.Fatal(err)
	}
	o := s.options()
	o.Store = store
	file := filepath.Join(t.TempDir(), "login.age")
	if _, err := auth.Export(t.Context(), o, file, bundlePassphrase); err == nil {
		t.Fatal("a login that cannot be sealed was exported")
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("there is a bundle of a login that is not sealed")
	}
	s.works(t)
	s.exports(t, file)
	there.imports(t, file)
	there.works(t)
}

// Whenever an export is killed: no bundle beside a login that refreshes, and no login lost.
func TestKilledAtEveryStepOfAnExport(t *testing.T) {
	for at := 1; ; at++ {
		here := newSite(t)
		there := here.other(t)
		dir := t.TempDir()
		file := filepath.Join(dir, "login.age")
		code, last := here.spawn(t, at, "AUTH_DO=export", "AUTH_BUNDLE="+file)
		if code == 0 {
			if at < 6 {
				t.Errorf("an export has %d steps", at-1)
			}
			break
		}
		t.Run(fmt.Sprintf("%d %s", at, last), func(t *testing.T) {
			isSealed := here.load(t).Sealed != nil
			openable := there.opens(t, dir)
			if !isSealed {
				if openable != "" {
					t.Fatal("a bundle beside a login that refreshes")
				}
				here.works(t)
				return
			}
			here.sealed(t)
			if openable == "" {
				openable = filepath.Join(dir, "again.age")
				here.exports(t, openable)
			}
			there.imports(t, openable)
			there.works(t)
		})
	}
}

// opens returns a file in dir, hidden ones included, that is a bundle.
func (s *site) opens(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	probe := s.other(t)
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if _, err := auth.Import(t.Context(), probe.options(), path, bundlePassphrase, false); err == nil {
			return path
		}
	}
	return ""
}

// Whenever an import is killed, importing again ends in one login that works.
func TestKilledAtEveryStepOfAnImport(t *testing.T) {
	here := newSite(t)
	file := filepath.Join(t.TempDir(), "login.age")
	here.exports(t, file)
	for at := 1; ; at++ {
		there := here.other(t)
		code, last := there.spawn(t, at, "AUTH_DO=import", "AUTH_BUNDLE="+file)
		if code != 0 && code != -1 {
			t.Fatalf("exit %d: %s", code, last)
		}
		there.imports(t, file)
		if got := there.load(t); string(got.Now.Refresh) != here.latest().refresh || got.Sealed != nil {
			t.Errorf("killed at %q: %v", last, got)
		}
		if code == 0 {
			there.works(t)
			break
		}
	}
}

func TestAVersionOneLoginIsRead(t *testing.T) {
	s := newSite(t)
	old := strings.Replace(s.raw(t), `"version": 2`, `"version": 1`, 1)
	if err := os.WriteFile(s.store().Path(), []byte(old), 0o600); err != nil || !strings.Contains(old, `"version": 1`) {
		t.Fatal(err)
	}
	s.works(t)
	if !strings.Contains(s.raw(t), `"version": 2`) {
		t.Error("it is still version 1")
	}
}
