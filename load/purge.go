package load

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
)

// purgeDue is the mark, among the facts of the working database, that files may still hold what was
// taken out of its tables to be nowhere any more.
const purgeDue = "purge"

// PurgeDue tells whether files may still hold what was taken out of the tables to be nowhere any more.
func (w *Warehouse) PurgeDue(ctx context.Context) (bool, error) {
	due, err := meta(ctx, w.db, purgeDue)
	if err != nil {
		return false, fmt.Errorf("look for what is to be purged: %w", err)
	}
	return due != "", nil
}

// Purge takes out of all files what is not in the tables any more, if that is due: it writes the working
// database anew, publishes it to the targets, and removes older published files and snapshots, those
// that readers may be in among them. Killed anywhere it is due again. Afterwards the warehouse is open
// as before.
func (w *Warehouse) Purge(ctx context.Context, targets ...Target) error {
	due, err := w.PurgeDue(ctx)
	if err != nil || !due {
		return err
	}
	w.log.InfoContext(ctx, "removing from all files what is to be nowhere any more", "path", w.path)
	if err := w.purge(ctx, targets); err != nil {
		return fmt.Errorf("purge: %w", err)
	}
	return nil
}

func (w *Warehouse) purge(ctx context.Context, targets []Target) error {
	if _, err := w.Compact(ctx); err != nil {
		return err
	}
	for _, t := range targets {
		t.Alone = true
		if _, err := w.Publish(ctx, t); err != nil {
			return err
		}
		if err := w.reopen(ctx); err != nil {
			return err
		}
	}
	if err := w.clearRemains(); err != nil {
		return err
	}
	w.log.DebugContext(ctx, "purged")
	return w.inTx(ctx, func(ctx context.Context, c *sql.Conn) error {
		_, err := c.ExecContext(ctx, "DELETE FROM _exactduck.meta WHERE key = ?", purgeDue)
		return err
	})
}

// reopen opens the working database once more after a publication has closed it.
func (w *Warehouse) reopen(ctx context.Context) error {
	if err := w.closeDatabase(); err != nil {
		return err
	}
	w.pages.mutex.Lock()
	w.pages.known = false
	w.pages.mutex.Unlock()
	return w.open(ctx)
}

// clearRemains removes what killed runs have left beside the working database.
func (w *Warehouse) clearRemains() error {
	return errors.Join(
		removeIfThere(w.path+".wal.orphan"), removeIfThere(w.path+".adopting"), removeIfThere(w.path+".adopting.wal"),
		os.RemoveAll(w.path+".adopting.tmp"))
}
