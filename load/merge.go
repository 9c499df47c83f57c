package load

import (
	"context"
	"database/sql"
	"slices"

	"exactduck/load/spool"
)

// merge applies spools of tables with a key in two passes over the files: the first takes keys
// only and finds out which rows are to be stored, the second stores them.
func (a *application) merge(ctx context.Context, s shape, g []*portion, have map[int]extent) error {
	if err := a.meet(ctx, s, g); err != nil {
		return err
	}
	if s.mode == spool.Replace {
		if _, err := a.exec(ctx, "leave out doubles", leaveDoubles); err != nil {
			return err
		}
		if err := a.miss(ctx, s, g, have); err != nil {
			return err
		}
	}
	wanted, err := a.decide(ctx, g)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(g, func(p *portion) bool { return p.touched }) {
		return nil
	}
	if !s.fresh {
		if _, err := a.exec(ctx, "delete replaced rows", s.deleteReplaced()); err != nil {
			return err
		}
	}
	if s.mode == spool.Replace || s.marks() {
		if err := a.removeGone(ctx, s); err != nil {
			return err
		}
	}
	return a.insert(ctx, s, g, wanted)
}

// meet is the first pass.
func (a *application) meet(ctx context.Context, s shape, g []*portion) error {
	columns := append([]string{partColumn, ordinalColumn, s.scope}, s.key...)
	if s.byContent() {
		columns = append(append(columns[:3], s.spooled...), extra)
	} else if s.version != "" {
		columns = append(columns, s.version)
	}
	if s.dated != "" && !s.byContent() {
		columns = append(columns, s.dated)
	}
	if s.header != "" && !s.byContent() && !slices.Contains(s.key, s.header) {
		columns = append(columns, s.header)
	}
	if s.out {
		columns = append(columns, outColumn)
	}
	err := a.reading(g, columns, nil, func(pages int64) error {
		_, err := a.exec(ctx, "read keys", s.createNewest(), pages)
		return err
	})
	if err != nil {
		return err
	}
	if entity := g[0].header.Table.Entity; a.buries && a.mayBeBuried(s, entity) {
		if _, err := a.exec(ctx, "honour tombstones", s.bar(), entity); err != nil {
			return err
		}
	}
	if s.marks() {
		if err := a.sendOut(ctx, s, g); err != nil {
			return err
		}
	}
	if _, err := a.exec(ctx, "find stored rows", s.createMet()); err != nil {
		return err
	}
	if !s.byContent() {
		return nil
	}
	for _, statement := range s.compareContent() {
		if _, err := a.exec(ctx, "compare content", statement); err != nil {
			return err
		}
	}
	return nil
}

// sendOut takes out of the newest rows those that are not to be stored, because the read's filter does
// not want them or because they went with their header. A merge removes what is stored of them, and no
// guard asks how much: of each of these rows the source has said what became of it. To a read of
// everything they are as rows that did not come.
func (a *application) sendOut(ctx context.Context, s shape, g []*portion) error {
	if s.header != "" {
		entity, err := a.headerEntity(ctx, g[0].Follow)
		if err != nil {
			return err
		}
		if _, err := a.exec(ctx, "let lines follow their headers", s.barLines(), entity); err != nil {
			return err
		}
	}
	if s.merges() {
		if _, err := a.exec(ctx, "find rows that go", s.createOut()); err != nil {
			return err
		}
		gone, err := a.extents(ctx, "count rows that go", countGone)
		if err != nil {
			return err
		}
		for number, e := range gone {
			g[number].result.Deleted, g[number].touched = e.all, true
		}
	}
	_, err := a.exec(ctx, "leave out rows that go", dropOut)
	return err
}

// miss finds the stored rows that did not come, and drops the parts of which too many are.
func (a *application) miss(ctx context.Context, s shape, g []*portion, have map[int]extent) error {
	if _, err := a.exec(ctx, "find rows that are gone", s.createGone()); err != nil {
		return err
	}
	gone, err := a.extents(ctx, "count rows that are gone", countGone)
	if err != nil {
		return err
	}
	for _, p := range g {
		if !a.believe(s, p, have[p.number].live, gone[p.number].live) {
			for _, statement := range dropPart {
				if _, err := a.exec(ctx, "leave out suspect part", statement, p.number); err != nil {
					return err
				}
			}
			continue
		}
		p.result.Deleted = gone[p.number].all
		p.touched = p.touched || gone[p.number].all > 0
	}
	return nil
}

func (a *application) removeGone(ctx context.Context, s shape) error {
	var args []any
	if s.soft {
		args = []any{a.now, a.batch.Run}
	}
	_, err := a.exec(ctx, "remove rows that are gone", s.removeGone(), args...)
	return err
}

// decide counts what will happen to each part and lists the rows that are to be stored.
func (a *application) decide(ctx context.Context, g []*portion) (bitmap, error) {
	err := a.each(ctx, "count rows", countMerged, nil, func(rows *sql.Rows) error {
		var number int
		var inserted, updated int64
		if err := rows.Scan(&number, &inserted, &updated); err != nil {
			return err
		}
		g[number].result.Inserted, g[number].result.Updated = inserted, updated
		g[number].touched = g[number].touched || inserted+updated > 0
		return nil
	})
	if err != nil {
		return nil, err
	}
	total := int64(0)
	for _, p := range g {
		total += p.File.Rows()
	}
	wanted := newBitmap(total)
	err = a.each(ctx, "choose rows", selectWanted, nil, func(rows *sql.Rows) error {
		var ordinal int64
		err := rows.Scan(&ordinal)
		wanted.add(ordinal)
		return err
	})
	return wanted, err
}

// insert is the second pass.
func (a *application) insert(ctx context.Context, s shape, g []*portion, wanted bitmap) error {
	columns := append(append([]string{s.scope}, s.spooled...), extra)
	return a.reading(g, columns, wanted, func(pages int64) error {
		_, err := a.exec(ctx, "insert rows", s.insertWanted(), a.now, a.batch.Run, pages)
		return err
	})
}
