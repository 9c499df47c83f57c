package pay

import (
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"time"
)

// dice throw numbers that follow from what they were made of.
type dice struct{ *rand.Rand }

func newDice(seed uint64, parts ...any) dice {
	h := fnv.New64a()
	fmt.Fprintln(h, parts...)
	return dice{rand.New(rand.NewPCG(seed, h.Sum64()))}
}

// chance is true in so many of a hundred throws.
func (d dice) chance(percent int) bool { return d.IntN(100) < percent }

// between is a number from low to high, both included.
func (d dice) between(low, high int) int { return low + d.IntN(high-low+1) }

func (d dice) digits(n int) string {
	text := make([]byte, n)
	for i := range text {
		text[i] = byte('0' + d.IntN(10))
	}
	return string(text)
}

func (d dice) hex(bytes int) string {
	b := make([]byte, bytes)
	for i := range b {
		b[i] = byte(d.Uint32())
	}
	return hex.EncodeToString(b)
}

func (d dice) uuid() string {
	s := d.hex(16)
	return s[:8] + "-" + s[8:12] + "-4" + s[13:16] + "-" + string("89ab"[d.IntN(4)]) + s[17:20] + "-" + s[20:]
}

// moment is one in the day, and sometimes to the second.
func (d dice) moment(day time.Time) time.Time {
	t := day.Add(time.Duration(d.between(7*3600_000, 22*3600_000)) * time.Millisecond)
	if d.chance(10) {
		t = t.Truncate(time.Second)
	}
	return t
}

func pick[T any](d dice, list []T) T { return list[d.IntN(len(list))] }

// some are up to n different elements, in their order.
func some[T any](d dice, list []T, n int) []T {
	chosen := make([]T, 0, min(n, len(list)))
	for i, x := range list {
		if left := n - len(chosen); left > 0 && d.IntN(len(list)-i) < left {
			chosen = append(chosen, x)
		}
	}
	return chosen
}
