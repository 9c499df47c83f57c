package schedule

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/gofrs/flock"
	"github.com/google/renameio/v2"
)

// Book is what is remembered of the pipelines: what of their schedules is done with, what was begun,
// who is paused and whose run was asked for. It is one small file that is replaced whole under a lock,
// so that several processes may use it at once and each may be killed at any moment. It is made by [Open].
type Book struct {
	dir   string
	clock func() time.Time
	// Log is told of each change; nil: nobody is.
	Log *slog.Logger
}

// Open returns the book of a folder, which is made when something is first written.
func Open(dir string, clock func() time.Time) *Book { return &Book{dir: dir, clock: clock} }

// Wanted is what the configuration says about one pipeline, and what is known of its login.
type Wanted struct {
	Pipeline string
	Spec     *Spec         // nil: it never runs by itself
	Jitter   time.Duration // starts are put off by less than this
	// Warehouse is where it writes to; pipelines into the same one take turns.
	Warehouse string
	// LoggedIn is when the person logged in whose login it uses, the zero time when a person must. It
	// is asked only after a run that ended for want of a login; nil: nobody ever logs in.
	LoggedIn func() time.Time
}

// Standing is how things are with the schedule of one pipeline.
type Standing struct {
	Pipeline string `json:"pipeline"`
	Spec     string `json:"schedule,omitempty"`
	Zone     string `json:"timezone,omitempty"`
	// Next is the next start that the schedule brings, jitter included; zero: none.
	Next time.Time `json:"next_at,omitzero"`
	// Due is since when a start is owed, or from when on one is tried again; zero: none is. Why says
	// for what: schedule, requested, again.
	Due time.Time `json:"due_at,omitzero"`
	Why Why       `json:"due_for,omitempty"`
	// LastStarted and LastEnded are of the last run that was started by the schedule or on request,
	// LastExit is its exit code, and Caught says that it made up for a start that was missed.
	LastStarted time.Time `json:"last_started_at,omitzero"`
	LastEnded   time.Time `json:"last_ended_at,omitzero"`
	LastExit    *int      `json:"last_exit_code,omitempty"`
	Caught      bool      `json:"caught_up,omitempty"`
	Running     bool      `json:"running"`
	// Tries is how often what is due was tried in vain.
	Tries     int       `json:"tries,omitempty"`
	Paused    bool      `json:"paused"`
	PausedAt  time.Time `json:"paused_at,omitzero"`
	Requested time.Time `json:"requested_at,omitzero"`
	// NeedsLogin says that nothing is started before somebody has logged in.
	NeedsLogin bool `json:"needs_login,omitempty"`
}

// Damaged says that the book cannot be read.
type Damaged struct {
	Path string
	Err  error
}

func (e *Damaged) Error() string { return fmt.Sprintf("%s cannot be read: %v", e.Path, e.Err) }

func (e *Damaged) Unwrap() error { return e.Err }

// pages are what is in the file.
type pages struct {
	Version   int               `json:"version"`
	Pipelines map[string]*entry `json:"pipelines"`
}

// Standings are how things are with the pipelines, in their order. Nothing is written.
func (b *Book) Standings(wanted []Wanted) ([]Standing, error) {
	p, err := b.read()
	if err != nil {
		return nil, err
	}
	now := b.now()
	all := make([]Standing, len(wanted))
	for i, w := range wanted {
		e := *p.of(w.Pipeline)
		e.agree(w, now)
		all[i] = e.standing(w, now)
	}
	return all, nil
}

// Pause keeps a pipeline from being started by its schedule until [Book.Resume].
func (b *Book) Pause(pipeline string) error {
	return b.change("paused a schedule", pipeline, func(e *entry, now time.Time) {
		if e.PausedAt.IsZero() {
			e.PausedAt = now
		}
	})
}

// Resume ends a pause. If the schedule had anything in the meantime, that is due at once, and once.
func (b *Book) Resume(pipeline string) error {
	return b.change("resumed a schedule", pipeline, func(e *entry, _ time.Time) { e.PausedAt = time.Time{} })
}

// Request asks for a run as soon as possible, paused or not. While one is asked for already, this
// changes nothing; one that is asked for while the pipeline runs comes after that.
func (b *Book) Request(pipeline string) error {
	return b.change("requested a run", pipeline, func(e *entry, now time.Time) {
		if e.Requested.IsZero() || e.Began != nil && !e.Requested.After(e.Began.At) {
			e.Requested = now
		}
	})
}

