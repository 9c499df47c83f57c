package config

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// largest is far beyond any honest configuration; the parser's work grows with what it is given.
const largest = 256 << 10

// Load reads, decodes and checks a configuration. Errors are of type *[ReadError] or *[Error].
func Load(path string, c Catalogues) (*Config, error) {
	text, err := read(path)
	if err != nil {
		return nil, &ReadError{Path: path, Err: err}
	}
	return Parse(text, path, c)
}

func read(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, largest+1))
	if err == nil && len(text) > largest {
		return nil, fmt.Errorf("it is larger than %d KiB", largest>>10)
	}
	return text, err
}

// Parse decodes and checks the text of a configuration; path is what messages call it and what its
// relative paths are relative to. Errors are of type *[Error].
func Parse(text []byte, path string, c Catalogues) (*Config, error) {
	src := &source{name: path, lines: strings.Split(string(text), "\n")}
	config, problem := decode(text, src)
	if problem != nil {
		problem.Excerpt = src.excerpt(place{problem.Line, problem.Column})
		if problem.Hint == "" && strings.Contains(problem.Excerpt, "!") {
			problem.Hint = `put what begins with ! in quotes: "!123456"`
		}
		return nil, &Error{Path: path, Problems: []Problem{*problem}}
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, &ReadError{Path: path, Err: err}
	}
	config.path, config.source = absolute, src
	config.complete()
	if problems := check(config, c); len(problems) > 0 {
		return nil, &Error{Path: path, Problems: problems}
	}
	return config, nil
}

// decode fills a Config and src.body. The library panics on some malformed texts, as fuzzing shows;
// they are problems like any other.
func decode(text []byte, src *source) (config *Config, problem *Problem) {
	defer func() {
		if recover() != nil {
			config, problem = nil, &Problem{Line: 1, Column: 1, Message: "this is not YAML that can be understood"}
		}
	}()
	if !utf8.Valid(text) || bytes.IndexByte(text, 0) >= 0 {
		return nil, &Problem{Line: 1, Column: 1, Message: "this is not UTF-8 text"}
	}
	tokens := lexer.Tokenize(string(text))
	if problem := tooDeep(tokens); problem != nil {
		return nil, problem
	}
	file, err := parser.Parse(tokens, 0)
	if err != nil {
		return nil, yamlProblem(err)
	}
	body, problem := onlyDocument(file)
	if problem != nil {
		return nil, problem
	}
	if tag := firstTag(body); tag != nil {
		return nil, tag
	}
	src.body = body
	config = new(Config)
	decoder := yaml.NewDecoder(strings.NewReader(""), yaml.Strict())
	if err := decoder.DecodeFromNodeContext(context.Background(), body, config); err != nil {
		return nil, yamlProblem(err)
	}
	return config, nil
}

// deepest is far deeper than the format goes. The parser takes memory with the square of the depth.
const deepest = 100

// tooDeep finds brackets in brackets, indentation and lists of lists beyond reason.
func tooDeep(tokens token.Tokens) *Problem {
	brackets, line, openers := 0, 0, 0
	for _, t := range tokens {
		if t.Position.Line != line {
			line, openers = t.Position.Line, 0
			if brackets == 0 {
				openers = t.Position.Column / 2
			}
		}
		switch t.Type {
		case token.MappingStartType, token.SequenceStartType:
			brackets++
		case token.MappingEndType, token.SequenceEndType:
			brackets = max(brackets-1, 0)
		case token.SequenceEntryType, token.MappingKeyType, token.AnchorType, token.TagType:
			openers++
		case token.MappingValueType:
			if brackets == 0 {
				openers++
			}
		}
		if brackets > deepest || openers > deepest {
			at := placeOf(t)
			return &Problem{Line: at.line, Column: at.column, Message: "this is nested too deeply to be a configuration"}
		}
	}
	return nil
}

// onlyDocument refuses what the decoder would pass over in silence.
func onlyDocument(file *ast.File) (ast.Node, *Problem) {
	var body ast.Node
	for _, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		if body != nil {
			at := placeOf(doc.Body.GetToken())
			if doc.Start != nil {
				at = placeOf(doc.Start)
			}
			return nil, &Problem{
				Line: at.line, Column: at.column, Message: "a second document begins here",
				Hint: "one file holds one configuration; give each its own file and name it with --config",
			}
		}
		body = doc.Body
	}
	switch body.(type) {
	case nil, *ast.NullNode, *ast.CommentGroupNode:
		return nil, &Problem{
			Line: 1, Column: 1, Message: "the file is empty",
			Hint: `delete it and run "exactduck init" to write one`,
		}
	case *ast.MappingNode:
		return body, nil
	}
	at := placeOf(body.GetToken())
	return nil, &Problem{
		Line: at.line, Column: at.column, Message: "the file must begin with keys, such as version: 1",
		Hint: `"exactduck init" in an empty directory writes an example`,
	}
}

// tags finds the first YAML tag (!text) of a tree. No key needs one, and the decoder would follow
// some and pass over others.
type tags struct{ found *ast.TagNode }

func (t *tags) Visit(n ast.Node) ast.Visitor {
	if tag, ok := n.(*ast.TagNode); ok && t.found == nil {
		t.found = tag
	}
	if t.found != nil {
		return nil
	}
	return t
}

func firstTag(body ast.Node) *Problem {
	var t tags
	ast.Walk(&t, body)
	if t.found == nil {
		return nil
	}
	at := placeOf(t.found.Start)
	return &Problem{
		Line: at.line, Column: at.column, Message: fmt.Sprintf("the tag %q is not understood", t.found.Start.Value),
		Hint: "remove it, or put the value in quotes",
	}
}

// yamlProblem turns an error of the YAML library into a problem. Its messages can quote values, so
// only their kind is used where a value could be a secret.
func yamlProblem(err error) *Problem {
	problem := &Problem{Line: 1, Column: 1, Message: "cannot be decoded"}
	var located yaml.Error
	if !errors.As(err, &located) {
		return problem
	}
	at := placeOf(located.GetToken())
	problem.Line, problem.Column = at.line, at.column
	var (
		unknown   *yaml.UnknownFieldError
		duplicate *yaml.DuplicateKeyError
		wrong     *yaml.TypeError
		unexpect  *yaml.UnexpectedNodeTypeError
		syntax    *yaml.SyntaxError
	)
	switch {
	case errors.As(err, &unknown):
		key := unknown.GetToken().Value
		problem.Message = fmt.Sprintf("unknown key %q", key)
		problem.Hint = didYouMean(key, keys(reflect.TypeFor[Config]()))
	case errors.As(err, &duplicate):
		problem.Message = fmt.Sprintf("the key %q is here for the second time", duplicate.GetToken().Value)
		problem.Hint = "remove one of the two"
	case errors.As(err, &wrong):
		problem.Message = "wrong kind of value: " + describeType(wrong.DstType) + " is expected here"
	case errors.As(err, &unexpect):
		problem.Message = fmt.Sprintf("wrong kind of value: a %s is expected here, this is a %s",
			strings.ToLower(unexpect.Expected.YAMLName()), strings.ToLower(unexpect.Actual.YAMLName()))
	case errors.As(err, &syntax):
		problem.Message = "YAML syntax: " + syntax.GetMessage()
	}
	return problem
}

func describeType(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Int:
		return "a whole number"
	case reflect.String:
		return "a text"
	case reflect.Slice:
		return "a list"
	case reflect.Map, reflect.Struct, reflect.Pointer:
		return "a block of keys"
	}
	return "a " + t.Kind().String()
}
