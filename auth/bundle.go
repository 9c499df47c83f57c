package auth

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"filippo.io/age"
)

// A login moves to another machine in a bundle: an encrypted copy of its state. Of the two copies
// only one may refresh, or they end each other's login. So [Export] works in an order in which no
// crash can leave a bundle beside a copy that refreshes, nor lose the login:
//
//  1. Room for the bundle is made on disk, under a name that starts with a dot. It holds zeros.
//  2. The store is sealed: no refresh from then on. The tokens stay in it.
//  3. The bundle is written into the room, fsynced, and renamed to its name.
//
// A crash before 2 changes nothing. One between 2 and 3 leaves a sealed copy and no bundle;
// exporting again writes it. [Import] of the bundle into the store that was sealed takes it back.

// Move is the way of a login from one store to another.
type Move struct {
	ID string    `json:"id"` // of the bundle; exporting again keeps it
	At time.Time `json:"at"`
	// File is the bundle: as it was named for [Export], or for [Import].
	File string  `json:"file"`
	By   Process `json:"by"`
}

// BundleError says why a login cannot be exported or imported, and what to do. Nothing has changed
// unless Advice says so.
type BundleError struct {
	Path    string
	Problem string // "is damaged"
	Advice  string
	// Person tells that it is for the person to choose otherwise; else this machine is at fault.
	Person bool
	Taken  bool  // there is a login that works where the bundle is to go
	Err    error // may be nil
}

