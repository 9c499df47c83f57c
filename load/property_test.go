package load

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"exactduck/load/spool"
	"exactduck/schema"
)

// TestModel applies random reads of all modes, with rows that a filter lets go and lines that go with
// their headers, and random deletions, several scopes at once, and compares every row of all tables,
// every tombstone, every result and every cursor with what the model says, after each of them. It
// applies some of the spools twice or late, and closes and opens the warehouse in between.
func TestModel(t *testing.T) {
	rounds, seeds := 60, uint64(2)
	if os.Getenv("EXACTDUCK_LONG") != "" {
		rounds, seeds = 1000, 4
	}
	for seed := range seeds {
		t.Run(fmt.Sprintf("seed=%d", 20261121+seed), func(t *testing.T) {
			p := &property{t: t, dice: rand.New(rand.NewPCG(20261121+seed, 1)), b: newBooks(t), m: newModel()}
			for p.n = range rounds {
				p.round()
				if t.Failed() {
					t.Fatalf("in round %d", p.n)
				}
			}
		})
	}
}

// property is the test on its way.
type property struct {
	t    *testing.T
	dice *rand.Rand
	b    *books
	m    *model
	n    int
	late []waiting
}

// waiting is a batch that was spooled and is applied some rounds later.
type waiting struct {
	kind  kind
	reads []read
	rows  [][]came
	batch Batch
}

func (p *property) round() {
	p.b.tick()
	if p.dice.IntN(20) == 0 {
		if err := p.b.Close(); err != nil {
			p.t.Fatal(err)
		}
		p.b.open()
	}
	p.m.now, p.m.run, p.m.soft = p.b.moment, fmt.Sprint("r", p.n), p.dice.IntN(3) == 0
	if p.n > 3 && p.dice.IntN(4) == 0 {
		p.bury()
		return
	}
	p.late = append(p.late, p.spool())
	if p.n < len(kinds) || p.dice.IntN(3) > 0 { // else it waits, and what was read before a deletion comes after it
		i := p.dice.IntN(len(p.late))
		w := p.late[i]
		p.late = slices.Delete(p.late, i, i+1)
		p.apply(w)
	}
}

// spool reads one table in some scopes. The first rounds make each table known.
func (p *property) spool() (w waiting) {
	w.kind = kinds[p.dice.IntN(len(kinds))]
	mode := []spool.Mode{spool.Merge, spool.Merge, spool.Merge, spool.Replace, spool.Window, spool.Sweep}[p.dice.IntN(6)]
	if p.n < len(kinds) {
		w.kind, mode = kinds[p.n], spool.Merge
	}
	follow := Follow{}
	if w.kind.lines && p.dice.IntN(4) > 0 {
		follow = Follow{HeaderTable: "crm.Accounts", HeaderKey: "Header", Entity: 2 * int32(p.dice.IntN(2))}
	}
	for _, scope := range []schema.Scope{"7", "8", "9"} {
		if p.n >= len(kinds) && p.dice.IntN(3) == 0 {
			continue
		}
		x := read{table: w.kind.table, scope: scope, mode: mode, size: 1 + p.dice.IntN(9), follow: follow}
		x.accept, x.reload, x.next = p.dice.IntN(2) == 0, p.dice.IntN(2) == 0, schema.Position(p.m.run)
		x.began = p.b.moment.Add(-time.Duration(p.dice.IntN(4)) * time.Minute)
		rows := p.rows(w.kind, mode)
		w.reads, w.rows = append(w.reads, x), append(w.rows, rows)
		w.batch.Parts = append(w.batch.Parts, Part{File: p.file(x, w.kind, rows), Accept: x.accept, ReloadMissed: x.reload, Follow: follow})
	}
	return w
}

// rows are drawn from few keys, headers and versions, so that they meet.
func (p *property) rows(k kind, mode spool.Mode) (rows []came) {
	for key := range 6 + p.dice.IntN(6) {
		for range p.dice.IntN(3) {
			c := came{key: key, version: p.dice.IntN(12) - 1, header: -1, content: fmt.Sprint(p.dice.IntN(3))}
			if k.lines {
				c.header = p.dice.IntN(9) - 1
			}
			if k.table == notes {
				c.version = -1
			}
			if mode == spool.Sweep {
				c.content = ""
			} else {
				c.out = p.dice.IntN(6) == 0
			}
			rows = append(rows, c)
		}
	}
	p.dice.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	return rows
}

func (p *property) file(x read, k kind, rows []came) *spool.File {
	var out []bool
	for _, c := range rows {
		var version, header any
		if c.version >= 0 {
			version = c.version
		}
		if c.header >= 0 {
			header = id(c.header)
		}
		x.rows, out = append(x.rows, k.row(c, version, header)), append(out, c.out)
	}
	if x.mode == spool.Sweep {
		for i, r := range x.rows {
			x.rows[i] = r[:len(k.table.Keys().Columns)]
		}
		x.table = k.table.Keys()
	}
	x.tell = func(page *schema.Page) {
		if marks := out[:page.Rows]; slices.Contains(marks, true) {
			page.Out = marks
		}
		out = out[page.Rows:]
	}
	return p.b.spool(x)
}

