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
	Logins   *logins `json:"logins,omitempty"`
	Origin   *origin `json:"origin,omitempty"`
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

// do writes a step down and then does it.
func (s *Sandbox) do(x step) error {
	if x.At == 0 {
		x.At = s.now().UnixNano()
	}
	if err := s.keep(x); err != nil {
		return err
	}
	return s.redo(x)
}

// redo does a step, whether for the first time or again.
func (s *Sandbox) redo(x step) error {
	at := wall(time.Unix(0, x.At), s.zone)
	switch x.Op {
	case "origin":
		return nil
	case "logins":
		s.logins = x.Logins
		return nil
	case "change":
		return s.redoChange(x, at)
	case "forbid":
		s.forbidden[x.Path] = true
		return nil
	case "allow":
		delete(s.forbidden, x.Path)
		return nil
	case "add":
		return s.redoAdd(x)
	case "drop":
		return s.redoDrop(x)
	case "rename":
		return s.redoRename(x)
	case "add division":
		s.addDivision().name = x.Name
		return nil
	}
	d, err := s.division(x.Division)
	if err != nil {
		return err
	}
	switch x.Op {
	case "commit":
		return d.commit()
	case "move":
		return d.move(at)
	case "link":
		d.linkHR(at, x.At)
	case "revoke":
		d.revoked[x.Path] = true
	case "restore":
		delete(d.revoked, x.Path)
	case "remove division":
		s.removeDivision(d)
	case "rename division":
		d.name = x.Name
		s.remember()
	default:
		return fmt.Errorf("the state of the sandbox has a step %q, which this version does not know", x.Op)
	}
	return nil
}

func (s *Sandbox) redoChange(x step, at stamp) error {
	d, err := s.division(x.Change.Division)
	if err != nil {
		return err
	}
	s.number = max(s.number, x.Number)
	w := d.newWrite(at, x.Number)
	if x.Change.Late {
		d.late = append(d.late, delayed{*x.Change, at, w.version, x.Number})
		d.version += lateVersions
		return nil
	}
	err = d.apply(*x.Change, w)
	d.version = max(d.version, w.version)
	return err
}
