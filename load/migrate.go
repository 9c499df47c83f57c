package load

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"

	"github.com/google/uuid"
)

// mark is what tells a file of ours from anybody else's.
const mark = "exactduck"

// migrations bring a file from one format to the next; the format of a file is how many of them it
// has seen. One that was ever released is never changed. One that readers are to see counts as a
// change of the data: the file is published again.
var migrations = []string{`
CREATE SCHEMA IF NOT EXISTS _exactduck;
CREATE TABLE _exactduck.meta (key VARCHAR NOT NULL, value VARCHAR NOT NULL);
INSERT INTO _exactduck.meta VALUES ('mark', '` + mark + `'), ('format', '1'), ('generation', '0'), ('commits', '0');
CREATE TABLE _exactduck.tables (
	service VARCHAR NOT NULL, name VARCHAR NOT NULL, scope_column VARCHAR NOT NULL, key VARCHAR[],
	version VARCHAR, entity INTEGER);
CREATE TABLE _exactduck.parts (table_name VARCHAR NOT NULL, scope VARCHAR NOT NULL, generation BIGINT NOT NULL);
CREATE TABLE _exactduck.cursors (
	prefix VARCHAR NOT NULL DEFAULT '', stream VARCHAR NOT NULL, scope VARCHAR NOT NULL, table_name VARCHAR NOT NULL,
	variant VARCHAR NOT NULL, fingerprint VARCHAR NOT NULL, epoch VARCHAR NOT NULL, position VARCHAR NOT NULL,
	complete BOOLEAN NOT NULL, history_from VARCHAR NOT NULL DEFAULT '', read_at TIMESTAMPTZ, swept_at TIMESTAMPTZ,
	spool VARCHAR NOT NULL DEFAULT '', sweep_spool VARCHAR NOT NULL DEFAULT '',
	rows BIGINT NOT NULL DEFAULT 0, run_id VARCHAR NOT NULL DEFAULT '');
CREATE TABLE _exactduck.discoveries (
	prefix VARCHAR NOT NULL, variant VARCHAR NOT NULL, looked_at TIMESTAMPTZ NOT NULL, properties VARCHAR[] NOT NULL);
CREATE TABLE _exactduck.schema_changes (
	changed_at TIMESTAMPTZ NOT NULL, run_id VARCHAR, table_name VARCHAR NOT NULL, column_name VARCHAR, change VARCHAR NOT NULL,
	detail VARCHAR);
CREATE TABLE _exactduck.runs (
	run_id VARCHAR NOT NULL, pipeline VARCHAR, started_at TIMESTAMPTZ, ended_at TIMESTAMPTZ, status VARCHAR,
	exit_code INTEGER, calls BIGINT, rows_read BIGINT, inserted BIGINT, updated BIGINT, deleted BIGINT, message VARCHAR);
CREATE TABLE _exactduck.run_streams (
	run_id VARCHAR NOT NULL, stream VARCHAR NOT NULL, scope VARCHAR, variant VARCHAR, mode VARCHAR, status VARCHAR,
	calls BIGINT, pages BIGINT, rows_read BIGINT, inserted BIGINT, updated BIGINT, deleted BIGINT, missed BIGINT,
	error VARCHAR, started_at TIMESTAMPTZ, ended_at TIMESTAMPTZ);
CREATE TABLE _exactduck.calls (
	run_id VARCHAR NOT NULL, scope VARCHAR, endpoint VARCHAR, calls BIGINT, errors BIGINT);
CREATE TABLE _exactduck.checks (
	run_id VARCHAR, checked_at TIMESTAMPTZ NOT NULL, table_name VARCHAR NOT NULL, scope VARCHAR, kind VARCHAR NOT NULL,
	result VARCHAR NOT NULL, detail VARCHAR);
`, `
CREATE TABLE _exactduck.divisions (
	prefix VARCHAR NOT NULL, scope VARCHAR NOT NULL, code VARCHAR NOT NULL, name VARCHAR NOT NULL, epoch VARCHAR NOT NULL,
	active BOOLEAN NOT NULL, first_seen TIMESTAMPTZ NOT NULL, last_seen TIMESTAMPTZ NOT NULL, gone_since TIMESTAMPTZ,
	run_id VARCHAR NOT NULL);
ALTER TABLE _exactduck.tables ADD COLUMN header VARCHAR;
ALTER TABLE _exactduck.tables ADD COLUMN header_key VARCHAR;
ALTER TABLE _exactduck.tables ADD COLUMN header_entity INTEGER;
ALTER TABLE _exactduck.tables ADD COLUMN follow BOOLEAN;
ALTER TABLE _exactduck.discoveries ADD COLUMN refused VARCHAR[];
ALTER TABLE _exactduck.discoveries ADD COLUMN filtered BOOLEAN;
UPDATE _exactduck.meta SET value = (value::BIGINT + 1)::VARCHAR WHERE key = 'generation';
`, `
ALTER TABLE _exactduck.checks ADD COLUMN prefix VARCHAR;
ALTER TABLE _exactduck.checks ADD COLUMN stream VARCHAR;
ALTER TABLE _exactduck.checks ADD COLUMN rows_here BIGINT;
ALTER TABLE _exactduck.checks ADD COLUMN rows_there BIGINT;
ALTER TABLE _exactduck.checks ADD COLUMN advice VARCHAR;
`, `
CREATE TABLE _exactduck.contracts (
	prefix VARCHAR NOT NULL, stream VARCHAR NOT NULL, shape VARCHAR NOT NULL, accepted_at TIMESTAMPTZ NOT NULL,
	broken VARCHAR, broken_at TIMESTAMPTZ);
`, `
CREATE TABLE _exactduck.forgotten (
	prefix VARCHAR NOT NULL, scope VARCHAR NOT NULL, stream VARCHAR NOT NULL, key_hash VARCHAR NOT NULL,
	forgotten_at TIMESTAMPTZ NOT NULL);
`, `
ALTER TABLE _exactduck.runs ADD COLUMN wait_ms BIGINT;
ALTER TABLE _exactduck.runs ADD COLUMN read_ms BIGINT;
ALTER TABLE _exactduck.runs ADD COLUMN spool_ms BIGINT;
ALTER TABLE _exactduck.runs ADD COLUMN apply_ms BIGINT;
ALTER TABLE _exactduck.runs ADD COLUMN publish_ms BIGINT;
ALTER TABLE _exactduck.runs ADD COLUMN other_ms BIGINT;
ALTER TABLE _exactduck.runs ADD COLUMN bytes BIGINT;
ALTER TABLE _exactduck.runs ADD COLUMN wire_bytes BIGINT;
ALTER TABLE _exactduck.runs ADD COLUMN retries BIGINT;
ALTER TABLE _exactduck.run_streams ADD COLUMN wait_ms BIGINT;
ALTER TABLE _exactduck.run_streams ADD COLUMN read_ms BIGINT;
ALTER TABLE _exactduck.run_streams ADD COLUMN spool_ms BIGINT;
ALTER TABLE _exactduck.run_streams ADD COLUMN apply_ms BIGINT;
ALTER TABLE _exactduck.run_streams ADD COLUMN idle_ms BIGINT;
ALTER TABLE _exactduck.run_streams ADD COLUMN bytes BIGINT;
ALTER TABLE _exactduck.run_streams ADD COLUMN wire_bytes BIGINT;
ALTER TABLE _exactduck.run_streams ADD COLUMN retries BIGINT;
`, `
ALTER TABLE _exactduck.divisions ADD COLUMN currency VARCHAR;
`, `
ALTER TABLE _exactduck.divisions ADD COLUMN source VARCHAR;
UPDATE _exactduck.divisions SET source = '` + onlySource + `';
UPDATE _exactduck.meta SET value = (value::BIGINT + 1)::VARCHAR WHERE key = 'generation';
`}

