package sandbox

import (
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"
)

// encode writes an answer as the verbose JSON of OData V2.
func (a *answer) encode(root, path string) []byte {
	e := &encoder{answer: a, entity: root + path, out: make([]byte, 0, 64+len(a.rows)*(160+len(a.props)*24))}
	e.out = append(e.out, `{"d":`...)
	switch {
	case a.worth != nil:
		e.out = append(e.out, `{"`+a.view.endpoint.Name+`":`...)
		e.value(&property{}, a.worth, nil)
		e.out = append(e.out, '}')
	case a.single:
		e.row(a.rows[0])
	case a.bare:
		e.rows()
	default:
		e.out = append(e.out, '{')
		if a.counted >= 0 {
			e.out = append(e.out, `"__count":"`+strconv.Itoa(a.counted)+`",`...)
		}
		e.out = append(e.out, `"results":`...)
		e.rows()
		if a.next != "" {
			e.out = append(e.out, `,"__next":`...)
			e.text(root + path + "?" + a.next)
		}
		e.out = append(e.out, '}')
	}
	return append(e.out, '}')
}

type encoder struct {
	answer *answer
	entity string // the address of the collection
	out    []byte
}

func (e *encoder) rows() {
	e.out = append(e.out, '[')
	for i, r := range e.answer.rows {
		if i > 0 {
			e.out = append(e.out, ',')
		}
		e.row(r)
	}
	e.out = append(e.out, ']')
}

// row writes the properties in an order that differs from row to row, which Exact's does too.
func (e *encoder) row(r *record) {
	uri := e.entity + "(" + e.answer.view.address(r) + ")"
	e.out = append(e.out, `{"__metadata":{"uri":`...)
	e.text(uri)
	e.out = append(e.out, `,"type":`...)
	e.text(e.answer.view.typeName)
	e.out = append(e.out, '}')
	n := len(e.answer.props)
	for i := range n {
		p := e.answer.props[(i+r.serial*7)%n]
		e.out = append(e.out, ',', '"')
		e.out = append(e.out, p.name...)
		e.out = append(e.out, '"', ':')
		if p.nested {
			e.nested(p, uri, r)
			continue
		}
		e.value(p, p.of(r), r)
	}
	e.out = append(e.out, '}')
}

func (e *encoder) nested(p *property, uri string, r *record) {
	if x, ok := e.answer.expand[p]; ok {
		parent := strings.LastIndex(e.entity, "/") + 1
		inner := &encoder{answer: x.of(e.answer.view.key[0].of(r)), entity: e.entity[:parent] + x.view.endpoint.Name, out: append(e.out, `{"results":`...)}
		inner.rows()
		e.out = append(inner.out, '}')
		return
	}
	if strings.HasPrefix(p.edm, "Complex") {
		e.out = append(e.out, "null"...)
		return
	}
	e.out = append(e.out, `{"__deferred":{"uri":`...)
	e.text(uri + "/" + p.name)
	e.out = append(e.out, '}', '}')
}

func (e *encoder) value(p *property, v any, r *record) {
	switch v := v.(type) {
	case nil:
		e.out = append(e.out, "null"...)
	case bool:
		e.out = strconv.AppendBool(e.out, v)
	case int64:
		if p.edm == "Edm.Int64" {
			e.out = append(e.out, '"')
			e.out = strconv.AppendInt(e.out, v, 10)
			e.out = append(e.out, '"')
			return
		}
		e.out = strconv.AppendInt(e.out, v, 10)
	case num:
		e.out = append(e.out, onTheWire(v, r.serial)...)
	case guid:
		e.out = append(e.out, '"')
		e.out = append(e.out, v...)
		e.out = append(e.out, '"')
	case stamp:
		e.out = append(e.out, `"/Date(`...)
		e.out = strconv.AppendInt(e.out, int64(v), 10)
		e.out = append(e.out, `)/"`...)
	case blob:
		e.text(base64.StdEncoding.EncodeToString([]byte(v)))
	case string:
		e.text(v)
	}
}

// onTheWire is a Double as .NET writes it: now and then with the noise of binary fractions, and
// very small ones with an exponent. Rounded to 14 digits it is always the number of the books.
func onTheWire(n num, serial int) string {
	_, part, _ := strings.Cut(string(n), ".")
	switch {
	case len(part) == 2 && len(n) < 9 && serial%5 == 3:
		return string(n) + strings.Repeat("0", 14-len(n)) + "1"
	case strings.HasPrefix(string(n), "0.0000"):
		f, _ := strconv.ParseFloat(string(n), 64)
		return strings.ToUpper(strconv.FormatFloat(f, 'e', -1, 64))
	}
	return string(n)
}

// text writes a JSON string.
func (e *encoder) text(s string) {
	e.out = append(e.out, '"')
	if plain(s) {
		e.out = append(e.out, s...)
	} else {
		quoted, _ := json.Marshal(s)
		e.out = append(e.out, quoted[1:len(quoted)-1]...)
	}
	e.out = append(e.out, '"')
}

func plain(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// address is the key of a record as its uri has it.
func (v *view) address(r *record) string {
	if len(v.key) == 1 {
		return literal(v.key[0].of(r), v.key[0].edm == "Edm.Int64")
	}
	var parts []string
	for _, p := range v.key {
		parts = append(parts, p.name+"="+literal(p.of(r), p.edm == "Edm.Int64"))
	}
	return strings.Join(parts, ",")
}