// Due are the runs that are to be started now, those that were asked for first and the others by how
// long they are due. What it sees for the first time, or with another schedule, it takes from now on.
func (b *Book) Due(wanted []Wanted) ([]Turn, error) {
	p, err := b.read()
	if err != nil {
		return nil, err
	}
	now := b.now()
	for _, w := range wanted {
		e := *p.of(w.Pipeline)
		if !e.agree(w, now) {
			continue
		}
		if err := b.change("took over a schedule", w.Pipeline, func(e *entry, now time.Time) { e.agree(w, now) }); err != nil {
			return nil, err
		}
	}
	if p, err = b.read(); err != nil {
		return nil, err
	}
	var turns []Turn
	for _, w := range wanted {
		if turn, due := p.of(w.Pipeline).turn(w, now); due && !turn.Due.After(now) {
			turns = append(turns, turn)
		}
	}
	slices.SortStableFunc(turns, inOrder)
	return turns, nil
}

// Begin notes that a run is about to be started, before it is.
func (b *Book) Begin(t Turn) error {
	return b.change("began a turn", t.Pipeline, func(e *entry, now time.Time) {
		e.Began = &began{At: now, Why: t.Why, Occurrence: t.Occurrence, Requested: e.Requested, Caught: t.Caught}
		e.NotBefore = time.Time{}
	})
}

// End notes that the run which was begun ended at a time with an exit code of the program, -1 when a
// signal ended it. Without a run that was begun it does nothing.
func (b *Book) End(w Wanted, exit int, at time.Time) error {
	return b.change("ended a turn", w.Pipeline, func(e *entry, _ time.Time) { e.end(w, exit, at.UTC().Round(0)) })
}

// Abandon notes that the run which was begun did not come to its end, because whoever started it
// ended too, or was never started: what it was for is due as before.
func (b *Book) Abandon(pipeline string) error {
	return b.change("abandoned a turn", pipeline, func(e *entry, _ time.Time) { e.Began = nil })
}

func (b *Book) now() time.Time { return b.clock().UTC().Round(0) }

func (b *Book) path() string { return filepath.Join(b.dir, "book.json") }

func (b *Book) read() (*pages, error) {
	p := &pages{Version: 1, Pipelines: map[string]*entry{}}
	text, err := os.ReadFile(b.path())
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read what is remembered of schedules: %w", err)
	}
	if err := json.Unmarshal(text, p); err != nil {
		return nil, &Damaged{b.path(), err}
	}
	if p.Version != 1 {
		return nil, &Damaged{b.path(), fmt.Errorf("it is of version %d, which a later exactduck writes", p.Version)}
	}
	return p, nil
}

// of is what is remembered of a pipeline.
func (p *pages) of(pipeline string) *entry {
	if e := p.Pipelines[pipeline]; e != nil {
		return e
	}
	return &entry{}
}

// change edits what is remembered of one pipeline.
func (b *Book) change(what, pipeline string, edit func(*entry, time.Time)) (err error) {
	if err := os.MkdirAll(b.dir, 0o700); err != nil {
		return fmt.Errorf("make the folder of schedules: %w", err)
	}
	lock := flock.New(filepath.Join(b.dir, "book.lock"), flock.SetPermissions(0o600))
	if err := lock.Lock(); err != nil {
		return errors.Join(fmt.Errorf("lock what is remembered of schedules: %w", err), lock.Close())
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	p, err := b.read()
	if err != nil {
		return err
	}
	e := p.of(pipeline)
	edit(e, b.now())
	if p.Pipelines == nil {
		p.Pipelines = map[string]*entry{}
	}
	p.Pipelines[pipeline] = e
	if err := b.write(p); err != nil {
		return err
	}
	if b.Log != nil {
		b.Log.Debug(what, "pipeline", pipeline) //nolint:sloglint // the message is one of a few constants
	}
	return nil
}

func (b *Book) write(p *pages) error {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetIndent("", "  ")
	if err := enc.Encode(p); err != nil {
		return fmt.Errorf("write what is remembered of schedules: %w", err)
	}
	if err := renameio.WriteFile(b.path(), text.Bytes(), 0o600); err != nil {
		return fmt.Errorf("write what is remembered of schedules: %w", err)
	}
	return nil
}
