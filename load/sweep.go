package load

import (
	"context"
	"database/sql"
)

// sweep removes the rows of each part's scope whose key did not come, and counts those that came
// and are not in the warehouse as they should be. It stores nothing: a sweep brings only keys.
func (a *application) sweep(ctx context.Context, s shape, g []*portion, have map[int]extent) error {
	if err := a.meet(ctx, s, g); err != nil {
		return err
	}
	if err := a.miss(ctx, s, g, have); err != nil {
		return err
	}
	err := a.each(ctx, "count missed rows", s.countMissed(), nil, func(rows *sql.Rows) error {
		var number int
		var unknown, older int64
		err := rows.Scan(&number, &unknown, &older)
		g[number].result.Missed = unknown + older
		return err
	})
	if err != nil {
		return err
	}
	return a.removeGone(ctx, s)
}
