package runs

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// ErrRewritten says that a record is not the one any more that a [Follower] had begun to read.
var ErrRewritten = errors.New("the run's record was rewritten")

// Follower reads a record as it grows, each line once. The zero value but for Path has read nothing.
type Follower struct {
	Path   string
	file   os.FileInfo // as it was looked at last
	offset int64       // behind the last whole line that was read
	record Record
	at     places
	sum    Stream
	let    bool // the streams have been let go of
	killed bool // it says that it runs, and nobody is there
}

// More reads what was written since, and tells every state of every stream of it, in order. A torn last
// line waits for its end.
func (f *Follower) More(tell func(Stream)) error {
	now, err := os.Stat(f.Path)
	if err != nil {
		return fmt.Errorf("read a run's record: %w", err)
	}
	if f.file != nil {
		if !os.SameFile(f.file, now) || now.Size() < f.offset {
			return fmt.Errorf("%w: %s", ErrRewritten, f.Path)
		}
	}
	if f.file == nil || now.Size() != f.file.Size() {
		f.file = now
		if err := f.read(tell); err != nil {
			return err
		}
	}
	return f.look(tell)
}

// look finds out whether a run that says that it is on is still there.
func (f *Follower) look(tell func(Stream)) error {
	if f.record.Status != "running" || f.killed {
		return nil
	}
	lock := lockOf(f.Path)
	dead, err := lock.TryRLock()
	if err != nil || !dead {
		return nil //nolint:nilerr // where nothing can be locked everybody lives
	}
	defer func() { _ = lock.Close() }() // nothing was written
	if err := f.read(tell); err != nil {
		return err
	}
	f.killed = f.record.Status == "running" // and it has not ended meanwhile
	return nil
}

func (f *Follower) read(tell func(Stream)) error {
	file, err := os.Open(f.Path)
	if err != nil {
		return fmt.Errorf("read a run's record: %w", err)
	}
	defer file.Close()
	lines := bufio.NewReaderSize(io.NewSectionReader(file, f.offset, 1<<62), 1<<16)
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read a run's record: %w", err)
		}
		f.offset += int64(len(line))
		var e event
		if json.Unmarshal(line, &e) == nil {
			f.put(e, tell)
		}
	}
}

func (f *Follower) put(e event, tell func(Stream)) {
	if f.at == nil {
		f.at = places{}
	}
	f.record.apply(e, f.at)
	if e.Stream != nil {
		tell(*e.Stream)
	}
}

// apply folds one line into a record.
func (r *Record) apply(e event, at places) {
	if e.Run != nil {
		streams, warnings := r.Streams, r.Warnings
		*r = *e.Run
		r.Streams, r.Warnings = streams, warnings
	}
	if e.Stream != nil {
		at.put(r, *e.Stream)
	}
	if e.Warning != "" {
		r.Warnings = append(r.Warnings, e.Warning)
	}
}

// Record is the run as far as it was read. Its slices are not to be changed.
func (f *Follower) Record() Record {
	r := f.record
	if f.killed {
		r.Status = "killed"
	}
	return r
}

// Running reports that the run is on.
func (f *Follower) Running() bool { return f.record.Status == "running" && !f.killed }

// Sum adds up what the streams did, also when they were let go of.
func (f *Follower) Sum() Stream {
	if f.let {
		return f.sum
	}
	return f.record.Totals()
}

// Let lets go of the streams, of which there may be tens of thousands, when nobody needs them again.
func (f *Follower) Let() {
	if !f.let && !f.Running() {
		f.sum, f.let = f.record.Totals(), true
		f.record.Streams, f.at = nil, nil
	}
}

// Size is how long a record was when it was looked at last.
func (f *Follower) Size() int64 {
	if f.file == nil {
		return 0
	}
	return f.file.Size()
}

// glance is how much of the end of a record is enough for its last line.
const glance = 256 << 10

// Glance reads how a run began and ended and passes over what it did in between, of which there may be
// much.
func Glance(path string) (r Record, err error) {
	file, err := os.Open(path)
	if err != nil {
		return r, fmt.Errorf("read a run's record: %w", err)
	}
	defer file.Close()
	first, err := bufio.NewReaderSize(file, 1<<12).ReadBytes('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return r, fmt.Errorf("read a run's record: %w", err)
	}
	at, err := file.Stat()
	if err != nil {
		return r, fmt.Errorf("read a run's record: %w", err)
	}
	tail := make([]byte, min(glance, at.Size()))
	if _, err := file.ReadAt(tail, at.Size()-int64(len(tail))); err != nil && !errors.Is(err, io.EOF) {
		return r, fmt.Errorf("read a run's record: %w", err)
	}
	for line := range bytes.Lines(append(first, tail...)) {
		var e event
		if json.Unmarshal(line, &e) == nil && e.Run != nil {
			r = *e.Run
		}
	}
	return r, nil
}
