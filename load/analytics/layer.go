package analytics

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// DefaultZone is the clock by which Exact Online writes the times of Dutch books.
const DefaultZone = "Europe/Amsterdam"

// Layer is the ready views of one connection, and the descriptions of all that is stored.
type Layer struct {
	// Prefix is in front of the schemas of the connection's tables, and so of the views'.
	Prefix string
	// Zone is the clock of the source, from which the views work out UTC; "" is [DefaultZone].
	Zone string
}

func (l Layer) schema() string { return l.Prefix + schemaName }

func (l Layer) zone() string {
	if l.Zone == "" {
		return DefaultZone
	}
	return l.Zone
}

// Due says whether [Layer.Refresh] has anything to do: whether tables, columns, the definitions of
// the views or the words have changed since.
func (l Layer) Due(ctx context.Context, q Querier) (bool, error) {
	have, err := read(ctx, q)
	if err != nil {
		return false, err
	}
	stale, err := l.stale(ctx, q, have)
	return stale || len(l.comments(have)) > 0, err
}

// Refresh makes the views anew if need be, and describes what has no description or another one.
// It runs in the transaction of c and leaves the rows of all tables but _exactduck.meta alone.
func (l Layer) Refresh(ctx context.Context, c *sql.Conn) error {
	have, err := read(ctx, c)
	if err != nil {
		return err
	}
	stale, err := l.stale(ctx, c, have)
	if err != nil {
		return err
	}
	var last []string
	if stale {
		if err := l.make(ctx, c, have); err != nil {
			return err
		}
		last = []string{
			"DELETE FROM _exactduck.meta WHERE key = " + literal(l.metaKey()),
			fmt.Sprintf("INSERT INTO _exactduck.meta (key, value) VALUES (%s, %s)", literal(l.metaKey()), literal(l.fingerprint(have))),
		}
		if have, err = read(ctx, c); err != nil {
			return err
		}
	}
	// DuckDB refuses changes of shape behind changes of rows in one transaction.
	for _, statement := range append(l.comments(have), last...) {
		if _, err := c.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("describe tables: %w", err)
		}
	}
	return nil
}

// make puts the views that can be made in the place of those that there are.
func (l Layer) make(ctx context.Context, c *sql.Conn, have stored) error {
	// A view would take a zone that DuckDB does not know, and fail in the hands of its readers.
	if _, err := c.ExecContext(ctx, "SELECT timezone(?, TIMESTAMP '2000-01-01')", l.zone()); err != nil {
		return fmt.Errorf("reckon in the time zone %s: %w", l.zone(), err)
	}
	for _, name := range l.present(have) {
		if _, err := c.ExecContext(ctx, "DROP VIEW "+identifier(l.schema())+"."+identifier(name)); err != nil {
			return fmt.Errorf("drop view %s: %w", name, err)
		}
	}
	if _, err := c.ExecContext(ctx, "CREATE SCHEMA IF NOT EXISTS "+identifier(l.schema())); err != nil {
		return fmt.Errorf("create schema %s: %w", l.schema(), err)
	}
	for _, d := range l.definitions(have) {
		_, err := c.ExecContext(ctx, "CREATE VIEW "+identifier(l.schema())+"."+identifier(d.name)+" AS\n"+d.query)
		if err != nil {
			return fmt.Errorf("create view %s: %w", d.name, err)
		}
	}
	return nil
}

// stale says whether the views are not those that there should be.
func (l Layer) stale(ctx context.Context, q Querier, have stored) (bool, error) {
	var want []string
	for _, d := range l.definitions(have) {
		want = append(want, d.name)
	}
	slices.Sort(want)
	if !slices.Equal(want, l.present(have)) {
		return true, nil
	}
	known := ""
	err := each(ctx, q, "SELECT value FROM _exactduck.meta WHERE key = ?", func(rows *sql.Rows) error { return rows.Scan(&known) }, l.metaKey())
	if err != nil {
		return false, fmt.Errorf("look for the fingerprint of the views: %w", err)
	}
	return len(want) > 0 && known != l.fingerprint(have), nil
}

// present are the names of the views in our schema, sorted.
func (l Layer) present(have stored) []string {
	var names []string
	for _, t := range have {
		if t.view && strings.EqualFold(t.schema, l.schema()) {
			names = append(names, t.name)
		}
	}
	slices.Sort(names)
	return names
}

// metaKey is where _exactduck.meta keeps the fingerprint of the views.
func (l Layer) metaKey() string { return "views of " + l.schema() }

// fingerprint changes with any definition.
func (l Layer) fingerprint(have stored) string {
	sum := sha256.New()
	for _, d := range l.definitions(have) {
		fmt.Fprintf(sum, "%s\n%s\n\n", d.name, d.query)
	}
	return hex.EncodeToString(sum.Sum(nil))
}
