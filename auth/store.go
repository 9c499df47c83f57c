package auth

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// Store keeps one login: a host and a client id. The suite in authtest says what is asked of an
// implementation.
type Store interface {
	// Locked runs f while nobody else, in this process or another, is inside Locked of the same
	// login. It waits for its turn until ctx is done, and then returns an error that wraps
	// ctx's. What f returns is returned unchanged. The lock of a process that died does not
	// block. f must not call Locked of the same store.
	Locked(ctx context.Context, f func(Slot) error) error
}

// Slot is a login under lock. It may be used until the function that was given it returns.
type Slot interface {
	// Load returns what was saved last; the zero State when nothing was, or after Remove.
	Load() (State, error)
	// Save replaces the state. When it returns nil, the state survives a crash of the machine;
	// when it fails, or the process dies in it, the old or the new state is there, whole.
	Save(State) error
	// Remove forgets the state, secrets included. Without a state it does nothing.
	Remove() error
}

// StoreError says that a login cannot be read or written, and what to do.
type StoreError struct {
	Path    string
	Problem string // "is damaged"
	Advice  string // what to type
	Err     error  // may be nil
}

func (e *StoreError) Error() string {
	text := "login file " + e.Path + " " + e.Problem
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

func (e *StoreError) Unwrap() error { return e.Err }

// DefaultDir is where logins live unless the configuration says otherwise:
// $XDG_STATE_HOME/exactduck, or ~/.local/state/exactduck.
func DefaultDir() (string, error) {
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "exactduck"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find the directory for logins: %w", err)
	}
	return filepath.Join(home, ".local", "state", "exactduck"), nil
}

// File is a [Store] in one file of mode 0600, replaced atomically and locked through a file
// beside it. On network file systems the lock is only as good as their flock. Plain or encrypted,
// a login has the same path and lock: two configurations that disagree about the form still share
// one login.
type File struct {
	path  string
	form  form
	write func(path string, content []byte) error
	log   *slog.Logger
	turn  chan struct{} // one holder in this process, so that flock is not polled among goroutines
}

// NewFile returns the store of one host and client id in dir, which is made, with mode 0700,
// when it is first needed. Nothing is read or written yet. log may be nil.
func NewFile(dir, host, clientID string, log *slog.Logger) *File {
	return newFile(dir, host, clientID, plain{}, log)
}

// NewEncryptedFile is [NewFile] for a login that takes key to read. A plain one that is there is
// encrypted when it is first read.
func NewEncryptedFile(dir, host, clientID string, key *Key, log *slog.Logger) *File {
	return newFile(dir, host, clientID, encrypted{key}, log)
}

// NewDecryptedFile is [NewFile] for a login that was encrypted with key: it is written plain when
// it is first read.
func NewDecryptedFile(dir, host, clientID string, key *Key, log *slog.Logger) *File {
	return newFile(dir, host, clientID, plain{key}, log)
}

func newFile(dir, host, clientID string, as form, log *slog.Logger) *File {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &File{
		path: filepath.Join(dir, fileName(host, clientID)), form: as, write: replaceFile, log: log,
		turn: make(chan struct{}, 1),
	}
}

// Path is where the login is, or will be.
func (f *File) Path() string { return f.path }

// fileName derives a name that is safe on any file system, readable, and different for every
// host and client id.
func fileName(host, clientID string) string {
	host = strings.ToLower(strings.TrimRight(host, "/"))
	sum := sha256.Sum256([]byte(host + "\n" + clientID))
	_, plain, found := strings.Cut(host, "://")
	if !found {
		plain = host
	}
	plain = strings.Map(func(r rune) rune {
		if (r >= 'a' && r <= 'z') || (r >= '0' && r <= '9') || r == '.' || r == '-' {
			return r
		}
		return '_'
	}, plain)
	return "login-" + plain[:min(len(plain), 80)] + "-" + hex.EncodeToString(sum[:6]) + ".json"
}

// poll is how often the lock of another process is tried.
const poll = 20 * time.Millisecond

// Locked implements [Store].
func (f *File) Locked(ctx context.Context, do func(Slot) error) (err error) {
	select {
	case f.turn <- struct{}{}:
		defer func() { <-f.turn }()
	case <-ctx.Done():
		return fmt.Errorf("wait for the lock of the login: %w", ctx.Err())
	}
	if err := f.makeDir(); err != nil {
		return err
	}
	lock := flock.New(f.path+".lock", flock.SetPermissions(0o600))
	if _, err := lock.TryLockContext(ctx, poll); err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("wait for the lock of the login: %w", err)
		}
		return f.problem("cannot be locked", "the directory must be writable and on a file system with locks", err)
	}
	defer func() {
		if unlockErr := lock.Close(); err == nil && unlockErr != nil {
			err = f.problem("cannot be unlocked", "", unlockErr)
		}
	}()
	f.sweep()
	return do(&fileSlot{file: f, ctx: ctx})
}

