package load

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/go-faster/jx"
)

// emptyExtra takes what did not fit the dropped columns out of _extra. There are few such values, and
// the others are to stay exactly as they came, which DuckDB's own functions for JSON do not promise.
func (c cut) emptyExtra(ctx context.Context) (changed int64, err error) {
	if len(c.names) == 0 {
		return 0, nil
	}
	for last := int64(-1); ; {
		seen, n, err := c.emptySomeExtra(ctx, last)
		changed += n
		if err != nil || seen < 0 {
			return changed, err
		}
		last = seen
	}
}

// extraAtOnce bounds the memory for _extra.
const extraAtOnce = 1000

// emptySomeExtra does it for some rows that may hold such values, behind a place; last is the place
// of the last of them, -1: there were none.
func (c cut) emptySomeExtra(ctx context.Context, behind int64) (last, changed int64, err error) {
	var there []string
	for _, name := range c.names {
		quoted, _ := json.Marshal(strings.ToLower(name)) // a string cannot fail
		there = append(there, "contains(lower("+extra+"::VARCHAR), "+literal(string(quoted))+")")
	}
	query := fmt.Sprintf("SELECT rowid, %s::VARCHAR FROM %s WHERE rowid > %d AND %s = ? AND %s IS NOT NULL AND (%s) ORDER BY rowid LIMIT %d",
		extra, c.of.table(), behind, identifier(c.of.scope), extra, strings.Join(there, " OR "), extraAtOnce)
	left := map[int64]string{}
	last = -1
	err = c.on.each(ctx, "find values beside the columns", query, []any{c.place}, func(rows *sql.Rows) error {
		var text string
		if err := rows.Scan(&last, &text); err != nil {
			return err
		}
		less, err := without(text, c.names, c.deep)
		if less != text {
			left[last] = less
		}
		return err
	})
	if err != nil {
		return last, 0, err
	}
	for row, text := range left {
		_, err := c.on.exec(ctx, "rewrite _extra", fmt.Sprintf("UPDATE %s SET %s = nullif(?, '')::JSON, %s = ?::TIMESTAMPTZ, %s = ? WHERE rowid = ?",
			c.of.table(), extra, syncedAt, runID), text, c.on.now, c.on.batch.Run, row)
		if err != nil {
			return last, changed, err
		}
		changed++
	}
	return last, changed, nil
}

// without is a JSON object without some of its members, whatever their case, and if deep without those
// of the objects in it too, the others to the letter; "" when none is left.
func without(object string, names []string, deep bool) (string, error) {
	less, found, err := strip(jx.Raw(object), names, deep)
	switch {
	case err != nil || !found:
		return object, err
	case string(less) == "{}":
		return "", nil
	}
	return string(less), nil
}

// strip is a JSON value without members of some names, and tells whether there were any.
func strip(value jx.Raw, names []string, deep bool) (less []byte, found bool, err error) {
	var kept []byte
	add := func(head []byte, member jx.Raw) error {
		if deep {
			below, some, err := strip(member, names, deep)
			if err != nil {
				return err
			}
			if found = found || some; some {
				member = below
			}
		}
		if len(kept) > 0 {
			kept = append(kept, ',')
		}
		kept = append(append(kept, head...), member...)
		return nil
	}
	d := jx.DecodeBytes(value)
	switch value.Type() {
	case jx.Object:
		err = d.ObjBytes(func(d *jx.Decoder, key []byte) error {
			member, err := d.Raw()
			if err != nil {
				return err
			}
			if slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, string(key)) }) {
				found = true
				return nil
			}
			var name jx.Encoder
			name.ByteStr(key)
			return add(append(name.Bytes(), ':'), member)
		})
		return slices.Concat([]byte{'{'}, kept, []byte{'}'}), found, err
	case jx.Array:
		err = d.Arr(func(d *jx.Decoder) error {
			member, err := d.Raw()
			if err != nil {
				return err
			}
			return add(nil, member)
		})
		return slices.Concat([]byte{'['}, kept, []byte{']'}), found, err
	}
	return value, false, nil
}
