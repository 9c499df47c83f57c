package spool

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/klauspost/compress/zstd"

	"exactduck/schema"
)

// layout says in which of the two blocks of a page a column lies. Place len(columns) is Extra.
type layout struct {
	table  *schema.Table
	blocks [2][]int
}

func layoutOf(t *schema.Table) layout {
	l := layout{table: t}
	for i, c := range t.Columns {
		block := 1
		if c.Name == t.Version || slices.Contains(t.Key, c.Name) {
			block = 0
		}
		l.blocks[block] = append(l.blocks[block], i)
	}
	l.blocks[1] = append(l.blocks[1], len(t.Columns))
	return l
}

func (l layout) vector(p *schema.Page, place int) *schema.Vector {
	if place == len(l.table.Columns) {
		return &p.Extra
	}
	return &p.Columns[place]
}

// head is what can be known of a page without unpacking it.
type head struct {
	rows             int
	done             bool
	unproven         bool
	next             schema.Position
	unknown, misfits []string
	out              string // a bit for each row, as Page.Out has it; empty: no row is marked
	packed           [2]int // bytes of each compressed block
	plain            [2]int // bytes of each when unpacked
}

func headOf(p *schema.Page) head {
	h := head{rows: p.Rows, done: p.Done, unproven: p.Unproven, next: p.Next, unknown: p.Unknown, misfits: p.Misfits}
	if slices.Contains(p.Out, true) {
		h.out = string(appendBits(nil, p.Out))
	}
	return h
}

// Both are safe for concurrent use, and too large to have one for each file.
var (
	packer = sync.OnceValue(func() *zstd.Encoder {
		e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderCRC(false), zstd.WithEncoderConcurrency(2), zstd.WithLowerEncoderMem(true))
		if err != nil {
			panic(err) // constant options
		}
		return e
	})
	unpacker = sync.OnceValue(func() *zstd.Decoder {
		d, err := zstd.NewReader(nil, zstd.WithDecodeAllCapLimit(true), zstd.WithDecoderConcurrency(2), zstd.WithDecoderLowmem(true))
		if err != nil {
			panic(err)
		}
		return d
	})
)

// encode appends a page to a buffer; plain is scratch memory, which grows as needed.
func (l layout) encode(to []byte, p *schema.Page, plain *[]byte) ([]byte, error) {
	h := headOf(p)
	var packed []byte
	for b, places := range l.blocks {
		*plain = (*plain)[:0]
		for _, place := range places {
			*plain = appendVector(*plain, l.vector(p, place))
		}
		before := len(packed)
		packed = packer().EncodeAll(*plain, slices.Grow(packed, len(*plain)/4))
		h.plain[b], h.packed[b] = len(*plain), len(packed)-before
	}
	if len(packed) > maxPayload/2 || max(h.plain[0], h.plain[1]) > maxPayload {
		return nil, errors.New("the page is too large")
	}
	return append(h.append(to), packed...), nil
}

func (h head) append(to []byte) []byte {
	to = binary.AppendUvarint(to, uint64(h.rows))
	to = binary.AppendUvarint(to, h.flags())
	to = appendText(to, string(h.next))
	if h.out != "" {
		to = appendText(to, h.out)
	}
	for _, names := range [][]string{h.unknown, h.misfits} {
		to = binary.AppendUvarint(to, uint64(len(names)))
		for _, n := range names {
			to = appendText(to, n)
		}
	}
	for b := range h.packed {
		to = binary.AppendUvarint(to, uint64(h.packed[b]))
		to = binary.AppendUvarint(to, uint64(h.plain[b]))
	}
	return to
}

// The flags of a page. A page without marks is written as it was before there were any.
const (
	flagDone = 1 << iota
	flagOut
	flagUnproven
)

func (h head) flags() (flags uint64) {
	if h.done {
		flags |= flagDone
	}
	if h.out != "" {
		flags |= flagOut
	}
	if h.unproven {
		flags |= flagUnproven
	}
	return flags
}

func appendText(to []byte, s string) []byte {
	return append(binary.AppendUvarint(to, uint64(len(s))), s...)
}

