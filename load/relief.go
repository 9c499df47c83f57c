package load

import (
	"context"
	"fmt"
)

// unsettled is how many bytes of rows that are committed and not yet in the file DuckDB may hold.
// They cannot be evicted, and each column of each table takes a block however few its rows: of a few
// hundred tables that are the whole of its memory long before it checkpoints by itself.
const unsettled = 48 << 20

// relieve moves such rows into the file when they have become too many.
func (w *Warehouse) relieve(ctx context.Context) error {
	w.writing.Lock()
	defer w.writing.Unlock()
	var held int64
	err := w.db.QueryRowContext(ctx, "SELECT sum(memory_usage_bytes)::BIGINT FROM duckdb_memory() WHERE tag = 'IN_MEMORY_TABLE'").Scan(&held)
	if err != nil || held < unsettled {
		return err
	}
	w.log.DebugContext(ctx, "checkpointing working database", "path", w.path, "held", held)
	if _, err := w.db.ExecContext(ctx, "CHECKPOINT "+catalog); err != nil {
		return fmt.Errorf("checkpoint: %w", fileError(w.path, err))
	}
	w.log.DebugContext(ctx, "checkpointed working database", "path", w.path)
	return nil
}
