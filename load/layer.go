package load

import (
	"context"
	"database/sql"

	"exactduck/load/analytics"
)

// layOut brings the ready views and the descriptions of tables and columns up to date with what is
// stored. Most nights there is nothing to do, and then nothing is written. It runs before a
// publication, which it must not hold up: readers rather have the rows without a view.
func (w *Warehouse) layOut(ctx context.Context) {
	layer := analytics.Layer{Prefix: w.prefix, Zone: w.zone}
	due, err := layer.Due(ctx, w.db)
	if err == nil && due {
		w.log.DebugContext(ctx, "making the ready views")
		err = w.inTx(ctx, func(ctx context.Context, c *sql.Conn) error {
			if err := layer.Refresh(ctx, c); err != nil {
				return err
			}
			return touch(ctx, c, w.prefix+"analytics", "")
		})
	}
	if err != nil {
		w.log.WarnContext(ctx, "the ready views could not be made; the tables are published without", "error", err)
	}
}
