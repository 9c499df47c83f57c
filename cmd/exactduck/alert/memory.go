package alert

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/gofrs/flock"
	"github.com/google/renameio/v2"
)

// memory is what one receiver was told and is owed: one file, which only who holds its lock changes.
type memory struct {
	Receiver string               `json:"receiver"`
	Began    time.Time            `json:"began_at"`
	Open     map[string]*note     `json:"open"`             // by cause
	Looked   map[string]time.Time `json:"looked"`           // when an area was last reported on
	Pinged   map[string]string    `json:"pinged,omitempty"` // the last run of each pipeline that it was pinged for
	Failures int                  `json:"failures,omitempty"`
	Next     time.Time            `json:"next_try,omitzero"` // after failures
	Problem  string               `json:"problem,omitempty"` // of the last of them
	Sent     []Sent               `json:"sent"`
}

// note is a condition that a receiver was told of, or is owed to be.
type note struct {
	Condition
	Opened time.Time `json:"opened_at"`
	Over   time.Time `json:"over_at,omitzero"`
	Owed   Status    `json:"owed,omitempty"`
	Times  int       `json:"times"` // told
	ToldAt time.Time `json:"told_at,omitzero"`
}

// Status is what a message says of a condition.
type Status string

// What there is to say.
const (
	Problem   Status = "problem"
	Recovered Status = "recovered"
	Trial     Status = "test"
)

// Sent is a message that a receiver has taken.
type Sent struct {
	ID       string    `json:"id"`
	At       time.Time `json:"at"`
	Receiver string    `json:"receiver"`
	Status   Status    `json:"status"`
	Kind     Kind      `json:"kind"`
	Pipeline string    `json:"pipeline,omitempty"`
	Message  string    `json:"message"`
	Count    int       `json:"count,omitempty"`
}

const (
	sentKept = 50
	// newsFresh is how old news may be to be told by a desk that has just been set up, and newsKept how
	// long it is remembered that it was told.
	newsFresh = 24 * time.Hour
	newsKept  = 60 * 24 * time.Hour
	// hindsight is how far a report may lie in the future before a clock must have been wrong.
	hindsight = 5 * time.Minute
)

// reconcile takes in what a report says, as far as the receiver wants to know.
func (m *memory) reconcile(r *Receiver, report *Report, now time.Time) {
	settled := map[Area]time.Time{}
	for _, a := range report.Settled {
		settled[a.place()] = cmp.Or(a.At, report.At)
	}
	named := map[string]bool{}
	for i := range report.Conditions {
		c := &report.Conditions[i]
		if r.wants(c) && m.newer(c.area(), cmp.Or(settled[c.area()], report.At), now) {
			named[c.cause()] = true
			m.notice(c, r.Repeat, now)
		}
	}
	maps.DeleteFunc(settled, func(a Area, at time.Time) bool { return !m.newer(a, at, now) })
	for cause, n := range m.Open {
		if !named[cause] {
			_, over := settled[n.area()]
			m.miss(cause, n, r, over, now)
		}
	}
	for a, at := range settled {
		m.Looked[a.key()] = at
	}
}

// newer reports that nothing is known of an area that is from later than a report.
func (m *memory) newer(a Area, at, now time.Time) bool {
	last := m.Looked[a.key()]
	return !at.Before(last) || last.After(now.Add(hindsight))
}

// notice takes in a condition that is there.
func (m *memory) notice(c *Condition, repeat time.Duration, now time.Time) {
	n := m.Open[c.cause()]
	if n == nil {
		if c.News && c.Since.Before(m.Began.Add(-newsFresh)) {
			return
		}
		m.Open[c.cause()] = &note{Condition: *c, Opened: now, Owed: Problem}
		return
	}
	since := n.Since
	n.Condition = *c
	if !since.IsZero() {
		n.Since = since
	}
	switch {
	case c.News:
	case !n.Over.IsZero(): // back before it was told that it had gone
		n.Over, n.Owed = time.Time{}, ""
		if n.Times == 0 {
			n.Owed = Problem
		}
	case n.Owed == "" && repeat > 0 && now.Sub(n.ToldAt) >= repeat:
		n.Owed = Problem
	}
}