// timedFormat is the first format in which runs say where their time went.
const timedFormat = 6

// Format is the format of warehouses that this program writes; it opens them and all before.
func Format() int { return len(migrations) }

// migrate brings the working database to the format of this program.
func (w *Warehouse) migrate(ctx context.Context) error {
	format, err := formatOf(ctx, w.db)
	if err != nil {
		return fmt.Errorf("read the format of the warehouse: %w", fileError(w.path, err))
	}
	if format > len(migrations) {
		return &Newer{Path: w.path, Format: format, Known: len(migrations)}
	}
	if format > 0 && format < len(migrations) {
		if err := w.keepOlder(ctx, format); err != nil {
			return fmt.Errorf("keep the warehouse as it is before it is brought to format %d: %w", len(migrations), fileError(w.path, err))
		}
	}
	for ; format < len(migrations); format++ {
		err := w.inTx(ctx, func(ctx context.Context, c *sql.Conn) error { return w.migration(ctx, c, format) })
		if err != nil {
			return fmt.Errorf("bring the warehouse to format %d: %w", format+1, err)
		}
	}
	return nil
}

// migration runs migrations[from].
func (w *Warehouse) migration(ctx context.Context, c *sql.Conn, from int) error {
	if _, err := c.ExecContext(ctx, migrations[from]); err != nil {
		return err
	}
	if from > 0 {
		return setMeta(ctx, c, "format", strconv.Itoa(from+1))
	}
	for _, key := range []string{"warehouse", "history"} {
		if err := setMeta(ctx, c, key, uuid.NewString()); err != nil {
			return err
		}
	}
	return setMeta(ctx, c, "created_at", w.clock().UTC().Format("2006-01-02T15:04:05Z"))
}

// formatOf is the format of an open database; 0 when it has none yet.
func formatOf(ctx context.Context, db *sql.DB) (int, error) {
	var known bool
	err := db.QueryRowContext(ctx, `SELECT count(*) > 0 FROM duckdb_tables()
		WHERE database_name = current_database() AND schema_name = '_exactduck' AND table_name = 'meta'`).Scan(&known)
	if err != nil || !known {
		return 0, err
	}
	value, err := meta(ctx, db, "format")
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(value)
}

// rowQuerier is a *sql.DB or a *sql.Conn.
type rowQuerier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// meta reads a value of _exactduck.meta; "" when there is none.
func meta(ctx context.Context, q rowQuerier, key string) (value string, err error) {
	err = q.QueryRowContext(ctx, "SELECT value FROM _exactduck.meta WHERE key = ?", key).Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return value, err
}

// setMeta writes a value of _exactduck.meta in the transaction of c.
func setMeta(ctx context.Context, c *sql.Conn, key, value string) error {
	_, err := c.ExecContext(ctx, `MERGE INTO _exactduck.meta m USING (SELECT ? AS key, ? AS value) n ON m.key = n.key
		WHEN MATCHED THEN UPDATE SET value = n.value WHEN NOT MATCHED THEN INSERT (key, value) VALUES (n.key, n.value)`,
		key, value)
	return err
}
