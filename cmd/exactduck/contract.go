package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"exactduck/cmd/exactduck/config"
	"exactduck/load"
	"exactduck/load/spool"
	"exactduck/schema"
)

// contracts are what frozen streams are held to in this run; nil for one that is read for the first
// time, or that need not hold to anything.
type contracts map[string]*load.Contract

// shapes reports columns that are gone from the catalogue, and holds the streams with a contract to
// it before any call is spent on them: the tasks that may be read are returned.
func (r *run) shapes(ctx context.Context, tasks []*task) ([]*task, error) {
	r.contracts = contracts{}
	known, err := r.warehouse.Drift(ctx)
	if err != nil {
		return nil, err
	}
	if err := r.reportRemoved(ctx, tasks, known); err != nil {
		return nil, err
	}
	broken := map[string]error{}
	for _, t := range tasks {
		name := t.choice.Stream.Name
		if _, done := broken[name]; done || t.choice.Contract != config.Freeze {
			continue
		}
		if broken[name], err = r.hold(ctx, t, known); err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(slices.Clone(tasks), func(t *task) bool {
		if t.err = broken[t.choice.Stream.Name]; t.err != nil {
			r.reads++
			r.fail(ctx, t)
		}
		return t.err != nil
	}), nil
}

// hold finds the contract of a stream, or makes it of what is stored, and says what breaks it already.
func (r *run) hold(ctx context.Context, t *task, known load.Drift) (breach, err error) {
	name := t.choice.Stream.Name
	agreement, there := known.Agreements[name]
	if !there {
		if known.Columns[t.table.FullName()] == nil {
			return nil, nil // the first read settles it, see [run.agree]
		}
		agreement.Contract = settled(t.choice, known)
		if err := r.warehouse.Agree(ctx, name, agreement.Contract); err != nil {
			return nil, err
		}
	}
	r.contracts[name] = &agreement.Contract
	breaches := differences(&agreement.Contract, t.choice.Shape())
	for _, property := range t.also {
		_, column := t.choice.Shape()[property]
		if !column && !slices.Contains(agreement.Contract.Unknown, property) {
			breaches = append(breaches, load.Breach{Column: property, Kind: load.BreachNew, Detail: "unknown to the catalogue"})
		}
	}
	breaches = append(breaches, refusedSince(&agreement.Contract, t, r.learnt[t.variant.Name].Refused)...)
	return r.breach(ctx, t, breaches)
}

// breach notes what breaks the contract of a task's stream; nil: nothing does.
func (r *run) breach(ctx context.Context, t *task, breaches []load.Breach) (breach, err error) {
	if len(breaches) == 0 {
		return nil, nil
	}
	return &load.Broken{Table: t.table.FullName(), Breaches: breaches}, r.warehouse.Break(ctx, t.choice.Stream.Name, breaches)
}

// differences are the columns that a shape and a contract do not have in common, and those with
// another type.
func differences(c *load.Contract, shape map[string]schema.Type) (breaches []load.Breach) {
	table := &schema.Table{}
	for name, kind := range shape {
		table.Columns = append(table.Columns, schema.Column{Name: name, Type: kind})
	}
	breaches = c.Against(table)
	for name := range c.Columns {
		if _, there := shape[name]; !there {
			breaches = append(breaches, load.Breach{Column: name, Kind: load.BreachRemoved, Detail: "the catalogue does not have it any more"})
		}
	}
	slices.SortFunc(breaches, func(a, b load.Breach) int { return strings.Compare(a.Column, b.Column) })
	return breaches
}

// refusedSince are the columns that the source does not give, and did when the contract was accepted.
func refusedSince(c *load.Contract, t *task, refused []string) (breaches []load.Breach) {
	for _, column := range refused {
		if t.table.Index(column) >= 0 && !slices.Contains(c.Refused, column) {
			breaches = append(breaches, load.Breach{Column: column, Kind: load.BreachRemoved, Detail: t.variant.Name + " does not give it any more"})
		}
	}
	return breaches
}

// settled is the contract that what is known of a stream amounts to.
func settled(c *config.Choice, known load.Drift) load.Contract {
	agreed := load.Contract{}
	var all []load.Breach
	for _, v := range c.Stream.Variants {
		for _, property := range known.Discoveries[v.Name].Properties {
			all = append(all, load.Breach{Column: property, Kind: load.BreachNew})
		}
		for _, column := range known.Discoveries[v.Name].Refused {
			all = append(all, load.Breach{Column: column, Kind: load.BreachRemoved})
		}
	}
	for _, n := range known.Changes {
		switch {
		case n.Table != c.Stream.Variants[0].Table.FullName():
		case n.Kind == "unknown property":
			all = append(all, load.Breach{Column: n.Column, Kind: load.BreachNew})
		case n.Kind == "misfit":
			all = append(all, load.Breach{Column: n.Column, Kind: load.BreachMisfit})
		}
	}
	return agreed.Accept(all, c.Shape())
}

// agree makes the contracts of the streams that this run was the first to read.
func (r *run) agree(ctx context.Context, tasks []*task) error {
	var known *load.Drift
	for _, t := range tasks {
		if t.choice.Contract != config.Freeze || !t.done || t.err != nil || r.contracts[t.choice.Stream.Name] != nil {
			continue
		}
		if known == nil {
			d, err := r.warehouse.Drift(ctx)
			if err != nil {
				return err
			}
			known = &d
		}
		agreed := settled(t.choice, *known)
		if err := r.warehouse.Agree(ctx, t.choice.Stream.Name, agreed); err != nil {
			return err
		}
		r.contracts[t.choice.Stream.Name] = &agreed
	}
	return nil
}

// keeps is the error of the first of some reads of a table that holds a column less than its contract.
func (r *run) keeps(tasks []*task) error {
	for _, t := range tasks {
		c := r.contracts[t.choice.Stream.Name]
		if c == nil || t.calls == 0 || t.mode == spool.Sweep {
			continue
		}
		refused, _ := r.source.Known(t.variant.Name)
		if breaches := refusedSince(c, t, refused); len(breaches) > 0 {
			return &load.Broken{Table: t.table.FullName(), Breaches: breaches}
		}
	}
	return nil
}

// reportRemoved says once of every stored column that no catalogue and no configuration has any more.
func (r *run) reportRemoved(ctx context.Context, tasks []*task, known load.Drift) error {
	var gone []load.Change
	seen := map[string]bool{}
	for _, t := range tasks {
		table := t.table.FullName()
		if seen[table] {
			continue
		}
		seen[table] = true
		for _, column := range removed(known.Columns[table], t.choice.Shape()) {
			gone = append(gone, load.Change{
				At: r.clock(), Run: r.id, Table: table, Column: column, Kind: "column removed",
				Detail: "neither the catalogue nor the configuration has it any more: new versions of rows hold NULL",
			})
		}
	}
	news, err := r.warehouse.News(ctx, r.id, gone)
	r.tellNews(ctx, news)
	return err
}

// removed are the stored columns that a shape does not have, sorted.
func removed(stored map[string]string, shape map[string]schema.Type) (gone []string) {
	for column := range stored {
		there := false
		for name := range shape {
			there = there || strings.EqualFold(name, column)
		}
		if !there {
			gone = append(gone, column)
		}
	}
	slices.Sort(gone)
	return gone
}

// tellNews warns of changes of shape that a person should know of.
func (r *run) tellNews(ctx context.Context, news []load.Change) {
	for _, n := range news {
		switch n.Kind {
		case "unknown property", "discovered":
			r.warn(ctx, fmt.Sprintf("%s: %s has the property %s, which has no column and is kept in _extra; types: {%[3]s: VARCHAR} gives it one", n.Table, vendorOf(r.pipeline).words().name, n.Column))
		case "misfit":
			r.warn(ctx, fmt.Sprintf("%s: a value of %s does not fit its column, or not exactly; as it came it is kept in _extra", n.Table, n.Column))
		case "table created":
		default:
			r.warn(ctx, strings.TrimSuffix(fmt.Sprintf("%s: %s: %s: %s", n.Table, n.Column, n.Kind, n.Detail), ": "))
		}
	}
}