func (p *property) apply(w waiting) {
	p.t.Helper()
	var want []Applied
	for i, x := range w.reads {
		if x.mode != spool.Sweep {
			p.m.follows[x.table] = x.follow.HeaderKey != ""
		}
		want = append(want, p.m.apply(x, w.kind, w.rows[i]))
	}
	p.check(want, w.batch)
}

// bury tells of deletions in some scopes, now and then in a new epoch.
func (p *property) bury() {
	p.t.Helper()
	var want []Applied
	var batch Batch
	for _, scope := range []schema.Scope{"7", "8", "9"} {
		if p.dice.IntN(2) == 0 {
			continue
		}
		x := read{table: deletions, scope: scope, mode: spool.Merge, size: 1 + p.dice.IntN(9), began: p.b.moment, epoch: p.m.epochs[scope]}
		if x.epoch == "" || p.dice.IntN(8) == 0 {
			x.epoch = p.m.run
		}
		var rows []came
		for range p.dice.IntN(5) {
			c := came{entity: 2 + p.dice.IntN(3), key: p.dice.IntN(11), version: p.dice.IntN(12) - 1}
			var version any
			if c.version >= 0 {
				version = c.version
			}
			rows, x.rows = append(rows, c), append(x.rows, []any{version, c.entity, id(c.key)})
		}
		want = append(want, p.m.bury(scope, x.epoch, rows))
		batch.Parts = append(batch.Parts, Part{File: p.b.spool(x)})
	}
	p.check(want, batch)
}

func (p *property) check(want []Applied, batch Batch) {
	p.t.Helper()
	batch.Run, batch.Soft = p.m.run, p.m.soft
	if d := gocmp.Diff(want, p.b.applyBatch(batch), cmpopts.IgnoreFields(Applied{}, "News")); d != "" && len(want) > 0 {
		p.t.Errorf("result (-model +warehouse):\n%s", d)
	}
	p.compare()
	if p.dice.IntN(3) == 0 {
		generation := p.b.query("SELECT value FROM _exactduck.meta WHERE key = 'generation'")
		for i, a := range p.b.applyBatch(batch) {
			if a.Suspect == nil && !a.Already && a.Inserted+a.Updated+a.Deleted != 0 {
				p.t.Errorf("again: %s, first: %s", result(a), result(want[i]))
			}
		}
		p.compare()
		if after := p.b.query("SELECT value FROM _exactduck.meta WHERE key = 'generation'"); !slices.Equal(generation, after) {
			p.t.Errorf("applying again raised the generation from %s to %s", generation, after)
		}
	}
	for _, part := range batch.Parts {
		if err := part.File.Remove(); err != nil {
			p.t.Fatal(err)
		}
	}
}

func (p *property) compare() {
	p.t.Helper()
	known := p.b.query("SELECT schema_name || '.' || table_name FROM duckdb_tables()")
	for _, k := range kinds {
		if !slices.Contains(known, k.table.FullName()) {
			continue
		}
		rows := p.b.query(k.query + ", _synced_at::TIMESTAMP, _run_id, _deleted_at IS NOT NULL FROM " + k.table.FullName() + " ORDER BY _division, k")
		if d := gocmp.Diff(p.m.dump(k), rows); d != "" {
			p.t.Errorf("rows of %s (-model +warehouse):\n%s", k.table.Name, d)
		}
	}
	if slices.Contains(known, tombstones) {
		rows := p.b.query("SELECT _division || '|' || EntityType || '|' || " + numbered("EntityKey") + " || '|' || coalesce(Timestamp, -1) AS t FROM _exactduck.tombstones ORDER BY t")
		if d := gocmp.Diff(p.m.dumpTombs(), rows); d != "" {
			p.t.Errorf("tombstones (-model +warehouse):\n%s", d)
		}
	}
	cursors := p.b.query("SELECT stream, scope, complete, rows FROM _exactduck.cursors")
	for _, line := range cursors {
		part := strings.Split(line, "|")
		at := streamScope{part[0], schema.Scope(part[1])}
		if want := fmt.Sprint(p.m.whole[at], p.m.live(at.stream, at.scope)); part[2]+" "+part[3] != want {
			p.t.Errorf("the cursor of %v says complete and rows %s %s, want %s", at, part[2], part[3], want)
		}
	}
	if len(cursors) != len(p.m.whole) {
		p.t.Errorf("there are %d cursors, want %d", len(cursors), len(p.m.whole))
	}
}
