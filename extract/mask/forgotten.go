package mask

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"exactduck/schema"
)

// KeyHash names a row without telling its key: the values of the key in the order of the table, as
// their canonical text.
func KeyHash(stream string, key ...string) string {
	sum := sha256.Sum256([]byte(stream + "\x00" + strings.Join(key, "\x00")))
	return hex.EncodeToString(sum[:16])
}

// Forgotten are rows that no disk is to see any more, by what [KeyHash] makes of their keys: rows of
// Stream, and those that are part of rows of other streams, by the columns with the keys of these. The
// zero value is none.
type Forgotten struct {
	Stream string
	PartOf map[string][]string // the streams, by column
	Keys   map[string]bool
}

// Page is the page without such rows; p itself when it has none. The vectors of p stay as they are.
func (f Forgotten) Page(p *schema.Page) *schema.Page {
	if len(f.Keys) == 0 {
		return p
	}
	kept := make([]bool, p.Rows)
	for i := range kept {
		kept[i] = !f.is(p, i)
	}
	if !slices.Contains(kept, false) {
		return p
	}
	less := *p
	less.Columns = make([]schema.Vector, len(p.Columns))
	for i := range p.Columns {
		less.Columns[i] = only(&p.Columns[i], kept)
	}
	less.Extra, less.Rows, less.Out = only(&p.Extra, kept), 0, nil
	for i, keep := range kept {
		if keep {
			less.Rows++
		}
		if keep && p.Out != nil {
			less.Out = append(less.Out, p.Out[i])
		}
	}
	return &less
}

// is tells whether a row is one of them.
func (f Forgotten) is(p *schema.Page, i int) bool {
	if len(p.Table.Key) > 0 && f.Keys[KeyHash(f.Stream, texts(p, p.Table.Key, i)...)] {
		return true
	}
	for column, streams := range f.PartOf {
		if p.Table.Index(column) < 0 {
			continue
		}
		key := texts(p, []string{column}, i)
		if slices.ContainsFunc(streams, func(stream string) bool { return f.Keys[KeyHash(stream, key...)] }) {
			return true
		}
	}
	return false
}

// texts are the canonical texts of some columns of a row.
func texts(p *schema.Page, columns []string, row int) (all []string) {
	for _, name := range columns {
		v := &p.Columns[p.Table.Index(name)]
		text := ""
		if v.Valid[row] {
			text = string(appendText(nil, v, row))
		}
		all = append(all, text)
	}
	return all
}

// only is a column with some of its rows.
func only(v *schema.Vector, kept []bool) schema.Vector {
	less := schema.NewVector(v.Type, len(kept))
	for i, keep := range kept {
		switch {
		case !keep:
		case !v.Valid[i]:
			less.AppendNull()
		case v.Type == schema.Double:
			less.AppendFloat(v.Floats[i])
		case v.Type == schema.UUID:
			less.AppendUUID(v.UUIDs[i])
		case v.Type == schema.Varchar || v.Type == schema.Blob || v.Type == schema.JSON:
			less.AppendText(v.At(i))
		default:
			less.AppendInt(v.Ints[i])
		}
	}
	return less
}
