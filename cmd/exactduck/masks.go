package main

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"exactduck/cmd/exactduck/config"
	"exactduck/extract/mask"
	"exactduck/schema"
)

// masks are those of the streams of a pipeline, by name; a stream without rules has none.
type masks map[string]*mask.Mask

// maskKey finds the key of the hashes of a pipeline; "" when it names none.
func (b *books) maskKey(p *config.Pipeline) (string, error) {
	lookup := b.getenv
	if lookup == nil {
		lookup = os.LookupEnv
	}
	return b.config.MaskKey(p.Name(), lookup)
}

// signed notes with a choice what tells the key of its hashes from another, where it has any.
func signed(c *config.Choice, key string) {
	if key != "" && slices.Contains(slices.Collect(maps.Values(c.Mask)), mask.Hash) {
		c.MaskCheck = mask.Check([]byte(key))
	}
}

// masked finds the streams of a pipeline, with what tells the key of their hashes from another, and
// their masks.
func (b *books) masked(p *config.Pipeline) ([]*config.Choice, masks, error) {
	choices, err := p.Choices(catalogue)
	if err != nil {
		return nil, nil, err
	}
	key, err := b.maskKey(p)
	if err != nil {
		return nil, nil, err
	}
	all := masks{}
	for _, c := range choices {
		if len(c.Mask) == 0 {
			continue
		}
		signed(c, key)
		if all[c.Stream.Name], err = mask.New(c.Mask, []byte(key)); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", c.Stream.Name, err)
		}
	}
	return choices, all, nil
}

// maskedAlike tells whether what was stored by one inquiry is masked as the other wants it.
func maskedAlike(was, is inquiry) bool { return maps.Equal(was.Mask, is.Mask) && keyedAlike(was, is) }

// keyedAlike tells whether the hashes of one inquiry are those of the other, of which the key need not
// be at hand: then it is taken to be the one of before.
func keyedAlike(was, is inquiry) bool { return is.MaskKey == "" || was.MaskKey == is.MaskKey }

// bare are the properties that the one inquiry has stored and the other does not want to be seen: as
// they came, or as hashes by another key.
func bare(was, is inquiry) (names []string) {
	for name, rule := range is.Mask {
		switch had := was.Mask.Of(name); {
		case had == mask.Drop:
		case had == mask.Hash && rule == mask.Hash && keyedAlike(was, is):
		default:
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// without is the inquiry when some properties have been emptied.
func (i inquiry) without(names []string) inquiry {
	rules := mask.Rules{}
	for name, rule := range i.Mask {
		if !slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) }) {
			rules[name] = rule
		}
	}
	for _, name := range names {
		rules[name] = mask.Drop
	}
	i.Mask = rules
	if !slices.Contains(slices.Collect(maps.Values(rules)), mask.Hash) {
		i.MaskKey = ""
	}
	return i
}

// unmasks tells whether one inquiry has less of a column than the next asks for: it is to be hashed
// now, or to be as it came. Of properties without a column what was left out stays so until their
// rows change.
func unmasks(was, is inquiry, has func(column string) bool) bool {
	for name, had := range was.Mask {
		if rule := is.Mask.Of(name); rule != had && rule != mask.Drop && has(name) {
			return true
		}
	}
	for name, rule := range is.Mask {
		if rule == mask.Hash && has(name) && (was.Mask.Of(name) != mask.Hash || was.MaskKey != is.MaskKey) {
			return true
		}
	}
	return false
}

// hide takes out of a page what is not to reach a disk.
func (r *run) hide(t *task, page *schema.Page) (*schema.Page, error) {
	m := r.masks[t.choice.Stream.Name]
	if m == nil && len(t.choice.Mask) > 0 {
		return nil, fmt.Errorf("read %s: its masks are not known", t.choice.Stream.Name)
	}
	page, err := m.Page(page)
	if err != nil {
		return nil, err
	}
	return forgottenOf(t.choice.Stream, t.place.Scope, r.marks).Page(page), nil
}

// unhashed is the table to ask for so that its pages, masked, are of the table of a spool that is there.
func unhashed(stored *schema.Table, rules mask.Rules, whole *schema.Table) *schema.Table {
	asked := *stored
	asked.Columns = slices.Clone(stored.Columns)
	for i, c := range asked.Columns {
		if at := whole.Index(c.Name); at >= 0 && rules.Of(c.Name) == mask.Hash {
			asked.Columns[i].Type = whole.Columns[at].Type
		}
	}
	return &asked
}
