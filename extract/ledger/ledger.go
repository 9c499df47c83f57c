// Package ledger keeps what is true of the world about the calls of one app, whichever process made
// them: how many of the minute and of the day each division has used, how often its endpoints
// refused within the hour, and which of them said no for good.
//
// Processes share it through a folder with one small file a division. [Ledger.Update] changes one
// under a lock, so that two processes never both take the last call of a window; [Ledger.Read]
// waits for nobody. A ledger never stops a program: what cannot be read is set aside and begun
// anew, what cannot be written is remembered in this process alone, and both are said once. Single
// bookings are not: who makes the calls logs each of them, right behind its booking and its settling.
//
// Begin with [Account], which is what a file holds.
package ledger

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"exactduck/schema"

	"github.com/gofrs/flock"
)

// Ledger holds the accounts of one app. Safe for use by several goroutines, and by any number of
// processes on the same folder.
type Ledger struct {
	dir   string // "": in memory
	log   *slog.Logger
	owner string // tells the calls under way of this Ledger from those of others
	calls atomic.Uint64
	lock  *flock.Flock

	turn     chan struct{} // one at a time in this process, so that the lock is not polled among goroutines
	accounts map[schema.Scope]*entry
	said     map[string]bool
}

// entry is an account as this Ledger last saw it, and the number of the record in which it is.
type entry struct {
	account Account
	number  uint64
	fresh   bool // account holds something
}

// New returns the ledger in a folder, which is made, with mode 0700, when something is first
// written. An empty dir is a ledger in memory, for one Ledger alone. log may be nil.
func New(dir string, log *slog.Logger) *Ledger {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Ledger{
		dir: dir, log: log, owner: rand.Text()[:12], accounts: map[schema.Scope]*entry{}, said: map[string]bool{},
		turn: make(chan struct{}, 1), lock: flock.New(filepath.Join(dir, "lock"), flock.SetPermissions(0o600)),
	}
}

// patience is how long Update waits for other processes, each of which needs microseconds; poll is
// how often it looks.
const (
	patience = 10 * time.Second
	poll     = 250 * time.Microsecond
)

// Update gives f the account of a scope to change, while nobody else, in this process or another,
// does the same. f must be quick and must not use the ledger. The end of ctx does not keep it
// from being called: an answer that came is worth noting.
func (l *Ledger) Update(ctx context.Context, s schema.Scope, f func(*Account)) {
	l.turn <- struct{}{}
	defer func() { <-l.turn }()
	e := l.accounts[s]
	if e == nil {
		e = &entry{}
		l.accounts[s] = e
	}
	if l.dir == "" {
		f(&e.account)
		return
	}
	if err := l.locked(ctx, s, e, f); err != nil {
		l.once(ctx, "the ledger of calls cannot be kept; other processes do not know of the calls of this one", err)
	}
}

// locked is Update on the file. f is called in any case.
func (l *Ledger) locked(ctx context.Context, s schema.Scope, e *entry, f func(*Account)) error {
	if err := l.acquire(ctx); err != nil {
		f(&e.account)
		return err
	}
	defer func() { _ = l.lock.Unlock() }() // a lock that stays is the next Update's error
	file, err := openPage(l.path(s))
	if err != nil {
		f(&e.account)
		return err
	}
	defer func() { _ = file.Close() }() // nothing is buffered
	l.refresh(ctx, s, e, file)
	f(&e.account)
	content, err := json.Marshal(&e.account)
	if err != nil {
		return fmt.Errorf("encode the account of %s: %w", s, err)
	}
	number, err := file.write(content)
	if err != nil {
		e.number = file.number // what we know goes on from there
		return err
	}
	e.number = number
	return nil
}

func (l *Ledger) acquire(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	_, err := l.lock.TryLockContext(ctx, poll)
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(l.dir, 0o700); err != nil {
			return err
		}
		_, err = l.lock.TryLockContext(ctx, poll)
	}
	if err != nil {
		return fmt.Errorf("lock %s: %w", l.lock.Path(), err)
	}
	return nil
}

// refresh brings what another process has written since.
func (l *Ledger) refresh(ctx context.Context, s schema.Scope, e *entry, file *page) {
	if e.fresh && file.number == e.number {
		return
	}
	var found Account
	switch err := file.decode(&found); {
	case err == nil:
		e.account, e.fresh = found, true
	case errors.Is(err, errNothing):
		e.fresh = true
	default:
		l.once(ctx, "a ledger of calls was damaged; it is set aside and begun anew", fmt.Errorf("%s: %w", l.path(s), err))
		file.setAside()
		e.fresh = true
	}
}

// once says what is wrong the first time.
func (l *Ledger) once(ctx context.Context, message string, err error) {
	if !l.said[message] {
		l.said[message] = true
		l.log.WarnContext(ctx, message, "error", err) //nolint:sloglint // one of two constants
	}
}

// Read returns the account of a scope as it was last written, without waiting for whoever writes;
// false: there is none.
func (l *Ledger) Read(s schema.Scope) (Account, bool, error) {
	if l.dir == "" {
		return l.remembered(s)
	}
	var a Account
	err := readPage(l.path(s), &a)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, errNothing):
		return Account{}, false, nil
	case err != nil:
		return Account{}, false, fmt.Errorf("read the ledger of calls %s: %w", l.path(s), err)
	}
	return a, true, nil
}

// Written is when the account of a scope was last written, by the clock of the disk; zero: there is none
// on a disk. Who remembers what [Ledger.Read] said then need not read again while this stays the same and
// is some seconds old.
func (l *Ledger) Written(s schema.Scope) time.Time {
	if l.dir == "" {
		return time.Time{}
	}
	file, err := os.Stat(l.path(s))
	if err != nil {
		return time.Time{}
	}
	return file.ModTime()
}

func (l *Ledger) remembered(s schema.Scope) (Account, bool, error) {
	l.turn <- struct{}{}
	defer func() { <-l.turn }()
	e := l.accounts[s]
	if e == nil {
		return Account{}, false, nil
	}
	return e.account.Clone(), true, nil
}

// Forget forgets that an endpoint of a scope said no for good; "" forgets all of the scope. It
// reports how many were forgotten. What was refused within the hour is not forgotten: the vendor
// does not forget it either.
func (l *Ledger) Forget(ctx context.Context, s schema.Scope, endpoint string) (forgotten int) {
	if _, found, err := l.Read(s); err == nil && !found {
		return 0
	}
	l.Update(ctx, s, func(a *Account) {
		for known := range a.Forbidden {
			if endpoint == "" || strings.EqualFold(known, endpoint) {
				delete(a.Forbidden, known)
				forgotten++
			}
		}
	})
	return forgotten
}

// Scopes lists the scopes that have an account, sorted.
func (l *Ledger) Scopes() ([]schema.Scope, error) {
	var found []schema.Scope
	if l.dir == "" {
		l.turn <- struct{}{}
		defer func() { <-l.turn }()
		for s := range l.accounts {
			found = append(found, s)
		}
		slices.Sort(found)
		return found, nil
	}
	entries, err := os.ReadDir(l.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list the ledger of calls: %w", err)
	}
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), suffix)
		if plain, err := url.PathUnescape(name); ok && err == nil {
			found = append(found, schema.Scope(plain))
		}
	}
	slices.Sort(found)
	return found, nil
}

const suffix = ".ledger"

func (l *Ledger) path(s schema.Scope) string {
	return filepath.Join(l.dir, url.PathEscape(string(s))+suffix)
}