func (f *File) makeDir() error {
	dir := filepath.Dir(f.path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return f.problem("cannot be made", "the directory must be writable by this user", err)
	}
	about, err := os.Stat(dir)
	if err != nil {
		return f.problem("cannot be reached", "", err)
	}
	if about.Mode().Perm()&0o022 != 0 {
		return f.problem("is in a directory that others can write to", "chmod 700 "+dir, nil)
	}
	return nil
}

// sweep removes what writers that were killed left behind. Under the lock nobody is writing.
func (f *File) sweep() {
	dir, base := filepath.Split(f.path)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return // whatever is wrong with the directory shows at Load or Save
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "."+base) {
			_ = os.Remove(filepath.Join(dir, e.Name()))
		}
	}
}

func (f *File) problem(problem, advice string, err error) *StoreError {
	return &StoreError{Path: f.path, Problem: problem, Advice: advice, Err: err}
}

type fileSlot struct {
	file *File
	ctx  context.Context // of the one Locked in which the slot lives; for its log
}

func (s *fileSlot) Load() (State, error) {
	f := s.file
	raw, err := f.read()
	if raw == nil || err != nil {
		return State{}, err
	}
	content, own, err := f.form.open(raw)
	if err != nil {
		return State{}, f.unopened(err)
	}
	state, err := Unmarshal(content)
	switch {
	case errors.Is(err, errNewer):
		return State{}, f.problem("cannot be read", "update this program", err)
	case err != nil:
		return State{}, f.unopened(err)
	}
	if !own {
		s.convert(content)
	}
	return state, nil
}

// convert writes a login that was read in the other form in this one. When that fails, the login
// can still be used, and the next Save converts it.
func (s *fileSlot) convert(content []byte) {
	f := s.file
	f.log.DebugContext(s.ctx, "converting login", "path", f.path)
	raw, err := f.form.seal(content)
	if err == nil {
		err = f.persist(raw)
	}
	if err != nil {
		f.log.WarnContext(s.ctx, "could not write the login in the form of token_store", "path", f.path, "error", err)
		return
	}
	f.log.DebugContext(s.ctx, "converted login", "path", f.path)
}

// read returns what the file holds; nil without a file.
func (f *File) read() ([]byte, error) {
	about, err := os.Stat(f.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, f.problem("cannot be read", "", err)
	case !about.Mode().IsRegular():
		return nil, f.problem("is not a regular file", "move it away and log in again", nil)
	case about.Mode().Perm()&0o077 != 0:
		return nil, f.problem("can be read by others", "chmod 600 "+f.path, nil)
	}
	raw, err := os.ReadFile(f.path)
	if err != nil {
		return nil, f.problem("cannot be read", "chmod 600 "+f.path+", as the user who owns it", err)
	}
	if raw == nil {
		raw = []byte{}
	}
	return raw, nil
}

// unopened says what to do about a file whose content makes no sense.
func (f *File) unopened(err error) *StoreError {
	away := "mv " + f.path + " " + f.path
	switch {
	case errors.Is(err, errEncrypted):
		return f.problem("is encrypted", "write token_key: below the connection, with token_store: encrypted-file to go on so, or file to decrypt it", nil)
	case errors.Is(err, errWrongKey):
		return f.problem("was encrypted with another key", "give token_key the key that it was encrypted with; if that is lost, "+away+".lost, then log in again", nil)
	}
	return f.problem("is damaged", away+".damaged, then log in again", err)
}

// Save refuses to replace a file that Load refuses: what is in it may still be rescued by hand.
func (s *fileSlot) Save(state State) error {
	f := s.file
	if _, err := s.Load(); err != nil {
		return err
	}
	content, err := Marshal(state)
	if err != nil {
		return err
	}
	raw, err := f.form.seal(content)
	if err != nil {
		return f.problem("cannot be written", "", err)
	}
	f.log.DebugContext(s.ctx, "saving login", "path", f.path, "token", state.Now.fingerprint(),
		"attempt", state.Attempt != nil)
	if err := f.persist(raw); err != nil {
		return f.problem("cannot be written", "make room or make the directory writable", err)
	}
	f.log.DebugContext(s.ctx, "saved login", "path", f.path, "token", state.Now.fingerprint(),
		"attempt", state.Attempt != nil)
	return nil
}

func (s *fileSlot) Remove() error {
	f := s.file
	f.log.DebugContext(s.ctx, "removing login", "path", f.path)
	for _, path := range []string{f.path, f.reserve()} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return f.problem("cannot be removed", "", err)
		}
	}
	f.log.DebugContext(s.ctx, "removed login", "path", f.path)
	return syncDir(filepath.Dir(f.path))
}

func (t *Token) fingerprint() string {
	if t == nil {
		return ""
	}
	return t.Refresh.Fingerprint()
}
