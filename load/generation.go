package load

import (
	"context"
	"database/sql"
	"fmt"

	"exactduck/schema"
)

// touch notes, in the transaction of c, that rows of a table in a scope have changed, or, with an
// empty scope, that the shape of the table has: a target is published if and only if something
// was touched since. The table is named as in the database, prefix included: crm.Accounts.
func touch(ctx context.Context, c *sql.Conn, table string, s schema.Scope) error {
	var generation int64
	err := c.QueryRowContext(ctx, `UPDATE _exactduck.meta SET value = (value::BIGINT + 1)::VARCHAR
		WHERE key = 'generation' RETURNING value::BIGINT`).Scan(&generation)
	if err != nil {
		return fmt.Errorf("count generation: %w", err)
	}
	if s == "" {
		_, err = c.ExecContext(ctx, `UPDATE _exactduck.parts SET generation = ? WHERE table_name = ?`, generation, table)
	} else {
		_, err = c.ExecContext(ctx, `MERGE INTO _exactduck.parts p
			USING (SELECT ? AS table_name, ? AS scope, ?::BIGINT AS generation) n
			ON p.table_name = n.table_name AND p.scope = n.scope
			WHEN MATCHED THEN UPDATE SET generation = n.generation
			WHEN NOT MATCHED THEN INSERT (table_name, scope, generation) VALUES (n.table_name, n.scope, n.generation)`,
			table, string(s), generation)
	}
	if err != nil {
		return fmt.Errorf("count generation of %s: %w", table, err)
	}
	return nil
}
