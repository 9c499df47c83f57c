package load

import (
	"context"
	"database/sql"
	"fmt"

	"exactduck/schema"
)

// Shrink is the error of a read that would remove more than there is reason to believe: rights
// that were taken away look like tables that were emptied.
type Shrink struct {
	Table      string
	Stream     string // as people name it
	Scope      schema.Scope
	Have, Gone int64 // rows before, and of them those that the read did not bring
}

func (s *Shrink) Error() string {
	where := ""
	if s.Scope != "0" { // which is all that belongs to the connection
		where = " (" + string(s.Scope) + ")"
	}
	return fmt.Sprintf("%s%s: the source does not show %d of %d rows any more; nothing was changed", s.Table, where, s.Gone, s.Have)
}

// believe is the shrink guard: it says whether a part may remove gone of its have rows.
func (a *application) believe(s shape, p *portion, have, gone int64) bool {
	if Believable(have, gone) || p.Accept || s.service == ownSchema {
		return true
	}
	p.result.Suspect = &Shrink{Table: s.fullName(), Stream: p.header.Stream, Scope: p.header.Scope, Have: have, Gone: gone}
	return false
}

// Believable tells whether gone of have rows may be gone at the source. All of them, or more than a
// hundred that are more than a fifth, look like rights that were taken away.
func Believable(have, gone int64) bool {
	all := have > 0 && gone >= have
	many := gone > 100 && 5*gone > have
	return !all && !many
}

// rewrite applies spools of a table without a key: where the rows of a scope are not the spooled
// ones, as often each, they are all replaced.
func (a *application) rewrite(ctx context.Context, s shape, g []*portion, have map[int]extent) error {
	changed, err := a.compare(ctx, s, g)
	if err != nil {
		return err
	}
	var total, first int64
	for _, p := range g {
		total += p.File.Rows()
	}
	wanted := newBitmap(total)
	some := false
	for _, p := range g {
		h := have[p.number]
		if changed[p.number] && a.believe(s, p, h.live, h.live-p.result.Read) {
			if _, err := a.exec(ctx, "delete rows of scope", s.deletePart(), p.number); err != nil {
				return err
			}
			for n := range p.File.Rows() {
				wanted.add(first + n)
			}
			p.result.Inserted, p.result.Deleted, p.touched, some = p.result.Read, h.all, true, true
		}
		first += p.File.Rows()
	}
	if !some {
		return nil
	}
	return a.insert(ctx, s, g, wanted)
}

// compare says which parts hold other rows than the table.
func (a *application) compare(ctx context.Context, s shape, g []*portion) (map[int]bool, error) {
	type sum struct {
		rows       int64
		once, more string
	}
	collect := func(into map[int]sum) func(*sql.Rows) error {
		return func(rows *sql.Rows) error {
			var number int
			var v sum
			err := rows.Scan(&number, &v.rows, &v.once, &v.more)
			into[number] = v
			return err
		}
	}
	stored, spooled := map[int]sum{}, map[int]sum{}
	if err := a.each(ctx, "sum stored rows", s.sumStored(), nil, collect(stored)); err != nil {
		return nil, err
	}
	columns := append(append([]string{partColumn}, s.spooled...), extra)
	err := a.reading(g, columns, nil, func(pages int64) error {
		return a.each(ctx, "sum spooled rows", s.sumSpooled(), []any{pages}, collect(spooled))
	})
	if err != nil {
		return nil, err
	}
	changed := map[int]bool{}
	for _, p := range g {
		changed[p.number] = stored[p.number] != spooled[p.number]
	}
	return changed, nil
}

// ownSchema is where the warehouse keeps what it knows about the rows. Its tables are no data of
// the user's: they may shrink, and no target is published for their sake.
const ownSchema = "_exactduck"
