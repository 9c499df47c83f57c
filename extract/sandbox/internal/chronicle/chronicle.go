// Package chronicle keeps what was done to a sandbox: a file of JSON, one line for each thing done, that
// nobody else has open. Begin with [Begin].
package chronicle

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"

	"github.com/gofrs/flock"
	"github.com/google/renameio/v2"
)

// File is an open file. A nil one keeps nothing.
type File struct {
	file *os.File
	lock *flock.Flock // beside the file, which is replaced when it is opened
}

// Line is one thing that was done.
type Line interface {
	// Begins tells whether everything else follows from it: the first line does.
	Begins() bool
	// Supersedes tells whether it makes those like it before it superfluous.
	Supersedes() bool
}

// Begin does again what the lines of a file say was done, and leaves it open for what comes. A file that
// is not there yet begins with first; without a path that is all, and nothing is kept. A last line that a
// crash cut off is left out. That the first line cannot be done is an error, of others it is logged: what
// cannot be done now could not be done then.
func Begin[T Line](path string, first func() T, do func(T) error, log *slog.Logger) (*File, error) {
	if path == "" {
		return nil, do(first())
	}
	c, lines, err := open(path, first)
	if err != nil {
		return nil, err
	}
	for i, x := range lines {
		switch err := do(x); {
		case err != nil && i == 0:
			return nil, errors.Join(err, c.Close())
		case err != nil:
			log.Debug("step of the sandbox without effect", slog.Int("line", i+1), slog.Any("error", err))
		}
	}
	return c, nil
}

// open reads a file, leaves out what it does not need any more, and keeps it open.
func open[T Line](path string, first func() T) (*File, []T, error) {
	lock := flock.New(path + ".lock")
	switch held, err := lock.TryLock(); {
	case err != nil:
		return nil, nil, fmt.Errorf("opening the state of the sandbox: %w", err)
	case !held:
		return nil, nil, fmt.Errorf("opening the state of the sandbox: %s is in use by another sandbox", path)
	}
	c := &File{lock: lock}
	lines, err := read[T](path)
	switch {
	case err != nil:
	case len(lines) == 0:
		lines = []T{first()}
	case !lines[0].Begins():
		err = fmt.Errorf("reading the state of the sandbox: %s does not begin with its origin", path)
	default:
		lines = lasting(lines)
	}
	if err == nil {
		c.file, err = rewrite(path, lines)
	}
	if err != nil {
		return nil, nil, errors.Join(err, lock.Unlock())
	}
	return c, lines, nil
}

// lasting leaves out what is superseded.
func lasting[T Line](lines []T) []T {
	last := -1
	for i, x := range lines {
		if x.Supersedes() {
			last = i
		}
	}
	kept := lines[:0]
	for i, x := range lines {
		if !x.Supersedes() || i == last {
			kept = append(kept, x)
		}
	}
	return kept
}

func read[T any](path string) ([]T, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the state of the sandbox: %w", err)
	}
	var list []T
	for number := 1; len(text) > 0; number++ {
		line, rest, whole := bytes.Cut(text, []byte("\n"))
		if !whole {
			break
		}
		var x T
		if err := json.Unmarshal(line, &x); err != nil {
			return nil, fmt.Errorf("reading the state of the sandbox: %s:%d: %w", path, number, err)
		}
		list, text = append(list, x), rest
	}
	return list, nil
}

// rewrite replaces the file and opens it for what comes.
func rewrite[T any](path string, list []T) (*os.File, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	for _, x := range list {
		if err := encoder.Encode(x); err != nil {
			return nil, fmt.Errorf("writing the state of the sandbox: %w", err)
		}
	}
	if err := renameio.WriteFile(path, text.Bytes(), 0o600); err != nil {
		return nil, fmt.Errorf("writing the state of the sandbox: %w", err)
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the state of the sandbox: %w", err)
	}
	return file, nil
}

// Add writes a line, durably.
func (c *File) Add(x any) error {
	if c == nil {
		return nil
	}
	line, err := json.Marshal(x)
	if err == nil {
		_, err = c.file.Write(append(line, '\n'))
	}
	if err == nil {
		err = c.file.Sync()
	}
	if err != nil {
		return fmt.Errorf("writing the state of the sandbox: %w", err)
	}
	return nil
}

// Close lets go of the file.
func (c *File) Close() error {
	if c == nil {
		return nil
	}
	return errors.Join(c.file.Close(), c.lock.Unlock())
}
