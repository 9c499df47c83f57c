package load

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// Run is one pass over one pipeline, as history keeps it.
type Run struct {
	ID, Pipeline   string
	Started, Ended time.Time // Ended is zero while the run is on
	Status         string
	ExitCode       int
	Calls          int64
	Read           int64 // rows that the source sent
	Inserted       int64
	Updated        int64
	Deleted        int64
	Message        string // what ended it, when it did not end well
}

// RunStream is what a run did with one stream in one scope.
type RunStream struct {
	Stream, Scope, Variant, Mode, Status     string
	Calls, Pages                             int64
	Read, Inserted, Updated, Deleted, Missed int64
	Error                                    string
	Started, Ended                           time.Time
}

// Calls counts the requests of a run to one endpoint in one scope.
type Calls struct {
	Scope, Endpoint string
	Calls, Errors   int64
}

// Change is one change of the shape of a table, or a property that has no column.
type Change struct {
	At                          time.Time
	Run                         string // that met it
	Table, Column, Kind, Detail string
}

// Record writes what is known of a run, in the place of what was recorded of it before; so it may
// be called again with more. Changes are only ever added to, each once.
func (w *Warehouse) Record(ctx context.Context, r Run, streams []RunStream, calls []Calls, changes []Change) error {
	err := w.inTx(ctx, func(ctx context.Context, c *sql.Conn) error {
		for _, table := range []string{"runs", "run_streams", "calls"} {
			if _, err := c.ExecContext(ctx, "DELETE FROM _exactduck."+table+" WHERE run_id = ?", r.ID); err != nil {
				return err
			}
		}
		if err := recordRun(ctx, c, r); err != nil {
			return err
		}
		for _, s := range streams {
			if err := recordStream(ctx, c, r.ID, s); err != nil {
				return err
			}
		}
		for _, n := range calls {
			_, err := c.ExecContext(ctx, `INSERT INTO _exactduck.calls (run_id, scope, endpoint, calls, errors)
				VALUES (?, ?, ?, ?, ?)`, r.ID, n.Scope, n.Endpoint, n.Calls, n.Errors)
			if err != nil {
				return err
			}
		}
		return recordChanges(ctx, c, r.ID, changes)
	})
	if err != nil {
		return fmt.Errorf("record run %s: %w", r.ID, err)
	}
	return nil
}

const runColumns = `run_id, pipeline, started_at, ended_at, status, exit_code, calls, rows_read, inserted, updated,
	deleted, message`

func recordRun(ctx context.Context, c *sql.Conn, r Run) error {
	_, err := c.ExecContext(ctx, "INSERT INTO _exactduck.runs ("+runColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		r.ID, r.Pipeline, orNull(r.Started), orNull(r.Ended), r.Status, r.ExitCode, r.Calls, r.Read, r.Inserted, r.Updated,
		r.Deleted, r.Message)
	return err
}

const streamColumns = `stream, scope, variant, mode, status, calls, pages, rows_read, inserted, updated, deleted, missed,
	error, started_at, ended_at`

func recordStream(ctx context.Context, c *sql.Conn, run string, s RunStream) error {
	_, err := c.ExecContext(ctx, "INSERT INTO _exactduck.run_streams (run_id, "+streamColumns+
		") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", run, s.Stream, s.Scope, s.Variant, s.Mode, s.Status,
		s.Calls, s.Pages, s.Read, s.Inserted, s.Updated, s.Deleted, s.Missed, s.Error, orNull(s.Started), orNull(s.Ended))
	return err
}

// recordChanges adds what is not there yet: the transaction that changes a table writes its changes
// too, and a run may be recorded twice.
func recordChanges(ctx context.Context, c *sql.Conn, run string, changes []Change) error {
	for _, n := range changes {
		_, err := c.ExecContext(ctx, `INSERT INTO _exactduck.schema_changes
				(changed_at, run_id, table_name, column_name, change, detail)
			SELECT ?, ?, ?, ?, ?, ? WHERE NOT EXISTS (FROM _exactduck.schema_changes
				WHERE run_id = ? AND table_name = ? AND column_name = ? AND change = ? AND detail = ?)`,
			orNull(n.At), run, n.Table, n.Column, n.Kind, n.Detail, run, n.Table, n.Column, n.Kind, n.Detail)
		if err != nil {
			return err
		}
	}
	return nil
}

