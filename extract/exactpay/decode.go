package exactpay

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/go-faster/jx"

	"exactduck/extract/rawjson"
	"exactduck/schema"
)

// decoder turns answers of one read into pages. All or nothing: a body that is cut, or is no list of
// records with their keys, gives an error.
//
// Where a value ends up:
//
//   - one that fits its column: there. The members of an object that some columns are about go into
//     columns of their own, address.city into address_city.
//   - one that does not: NULL in the column, the JSON as it came in Extra, the column in Misfits.
//   - text that is not Unicode: with U+FFFD for what is wrong in the column, and besides as it came in
//     Extra and Misfits.
//   - one without a column: Extra, under the name of the property or, of a member, below it. What the
//     catalogue does not know is in Unknown as well.
//   - a column that was not asked for, and what lets its bearer act: nowhere.
//
// Whatever in Extra is not Unicode itself, and so could not be JSON, becomes {"_base64": …}.
type decoder struct {
	endpoint *Endpoint
	scope    schema.Scope
	table    *schema.Table // of the pages
	wide     *schema.Table // table, and behind its columns what else has to be looked at
	also     []string
	order    int // column of wide by which rows come; -1: none
	cursor   int // column of wide by which changes are asked for; -1: none
	keys     []int
	fates    map[string]fate // by property, and by property.member

	page    *schema.Page
	record  row
	extra   []byte
	unknown map[string]bool
	misfits map[string]bool
}

// row is a record at hand, as those see it who decide whether it is wanted.
type row struct {
	key      uint64 // hash of the key
	content  uint64 // hash of the record as it came
	order    int64  // microseconds
	ordered  bool   // there is one
	changed  int64  // microseconds, of the cursor's column
	dated    bool   // there is one
	identity string // value of the first column of the key
}

// fate is what becomes of the values of a property.
type fate struct {
	column int  // of wide; below 0: one of the following
	inside bool // columns are about its members
}

const (
	toExtra = -1 - iota // known to have no column
	toUnknown
	toNowhere
)

func newDecoder(e *Endpoint, t *schema.Table, s schema.Scope, order string, also []string) *decoder {
	d := &decoder{endpoint: e, scope: s, table: t, wide: t, also: also, order: -1, cursor: -1, fates: map[string]fate{}}
	d.order, d.cursor = d.need(order), d.need(e.Cursor)
	for _, k := range e.Key {
		d.keys = append(d.keys, d.need(k))
	}
	return d
}

// need makes sure that a column is looked at, and returns its place.
func (d *decoder) need(name string) int {
	if name == "" {
		return -1
	}
	if i := d.wide.Index(name); i >= 0 {
		return i
	}
	at := slices.IndexFunc(d.endpoint.Columns, func(c Column) bool { return c.Name == name })
	wider := *d.wide
	wider.Columns = append(slices.Clip(wider.Columns), schema.Column{Name: name, Type: d.endpoint.Columns[at].Type})
	d.wide = &wider
	return len(wider.Columns) - 1
}

// begin starts a page.
func (d *decoder) begin() {
	d.page = schema.NewPage(d.wide, d.scope, pageSize)
	d.unknown, d.misfits = map[string]bool{}, map[string]bool{}
}

// finish returns the page.
func (d *decoder) finish() *schema.Page {
	p := d.page
	p.Table, p.Columns = d.table, p.Columns[:len(d.table.Columns):len(d.table.Columns)]
	p.Unknown, p.Misfits = sorted(d.unknown), sorted(d.misfits)
	return p
}

func sorted(names map[string]bool) []string {
	var all []string
	for n := range names {
		all = append(all, n)
	}
	slices.Sort(all)
	return all
}

// list is what an answer says beside its records.
type list struct {
	records   int
	available int64 // rows that there are; -1: not told
}

