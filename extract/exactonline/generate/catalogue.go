package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// endpoint is one entry of endpoints.json; the file's legend explains the fields.
type endpoint struct {
	Service           string      `json:"service"`
	Name              string      `json:"name"`
	Path              string      `json:"path"`
	Kind              string      `json:"kind"`
	Methods           []string    `json:"methods"`
	Key               []string    `json:"key"`
	Identity          []string    `json:"entityKey"`
	Scope             string      `json:"scope"`
	ScopeInferred     string      `json:"scopeInferred"`
	PageSize          int         `json:"pageSize"`
	Pullable          bool        `json:"pullable"`
	Function          bool        `json:"function"`
	Keyless           bool        `json:"keyless"`
	Retired           bool        `json:"retired"`
	ReplacedBy        string      `json:"replacedBy"`
	SelectRequired    bool        `json:"selectRequired"`
	SelectStar        *bool       `json:"selectStar"`
	HeaderAndLines    bool        `json:"headerAndLines"`
	Filterable        []string    `json:"filterable"`
	Parameters        []parameter `json:"parameters"`
	ParametersUnknown bool        `json:"parametersUnknown"`
	EntityType        int32       `json:"deletedEntityType"`
	EntityInferred    bool        `json:"deletedEntityTypeInferred"`
	SyncTimestamp     string      `json:"syncTimestampEndPoint"`
	Properties        []property  `json:"properties"`
}

type parameter struct {
	Name      string `json:"name"`
	Type      string `json:"edmType"`
	Mandatory bool   `json:"mandatory"`
}

type property struct {
	Name    string `json:"name"`
	Type    string `json:"edmType"`
	Key     bool   `json:"isKey"`
	Dropped bool   `json:"dropped"`
}

const head = `# Generated from generate/endpoints.json by: go generate ./extract/exactonline
#
# An endpoint begins with its path in brackets. Lines at the margin say what it is; indented
# lines are its properties in documented order: type, marks, name.
#   types  g Guid  s String  i Int32  h Int16  l Int64  y Byte  b Boolean  d Double  t DateTime
#          x Binary  n nested: the name is followed by its type
#   marks  * part of the OData key  ? the type is a guess  ! only in older documentation
`

// Catalogue turns endpoints.json into the text of catalogue.txt.
func Catalogue(facts []byte) ([]byte, error) {
	var file struct {
		Endpoints []endpoint `json:"endpoints"`
	}
	if err := json.Unmarshal(facts, &file); err != nil {
		return nil, fmt.Errorf("reading the facts: %w", err)
	}
	out := bytes.NewBufferString(head)
	for _, e := range file.Endpoints {
		if err := write(out, e); err != nil {
			return nil, fmt.Errorf("endpoint %s: %w", e.Path, err)
		}
	}
	return out.Bytes(), nil
}

func write(out *bytes.Buffer, e endpoint) error {
	fmt.Fprintf(out, "\n[%s]\nis %s %s %s\n", e.Path, e.Kind, e.Service, e.Name)
	fact(out, "methods", e.Methods...)
	fact(out, "key", e.Key...)
	if !slices.Equal(e.Key, e.Identity) {
		fact(out, "identity", e.Identity...)
	}
	fact(out, "page", fmt.Sprint(e.PageSize))
	fact(out, "scope", scopes(e)...)
	if e.EntityType != 0 {
		fact(out, "entity", fmt.Sprint(e.EntityType))
	}
	if e.SyncTimestamp != "" {
		fact(out, "since", e.SyncTimestamp)
	}
	if e.ReplacedBy != "" {
		fact(out, "replaced", strings.Split(e.ReplacedBy, "+")...)
	}
	fact(out, "filter", e.Filterable...)
	fact(out, "flags", flags(e)...)
	if err := parameters(out, e.Parameters); err != nil {
		return err
	}
	return properties(out, e.Properties)
}

// fact writes one line at the margin, and nothing when there is nothing to say.
func fact(out *bytes.Buffer, name string, values ...string) {
	if len(values) > 0 {
		fmt.Fprintf(out, "%s %s\n", name, strings.Join(values, " "))
	}
}

// scopes are the OAuth scopes in the form in which Exact's error messages name them. The facts
// have them as pairs of words.
func scopes(e endpoint) []string {
	words := strings.Fields(e.Scope)
	if len(words) == 0 {
		words = strings.Fields(e.ScopeInferred)
	}
	var dotted []string
	for pair := range slices.Chunk(words, 2) {
		if len(pair) == 2 {
			dotted = append(dotted, pair[0]+"."+pair[1])
		}
	}
	return dotted
}

func flags(e endpoint) []string {
	var set []string
	for _, f := range []struct {
		name string
		on   bool
	}{
		{"pullable", e.Pullable},
		{"retired", e.Retired},
		{"function", e.Function},
		{"keyless", e.Keyless},
		{"parametersUnknown", e.ParametersUnknown},
		{"selectRequired", e.SelectRequired},
		{"noSelectStar", e.SelectStar != nil && !*e.SelectStar},
		{"headerAndLines", e.HeaderAndLines},
		{"entityInferred", e.EntityInferred},
	} {
		if f.on {
			set = append(set, f.name)
		}
	}
	return set
}

func parameters(out *bytes.Buffer, all []parameter) error {
	for _, p := range all {
		letter, _, err := abbreviate(p.Type)
		if err != nil {
			return fmt.Errorf("parameter %s: %w", p.Name, err)
		}
		if p.Mandatory {
			letter += "*"
		}
		fact(out, "parameter", letter, p.Name)
	}
	return nil
}

func properties(out *bytes.Buffer, all []property) error {
	for _, p := range all {
		letter, guessed, err := abbreviate(p.Type)
		if err != nil {
			return fmt.Errorf("property %s: %w", p.Name, err)
		}
		out.WriteString("\t" + letter + mark(p.Key, "*") + mark(guessed, "?") + mark(p.Dropped, "!") + " " + p.Name)
		if letter == nested {
			out.WriteString(" " + p.Type)
		}
		out.WriteByte('\n')
	}
	return nil
}

func mark(on bool, sign string) string {
	if on {
		return sign
	}
	return ""
}

const nested = "n"

var letters = map[string]string{
	"Edm.Guid": "g", "Edm.String": "s", "Edm.Int32": "i", "Edm.Int16": "h", "Edm.Int64": "l", "Edm.Byte": "y",
	"Edm.Boolean": "b", "Edm.Double": "d", "Edm.DateTime": "t", "Edm.Binary": "x",
}

// abbreviate finds the letter of a type; a trailing question mark says that the type is a guess.
func abbreviate(edm string) (letter string, guessed bool, err error) {
	if strings.HasPrefix(edm, "Nav:") || strings.HasPrefix(edm, "Complex:") {
		return nested, false, nil
	}
	plain, guessed := strings.CutSuffix(edm, "?")
	letter, known := letters[plain]
	if !known {
		return "", false, fmt.Errorf("unknown type %q", edm)
	}
	return letter, guessed, nil
}
