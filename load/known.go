package load

import (
	"context"
	"database/sql"
	"slices"
	"time"
)

// Known is what a warehouse can tell of one connection and one pipeline without asking the source.
type Known struct {
	Cursors     []Cursor
	Divisions   []Division
	Discoveries map[string]Discovery // by variant
	Needs       []Need
	Last        Run    // the pipeline's; zero: there is none
	Marks       []Mark // what was forgotten
}

// Known returns what is known now.
func (w *Warehouse) Known(ctx context.Context, pipeline string) (Known, error) {
	k, err := known(ctx, w.db, w.prefix, pipeline)
	k.Divisions = slices.DeleteFunc(k.Divisions, func(d Division) bool { return d.Source != w.source })
	return k, err
}

// Known returns what was known under a prefix when the file was published; of all kinds of source, as
// [Division.Source] tells.
func (r *Reader) Known(ctx context.Context, prefix, pipeline string) (Known, error) {
	return known(ctx, r.db, prefix, pipeline)
}

func known(ctx context.Context, db *sql.DB, prefix, pipeline string) (k Known, err error) {
	format, err := formatOf(ctx, db)
	if err != nil {
		return k, err
	}
	if k.Cursors, err = cursors(ctx, db, "prefix = ?", prefix); err != nil {
		return k, err
	}
	if k.Last, _, err = lastRun(ctx, db, pipeline, time.Time{}); err != nil {
		return k, err
	}
	if k.Needs, err = needs(ctx, db, pipeline); err != nil || format < 2 { // published by an earlier version
		return k, err
	}
	if k.Divisions, err = divisionsOf(ctx, db, format, "prefix = ?", prefix); err != nil {
		return k, err
	}
	if k.Discoveries, err = discoveries(ctx, db, "prefix = ?", prefix); err != nil || format < 5 {
		return k, err
	}
	k.Marks, err = marks(ctx, db, prefix)
	return k, err
}
