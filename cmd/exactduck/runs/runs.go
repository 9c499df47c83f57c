// Package runs keeps the record of every run as a file of JSON lines that can be read while the
// run is still writing it, by another process or after a crash. Begin with [Create] and [Read].
package runs

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"
)

// Effort is where the time went, in milliseconds, and what went over the wire.
type Effort struct {
	Wait  int64 `json:"wait_ms"`  // until calls might be sent: for quota, for other reads, between attempts
	Read  int64 `json:"read_ms"`  // for answers, and for making pages of them
	Spool int64 `json:"spool_ms"` // for writing pages down
	Apply int64 `json:"apply_ms"` // for putting rows into the warehouse; what reads share is shared out by rows
	// Bytes are those of answers as they were read, Wire those that came over the network,
	// compressed as a rule. Retries are the calls that were made again.
	Bytes   int64 `json:"bytes"`
	Wire    int64 `json:"wire_bytes"`
	Retries int   `json:"retries"`
}

// Plus is the effort of both.
func (e Effort) Plus(o Effort) Effort {
	return Effort{
		Wait: e.Wait + o.Wait, Read: e.Read + o.Read, Spool: e.Spool + o.Spool, Apply: e.Apply + o.Apply,
		Bytes: e.Bytes + o.Bytes, Wire: e.Wire + o.Wire, Retries: e.Retries + o.Retries,
	}
}

// Time is all of it, in milliseconds.
func (e Effort) Time() int64 { return e.Wait + e.Read + e.Spool + e.Apply }

// Stream is what a run did with one stream in one scope.
type Stream struct {
	Effort
	// Idle is for how long, in milliseconds, it stood still because others had their turn. With what
	// Effort says it is all the time between Started and Ended.
	Idle     int64  `json:"idle_ms"`
	Stream   string `json:"stream"`
	Scope    string `json:"scope"`
	Variant  string `json:"variant,omitempty"`
	Mode     string `json:"mode,omitempty"`
	Why      string `json:"why,omitempty"`
	Status   string `json:"status"` // reading, read, done, failed, forbidden, suspect_shrink, postponed
	Calls    int    `json:"calls"`  // of this run, repeated ones included
	Pages    int    `json:"pages"`  // of the read, those of earlier runs included
	Rows     int64  `json:"rows_read"`
	Inserted int64  `json:"inserted"`
	Updated  int64  `json:"updated"`
	Deleted  int64  `json:"deleted"`
	Missed   int64  `json:"missed,omitempty"`
	Error    string `json:"error,omitempty"`
	// Cause is the kind of Error in a word, so that many of one kind can be counted; "" for one that
	// nobody need be told of.
	Cause   string    `json:"cause,omitempty"`
	Started time.Time `json:"started_at,omitzero"`
	Ended   time.Time `json:"ended_at,omitzero"`
}

// Record is a run as far as it is known.
type Record struct {
	// Of a run, Effort is time by the clock on the wall, although many streams are read at once: what
	// they did meanwhile shares it out. With Publish and Other it is all the time of the run.
	Effort
	Other    int64     `json:"other_ms"` // for the login, the divisions, the plan, and comparing
	Publish  int64     `json:"publish_ms"`
	ID       string    `json:"run_id"`
	Pipeline string    `json:"pipeline"`
	PID      int       `json:"pid"`
	Started  time.Time `json:"started_at"`
	Ended    time.Time `json:"ended_at,omitzero"`
	Status   string    `json:"status"` // running, done, partial, failed, interrupted, killed
	ExitCode int       `json:"exit_code"`
	Calls    int       `json:"calls"`
	Message  string    `json:"message,omitempty"`
	// Left is how many calls of the day each scope had left when the run ended, as far as known.
	Left map[string]int `json:"calls_left,omitempty"`
	// Sums are what the streams come to, once the run has ended.
	Sums Sums `json:"sums,omitzero"`
	// Warnings are what a person should know though nothing failed.
	Warnings []string `json:"warnings,omitempty"`
	Streams  []Stream `json:"streams"`
}

// Sums are what the streams of a run come to.
type Sums struct {
	Streams  int   `json:"streams"`
	Failed   int   `json:"streams_failed"` // that did not end well
	Rows     int64 `json:"rows_read"`
	Inserted int64 `json:"inserted"`
	Updated  int64 `json:"updated"`
	Deleted  int64 `json:"deleted"`
}

// Sum adds up the streams.
func (r *Record) Sum() Sums {
	t := r.Totals()
	s := Sums{Streams: len(r.Streams), Rows: t.Rows, Inserted: t.Inserted, Updated: t.Updated, Deleted: t.Deleted}
	for _, l := range r.Streams {
		if l.Status != "done" {
			s.Failed++
		}
	}
	return s
}

// Totals adds up what the streams of a run did.
func (r *Record) Totals() (sum Stream) {
	for _, s := range r.Streams {
		sum.Effort, sum.Idle = sum.Plus(s.Effort), sum.Idle+s.Idle
		sum.Calls += s.Calls
		sum.Pages += s.Pages
		sum.Rows += s.Rows
		sum.Inserted += s.Inserted
		sum.Updated += s.Updated
		sum.Deleted += s.Deleted
	}
	return sum
}

