package load

import (
	"context"
	"database/sql"
	"slices"
	"strings"
)

// querier is a *sql.DB or a *sql.Conn.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// together is how many rows one statement writes: a statement costs more than a row.
const together = 100

// replaceRows writes rows of one of our own tables in the place of those with the same key, which is
// made of the first columns.
func replaceRows(ctx context.Context, c *sql.Conn, table, columns string, key int, rows [][]any) error {
	for some := range slices.Chunk(rows, together) {
		var keys []string
		var keyValues []any
		for _, r := range some {
			keys = append(keys, "("+strings.Repeat(", ?", key)[2:]+")")
			keyValues = append(keyValues, r[:key]...)
		}
		names := strings.Join(strings.Split(columns, ",")[:key], ",")
		_, err := c.ExecContext(ctx, "DELETE FROM "+table+" WHERE ("+names+") IN ("+strings.Join(keys, ", ")+")", keyValues...)
		if err != nil {
			return err
		}
		if err := insertRows(ctx, c, table, columns, some); err != nil {
			return err
		}
	}
	return nil
}

// insertRows writes rows of one of our own tables.
func insertRows(ctx context.Context, c *sql.Conn, table, columns string, rows [][]any) error {
	for some := range slices.Chunk(rows, together) {
		var places []string
		var values []any
		for _, r := range some {
			places = append(places, "("+strings.Repeat(", ?", len(r))[2:]+")")
			values = append(values, r...)
		}
		_, err := c.ExecContext(ctx, "INSERT INTO "+table+" ("+columns+") VALUES "+strings.Join(places, ", "), values...)
		if err != nil {
			return err
		}
	}
	return nil
}
