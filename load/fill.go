package load

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/duckdb/duckdb-go/v2"
	"github.com/go-faster/jx"

	"exactduck/schema"
)

// Convert adds a value as the source writes it, in JSON and not null, to a vector. It tells whether
// the vector has it now, and whether that is exactly what the source wrote.
type Convert func(v *schema.Vector, value []byte) (added, exact bool)

// move is a column that gets values that are stored: out of _extra and, when it has another type by
// now, out of itself.
type move struct {
	schema.Column
	from string // the type that it had; "": there was no such column
	void bool   // what it had is not worth keeping
	// moved counts its values that came out of _extra.
	moved int64
}

// reshape gives a table that is there all columns of the parts, with their types, and keeps what is
// stored: values go into their column as they would if they were read again, and what does not fit
// or is not exact stays in _extra as it came. No row counts as changed by it. DuckDB refuses changes
// of shape after changes of rows in one transaction, so this comes before all others.
func (a *application) reshape(ctx context.Context, groups [][]*portion) error {
	t := groups[0][0].header.Table
	service := a.service(t)
	stored, err := storedColumns(ctx, a.c, service, t.Name)
	if err != nil || stored == nil || t.Service == ownSchema {
		return err
	}
	f := &filling{on: a, table: identifier(service) + "." + identifier(t.Name)}
	for _, g := range groups {
		if err := checkNames(g[0].header.Table); err != nil {
			return err
		}
		for _, c := range g[0].header.Table.Columns {
			have, there := find(stored, c.Name)
			known := slices.ContainsFunc(f.moves, func(m *move) bool { return strings.EqualFold(m.Name, c.Name) })
			if isOurs(c.Name, t.Scope.Name) || known || there && (have.kind == c.Type.String() || a.convert == nil) {
				continue
			}
			m := &move{Column: c}
			if there {
				m.Name, m.from = have.name, have.kind
				m.void = slices.ContainsFunc(a.batch.Void, func(name string) bool { return strings.EqualFold(name, have.name) })
			}
			f.moves = append(f.moves, m)
		}
		f.keys = append(f.keys, g[0].header.Table.Key...)
		f.keys = append(f.keys, g[0].header.Table.Version)
	}
	if len(f.moves) == 0 {
		return nil
	}
	return f.run(ctx, service, t.Name)
}

// filling is the move of stored values into columns.
type filling struct {
	on    *application
	table string
	moves []*move
	keys  []string // columns that must not lose a value
}

func (f *filling) run(ctx context.Context, service, table string) error {
	if f.on.convert != nil {
		if _, err := f.on.exec(ctx, "keep values beside their columns", f.keep()); err != nil {
			return err
		}
	}
	for _, m := range f.moves {
		statement := addColumn(service, table, m.Column)
		if m.from != "" {
			statement = fmt.Sprintf("ALTER TABLE %s ALTER COLUMN %s SET DATA TYPE %s USING NULL::%[3]s", f.table, identifier(m.Name), m.Type)
		}
		if _, err := f.on.exec(ctx, "change column", statement); err != nil {
			return err
		}
	}
	if f.on.convert != nil {
		if err := f.fill(ctx); err != nil {
			return err
		}
	}
	return f.report(ctx)
}

// report adds to the changes of shape. Views over a column with another type have to be made anew.
func (f *filling) report(ctx context.Context) error {
	for _, m := range f.moves {
		n := change{m.Name, "column added", m.Type.String()}
		if m.from != "" {
			n.what, n.detail = "column retyped", "from "+m.from+" to "+m.Type.String()
			if _, err := f.on.exec(ctx, "forget views", "DELETE FROM _exactduck.meta WHERE starts_with(key, 'views of ')"); err != nil {
				return err
			}
		}
		if m.moved > 0 {
			n.detail += fmt.Sprintf(", with %d values from _extra", m.moved)
		}
		f.on.changes = append(f.on.changes, n)
	}
	return nil
}

