package sandbox

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// dice is a small deterministic source of numbers (splitmix64). Its value is its whole state.
type dice uint64

// newDice seeds dice with numbers and names; equal seeds give equal throws on every machine.
func newDice(seed uint64, parts ...any) *dice {
	h := seed ^ 0x9e3779b97f4a7c15
	mix := func(b byte) { h = (h ^ uint64(b)) * 0x100000001b3 }
	for _, p := range parts {
		switch p := p.(type) {
		case string:
			for i := 0; i < len(p); i++ {
				mix(p[i])
			}
		case int:
			for i := 0; i < 64; i += 8 {
				mix(byte(p >> i))
			}
		}
		mix(0xff)
	}
	d := dice(h)
	d.next()
	return &d
}

func (d *dice) next() uint64 {
	*d += 0x9e3779b97f4a7c15
	z := uint64(*d)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// n is a number from 0 up to, not including, below.
func (d *dice) n(below int) int { return int(d.next() % uint64(below)) }

// chance is true in so many of a hundred throws.
func (d *dice) chance(percent int) bool { return d.n(100) < percent }

func (d *dice) guid() guid {
	var b [16]byte
	for i := 0; i < 16; i += 8 {
		x := d.next()
		for j := range 8 {
			b[i+j] = byte(x >> (8 * j))
		}
	}
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	s := hex.EncodeToString(b[:])
	return guid(s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:])
}

func pick[T any](d *dice, list []T) T { return list[d.n(len(list))] }

// cents is an amount of money.
type cents int64

// num is the amount as decimal text, without needless zeros.
func (c cents) num() num {
	sign := ""
	if c < 0 {
		sign, c = "-", -c
	}
	s := fmt.Sprintf("%s%d.%02d", sign, c/100, c%100)
	return num(strings.TrimSuffix(strings.TrimRight(s, "0"), "."))
}

// padded is a code as crm/Accounts has it: 18 wide, right-aligned.
func padded(code string) string { return fmt.Sprintf("%18s", code) }

func formatInt(n int64) string { return strconv.FormatInt(n, 10) }

// text writes any value as a string property would.
func text(v any) any {
	switch v := v.(type) {
	case guid:
		return string(v)
	case num:
		return string(v)
	case int64:
		return formatInt(v)
	case bool:
		return strconv.FormatBool(v)
	case blob:
		return string(v)
	}
	return nil
}
