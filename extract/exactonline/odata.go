package exactonline

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"exactduck/extract/rawjson"
	"exactduck/schema"

	"github.com/go-faster/jx"
)

// decoder turns the bodies of one read into pages. A body is walked once; what it holds goes
// straight into the columns of a page, and only text is copied. All or nothing: a body that is
// cut, followed by garbage or not an answer of OData gives an error and no page.
//
// Where a value ends up:
//
//   - one that fits its column: there.
//   - one that does not: NULL in the column, the JSON as it came in Extra, the column in Misfits.
//   - an amount with more digits than the column keeps, and text that is not Unicode: rounded, or
//     with U+FFFD for what is wrong, in the column, and besides as it came in Extra and Misfits.
//   - one of a property without a column: Extra, and the property in Unknown.
//   - __metadata and unexpanded navigation: nowhere.
//   - a property that a record lacks is NULL; one that comes twice in a record is an error.
//
// Whatever in Extra is not Unicode itself, and so could not be JSON, becomes
// {"_base64": the JSON text as it came, in base64}.
type decoder struct {
	table    *schema.Table // of the pages
	scope    schema.Scope
	pageSize int
	since    int64 // microseconds of wall clock: records changed before are left out
	// where is a filter: records that it does not want are left out or, with marks, marked.
	where *filter
	marks bool
	also  []string // properties that belong into Extra even if they are looked at
	// seen is told of every record, those left out included. Its values are those of the version
	// and of the modified property; the booleans say whether there is one.
	seen func(version int64, versioned bool, modified int64, dated bool)

	json, inner jx.Decoder
	wide        *schema.Table // table, and behind its columns what else has to be looked at
	page        *schema.Page
	next, count string // of the page at hand: where the next one is, and how many records there are
	slots       map[string]*slot
	order       []*slot // of the properties in the record before, for they hardly ever change places
	record      int     // serial number of the record at hand, over all pages
	place       int     // of the property at hand in its record
	extra, text []byte
	version     int // column; -1: none
	dated       int // column that says when a record was last changed; -1: none
}

// slot is a property and what becomes of its values.
type slot struct {
	name   string
	quoted string // as it begins a member of Extra
	column int    // or one of the following
	record int    // last seen in
	page   *schema.Page
}

const (
	columnUnknown = -1 - iota
	columnIgnored
)

func newDecoder(t *schema.Table, s schema.Scope) *decoder {
	d := &decoder{
		table: t, wide: t, scope: s, since: math.MinInt64, version: -1, dated: -1,
		slots: map[string]*slot{"__metadata": {name: "__metadata", column: columnIgnored}},
	}
	for i, c := range t.Columns {
		d.slots[c.Name] = newSlot(c.Name, i)
	}
	if t.Version != "" {
		d.version = t.Index(t.Version)
	}
	return d
}

// watch names the property that says when a record was last changed.
func (d *decoder) watch(name string) {
	d.need(schema.Column{Name: name, Type: schema.Timestamp})
	d.dated = d.wide.Index(name)
}

// need makes sure that a property can be looked at, whether it is a column of the pages or not.
func (d *decoder) need(c schema.Column) {
	if d.wide.Index(c.Name) >= 0 {
		return
	}
	wider := *d.wide
	wider.Columns = append(slices.Clip(wider.Columns), c)
	d.slots[c.Name], d.order = newSlot(c.Name, len(d.wide.Columns)), nil
	d.wide = &wider
}

func newSlot(name string, column int) *slot {
	quoted, _ := json.Marshal(strings.ToValidUTF8(name, "\uFFFD")) // a string cannot fail
	return &slot{name: name, quoted: string(quoted) + ":", column: column}
}

// decode reads one body. The link is where the next page is; empty: there is none.
func (d *decoder) decode(body []byte) (page *schema.Page, link string, err error) {
	const least = 10 // bytes of a property: a page of few records should not make room for many
	room := min(d.pageSize, len(body)/(least*len(d.wide.Columns)+1)+1)
	d.page, d.next, d.count = schema.NewPage(d.wide, d.scope, room), "", ""
	d.json.ResetBytes(body)
	if err := d.envelope(); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, "", err
	}
	d.narrow()
	return d.page, d.next, nil
}

// narrow takes from a page what was only to be looked at.
func (d *decoder) narrow() {
	d.page.Table, d.page.Columns = d.table, d.page.Columns[:len(d.table.Columns):len(d.table.Columns)]
	if !slices.Contains(d.page.Out, true) {
		d.page.Out = nil
	}
	slices.Sort(d.page.Unknown)
	slices.Sort(d.page.Misfits)
}

