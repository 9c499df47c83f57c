package ledger

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"exactduck/schema"
)

// childDir is the folder in which this test binary books calls when a test runs it again.
const childDir = "EXACTDUCK_TEST_LEDGER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		bookUntilRefused(New(dir, nil), os.Getenv(childDir+"_LEAVE") == "")
		return
	}
	os.Exit(m.Run())
}

// ctx is that of a child, which has no test.
var ctx = context.Background()

// noon is when everything in these tests happens, unless they say otherwise.
var noon = time.Date(2026, 11, 21, 12, 0, 10, 0, time.UTC)

const books schema.Scope = "123"

// bookUntilRefused books one call after another as long as there is one left, and says so.
func bookUntilRefused(l *Ledger, answered bool) (booked int) {
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for take(l, answered) {
		booked++
		fmt.Fprintln(out, "booked")
		if err := out.Flush(); err != nil {
			return booked
		}
	}
	return booked
}

// take books a call if one is left, and settles it.
func take(l *Ledger, answered bool) (taken bool) {
	c := l.Call("crm/Accounts", noon.Add(time.Minute))
	update := func(f func(*Account)) {
		l.Update(ctx, books, func(a *Account) {
			a.Roll(noon, false)
			f(a)
		})
	}
	update(func(a *Account) {
		if taken = a.Minute.Left() > 0; taken {
			a.Book(c)
		}
	})
	if taken && answered {
		update(func(a *Account) { a.Settle(c, Outcome{Healthy: true}, noon) })
	}
	return taken
}

// opened is a ledger whose minute has room for so many calls.
func opened(t testing.TB, dir string, limit int) *Ledger {
	t.Helper()
	l := New(dir, nil)
	l.Update(t.Context(), books, func(a *Account) {
		a.Roll(noon, false)
		a.Minute.Limit = limit
	})
	return l
}

// child prepares a process that books calls in the folder.
func child(t *testing.T, dir string, more ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), self)
	c.Env = append(os.Environ(), append(more, childDir+"="+dir)...)
	return c
}

func read(t *testing.T, l *Ledger) Account {
	t.Helper()
	a, found, err := l.Read(books)
	if err != nil || !found {
		t.Fatalf("read: %v, found %v", err, found)
	}
	return a
}
