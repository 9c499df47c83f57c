package load

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"exactduck/schema"
)

// Balanced says of which scopes of lines the sums can be compared with the source's own balances: both
// streams hold all rows there are and have the columns, and no line has come or gone since the balances
// were read, as far as the warehouse knows. swept is when the lines were last read whole, or swept.
func (w *Warehouse) Balanced(ctx context.Context, lines, balances Inspected, swept map[schema.Scope]time.Time) (map[schema.Scope]bool, error) {
	i, err := w.balancing(ctx, lines, balances)
	if err != nil || i == nil {
		return nil, err
	}
	query := "SELECT " + identifier(lines.Table.Scope.Name) + "::VARCHAR AS scope, max(" + syncedAt + ") AS changed FROM " + i.name(lines.Table) + " GROUP BY ALL"
	if i.buried {
		query += fmt.Sprintf(" UNION ALL SELECT %s::VARCHAR, max(%s) FROM %s WHERE %s = %d GROUP BY ALL",
			identifier(lines.Table.Scope.Name), syncedAt, tombstones, identifier(tombstoneEntity), lines.Table.Entity)
	}
	rows, err := w.db.QueryContext(ctx, "SELECT scope, max(changed) FROM ("+query+") GROUP BY ALL")
	if err != nil {
		return nil, fmt.Errorf("look when lines changed: %w", err)
	}
	defer rows.Close()
	changed := map[schema.Scope]time.Time{}
	for rows.Next() {
		var scope schema.Scope
		var at sql.NullTime
		if err := rows.Scan(&scope, &at); err != nil {
			return nil, fmt.Errorf("look when lines changed: %w", err)
		}
		changed[scope] = at.Time
	}
	steady := map[schema.Scope]bool{}
	for scope, read := range balances.Scopes {
		if whole := lines.Scopes[scope]; !whole.IsZero() && !read.IsZero() {
			steady[scope] = !changed[scope].After(read) && !swept[scope].After(read)
		}
	}
	return steady, rows.Err()
}

// Balance adds the lines up by account, year and period, and finds where the source's own balances say
// something else, in the scopes of balances.
func (w *Warehouse) Balance(ctx context.Context, lines, balances Inspected) ([]Flaw, error) {
	i, err := w.balancing(ctx, lines, balances)
	if err != nil || i == nil {
		return nil, err
	}
	fill := i.fill(i.streams[lines.Stream], map[string]string{
		"other": i.name(balances.Table), "otherscope": identifier(balances.Table.Scope.Name),
	})
	at := *i.streams[lines.Stream]
	at.Scopes = balances.Scopes
	err = i.run(ctx, Flaw{Kind: Unequal, Stream: lines.Stream, Other: balances.Stream}, fill, nil, &at)
	return i.found, wrap("add lines up", err)
}

// balancing is nil when the tables or columns are not there.
func (w *Warehouse) balancing(ctx context.Context, lines, balances Inspected) (*inspection, error) {
	i := &inspection{w: w, streams: map[string]*inspected{}}
	for _, s := range []Inspected{lines, balances} {
		if err := i.add(ctx, s); err != nil {
			return nil, err
		}
	}
	l, b := i.streams[lines.Stream], i.streams[balances.Stream]
	if l == nil || b == nil || !l.adds("GLAccount", "FinancialYear", "FinancialPeriod", "AmountDC", "Type", "Status") ||
		!b.adds("GLAccount", "ReportingYear", "ReportingPeriod", "Amount", "Type", "Status") || !b.has("GLAccountCode") {
		return nil, nil
	}
	return i, nil
}
