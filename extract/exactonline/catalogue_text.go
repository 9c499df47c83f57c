package exactonline

import (
	"fmt"
	"strconv"
	"strings"
)

// parseCatalogue reads catalogue.txt, whose head describes its form. All names are parts of the
// text itself, so that parsing allocates little. The text is part of the program: one that cannot
// be read is a broken build, and panics.
func parseCatalogue(text string) []*Endpoint {
	endpoints := make([]*Endpoint, 0, strings.Count(text, "\n["))
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSuffix(line, "\n")
		if line == "" || line[0] == '#' {
			continue
		}
		if line[0] == '[' {
			endpoints = append(endpoints, &Endpoint{Path: strings.Trim(line, "[]")})
			continue
		}
		if err := endpoints[len(endpoints)-1].read(line); err != nil {
			panic(fmt.Sprintf("catalogue.txt:%d: %v", number, err))
		}
	}
	for _, e := range endpoints {
		if e.Identity == nil {
			e.Identity = e.Key
		}
	}
	return endpoints
}

// read adds what one line says to the endpoint.
func (e *Endpoint) read(line string) error {
	if property, ok := strings.CutPrefix(line, "\t"); ok {
		return e.readProperty(property)
	}
	name, text, _ := strings.Cut(line, " ")
	switch words := strings.Fields(text); name {
	case "is":
		return e.readIs(words)
	case "methods":
		e.Methods = words
	case "key":
		e.Key = words
	case "identity":
		e.Identity = words
	case "filter":
		e.Filterable = words
	case "replaced":
		e.ReplacedBy = words
	case "scope":
		e.OAuthScope = text
	case "since":
		e.SyncTimestamp = text
	case "page":
		return number(text, &e.PageSize)
	case "entity":
		return number(text, &e.Entity)
	case "parameter":
		return e.readParameter(words)
	case "flags":
		return e.readFlags(words)
	default:
		return fmt.Errorf("unknown fact %q", name)
	}
	return nil
}

func (e *Endpoint) readIs(words []string) error {
	if len(words) != 3 {
		return fmt.Errorf("not a kind, a service and a name: %q", words)
	}
	e.Kind, e.Service, e.Name = words[0], words[1], words[2]
	return nil
}

func number[N int | int32](text string, to *N) error {
	n, err := strconv.ParseInt(text, 10, 32)
	*to = N(n)
	return err
}

func (e *Endpoint) readFlags(words []string) error {
	for _, word := range words {
		flag := e.flag(word)
		if flag == nil {
			return fmt.Errorf("unknown flag %q", word)
		}
		*flag = true
	}
	return nil
}

func (e *Endpoint) flag(name string) *bool {
	switch name {
	case "pullable":
		return &e.Pullable
	case "retired":
		return &e.Retired
	case "function":
		return &e.Function
	case "keyless":
		return &e.Keyless
	case "parametersUnknown":
		return &e.ParametersUnknown
	case "selectRequired":
		return &e.SelectRequired
	case "noSelectStar":
		return &e.NoSelectStar
	case "headerAndLines":
		return &e.HeaderAndLines
	case "entityInferred":
		return &e.EntityInferred
	}
	return nil
}

func (e *Endpoint) readParameter(words []string) error {
	if len(words) != 2 {
		return fmt.Errorf("not a type and a name: %q", words)
	}
	edm, err := edmType(words[0][0])
	e.Parameters = append(e.Parameters, Parameter{Name: words[1], Edm: edm, Mandatory: strings.HasSuffix(words[0], "*")})
	return err
}

func (e *Endpoint) readProperty(text string) error {
	kind, name, ok := strings.Cut(text, " ")
	if !ok || kind == "" {
		return fmt.Errorf("not a type and a name: %q", text)
	}
	p := Property{Name: name}
	for _, mark := range kind[1:] {
		switch mark {
		case '*':
			p.Key = true
		case '?':
			p.Guessed = true
		case '!':
			p.Dropped = true
		default:
			return fmt.Errorf("unknown mark %q", mark)
		}
	}
	var err error
	if kind[0] == 'n' {
		p.Nested = true
		p.Name, p.Edm, _ = strings.Cut(name, " ")
	} else {
		p.Edm, err = edmType(kind[0])
	}
	e.Properties = append(e.Properties, p)
	return err
}

func edmType(letter byte) (string, error) {
	switch letter {
	case 'g':
		return edmGUID, nil
	case 's':
		return edmString, nil
	case 'i':
		return edmInt32, nil
	case 'h':
		return edmInt16, nil
	case 'l':
		return edmInt64, nil
	case 'y':
		return edmByte, nil
	case 'b':
		return edmBoolean, nil
	case 'd':
		return edmDouble, nil
	case 't':
		return edmDateTime, nil
	case 'x':
		return edmBinary, nil
	}
	return "", fmt.Errorf("unknown type %q", letter)
}
