package load

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/duckdb/duckdb-go/v2"

	"exactduck/schema"
)

// takeover is one import of a state inside its transaction.
type takeover struct {
	oblivion
	hash func(stream string, key ...string) string
}

// agrees refuses a state whose cursors say of rows that are here that they were asked for, or masked,
// otherwise than they were: masks would be taken for applied that never were.
func (t takeover) agrees(ctx context.Context, s State) error {
	here, err := cursors(ctx, t.c, "prefix = ?", t.prefix)
	if err != nil {
		return err
	}
	for _, c := range s.Cursors {
		for _, is := range here {
			if is.Stream == c.Stream && is.Scope == c.Scope && is.Fingerprint != c.Fingerprint {
				return &Untrue{c.Stream, c.Scope, "its rows were asked for, or masked, otherwise than those that are here"}
			}
		}
	}
	return nil
}

// counts refuses a state whose cursors stand for more or fewer rows than are here.
func (t takeover) counts(ctx context.Context, s State) error {
	counted, err := countRows(ctx, t.c, s.Cursors)
	if err != nil {
		return err
	}
	for i, n := range counted {
		if at := s.Cursors[i]; n != at.Rows {
			return &Untrue{at.Stream, at.Scope, fmt.Sprintf("it counts %d rows of %s, and there are %d", at.Rows, at.Table, n)}
		}
	}
	return nil
}

// put writes what a state knows.
func (t takeover) put(ctx context.Context, s State) error {
	if err := t.putCursors(ctx, t.c, s.Cursors...); err != nil {
		return err
	}
	for variant, d := range s.Discoveries {
		if err := t.putDiscovery(ctx, t.c, variant, d); err != nil {
			return err
		}
	}
	for stream, a := range s.Contracts {
		if err := t.putAgreementIn(ctx, t.c, stream, a); err != nil {
			return err
		}
	}
	if err := t.putDivisions(ctx, t.c, "import", s.Divisions); err != nil {
		return err
	}
	_, err := nextGeneration(ctx, t.c) // readers see cursors and divisions too
	return err
}

// forget erases here what was forgotten where the state comes from, and marks it. It returns the state
// without what is forgotten here or there.
func (t takeover) forget(ctx context.Context, s State) (State, error) {
	here, err := marks(ctx, t.c, t.prefix)
	if err != nil {
		return s, err
	}
	hashes := map[string]map[string]bool{} // by stream
	for _, m := range s.Forgotten {
		if slices.ContainsFunc(here, func(h Mark) bool { return h.Stream == m.Stream && h.Scope == m.Scope && h.Hash == m.Hash }) {
			continue
		}
		here = append(here, m)
		t.now = m.At
		if m.Stream == "" {
			err = t.scope(ctx, Forgetting{Scope: m.Scope})
		} else {
			err = t.mark(ctx, m.Scope, m.Stream, m.Hash)
			if hashes[m.Stream] == nil {
				hashes[m.Stream] = map[string]bool{}
			}
			hashes[m.Stream][m.Hash] = true
		}
		if err == nil {
			err = setMeta(ctx, t.c, purgeDue, "1")
		}
		if err != nil {
			return s, err
		}
	}
	for stream, marked := range hashes {
		if err := t.marked(ctx, stream, marked); err != nil {
			return s, err
		}
	}
	return s.without(here), nil
}

// marked erases the rows of a stream that are marked as forgotten.
func (t takeover) marked(ctx context.Context, stream string, hashes map[string]bool) error {
	table := schema.Table{}
	var key duckdb.Composite[[]string]
	err := t.each(ctx, "find table", `SELECT DISTINCT t.service, t.name, t.scope_column, t.key FROM _exactduck.tables t
		JOIN _exactduck.cursors c ON c.table_name = t.service || '.' || t.name WHERE c.prefix = ? AND c.stream = ?`,
		[]any{t.prefix, stream}, func(rows *sql.Rows) error { return rows.Scan(&table.Service, &table.Name, &table.Scope.Name, &key) })
	if err != nil || table.Name == "" {
		return err
	}
	table.Service, table.Key = strings.TrimPrefix(table.Service, t.prefix), key.Get()
	columns := []string{identifier(table.Scope.Name) + "::VARCHAR"}
	for _, name := range table.Key {
		columns = append(columns, "coalesce("+identifier(name)+"::VARCHAR, '')")
	}
	var found [][]string
	err = t.each(ctx, "find rows", fmt.Sprintf("SELECT [%s] FROM %s.%s", strings.Join(columns, ", "), identifier(t.service(&table)), identifier(table.Name)),
		nil, func(rows *sql.Rows) error {
			var row duckdb.Composite[[]string]
			err := rows.Scan(&row)
			if err == nil && hashes[t.hash(stream, row.Get()[1:]...)] {
				found = append(found, row.Get())
			}
			return err
		})
	for _, row := range found {
		if err == nil {
			err = t.rows(ctx, Forgetting{Scope: schema.Scope(row[0]), Stream: stream, Hash: t.hash}, stream, &table, table.Key, row[1:])
		}
	}
	return err
}

// without is the state without what it knows of scopes that are forgotten, but that they are.
func (s State) without(all []Mark) State {
	gone := func(scope schema.Scope) bool {
		return slices.ContainsFunc(all, func(m Mark) bool { return m.Stream == "" && m.Scope == scope })
	}
	s.Cursors = slices.DeleteFunc(slices.Clone(s.Cursors), func(c Cursor) bool { return gone(c.Scope) })
	s.Divisions = slices.Clone(s.Divisions)
	for i, d := range s.Divisions {
		if gone(d.Scope) {
			s.Divisions[i].Name = ""
		}
	}
	return s
}
