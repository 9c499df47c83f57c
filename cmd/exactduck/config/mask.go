package config

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"exactduck/extract"
	"exactduck/extract/mask"
	"exactduck/schema"
)

// shortestKey is how many characters a key of masks has at least: values that few people have, such as
// telephone numbers, are all tried in no time by who can guess the key.
const shortestKey = 16

// MaskKey finds the key of the masks of a pipeline; "" when it names none. Errors are of type
// *[SecretError].
func (c *Config) MaskKey(pipeline string, lookup func(string) (string, bool)) (string, error) {
	s := c.Pipelines[pipeline].MaskKey
	if s == "" {
		return "", nil
	}
	key, err := c.resolveAt(s, lookup, "pipelines", pipeline, "mask_key")
	if err == nil && len(key) < shortestKey {
		failure := c.secretFailure("pipelines", pipeline, "mask_key")
		failure.Variable, failure.File = s.source(c)
		failure.Err = fmt.Errorf("is shorter than %d characters and could be guessed", shortestKey)
		return "", failure
	}
	return key, err
}

// source is the variable or the file that a secret refers to.
func (s Secret) source(c *Config) (name, file string) {
	if found := variable.FindStringSubmatch(string(s)); found != nil {
		return found[1], ""
	}
	path, _ := strings.CutPrefix(string(s), "file:")
	return "", c.absolute(path)
}

// masks are the rules of a choice: those of its entry before the defaults, and these before those of
// the pipeline. Columns are in the catalogue's writing.
func (p *Pipeline) masks(c *Choice, s *Stream) mask.Rules {
	rules := mask.Rules{}
	for _, more := range []mask.Rules{s.Mask, p.Defaults.Mask, p.Mask} {
		for _, name := range slices.Sorted(maps.Keys(more)) {
			if rules.Of(name) != "" {
				continue
			}
			rules[cmp.Or(c.columnCalled(name), name)] = more[name]
		}
	}
	if len(rules) == 0 {
		return nil
	}
	return rules
}

// Unlisted is a stream of which there are rows and that the pipeline does not list any more: what it says
// of masks in all streams holds, as far as the rows can do without the values.
func (p *Pipeline) Unlisted(s *extract.Stream) *Choice {
	c := &Choice{Stream: s}
	c.Mask = p.masks(c, &Stream{})
	maps.DeleteFunc(c.Mask, func(name string, _ mask.Rule) bool { return c.unmaskable(name) })
	return c
}

// columnCalled is a column of the choice in the writing of its table, those among them that the file
// has given a type; "": there is none.
func (c *Choice) columnCalled(name string) string {
	for _, v := range c.variants() {
		if t := c.shaped(v.Table); t.Index(name) >= 0 {
			return t.Columns[t.Index(name)].Name
		}
	}
	return ""
}

// Unmasked is the table to ask a variant for, of which [Choice.Table] is what is stored: hashed columns
// with the types of their values. What is dropped is not asked for.
func (c *Choice) Unmasked(v *extract.Variant) *schema.Table {
	t := c.table(v)
	if len(c.Mask) == 0 {
		return t
	}
	return t.Select(func(name string) bool { return c.Mask.Of(name) != mask.Drop })
}

// checkMasks checks all that a pipeline says of masks.
func (k *checker) checkMasks(at path, p *Pipeline) {
	rules := []mask.Rules{p.Mask, p.Defaults.Mask}
	var all []*Choice
	for i := range p.Streams {
		s := &p.Streams[i]
		rules = append(rules, s.Mask)
		choices, err := p.choices(s, k.catalogue)
		if err != nil {
			return // the entry's own check says so
		}
		k.masks(at.to("streams", i, "mask"), s.Mask, choices)
		all = append(all, choices...)
	}
	k.masks(at.to("mask"), p.Mask, all)
	k.masks(at.to("defaults", "mask"), p.Defaults.Mask, all)
	hash := slices.ContainsFunc(rules, func(r mask.Rules) bool {
		return slices.Contains(slices.Collect(maps.Values(r)), mask.Hash)
	})
	k.maskKey(at.to("mask_key"), p.MaskKey, hash)
}

func (k *checker) maskKey(at path, key Secret, needed bool) {
	const write = "write mask_key: ${EXACT_MASK_KEY} or file:PATH"
	switch problem := key.problem(); {
	case key == "" && needed:
		k.report(at, write+`; "openssl rand -hex 32" makes a key`, "is missing")
	case key == "":
	case problem != nil:
		k.report(at, write, "%v", problem)
	case key.literal():
		k.report(at, write, "must not be written into this file: who has it can find out what is hashed")
	case !needed:
		k.report(at, "write mask: {Email: hash}, or remove the key", "is of no use without a hash")
	}
}

// masks checks the rules of one place in the file for the streams that they hold for.
func (k *checker) masks(at path, rules mask.Rules, choices []*Choice) {
	for _, name := range slices.Sorted(maps.Keys(rules)) {
		if _, err := mask.New(mask.Rules{name: rules[name]}, []byte{0}); err != nil {
			k.report(at.to(name), "write hash or drop", "there is no rule %q", string(rules[name]))
		}
		if err := twice(rules, name); err != nil {
			k.report(at.to(name), "remove one of the two", "%v", err)
		}
		k.masked(at.to(name), name, choices)
	}
}

// twice finds a name that another one differs from in nothing but case.
func twice(rules mask.Rules, name string) error {
	for other := range rules {
		if other < name && strings.EqualFold(other, name) {
			return errors.New(other + " and " + name + " are the same property")
		}
	}
	return nil
}

// masked checks that streams can do without the values of a property, and that one of them has it, or
// that it looks like none that was meant: what Exact sends beside the catalogue is masked too.
func (k *checker) masked(at path, name string, choices []*Choice) {
	found := len(choices) == 0
	for _, c := range choices {
		if c.unmaskable(name) {
			k.report(at, "remove it here; a stream that must not hold it can be left out with its entry",
				"%s tells the rows of %s apart or says what is new of them, and cannot be masked", name, c.Stream.Name)
			return
		}
		found = found || c.columnCalled(name) != ""
	}
	if found {
		return
	}
	var names []string
	for _, c := range choices {
		names = append(names, c.columnNames()...)
	}
	if didYouMean(name, names) != "" {
		k.noColumn(at, name, choices)
		return
	}
	text := fmt.Sprintf("%s: the catalogue has no %s; the rule holds for what is kept in _extra under this name", at, name)
	k.config.odd = append(k.config.odd, remark{at, text})
}

// part reports whether a column has the key of what a row is part of.
func (c *Choice) part(column string) bool {
	return slices.ContainsFunc(c.Stream.PartOf, func(p extract.Part) bool { return strings.EqualFold(p.Column, column) })
}

// unmaskable reports whether rows of the choice cannot do without the values of a column: key, version
// and scope, when a row was modified, and the key of its header or what else it is part of.
func (c *Choice) unmaskable(column string) bool {
	return c.needed(column) || c.part(column) ||
		slices.ContainsFunc(c.variants(), func(v *extract.Variant) bool { return v.Dated != "" && strings.EqualFold(column, v.Dated) })
}
