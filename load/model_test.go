package load

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"exactduck/load/spool"
	"exactduck/schema"
)

// row is a stored row as the model knows it.
type row struct {
	version int // -1: NULL
	content string
	synced  time.Time
	run     string
	deleted bool
}

// place names a row: a scope and a key, as text.
type place struct {
	scope schema.Scope
	key   string
}

// model does with Go maps what an apply is to do with the table.
type model struct {
	rows   map[place]row
	graves map[place]grave1
	soft   bool
	now    time.Time
	run    string
}

// grave1 is the tombstone of a key.
type grave1 struct {
	version int
	known   time.Time
}

// came is a spooled row.
type came struct {
	key     string
	version int
	content string
}

func newest(rows []came, versioned bool) map[string]came {
	best := map[string]came{}
	for _, r := range rows {
		if old, ok := best[r.key]; !ok || !versioned || r.version >= old.version {
			best[r.key] = r
		}
	}
	return best
}

// apply returns what is expected of the result, and whether the guard lets it pass.
func (m *model) apply(r read, versioned bool, rows []came) (a Applied) {
	a = Applied{Stream: r.table.Service + "/" + r.table.Name, Scope: r.scope, Read: int64(len(rows))}
	best := newest(rows, versioned)
	if versioned {
		m.bar(r, best)
	}
	gone := map[place]bool{}
	have, live := int64(0), int64(0)
	for p, old := range m.rows {
		if p.scope != r.scope {
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
		a.Suspect = &Shrink{Table: r.table.FullName(), Stream: r.table.Service + "/" + r.table.Name, Scope: r.scope, Have: have, Gone: live}
		return a
	}
	m.remove(gone, &a)
	m.store(r, versioned, best, &a)
	return a
}

func (m *model) bar(r read, best map[string]came) {
	for key, c := range best {
		g, ok := m.graves[place{r.scope, key}]
		if ok && g.version >= c.version && (r.mode != spool.Replace || !g.known.Before(r.began)) {
			delete(best, key)
		}
	}
}

func (m *model) remove(gone map[place]bool, a *Applied) {
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

func (m *model) store(r read, versioned bool, best map[string]came, a *Applied) {
	for key, c := range best {
		p := place{r.scope, key}
		old, known := m.rows[p]
		stays := known && !old.deleted
		switch {
		case r.mode == spool.Sweep && !versioned:
		case r.mode == spool.Replace || !versioned:
			stays = stays && old.content == c.content && old.version == c.version
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
		m.rows[p] = row{version: c.version, content: c.content, synced: m.now, run: m.run}
	}
}

// bury is what tombstones do to a table.
func (m *model) bury(scope schema.Scope, rows []came) (a Applied) {
	a = Applied{Stream: "_exactduck/tombstones", Scope: scope, Read: int64(len(rows))}
	gone := map[place]bool{}
	for key, c := range newest(rows, true) {
		p := place{scope, key}
		if old, known := m.graves[p]; known && old.version >= c.version {
			continue
		} else if known {
			a.Updated++
		} else {
			a.Inserted++
		}
		m.graves[p] = grave1{c.version, m.now}
		if old, ok := m.rows[p]; ok && old.version <= c.version && (!m.soft || !old.deleted) {
			gone[p] = true
		}
	}
	m.remove(gone, &a)
	return a
}

func (m *model) dump() (lines []string) {
	for _, p := range slices.SortedFunc(maps.Keys(m.rows), func(x, y place) int {
		return cmp.Or(strings.Compare(string(x.scope), string(y.scope)), strings.Compare(x.key, y.key))
	}) {
		r := m.rows[p]
		lines = append(lines, fmt.Sprintf("%s|%s|%d|%s|%s|%s|%v", p.scope, p.key, r.version, r.content, r.synced.Format(time.DateTime), r.run, r.deleted))
	}
	return lines
}

// TestModel applies random reads of all modes, several scopes at once, and compares every row,
// every result and every cursor with what the model says, after each of them. It applies some of
// the spools twice, and closes and opens the warehouse in between.
func TestModel(t *testing.T) {
	rounds := 40
	if os.Getenv("EXACTDUCK_LONG") != "" {
		rounds = 3000
	}
	for _, versioned := range []bool{true, false} {
		seed := uint64(20261121)
		t.Run(fmt.Sprintf("versioned=%v,seed=%d", versioned, seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			b := newBooks(t)
			m := &model{rows: map[place]row{}, graves: map[place]grave1{}}
			for n := range rounds {
				round(t, r, b, m, versioned, n)
				if t.Failed() {
					t.Fatalf("in round %d", n)
				}
			}
		})
	}
}

func round(t *testing.T, r *rand.Rand, b *books, m *model, versioned bool, n int) {
	b.tick()
	if r.IntN(20) == 0 {
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		b.open()
	}
	m.now, m.run, m.soft = b.moment, fmt.Sprint("r", n), r.IntN(3) == 0
	batch := Batch{Run: m.run, Soft: m.soft}
	var want []Applied
	table := items
	if versioned {
		table = accounts
	}
	mode := []spool.Mode{spool.Merge, spool.Merge, spool.Replace, spool.Window, spool.Sweep}[r.IntN(5)]
	buries := versioned && r.IntN(4) == 0
	for _, scope := range []schema.Scope{"7", "8", "9"} {
		if r.IntN(3) == 0 {
			continue
		}
		x := read{table: table, scope: scope, mode: mode, size: 1 + r.IntN(9), accept: r.IntN(2) == 0, next: schema.Position(m.run)}
		x.began = b.moment.Add(-time.Duration(r.IntN(4)) * time.Minute)
		rows := randomRows(r, mode)
		if buries {
			x.table, x.mode = deletions, spool.Merge
			want = append(want, m.bury(scope, rows))
		} else {
			want = append(want, m.apply(x, versioned, rows))
		}
		x.rows = spooledRows(x, versioned, rows)
		if mode == spool.Sweep && !buries {
			x.table = table.Keys()
		}
		batch.Parts = append(batch.Parts, Part{File: b.spool(x), Accept: x.accept})
	}
	if d := gocmp.Diff(want, b.applyBatch(batch)); d != "" && len(want) > 0 {
		t.Errorf("result (-model +warehouse):\n%s", d)
	}
	compareWithModel(t, b, m, versioned)
	if r.IntN(3) == 0 {
		generation := b.query("SELECT value FROM _exactduck.meta WHERE key = 'generation'")
		again := b.applyBatch(batch)
		for i, a := range again {
			if a.Suspect == nil && !a.Already && a.Inserted+a.Updated+a.Deleted+a.Missed != 0 {
				t.Errorf("again: %s, first: %s", result(a), result(want[i]))
			}
		}
		compareWithModel(t, b, m, versioned)
		if after := b.query("SELECT value FROM _exactduck.meta WHERE key = 'generation'"); !slices.Equal(generation, after) {
			t.Errorf("applying again raised the generation from %s to %s", generation, after)
		}
	}
	for _, p := range batch.Parts {
		if err := p.File.Remove(); err != nil {
			t.Fatal(err)
		}
	}
}

// randomRows draws from few keys and versions, so that they meet.
func randomRows(r *rand.Rand, mode spool.Mode) (rows []came) {
	keys := 6 + r.IntN(6)
	for k := range keys {
		for range r.IntN(3) {
			c := came{key: fmt.Sprint(k), version: r.IntN(12) - 1, content: fmt.Sprint(r.IntN(3))}
			if mode == spool.Sweep {
				c.content = ""
			}
			rows = append(rows, c)
		}
	}
	r.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	return rows
}

func spooledRows(x read, versioned bool, rows []came) (out [][]any) {
	for _, c := range rows {
		var version any
		if c.version >= 0 {
			version = c.version
		}
		n := int(c.key[0])
		if len(c.key) > 1 {
			n = 100 + int(c.key[1])
		}
		switch {
		case x.table == deletions:
			out = append(out, []any{version, 2, id(n)})
		case versioned:
			out = append(out, []any{version, id(n), c.content, nil})
		default: // no version to compare: it is part of the content
			out = append(out, []any{strings.Repeat(" ", n), 1, c.content, version})
		}
	}
	if x.mode == spool.Sweep {
		out = keysOf(out)
	}
	return out
}

func compareWithModel(t *testing.T, b *books, m *model, versioned bool) {
	t.Helper()
	query := `SELECT _division, n, version, Name, _synced_at::TIMESTAMP, _run_id, _deleted_at IS NOT NULL FROM (
		SELECT *, CASE WHEN drawn < 100 THEN chr(drawn) ELSE '1' || chr(drawn - 100) END AS n FROM (%s)) ORDER BY _division, n`
	from := `SELECT *, length(Code) ::INTEGER AS drawn, coalesce(epoch_us(Changed), -1) AS version FROM logistics.Items`
	if versioned {
		from = `SELECT *, ('0x' || right(ID::VARCHAR, 4))::INTEGER AS drawn, coalesce(Timestamp, -1) AS version FROM crm.Accounts`
	}
	if len(m.rows) == 0 && b.query("SELECT count(*) FROM duckdb_tables() WHERE table_name IN ('Accounts', 'Items')")[0] == "0" {
		return
	}
	if d := gocmp.Diff(m.dump(), b.query(fmt.Sprintf(query, from))); d != "" {
		t.Errorf("rows (-model +warehouse):\n%s", d)
	}
	live := map[schema.Scope]int{}
	for p, r := range m.rows {
		if !r.deleted {
			live[p.scope]++
		}
	}
	for _, line := range b.query("SELECT scope, rows FROM _exactduck.cursors WHERE table_name <> '_exactduck.tombstones' AND run_id = ?", m.run) {
		scope, rows, _ := strings.Cut(line, "|")
		if rows != fmt.Sprint(live[schema.Scope(scope)]) {
			t.Errorf("the cursor of %s says %s rows, there are %d", scope, rows, live[schema.Scope(scope)])
		}
	}
}
