package ledger

import (
	"bytes"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTheNextProcessKnowsWhatTheLastOneDid(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "calls")
	one := opened(t, dir, 60)
	for range 7 {
		take(one, true)
	}
	one.Update(t.Context(), books, func(a *Account) {
		c := one.Call("hrm/Costcenters", noon.Add(time.Minute))
		a.Book(c)
		a.Settle(c, Outcome{
			Answered: true, Minute: Rate{60, 40, noon.Truncate(time.Minute).Add(time.Minute)}, Day: Rate{5000, 4000, time.Time{}},
			Refusals: 1, Forbidden: &Forbidden{Reason: "R", Message: "no right"},
		}, noon)
	})
	want := read(t, one)
	if got := read(t, New(dir, nil)); !cmp.Equal(got, want) {
		t.Errorf("another process reads\n%s", cmp.Diff(want, got))
	}
	var got Account
	New(dir, nil).Update(t.Context(), books, func(a *Account) { got = a.Clone() })
	if !cmp.Equal(got, want) {
		t.Errorf("another process goes on from\n%s", cmp.Diff(want, got))
	}
	if want.Minute.Ours != 8 || want.Minute.Others != 12 || want.Minute.Left() != 40 || want.Day.Others != 992 ||
		len(want.Refusals["hrm/Costcenters"]) != 1 || want.Forbidden["hrm/Costcenters"].Message != "no right" {
		t.Errorf("noted %+v", want)
	}
	if scopes, err := New(dir, nil).Scopes(); err != nil || len(scopes) != 1 || scopes[0] != books {
		t.Errorf("scopes %v, %v", scopes, err)
	}
}

func TestOnlyTheOwnerMayLook(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "calls")
	opened(t, dir, 60)
	for path, want := range map[string]fs.FileMode{dir: 0o700, filepath.Join(dir, "123.ledger"): 0o600, filepath.Join(dir, "lock"): 0o600} {
		if about, err := os.Stat(path); err != nil || about.Mode().Perm() != want {
			t.Errorf("%s: %v, %v; want %v", path, about.Mode(), err, want)
		}
	}
}

func TestLedgersOfOneFolderNeverBookMoreThanThereIs(t *testing.T) {
	dir := t.TempDir()
	const limit = 500
	opened(t, dir, limit)
	var all sync.WaitGroup
	var mu sync.Mutex
	sum := 0
	for range 4 {
		l := New(dir, nil)
		for range 3 {
			all.Go(func() {
				for take(l, true) {
					mu.Lock()
					sum++
					mu.Unlock()
				}
			})
		}
	}
	all.Wait()
	if sum != limit {
		t.Errorf("%d calls booked of %d", sum, limit)
	}
}

// A reader gets a whole account at any moment, without waiting for who writes.
func TestReadersSeeWholeAccounts(t *testing.T) {
	dir := t.TempDir()
	l := opened(t, dir, 1)
	stop := make(chan struct{})
	var writer sync.WaitGroup
	writer.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			l.Update(t.Context(), books, func(a *Account) {
				a.Minute.Ours, a.Day.Ours = n, n
				a.Forbidden = map[string]Forbidden{}
				for i := range n % 90 { // the file grows and the record shrinks
					a.Forbidden[strings.Repeat("x", i+1)] = Forbidden{At: noon, Message: strings.Repeat("y", n%70)}
				}
			})
		}
	})
	reader := New(dir, nil)
	for last := 0; last < 2000; {
		a := read(t, reader)
		if a.Minute.Ours != a.Day.Ours || a.Minute.Ours < last {
			t.Fatalf("read %d and %d after %d", a.Minute.Ours, a.Day.Ours, last)
		}
		last = a.Minute.Ours
	}
	close(stop)
	writer.Wait()
	held := filepath.Join(dir, "lock")
	file, err := os.Open(held)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	read(t, reader)
}

