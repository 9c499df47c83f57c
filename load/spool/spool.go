// Package spool keeps the pages of one read on disk until the warehouse has applied them, so that
// a call to the source is never spent twice. Begin with [Create], [File.Append] and [Open].
//
// A file is a mark of 8 bytes, which names the format and its version, and then frames:
//
//	mark 4 | payload length 4 | CRC-32C of the payload 4 | CRC-32C of these 12 bytes 4 | payload
//
// all little-endian. The payload of the first frame is the [Header] as JSON; every other one is a
// page: a head that can be read without unpacking anything, and two blocks compressed with zstd,
// first the columns of the key and the version, then the others. A flag in the head says whether
// marks of rows follow; without any a page is written as it was before there were marks.
//
// A page is written with one call and synced before the next begins. So a kill or a power cut can
// spoil the last frame only: [Open] cuts it off. Anything else that does not add up is [Damaged].
package spool

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/bits"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"exactduck/schema"
)

// Mode says what the warehouse does with the pages.
type Mode string

// The modes.
const (
	// Merge is an incremental read: newer rows replace older ones, and the cursor moves.
	Merge Mode = "merge"
	// Replace is a read of everything: rows of the scope that it did not bring are removed.
	Replace Mode = "replace"
	// Window merges and leaves the cursor alone, but for a history that begins earlier by it.
	Window Mode = "window"
	// Sweep is a read of keys: rows of the scope whose key did not come are removed.
	Sweep Mode = "sweep"
	// Keys and Rows are reads of keys and of everything that are only compared with what is stored.
	Keys Mode = "keys"
	Rows Mode = "rows"
	// Some is a read of some rows, which are only compared with what is stored.
	Some Mode = "some"
)

// Header says what a spool holds. A spool is finished as it was begun, whatever the configuration
// has become since; Fingerprint tells whether the two still agree.
type Header struct {
	ID          string          `json:"id"`
	Stream      string          `json:"stream"`
	Variant     string          `json:"variant"`
	Fingerprint string          `json:"fingerprint"`
	Epoch       string          `json:"epoch"`
	RunID       string          `json:"run_id"` // the run that began it
	Scope       schema.Scope    `json:"scope"`
	Table       *schema.Table   `json:"table"`
	Mode        Mode            `json:"mode"`
	From        schema.Position `json:"from"`
	HistoryFrom string          `json:"history_from"`
	// Dated names the column that says when a row was modified; "": none does.
	Dated string    `json:"dated,omitempty"`
	Began time.Time `json:"began"`
}

const (
	suffix = ".spool"
	begun  = ".spool-begun" // a file whose header is not known to be on disk yet
)

// File is one spool. It is not safe for use by several goroutines. Between the calls of its methods
// nothing is open: a run over hundreds of scopes has thousands of spools.
type File struct {
	path   string
	closed bool
	header Header
	layout layout
	first  int64 // where the first page begins
	end    int64 // where the next page goes
	broken error // why nothing can be appended any more

	resume schema.Position
	done   bool
	rows   int64
	marked int64
	// unproven is what the last page says.
	unproven bool
	pages    int
}

// Create begins a spool in dir, which it makes with mode 0700 if need be, and returns when the
// header is on disk. An empty h.ID is given a random one.
func Create(dir string, h Header) (*File, error) {
	if h.ID == "" {
		h.ID = strings.ToLower(rand.Text()[:16])
	}
	f, err := create(dir, h)
	if err != nil {
		return nil, fmt.Errorf("begin a spool of %s (%s): %w", h.Stream, h.Scope, err)
	}
	return f, nil
}

func create(dir string, h Header) (*File, error) {
	if err := validate(h); err != nil {
		return nil, err
	}
	text, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, safe(h.Stream)+"@"+safe(string(h.Scope))+"-"+safe(h.ID))
	if _, err := os.Lstat(path + suffix); err == nil {
		return nil, &os.PathError{Op: "create", Path: path + suffix, Err: os.ErrExist}
	}
	file, err := os.OpenFile(path+begun, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	opening := appendFrame([]byte(fileMark), text)
	_, err = file.Write(opening)
	if err == nil {
		err = file.Sync()
	}
	err = errors.Join(err, file.Close())
	if err == nil {
		err = os.Rename(path+begun, path+suffix)
	}
	if err != nil {
		return nil, errors.Join(err, os.Remove(path+begun))
	}
	size := int64(len(opening))
	return &File{path: path + suffix, header: h, layout: layoutOf(h.Table), first: size, end: size}, syncDir(dir)
}

func validate(h Header) error {
	switch {
	case h.Table == nil:
		return errors.New("the header has no table")
	case h.Stream == "" || h.Scope == "":
		return errors.New("the header lacks the stream or the scope")
	case !slices.Contains([]Mode{Merge, Replace, Window, Sweep, Keys, Rows, Some}, h.Mode):
		return fmt.Errorf("no such mode: %q", h.Mode)
	}
	for _, name := range append(slices.Clone(h.Table.Key), h.Table.Version) {
		if name != "" && h.Table.Index(name) < 0 {
			return fmt.Errorf("%s has no column %s, which its key or version names", h.Table.FullName(), name)
		}
	}
	for _, c := range h.Table.Columns {
		if _, err := c.Type.MarshalText(); err != nil {
			return fmt.Errorf("column %s: %w", c.Name, err)
		}
	}
	return nil
}