// keep puts aside what the moves are about: _extra, and the columns that change their type.
func (f *filling) keep() string {
	var columns, wanted []string
	for i, m := range f.moves {
		wanted = append(wanted, "contains(lower("+extra+"::VARCHAR), "+literal(`"`+strings.ToLower(m.Name)+`"`)+")")
		value := "NULL::VARCHAR"
		if m.from != "" && !m.void {
			value = asJSON(identifier(m.Name), m.from)
			wanted = append(wanted, identifier(m.Name)+" IS NOT NULL")
		}
		columns = append(columns, fmt.Sprintf("%s AS b%d", value, i))
	}
	return "CREATE TEMP TABLE before AS SELECT row_number() OVER () AS place, rowid AS existing, " + extra + "::VARCHAR AS extra, " + strings.Join(columns, ", ") +
		" FROM " + f.table + " WHERE " + strings.Join(wanted, " OR ")
}

// asJSON is a stored value as the source could have written it.
func asJSON(column, kind string) string {
	switch kind {
	case schema.Timestamp.String():
		return fmt.Sprintf(`CASE WHEN epoch_us(%s) %% 1000 = 0 THEN '"/Date(' || epoch_ms(%[1]s) || ')/"' ELSE '"' || strftime(%[1]s, '%%Y-%%m-%%dT%%H:%%M:%%S.%%f') || '"' END`, column)
	case schema.TimestampTZ.String():
		return fmt.Sprintf(`'"' || strftime(make_timestamp(epoch_us(%s)), '%%Y-%%m-%%dT%%H:%%M:%%S.%%fZ') || '"'`, column)
	case schema.UUID.String():
		return `'"' || ` + column + ` || '"'`
	case schema.Blob.String():
		return `'"' || base64(` + column + `) || '"'`
	case schema.Varchar.String():
		return "to_json(" + column + ")::VARCHAR"
	}
	return column + "::VARCHAR"
}

// atOnce bounds the memory for values on their way.
const atOnce = 16384

// fill converts what was kept, and updates the table with it in one statement.
func (f *filling) fill(ctx context.Context) error {
	a := f.on
	columns := []string{"existing BIGINT", "extra VARCHAR"}
	for i, m := range f.moves {
		kind := m.Type.String()
		if m.Type == schema.JSON {
			kind = schema.Varchar.String() // a JSON vector would take text for a value and quote it
		}
		columns = append(columns, fmt.Sprintf("a%d %s", i, kind))
	}
	if _, err := a.exec(ctx, "make room for values", "CREATE TEMP TABLE after ("+strings.Join(columns, ", ")+")"); err != nil {
		return err
	}
	var kept int64
	if err := a.c.QueryRowContext(ctx, "SELECT count(*) FROM temp.before").Scan(&kept); err != nil {
		return fmt.Errorf("count kept values: %w", err)
	}
	for from := int64(0); from < kept; from += atOnce {
		if err := f.some(ctx, from); err != nil {
			return err
		}
	}
	sets := []string{extra + " = f.extra::JSON"}
	for i, m := range f.moves {
		sets = append(sets, fmt.Sprintf("%s = f.a%d", identifier(m.Name), i))
	}
	_, err := a.exec(ctx, "fill columns", "UPDATE "+f.table+" t SET "+strings.Join(sets, ", ")+" FROM temp.after f WHERE t.rowid = f.existing")
	if err != nil {
		return err
	}
	_, err = a.exec(ctx, "drop kept values", "DROP TABLE temp.before; DROP TABLE temp.after")
	return err
}

// keptRow is a row of what was put aside.
type keptRow struct {
	existing int64
	extra    sql.NullString
	values   []sql.NullString
}