// miss takes in that a report does not name what is open.
func (m *memory) miss(cause string, n *note, r *Receiver, settled bool, now time.Time) {
	switch {
	case !r.wants(&n.Condition):
		delete(m.Open, cause)
	case n.News:
		if n.Owed == "" && now.Sub(n.Opened) > newsKept {
			delete(m.Open, cause)
		}
	case !settled || !n.Over.IsZero():
	case n.Kind == Failure && m.failsOtherwise(cause, n.Pipeline): // which takes its place
		delete(m.Open, cause)
	default:
		n.Over, n.Owed = now, Recovered
	}
}

func (m *memory) failsOtherwise(cause, pipeline string) bool {
	for other, n := range m.Open {
		if other != cause && n.Kind == Failure && n.Pipeline == pipeline && n.Over.IsZero() {
			return true
		}
	}
	return false
}

// owed are the conditions to tell of, the oldest first.
func (m *memory) owed() []*note {
	var all []*note
	for _, n := range m.Open {
		if n.Owed != "" {
			all = append(all, n)
		}
	}
	slices.SortFunc(all, func(a, b *note) int {
		return cmp.Or(a.Opened.Compare(b.Opened), strings.Compare(a.cause(), b.cause()))
	})
	return all
}

// told notes that the receiver has taken a message.
func (m *memory) told(msg *message, now time.Time) {
	for _, n := range msg.notes {
		if n.Owed == Recovered {
			delete(m.Open, n.cause())
		}
		n.Owed, n.Times, n.ToldAt = "", n.Times+1, now
	}
	m.Sent = append(m.Sent, Sent{
		ID: msg.ID, At: now, Receiver: m.Receiver, Status: msg.Status, Kind: msg.Kind, Pipeline: msg.Pipeline,
		Message: msg.Message, Count: msg.Count,
	})
	m.Sent = m.Sent[max(0, len(m.Sent)-sentKept):]
	m.Failures, m.Next, m.Problem = 0, time.Time{}, ""
}

// The pauses after failures.
const (
	firstPause   = time.Minute
	longestPause = time.Hour
)

// failed notes that the receiver has not taken a message. wanted is the pause that it asks for.
func (m *memory) failed(problem string, wanted time.Duration, now time.Time) {
	m.Failures++
	pause := firstPause << min(m.Failures-1, 10)
	m.Next, m.Problem = now.Add(min(longestPause, max(pause, wanted))), problem
}

// waiting reports that the receiver failed a while ago and is left alone.
func (m *memory) waiting(now time.Time) bool {
	return now.Before(m.Next) && m.Next.Sub(now) <= longestPause
}

// path is the file of a receiver. Names are checked, and still nothing but names of files is made of
// them.
func (d *Desk) path(r *Receiver) string {
	clean := func(c rune) rune {
		if strings.ContainsRune(`/\:`, c) || c < ' ' {
			return '_'
		}
		return c
	}
	return filepath.Join(d.o.Dir, strings.Map(clean, strings.TrimLeft(r.Name, "."))+".json")
}

// patience is how long a process waits while another tells the same receiver.
const patience = 45 * time.Second

// errBusy says that another process is telling the receiver; it will be told by the next report.
var errBusy = errors.New("another process is still telling it")

// lock makes this process the only one to tell a receiver. A folder that cannot be written to does not
// keep anybody from being told.
func (d *Desk) lock(ctx context.Context, r *Receiver) (unlock func(), err error) {
	if err := os.MkdirAll(d.o.Dir, 0o700); err != nil {
		d.o.Log.WarnContext(ctx, "it cannot be remembered what was told", "receiver", r.Name, "error", err)
		return func() {}, nil
	}
	lock, err := acquire(ctx, d.path(r))
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, errBusy):
		return nil, err
	case err != nil:
		d.o.Log.WarnContext(ctx, "it cannot be remembered what was told", "receiver", r.Name, "error", err)
		return func() {}, nil
	}
	return func() { _ = lock.Close() }, nil
}

