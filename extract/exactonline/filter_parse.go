package exactonline

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"exactduck/extract"
	"exactduck/schema"
)

// How long a filter may be and how deeply it may be nested. Exact has limits of its own for the
// length of an address, which nobody has written down.
const (
	longestFilter = 8000
	deepestFilter = 50
)

// filterParser reads a filter by recursive descent.
type filterParser struct {
	text    string
	tokens  []token
	at      int
	depth   int
	variant *extract.Variant
	uses    []*property
}

// parseFilter reads a filter against the columns of a variant. An error is a *BadFilter.
func parseFilter(text string, v *extract.Variant) (*filter, error) {
	if len(text) > longestFilter {
		return nil, &BadFilter{text[:50] + "…", longestFilter, fmt.Sprintf("longer than %d bytes", longestFilter)}
	}
	list, err := tokens(text)
	if err != nil {
		return nil, err
	}
	p := &filterParser{text: text, tokens: list, variant: v}
	root, err := p.condition()
	if err != nil {
		return nil, err
	}
	if t := p.peek(); t.shape != shapeEnd {
		return nil, p.bad(t, "expected and, or or the end, not "+strconv.Quote(t.text))
	}
	return &filter{text: respell(p.tokens), root: root, uses: p.uses}, nil
}

func (p *filterParser) peek() token { return p.tokens[p.at] }

func (p *filterParser) accept(text string) bool {
	if t := p.peek(); t.text != text || t.shape != shapeMark && t.shape != shapeName {
		return false
	}
	p.at++
	return true
}

func (p *filterParser) bad(t token, problem string) error {
	return &BadFilter{p.text, t.at, problem}
}

// deeper counts how far the parser is inside of something.
func (p *filterParser) deeper(inside func() (node, error)) (node, error) {
	if p.depth++; p.depth > deepestFilter {
		return nil, p.bad(p.peek(), fmt.Sprintf("nested more than %d deep", deepestFilter))
	}
	defer func() { p.depth-- }()
	return inside()
}

// condition reads conditions joined by or, which binds loosest.
func (p *filterParser) condition() (node, error) { return p.joined("or", p.conjunction) }

func (p *filterParser) conjunction() (node, error) { return p.joined("and", p.statement) }

