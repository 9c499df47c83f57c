package load

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"exactduck/schema"
)

// State is what a warehouse knows about its rows and not from them: where reads ended, what was
// learnt of endpoints, which divisions there were, what was agreed, and what was forgotten. It is made by [Warehouse.ExportState].
type State struct {
	Mark   string `json:"mark"`
	Format int    `json:"format"` // of the warehouse; another one means other things
	Prefix string `json:"prefix"` // of the connection's schemas
	// ExportedAt is for people.
	ExportedAt  time.Time            `json:"exported_at"`
	Cursors     []Cursor             `json:"cursors"`
	Discoveries map[string]Discovery `json:"discoveries,omitempty"` // by variant
	Divisions   []Division           `json:"divisions,omitempty"`
	Contracts   map[string]Agreement `json:"contracts,omitempty"` // by stream
	Forgotten   []Mark               `json:"forgotten,omitempty"`
}

// Untrue is a state that does not describe the warehouse into which it was to be brought. Nothing of
// it was.
type Untrue struct {
	Stream string       // "": the whole
	Scope  schema.Scope // "": all of the stream
	Reason string
}

func (u *Untrue) Error() string {
	where := "the state"
	if u.Stream != "" {
		where = u.Stream + " (" + string(u.Scope) + ")"
	}
	return where + " does not fit this warehouse: " + u.Reason
}

// ResetCursor makes the next run read a stream of a scope from its beginning. The rows stay until
// then. It fails when the stream was never read there.
func (w *Warehouse) ResetCursor(ctx context.Context, stream string, s schema.Scope) error {
	err := w.inTx(ctx, func(ctx context.Context, c *sql.Conn) error {
		r, err := c.ExecContext(ctx, `UPDATE _exactduck.cursors SET complete = false, position = ''
			WHERE prefix = ? AND stream = ? AND scope = ?`, w.prefix, stream, string(s))
		if err != nil {
			return err
		}
		if n, err := r.RowsAffected(); err != nil || n > 0 {
			return err
		}
		return errors.New("the stream was never read there")
	})
	if err != nil {
		return fmt.Errorf("reset %s (%s): %w", stream, s, err)
	}
	return nil
}

// RestoreCursor puts a cursor back as it was before [Warehouse.ResetCursor]: the rows are those that were
// there then.
func (w *Warehouse) RestoreCursor(ctx context.Context, before Cursor) error {
	err := w.inTx(ctx, func(ctx context.Context, c *sql.Conn) error { return w.putCursors(ctx, c, before) })
	if err != nil {
		return fmt.Errorf("restore the cursor of %s (%s): %w", before.Stream, before.Scope, err)
	}
	return nil
}

// ExportState returns what this connection knows, with the number of rows that there are now.
func (w *Warehouse) ExportState(ctx context.Context) (s State, err error) {
	s = State{Mark: mark, Format: len(migrations), Prefix: w.prefix, ExportedAt: w.clock().UTC().Truncate(time.Second)}
	if s.Cursors, err = w.Cursors(ctx); err != nil {
		return s, err
	}
	if s.Discoveries, err = discoveries(ctx, w.db, "prefix = ?", w.prefix); err != nil {
		return s, err
	}
	if s.Divisions, err = w.Divisions(ctx); err != nil {
		return s, err
	}
	if agreed, err := w.Agreements(ctx); err != nil {
		return s, err
	} else if len(agreed) > 0 {
		s.Contracts = agreed
	}
	if s.Forgotten, err = w.Marks(ctx); err != nil {
		return s, err
	}
	counted, err := countRows(ctx, w.db, s.Cursors)
	for i, n := range counted {
		s.Cursors[i].Rows = n
	}
	return s, err
}

