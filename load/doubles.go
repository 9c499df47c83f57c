package load

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"exactduck/schema"
)

// RemoveDoubles leaves one row of each key of a table in a scope: the newest by version, or else the
// one that was stored last. unlike tells that rows of one key were not the same, so that it is not
// certain that the right one has stayed.
func (w *Warehouse) RemoveDoubles(ctx context.Context, t *schema.Table, scope schema.Scope) (removed int64, unlike bool, err error) {
	if len(t.Key) == 0 {
		return 0, false, errors.New("remove doubles: the rows have no key")
	}
	err = w.inTx(ctx, func(ctx context.Context, c *sql.Conn) error {
		a := &application{Warehouse: w, c: c}
		s := shape{service: a.service(t), name: t.Name, scope: t.Scope.Name, key: t.Key, version: t.Version}
		place, err := scopeValue(t.Scope.Type, scope)
		if err != nil {
			return err
		}
		if s.stored, err = a.evolve(ctx, t); err != nil {
			return err
		}
		if removed, unlike, err = a.removeDoubles(ctx, s, place); err != nil || removed == 0 {
			return err
		}
		if err := touch(ctx, c, s.fullName(), scope); err != nil {
			return err
		}
		return a.recount(ctx, s, []schema.Scope{scope})
	})
	if err != nil {
		return 0, false, fmt.Errorf("remove doubles of %s (%s): %w", t.FullName(), scope, err)
	}
	return removed, unlike, nil
}

func (a *application) removeDoubles(ctx context.Context, s shape, place any) (removed int64, unlike bool, err error) {
	if _, err := a.exec(ctx, "find doubles", s.createDoubles(), place); err != nil {
		return 0, false, err
	}
	err = a.c.QueryRowContext(ctx, "SELECT coalesce(bool_or(contents > 1), false) FROM temp.doubles").Scan(&unlike)
	if err != nil {
		return 0, false, fmt.Errorf("compare doubles: %w", err)
	}
	removed, err = a.exec(ctx, "remove doubles", "DELETE FROM "+s.table()+" WHERE rowid IN (SELECT unnest(existing[2:]) FROM temp.doubles)")
	if err != nil {
		return 0, false, err
	}
	_, err = a.exec(ctx, "drop steps", "DROP TABLE temp.doubles")
	return removed, unlike, err
}

// createDoubles lists the keys that are there more than once, with their rows, the one that stays first.
func (s shape) createDoubles() string {
	order := []string{"t." + deletedAt + " IS NULL DESC"}
	if s.version != "" {
		order = append(order, "t."+identifier(s.version)+" DESC NULLS LAST")
	}
	order = append(order, "t."+syncedAt+" DESC", "t.rowid")
	keys := s.keyed("t.%[1]s")
	same := make([]string, len(keys))
	for i, k := range s.keyed("%[1]s") {
		same[i] = keys[i] + " IS NOT DISTINCT FROM d." + k
	}
	where := "t." + identifier(s.scope) + " = $1"
	return "CREATE TEMP TABLE doubles AS SELECT list(t.rowid ORDER BY " + strings.Join(order, ", ") + ") AS existing, count(DISTINCT hash(" + s.content("t") + `)) AS contents
FROM ` + s.table() + " t JOIN (SELECT " + strings.Join(keys, ", ") + " FROM " + s.table() + " t WHERE " + where + " GROUP BY ALL HAVING count(*) > 1) d ON " +
		strings.Join(same, " AND ") + "\nWHERE " + where + " GROUP BY " + strings.Join(keys, ", ")
}
