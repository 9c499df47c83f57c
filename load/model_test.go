package load

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"exactduck/load/spool"
	"exactduck/schema"
)

// kind is a table of the property test, and how its rows are spooled and read back.
type kind struct {
	table     *schema.Table
	versioned bool
	lines     bool // of accounts
	row       func(c came, version, header any) []any
	query     string // scope, key, version, header, content and our own columns
}

var (
	lines = &schema.Table{
		Service: "sales", Name: "Lines", Scope: division, Key: []string{"ID"}, Version: "Timestamp", Entity: 3,
		Columns: []schema.Column{
			{Name: "Timestamp", Type: schema.BigInt}, {Name: "ID", Type: schema.UUID}, {Name: "Header", Type: schema.UUID}, {Name: "Name", Type: schema.Varchar},
		},
	}
	// notes are lines without a version.
	notes = &schema.Table{
		Service: "sales", Name: "Notes", Scope: division, Key: []string{"ID"},
		Columns: []schema.Column{{Name: "ID", Type: schema.UUID}, {Name: "Header", Type: schema.UUID}, {Name: "Name", Type: schema.Varchar}},
	}
	kinds = []kind{
		{
			table: accounts, versioned: true,
			row:   func(c came, version, _ any) []any { return []any{version, id(c.key), c.content, nil} },
			query: "SELECT _division, " + numbered("ID") + " AS k, coalesce(Timestamp, -1) AS v, -1 AS h, Name",
		}, {
			table: lines, versioned: true, lines: true,
			row:   func(c came, version, header any) []any { return []any{version, id(c.key), header, c.content} },
			query: "SELECT _division, " + numbered("ID") + " AS k, coalesce(Timestamp, -1) AS v, coalesce(" + numbered("Header") + ", -1) AS h, Name",
		}, {
			table: notes, lines: true,
			row:   func(c came, _, header any) []any { return []any{id(c.key), header, c.content} },
			query: "SELECT _division, " + numbered("ID") + " AS k, -1 AS v, coalesce(" + numbered("Header") + ", -1) AS h, Name",
		}, {
			table: items, // what is a version elsewhere is part of the content
			row:   func(c came, version, _ any) []any { return []any{strings.Repeat(" ", c.key), 1, c.content, version} },
			query: "SELECT _division, length(Code) AS k, coalesce(epoch_us(Changed), -1) AS v, -1 AS h, Name",
		},
	}
)

func numbered(column string) string { return "('0x' || right(" + column + "::VARCHAR, 4))::INTEGER" }

// row is a stored row as the model knows it.
type row struct {
	version, header int // -1: NULL
	content         string
	synced          time.Time
	run             string
	deleted         bool
}

// spot names a row: a table, a scope and a key.
type spot struct {
	table *schema.Table
	scope schema.Scope
	key   int
}

// tomb names a tombstone.
type tomb struct {
	entity int
	scope  schema.Scope
	key    int
}

// told is what is known of a tombstone.
type told struct {
	version int
	known   time.Time
}

// model does with Go maps what an apply is to do with the tables.
type model struct {
	rows    map[spot]row
	tombs   map[tomb]told
	epochs  map[schema.Scope]string // of the tombstones
	whole   map[streamScope]bool    // whether there is a cursor, and is complete
	follows map[*schema.Table]bool  // as the last read of a table said
	soft    bool
	now     time.Time
	run     string
}

func newModel() *model {
	return &model{
		rows: map[spot]row{}, tombs: map[tomb]told{}, epochs: map[schema.Scope]string{},
		whole: map[streamScope]bool{}, follows: map[*schema.Table]bool{},
	}
}

// came is a spooled row, or a tombstone of an entity.
type came struct {
	key, version, header int
	entity               int
	content              string
	out                  bool
}

func newest(rows []came, versioned bool) map[int]came {
	best := map[int]came{}
	for _, r := range rows {
		if old, ok := best[r.key]; !ok || !versioned || r.version >= old.version {
			best[r.key] = r
		}
	}
	return best
}

// apply returns what is expected of the result, and does it unless the guard refuses.
func (m *model) apply(r read, k kind, rows []came) (a Applied) {
	a = Applied{Stream: k.table.Service + "/" + k.table.Name, Scope: r.scope}
	for _, c := range rows {
		if !c.out {
			a.Read++
		}
	}
	best := newest(rows, k.versioned)
	m.bar(r, k, best)
	gone := m.sentOut(r, k, best)
	have, live := int64(0), int64(0)
	for p, old := range m.rows {
		if p.table != k.table || p.scope != r.scope {
			continue
		}
		if !old.deleted {
			have++
		}
		_, stays := best[p.key]
		if stays || r.mode == spool.Merge || r.mode == spool.Window || m.soft && old.deleted || r.mode == spool.Sweep && !old.synced.Before(r.began) {
			continue
		}
		gone[p] = true
		if !old.deleted {
			live++
		}
	}
	if (have > 0 && live == have || live > 100 && 5*live > have) && !r.accept {
		a.Suspect = &Shrink{Table: k.table.FullName(), Stream: a.Stream, Scope: r.scope, Have: have, Gone: live}
		return a
	}
	m.remove(gone, &a)
	m.store(r, k, best, &a)
	m.move(r, a)
	return a
}

// move is what becomes of the cursor.
func (m *model) move(r read, a Applied) {
	at := streamScope{a.Stream, r.scope}
	whole, known := m.whole[at]
	switch {
	case r.mode == spool.Merge || r.mode == spool.Replace:
		m.whole[at] = true
	case r.mode == spool.Sweep && known && a.Missed > 0 && r.reload:
		m.whole[at] = false
	case known:
		m.whole[at] = whole
	}
}