// event is one line of the file: the whole of what changed, so that the last line about a thing
// is the truth about it.
type event struct {
	Run     *Record `json:"run,omitempty"`
	Stream  *Stream `json:"stream,omitempty"`
	Warning string  `json:"warning,omitempty"`
}

// Writer appends to the record of one run. Its methods may be called from several goroutines.
type Writer struct {
	mu     sync.Mutex
	file   *os.File
	lock   *flock.Flock // tells others that the run lives
	record Record
	places places
}

// Create begins the record of a run in dir, which is made when it is missing.
func Create(dir string, r Record) (*Writer, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("create the folder of run records: %w", err)
	}
	path := filepath.Join(dir, r.ID+recordEnding)
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("create the run's record: %w", err)
	}
	r.Status, r.PID, r.Streams = "running", os.Getpid(), nil
	w := &Writer{file: file, lock: lockOf(path), record: r, places: places{}}
	err = w.lock.Lock()
	if err == nil {
		err = w.append(event{Run: &r})
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("create the run's record: %w", err), file.Close(), w.lock.Close())
	}
	return w, nil
}

// lockOf is the lock that a run holds on its record: unlike a process id it is given back by whoever
// dies, and to nobody else.
func lockOf(path string) *flock.Flock { return flock.New(path, flock.SetFlag(os.O_RDONLY)) }

// Stream notes the state of one stream in one scope, replacing what was noted of it before.
func (w *Writer) Stream(s Stream) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.places.put(&w.record, s)
	return w.append(event{Stream: &s})
}

// Warn notes something that a person should know though nothing failed.
func (w *Writer) Warn(text string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.record.Warnings = append(w.record.Warnings, text)
	return w.append(event{Warning: text})
}

// End notes how the run ended, which end says but for the streams, closes the file and returns the
// whole record.
func (w *Writer) End(end Record) (Record, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.record
	r.Status, r.ExitCode, r.Calls, r.Message, r.Left, r.Ended = end.Status, end.ExitCode, end.Calls, end.Message, end.Left, end.Ended
	r.Effort, r.Other, r.Publish, r.Sums = end.Effort, end.Other, end.Publish, r.Sum()
	w.record = r
	line := r
	line.Streams, line.Warnings = nil, nil
	return r, errors.Join(w.append(event{Run: &line}), w.file.Close(), w.lock.Close())
}

// Record is the run as noted so far.
func (w *Writer) Record() Record {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.record
	r.Streams = slices.Clone(r.Streams)
	return r
}

func (w *Writer) append(e event) error {
	line, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("write the run's record: %w", err)
	}
	if _, err := w.file.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("write the run's record: %w", err)
	}
	return nil
}

// places is where in a record each of its streams is.
type places map[[3]string]int

func (p places) put(r *Record, s Stream) {
	key := [3]string{s.Stream, s.Scope, s.Mode}
	at, known := p[key]
	if !known {
		p[key] = len(r.Streams)
		r.Streams = append(r.Streams, s)
		return
	}
	r.Streams[at] = s
}

// Read folds one file into a record. A torn last line, of a run that is writing or was killed, is
// left out; of a file that says nothing there is a record without ID. Who was killed cannot say so: Read does, with what the run had done until then.
func Read(path string) (Record, error) {
	r, err := read(path)
	if err != nil || r.Status != "running" {
		return r, err
	}
	lock := lockOf(path)
	dead, err := lock.TryRLock()
	if err != nil || !dead {
		return r, nil //nolint:nilerr // where nothing can be locked everybody lives
	}
	defer func() { _ = lock.Close() }()             // nothing was written
	if r, err = read(path); r.Status == "running" { // and it has not ended meanwhile
		r.Status = "killed"
	}
	return r, err
}

func read(path string) (Record, error) {
	f := Follower{Path: path}
	err := f.read(func(Stream) {})
	return f.record, err
}

// ahead is how much later than now a run may say that it began.
const ahead = 10 * time.Minute

// Ahead tells that a run says that it began after now: some clock was wrong.
func Ahead(id string, now time.Time) bool { return id > now.Add(ahead).UTC().Format("20060102T150405") }

// Compare orders the ids of runs, the oldest first. Those that began after now come before all others: none
// of them is the last.
func Compare(now time.Time) func(a, b string) int {
	return func(a, b string) int {
		if x, y := Ahead(a, now), Ahead(b, now); x != y && x {
			return -1
		} else if x != y {
			return 1
		}
		return strings.Compare(a, b)
	}
}

// List returns the paths of the records in dir, in the order of [Compare]. A folder that is not there is empty.
func List(dir string, now time.Time) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list run records: %w", err)
	}
	var paths []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), recordEnding) && !e.IsDir() {
			paths = append(paths, filepath.Join(dir, e.Name()))
		}
	}
	order := Compare(now)
	slices.SortFunc(paths, func(a, b string) int { return order(filepath.Base(a), filepath.Base(b)) })
	return paths, nil
}
