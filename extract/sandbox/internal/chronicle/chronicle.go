// Package chronicle keeps what was done to a sandbox: a file of JSON, one line for each thing done, that
// nobody else has open. Begin with [Open].
package chronicle

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/gofrs/flock"
	"github.com/google/renameio/v2"
)

// File is an open file. A nil one keeps nothing.
type File struct {
	file *os.File
	lock *flock.Flock // beside the file, which is replaced when it is opened
}

// Open reads a file, which need not exist, and leaves it open for what comes. keep chooses which
// lines it goes on with. A last line that a crash cut off is left out.
func Open[T any](path string, keep func([]T) []T) (*File, []T, error) {
	lock := flock.New(path + ".lock")
	switch held, err := lock.TryLock(); {
	case err != nil:
		return nil, nil, fmt.Errorf("opening the state of the sandbox: %w", err)
	case !held:
		return nil, nil, fmt.Errorf("opening the state of the sandbox: %s is in use by another sandbox", path)
	}
	c := &File{lock: lock}
	list, err := read[T](path)
	if err == nil {
		list = keep(list)
		c.file, err = rewrite(path, list)
	}
	if err != nil {
		return nil, nil, errors.Join(err, lock.Unlock())
	}
	return c, list, nil
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
