package main

import (
	"context"
	"fmt"
	"time"
)

// behind is by how much this machine's clock may be behind the source's before it is not believed that
// what was noted before was noted too late.
const behind = time.Hour

// rejuvenate makes now of what was noted by a clock that was ahead, so that sweeps are due again and remove
// what is gone. The source has answered: its clock is the witness that ours is not behind.
func (r *run) rejuvenate(ctx context.Context) error {
	if r.there().Sub(r.clock()) > behind {
		return nil
	}
	tables, err := r.warehouse.Rejuvenate(ctx)
	if err != nil || len(tables) == 0 {
		return err
	}
	r.warn(ctx, fmt.Sprintf("%s, the first %s, said that they were read at a time that has not come: a clock was ahead then; they count as read now",
		plural(len(tables), "table"), tables[0]))
	cursors, err := r.warehouse.Cursors(ctx)
	if err == nil {
		r.planner.cursors = byPlace(cursors)
	}
	return err
}