// safe turns a name into one that every file system takes.
func safe(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_':
			return r
		}
		return '.'
	}, name)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// List returns the paths of the spools in dir, sorted; there is none when dir does not exist. It
// removes the beginnings that a kill during [Create] left, so it must not run beside a Create.
func List(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("list the spools: %w", err)
	}
	var paths []string
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		switch {
		case strings.HasSuffix(path, suffix):
			paths = append(paths, path)
		case strings.HasSuffix(path, begun):
			if err := os.Remove(path); err != nil {
				return nil, fmt.Errorf("remove a spool that was never begun: %w", err)
			}
		}
	}
	return paths, nil
}

// Header is what the spool was begun with.
func (f *File) Header() Header { return f.header }

// Path is where the spool lies.
func (f *File) Path() string { return f.path }

// Resume is where to go on reading: after the last page on disk. It is "" when there is none, and
// the cursor of the whole read when the spool is done.
func (f *File) Resume() schema.Position { return f.resume }

// Done says whether the last page of the read is on disk.
func (f *File) Done() bool { return f.done }

// Rows is the number of rows on disk.
func (f *File) Rows() int64 { return f.rows }

// Marked is how many of the rows are marked as [schema.Page.Out] does.
func (f *File) Marked() int64 { return f.marked }

// Unproven says of a spool that is done that the read may have missed rows; see [schema.Page.Unproven].
func (f *File) Unproven() bool { return f.done && f.unproven }

// Pages is the number of pages on disk.
func (f *File) Pages() int { return f.pages }

// Append adds a page and returns when it is on disk. After an error the spool is as before, or,
// where even that failed, takes no more pages until it is opened again.
func (f *File) Append(p *schema.Page) error {
	if err := f.append(p); err != nil {
		return fmt.Errorf("spool a page of %s (%s): %w", f.header.Stream, f.header.Scope, err)
	}
	return nil
}

func (f *File) append(p *schema.Page) error {
	if f.broken != nil {
		return f.broken
	}
	if f.done {
		return errors.New("the read is done already")
	}
	if err := f.fits(p); err != nil {
		return err
	}
	room := rooms.Get().(*room)
	defer rooms.Put(room)
	frame, err := f.layout.encode(append(room.frame[:0], make([]byte, frameHead)...), p, &room.plain)
	if err != nil {
		return err
	}
	room.frame = frame
	fillHead(frame)
	file, err := f.open(os.O_RDWR)
	if err != nil {
		return err
	}
	if err := errors.Join(f.put(file, frame), file.Close()); err != nil {
		return err
	}
	f.count(int64(len(frame)), headOf(p))
	return nil
}

func (f *File) open(flag int) (*os.File, error) {
	if f.closed {
		return nil, &os.PathError{Op: "open", Path: f.path, Err: os.ErrClosed}
	}
	return os.OpenFile(f.path, flag, 0)
}

// put writes a frame behind the last one, durably, or leaves the file as it was.
func (f *File) put(file *os.File, frame []byte) error {
	_, err := file.WriteAt(frame, f.end)
	if err == nil {
		err = file.Sync()
	}
	if err == nil {
		return nil
	}
	if cut := file.Truncate(f.end); cut != nil {
		f.broken = fmt.Errorf("the spool could not be repaired after %w", err)
	}
	return err
}

// room is memory to put a page together; many spools are open at once and few are written to.
type room struct{ frame, plain []byte }

var rooms = sync.Pool{New: func() any { return new(room) }}

func (f *File) count(size int64, h head) {
	f.end += size
	f.rows += int64(h.rows)
	for i := range len(h.out) {
		f.marked += int64(bits.OnesCount8(h.out[i]))
	}
	f.pages++
	f.resume, f.done, f.unproven = h.next, h.done, h.unproven
}

// fits refuses a page that is not of this spool's table and scope.
func (f *File) fits(p *schema.Page) error {
	t := f.header.Table
	if p.Scope != f.header.Scope {
		return fmt.Errorf("the page is of scope %q", p.Scope)
	}
	if p.Table != t && (p.Table.FullName() != t.FullName() || !slices.Equal(p.Table.Columns, t.Columns)) {
		return fmt.Errorf("the page has other columns than the spool was begun with")
	}
	if len(p.Columns) != len(t.Columns) || p.Extra.Len() != p.Rows || p.Out != nil && len(p.Out) != p.Rows {
		return fmt.Errorf("the page does not hold its %d rows", p.Rows)
	}
	for i, c := range p.Columns {
		if c.Type != t.Columns[i].Type || c.Len() != p.Rows {
			return fmt.Errorf("column %s is no %s of %d rows", t.Columns[i].Name, t.Columns[i].Type, p.Rows)
		}
	}
	return nil
}

// Read yields the pages in the order in which they came, each its own. After an error it yields
// no more.
func (f *File) Read() iter.Seq2[*schema.Page, error] {
	return func(yield func(*schema.Page, error) bool) {
		r := NewReader(nil)
		defer r.Close()
		for r.Turn(f); ; {
			p := new(schema.Page)
			if err := r.Next(p); errors.Is(err, io.EOF) {
				return
			} else if err != nil {
				yield(nil, err)
				return
			}
			if !yield(p, nil) {
				return
			}
		}
	}
}

// Close ends the use of the spool and keeps what is in it. It may be called twice.
func (f *File) Close() error {
	f.closed = true
	return nil
}

// Remove closes the spool and deletes it.
func (f *File) Remove() error {
	return errors.Join(f.Close(), os.Remove(f.path))
}
