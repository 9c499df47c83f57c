package exactonline

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"exactduck/extract"
	"exactduck/schema"
)

// row is one record of a page, for the little that this package reads for itself.
type row struct {
	page *schema.Page
	at   int
}

// rows reads a few columns of a stream of the connection. A column that is refused is an error:
// an epoch without one of its dates would be another.
func (s *Source) rows(ctx context.Context, stream string, columns []string) iter.Seq2[row, error] {
	return func(yield func(row, error) bool) {
		found, _, err := Lookup(stream)
		if err != nil {
			yield(row{}, fmt.Errorf("catalogue.txt: %w", err))
			return
		}
		v := found.Variants[0]
		table := v.Table.Select(func(name string) bool { return slices.Contains(columns, name) })
		read := extract.Read{Stream: stream, Variant: v, Table: table, Scope: connection}
		for page, err := range s.pages(ctx, read, true) {
			if err != nil {
				yield(row{}, err)
				return
			}
			for at := range page.Rows {
				if !yield(row{page, at}, nil) {
					return
				}
			}
		}
	}
}

func (r row) column(name string) *schema.Vector { return &r.page.Columns[r.page.Table.Index(name)] }

func (r row) text(name string) string {
	v := r.column(name)
	if !v.Valid[r.at] {
		return ""
	}
	return string(v.At(r.at))
}

func (r row) integer(name string) (int64, bool) {
	v := r.column(name)
	return v.Ints[r.at], v.Valid[r.at]
}

// epoch is empty for a division that was never moved nor linked.
func (r row) epoch() string {
	at, moves := r.integer(moved)
	link, links := r.integer(linked)
	if !moves && !links {
		return ""
	}
	return fmt.Sprintf("moved %s linked %s", stamp(at, moves), stamp(link, links))
}
