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

// grave is a table of which rows can be buried.
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

// graves lists the tables of which the batch has tombstones.
func (a *application) graves(ctx context.Context) ([]grave, error) {
	var all []grave
	err := a.each(ctx, "list tables with tombstones", `SELECT service, name, scope_column, key[1], coalesce(version, ''), entity
		FROM _exactduck.tables WHERE len(key) = 1 AND entity IN (
			SELECT "EntityType" FROM _exactduck.tombstones WHERE _synced_at = ?::TIMESTAMPTZ AND _run_id = ?)
		ORDER BY service, name`, []any{a.now, a.batch.Run}, func(rows *sql.Rows) error {
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
	for s, n := range found {
		if i := slices.IndexFunc(parts, func(p *portion) bool { return p.header.Scope == s }); i >= 0 {
			parts[i].result.Deleted += n
		}
		if err := touch(ctx, a.c, g.service+"."+g.name, s); err != nil {
			return err
		}
	}
	_, err = a.exec(ctx, "drop steps", dropSteps)
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
