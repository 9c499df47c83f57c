package load

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"exactduck/schema"
)

// Division is a scope that the login of this connection can reach, or could.
type Division struct {
	// Source is [Options.Source] of the warehouse that met it.
	Source string       `json:"source,omitempty"`
	Scope  schema.Scope `json:"scope"`
	Code   string       `json:"code"` // as people type it
	Name   string       `json:"name"`
	Epoch  string       `json:"epoch"`
	// Currency is that of its books; "": unknown.
	Currency string `json:"currency,omitempty"`
	// Active is false for one that the vendor has archived or blocked.
	Active    bool      `json:"active"`
	FirstSeen time.Time `json:"first_seen"`
	LastSeen  time.Time `json:"last_seen"`
	// GoneSince is when it was first not seen any more; zero: it was seen the last time.
	GoneSince time.Time `json:"gone_since,omitzero"`
}

const divisionColumns = "scope, code, name, epoch, active, first_seen, last_seen, gone_since"

// currencyFormat is the first format in which divisions have a currency.
const currencyFormat = 7

// sourceFormat is the first format in which divisions say of which kind of source they are; those of
// before are all of onlySource.
const (
	sourceFormat = 8
	onlySource   = "exact-online"
)

// Divisions returns all divisions that were ever met by this connection, by scope.
func (w *Warehouse) Divisions(ctx context.Context) ([]Division, error) {
	return w.divisions(ctx, w.db)
}

func (w *Warehouse) divisions(ctx context.Context, q querier) ([]Division, error) {
	return divisionsOf(ctx, q, Format(), "prefix = ? AND source = ?", w.prefix, w.source)
}

// Divisions returns the divisions of all connections, as of the last publication.
func (r *Reader) Divisions(ctx context.Context) ([]Division, error) {
	format, err := formatOf(ctx, r.db)
	if err != nil || format < 2 { // published by an earlier version
		return nil, wrap("read divisions", err)
	}
	return divisionsOf(ctx, r.db, format, "true")
}

// divisionsOf reads the divisions of a file of some format.
func divisionsOf(ctx context.Context, q querier, format int, where string, args ...any) ([]Division, error) {
	currency := "coalesce(currency, '')"
	if format < currencyFormat {
		currency = "''"
	}
	source := "source"
	if format < sourceFormat {
		source = literal(onlySource)
	}
	rows, err := q.QueryContext(ctx, "SELECT "+divisionColumns+", "+currency+", "+source+" FROM _exactduck.divisions WHERE "+where+
		" ORDER BY prefix, try_cast(scope AS BIGINT), scope", args...)
	if err != nil {
		return nil, fmt.Errorf("read divisions: %w", err)
	}
	defer rows.Close()
	var all []Division
	for rows.Next() {
		var d Division
		var gone sql.NullTime
		err := rows.Scan(&d.Scope, &d.Code, &d.Name, &d.Epoch, &d.Active, &d.FirstSeen, &d.LastSeen, &gone, &d.Currency, &d.Source)
		if err != nil {
			return nil, fmt.Errorf("read divisions: %w", err)
		}
		d.FirstSeen, d.LastSeen, d.GoneSince = d.FirstSeen.UTC(), d.LastSeen.UTC(), gone.Time
		all = append(all, d)
	}
	return all, rows.Err()
}

// MeetDivisions notes which divisions can be reached now, whatever of them a run reads; the times in
// now are not looked at. It returns those that were never met before and those that were there the
// last time and are not now. At the first meeting ever nothing is new. A division that is gone is
// kept, with the time since when, and is not new when it comes back.
func (w *Warehouse) MeetDivisions(ctx context.Context, run string, now []Division) (newcomers, gone []Division, err error) {
	at := w.clock().UTC().Truncate(time.Microsecond)
	err = w.inTx(ctx, func(ctx context.Context, c *sql.Conn) error {
		before, err := w.divisions(ctx, c)
		if err != nil {
			return err
		}
		m := meet(before, w.asOurs(now), at)
		newcomers, gone = m.newcomers, m.gone
		if len(before) == 0 {
			newcomers = nil
		}
		if err := w.nameless(ctx, c, &m, before); err != nil {
			return err
		}
		if m.changed {
			if _, err := nextGeneration(ctx, c); err != nil {
				return err
			}
		}
		return w.putDivisions(ctx, c, run, m.all)
	})
	if err != nil {
		return nil, nil, fmt.Errorf("note which divisions there are: %w", err)
	}
	return newcomers, gone, nil
}

// asOurs are divisions as those of this warehouse's source.
func (w *Warehouse) asOurs(all []Division) []Division {
	all = slices.Clone(all)
	for i := range all {
		all[i].Source = w.source
	}
	return all
}

// meeting is what became of the divisions that were known, and of those that are there now.
type meeting struct {
	all, newcomers, gone []Division
	changed              bool // more than when they were last seen
}

func meet(before, now []Division, at time.Time) (m meeting) {
	known, there := map[schema.Scope]Division{}, map[schema.Scope]bool{}
	for _, d := range before {
		known[d.Scope] = d
	}
	for _, d := range now {
		if there[d.Scope] {
			continue
		}
		there[d.Scope] = true
		old, met := known[d.Scope]
		d.FirstSeen, d.LastSeen, d.GoneSince = at, at, time.Time{}
		if met {
			d.FirstSeen = old.FirstSeen
		} else {
			m.newcomers = append(m.newcomers, d)
		}
		old.LastSeen = at
		m.changed = m.changed || old != d
		m.all = append(m.all, d)
	}
	for _, d := range before {
		if there[d.Scope] {
			continue
		}
		if d.GoneSince.IsZero() {
			d.GoneSince = at
			m.gone = append(m.gone, d)
			m.changed = true
		}
		m.all = append(m.all, d)
	}
	return m
}

// nameless keeps the names of divisions out that are forgotten.
func (w *Warehouse) nameless(ctx context.Context, c *sql.Conn, m *meeting, before []Division) error {
	all, err := marks(ctx, c, w.prefix)
	if err != nil || len(all) == 0 {
		return err
	}
	for _, f := range all {
		i := slices.IndexFunc(m.all, func(d Division) bool { return f.Stream == "" && d.Scope == f.Scope })
		if i >= 0 {
			m.all[i].Name = ""
		}
	}
	was := slices.Clone(before) // what differs in nothing but the time is no change
	for i := range was {
		was[i].LastSeen = time.Time{}
	}
	m.changed = len(was) != len(m.all) || slices.ContainsFunc(m.all, func(d Division) bool {
		d.LastSeen = time.Time{}
		return !slices.Contains(was, d)
	})
	return nil
}

// putDivisions writes divisions, in the place of what was known of the same scopes.
func (w *Warehouse) putDivisions(ctx context.Context, c *sql.Conn, run string, all []Division) error {
	var rows [][]any
	for _, d := range all {
		rows = append(rows, []any{w.prefix, w.source, string(d.Scope), d.Code, d.Name, d.Epoch, d.Active, orNull(d.FirstSeen), orNull(d.LastSeen), orNull(d.GoneSince), run, d.Currency})
	}
	return replaceRows(ctx, c, "_exactduck.divisions", "prefix, source, "+divisionColumns+", run_id, currency", 3, rows)
}