func TestDamagedFilesAreSetAsideAndSaid(t *testing.T) {
	for name, content := range map[string]string{
		"text":         "these are not the calls",
		"other form":   strings.Repeat(`{"version": 9}`, 1000),
		"bad checksum": "exactduck-ledger 1 5 2 00000000\n{}",
		"cut":          "exactduck-ledger 1 5 4000 00000000\n{\"min",
		"not JSON":     "exactduck-ledger 1 5 4 34ea0cb1\n{\"mi",
		"large":        strings.Repeat("x", 1<<20),
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "123.ledger")
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, _, err := New(dir, nil).Read(books); err == nil {
				t.Error("read as if it was whole")
			}
			var said bytes.Buffer
			l := New(dir, slog.New(slog.NewTextHandler(&said, nil)))
			for range 3 {
				l.Update(t.Context(), books, func(a *Account) { a.Minute.Ours++ })
			}
			if n := strings.Count(said.String(), "set aside"); n != 1 {
				t.Errorf("said %d times: %s", n, said.String())
			}
			if kept, err := os.ReadFile(path + ".damaged"); err != nil || string(kept) != content {
				t.Errorf("what was damaged is not kept: %v", err)
			}
			if a := read(t, New(dir, nil)); a.Minute.Ours != 3 {
				t.Errorf("began anew with %+v", a)
			}
		})
	}
}

// One half of a file that a killed writer left, and a file that nothing was written to, are no damage.
func TestTornHalfIsTheRecordBefore(t *testing.T) {
	dir := t.TempDir()
	l := opened(t, dir, 60)
	for range 5 {
		take(l, true)
	}
	path := filepath.Join(dir, "123.ledger")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for at := range len(whole) {
		torn := bytes.Clone(whole)
		half := at / (len(whole) / 2)
		clear(torn[at : (half+1)*len(whole)/2]) // what was not written yet
		torn[half*len(whole)/2] ^= 1            // and the old record is gone
		if at%16 != 0 {
			continue
		}
		if err := os.WriteFile(path, torn, 0o600); err != nil {
			t.Fatal(err)
		}
		if a := read(t, New(dir, nil)); a.Minute.Ours < 4 || a.Minute.Ours > 5 {
			t.Fatalf("torn at %d: %+v", at, a.Minute)
		}
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	fresh := New(dir, slog.New(slog.NewTextHandler(&said, nil)))
	fresh.Update(t.Context(), books, func(a *Account) { a.Minute.Ours++ })
	if a := read(t, fresh); a.Minute.Ours != 1 || said.Len() > 0 {
		t.Errorf("begun in an empty file: %+v, %s", a, said.String())
	}
}

// Where nothing can be written, a process keeps its own account, and says so once.
func TestAFolderThatCannotBeMade(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	l := New(filepath.Join(file, "calls"), slog.New(slog.NewTextHandler(&said, nil)))
	l.Update(t.Context(), books, func(a *Account) {
		a.Roll(noon, false)
		a.Minute.Limit = 5
	})
	if n := 0; true {
		for take(l, true) {
			n++
		}
		if n != 5 || strings.Count(said.String(), "\n") != 1 {
			t.Errorf("%d calls booked of 5; said %q", n, said.String())
		}
	}
}

func TestForget(t *testing.T) {
	dir := t.TempDir()
	l := New(dir, nil)
	if n := l.Forget(t.Context(), books, ""); n != 0 {
		t.Errorf("forgot %d of nothing", n)
	}
	if scopes, err := l.Scopes(); err != nil || len(scopes) != 0 {
		t.Errorf("forgetting made an account: %v, %v", scopes, err)
	}
	l.Update(t.Context(), books, func(a *Account) {
		a.Forbidden = map[string]Forbidden{"sync/CRM/Accounts": {At: noon}, "crm/Accounts": {At: noon}, "x": {At: noon}}
		a.Refusals = map[string][]time.Time{"x": {noon}}
	})
	if n := New(dir, nil).Forget(t.Context(), books, "Sync/crm/accounts"); n != 1 {
		t.Errorf("forgot %d by name", n)
	}
	if n := New(dir, nil).Forget(t.Context(), books, ""); n != 2 {
		t.Errorf("forgot %d of the rest", n)
	}
	if a := read(t, l); len(a.Forbidden) != 0 || len(a.Refusals["x"]) != 1 {
		t.Errorf("left %+v", a)
	}
}

func TestScopesHaveSafeNames(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "calls")
	l := New(dir, nil)
	l.Update(t.Context(), "../a b/c", func(a *Account) { a.Minute.Ours = 3 })
	if scopes, err := l.Scopes(); err != nil || len(scopes) != 1 || scopes[0] != "../a b/c" {
		t.Errorf("scopes %v, %v", scopes, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "..", "a b")); !errors.Is(err, fs.ErrNotExist) {
		t.Error("wrote outside of the folder")
	}
}