// decode adds the records of a body to the page, but for those of which wanted is false. parent is the
// value of the first column of the key where the record does not have it itself.
func (d *decoder) decode(body []byte, parent string, wanted func(*row) bool) (list, error) {
	l := list{available: -1}
	in := jx.DecodeBytes(body)
	err := d.answer(in, &l, parent, wanted)
	if err == nil {
		if end := in.Skip(); !errors.Is(end, io.EOF) || errors.Is(end, io.ErrUnexpectedEOF) {
			err = errors.New("something follows the answer")
		}
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return l, err
}

// answer reads a list, a list with its number, or a single record.
func (d *decoder) answer(in *jx.Decoder, l *list, parent string, wanted func(*row) bool) error {
	each := func(in *jx.Decoder) error {
		raw, err := in.Raw()
		if err != nil {
			return err
		}
		l.records++
		return d.add(raw, parent, wanted)
	}
	switch kind := in.Next(); kind {
	case jx.Array:
		return in.Arr(each)
	case jx.Object:
	default:
		return fmt.Errorf("the answer is a %s", kind)
	}
	raw, err := in.Raw()
	if err != nil {
		return err
	}
	if listed, err := d.listed(raw, l, each); listed || err != nil {
		return err
	}
	return each(jx.DecodeBytes(raw))
}

// listed reads {"available": n, "results": […]}; false: it is something else.
func (d *decoder) listed(raw jx.Raw, l *list, each func(*jx.Decoder) error) (bool, error) {
	found := false
	err := jx.DecodeBytes(raw).ObjBytes(func(in *jx.Decoder, key []byte) error {
		switch name := string(key); {
		case name == "results" && in.Next() == jx.Array && !found:
			found = true
			return in.Arr(each)
		case name == "results" && in.Next() == jx.Null:
			found = true
		case name == "available" && in.Next() == jx.Number:
			raw, err := in.Raw()
			if n, bad := strconv.ParseInt(string(raw), 10, 64); bad == nil && n >= 0 {
				l.available = n
			}
			return err
		}
		return in.Skip()
	})
	return found, err
}

// add adds one record.
func (d *decoder) add(raw jx.Raw, parent string, wanted func(*row) bool) error {
	if raw.Type() != jx.Object {
		return fmt.Errorf("a record is a %s", raw.Type())
	}
	d.record, d.extra = row{content: sum(raw)}, d.extra[:0]
	if d.endpoint.Each != "" {
		d.page.Columns[d.keys[0]].AppendText([]byte(parent))
	}
	seen := map[string]bool{}
	err := jx.DecodeBytes(raw).ObjBytes(func(in *jx.Decoder, key []byte) error {
		value, err := in.Raw()
		if err != nil {
			return err
		}
		if name := string(key); !seen[name] {
			seen[name] = true
			return d.property(name, value)
		}
		return fmt.Errorf("property %q comes twice in a record", key)
	})
	if err != nil {
		return err
	}
	return d.end(wanted)
}

func sum(parts ...[]byte) uint64 {
	h := fnv.New64a()
	for _, p := range parts {
		_, _ = h.Write(p) // cannot fail
		_, _ = h.Write([]byte{0})
	}
	return h.Sum64()
}

// property reads one property of the record at hand.
func (d *decoder) property(name string, raw jx.Raw) error {
	f := d.fate(name)
	if f.inside && raw.Type() == jx.Object {
		rest, err := d.members(name, raw)
		if err == nil && len(rest) > 0 {
			d.keep(name, append(rest, '}'))
		}
		return err
	}
	if d.value(f, name, raw) {
		d.keep(name, raw)
	}
	return nil
}

// members reads an object that columns are about, and returns what has none as the beginning of an
// object.
func (d *decoder) members(name string, object jx.Raw) (rest []byte, err error) {
	seen := map[string]bool{}
	err = jx.DecodeBytes(object).ObjBytes(func(in *jx.Decoder, key []byte) error {
		raw, err := in.Raw()
		if err != nil {
			return err
		}
		member := string(key)
		if seen[member] {
			return fmt.Errorf("property %q comes twice in a record", name+"."+member)
		}
		seen[member] = true
		if d.value(d.fate(name+"."+member), name+"_"+member, raw) {
			rest = appendMember(rest, member, raw)
		}
		return nil
	})
	return rest, err
}

// fate finds out what becomes of a property or, with a dot, of a member.
func (d *decoder) fate(path string) fate {
	f, known := d.fates[path]
	if known {
		return f
	}
	name := strings.Replace(path, ".", "_", 1)
	asked := slices.Contains(d.also, path) || slices.Contains(d.also, name)
	isColumn := func(c Column) bool { return strings.EqualFold(c.Name, name) }
	switch at := d.wide.Index(name); {
	case slices.Contains(d.endpoint.Secret, path):
		f.column = toNowhere
	case at >= 0 && at < len(d.table.Columns):
		f.column = at
	case at >= 0 && !asked: // only looked at
		f.column = at
	case slices.ContainsFunc(d.endpoint.Columns, isColumn) && !asked:
		f.column = toNowhere
	case slices.Contains(d.endpoint.Extra, path):
		f.column = toExtra
	default:
		f.column = toUnknown
	}
	if !strings.Contains(path, ".") && f.column < 0 && f.column != toNowhere {
		f.inside = d.entered(path)
	}
	d.fates[path] = f
	return f
}

// entered tells whether columns are about the members of a property.
func (d *decoder) entered(name string) bool {
	below := func(column string) bool {
		return len(column) > len(name) && strings.EqualFold(column[:len(name)+1], name+"_")
	}
	return slices.ContainsFunc(d.endpoint.Columns, func(c Column) bool { return below(c.Name) }) ||
		slices.ContainsFunc(d.table.Columns, func(c schema.Column) bool { return below(c.Name) }) ||
		slices.ContainsFunc(d.endpoint.Extra, func(path string) bool { return strings.HasPrefix(path, name+".") })
}

// value puts a value into its column, and tells whether it has to be kept beside.
func (d *decoder) value(f fate, column string, raw jx.Raw) (beside bool) {
	switch f.column {
	case toNowhere:
		return false
	case toExtra:
		return raw.Type() != jx.Null
	case toUnknown:
		if raw.Type() == jx.Null {
			return false
		}
		d.unknown[column] = true
		return true
	}
	v := &d.page.Columns[f.column]
	if v.Len() > d.page.Rows { // another property of the record is in the column already
		return f.column < len(d.table.Columns)
	}
	if raw.Type() == jx.Null {
		v.AppendNull()
		return false
	}
	how := convert(v, raw)
	if how == misfits {
		v.AppendNull()
	}
	if how == fits || f.column >= len(d.table.Columns) {
		return false
	}
	d.misfits[d.table.Columns[f.column].Name] = true
	return true
}

// keep adds a member to Extra.
func (d *decoder) keep(name string, raw []byte) { d.extra = appendMember(d.extra, name, raw) }

// appendMember adds a member to the beginning of an object.
func appendMember(to []byte, name string, raw []byte) []byte {
	quoted, _ := json.Marshal(strings.ToValidUTF8(name, "\uFFFD")) // a string cannot fail
	to = append(to, "{,"[min(len(to), 1)])
	return rawjson.Append(append(append(to, quoted...), ':'), raw)
}

// end completes the record at hand, or takes it back when it is not wanted.
func (d *decoder) end(wanted func(*row) bool) error {
	at := d.page.Rows
	for i := range d.page.Columns {
		if v := &d.page.Columns[i]; v.Len() == at {
			v.AppendNull()
		}
	}
	if len(d.extra) == 0 {
		d.page.Extra.AppendNull()
	} else if !d.page.Extra.AppendText(append(d.extra, '}')) {
		return errors.New("a record has more unknown text than fits")
	}
	d.page.Rows++
	if err := d.identify(at); err != nil {
		return err
	}
	if !wanted(&d.record) {
		d.page.Rows--
		for i := range d.page.Columns {
			d.page.Columns[i].Cut(at)
		}
		d.page.Extra.Cut(at)
	}
	return nil
}

// identify looks at the key and the dates of the record at hand.
func (d *decoder) identify(at int) error {
	var key [][]byte
	for i, place := range d.keys {
		v := &d.page.Columns[place]
		if !v.Valid[at] || len(v.At(at)) == 0 {
			return fmt.Errorf("a record without its %s", d.endpoint.Key[i])
		}
		key = append(key, v.At(at))
	}
	d.record.key, d.record.identity = sum(key...), string(key[0])
	if d.order >= 0 {
		v := &d.page.Columns[d.order]
		d.record.order, d.record.ordered = v.Ints[at], v.Valid[at]
	}
	if d.cursor >= 0 {
		v := &d.page.Columns[d.cursor]
		d.record.changed, d.record.dated = v.Ints[at], v.Valid[at]
	}
	return nil
}
