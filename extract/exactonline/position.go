package exactonline

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"exactduck/extract"
	"exactduck/schema"
)

// positionVersion is raised when older positions can no longer be understood.
const positionVersion = 1

// cursor is where the next read begins: what a finished read leaves behind.
type cursor struct {
	Version int        `json:"v"`
	Kind    cursorKind `json:"kind"`
	From    int64      `json:"timestamp,omitempty"` // Versioned: rows with a higher Timestamp
	Pending *pending   `json:"pending,omitempty"`
	Wall    string     `json:"modified,omitempty"` // Modified: rows modified at or after this wall time
	Since   string     `json:"since,omitempty"`    // wall time to which a Versioned read with no From is limited
}

type cursorKind string

var cursorKinds = map[extract.Cursor]cursorKind{
	extract.Versioned: "timestamp", extract.Modified: "modified", extract.Whole: "whole",
}

// pending is a Timestamp that becomes the cursor when a later read has begun late enough to have
// seen whatever was being written below it.
type pending struct {
	Timestamp int64     `json:"timestamp"`
	Began     time.Time `json:"began"`
}

// resume is where a broken-off read goes on.
type resume struct {
	Version int       `json:"v"`
	Next    string    `json:"next"`
	Since   string    `json:"since,omitempty"`
	Here    bool      `json:"here,omitempty"` // the filter was not asked of the service
	Began   time.Time `json:"began"`          // service's clock
	seen
}

// seen is what a read has learnt from its rows so far.
type seen struct {
	Highest int64 `json:"highest,omitempty"` // Timestamp of all rows
	Settled int64 `json:"settled,omitempty"` // Timestamp of rows that were modified long before the read began
	Dated   bool  `json:"dated,omitempty"`   // some row said when it was modified
}

// Row versions are given when a row is written and seen when its transaction is committed, so a
// row may appear below others that were seen before it. This is how long it may be in coming.
const settling = 15 * time.Minute

// The clocks of the service and its October hour: how far a Modified cursor is put back.
const setback = 2 * time.Hour

const wallFormat = "2006-01-02T15:04:05"

func encode(v any) schema.Position {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // of structs of ours, made of text, numbers and times
	}
	return schema.Position(text)
}

// parseCursor reads the cursor of a variant; the zero position is the beginning.
func parseCursor(p schema.Position, v *extract.Variant) (cursor, error) {
	c := cursor{Version: positionVersion, Kind: cursorKinds[v.Cursor]}
	if p == "" {
		return c, nil
	}
	var found cursor
	if err := json.Unmarshal([]byte(p), &found); err != nil {
		return c, fmt.Errorf("cursor of %s: %w", v.Name, err)
	}
	if found.Version != c.Version || found.Kind != c.Kind {
		return c, fmt.Errorf("cursor of %s: of kind %q version %d, want %q version %d", v.Name, found.Kind, found.Version, c.Kind, c.Version)
	}
	return found, nil
}

func parseResume(p schema.Position) (resume, error) {
	var r resume
	if err := json.Unmarshal([]byte(p), &r); err != nil {
		return r, err
	}
	if r.Version != positionVersion || r.Next == "" || r.Began.IsZero() {
		return r, errors.New("not the position of a page")
	}
	return r, nil
}

// advance is the cursor after a read that began at some time of the service's clock, had the
// cursor c and saw what s says. It never goes back.
func (c cursor) advance(began time.Time, s seen, since string, zone *time.Location) cursor {
	switch c.Kind {
	case cursorKinds[extract.Modified]:
		began := wall(began, zone)
		c.Wall = max(c.Wall, began.Add(-setback).Format(wallFormat))
	case cursorKinds[extract.Versioned]:
		c = c.settle(began, s)
		if c.Since = since; c.From > 0 {
			c.Since = ""
		}
	}
	return c
}

// settle moves a Timestamp cursor as far as nothing can appear below it any more.
func (c cursor) settle(began time.Time, s seen) cursor {
	if c.Pending != nil && !began.Before(c.Pending.Began.Add(settling)) {
		c.From, c.Pending = max(c.From, c.Pending.Timestamp), nil
	}
	switch {
	case s.Dated:
		c.From = max(c.From, s.Settled)
	case c.Pending == nil && s.Highest > c.From:
		c.Pending = &pending{Timestamp: s.Highest, Began: began}
	}
	return c
}
