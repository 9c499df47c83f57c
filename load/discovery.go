package load

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"exactduck/schema"
)

// Discovery is what the last search for properties of a variant that its table does not have found.
type Discovery struct {
	At         time.Time // zero: nobody has looked yet
	Properties []string
}

// Discovery returns what is known of a variant.
func (w *Warehouse) Discovery(ctx context.Context, variant string) (d Discovery, err error) {
	rows, err := w.db.QueryContext(ctx, `SELECT looked_at, unnest([NULL] || properties) FROM _exactduck.discoveries
		WHERE prefix = ? AND variant = ?`, w.prefix, variant)
	if err != nil {
		return d, fmt.Errorf("read discoveries: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var name sql.NullString
		if err := rows.Scan(&d.At, &name); err != nil {
			return d, fmt.Errorf("read discoveries: %w", err)
		}
		if name.Valid {
			d.Properties = append(d.Properties, name.String)
		}
	}
	return d, rows.Err()
}

// Discover notes the outcome of a search and reports, among the changes of shape, each property
// that no search before has found.
func (w *Warehouse) Discover(ctx context.Context, run, variant string, t *schema.Table, d Discovery) error {
	changes := make([]Change, 0, len(d.Properties))
	for _, name := range d.Properties {
		changes = append(changes, Change{
			At: d.At, Table: w.prefix + t.FullName(), Column: name, Kind: "discovered",
			Detail: "a property that the catalogue does not know; its values are kept in _extra",
		})
	}
	err := w.inTx(ctx, func(ctx context.Context, c *sql.Conn) error {
		if _, err := c.ExecContext(ctx, "DELETE FROM _exactduck.discoveries WHERE prefix = ? AND variant = ?", w.prefix, variant); err != nil {
			return err
		}
		_, err := c.ExecContext(ctx, "INSERT INTO _exactduck.discoveries (prefix, variant, looked_at, properties) VALUES (?, ?, ?, ?)",
			w.prefix, variant, orNull(d.At), append([]string{}, d.Properties...))
		if err != nil {
			return err
		}
		return recordNews(ctx, c, run, changes)
	})
	if err != nil {
		return fmt.Errorf("note what was discovered of %s: %w", variant, err)
	}
	return nil
}

// recordNews adds the changes that no run has reported before.
func recordNews(ctx context.Context, c *sql.Conn, run string, changes []Change) error {
	for _, n := range changes {
		_, err := c.ExecContext(ctx, `INSERT INTO _exactduck.schema_changes
				(changed_at, run_id, table_name, column_name, change, detail)
			SELECT ?, ?, ?, ?, ?, ? WHERE NOT EXISTS (FROM _exactduck.schema_changes
				WHERE table_name = ? AND column_name = ? AND change = ?)`,
			orNull(n.At), run, n.Table, n.Column, n.Kind, n.Detail, n.Table, n.Column, n.Kind)
		if err != nil {
			return err
		}
	}
	return nil
}