// covered tells whether a tombstone is known of a key, and is not older than a row.
func (m *model) covered(r read, k kind, t tomb, c came) bool {
	g, ok := m.tombs[t]
	return ok && (!k.versioned || g.version >= c.version) && (r.mode != spool.Replace || !g.known.Before(r.began))
}

// bar takes away rows that were deleted, and marks lines that went with their header.
func (m *model) bar(r read, k kind, best map[int]came) {
	for key, c := range best {
		if k.table.Entity != 0 && m.covered(r, k, tomb{int(k.table.Entity), r.scope, key}, c) {
			delete(best, key)
		} else if k.lines && r.follow.HeaderKey != "" && r.mode != spool.Sweep && m.covered(r, k, tomb{2, r.scope, c.header}, c) {
			c.out = true
			best[key] = c
		}
	}
}

// sentOut takes away the marked rows, and says which stored ones they remove.
func (m *model) sentOut(r read, k kind, best map[int]came) map[spot]bool {
	gone := map[spot]bool{}
	for key, c := range best {
		if !c.out {
			continue
		}
		delete(best, key)
		p := spot{k.table, r.scope, key}
		old, known := m.rows[p]
		newer := !k.versioned || old.version < c.version
		if known && newer && (r.mode == spool.Merge || r.mode == spool.Window) && (!m.soft || !old.deleted) {
			gone[p] = true
		}
	}
	return gone
}

func (m *model) remove(gone map[spot]bool, a *Applied) {
	for p := range gone {
		a.Deleted++
		if old := m.rows[p]; m.soft {
			old.deleted, old.synced, old.run = true, m.now, m.run
			m.rows[p] = old
		} else {
			delete(m.rows, p)
		}
	}
}

func (m *model) store(r read, k kind, best map[int]came, a *Applied) {
	for key, c := range best {
		p := spot{k.table, r.scope, key}
		old, known := m.rows[p]
		stays := known && !old.deleted
		switch {
		case r.mode == spool.Sweep && !k.versioned:
		case r.mode == spool.Replace || !k.versioned:
			stays = stays && old.content == c.content && old.version == c.version && old.header == c.header
		default:
			stays = stays && old.version >= c.version
		}
		switch {
		case stays:
			continue
		case r.mode == spool.Sweep:
			a.Missed++
			continue
		case known:
			a.Updated++
		default:
			a.Inserted++
		}
		m.rows[p] = row{version: c.version, header: c.header, content: c.content, synced: m.now, run: m.run}
	}
}

// bury is what tombstones do: those that are told for the first time, or with a later version, remove
// their rows, and the lines of those that follow. In another epoch every version counts as later.
func (m *model) bury(scope schema.Scope, epoch string, rows []came) (a Applied) {
	a = Applied{Stream: "_exactduck/tombstones", Scope: scope, Read: int64(len(rows))}
	renumbered := m.epochs[scope] != "" && m.epochs[scope] != epoch
	m.epochs[scope] = epoch
	m.whole[streamScope{a.Stream, scope}] = true
	best := map[tomb]came{}
	for _, c := range rows {
		t := tomb{c.entity, scope, c.key}
		if old, ok := best[t]; !ok || c.version >= old.version {
			best[t] = c
		}
	}
	gone := map[spot]bool{}
	for t, c := range best {
		old, known := m.tombs[t]
		switch {
		case known && (old.version == c.version || old.version > c.version && !renumbered):
			continue
		case known:
			a.Updated++
		default:
			a.Inserted++
		}
		m.tombs[t] = told{c.version, m.now}
		for p, r := range m.rows {
			own := int(p.table.Entity) == t.entity && p.key == t.key
			line := m.follows[p.table] && t.entity == 2 && r.header == t.key
			versioned := p.table.Version != ""
			if p.scope == scope && (own || line) && (!versioned || r.version <= c.version) && (!m.soft || !r.deleted) {
				gone[p] = true
			}
		}
	}
	m.remove(gone, &a)
	return a
}

// dump is what the model holds of a table, in the words of the kind's query.
func (m *model) dump(k kind) (all []string) {
	spots := slices.SortedFunc(maps.Keys(m.rows), func(x, y spot) int {
		return cmp.Or(strings.Compare(string(x.scope), string(y.scope)), x.key-y.key)
	})
	for _, p := range spots {
		if r := m.rows[p]; p.table == k.table {
			all = append(all, fmt.Sprintf("%s|%d|%d|%d|%s|%s|%s|%v", p.scope, p.key, r.version, r.header, r.content, r.synced.Format(time.DateTime), r.run, r.deleted))
		}
	}
	return all
}

// dumpTombs is every tombstone that was told.
func (m *model) dumpTombs() (all []string) {
	for t, g := range m.tombs {
		all = append(all, fmt.Sprintf("%s|%d|%d|%d", t.scope, t.entity, t.key, g.version))
	}
	slices.Sort(all)
	return all
}

// live counts the rows that a cursor should speak of.
func (m *model) live(stream string, scope schema.Scope) (n int) {
	for p, r := range m.rows {
		if p.table.Service+"/"+p.table.Name == stream && p.scope == scope && !r.deleted {
			n++
		}
	}
	for t := range m.tombs {
		if stream == "_exactduck/tombstones" && t.scope == scope {
			n++
		}
	}
	return n
}
