package exactpay

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"exactduck/schema"
)

// positionVersion is raised when older positions can no longer be understood.
const positionVersion = 1

// cursor is where the next read begins: what a finished read leaves behind.
type cursor struct {
	Version int    `json:"v"`
	By      string `json:"by,omitempty"` // the column, or "spans"; empty: there is no cursor
	// At is the greatest instant that was seen, or up to which spans were read; empty: none was.
	At string `json:"at,omitempty"`
}

// resume is where a broken-off read goes on.
type resume struct {
	Version int   `json:"v"`
	Pass    int64 `json:"pass"` // and Step: for whoever still has the read in memory
	Step    int   `json:"step"`
	// Which of these is there says how the read went on; with none it cannot, without that memory.
	Walk  *walk           `json:"walk,omitempty"`
	Spans *spans          `json:"spans,omitempty"`
	Each  schema.Position `json:"each,omitempty"` // in the list of which every row is asked about
	Began time.Time       `json:"began"`          // the service's clock
	High  int64           `json:"high,omitempty"`
	Doubt bool            `json:"doubt,omitempty"`
}

// bySpans is what cursors of lists without dates are by.
const bySpans = "spans"

func (e *Endpoint) by() string {
	if e.Span > 0 {
		return bySpans
	}
	return e.Cursor
}

func encode(v any) schema.Position {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // of structs of ours, made of text, numbers and times
	}
	return schema.Position(text)
}

// parseCursor reads the cursor of a list; the zero position is the beginning.
func parseCursor(p schema.Position, e *Endpoint) (cursor, error) {
	c := cursor{Version: positionVersion, By: e.by()}
	if p == "" {
		return c, nil
	}
	var found cursor
	if err := json.Unmarshal([]byte(p), &found); err != nil {
		return c, fmt.Errorf("cursor of %s: %w", e.Name, err)
	}
	if found.Version != c.Version || found.By != c.By {
		return c, fmt.Errorf("cursor of %s: by %q version %d, want %q version %d", e.Name, found.By, found.Version, c.By, c.Version)
	}
	if _, ok := found.at(); !ok && found.At != "" {
		return c, fmt.Errorf("cursor of %s: %q is no time", e.Name, found.At)
	}
	return found, nil
}

// at is the instant of the cursor in microseconds; false: it has none.
func (c cursor) at() (int64, bool) {
	t, err := time.Parse(time.RFC3339Nano, c.At)
	return t.UnixMicro(), err == nil
}

func parseResume(p schema.Position) (resume, error) {
	var r resume
	if err := json.Unmarshal([]byte(p), &r); err != nil {
		return r, err
	}
	if r.Version != positionVersion || r.Step == 0 {
		return r, errors.New("not the position of a page")
	}
	return r, nil
}

// instant writes microseconds as the service takes them: cut to the millisecond.
func instant(us int64) string {
	return time.UnixMicro(milli(us)).UTC().Format("2006-01-02T15:04:05.000Z")
}

// milli cuts microseconds to the millisecond before.
func milli(us int64) int64 { return time.UnixMicro(us).UTC().Truncate(time.Millisecond).UnixMicro() }

// Describe says in words where the next read from a cursor begins.
func Describe(p schema.Position) string {
	var c cursor
	switch err := json.Unmarshal([]byte(p), &c); {
	case p == "":
		return "the beginning"
	case err != nil:
		return string(p)
	case c.By == "":
		return "everything, every time"
	case c.At == "":
		return "the beginning: nothing was there yet"
	case c.By == bySpans:
		return "what is there up to " + c.At + ", and what was read last before it once more"
	}
	return c.By + " from " + c.At + " on, and what may have changed before it"
}
