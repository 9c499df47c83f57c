package config

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"exactduck/schema"
)

// Contract says what becomes of a stream whose shape changes.
type Contract string

// The values of contract.
const (
	Evolve Contract = "evolve" // it is followed and reported
	Freeze Contract = "freeze" // the stream stops until somebody accepts it
)

// Columns are the names of columns to ask for or, as a mapping, columns for properties that the
// catalogue lacks, each with its type.
type Columns struct {
	Names []string
	Types map[string]string
}

// UnmarshalYAML takes a list as well as a mapping.
func (c *Columns) UnmarshalYAML(decode func(any) error) error {
	if err := decode(&c.Names); err == nil {
		return nil
	}
	c.Names = nil
	return decode(&c.Types)
}

// numberTypes are the words of numbers.
var numberTypes = map[string]schema.Type{"decimal": schema.Decimal, "double": schema.Double}

// typesGiven are the columns that an entry gives a type, with the type as it is written. An endpoint
// with path has its types from its definition.
func (s *Stream) typesGiven() map[string]string {
	given := maps.Clone(s.Columns.Types)
	if s.Path != "" || len(s.Types) == 0 {
		return given
	}
	if given == nil {
		given = map[string]string{}
	}
	maps.Copy(given, s.Types)
	return given
}

// retype gives a choice the types of columns that its entry and the pipeline say: of numbers, and of
// properties that the catalogue lacks. What it has keeps its type.
func (p *Pipeline) retype(c *Choice, s *Stream, cat Catalogue) {
	types := map[string]schema.Type{}
	for name, text := range s.typesGiven() {
		if t, ok := cat.typeNamed(text); ok && c.typeOf(name) == 0 {
			types[name] = t
		}
	}
	for target, kind := range p.Numbers {
		if stream, column, ok := cutColumn(target); ok && strings.EqualFold(stream, c.Stream.Name) {
			c.number(types, column, kind)
		}
	}
	for column, kind := range s.Numbers {
		c.number(types, column, kind)
	}
	if len(types) > 0 {
		c.Types = types
	}
}

// number makes a column a DECIMAL or a DOUBLE, if it is one of the two and the other.
func (c *Choice) number(types map[string]schema.Type, column, kind string) {
	for _, name := range c.columns([]string{column}) {
		want, have := numberTypes[kind], c.typeOf(name)
		delete(types, name)
		if want != have && (have == schema.Decimal || have == schema.Double) && want != 0 {
			types[name] = want
		}
	}
}

// typeOf is the type that the catalogue gives a column of any variant; 0: it has none of that name.
func (c *Choice) typeOf(name string) schema.Type {
	for _, v := range c.Stream.Variants {
		if i := v.Table.Index(name); i >= 0 {
			return v.Table.Columns[i].Type
		}
	}
	return 0
}

// cutColumn takes crm/Accounts.CreditLine apart.
func cutColumn(target string) (stream, column string, ok bool) {
	at := strings.LastIndexByte(target, '.')
	if at <= 0 || at+1 == len(target) {
		return "", "", false
	}
	return target[:at], target[at+1:], true
}

// typeNamed finds a type by the name that DuckDB has for it, or the source.
func (cat *Catalogue) typeNamed(name string) (schema.Type, bool) {
	name = strings.ToUpper(strings.ReplaceAll(name, " ", ""))
	if t, err := schema.ParseType(name); err == nil {
		return t, true
	}
	if name == "DECIMAL" {
		return schema.Decimal, true
	}
	if cat.TypeNamed == nil {
		return 0, false
	}
	return cat.TypeNamed(name)
}

// shaped is a table with the types of columns that the choice gives, and with its own columns behind
// those of the catalogue.
func (c *Choice) shaped(t *schema.Table) *schema.Table {
	if len(c.Types) == 0 {
		return t
	}
	other := *t
	other.Columns = slices.Clone(t.Columns)
	for i, column := range other.Columns {
		if kind, ok := c.Types[column.Name]; ok {
			other.Columns[i].Type = kind
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Types)) {
		if other.Index(name) < 0 && c.typeOf(name) == 0 {
			other.Columns = append(other.Columns, schema.Column{Name: name, Type: c.Types[name]})
		}
	}
	return &other
}

