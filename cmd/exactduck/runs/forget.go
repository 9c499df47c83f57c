package runs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/google/renameio/v2"
)

// Forget takes out of all records in dir what runs did with a scope, and the messages and warnings in
// which one of the words is. No run may be writing.
func Forget(dir, scope string, words ...string) error {
	paths, err := List(dir, time.Now())
	if err != nil {
		return err
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("read a run's record: %w", err)
		}
		left, err := forget(text, scope, words)
		if err != nil {
			return fmt.Errorf("rewrite a run's record: %w", err)
		}
		if bytes.Equal(left, text) {
			continue
		}
		if err := renameio.WriteFile(path, left, 0o600); err != nil {
			return fmt.Errorf("rewrite a run's record: %w", err)
		}
	}
	return nil
}

// ForgetLogs takes out of all logs in dir the lines in which one of the words is. No run may be writing.
func ForgetLogs(dir string, words ...string) error {
	logs, _, err := pasts(dir, logEnding)
	if err != nil {
		return fmt.Errorf("list logs: %w", err)
	}
	for _, log := range logs {
		text, err := os.ReadFile(log.path)
		if err != nil {
			return fmt.Errorf("read the log of a run: %w", err)
		}
		var left []byte
		for line := range bytes.Lines(text) {
			if !slices.ContainsFunc(words, func(w string) bool { return w != "" && bytes.Contains(line, []byte(w)) }) {
				left = append(left, line...)
			}
		}
		if len(left) == len(text) {
			continue
		}
		if err := renameio.WriteFile(log.path, left, 0o600); err != nil {
			return fmt.Errorf("rewrite the log of a run: %w", err)
		}
	}
	return nil
}

func forget(text []byte, scope string, words []string) ([]byte, error) {
	var left bytes.Buffer
	tells := func(text string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return w != "" && strings.Contains(text, w) })
	}
	for line := range bytes.Lines(text) {
		var e event
		if json.Unmarshal(line, &e) != nil {
			continue // torn by a kill; nobody reads it
		}
		if e.Stream != nil && e.Stream.Scope == scope || tells(e.Warning) {
			continue
		}
		if e.Run != nil && (tells(e.Run.Message) || e.Run.Left[scope] != 0) {
			if tells(e.Run.Message) {
				e.Run.Message = ""
			}
			delete(e.Run.Left, scope)
			changed, err := json.Marshal(e)
			if err != nil {
				return nil, err
			}
			line = append(changed, '\n')
		}
		left.Write(line)
	}
	return left.Bytes(), nil
}
