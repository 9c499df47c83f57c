package exactonline

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"exactduck/extract"
	"exactduck/schema"
)

// BadParameter says what is wrong with one of the parameters of a function, or with the name of its
// table (then Parameter is "as").
type BadParameter struct{ Stream, Parameter, Problem string }

func (e *BadParameter) Error() string {
	return fmt.Sprintf("%s: parameter %s: %s", e.Stream, e.Parameter, e.Problem)
}

var simpleName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*$`)

// Call makes a stream of a function with its parameters, whose names may be written in any case.
// Values are what a configuration holds: text, numbers, truth, times. Its table is named as, in the
// function's service, or as the function. Its records are read whole every time.
//
// Of some functions no parameters are documented although they seem to take some: of those any
// parameter is taken, and sent as what it looks like: a GUID, a date, a number, true or false, or
// else a text. They may also be called without.
//
// The error is a [*BadParameter], or what [Lookup] says of a name that is no function.
func Call(name string, params map[string]any, as string) (*extract.Stream, error) {
	e, err := callable(name)
	if err != nil {
		return nil, err
	}
	query, err := e.arguments(params)
	if err != nil {
		return nil, err
	}
	own := streamName(e)
	s := newStream(own, []*Endpoint{e})
	v := s.Variants[0]
	v.Cursor, v.Query = extract.Whole, query
	if len(v.Table.Columns) == 0 { // it returns a value, of a type that is not documented
		v.Table.Columns = []schema.Column{{Name: e.Name, Type: schema.Varchar}}
	}
	if as == "" {
		return s, nil
	}
	s.Name, err = renamed(own, as)
	v.Table.Service, v.Table.Name = tableName(s.Name)
	return s, err
}

// callable finds a function by its name.
func callable(name string) (*Endpoint, error) {
	if e, ok := unpulled()[strings.ToLower(name)]; ok && e.takesParameters() {
		return e, nil
	}
	s, _, err := Lookup(name)
	if err == nil {
		err = &BadParameter{s.Name, "any", "this stream takes no parameters"}
	}
	return nil, err
}

func (e *Endpoint) takesParameters() bool {
	return e.Function && slices.Contains(e.Methods, "GET") && (len(e.Parameters) > 0 || e.ParametersUnknown)
}

// renamed is the name of a function's stream with another table.
func renamed(own, as string) (string, error) {
	bad := func(problem string) (string, error) { return own, &BadParameter{own, "as", problem} }
	if !simpleName.MatchString(as) {
		return bad(fmt.Sprintf("%q is no name of a table: letters, digits and underscores, beginning with a letter", as))
	}
	name := own[:strings.LastIndexByte(own, '/')+1] + as
	if taken := livesIn(tableName(name)); taken != "" && taken != own {
		return bad(fmt.Sprintf("stream %s has that table", taken))
	}
	return name, nil
}

// livesIn is the stream of the catalogue that has a table, functions among them; "": none.
func livesIn(service, table string) string {
	for _, s := range grouped().all {
		if is(s.Variants[0], service, table) {
			return s.Name
		}
	}
	for _, e := range loaded().endpoints {
		if s, t := tableName(streamName(e)); e.takesParameters() && strings.EqualFold(s, service) && strings.EqualFold(t, table) {
			return streamName(e)
		}
	}
	return ""
}

func is(v *extract.Variant, service, table string) bool {
	return strings.EqualFold(v.Table.Service, service) && strings.EqualFold(v.Table.Name, table)
}

// arguments are the parameters as a query has them, in documented order.
func (e *Endpoint) arguments(params map[string]any) (string, error) {
	if e.ParametersUnknown {
		return e.freeArguments(params)
	}
	given, left := map[string]any{}, maps.Clone(params)
	for _, p := range e.Parameters {
		for _, key := range slices.Sorted(maps.Keys(params)) {
			if strings.EqualFold(key, p.Name) {
				given[p.Name] = params[key]
				delete(left, key)
			}
		}
	}
	if unknown := slices.Sorted(maps.Keys(left)); len(unknown) > 0 {
		return "", e.bad(unknown[0], "not known; it takes "+e.signature())
	}
	var parts []string
	for _, p := range e.Parameters {
		value, ok := given[p.Name]
		switch {
		case ok && value != nil:
			text, err := encodeAs(p.Edm, value)
			if err != nil {
				return "", e.bad(p.Name, err.Error())
			}
			parts = append(parts, p.Name+"="+escape(text))
		case p.Mandatory:
			return "", e.bad(p.Name, "missing; it takes "+e.signature())
		}
	}
	return strings.Join(parts, "&"), nil
}

func (e *Endpoint) freeArguments(params map[string]any) (string, error) {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(params)) {
		if !simpleName.MatchString(name) {
			return "", e.bad(name, "no name of a parameter: letters, digits and underscores")
		}
		text, err := asItLooks(params[name])
		if err != nil {
			return "", e.bad(name, err.Error())
		}
		parts = append(parts, name+"="+escape(text))
	}
	return strings.Join(parts, "&"), nil
}

func (e *Endpoint) bad(parameter, problem string) error {
	return &BadParameter{streamName(e), parameter, problem}
}

// signature says what a function takes: "accountId (a GUID), ageGroup (a whole number)".
func (e *Endpoint) signature() string {
	var parts []string
	for _, p := range e.Parameters {
		parts = append(parts, fmt.Sprintf("%s (%s)", p.Name, inWords(p.Edm)))
	}
	return strings.Join(parts, ", ")
}

// plain is the body of an answer with a list or record of what a function returns. One that
// returns a value and no records of an entity puts it under its own name: {"d":{"Name":…}}.
func plain(e *Endpoint, body []byte) []byte {
	if !e.Keyless {
		return body
	}
	var answer struct {
		D json.RawMessage `json:"d"`
	}
	if json.Unmarshal(body, &answer) != nil || len(answer.D) == 0 {
		return body
	}
	inner := answer.D
	var members map[string]json.RawMessage
	if json.Unmarshal(answer.D, &members) == nil {
		if value, ok := members[e.Name]; !ok || len(members) > 1 {
			return body
		} else if inner = value; value[0] != '{' && value[0] != '[' {
			return body // a column of that name
		}
	} else if inner[0] != '[' { // a bare value
		inner = slices.Concat([]byte(`{"`+e.Name+`":`), inner, []byte(`}`))
	}
	return slices.Concat([]byte(`{"d":`), inner, []byte(`}`))
}