var errPage = errors.New("the page does not add up")

// headReader takes a page's head apart; after the first thing that is wrong it gives zeros.
type headReader struct {
	rest []byte
	bad  bool
}

func (c *headReader) number(most int) int {
	n, size := binary.Uvarint(c.rest)
	if size <= 0 || n > uint64(most) {
		c.bad, c.rest = true, nil
		return 0
	}
	c.rest = c.rest[size:]
	return int(n)
}

func (c *headReader) text() string {
	n := c.number(len(c.rest))
	s := string(c.rest[:min(n, len(c.rest))])
	c.bad = c.bad || len(s) < n
	c.rest = c.rest[len(s):]
	return s
}

func (c *headReader) names() []string {
	var names []string
	for range c.number(len(c.rest)) {
		names = append(names, c.text())
	}
	return names
}

// decodeHead reads the head of a page and returns what follows it.
func decodeHead(payload []byte) (head, []byte, error) {
	var h head
	c := headReader{rest: payload}
	h.rows = c.number(math.MaxInt32)
	flags := c.number(flagDone | flagOut | flagUnproven)
	h.done, h.unproven = flags&flagDone != 0, flags&flagUnproven != 0
	h.next = schema.Position(c.text())
	if flags&flagOut != 0 {
		h.out = c.text()
		c.bad = c.bad || len(h.out) != (h.rows+7)/8 || h.rows == 0
	}
	h.unknown, h.misfits = c.names(), c.names()
	for b := range h.packed {
		h.packed[b] = c.number(len(payload))
		// No block of zstd is shorter than 4 bytes or holds more than 128 KiB.
		h.plain[b] = c.number(min(h.packed[b]<<15, maxPayload))
	}
	if c.bad || h.packed[0]+h.packed[1] != len(c.rest) {
		return head{}, nil, errPage
	}
	return h, c.rest, nil
}

// decode fills p, whose memory it uses again, with the columns that want names; the others stay
// empty, and so does Extra unless wanted as place len(columns). A nil want wants everything.
func (l layout) decode(payload []byte, p *schema.Page, want func(place int) bool, plain *[]byte) error {
	h, rest, err := decodeHead(payload)
	if err != nil {
		return err
	}
	p.Rows, p.Done, p.Unproven, p.Next, p.Unknown, p.Misfits = h.rows, h.done, h.unproven, h.next, h.unknown, h.misfits
	p.Table, p.Extra.Type, p.Out = l.table, schema.JSON, p.Out[:0]
	if h.out != "" {
		p.Out = sized(p.Out, h.rows)
		decodeBits(h.out, p.Out)
	}
	if len(p.Columns) != len(l.table.Columns) {
		p.Columns = make([]schema.Vector, len(l.table.Columns))
	}
	for b, places := range l.blocks {
		packed := rest[:h.packed[b]]
		rest = rest[h.packed[b]:]
		if want != nil && !slices.ContainsFunc(places, want) {
			continue
		}
		if cap(*plain) < h.plain[b] {
			*plain = make([]byte, 0, h.plain[b])
		}
		text, err := unpacker().DecodeAll(packed, (*plain)[:0:h.plain[b]])
		if err != nil {
			return fmt.Errorf("%w: %w", errPage, err)
		}
		if len(text) != h.plain[b] {
			return errPage
		}
		if err := l.decodeBlock(text, places, p, want); err != nil {
			return err
		}
	}
	return nil
}

func (l layout) decodeBlock(text []byte, places []int, p *schema.Page, want func(place int) bool) error {
	for _, place := range places {
		if len(text) < 4 {
			return errPage
		}
		size := int(binary.LittleEndian.Uint32(text))
		if text = text[4:]; size > len(text) {
			return errPage
		}
		if want == nil || want(place) {
			v := l.vector(p, place)
			if place < len(l.table.Columns) {
				v.Type = l.table.Columns[place].Type
			}
			if !decodeVector(text[:size], v, p.Rows) {
				return errPage
			}
		}
		text = text[size:]
	}
	if len(text) != 0 {
		return errPage
	}
	return nil
}
