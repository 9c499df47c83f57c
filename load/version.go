package load

import (
	"context"
	"database/sql"
	"fmt"
)

// EngineVersion is the version of the DuckDB in this program, "v1.5.5".
func EngineVersion(ctx context.Context) (version string, err error) {
	db, err := sql.Open("duckdb", "")
	if err != nil {
		return "", fmt.Errorf("ask DuckDB for its version: %w", err)
	}
	defer db.Close()
	if err := db.QueryRowContext(ctx, "SELECT version()").Scan(&version); err != nil {
		return "", fmt.Errorf("ask DuckDB for its version: %w", err)
	}
	return version, nil
}
