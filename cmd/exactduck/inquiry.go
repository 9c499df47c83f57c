package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"exactduck/cmd/exactduck/config"
	"exactduck/extract"
	"exactduck/extract/mask"
	"exactduck/load"
	"exactduck/schema"
)

// inquiry is what was asked for, so that a cursor is never used for another question. Its text is the
// fingerprint, readable on purpose. The variant is the one that reads everything, whichever brings
// the changes.
type inquiry struct {
	Variant string   `json:"variant"`
	Columns []string `json:"columns,omitempty"` // the only ones; none: all
	Without []string `json:"without,omitempty"`
	Since   string   `json:"since,omitempty"`
	Filter  string   `json:"filter,omitempty"`
	Params  string   `json:"params,omitempty"`
	Whence  string   `json:"whence,omitempty"` // "": scopes tell it
	// Types are the columns of which the type is not the catalogue's.
	Types map[string]schema.Type `json:"types,omitempty"`
	// Mask are the rules by which values were kept from the disk, and MaskKey what tells the key of the
	// hashes from another.
	Mask    mask.Rules `json:"mask,omitempty"`
	MaskKey string     `json:"mask_key,omitempty"`
	Numbers int        `json:"numbers"` // the rule by which doubles become amounts
	// Shape tells the table that came of it from one that a later catalogue makes of the same
	// words; "": written before there was a Shape, when catalogues had not changed yet.
	Shape string `json:"shape,omitempty"`
}

// numberRule is the rule by which doubles become amounts: what exactonline/amounts.txt names, to the
// cent, half to even.
const numberRule = 1

func inquire(v *extract.Variant, c *config.Choice) inquiry {
	i := inquiry{
		Variant: v.Name, Columns: c.Columns, Without: c.Exclude, Since: moment(c.Since), Filter: c.Filter,
		Params: v.Query, Whence: c.Whence, Numbers: numberRule, Types: c.Types, Mask: c.Mask, MaskKey: c.MaskCheck,
	}
	if c.Columns != nil && len(c.Columns) == 0 { // keys alone
		i.Columns = slices.Clone(c.Table(v).Key)
	}
	i.Shape = i.shape(v, c.Stream)
	return i
}

// shape is a short name of the table that the words of an inquiry make of a variant, and of the kind
// of cursor that goes with it. A full read that ends in a cursor of a dearer variant is of the variant.
func (i inquiry) shape(v *extract.Variant, s *extract.Stream) string {
	for _, original := range s.Variants {
		if original.Name == v.Name {
			v = original
		}
	}
	t := i.table(v, s)
	lines := make([]string, 0, len(t.Columns))
	for _, c := range t.Columns {
		lines = append(lines, c.Name+" "+c.Type.String())
	}
	slices.Sort(lines)
	sum := sha256.Sum256(fmt.Appendf(nil, "%q key %q version %q cursor %d", lines, t.Key, t.Version, v.Cursor))
	return hex.EncodeToString(sum[:6])
}

// table is what the words of an inquiry make of a variant.
func (i inquiry) table(v *extract.Variant, s *extract.Stream) *schema.Table {
	return (&config.Choice{Stream: s, Columns: i.Columns, Exclude: i.Without, Types: i.Types}).Table(v)
}

func fingerprint(v *extract.Variant, c *config.Choice) string { return inquire(v, c).text() }

func (i inquiry) text() string {
	var text strings.Builder
	to := json.NewEncoder(&text)
	to.SetEscapeHTML(false) // it is read by people
	if err := to.Encode(i); err != nil {
		panic(err) // strings and numbers always do
	}
	return strings.TrimSpace(text.String())
}

// inquiryOf is what a fingerprint stands for; zero when it is none of ours.
func inquiryOf(fingerprint string) (i inquiry) {
	_ = json.Unmarshal([]byte(fingerprint), &i)
	return i
}

// change is what another inquiry means for rows that are stored.
type change uint8