// some converts the rows that were kept from a place on.
func (f *filling) some(ctx context.Context, from int64) error {
	var rows []keptRow
	query := fmt.Sprintf("SELECT * EXCLUDE (place) FROM temp.before WHERE place > %d AND place <= %d", from, from+atOnce)
	err := f.on.each(ctx, "read kept values", query, nil, func(r *sql.Rows) error {
		row := keptRow{values: make([]sql.NullString, len(f.moves))}
		into := []any{&row.existing, &row.extra}
		for i := range row.values {
			into = append(into, &row.values[i])
		}
		if err := r.Scan(into...); err != nil {
			return err
		}
		rows = append(rows, row)
		return nil
	})
	if err != nil {
		return err
	}
	return f.on.c.Raw(func(c any) error {
		appender, err := duckdb.NewAppender(c.(driver.Conn), "temp", "", "after")
		if err != nil {
			return fmt.Errorf("keep converted values: %w", err)
		}
		for _, row := range rows {
			if err := f.convert(appender, row); err != nil {
				_ = appender.Close()
				return fmt.Errorf("convert a value: %w", err)
			}
		}
		return wrap("keep converted values", appender.Close())
	})
}

// convert adds a row to what the table is updated with.
func (f *filling) convert(to *duckdb.Appender, row keptRow) error {
	members, err := membersOf(row.extra.String)
	if err != nil {
		return err
	}
	out := []driver.Value{row.existing, nil}
	changed := false
	for i, m := range f.moves {
		v := schema.NewVector(m.Type, 1)
		at := slices.IndexFunc(members, func(n member) bool { return strings.EqualFold(n.name, m.Name) })
		value := row.values[i].String
		if at >= 0 { // as it came; the column has at best what it was rounded to
			value = members[at].value
		}
		changed = changed || at >= 0 || m.from != ""
		if value != "" && value != "null" {
			added, exact := f.on.convert(&v, []byte(value))
			switch {
			case !added && slices.ContainsFunc(f.keys, func(k string) bool { return strings.EqualFold(k, m.Name) }):
				return &TypeChange{Table: f.table, Column: m.Name, Have: m.from, Want: m.Type.String()}
			case !exact && at < 0:
				members = append(members, member{m.Name, value})
			case exact && at >= 0:
				members, m.moved = slices.Delete(members, at, at+1), m.moved+1
			}
			if !exact {
				f.misfit(m.Name)
			}
		} else if at >= 0 {
			members = slices.Delete(members, at, at+1)
		}
		if v.Len() == 0 {
			v.AppendNull()
		}
		out = append(out, plainValue(&v))
	}
	if !changed {
		return nil
	}
	if len(members) > 0 {
		out[1] = joined(members)
	}
	return to.AppendRow(out...)
}

func (f *filling) misfit(column string) {
	if f.on.seen["misfit"] == nil {
		f.on.seen["misfit"] = map[string]bool{}
	}
	f.on.seen["misfit"][column] = true
}

// plainValue is the only value of a vector, as DuckDB's appender takes it. Numbers of a DECIMAL are
// given without their point.
func plainValue(v *schema.Vector) driver.Value {
	switch {
	case !v.Valid[0]:
		return nil
	case v.Type == schema.Boolean:
		return v.Ints[0] != 0
	case v.Type.Dates():
		return time.UnixMicro(v.Ints[0]).UTC()
	case v.Type == schema.Double:
		return v.Floats[0]
	case v.Type == schema.UUID:
		return duckdb.UUID(v.UUIDs[0])
	case v.Type == schema.Blob:
		return v.At(0)
	case v.Type == schema.Varchar, v.Type == schema.JSON:
		return string(v.At(0))
	}
	return v.Ints[0]
}

// member is a member of _extra: its name, and its value to the letter.
type member struct{ name, value string }

func membersOf(object string) (members []member, err error) {
	if object == "" {
		return nil, nil
	}
	err = jx.DecodeStr(object).ObjBytes(func(d *jx.Decoder, key []byte) error {
		value, err := d.Raw()
		members = append(members, member{string(key), string(value)})
		return err
	})
	return members, err
}

func joined(members []member) string {
	var b strings.Builder
	for i, m := range members {
		b.WriteByte("{,"[min(i, 1)])
		name, _ := json.Marshal(m.name) // a string cannot fail
		b.Write(name)
		b.WriteByte(':')
		b.WriteString(m.value)
	}
	return b.String() + "}"
}
