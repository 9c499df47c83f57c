package load

import (
	"context"
	"database/sql"
	"fmt"

	"exactduck/schema"
)

// touch notes, in the transaction of c, that rows of a table in some scopes have changed, or, with no
// scope, that the shape of the table has: a target is published if and only if something
// was touched since. The table is named as in the database, prefix included: crm.Accounts.
func touch(ctx context.Context, c *sql.Conn, table string, scopes ...schema.Scope) error {
	generation, err := nextGeneration(ctx, c)
	if err != nil {
		return err
	}
	if len(scopes) == 0 {
		_, err = c.ExecContext(ctx, `UPDATE _exactduck.parts SET generation = ? WHERE table_name = ?`, generation, table)
	} else {
		var rows [][]any
		for _, s := range scopes {
			rows = append(rows, []any{table, string(s), generation})
		}
		err = replaceRows(ctx, c, "_exactduck.parts", "table_name, scope, generation", 2, rows)
	}
	if err != nil {
		return fmt.Errorf("count generation of %s: %w", table, err)
	}
	return nil
}

// nextGeneration counts a change that readers are to see.
func nextGeneration(ctx context.Context, c *sql.Conn) (generation int64, err error) {
	err = c.QueryRowContext(ctx, `UPDATE _exactduck.meta SET value = (value::BIGINT + 1)::VARCHAR
		WHERE key = 'generation' RETURNING value::BIGINT`).Scan(&generation)
	if err != nil {
		return 0, fmt.Errorf("count generation: %w", err)
	}
	return generation, nil
}