// Runs returns the last runs that were recorded, the newest first, at most limit.
func (w *Warehouse) Runs(ctx context.Context, limit int) ([]Run, error) {
	return runs(ctx, w.db, "", limit)
}

// LastRun returns the newest run of a pipeline, and whether there is one; "" is any pipeline.
func (w *Warehouse) LastRun(ctx context.Context, pipeline string) (Run, bool, error) {
	return lastRun(ctx, w.db, pipeline)
}

// RunStreams returns what a run did, by stream and scope.
func (w *Warehouse) RunStreams(ctx context.Context, run string) ([]RunStream, error) {
	return runStreams(ctx, w.db, run)
}

// Runs is what [Warehouse.Runs] is, as of the last publication.
func (r *Reader) Runs(ctx context.Context, limit int) ([]Run, error) {
	return runs(ctx, r.db, "", limit)
}

// LastRun is what [Warehouse.LastRun] is, as of the last publication.
func (r *Reader) LastRun(ctx context.Context, pipeline string) (Run, bool, error) {
	return lastRun(ctx, r.db, pipeline)
}

// RunStreams is what [Warehouse.RunStreams] is, as of the last publication.
func (r *Reader) RunStreams(ctx context.Context, run string) ([]RunStream, error) {
	return runStreams(ctx, r.db, run)
}

func lastRun(ctx context.Context, db *sql.DB, pipeline string) (Run, bool, error) {
	found, err := runs(ctx, db, pipeline, 1)
	if err != nil || len(found) == 0 {
		return Run{}, false, err
	}
	return found[0], true, nil
}

func runs(ctx context.Context, db *sql.DB, pipeline string, limit int) ([]Run, error) {
	rows, err := db.QueryContext(ctx, "SELECT "+runColumns+` FROM _exactduck.runs WHERE ? IN ('', pipeline)
		ORDER BY started_at DESC, run_id DESC LIMIT ?`, pipeline, limit)
	if err != nil {
		return nil, fmt.Errorf("read runs: %w", err)
	}
	defer rows.Close()
	var all []Run
	for rows.Next() {
		var r Run
		var started, ended sql.NullTime
		err := rows.Scan(&r.ID, &r.Pipeline, &started, &ended, &r.Status, &r.ExitCode, &r.Calls, &r.Read, &r.Inserted,
			&r.Updated, &r.Deleted, &r.Message)
		if err != nil {
			return nil, fmt.Errorf("read runs: %w", err)
		}
		r.Started, r.Ended = started.Time, ended.Time
		all = append(all, r)
	}
	return all, rows.Err()
}

func runStreams(ctx context.Context, db *sql.DB, run string) ([]RunStream, error) {
	rows, err := db.QueryContext(ctx, "SELECT "+streamColumns+
		" FROM _exactduck.run_streams WHERE run_id = ? ORDER BY stream, scope", run)
	if err != nil {
		return nil, fmt.Errorf("read run %s: %w", run, err)
	}
	defer rows.Close()
	var all []RunStream
	for rows.Next() {
		var s RunStream
		var started, ended sql.NullTime
		err := rows.Scan(&s.Stream, &s.Scope, &s.Variant, &s.Mode, &s.Status, &s.Calls, &s.Pages, &s.Read, &s.Inserted,
			&s.Updated, &s.Deleted, &s.Missed, &s.Error, &started, &ended)
		if err != nil {
			return nil, fmt.Errorf("read run %s: %w", run, err)
		}
		s.Started, s.Ended = started.Time, ended.Time
		all = append(all, s)
	}
	return all, rows.Err()
}
