package load

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"exactduck/schema"
)

// tombstones holds the source's word that keys are gone. It is filled like any other table, from
// the deletions feed, whose columns carry these names.
const (
	tombstones       = "_exactduck.tombstones"
	tombstoneEntity  = "EntityType"
	tombstoneKey     = "EntityKey"
	tombstoneVersion = "Timestamp"
)

func isTombstones(t *schema.Table) bool { return t.FullName() == tombstones }

// mayBeBuried says whether tombstones can tell rows of the table: by one key that is a UUID.
func (a *application) mayBeBuried(s shape, entity int32) bool {
	if entity == 0 || len(s.key) != 1 {
		return false
	}
	key, _ := find(a.stored, s.key[0])
	return key.kind == schema.UUID.String()
}

// Follow says of rows that are lines that they go when the deletion of their header is told: those
// that are not newer than that. They get no tombstones of their own. The zero value is no lines, or
// lines that stay.
type Follow struct {
	HeaderTable string // where the headers are, without prefix: salesinvoice.SalesInvoices
	HeaderKey   string // the column in which a line has the key of its header; it must be a UUID
	// Entity is the number under which the deletions feed reports the headers; 0: as HeaderTable has
	// it, once that was read.
	Entity int32
}

// grave is a table of which rows can be buried, and the column with the keys that the tombstones name.
type grave struct {
	service, name, scope, key string
	version                   string // empty: any tombstone covers a row
	entity                    int32
}

// bury removes the rows that the tombstones of this batch cover, of every table and only in the
// scopes of the batch.
func (a *application) bury(ctx context.Context, parts []*portion) error {
	graves, err := a.graves(ctx)
	if err != nil {
		return err
	}
	for _, g := range graves {
		if err := a.buryIn(ctx, g, parts); err != nil {
			return err
		}
	}
	return nil
}

// graves lists the tables of which the batch has tombstones: of their own rows or, for lines that
// follow, of the headers.
func (a *application) graves(ctx context.Context) ([]grave, error) {
	var all []grave
	err := a.each(ctx, "list tables with tombstones", `FROM (
			SELECT service, name, scope_column, key[1] AS key, coalesce(version, ''), entity
			FROM _exactduck.tables WHERE len(key) = 1
			UNION ALL SELECT l.service, l.name, l.scope_column, l.header_key, coalesce(l.version, ''), coalesce(l.header_entity, h.entity)
			FROM _exactduck.tables l LEFT JOIN _exactduck.tables h ON h.service || '.' || h.name = l.header WHERE l.follow)
		WHERE entity IN (SELECT "EntityType" FROM _exactduck.tombstones WHERE _synced_at = ?::TIMESTAMPTZ AND _run_id = ?)
		ORDER BY service, name, key`, []any{a.now, a.batch.Run}, func(rows *sql.Rows) error {
		var g grave
		err := rows.Scan(&g.service, &g.name, &g.scope, &g.key, &g.version, &g.entity)
		all = append(all, g)
		return err
	})
	if err != nil {
		return nil, err
	}
	var known []grave
	for _, g := range all {
		stored, err := storedColumns(ctx, a.c, g.service, g.name)
		if err != nil {
			return nil, err
		}
		if key, _ := find(stored, g.key); key.kind != schema.UUID.String() {
			continue
		}
		if version, _ := find(stored, g.version); version.kind != schema.BigInt.String() {
			g.version = ""
		}
		known = append(known, g)
	}
	return known, nil
}

// headerEntity is the number under which the deletions feed reports the headers; 0: it does not, or
// nobody knows.
func (a *application) headerEntity(ctx context.Context, f Follow) (entity int32, err error) {
	if f.Entity != 0 {
		return f.Entity, nil
	}
	err = a.c.QueryRowContext(ctx, "SELECT coalesce(max(entity), 0) FROM _exactduck.tables WHERE service || '.' || name = ?",
		a.prefix+f.HeaderTable).Scan(&entity)
	return entity, wrap("look up header", err)
}

func (a *application) buryIn(ctx context.Context, g grave, parts []*portion) error {
	scope := parts[0].header.Table.Scope.Name
	if _, err := a.exec(ctx, "find buried rows", g.createGone(scope, a.batch.Soft), g.entity, a.now, a.batch.Run); err != nil {
		return err
	}
	found := map[schema.Scope]int64{}
	err := a.each(ctx, "count buried rows", "SELECT scope::VARCHAR, count(*) FROM temp.gone GROUP BY ALL ORDER BY ALL", nil, func(rows *sql.Rows) error {
		var s schema.Scope
		var n int64
		err := rows.Scan(&s, &n)
		found[s] = n
		return err
	})
	if err != nil {
		return err
	}
	if len(found) > 0 {
		if err := a.removeGone(ctx, shape{service: g.service, name: g.name, soft: a.batch.Soft}); err != nil {
			return err
		}
	}
	var touched []schema.Scope
	for s, n := range found {
		if i := slices.IndexFunc(parts, func(p *portion) bool { return p.header.Scope == s }); i >= 0 {
			parts[i].result.Deleted += n
		}
		touched = append(touched, s)
	}
	if len(touched) > 0 {
		if err := a.lessen(ctx, g, touched); err != nil {
			return err
		}
	}
	_, err = a.exec(ctx, "drop steps", dropSteps)
	return err
}

// lessen notes that rows of a table were buried.
func (a *application) lessen(ctx context.Context, g grave, touched []schema.Scope) error {
	name := g.service + "." + g.name
	if err := touch(ctx, a.c, name, touched...); err != nil {
		return err
	}
	return a.recount(ctx, shape{service: g.service, name: g.name, scope: g.scope}, touched)
}

// recount makes the cursors of a table say how many rows there are.
func (a *application) recount(ctx context.Context, s shape, scopes []schema.Scope) error {
	list := make([]string, len(scopes))
	for i, scope := range scopes {
		list[i] = string(scope)
	}
	_, err := a.exec(ctx, "count rows that are left", fmt.Sprintf(`UPDATE _exactduck.cursors c SET rows = n.rows FROM (
			SELECT s.scope, count(t.rowid) FILTER (t.%s IS NULL) AS rows
			FROM (SELECT unnest(?::VARCHAR[]) AS scope) s LEFT JOIN %s t ON t.%s::VARCHAR = s.scope GROUP BY s.scope) n
		WHERE c.prefix = ? AND c.table_name = ? AND c.scope = n.scope AND c.rows <> n.rows`,
		deletedAt, s.table(), identifier(s.scope)), list, a.prefix, s.fullName())
	return err
}

// createGone finds the rows that a new tombstone covers: it takes the entity, when and run.
func (g grave) createGone(scope string, soft bool) string {
	where := ""
	if g.version != "" {
		v := "t." + identifier(g.version)
		where = fmt.Sprintf("\nAND (%s IS NULL OR %s <= d.%s)", v, v, identifier(tombstoneVersion))
	}
	if soft {
		where += "\nAND t." + deletedAt + " IS NULL"
	}
	table := shape{service: g.service, name: g.name}.table()
	return fmt.Sprintf(`CREATE TEMP TABLE gone AS SELECT DISTINCT t.%s AS scope, t.rowid AS existing
FROM %s t JOIN %s d ON d.%s = $1 AND d.%s = t.%s AND d.%s = t.%s
WHERE d.%s = $2::TIMESTAMPTZ AND d.%s = $3%s`,
		identifier(g.scope), table, tombstones, identifier(tombstoneEntity), identifier(scope), identifier(g.scope),
		identifier(tombstoneKey), identifier(g.key), syncedAt, runID, where)
}
