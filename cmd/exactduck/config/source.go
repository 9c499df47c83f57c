package config

import (
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// source is the text of a configuration and the tree it was parsed into; it knows where things are.
type source struct {
	name  string // as the user wrote it
	lines []string
	body  ast.Node
}

// place is a position in the text, from 1; the zero value is the beginning.
type place struct{ line, column int }

func placeOf(t *token.Token) place {
	if t == nil || t.Position == nil {
		return place{1, 1}
	}
	return place{max(t.Position.Line, 1), max(t.Position.Column, 1)}
}

// value is where the value at path begins, or the nearest thing above it that is there. Elements
// of path are keys (string) and places in a list (int).
func (s *source) value(path ...any) place {
	key, value := s.find(path)
	switch value.(type) {
	case nil, *ast.MappingNode, *ast.SequenceNode, *ast.NullNode:
		return placeOf(key)
	}
	return placeOf(value.GetToken())
}

// key is where the key that ends path stands.
func (s *source) key(path ...any) place {
	key, _ := s.find(path)
	return placeOf(key)
}

// has tells whether there is a value at path.
func (s *source) has(path ...any) bool {
	_, value := s.find(path)
	return value != nil
}

func (s *source) find(path []any) (*token.Token, ast.Node) {
	node := s.body
	var key *token.Token
	if node != nil {
		key = node.GetToken()
	}
	if m, ok := node.(*ast.MappingNode); ok && len(m.Values) > 0 {
		key = m.Values[0].Key.GetToken()
	}
	for _, step := range path {
		k, v := child(node, step)
		if v == nil {
			return key, nil
		}
		key, node = k, v
	}
	return key, node
}

func child(node ast.Node, step any) (*token.Token, ast.Node) {
	switch n := node.(type) {
	case *ast.AnchorNode:
		return child(n.Value, step)
	case *ast.MappingNode:
		for _, entry := range n.Values {
			if entry.Key.GetToken().Value == step {
				return entry.Key.GetToken(), entry.Value
			}
		}
	case *ast.SequenceNode:
		if i, ok := step.(int); ok && i < len(n.Values) {
			return n.Values[i].GetToken(), n.Values[i]
		}
	}
	return nil, nil
}

// excerpt shows one line with a mark under the column. A line that may hold a secret is cut behind
// its key.
func (s *source) excerpt(at place) string {
	if at.line > len(s.lines) {
		return ""
	}
	line := strings.TrimRight(s.lines[at.line-1], "\r\n")
	for _, word := range []string{"secret", "password", "token", "mask_key"} {
		if strings.Contains(strings.ToLower(line), word) {
			line, _, _ = strings.Cut(line, ":")
			line += ": …"
			break
		}
	}
	line = strings.ToValidUTF8(strings.ReplaceAll(line, "\t", " "), "\uFFFD")
	runes := []rune(line)
	if len(runes) > 120 {
		runes = append(runes[:119], '…')
	}
	mark := strings.Repeat(" ", min(at.column-1, len(runes)))
	return string(runes) + "\n" + mark + "^"
}

// shift moves the mark of a problem into a value that is written on one line.
func (p *Problem) shift(s *source, by int) {
	if p.Line > len(s.lines) || by <= 0 {
		return
	}
	line := s.lines[p.Line-1]
	if rest := []rune(line); p.Column-1 < len(rest) && (rest[p.Column-1] == '"' || rest[p.Column-1] == '\'') {
		by++
	}
	if p.Column-1+by < len([]rune(line)) {
		p.Column += by
		p.Excerpt = s.excerpt(place{p.Line, p.Column})
	}
}