// ImportState takes over a state that was exported, in the place of what is known of the same streams,
// variants and divisions; of others nothing changes. What was forgotten there is erased here too, by the
// hash that named the rows, and what files still hold of it is to be purged: see [Warehouse.Purge]; what
// was forgotten here stays so. It refuses with *[Untrue], and then takes nothing, a state of another kind
// or format, one that says a thing twice, and one with a cursor whose table is not here, does not hold the
// exported number of rows in the scope, or was asked for otherwise.
func (w *Warehouse) ImportState(ctx context.Context, s State, hash func(stream string, key ...string) string) error {
	if err := s.check(w.prefix); err != nil {
		return fmt.Errorf("import state: %w", err)
	}
	err := w.inTx(ctx, func(ctx context.Context, c *sql.Conn) error {
		gone := Forgotten{Tables: map[string]int64{}}
		t := takeover{oblivion{&application{Warehouse: w, c: c}, &gone}, hash}
		s, err := t.forget(ctx, s)
		if err != nil {
			return err
		}
		if err := t.agrees(ctx, s); err != nil {
			return err
		}
		if err := t.counts(ctx, s); err != nil {
			return err
		}
		return t.put(ctx, s)
	})
	if err != nil {
		return fmt.Errorf("import state: %w", err)
	}
	return nil
}

// check finds what is wrong with a state by itself.
func (s State) check(prefix string) error {
	switch {
	case s.Mark != mark:
		return &Untrue{Reason: "it is none that exactduck has exported"}
	case s.Format != len(migrations):
		return &Untrue{Reason: "it is of format " + strconv.Itoa(s.Format) + ", and the warehouse of format " + strconv.Itoa(len(migrations))}
	case s.Prefix != prefix:
		return &Untrue{Reason: fmt.Sprintf("it is of a connection with the schema prefix %q, and this one has %q", s.Prefix, prefix)}
	}
	seen := map[streamScope]bool{}
	for _, c := range s.Cursors {
		at := streamScope{c.Stream, c.Scope}
		if c.Stream == "" || c.Scope == "" || c.Table == "" || c.Rows < 0 || seen[at] {
			return &Untrue{c.Stream, c.Scope, "its cursor is not whole, or there are two"}
		}
		seen[at] = true
	}
	met := map[schema.Scope]bool{}
	for _, d := range s.Divisions {
		if d.Scope == "" || met[d.Scope] || d.FirstSeen.IsZero() || d.LastSeen.Before(d.FirstSeen) {
			return &Untrue{Reason: fmt.Sprintf("what it says of division %q cannot be", d.Scope)}
		}
		met[d.Scope] = true
	}
	return nil
}

// countRows counts the rows that are not marked as deleted, in the table and scope of each cursor.
func countRows(ctx context.Context, q querier, all []Cursor) ([]int64, error) {
	counted := make([]int64, len(all))
	tables := map[string]map[schema.Scope]int64{}
	for i, c := range all {
		if tables[c.Table] == nil {
			rows, err := countScopes(ctx, q, c)
			if err != nil {
				return nil, err
			}
			tables[c.Table] = rows
		}
		counted[i] = tables[c.Table][c.Scope]
	}
	return counted, nil
}

func countScopes(ctx context.Context, q querier, c Cursor) (map[schema.Scope]int64, error) {
	service, name, _ := strings.Cut(c.Table, ".")
	stored, err := storedColumns(ctx, q, service, name)
	if err != nil {
		return nil, err
	}
	if _, marked := find(stored, deletedAt); !marked {
		return nil, &Untrue{c.Stream, c.Scope, "there is no table " + c.Table}
	}
	rows, err := q.QueryContext(ctx, fmt.Sprintf("SELECT %s::VARCHAR, count(*) FROM %s.%s WHERE %s IS NULL GROUP BY ALL",
		identifier(stored[0].name), identifier(service), identifier(name), deletedAt))
	if err != nil {
		return nil, fmt.Errorf("count rows of %s: %w", c.Table, err)
	}
	defer rows.Close()
	counted := map[schema.Scope]int64{}
	for rows.Next() {
		var scope schema.Scope
		var n int64
		if err := rows.Scan(&scope, &n); err != nil {
			return nil, fmt.Errorf("count rows of %s: %w", c.Table, err)
		}
		counted[scope] = n
	}
	return counted, rows.Err()
}
