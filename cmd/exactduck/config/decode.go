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
	"github.com/goccy/go-yaml/parser"
)

// largest is far beyond any honest configuration; the parser's work grows with what it is given.
const largest = 256 << 10

// Load reads, decodes and checks a configuration. Errors are of type *[ReadError] or *[Error].
func Load(path string, c Catalogue) (*Config, error) {
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
func Parse(text []byte, path string, c Catalogue) (*Config, error) {
	src := &source{name: path, lines: strings.Split(string(text), "\n")}
	config, problem := decode(text, src)
	if problem != nil {
		problem.Excerpt = src.excerpt(place{problem.Line, problem.Column})
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

func decode(text []byte, src *source) (*Config, *Problem) {
	if !utf8.Valid(text) || bytes.IndexByte(text, 0) >= 0 {
		return nil, &Problem{Line: 1, Column: 1, Message: "this is not UTF-8 text"}
	}
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil, yamlProblem(err)
	}
	body, problem := onlyDocument(file)
	if problem != nil {
		return nil, problem
	}
	src.body = body
	config := new(Config)
	decoder := yaml.NewDecoder(strings.NewReader(""), yaml.Strict())
	if err := decoder.DecodeFromNodeContext(context.Background(), body, config); err != nil {
		return nil, yamlProblem(err)
	}
	return config, nil
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
