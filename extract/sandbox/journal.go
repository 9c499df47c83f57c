package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/google/renameio/v2"
)

// step is one line of the state file: what was done to the sandbox, in order. Companies are
// generated anew from the seed and the steps done to them again; of logins the last state counts.
type step struct {
	Op       string  `json:"op"`
	At       int64   `json:"at,omitempty"` // nanoseconds since 1970
	Number   int     `json:"number,omitempty"`
	Change   *Change `json:"change,omitempty"`
	Division int     `json:"division,omitempty"`
	Path     string  `json:"path,omitempty"`
	Name     string  `json:"name,omitempty"`
	To       string  `json:"to,omitempty"`
	Edm      string  `json:"edm,omitempty"`
	Value    any     `json:"value,omitempty"`
	Reason   string  `json:"reason,omitempty"`
	Yes      bool    `json:"yes,omitempty"`
	Logins   *logins `json:"logins,omitempty"`
	// Set are switches by name, with what they are set to.
	Set map[string]string `json:"set,omitempty"`
	// Scene is the step of a scenario that this is, counted from 1; 0: of none.
	Scene int `json:"scene,omitempty"`
	// Fault is of this process alone: it is not kept.
	Fault  *Fault  `json:"-"`
	Origin *origin `json:"origin,omitempty"`
}

// origin is what the companies are generated from.
type origin struct {
	Seed      uint64    `json:"seed"`
	Divisions int       `json:"divisions"`
	Scale     float64   `json:"scale"`
	Today     time.Time `json:"today"`

	Records  map[string]int `json:"records,omitempty"`
	Archived int            `json:"archived,omitempty"`
	Blocked  int            `json:"blocked,omitempty"`
}

// steps reads a state file. A last line that a crash cut off is left out; a file that does not
// exist has no steps.
func steps(path string) ([]step, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the state of the sandbox: %w", err)
	}
	var list []step
	for number := 1; len(text) > 0; number++ {
		line, rest, whole := bytes.Cut(text, []byte("\n"))
		if !whole {
			break
		}
		var s step
		if err := json.Unmarshal(line, &s); err != nil {
			return nil, fmt.Errorf("reading the state of the sandbox: %s:%d: %w", path, number, err)
		}
		list, text = append(list, s), rest
	}
	if len(list) > 0 && list[0].Origin == nil {
		return nil, fmt.Errorf("reading the state of the sandbox: %s does not begin with its origin", path)
	}
	return list, nil
}

// rewrite replaces the state file by what is needed of its steps: all but superseded logins.
func rewrite(path string, list []step) error {
	last := -1
	for i, s := range list {
		if s.Logins != nil {
			last = i
		}
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	for i, s := range list {
		if s.Logins != nil && i != last {
			continue
		}
		if err := encoder.Encode(s); err != nil {
			return fmt.Errorf("writing the state of the sandbox: %w", err)
		}
	}
	if err := renameio.WriteFile(path, text.Bytes(), 0o600); err != nil {
		return fmt.Errorf("writing the state of the sandbox: %w", err)
	}
	return nil
}

// keep appends a step to the state file, durably. Without a state file it does nothing.
func (s *Sandbox) keep(x step) error {
	if s.state == nil {
		return nil
	}
	line, err := json.Marshal(x)
	if err != nil {
		return fmt.Errorf("writing the state of the sandbox: %w", err)
	}
	if _, err := s.state.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("writing the state of the sandbox: %w", err)
	}
	if err := s.state.Sync(); err != nil {
		return fmt.Errorf("writing the state of the sandbox: %w", err)
	}
	return nil
}

func (s *Sandbox) saveLogins() error { return s.keep(step{Op: "logins", Logins: s.logins}) }
