package exactonline

import (
	"fmt"
	"strings"
)

// token is a word, a literal or a mark of a filter.
type token struct {
	text  string // "" at the end
	at    int
	shape shape
}

type shape uint8

const (
	shapeEnd     shape = iota
	shapeMark          // one of ( ) ,
	shapeName          // a property, function or operator
	shapeQuoted        // 'text', the quotes included
	shapeLabeled       // datetime'…', guid'…'
	shapeNumeral       // 12, -1.5e3, 7L
)

// tokens cuts a filter up.
func tokens(text string) ([]token, error) {
	var list []token
	for at := 0; at < len(text); {
		shape, end := tokenAt(text, at)
		switch {
		case strings.IndexByte(" \t\r\n", text[at]) >= 0:
			at++
			continue
		case shape == shapeEnd:
			return nil, &BadFilter{text, at, fmt.Sprintf("what does %q mean here?", firstRune(text[at:]))}
		case end < 0:
			return nil, &BadFilter{text, at, "the quote is never closed; a quote within a text is written twice"}
		}
		list = append(list, token{text[at:end], at, shape})
		at = end
	}
	return append(list, token{at: len(text)}), nil
}

// tokenAt finds what begins at a place, and where it ends; -1: nowhere.
func tokenAt(text string, at int) (shape, int) {
	switch c := text[at]; {
	case strings.IndexByte("(),", c) >= 0:
		return shapeMark, at + 1
	case c == '\'':
		return shapeQuoted, closing(text, at)
	case isLetter(c):
		end := run(text, at, isWordByte)
		if end < len(text) && text[end] == '\'' {
			return shapeLabeled, closing(text, end)
		}
		return shapeName, end
	case isDigit(c) || c == '-' && at+1 < len(text) && isDigit(text[at+1]):
		return shapeNumeral, numeralEnd(text, at)
	}
	return shapeEnd, at
}

// closing is where a text in quotes ends; a quote that is doubled does not end it.
func closing(text string, at int) int {
	for i := at + 1; i < len(text); i++ {
		if text[i] != '\'' {
			continue
		}
		if i+1 == len(text) || text[i+1] != '\'' {
			return i + 1
		}
		i++
	}
	return -1
}

// numeralEnd takes a sign behind the e of an exponent, and letters too: a wrong number should be
// one token.
func numeralEnd(text string, at int) int {
	end := at + 1
	for end < len(text) {
		c := text[end]
		sign := (c == '-' || c == '+') && (text[end-1] == 'e' || text[end-1] == 'E')
		if !sign && c != '.' && !isWordByte(c) {
			break
		}
		end++
	}
	return end
}

func run(text string, at int, in func(byte) bool) int {
	for at < len(text) && in(text[at]) {
		at++
	}
	return at
}

func isDigit(c byte) bool    { return c >= '0' && c <= '9' }
func isLetter(c byte) bool   { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' }
func isWordByte(c byte) bool { return isLetter(c) || isDigit(c) }

func firstRune(text string) string {
	for _, r := range text {
		return string(r)
	}
	return ""
}

// respell writes tokens as one text again, with single blanks where there must be some.
func respell(list []token) string {
	var b strings.Builder
	for i, t := range list {
		if i > 0 && spaced(list[i-1], t) {
			b.WriteByte(' ')
		}
		b.WriteString(t.text)
	}
	return b.String()
}

func spaced(before, t token) bool {
	switch {
	case t.shape == shapeEnd, before.text == "(", before.text == ",", t.text == ")", t.text == ",":
		return false
	case t.text == "(" && before.shape == shapeName:
		return functions[before.text].call == nil // an operator
	}
	return true
}