// Shape are all columns that the stream can have by any of its variants, those that are not asked for
// among them, by name.
func (c *Choice) Shape() map[string]schema.Type {
	all := map[string]schema.Type{}
	for _, v := range c.Stream.Variants {
		t := c.shaped(v.Table)
		for _, column := range append(slices.Clone(t.Columns), c.Mask.Table(t).Columns...) { // a hash is a text
			all[column.Name] = column.Type
		}
	}
	return all
}

func (k *checker) contract(at path, c Contract) {
	if c != "" && c != Evolve && c != Freeze {
		k.report(at, "write contract: evolve or contract: freeze", "%q is not known", string(c))
	}
}

// types checks the columns that an entry of a stream of the catalogue gives a type.
func (k *checker) types(at path, s *Stream, choices []*Choice) {
	if s.wild() && len(s.typesGiven()) > 0 {
		k.report(at.to(cmp.Or(s.typesKey(), "columns")), "name the streams one by one", "gives types to columns of several streams at once")
		return
	}
	for key, given := range map[string]map[string]string{"columns": s.Columns.Types, "types": s.Types} {
		for _, name := range slices.Sorted(maps.Keys(given)) {
			k.typed(at.to(key, name), name, given[name], choices)
		}
	}
}

func (s *Stream) typesKey() string {
	if len(s.Types) > 0 {
		return "types"
	}
	return ""
}

func (k *checker) typed(at path, name, text string, choices []*Choice) {
	if _, ok := k.catalogue.typeNamed(text); !ok {
		k.report(at, "write a type of DuckDB such as VARCHAR, BIGINT, DECIMAL or TIMESTAMP, or one of OData such as String", "there is no type %q", text)
	}
	if !identifier.MatchString(name) {
		k.report(at, "write the property as Exact does", "%q cannot be the name of a property", name)
	}
	for _, c := range choices {
		if t := c.typeOf(name); t != 0 {
			text := fmt.Sprintf("%s: the catalogue has %s of %s by now, as %s; the type here counts no more and can be removed", at, name, c.Stream.Name, t)
			k.config.odd = append(k.config.odd, remark{at, text})
		}
	}
}

// remark is what a person should know about a place in the file.
type remark struct {
	at   path
	text string
}

// numbers checks the columns of which an entry says how their numbers are kept.
func (k *checker) numbers(at path, s *Stream, choices []*Choice) {
	for _, column := range slices.Sorted(maps.Keys(s.Numbers)) {
		k.number(at.to(column), column, s.Numbers[column], choices)
	}
}

func (k *checker) number(at path, column, kind string, choices []*Choice) {
	if numberTypes[kind] == 0 {
		k.report(at, "write decimal or double", "%q is no way to keep a number", kind)
		return
	}
	found := schema.Type(0)
	for _, c := range choices {
		if t := c.typeOf(column); t == schema.Decimal || t == schema.Double || found == 0 {
			found = cmp.Or(t, found)
		}
	}
	switch {
	case found == 0 && len(choices) > 0:
		k.noColumn(at, column, choices)
	case found != 0 && found != schema.Decimal && found != schema.Double:
		k.report(at, "remove it", "%s is %s, and only what Exact sends as a double can be kept in two ways", column, found)
	}
}

// pipelineNumbers checks the numbers of a pipeline, which name the stream too.
func (k *checker) pipelineNumbers(at path, p *Pipeline) {
	for _, target := range slices.Sorted(maps.Keys(p.Numbers)) {
		stream, column, ok := cutColumn(target)
		if !ok {
			k.report(at.to(target), "write it like crm/Accounts.CreditLinePurchase: double", "%q is no column of a stream", target)
			continue
		}
		choices, err := p.Choices(k.kinds)
		if err != nil {
			return // the check of the streams says so
		}
		choices = slices.DeleteFunc(choices, func(c *Choice) bool { return !strings.EqualFold(c.Stream.Name, stream) })
		if len(choices) == 0 {
			k.report(at.to(target), "add the stream to streams:, or remove this", "the pipeline does not read %s", stream)
			continue
		}
		k.number(at.to(target), column, p.Numbers[target], choices)
	}
}