func (p *filterParser) joined(word string, one func() (node, error)) (node, error) {
	var parts []node
	for more := true; more; more = p.accept(word) {
		part, err := one()
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	if len(parts) == 1 {
		return parts[0], nil
	}
	return &junction{parts: parts, or: word == "or"}, nil
}

// statement reads what is true or false.
func (p *filterParser) statement() (node, error) {
	switch {
	case p.accept("not"):
		return p.deeper(p.negation)
	case p.peek().text == "(":
		return p.group()
	}
	return p.comparison()
}

// group reads a condition in parentheses.
func (p *filterParser) group() (node, error) {
	p.at++
	inner, err := p.deeper(p.condition)
	if err == nil && !p.accept(")") {
		err = p.bad(p.peek(), "expected ) here")
	}
	if _, compared := comparators[p.peek().text]; err == nil && compared {
		err = p.bad(p.peek(), "a condition in parentheses cannot be compared")
	}
	return inner, err
}

// negation reads what not denies. OData lets it bind closer than a comparison, which few expect:
// what could be taken for something else is an error.
func (p *filterParser) negation() (node, error) {
	if p.accept("not") {
		inner, err := p.deeper(p.negation)
		return &denial{inner}, err
	}
	if p.peek().text == "(" {
		inner, err := p.group()
		return &denial{inner}, err
	}
	begin := p.peek()
	inner, err := p.operand()
	if err != nil {
		return nil, err
	}
	if _, compared := comparators[p.peek().text]; compared || inner.kind() != kindTruth {
		return nil, p.bad(begin, "put parentheses around what not denies")
	}
	return &denial{inner}, nil
}

func (p *filterParser) comparison() (node, error) {
	begin := p.peek()
	left, err := p.operand()
	if err != nil {
		return nil, err
	}
	t := p.peek()
	compare, known := comparators[t.text]
	if !known || t.shape != shapeName {
		if left.kind() == kindTruth {
			return left, nil
		}
		return nil, p.bad(t, p.wantsComparator(begin, t))
	}
	p.at++
	right, err := p.operand()
	if err != nil {
		return nil, err
	}
	if problem := incomparable(left, right, t.text); problem != "" {
		return nil, p.bad(t, problem)
	}
	return &comparison{left, right, compare}, nil
}

func (p *filterParser) wantsComparator(left, t token) string {
	if _, known := comparators[strings.ToLower(t.text)]; known {
		return "operators are written in lower case: " + strings.ToLower(t.text)
	}
	return fmt.Sprintf("expected eq, ne, gt, ge, lt or le behind %s", left.text)
}

// incomparable says why two operands cannot be compared; "": they can.
func incomparable(left, right node, operator string) string {
	equality := operator == "eq" || operator == "ne"
	kinds := []kind{left.kind(), right.kind()}
	switch {
	case !equality && slices.Contains(kinds, kindNull):
		return "null can only be compared with eq and ne"
	case slices.Contains(kinds, kindNull):
		return ""
	case slices.Contains(kinds, kindOpaque):
		return "this column can only be compared with null"
	case kinds[0] != kinds[1]:
		return fmt.Sprintf("%s cannot be compared with %s", kinds[0], kinds[1])
	case !equality && (kinds[0] == kindTruth || kinds[0] == kindGUID):
		return fmt.Sprintf("%s can only be compared with eq and ne", kinds[0])
	}
	return ""
}

// operand reads a literal, a property or a function.
func (p *filterParser) operand() (node, error) {
	t := p.peek()
	switch t.shape {
	case shapeQuoted, shapeLabeled, shapeNumeral:
		p.at++
		return p.literal(t)
	case shapeName:
		p.at++
		if p.peek().text == "(" {
			return p.deeper(func() (node, error) { return p.call(t) })
		}
		return p.named(t)
	case shapeEnd:
		return nil, p.bad(t, "something is missing at the end")
	}
	return nil, p.bad(t, fmt.Sprintf("expected a column or a value, not %q", t.text))
}

func (p *filterParser) named(t token) (node, error) {
	switch t.text {
	case "true", "false":
		return literal{kindTruth, value{truth: t.text == "true"}}, nil
	case "null":
		return literal{kindNull, value{null: true}}, nil
	}
	at := p.variant.Table.Index(t.text)
	if at < 0 {
		return nil, p.bad(t, p.noColumn(t.text))
	}
	c := p.variant.Table.Columns[at]
	p.tokens[p.at-1].text = c.Name
	used := slices.IndexFunc(p.uses, func(u *property) bool { return u.name == c.Name })
	if used < 0 {
		used = len(p.uses)
		p.uses = append(p.uses, &property{name: c.Name, is: kindOf(c.Type), column: at})
	}
	return p.uses[used], nil
}

func (p *filterParser) noColumn(wanted string) string {
	names := make([]string, len(p.variant.Table.Columns))
	for i, c := range p.variant.Table.Columns {
		names[i] = c.Name
	}
	text := fmt.Sprintf("%s has no column %q", p.variant.Name, wanted)
	if near := extract.Nearest(strings.ToLower(wanted), names, extract.Edits); len(near) > 0 {
		text += ", did you mean " + strings.Join(near[:min(len(near), 3)], ", ") + "?"
	}
	return text
}

func (p *filterParser) call(t token) (node, error) {
	f := functions[t.text]
	if f.call == nil {
		return nil, p.bad(t, fmt.Sprintf("there is no function %q; there are %s", t.text, strings.Join(slices.Sorted(maps.Keys(functions)), ", ")))
	}
	p.at++ // the parenthesis
	c := &call{function: f}
	for i, wanted := range f.takes {
		if i > 0 && !p.accept(",") {
			return nil, p.bad(p.peek(), fmt.Sprintf("%s takes %d arguments", t.text, len(f.takes)))
		}
		begin := p.peek()
		argument, err := p.operand()
		if err != nil {
			return nil, err
		}
		if k := argument.kind(); k != wanted {
			return nil, p.bad(begin, fmt.Sprintf("%s takes %s here, not %s", t.text, wanted, k))
		}
		c.arguments = append(c.arguments, argument)
	}
	if !p.accept(")") {
		return nil, p.bad(p.peek(), "expected ) here")
	}
	return c, nil
}

func (p *filterParser) literal(t token) (node, error) {
	switch t.shape {
	case shapeQuoted:
		return literal{kindText, value{text: unquoted(t.text)}}, nil
	case shapeNumeral:
		v, ok := parseNumeral(t.text)
		if !ok {
			return nil, p.bad(t, fmt.Sprintf("%q is no number", t.text))
		}
		return literal{kindNumber, v}, nil
	}
	label, rest, _ := strings.Cut(t.text, "'")
	inner := unquoted("'" + rest)
	switch label {
	case "datetime":
		if us, ok := parseWall(inner); ok {
			return literal{kindMoment, value{whole: us}}, nil
		}
		return nil, p.bad(t, "a date is written datetime'2024-01-31' or datetime'2024-01-31T16:30:00', without a zone")
	case "guid":
		if id, err := uuid.Parse(inner); err == nil && len(inner) == 36 {
			return literal{kindGUID, value{id: id}}, nil
		}
		return nil, p.bad(t, "a GUID is written guid'01234567-89ab-cdef-0123-456789abcdef'")
	}
	return nil, p.bad(t, fmt.Sprintf("%q is neither datetime nor guid", label))
}

func unquoted(text string) string {
	return strings.ReplaceAll(text[1:len(text)-1], "''", "'")
}

// parseNumeral reads a number with or without one of OData's suffixes.
func parseNumeral(text string) (value, bool) {
	digits, suffix := text, byte(0)
	if last := text[len(text)-1]; isLetter(last) {
		digits, suffix = text[:len(text)-1], last|0x20
	}
	fraction := strings.ContainsAny(digits, ".eE")
	if strings.Trim(digits, "0123456789.eE+-") != "" || fraction && suffix == 'l' || !strings.ContainsRune("\x00lmdf", rune(suffix)) {
		return value{}, false
	}
	if !fraction && (suffix == 0 || suffix == 'l') {
		n, err := strconv.ParseInt(digits, 10, 64)
		return value{whole: n}, err == nil
	}
	f, err := strconv.ParseFloat(digits, 64)
	return value{fraction: f, broken: true}, err == nil
}

// parseWall reads a date with or without a time, in microseconds.
func parseWall(text string) (int64, bool) {
	for _, layout := range []string{time.DateOnly, "2006-01-02T15:04", wallFormat, "2006-01-02 15:04", time.DateTime} {
		if t, err := time.Parse(layout, text); err == nil && t.Year() >= 1 {
			return t.UnixMicro(), true
		}
	}
	return 0, false
}

// kindOf is what a column holds, to a filter.
func kindOf(t schema.Type) kind {
	switch t {
	case schema.Boolean:
		return kindTruth
	case schema.UTinyInt, schema.SmallInt, schema.Integer, schema.BigInt, schema.Double, schema.Decimal:
		return kindNumber
	case schema.Timestamp:
		return kindMoment
	case schema.UUID:
		return kindGUID
	case schema.Varchar:
		return kindText
	}
	return kindOpaque
}