func (e *BundleError) Error() string {
	text := "bundle " + e.Path + " " + e.Problem
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

func (e *BundleError) Unwrap() error { return e.Err }

// leastPassphrase is how short a passphrase may be. Whoever opens a bundle has the books.
const leastPassphrase = 12

// stretch is the work factor of the passphrase: some seconds of a machine for each guess. Tests
// take a smaller one.
var stretch = 18

// Export seals the login in o.Store, which refuses to refresh from then on, and writes it to the
// file that to names, encrypted with passphrase. A login that is sealed already is exported once
// more, so that a lost bundle does not lose the login. It returns the status after it.
//
// Errors are [*BundleError], [*LoginError] and [*StoreError].
func Export(ctx context.Context, o Options, to string, passphrase Secret) (Status, error) {
	t, err := New(o)
	if err != nil {
		return Status{}, err
	}
	if len(passphrase) < leastPassphrase {
		return Status{}, &BundleError{
			Path: to, Problem: fmt.Sprintf("needs a passphrase of at least %d characters", leastPassphrase),
			Advice: "whoever opens the bundle can read the books: take a longer one", Person: true,
		}
	}
	var s State
	err = t.store.Locked(ctx, func(slot Slot) error {
		var err error
		s, err = t.load(slot)
		if no, ok := errors.AsType[*LoginError](err); err != nil && (!ok || no.Cause != Sealed) {
			return err
		}
		return t.export(ctx, slot, &s, to, passphrase)
	})
	return s.Status(t.clock()), err
}

func (t *Transport) export(ctx context.Context, slot Slot, s *State, to string, passphrase Secret) error {
	id := rand.Text()
	if s.Sealed != nil {
		id = s.Sealed.ID
	}
	file, err := filepath.Abs(to)
	if err != nil {
		return &BundleError{Path: to, Problem: "cannot be written", Err: err}
	}
	s.Sealed = &Move{ID: id, At: t.clock().UTC().Round(time.Second), File: file, By: t.self}
	content, err := Marshal(*s)
	if err != nil {
		return err
	}
	recipient, err := age.NewScryptRecipient(string(passphrase))
	if err != nil {
		return errors.New("encrypt the bundle: the passphrase cannot be used")
	}
	recipient.SetWorkFactor(stretch)
	raw, err := encrypt(content, recipient)
	if err != nil {
		return err
	}
	t.log.DebugContext(ctx, "making room for bundle", "path", to)
	r, err := makeRoom(to, len(raw))
	if err != nil {
		return err
	}
	defer r.abandon()
	if err := slot.Save(*s); err != nil {
		return err
	}
	t.log.DebugContext(ctx, "writing bundle", "path", to)
	if err := r.fill(raw); err != nil {
		return &BundleError{
			Path: to, Problem: "cannot be written", Err: err,
			Advice: "the login is sealed and safe; export it again, to another place",
		}
	}
	t.log.DebugContext(ctx, "wrote bundle", "path", to)
	return nil
}

// room is space on disk for a bundle that has not been written.
type room struct {
	file *os.File
	to   string
}

// makeRoom finds out whether size bytes can be written to a new file before anything is sealed.
func makeRoom(to string, size int) (*room, error) {
	if _, err := os.Lstat(to); !errors.Is(err, fs.ErrNotExist) {
		if err == nil {
			return nil, &BundleError{Path: to, Problem: "exists already", Advice: "name another file, or move that one away", Person: true}
		}
		return nil, &BundleError{Path: to, Problem: "cannot be reached", Advice: "check that path", Err: err}
	}
	file, err := os.CreateTemp(filepath.Dir(to), ".exactduck-export-*")
	if err != nil {
		return nil, &BundleError{Path: to, Problem: "cannot be written", Advice: "name a folder that exists and may be written to", Err: err}
	}
	r := &room{file, to}
	_, err = file.Write(make([]byte, size))
	if err = errors.Join(err, file.Sync()); err != nil {
		r.abandon()
		return nil, &BundleError{Path: to, Problem: "cannot be written", Advice: "make room there, or name another place", Err: err}
	}
	return r, nil
}

// fill makes the bundle of the room.
func (r *room) fill(raw []byte) error {
	_, err := r.file.WriteAt(raw, 0)
	if err = errors.Join(err, r.file.Sync(), r.file.Close()); err != nil {
		return err
	}
	if err := os.Rename(r.file.Name(), r.to); err != nil {
		return err
	}
	return syncDir(filepath.Dir(r.to))
}

// abandon removes what fill has not made use of.
func (r *room) abandon() {
	_ = r.file.Close()
	_ = os.Remove(r.file.Name())
}

// Imported is what [Import] did.
type Imported struct {
	Status Status
	// Already tells that the store had taken over this very bundle before, so that nothing was done.
	Already bool
	// Exported is how the login left the other machine.
	Exported Move
}

// Import takes over the login in the bundle that from names. A login that works in o.Store is only
// replaced when replace says so. Importing the same bundle into the same store again does nothing:
// the tokens there may be newer. That it is imported into one store only is for people to see to;
// the second one is told at its first refresh that its token had been used.
func Import(ctx context.Context, o Options, from string, passphrase Secret, replace bool) (Imported, error) {
	t, err := New(o)
	if err != nil {
		return Imported{}, err
	}
	s, err := openBundle(from, passphrase)
	if err != nil {
		return Imported{}, err
	}
	if s.Host != t.app.Host || s.ClientID != t.app.ClientID {
		return Imported{}, &BundleError{
			Path: from, Problem: "holds the login of another app: client id " + scrub(s.ClientID) + " at " + scrub(s.Host),
			Advice: "take the connection of that app, and its region and client_id", Person: true,
		}
	}
	if !t.clock().Before(s.Now.ObtainedAt.Add(refreshLife)) {
		return Imported{}, &BundleError{
			Path: from, Problem: "holds a login that was not used for 30 days, so that the server let it lapse",
			Advice: `run "exactduck auth login"`, Person: true,
		}
	}
	done := Imported{Exported: *s.Sealed}
	err = t.store.Locked(ctx, func(slot Slot) error {
		here, err := slot.Load()
		if err != nil {
			return err
		}
		if here.Imported != nil && here.Imported.ID == s.Sealed.ID {
			done.Already, done.Status = true, here.Status(t.clock())
			return nil
		}
		if here.Status(t.clock()).LoggedIn && !replace {
			return &BundleError{
				Path: from, Problem: "would replace a login that works here",
				Advice: "--yes replaces it", Person: true, Taken: true,
			}
		}
		s.moveIn(here, from, t.clock(), t.self)
		done.Status = s.Status(t.clock())
		return slot.Save(s)
	})
	return done, err
}

// moveIn makes the state of a bundle the one of the store that holds here. Token calls are counted
// by the server, whichever machine made them.
func (s *State) moveIn(here State, from string, now time.Time, self Process) {
	if here.Host == s.Host && here.ClientID == s.ClientID && here.Calls.On(now) > s.Calls.On(now) {
		s.Calls = here.Calls
	}
	s.Imported = &Move{ID: s.Sealed.ID, At: now.UTC().Round(time.Second), File: from, By: self}
	s.Sealed = nil
}

// largestBundle is far beyond any bundle; what is larger is the wrong file.
const largestBundle = 1 << 20

func openBundle(from string, passphrase Secret) (State, error) {
	about, err := os.Stat(from)
	if err != nil {
		return State{}, &BundleError{Path: from, Problem: "cannot be read", Advice: "check that path", Err: cause(err)}
	}
	no := &BundleError{Path: from, Problem: "is no bundle", Advice: `name a file that "exactduck auth export" wrote`, Person: true}
	if !about.Mode().IsRegular() || about.Size() > largestBundle {
		return State{}, no
	}
	raw, err := os.ReadFile(from)
	if err != nil {
		return State{}, &BundleError{Path: from, Problem: "cannot be read", Advice: "check that path", Err: cause(err)}
	}
	if raw = bytes.TrimLeft(raw, "\r\n "); !armored(raw) {
		return State{}, no
	}
	identity, err := age.NewScryptIdentity(string(passphrase))
	if err != nil {
		return State{}, &BundleError{Path: from, Problem: "needs a passphrase", Advice: "give the one of the export", Person: true}
	}
	content, err := decrypt(raw, identity)
	if errors.Is(err, errWrongKey) {
		return State{}, &BundleError{Path: from, Problem: "does not open with this passphrase", Advice: "give the one of the export", Person: true}
	}
	var s State
	if err == nil {
		s, err = Unmarshal(content)
	}
	switch {
	case errors.Is(err, errNewer):
		return State{}, &BundleError{Path: from, Problem: "cannot be read", Advice: "update this program", Err: err}
	case err != nil:
		return State{}, &BundleError{Path: from, Problem: "is damaged", Advice: "copy it again, or export it again: the sealed login still has it", Err: err}
	case s.Sealed == nil || s.Now == nil:
		return State{}, no
	}
	return s, nil
}

// cause takes the path off an error of package os: the message has it already.
func cause(err error) error {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		return path.Err
	}
	return err
}
