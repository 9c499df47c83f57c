package sandbox

import (
	"fmt"
	"slices"
	"strings"
)

// predicate is a parsed $filter.
type predicate func(*record) bool

// operand is one side of a comparison.
type operand struct {
	kind  string
	value func(*record) any
}

// filterParser reads a $filter against one view. Fields collects the properties it names.
type filterParser struct {
	tokens []string
	at     int
	view   *view
	fields []string
}

// parseFilter compiles a $filter, or answers as the server does to one it cannot read.
func parseFilter(text string, v *view) (predicate, []string, error) {
	tokens, err := tokens(text)
	if err != nil {
		return nil, nil, err
	}
	p := &filterParser{tokens: tokens, view: v}
	match, err := p.either()
	if err == nil && p.at < len(p.tokens) {
		err = p.syntax()
	}
	return match, p.fields, err
}

func tokens(s string) ([]string, error) {
	var list []string
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case c == ' ' || c == '\t':
			i++
		case strings.IndexByte("(),", c) >= 0:
			list = append(list, s[i:i+1])
			i++
		default:
			end, ok := word(s, i)
			if !ok {
				return nil, badRequest(fmt.Sprintf("Unterminated string literal at position %d in '%s'.", i, s))
			}
			list = append(list, s[i:end])
			i = end
		}
	}
	return list, nil
}

// word finds the end of a name or literal that begins at i; quotes may hold anything.
func word(s string, i int) (int, bool) {
	quoted := false
	for ; i < len(s); i++ {
		if s[i] == '\'' {
			quoted = !quoted
		} else if !quoted && strings.IndexByte(" \t(),", s[i]) >= 0 {
			break
		}
	}
	return i, !quoted
}

func (p *filterParser) syntax() error {
	return badRequest(fmt.Sprintf("Syntax error at position %d.", p.at))
}

func (p *filterParser) peek() string {
	if p.at < len(p.tokens) {
		return p.tokens[p.at]
	}
	return ""
}

func (p *filterParser) accept(token string) bool {
	if p.peek() == token {
		p.at++
		return true
	}
	return false
}

func (p *filterParser) either() (predicate, error) {
	left, err := p.both()
	for err == nil && p.accept("or") {
		var right predicate
		a := left
		if right, err = p.both(); err == nil {
			left = func(r *record) bool { return a(r) || right(r) }
		}
	}
	return left, err
}

func (p *filterParser) both() (predicate, error) {
	left, err := p.one()
	for err == nil && p.accept("and") {
		var right predicate
		a := left
		if right, err = p.one(); err == nil {
			left = func(r *record) bool { return a(r) && right(r) }
		}
	}
	return left, err
}

func (p *filterParser) one() (predicate, error) {
	if p.accept("not") {
		inner, err := p.one()
		return func(r *record) bool { return !inner(r) }, err
	}
	if p.accept("(") {
		inner, err := p.either()
		if err == nil && !p.accept(")") {
			err = p.syntax()
		}
		return inner, err
	}
	return p.comparison()
}

func (p *filterParser) comparison() (predicate, error) {
	left, err := p.operand()
	if err != nil {
		return nil, err
	}
	op := p.peek()
	test, known := comparisons[op]
	if !known {
		if left.kind != "Edm.Boolean" {
			return nil, p.syntax()
		}
		return func(r *record) bool { return left.value(r) == true }, nil
	}
	p.at++
	right, err := p.operand()
	if err != nil {
		return nil, err
	}
	if left.kind != right.kind && left.kind != "null" && right.kind != "null" {
		return nil, badRequest(fmt.Sprintf("Operator '%s' incompatible with operand types '%s' and '%s' at position %d.",
			op, left.kind, right.kind, p.at))
	}
	return func(r *record) bool { return test(left.value(r), right.value(r)) }, nil
}

// comparisons follow SQL: beside eq and ne, whatever is compared with null is false.
var comparisons = map[string]func(a, b any) bool{
	"eq": func(a, b any) bool { return compare(a, b) == 0 },
	"ne": func(a, b any) bool { return compare(a, b) != 0 },
	"gt": func(a, b any) bool { return a != nil && b != nil && compare(a, b) > 0 },
	"ge": func(a, b any) bool { return a != nil && b != nil && compare(a, b) >= 0 },
	"lt": func(a, b any) bool { return a != nil && b != nil && compare(a, b) < 0 },
	"le": func(a, b any) bool { return a != nil && b != nil && compare(a, b) <= 0 },
}

func (p *filterParser) operand() (operand, error) {
	token := p.peek()
	if token == "" || strings.ContainsAny(token[:1], "(),") {
		return operand{}, p.syntax()
	}
	p.at++
	if p.peek() == "(" {
		return p.function(token)
	}
	if v, err := parseLiteral(token); err == nil {
		return operand{kind(v), func(*record) any { return v }}, nil
	}
	prop := p.view.property(token)
	if prop == nil || prop.nested {
		return operand{}, p.view.noProperty(token)
	}
	if !slices.Contains(p.fields, prop.name) {
		p.fields = append(p.fields, prop.name)
	}
	return operand{kindOf(prop.edm), func(r *record) any { return prop.of(r) }}, nil
}

// textFunctions are the functions of strings that Exact is known to take.
var textFunctions = map[string]struct {
	args   int
	result string
	call   func(a []string) any
}{
	"trim":        {1, "Edm.String", func(a []string) any { return strings.TrimSpace(a[0]) }},
	"tolower":     {1, "Edm.String", func(a []string) any { return strings.ToLower(a[0]) }},
	"toupper":     {1, "Edm.String", func(a []string) any { return strings.ToUpper(a[0]) }},
	"startswith":  {2, "Edm.Boolean", func(a []string) any { return strings.HasPrefix(strings.ToLower(a[0]), strings.ToLower(a[1])) }},
	"endswith":    {2, "Edm.Boolean", func(a []string) any { return strings.HasSuffix(strings.ToLower(a[0]), strings.ToLower(a[1])) }},
	"substringof": {2, "Edm.Boolean", func(a []string) any { return strings.Contains(strings.ToLower(a[1]), strings.ToLower(a[0])) }},
}

func (p *filterParser) function(name string) (operand, error) {
	f, known := textFunctions[name]
	if !known {
		return operand{}, badRequest(fmt.Sprintf("Unknown function '%s' at position %d.", name, p.at-1))
	}
	p.accept("(")
	args, err := p.arguments(f.args)
	if err != nil {
		return operand{}, err
	}
	return operand{f.result, func(r *record) any {
		texts := make([]string, len(args))
		for i, a := range args {
			text, ok := a.value(r).(string)
			if !ok {
				return nil
			}
			texts[i] = text
		}
		return f.call(texts)
	}}, nil
}

func (p *filterParser) arguments(n int) ([]operand, error) {
	var args []operand
	for {
		a, err := p.operand()
		if err != nil {
			return nil, err
		}
		if args = append(args, a); !p.accept(",") {
			break
		}
	}
	if len(args) != n || !p.accept(")") {
		return nil, p.syntax()
	}
	return args, nil
}
