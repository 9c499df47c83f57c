package exactonline

import (
	"cmp"
	"math"
	"strings"
	"time"
	"unicode/utf16"

	"exactduck/schema"
)

// kind is what can be compared with its like.
type kind uint8

const (
	kindNull kind = iota
	kindTruth
	kindNumber
	kindText
	kindMoment
	kindGUID
	kindOpaque // bytes and JSON
)

func (k kind) String() string {
	return [...]string{"null", "true or false", "a number", "a text ('…')", "a date (datetime'2024-01-31')", "a GUID (guid'…')", "bytes"}[k]
}

// value is what a part of a filter amounts to for one record; the kind says which field counts.
type value struct {
	null, truth bool
	broken      bool  // a number that is in fraction rather than in whole
	whole       int64 // microseconds of a moment
	fraction    float64
	text        string
	id          [16]byte
}

// subject is the record that is judged.
type subject struct {
	page  *schema.Page
	row   int
	exact bool // see filter
}

// node is a part of a filter.
type node interface {
	kind() kind
	eval(s *subject) value
}

type literal struct {
	is kind
	v  value
}

func (l literal) kind() kind          { return l.is }
func (l literal) eval(*subject) value { return l.v }

// property is a column; all mentions of it in a filter are one.
type property struct {
	name   string
	is     kind
	column int
}

func (p *property) kind() kind { return p.is }

func (p *property) eval(s *subject) value {
	v := &s.page.Columns[p.column]
	if !v.Valid[s.row] {
		return value{null: true}
	}
	switch v.Type {
	case schema.Boolean:
		return value{truth: v.Ints[s.row] != 0}
	case schema.Double:
		return value{broken: true, fraction: v.Floats[s.row]}
	case schema.Decimal: // correctly rounded, like the double that was sent
		return value{broken: true, fraction: float64(v.Ints[s.row]) / math.Pow10(schema.DecimalScale)}
	case schema.UUID:
		return value{id: v.UUIDs[s.row]}
	case schema.Varchar:
		return value{text: string(v.At(s.row))}
	case schema.Blob, schema.JSON:
		return value{}
	}
	return value{whole: v.Ints[s.row]}
}

// junction is and, or or.
type junction struct {
	parts []node
	or    bool
}

func (j *junction) kind() kind { return kindTruth }

// eval stops at the first part that decides; of the rest one that is unknown makes all so.
func (j *junction) eval(s *subject) value {
	unknown := false
	for _, part := range j.parts {
		switch v := part.eval(s); {
		case v.null:
			unknown = true
		case v.truth == j.or:
			return v
		}
	}
	return value{null: unknown, truth: !j.or}
}

type denial struct{ of node }

func (d *denial) kind() kind { return kindTruth }

func (d *denial) eval(s *subject) value {
	v := d.of.eval(s)
	v.truth = !v.truth
	return v
}

type comparison struct {
	left, right node
	compare     comparator
}

func (c *comparison) kind() kind { return kindTruth }

func (c *comparison) eval(s *subject) value {
	left, right := c.left.eval(s), c.right.eval(s)
	if left.null || right.null {
		return value{truth: c.compare.null(left.null && right.null)}
	}
	return value{truth: c.compare.order(order(c.left.kind(), left, right, s.exact))}
}

// comparator says what a comparison is when one side or both are null, and for an order.
type comparator struct {
	null  func(both bool) bool
	order func(int) bool
}

var comparators = map[string]comparator{
	"eq": {func(both bool) bool { return both }, func(o int) bool { return o == 0 }},
	"ne": {func(both bool) bool { return !both }, func(o int) bool { return o != 0 }},
	"gt": {never, func(o int) bool { return o > 0 }},
	"ge": {never, func(o int) bool { return o >= 0 }},
	"lt": {never, func(o int) bool { return o < 0 }},
	"le": {never, func(o int) bool { return o <= 0 }},
}

func never(bool) bool { return false }

func order(k kind, a, b value, exact bool) int {
	switch k {
	case kindTruth:
		if a.truth == b.truth {
			return 0
		}
		return 1
	case kindText:
		return cmp.Compare(collated(a.text, exact), collated(b.text, exact))
	case kindGUID:
		return strings.Compare(string(a.id[:]), string(b.id[:]))
	}
	if a.broken || b.broken {
		return cmp.Compare(a.float(), b.float())
	}
	return cmp.Compare(a.whole, b.whole)
}

func (v value) float() float64 {
	if v.broken {
		return v.fraction
	}
	return float64(v.whole)
}

// collated is what the database compares of a text.
func collated(text string, exact bool) string {
	if exact {
		return text
	}
	return strings.ToLower(strings.TrimRight(text, " "))
}

// function is one of those that a filter may use.
type function struct {
	takes []kind
	gives kind
	call  func(a []value, exact bool) value
}

type call struct {
	function
	arguments []node
}

func (c *call) kind() kind { return c.gives }

func (c *call) eval(s *subject) value {
	values := make([]value, len(c.arguments))
	for i, a := range c.arguments {
		if values[i] = a.eval(s); values[i].null {
			return value{null: true}
		}
	}
	return c.call(values, s.exact)
}

var functions = map[string]function{
	"startswith":  search(strings.HasPrefix),
	"endswith":    search(strings.HasSuffix),
	"substringof": search(func(part, whole string) bool { return strings.Contains(whole, part) }),
	"tolower":     rewrite(strings.ToLower),
	"toupper":     rewrite(strings.ToUpper),
	"trim":        rewrite(strings.TrimSpace),
	"length": {[]kind{kindText}, kindNumber, func(a []value, _ bool) value {
		return value{whole: int64(len(utf16.Encode([]rune(a[0].text))))} // as .NET counts
	}},
	"year":  part(time.Time.Year),
	"month": part(func(t time.Time) int { return int(t.Month()) }),
	"day":   part(time.Time.Day),
}

func search(found func(a, b string) bool) function {
	return function{[]kind{kindText, kindText}, kindTruth, func(a []value, exact bool) value {
		if exact {
			return value{truth: found(a[0].text, a[1].text)}
		}
		return value{truth: found(strings.ToLower(a[0].text), strings.ToLower(a[1].text))}
	}}
}

func rewrite(change func(string) string) function {
	return function{[]kind{kindText}, kindText, func(a []value, _ bool) value { return value{text: change(a[0].text)} }}
}

func part(of func(time.Time) int) function {
	return function{[]kind{kindMoment}, kindNumber, func(a []value, _ bool) value {
		return value{whole: int64(of(time.UnixMicro(a[0].whole).UTC()))}
	}}
}
