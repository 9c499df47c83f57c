package load

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/duckdb/duckdb-go/v2"

	"exactduck/schema"
)

// Discovery is what is known of a variant that the catalogue does not say.
type Discovery struct {
	At time.Time `json:"at"` // of the last search for properties that the table does not have; zero: nobody has looked yet
	// Properties are those that the search found.
	Properties []string `json:"properties,omitempty"`
	// Refused are the columns that the endpoint refused to give, and ways of asking that it refused,
	// which begin with $.
	Refused []string `json:"refused,omitempty"`
	// Filtered says that the endpoint answers only to who asks with a filter.
	Filtered bool `json:"filtered,omitempty"`
}

const discoveryColumns = "variant, looked_at, properties, refused, filtered"

// Discovery returns what is known of a variant.
func (w *Warehouse) Discovery(ctx context.Context, variant string) (Discovery, error) {
	found, err := discoveries(ctx, w.db, "prefix = ? AND variant = ?", w.prefix, variant)
	return found[variant], err
}

func discoveries(ctx context.Context, q querier, where string, args ...any) (map[string]Discovery, error) {
	rows, err := q.QueryContext(ctx, `SELECT variant, looked_at, properties, coalesce(refused, []), coalesce(filtered, false)
		FROM _exactduck.discoveries WHERE `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("read discoveries: %w", err)
	}
	defer rows.Close()
	all := map[string]Discovery{}
	for rows.Next() {
		var variant string
		var d Discovery
		var properties, refused duckdb.Composite[[]string]
		if err := rows.Scan(&variant, &d.At, &properties, &refused, &d.Filtered); err != nil {
			return nil, fmt.Errorf("read discoveries: %w", err)
		}
		d.Properties, d.Refused = some(properties.Get()), some(refused.Get())
		if d.At = d.At.UTC(); d.At.Equal(never) {
			d.At = time.Time{}
		}
		all[variant] = d
	}
	return all, rows.Err()
}

// never stands for the zero time where there has to be one.
var never = time.Unix(0, 0).UTC()

// some is a list, and nil when it is empty.
func some(list []string) []string {
	if len(list) == 0 {
		return nil
	}
	return list
}

// Discover notes what is known of a variant now, in the place of what was known. It reports, among
// the changes of shape, each property that no search before has found, and each column that is
// refused now and was not, or was and is not. So a column belongs in d.Refused until it has been
// asked for again and came: who only intends to ask again leaves it in.
func (w *Warehouse) Discover(ctx context.Context, run, variant string, t *schema.Table, d Discovery) error {
	err := w.inTx(ctx, func(ctx context.Context, c *sql.Conn) error {
		before, err := discoveries(ctx, c, "prefix = ? AND variant = ?", w.prefix, variant)
		if err != nil {
			return err
		}
		if err := w.putDiscovery(ctx, c, variant, d); err != nil {
			return err
		}
		table := w.prefix + t.FullName()
		if err := recordNews(ctx, c, run, found(table, d)); err != nil {
			return err
		}
		at := d.At
		if at.IsZero() {
			at = w.clock()
		}
		return recordChanges(ctx, c, run, refusals(at, table, variant, before[variant].Refused, d.Refused))
	})
	if err != nil {
		return fmt.Errorf("note what was discovered of %s: %w", variant, err)
	}
	return nil
}

func (w *Warehouse) putDiscovery(ctx context.Context, c *sql.Conn, variant string, d Discovery) error {
	at := d.At
	if at.IsZero() {
		at = never
	}
	row := []any{w.prefix, variant, orNull(at), append([]string{}, d.Properties...), append([]string{}, d.Refused...), d.Filtered}
	return replaceRows(ctx, c, "_exactduck.discoveries", "prefix, "+discoveryColumns, 2, [][]any{row})
}

func found(table string, d Discovery) (changes []Change) {
	for _, name := range d.Properties {
		changes = append(changes, Change{
			At: d.At, Table: table, Column: name, Kind: "discovered",
			Detail: "a property that the catalogue does not know; its values are kept in _extra",
		})
	}
	return changes
}

// refusals are the differences between the columns that were refused before and those that are now.
func refusals(at time.Time, table, variant string, before, now []string) (changes []Change) {
	way := func(name string) bool { return strings.HasPrefix(name, "$") }
	before, now = slices.DeleteFunc(slices.Clone(before), way), slices.DeleteFunc(slices.Clone(now), way)
	for _, name := range now {
		if !slices.Contains(before, name) {
			changes = append(changes, Change{
				At: at, Table: table, Column: name, Kind: "column refused",
				Detail: variant + " does not give it any more: rows that are read without it hold NULL",
			})
		}
	}
	for _, name := range before {
		if !slices.Contains(now, name) {
			changes = append(changes, Change{At: at, Table: table, Column: name, Kind: "column came back", Detail: variant + " gives it again"})
		}
	}
	return changes
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
