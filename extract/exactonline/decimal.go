package exactonline

import (
	"math"
	"math/big"
	"math/bits"
	"strings"

	"exactduck/schema"
)

// decimal is a number as it is written: digits × 10^exponent, exactly.
type decimal struct {
	negative bool
	digits   uint64
	exponent int
	big      *big.Int // the digits, when there are too many for digits
}

// maxExponent is more than any number that is meant seriously has.
const maxExponent = 1000

// parseDecimal reads the text of a number, in JSON's grammar but for leading zeros.
func parseDecimal(text []byte) (n decimal, ok bool) {
	i := 0
	if i < len(text) && text[i] == '-' {
		n.negative = true
		i++
	}
	begin, point, fraction := i, false, 0
	for ; i < len(text); i++ {
		c := text[i]
		if c == '.' && !point && i > begin {
			point = true
			continue
		}
		if c < '0' || c > '9' {
			break
		}
		if point {
			fraction++
		}
		n.digit(uint64(c - '0'))
	}
	if i == begin || text[i-1] == '.' || i-begin > 2*maxExponent {
		return decimal{}, false
	}
	exponent := int64(0)
	if i < len(text) {
		if text[i] != 'e' && text[i] != 'E' || i+1 == len(text) {
			return decimal{}, false
		}
		if i++; text[i] == '+' {
			i++
		}
		if exponent, ok = parseInteger(text[i:]); !ok || exponent > maxExponent || exponent < -maxExponent {
			return decimal{}, false
		}
	}
	n.exponent = int(exponent) - fraction
	return n, true
}

func (n *decimal) digit(d uint64) {
	if n.big == nil {
		if n.digits <= (math.MaxUint64-9)/10 {
			n.digits = n.digits*10 + d
			return
		}
		n.big = new(big.Int).SetUint64(n.digits)
	}
	n.big.Mul(n.big, big.NewInt(10))
	n.big.Add(n.big, new(big.Int).SetUint64(d))
}

// parseInteger reads an optional minus and digits.
func parseInteger(text []byte) (int64, bool) {
	negative := len(text) > 0 && text[0] == '-'
	if negative {
		text = text[1:]
	}
	if len(text) == 0 || len(text) > 18 {
		return 0, false
	}
	n := int64(0)
	for _, c := range text {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	if negative {
		n = -n
	}
	return n, true
}

var powers = func() (p [20]uint64) {
	p[0] = 1
	for i := range p[1:] {
		p[i+1] = p[i] * 10
	}
	return p
}()

// scaled is the number times 10^scale: its whole part, and what is left of it in units of one
// over divisor. It fails for what does not fit 64 bits.
func (n decimal) scaled(scale int) (whole, rest, divisor uint64, ok bool) {
	e := n.exponent + scale
	switch {
	case n.big != nil:
		return n.scaledBig(e)
	case n.digits == 0:
		return 0, 0, 1, true
	case e >= len(powers):
		return 0, 0, 1, false
	case e >= 0:
		over, product := bits.Mul64(n.digits, powers[e])
		return product, 0, 1, over == 0
	case -e >= len(powers):
		return 0, 1, math.MaxUint64, true // next to nothing
	}
	return n.digits / powers[-e], n.digits % powers[-e], powers[-e], true
}

// scaledBig is scaled for numbers of many digits; the rest is given to 18 digits, never rounded
// to nothing or to a half.
func (n decimal) scaledBig(e int) (whole, rest, divisor uint64, ok bool) {
	ten := big.NewInt(10)
	if e >= 0 {
		q := new(big.Int).Mul(n.big, new(big.Int).Exp(ten, big.NewInt(int64(e)), nil))
		return q.Uint64(), 0, 1, q.IsUint64()
	}
	p := new(big.Int).Exp(ten, big.NewInt(int64(-e)), nil)
	q, r := new(big.Int).QuoRem(n.big, p, new(big.Int))
	if !q.IsUint64() || r.Sign() == 0 {
		return q.Uint64(), 0, 1, q.IsUint64()
	}
	fine, left := new(big.Int).QuoRem(r.Mul(r, new(big.Int).SetUint64(powers[18])), p, new(big.Int))
	rest = fine.Uint64()
	if left.Sign() != 0 {
		rest = min(rest|1, powers[18]-1)
	}
	return q.Uint64(), rest, powers[18], true
}

// integer is the number when it is whole and fits.
func (n decimal) integer() (int64, bool) {
	whole, rest, _, ok := n.scaled(0)
	if !ok || rest != 0 {
		return 0, false
	}
	return n.signed(whole)
}

func (n decimal) signed(magnitude uint64) (int64, bool) {
	if n.negative {
		return int64(-magnitude), magnitude <= 1<<63
	}
	return int64(magnitude), magnitude <= math.MaxInt64
}

// float is the number as the nearest float64, when arithmetic gives it without rounding twice.
func (n decimal) float() (float64, bool) {
	const exact = 22 // the powers of ten up to here are float64s themselves
	if n.big != nil || n.digits >= 1<<53 || n.exponent > exact || n.exponent < -exact {
		return 0, false
	}
	f := float64(n.digits)
	if n.exponent < 0 {
		f /= math.Pow10(-n.exponent)
	} else {
		f *= math.Pow10(n.exponent)
	}
	if n.negative {
		f = -f
	}
	return f, true
}

// significant is the count of digits without the zeros at either end.
func (n decimal) significant() int {
	if n.big != nil {
		return len(strings.TrimRight(n.big.String(), "0"))
	}
	digits := n.digits
	for digits != 0 && digits%10 == 0 {
		digits /= 10
	}
	count := 0
	for ; digits != 0; digits /= 10 {
		count++
	}
	return count
}

// appendAmount adds an amount of money. Four decimals are kept; halves go to the even neighbour.
// What binary arithmetic has left behind them is rounded away without a word: less than a
// billionth, or, of a number given to the last digit that a double has, less than that can mean.
// Other digits behind the fourth are reported.
func appendAmount(v *schema.Vector, text []byte) fit {
	n, ok := parseDecimal(text)
	if !ok {
		return misfits
	}
	whole, rest, divisor, ok := n.scaled(schema.DecimalScale)
	if !ok {
		return misfits
	}
	off := rest
	if rest > divisor/2 || rest == divisor/2 && divisor%2 == 0 && whole%2 == 1 {
		whole, off = whole+1, divisor-rest
	}
	amount, ok := n.signed(whole)
	if !ok || !v.AppendInt(amount) {
		return misfits
	}
	if rest == 0 || n.noise(float64(off)/float64(divisor), float64(whole)) {
		return fits
	}
	return rounded
}

// noise reports whether a number is off a whole one only by what binary arithmetic does, both in
// units of the fourth decimal.
func (n decimal) noise(off, whole float64) bool {
	const billionth = 1e-9 * 1e4
	return off <= billionth || off <= 1e-11*whole && n.significant() >= 15
}
