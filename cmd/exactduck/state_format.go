package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/google/renameio/v2"
)

// stateFormat is the format of the state directory as a whole: which files it has, and what they mean.
// Its databases, spools and logins have formats of their own.
const stateFormat = 1

// newerState is a state directory that a later version of this program has written.
type newerState struct {
	dir    string
	format int
}

func (e *newerState) Error() string {
	return fmt.Sprintf("the state in %s has format %d, this program knows formats up to %d", e.dir, e.format, stateFormat)
}

func stateFormatPath(dir string) string { return filepath.Join(dir, "format") }

// checkState fails with *newerState when nothing in a state directory may be touched. A directory
// without a format is of the first one.
func checkState(dir string) error {
	text, err := os.ReadFile(stateFormatPath(dir))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) { // whoever writes there will be told
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the format of the state: %w", err)
	}
	format, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return nil //nolint:nilerr // torn or edited: it says nothing about a later version
	}
	if format > stateFormat {
		return &newerState{dir, format}
	}
	return nil
}

// markState writes down the format of a state directory that is used for the first time.
func markState(dir string) error {
	path := stateFormatPath(dir)
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := renameio.WriteFile(path, []byte(strconv.Itoa(stateFormat)+"\n"), 0o600); err != nil {
		return fmt.Errorf("write the format of the state: %w", err)
	}
	return nil
}