// acquire locks the file of a receiver.
func acquire(ctx context.Context, path string) (*flock.Flock, error) {
	lock := flock.New(strings.TrimSuffix(path, ".json")+".lock", flock.SetPermissions(0o600))
	within, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if _, err := lock.TryLockContext(within, 20*time.Millisecond); errors.Is(err, context.DeadlineExceeded) {
		return nil, errBusy
	} else if err != nil {
		return nil, err
	}
	return lock, nil
}

// recall reads what a receiver was told. What could not be written is remembered in this process.
func (d *Desk) recall(ctx context.Context, r *Receiver) *memory {
	d.mu.Lock()
	defer d.mu.Unlock()
	if m := d.unwritten[r.Name]; m != nil {
		return m
	}
	m, err := read(d.path(r))
	switch {
	case err == nil:
	case !errors.Is(err, fs.ErrNotExist):
		d.o.Log.WarnContext(ctx, "what a receiver was told cannot be read; it is set aside and begun anew", "receiver", r.Name, "error", err)
		_ = os.Rename(d.path(r), d.path(r)+".damaged")
		fallthrough
	default:
		m = &memory{Began: d.o.Clock()}
	}
	m.Receiver = r.Name
	m.fill()
	return m
}

func (m *memory) fill() {
	if m.Open == nil {
		m.Open = map[string]*note{}
	}
	if m.Looked == nil {
		m.Looked = map[string]time.Time{}
	}
	if m.Pinged == nil {
		m.Pinged = map[string]string{}
	}
}

func read(path string) (*memory, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	m := &memory{}
	if err := json.Unmarshal(text, m); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	for cause, n := range m.Open {
		if n == nil || n.cause() != cause {
			return nil, fmt.Errorf("read %s: it holds what it cannot", path)
		}
	}
	return m, nil
}

// gist is all but when areas were looked at, to be compared.
func (m *memory) gist() string {
	rest := *m
	rest.Looked = nil
	text, err := json.Marshal(rest)
	if err != nil {
		return ""
	}
	return string(text)
}

// lookedEvery is by how much it may be forgotten when an area was looked at, so that a disk is left in
// peace on which nothing else has changed. What a report opens or ends is written at once.
const lookedEvery = 10 * time.Minute

// outdates reports whether what is written about when areas were looked at is too old.
func (m *memory) outdates(written map[string]time.Time) bool {
	for area, at := range m.Looked {
		if last, known := written[area]; !known || at.Sub(last).Abs() >= lookedEvery {
			return true
		}
	}
	return false
}

// owesTheDisk reports that something is remembered in this process alone.
func (d *Desk) owesTheDisk(r *Receiver) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.unwritten[r.Name] != nil
}

// keep writes what a receiver was told, or remembers it in this process.
func (d *Desk) keep(ctx context.Context, r *Receiver, m *memory) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := m.write(d.path(r)); err != nil {
		d.unwritten[r.Name] = m
		d.o.Log.WarnContext(ctx, "it cannot be remembered what was told", "receiver", r.Name, "error", err)
		return
	}
	delete(d.unwritten, r.Name)
}

func (m *memory) write(path string) error {
	text, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	err = renameio.WriteFile(path, append(text, '\n'), 0o600)
	if errors.Is(err, syscall.ENOSPC) && os.Remove(reserve(path)) == nil {
		err = renameio.WriteFile(path, append(text, '\n'), 0o600)
	} else if err == nil {
		err = hold(reserve(path))
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// reserve is a file beside that of a receiver that holds room on the disk: that a disk is full is told,
// and it must be possible to note that it was.
func reserve(path string) string { return filepath.Join(filepath.Dir(path), "reserve") }

// hold makes the reserve, if there is none and there is room.
func hold(path string) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	err := renameio.WriteFile(path, make([]byte, 64<<10), 0o600)
	if errors.Is(err, syscall.ENOSPC) {
		return nil
	}
	return err
}
