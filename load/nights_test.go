package load

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"exactduck/load/spool"
	"exactduck/schema"
)

// journal is a table of documents that is wide enough for its file to grow.
var journal = &schema.Table{
	Service: "financial", Name: "Journal", Scope: division, Key: []string{"ID"}, Version: "Timestamp", Entity: 9,
	Columns: []schema.Column{
		{Name: "Timestamp", Type: schema.BigInt},
		{Name: "ID", Type: schema.UUID},
		{Name: "Date", Type: schema.Timestamp},
		{Name: "AmountDC", Type: schema.Decimal},
		{Name: "Description", Type: schema.Varchar},
		{Name: "Notes", Type: schema.Varchar},
	},
}

// almanac plays the nights of a journal of which 1 in 100 rows changes every day.
type almanac struct {
	*books
	r         *rand.Rand
	version   int
	rows      int // numbered from 0; some are gone
	compacted int
}

func (a *almanac) row(n int) []any {
	a.version++
	year := 2018 + n%8
	day := time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, n%365)
	return []any{
		a.version, bigID(n), int(day.UnixMicro()), a.r.IntN(1e9), fmt.Sprintf("line %d of %s", n, a.words(2)), a.words(6),
	}
}

// words are a text such as people write.
func (a *almanac) words(n int) string {
	vocabulary := []string{"invoice", "credit note", "bakery", "of", "the", "delivery", "in", "March", "rent", "correction", "fuel", "Vermeer", "2024", "paid", "by", "bank"}
	text := ""
	for range n {
		text += vocabulary[a.r.IntN(len(vocabulary))] + " " + strconv.Itoa(a.r.IntN(1000)) + " "
	}
	return text
}

// changes are new states of 1 in 100 rows and some rows that are new, and the keys of some that are gone.
func (a *almanac) changes() (changed, gone [][]any) {
	for range a.rows / 100 {
		changed = append(changed, a.row(a.r.IntN(a.rows)))
	}
	for range a.rows / 1000 {
		a.version++
		gone = append(gone, []any{a.version, 9, bigID(a.r.IntN(a.rows))})
		changed = append(changed, a.row(a.rows))
		a.rows++
	}
	return changed, gone
}

func (a *almanac) night(n int, changed, gone [][]any) Published {
	a.t.Helper()
	run := fmt.Sprintf("r%d", n)
	a.moment = a.moment.AddDate(0, 0, 1)
	a.apply(run, read{table: journal, scope: "7", mode: spool.Merge, rows: changed, size: 1000})
	if len(gone) > 0 {
		a.apply(run, read{table: deletions, scope: "7", mode: spool.Merge, rows: gone, size: 1000})
	}
	p := a.publishTo(Target{
		DuckDB: filepath.Join(a.dir, "warehouse.duckdb"), Parquet: filepath.Join(a.dir, "lake"), Partition: ByYear, Keep: 1, RunID: run,
	})
	if p.Compacted != nil {
		a.t.Logf("night %d: compacted from %d to %d bytes", n, p.Compacted.Before, p.Compacted.After)
		a.compacted++
	}
	return p
}

// check fails the test unless the file is lean, the lake equals it, and rows that did not change are
// those of the night before to the letter.
func (a *almanac) check(t *testing.T, n int) (size, fresh int64) {
	t.Helper()
	path := filepath.Join(a.dir, "warehouse.duckdb")
	info := must(os.Stat(path))(t)
	anew := filepath.Join(t.TempDir(), "fresh.duckdb")
	query(t, "ATTACH "+literal(path)+" AS held (READ_ONLY); ATTACH "+literal(anew)+" AS fresh; COPY FROM DATABASE held TO fresh; CHECKPOINT fresh; SELECT ''")
	size, fresh = info.Size(), must(os.Stat(anew))(t).Size()
	const blocks = 4 * 256 << 10 // by which the estimate may be wrong, of a file as small as this
	if size > max(fresh*13/10, fresh+idle+blocks) {
		t.Errorf("night %d: the file has %d bytes, and a fresh one %d (%+v)", n, size, fresh, a.noted())
	}
	a.lakeEqualsTables()
	older := must(filepath.Glob(filepath.Join(a.dir, "warehouse_*.duckdb")))(t)
	if len(older) != min(n, 1) {
		t.Fatalf("night %d: kept %v", n, older)
	}
	if n > 0 {
		moved := query(t, "ATTACH "+literal(path)+" AS n (READ_ONLY); ATTACH "+literal(older[0])+` AS o (READ_ONLY);
			SELECT count(*)::VARCHAR FROM n.financial.Journal n JOIN o.financial.Journal o USING (ID)
			WHERE n.Timestamp = o.Timestamp AND n <> o`)
		if moved[0] != "0" {
			t.Errorf("night %d: %s rows moved that did not change", n, moved[0])
		}
	}
	return size, fresh
}

// TestNights plays many nights of changes: the file stays lean, the lake equal, and what did not change
// is not touched.
func TestNights(t *testing.T) {
	t.Parallel()
	nights, rows, every := 20, 12_000, 10 // night to be looked at
	if os.Getenv("EXACTDUCK_LONG") != "" {
		nights, rows, every = 365, 120_000, 1
	}
	a := &almanac{books: newBooks(t), r: rand.New(rand.NewPCG(5, 5)), rows: rows}
	var all [][]any
	for n := range rows {
		all = append(all, a.row(n))
	}
	a.night(0, all, nil)
	a.check(t, 0)
	worst := 0.0
	for n := 1; n <= nights && !t.Failed(); n++ {
		if n%7 == 0 { // a day on which one row changes
			if p := a.night(n, [][]any{a.row(a.rows)}, nil); p.Files-p.Reused != 1 {
				t.Errorf("night %d: %d of %d files were written for one row", n, p.Files-p.Reused, p.Files)
			}
			a.rows++
		} else {
			changed, gone := a.changes()
			a.night(n, changed, gone)
		}
		if n%every != 0 {
			continue
		}
		size, fresh := a.check(t, n)
		worst = max(worst, float64(size)/float64(fresh))
		if n%25 == 0 {
			t.Logf("night %d: %d bytes, fresh %d, compacted %d times", n, size, fresh, a.compacted)
		}
	}
	t.Logf("%d nights: at most %.2f times a fresh file, compacted %d times", nights, worst, a.compacted)
	if a.compacted > nights*2/3 {
		t.Errorf("compacted on %d of %d nights", a.compacted, nights)
	}
}
