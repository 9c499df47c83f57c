package extract

import "exactduck/schema"

// Kind is a kind of source: what its package knows of every source of that kind, beside reading it.
type Kind struct {
	// Streams are all there are, sorted by name. Lookup finds one by its name, and the variant if the name
	// forces one; Match finds those that a pattern with wildcards selects, at least one.
	Streams func() []*Stream
	Lookup  func(name string) (*Stream, *Variant, error)
	Match   func(pattern string) ([]*Stream, error)
	// Example is a pattern that selects some of them.
	Example string
	// Serves tells by its name whether a stream or an endpoint can only be of this kind.
	Serves func(name string) bool
	// Owns tells by its looks whether a scope is a place of this kind.
	Owns func(schema.Scope) bool
	// Deletions is the stream that tells which rows are gone; one without a name: nothing tells.
	Deletions func() *Stream
	// Documented is what the vendor's documentation says of a variant.
	Documented func(*Variant) Documented
	// AsksFilter tells whether a read of everything asks the source for a filter, or judges rows itself.
	AsksFilter func(v *Variant, filter string) bool
	// Describe says in words where the next read from a position begins.
	Describe func(schema.Position) string
	// Convert adds a JSON value as the source writes it, other than null, to a vector, as a read does. It
	// tells whether the vector has it now, and whether that is exactly what was written.
	Convert func(v *schema.Vector, value []byte) (added, exact bool)
	// Explain says what an answer of the source means, and what to do; false: nobody knows.
	Explain func(error) (Explanation, bool)
}

// Documented is what a vendor says of a variant beside what a read needs to know.
type Documented struct {
	Path       string
	Cursor     string // what a read of changes goes by, where [Cursor] says too little
	Methods    []string
	Permission string   // what an app must be allowed: "crm accounts"
	Filterable []string // the only properties that can be filtered on; nil: all
	Parameters []Parameter
	Kept       []string // properties that are known, and stay in _extra
	Guessed    []string // columns of which no documentation states the type
	Open       bool     // it takes no permission
	Selective  bool     // it refuses to be asked for all columns
}

// Parameter is one that an endpoint takes.
type Parameter struct {
	Name, Type string // the vendor's word for its type
	Mandatory  bool
}