const (
	same     change = iota // the same rows with the same columns, whatever the words
	narrower               // stored rows can be cut down to it
	wider                  // everything has to be read again
)

// narrowing is what has to be taken away from stored rows.
type narrowing struct {
	drop        []string // columns that become NULL
	since       time.Time
	dated       string // the column that since is compared with
	historyFrom string // of what is left
}

// compare says what is to become of the rows that a cursor stands for when its stream is asked for as
// c says, by the same variant v or another.
func compare(cursor load.Cursor, c *config.Choice, v *extract.Variant) (change, *narrowing) {
	if cursor.Fingerprint == fingerprint(v, c) {
		return same, nil
	}
	was, is := inquiryOf(cursor.Fingerprint), inquire(v, c)
	if was.Variant != is.Variant || was.Filter != is.Filter || was.Params != is.Params || was.Whence != is.Whence || was.Numbers != is.Numbers {
		return wider, nil
	}
	drop, more := columnsBetween(was, is, v, c.Stream)
	table := is.table(v, c.Stream)
	has := func(column string) bool { return table.Index(column) >= 0 }
	kept := vendorNamed(c.Stream.Name).kind().Documented(v).Kept // without a column
	more = more || unmasks(was, is, func(name string) bool {
		return has(name) || slices.ContainsFunc(kept, func(known string) bool { return strings.EqualFold(known, name) })
	})
	drop = append(drop, slices.DeleteFunc(bare(was, is), func(name string) bool { return !has(name) })...)
	later, earlier := sinceBetween(was, is, cursor)
	n := &narrowing{drop: drop, dated: v.Dated, historyFrom: cursor.HistoryFrom}
	switch {
	case more || earlier:
		return wider, nil
	case later && was.table(v, c.Stream).Index(v.Dated) < 0: // nobody kept when rows were modified
		return wider, nil
	case later:
		n.since, n.historyFrom = c.Since, is.Since
	case len(drop) == 0:
		return same, nil
	}
	return narrower, n
}

// columnsBetween are the columns that one inquiry has stored and the next does not want, and whether
// the next wants others too. Of a table that another catalogue made nobody knows which those are.
func columnsBetween(was, is inquiry, v *extract.Variant, s *extract.Stream) (drop []string, more bool) {
	if was.Shape == is.Shape {
		return nil, false
	}
	if was.Shape != "" && was.Shape != was.shape(v, s) {
		return nil, true
	}
	before, after := was.table(v, s), is.table(v, s)
	if !maps.Equal(was.Types, is.Types) { // other types, and what is a column no more is to be in _extra
		return nil, true
	}
	for _, c := range before.Columns {
		if after.Index(c.Name) < 0 {
			drop = append(drop, c.Name)
		}
	}
	return drop, !covers(before, after)
}

// sinceBetween tells a later beginning from an earlier one. What is stored may begin later than the
// configuration said: a first load can be cut short by --since.
func sinceBetween(was, is inquiry, cursor load.Cursor) (later, earlier bool) {
	if was.Since == is.Since {
		return false, false
	}
	begins := max(was.Since, cursor.HistoryFrom)
	return is.Since > begins, is.Since < begins
}

// fewer tells that the change from one fingerprint to another may leave rows out, so that it is to
// be believed when they are gone.
func fewer(was, is string) bool {
	before, after := inquiryOf(was), inquiryOf(is)
	return before.Since < after.Since || before.Filter != after.Filter && after.Filter != "" || before.Params != after.Params
}

// moment writes a wall time as short as it can: a day, or a day and a time.
func moment(t time.Time) string {
	switch {
	case t.IsZero():
		return ""
	case t.Equal(t.Truncate(24 * time.Hour)):
		return t.Format(time.DateOnly)
	}
	return t.Format("2006-01-02T15:04:05")
}

// momentOf reads what moment wrote; zero: there is none.
func momentOf(text string) time.Time {
	t, err := config.ParseDate(text, time.UTC)
	if err != nil {
		return time.Time{}
	}
	return t
}