func (d *decoder) begin() {
	d.record++
	d.place, d.extra = 0, d.extra[:0]
}

// property reads one property of the record at hand.
func (d *decoder) property(key []byte) error {
	s := d.slot(key)
	raw, err := d.json.Raw()
	if err != nil {
		return err
	}
	if s.record == d.record {
		return fmt.Errorf("property %q comes twice in a record", s.name)
	}
	s.record = d.record
	switch s.column {
	case columnIgnored:
	case columnUnknown:
		d.unknown(s, raw)
	default:
		if s.column >= len(d.table.Columns) && slices.Contains(d.also, s.name) {
			d.unknown(s, raw)
		}
		return d.column(s, raw)
	}
	return nil
}

// slot finds the property by the order of the record before, and by name when that has changed.
func (d *decoder) slot(key []byte) *slot {
	at := d.place
	d.place++
	if at < len(d.order) && d.order[at].name == string(key) {
		return d.order[at]
	}
	s := d.slots[string(key)]
	if s == nil {
		name := string(key)
		if s = newSlot(name, d.wide.Index(name)); s.column < 0 {
			s.column = columnUnknown
		}
		d.slots[name] = s
	}
	if at < len(d.order) {
		d.order[at] = s
	} else {
		d.order = append(d.order, s)
	}
	return s
}

func (d *decoder) unknown(s *slot, raw jx.Raw) {
	if d.deferred(raw) {
		return
	}
	d.keep(s, raw)
	if s.page != d.page {
		s.page = d.page
		d.page.Unknown = append(d.page.Unknown, s.name)
	}
}

// column puts a value into its column.
func (d *decoder) column(s *slot, raw jx.Raw) error {
	v := &d.page.Columns[s.column]
	if v.Len() > d.page.Rows {
		return fmt.Errorf("property %q comes twice in a record", s.name) // in another case of letters
	}
	if raw[0] == 'n' || raw[0] == '{' && d.deferred(raw) {
		v.AppendNull()
		return nil
	}
	fit := d.convert(v, raw)
	if fit == fits {
		return nil
	}
	if fit == misfits {
		v.AppendNull()
	}
	if s.column >= len(d.table.Columns) {
		return nil
	}
	d.keep(s, raw)
	if s.page != d.page {
		s.page = d.page
		d.page.Misfits = append(d.page.Misfits, d.table.Columns[s.column].Name)
	}
	return nil
}

// deferred reports whether a value is a navigation that was not expanded.
func (d *decoder) deferred(raw jx.Raw) bool {
	if raw[0] != '{' {
		return false
	}
	d.inner.ResetBytes(raw)
	members, err := d.inner.ObjIter()
	return err == nil && members.Next() && string(members.Key()) == "__deferred"
}

// keep adds a member to Extra.
func (d *decoder) keep(s *slot, raw jx.Raw) {
	if len(d.extra) == 0 {
		d.extra = append(d.extra, '{')
	} else {
		d.extra = append(d.extra, ',')
	}
	d.extra = append(d.extra, s.quoted...)
	d.extra = rawjson.Append(d.extra, raw)
}

// end completes the record at hand, or takes it back when it is not wanted.
func (d *decoder) end() error {
	row := d.page.Rows
	for i := range d.page.Columns {
		if v := &d.page.Columns[i]; v.Len() == row {
			v.AppendNull()
		}
	}
	if len(d.extra) == 0 {
		d.page.Extra.AppendNull()
	} else if d.extra = append(d.extra, '}'); !d.page.Extra.AppendText(d.extra) {
		return errors.New("a record has more unknown text than fits")
	}
	d.page.Rows++
	d.judge(row)
	return nil
}

// judge shows a complete row to whoever counts, and takes it back or marks it if it is not wanted.
func (d *decoder) judge(row int) {
	version, versioned := d.integer(d.version, row)
	modified, dated := d.integer(d.dated, row)
	if d.seen != nil {
		d.seen(version, versioned, modified, dated)
	}
	if dated && modified < d.since {
		d.takeBack()
		return
	}
	if d.where == nil {
		return
	}
	switch out := !d.where.holds(d.page, row); {
	case d.marks:
		d.page.Out = append(d.page.Out, out)
	case out:
		d.takeBack()
	}
}

// integer is a value of a column that may not be there.
func (d *decoder) integer(column, row int) (int64, bool) {
	if column < 0 {
		return 0, false
	}
	v := &d.page.Columns[column]
	return v.Ints[row], v.Valid[row]
}

func (d *decoder) takeBack() {
	d.page.Rows--
	for i := range d.page.Columns {
		d.page.Columns[i].Cut(d.page.Rows)
	}
	d.page.Extra.Cut(d.page.Rows)
}
