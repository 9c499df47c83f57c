package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/xrash/smetrics"
)

// Error lists what is wrong with a configuration, in the order of the file.
type Error struct {
	Path     string // as the user wrote it
	Problems []Problem
}

// Problem is one thing that is wrong.
type Problem struct {
	Line, Column int
	Message      string // "connections.books.region: …"
	Hint         string // what to write instead; may be empty
	Excerpt      string // the line and a mark under the column; may be empty
}

// Error is the first problem with its place; it says how many more there are.
func (e *Error) Error() string {
	p := e.Problems[0]
	text := fmt.Sprintf("%s:%d:%d: %s", e.Path, p.Line, p.Column, p.Message)
	if more := len(e.Problems) - 1; more > 0 {
		text += fmt.Sprintf(" (and %d more)", more)
	}
	return text
}

// ReadError reports a configuration that could not be read at all.
type ReadError struct {
	Path string
	Err  error
}

func (e *ReadError) Error() string {
	return "read configuration " + e.Path + ": " + cause(e.Err).Error()
}
func (e *ReadError) Unwrap() error { return e.Err }

// Nearest returns those of the candidates that name may have been meant to be, best first, at most
// three.
func Nearest(name string, candidates []string) []string {
	var near [3][]string // by distance
	for _, c := range candidates {
		d := smetrics.WagnerFischer(strings.ToLower(name), strings.ToLower(c), 1, 1, 1)
		if d < len(near) && d < len(c) {
			near[d] = append(near[d], c)
		}
	}
	all := append(append(near[0], near[1]...), near[2]...)
	return all[:min(len(all), 3)]
}

func didYouMean(name string, candidates []string) string {
	near := Nearest(name, candidates)
	if len(near) == 0 {
		return ""
	}
	return "did you mean " + strings.Join(near, " or ") + "?"
}

// keys are all the keys that the format has, each once.
func keys(t reflect.Type) []string {
	found := keysIn(t)
	slices.Sort(found)
	return slices.Compact(found)
}

func keysIn(t reflect.Type) []string {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		return keysIn(t.Elem())
	case reflect.Struct:
	default:
		return nil
	}
	var found []string
	for f := range t.Fields() {
		if f.Tag.Get("yaml") != "" {
			found = append(append(found, f.Tag.Get("yaml")), keysIn(f.Type)...)
		}
	}
	return found
}
