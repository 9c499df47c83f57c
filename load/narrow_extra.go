package load

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/go-faster/jx"
)

// emptyExtra takes what did not fit the dropped columns out of _extra. There are few such values, and
// the others are to stay exactly as they came, which DuckDB's own functions for JSON do not promise.
func (c cut) emptyExtra(ctx context.Context) (changed int64, err error) {
	for {
		n, err := c.emptySomeExtra(ctx)
		if err != nil || n == 0 {
			return changed, err
		}
		changed += n
	}
}

// extraAtOnce bounds the memory for _extra.
const extraAtOnce = 1000

func (c cut) emptySomeExtra(ctx context.Context) (int64, error) {
	if len(c.names) == 0 {
		return 0, nil
	}
	var there []string
	for _, name := range c.names {
		there = append(there, "list_contains(json_keys(lower("+extra+"::VARCHAR)::JSON), "+literal(strings.ToLower(name))+")")
	}
	query := fmt.Sprintf("SELECT rowid, %s::VARCHAR FROM %s WHERE %s = ? AND %s IS NOT NULL AND (%s) LIMIT %d",
		extra, c.of.table(), identifier(c.of.scope), extra, strings.Join(there, " OR "), extraAtOnce)
	left := map[int64]string{}
	err := c.on.each(ctx, "find values beside the columns", query, []any{c.place}, func(rows *sql.Rows) error {
		var row int64
		var text string
		err := rows.Scan(&row, &text)
		if err == nil {
			left[row], err = without(text, c.names)
		}
		return err
	})
	if err != nil {
		return 0, err
	}
	for row, text := range left {
		_, err := c.on.exec(ctx, "rewrite _extra", fmt.Sprintf("UPDATE %s SET %s = nullif(?, '')::JSON, %s = ?::TIMESTAMPTZ, %s = ? WHERE rowid = ?",
			c.of.table(), extra, syncedAt, runID), text, c.on.now, c.on.batch.Run, row)
		if err != nil {
			return 0, err
		}
	}
	return int64(len(left)), nil
}

// without is a JSON object without some of its members, whatever their case, the others to the letter; "" when none is left.
func without(object string, names []string) (string, error) {
	var kept bytes.Buffer
	err := jx.DecodeStr(object).ObjBytes(func(d *jx.Decoder, key []byte) error {
		value, err := d.Raw()
		if err != nil || slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, string(key)) }) {
			return err
		}
		if kept.Len() > 0 {
			kept.WriteString(",")
		}
		var e jx.Encoder
		e.ByteStr(key)
		kept.Write(e.Bytes())
		kept.WriteString(":")
		kept.Write(value)
		return nil
	})
	if err != nil || kept.Len() == 0 {
		return "", err
	}
	return "{" + kept.String() + "}", nil
}
