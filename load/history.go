package load

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
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
	Effort
	Publish, Other time.Duration
}

// Effort is where the time of a run or of one of its reads went, and what came over the network. It is
// zero for those of versions that did not measure it.
type Effort struct {
	Wait, Read, Spool, Apply time.Duration // kept in milliseconds
	Bytes, Wire              int64         // of answers as they were read, and as they came, compressed
	Retries                  int64
}

// RunStream is what a run did with one stream in one scope.
type RunStream struct {
	Stream, Scope, Variant, Mode, Status     string
	Calls, Pages                             int64
	Read, Inserted, Updated, Deleted, Missed int64
	Error                                    string
	Started, Ended                           time.Time
	Effort
	Idle time.Duration // others had their turn
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

// effortColumns are what runs and their streams share; the columns of a time are numbers of milliseconds.
const effortColumns = "wait_ms, read_ms, spool_ms, apply_ms, bytes, wire_bytes, retries"

func (e Effort) values() []any {
	return []any{e.Wait.Milliseconds(), e.Read.Milliseconds(), e.Spool.Milliseconds(), e.Apply.Milliseconds(), e.Bytes, e.Wire, e.Retries}
}

// places are where the columns are scanned to.
func (e *Effort) places() []any {
	return []any{millis{&e.Wait}, millis{&e.Read}, millis{&e.Spool}, millis{&e.Apply}, orZero{&e.Bytes}, orZero{&e.Wire}, orZero{&e.Retries}}
}

// millis scans a number of milliseconds, or NULL as none.
type millis struct{ to *time.Duration }

func (m millis) Scan(v any) error {
	var n int64
	err := orZero{&n}.Scan(v)
	*m.to = time.Duration(n) * time.Millisecond
	return err
}

// orZero scans a number, or NULL as 0.
type orZero struct{ to *int64 }

func (z orZero) Scan(v any) error {
	var n sql.NullInt64
	err := n.Scan(v)
	*z.to = n.Int64
	return err
}

// marksFor are the question marks for so many values.
func marksFor(values []any) string {
	return strings.TrimSuffix(strings.Repeat("?, ", len(values)), ", ")
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
	values := []any{
		r.ID, r.Pipeline, orNull(r.Started), orNull(r.Ended), r.Status, r.ExitCode, r.Calls, r.Read, r.Inserted, r.Updated,
		r.Deleted, r.Message, r.Publish.Milliseconds(), r.Other.Milliseconds(),
	}
	values = append(values, r.values()...)
	_, err := c.ExecContext(ctx, "INSERT INTO _exactduck.runs ("+runColumns+", publish_ms, other_ms, "+effortColumns+
		") VALUES ("+marksFor(values)+")", values...)
	return err
}

// Amend corrects what is recorded of a run by how it ended after that, when it was published. What it
// did with each stream stays. A run that is not recorded stays so.
func (w *Warehouse) Amend(ctx context.Context, r Run) error {
	err := w.inTx(ctx, func(ctx context.Context, c *sql.Conn) error {
		done, err := c.ExecContext(ctx, "DELETE FROM _exactduck.runs WHERE run_id = ?", r.ID)
		if err != nil {
			return err
		}
		if n, err := done.RowsAffected(); err != nil || n == 0 {
			return err
		}
		return recordRun(ctx, c, r)
	})
	if err != nil {
		return fmt.Errorf("amend run %s: %w", r.ID, err)
	}
	return nil
}

const streamColumns = `stream, scope, variant, mode, status, calls, pages, rows_read, inserted, updated, deleted, missed,
	error, started_at, ended_at`

func recordStream(ctx context.Context, c *sql.Conn, run string, s RunStream) error {
	values := []any{
		run, s.Stream, s.Scope, s.Variant, s.Mode, s.Status, s.Calls, s.Pages, s.Read, s.Inserted, s.Updated, s.Deleted,
		s.Missed, s.Error, orNull(s.Started), orNull(s.Ended), s.Idle.Milliseconds(),
	}
	values = append(values, s.values()...)
	_, err := c.ExecContext(ctx, "INSERT INTO _exactduck.run_streams (run_id, "+streamColumns+", idle_ms, "+effortColumns+
		") VALUES ("+marksFor(values)+")", values...)
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

// LastRun returns the newest run of a pipeline, and whether there is one; "" is any pipeline. Runs that say
// that they began after now are left out: a clock was wrong.
func (w *Warehouse) LastRun(ctx context.Context, pipeline string) (Run, bool, error) {
	return lastRun(ctx, w.db, pipeline, w.clock().Add(Ahead))
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
	return lastRun(ctx, r.db, pipeline, time.Time{})
}

// RunStreams is what [Warehouse.RunStreams] is, as of the last publication.
func (r *Reader) RunStreams(ctx context.Context, run string) ([]RunStream, error) {
	return runStreams(ctx, r.db, run)
}

// lastRun is the newest that began before a time; zero: of all.
func lastRun(ctx context.Context, db *sql.DB, pipeline string, end time.Time) (Run, bool, error) {
	found, err := runsBefore(ctx, db, pipeline, end, 1)
	if err != nil || len(found) == 0 {
		return Run{}, false, err
	}
	return found[0], true, nil
}

// timed adds columns of the times to others; of a file from before them they are NULL.
func timed(ctx context.Context, db *sql.DB, columns, times string) (string, error) {
	format, err := formatOf(ctx, db)
	if err != nil {
		return "", err
	}
	if format < timedFormat {
		times = strings.TrimSuffix(strings.Repeat("NULL, ", strings.Count(times, ",")+1), ", ")
	}
	return columns + ", " + times, nil
}

func runs(ctx context.Context, db *sql.DB, pipeline string, limit int) ([]Run, error) {
	return runsBefore(ctx, db, pipeline, time.Time{}, limit)
}

// runsBefore are those that began before a time; zero: all.
func runsBefore(ctx context.Context, db *sql.DB, pipeline string, end time.Time, limit int) ([]Run, error) {
	columns, err := timed(ctx, db, runColumns, "publish_ms, other_ms, "+effortColumns)
	if err != nil {
		return nil, fmt.Errorf("read runs: %w", err)
	}
	rows, err := db.QueryContext(ctx, "SELECT "+columns+` FROM _exactduck.runs WHERE ? IN ('', pipeline)
		AND coalesce(started_at <= ?::TIMESTAMPTZ, true) ORDER BY started_at DESC, run_id DESC LIMIT ?`, pipeline, orNull(end), limit)
	if err != nil {
		return nil, fmt.Errorf("read runs: %w", err)
	}
	defer rows.Close()
	var all []Run
	for rows.Next() {
		var r Run
		var started, ended sql.NullTime
		err := rows.Scan(append([]any{
			&r.ID, &r.Pipeline, &started, &ended, &r.Status, &r.ExitCode, &r.Calls, &r.Read, &r.Inserted, &r.Updated,
			&r.Deleted, &r.Message,
			millis{&r.Publish},
			millis{&r.Other},
		}, r.places()...)...)
		if err != nil {
			return nil, fmt.Errorf("read runs: %w", err)
		}
		r.Started, r.Ended = started.Time, ended.Time
		all = append(all, r)
	}
	return all, rows.Err()
}

func runStreams(ctx context.Context, db *sql.DB, run string) ([]RunStream, error) {
	columns, err := timed(ctx, db, streamColumns, "idle_ms, "+effortColumns)
	if err != nil {
		return nil, fmt.Errorf("read run %s: %w", run, err)
	}
	rows, err := db.QueryContext(ctx, "SELECT "+columns+
		" FROM _exactduck.run_streams WHERE run_id = ? ORDER BY stream, scope", run)
	if err != nil {
		return nil, fmt.Errorf("read run %s: %w", run, err)
	}
	defer rows.Close()
	var all []RunStream
	for rows.Next() {
		var s RunStream
		var started, ended sql.NullTime
		err := rows.Scan(append([]any{
			&s.Stream, &s.Scope, &s.Variant, &s.Mode, &s.Status, &s.Calls, &s.Pages, &s.Read, &s.Inserted, &s.Updated,
			&s.Deleted, &s.Missed, &s.Error, &started, &ended,
			millis{&s.Idle},
		}, s.places()...)...)
		if err != nil {
			return nil, fmt.Errorf("read run %s: %w", run, err)
		}
		s.Started, s.Ended = started.Time, ended.Time
		all = append(all, s)
	}
	return all, rows.Err()
}
