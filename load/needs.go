package load

import (
	"context"
	"database/sql"
	"fmt"

	"exactduck/schema"
)

// Need is how many pages the last reads of one kind took, of a stream in a scope.
type Need struct {
	Stream string
	Scope  schema.Scope
	Mode   string
	Pages  int // on average, rounded up
}

// Needs returns what the last reads of a pipeline took.
func (w *Warehouse) Needs(ctx context.Context, pipeline string) ([]Need, error) {
	return needs(ctx, w.db, pipeline)
}

// Needs is what [Warehouse.Needs] is, as of the last publication.
func (r *Reader) Needs(ctx context.Context, pipeline string) ([]Need, error) {
	return needs(ctx, r.db, pipeline)
}

// lastReads is of how many reads the average is taken.
const lastReads = 5

func needs(ctx context.Context, db *sql.DB, pipeline string) ([]Need, error) {
	rows, err := db.QueryContext(ctx, `SELECT stream, coalesce(scope, ''), mode, ceil(avg(pages))::INTEGER
		FROM (FROM _exactduck.run_streams s JOIN _exactduck.runs r USING (run_id)
			SELECT s.stream, s.scope, s.mode, s.pages
			WHERE r.pipeline = ? AND s.status = 'done' AND s.pages > 0
			QUALIFY row_number() OVER (PARTITION BY s.stream, s.scope, s.mode ORDER BY s.started_at DESC) <= ?)
		GROUP BY ALL`, pipeline, lastReads)
	if err != nil {
		return nil, fmt.Errorf("read what earlier reads took: %w", err)
	}
	defer rows.Close()
	var all []Need
	for rows.Next() {
		var n Need
		if err := rows.Scan(&n.Stream, &n.Scope, &n.Mode, &n.Pages); err != nil {
			return nil, fmt.Errorf("read what earlier reads took: %w", err)
		}
		all = append(all, n)
	}
	return all, rows.Err()
}
