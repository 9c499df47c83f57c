package alert

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Told is what a receiver was told and is owed.
type Told struct {
	Receiver string `json:"receiver"`
	Owed     int    `json:"owed"`              // messages
	Sent     []Sent `json:"sent"`              // the newest first
	Problem  string `json:"problem,omitempty"` // why it did not take the last one
	// Next is when it is tried again.
	Next   time.Time         `json:"next_try_at,omitzero"`
	Pinged map[string]string `json:"pinged,omitempty"` // the last run of each pipeline

	told map[string]time.Time // by cause
}

// Of is when the receiver was last told of a condition; false: not yet.
func (t *Told) Of(c Condition) (time.Time, bool) {
	at, ok := t.told[c.cause()]
	return at, ok
}

// Look reads what each receiver was told. It waits for nobody.
func (d *Desk) Look() ([]Told, error) {
	all := make([]Told, len(d.o.Receivers))
	for i := range d.o.Receivers {
		r := &d.o.Receivers[i]
		m, err := read(d.path(r))
		if errors.Is(err, fs.ErrNotExist) {
			m, err = &memory{}, nil
		}
		if err != nil {
			return nil, err
		}
		all[i] = Told{
			Receiver: r.Name, Owed: len(messages(m.owed())), Sent: slices.Clone(m.Sent), Problem: m.Problem, Next: m.Next, Pinged: m.Pinged,
			told: map[string]time.Time{},
		}
		slices.Reverse(all[i].Sent)
		for cause, n := range m.Open {
			if n.Times > 0 {
				all[i].told[cause] = n.ToldAt
			}
		}
	}
	return all, nil
}

// Forget takes out of what is remembered in dir every text that one of the words is in. What was told
// stays told.
func Forget(ctx context.Context, dir string, words ...string) error {
	paths, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return fmt.Errorf("list what receivers were told: %w", err)
	}
	tells := func(text string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return w != "" && strings.Contains(text, w) })
	}
	for _, path := range paths {
		if err := forget(ctx, path, tells); err != nil {
			return err
		}
	}
	return nil
}

func forget(ctx context.Context, path string, tells func(string) bool) error {
	lock, err := acquire(ctx, path)
	if err != nil {
		return fmt.Errorf("forget what receivers were told: %w", err)
	}
	defer lock.Close()
	m, err := read(path)
	if err != nil {
		return err
	}
	changed := false
	for _, n := range m.Open {
		if tells(n.Message) || tells(n.Hint) {
			n.Message, n.Hint, changed = erased, "", true
		}
	}
	for i := range m.Sent {
		if tells(m.Sent[i].Message) {
			m.Sent[i].Message, changed = erased, true
		}
	}
	if !changed {
		return nil
	}
	return m.write(path)
}

// erased stands for a text that was about something that is forgotten.
const erased = "(erased)"
