package load

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"exactduck/load/spool"
	"exactduck/schema"
)

// wideTable has 85 columns, mixed as in a bookkeeping entity.
func wideTable() *schema.Table {
	t := &schema.Table{
		Service: "bulk", Name: "Lines", Scope: division, Key: []string{"ID"}, Version: "Timestamp",
		Columns: []schema.Column{{Name: "Timestamp", Type: schema.BigInt}, {Name: "ID", Type: schema.UUID}},
	}
	for _, kind := range []struct {
		schema.Type
		count int
	}{{schema.UUID, 14}, {schema.Varchar, 30}, {schema.Decimal, 10}, {schema.Double, 4}, {schema.Integer, 10}, {schema.Timestamp, 9}, {schema.Boolean, 6}} {
		for i := range kind.count {
			t.Columns = append(t.Columns, schema.Column{Name: fmt.Sprintf("%s%d", strings.ToLower(kind.String()[:3]), i), Type: kind.Type})
		}
	}
	return t
}

// widePage is a page and the answer of the source from which it could have come.
func widePage(b *testing.B, r *rand.Rand, t *schema.Table, first, rows int) (*schema.Page, []byte) {
	p := schema.NewPage(t, "7", rows)
	p.Rows = rows
	var text []byte
	text = append(text, `{"d":{"results":[`...)
	for n := range rows {
		for i, c := range t.Columns {
			sep := `,"`
			if i == 0 {
				if sep = `,{"`; n == 0 {
					sep = `{"`
				}
			}
			text = append(append(append(text, sep...), c.Name...), `":`...)
			text = append(text, wideValue(b, r, &p.Columns[i], first+n, i)...)
		}
		text = append(text, '}')
		p.Extra.AppendNull()
	}
	return p, append(text, "]}}"...)
}

func wideValue(b *testing.B, r *rand.Rand, v *schema.Vector, n, column int) string {
	if column > 1 && r.IntN(100) < column%8*10 {
		v.AppendNull()
		return "null"
	}
	number := int64(r.IntN(1_000_000))
	switch v.Type {
	case schema.BigInt:
		v.AppendInt(int64(n + 1))
		return fmt.Sprintf(`"%d"`, n+1)
	case schema.UUID:
		id := uuid.NewSHA1(uuid.Nil, fmt.Append(nil, number%5000))
		if column == 1 {
			id = uuid.NewSHA1(uuid.Nil, fmt.Append(nil, "key", n))
		}
		v.AppendUUID(id)
		return `"` + id.String() + `"`
	case schema.Varchar:
		text := fmt.Sprintf("text %07d of a line, %03d", number, column)[:8+number%16]
		v.AppendText([]byte(text))
		quoted, err := json.Marshal(text)
		if err != nil {
			b.Fatal(err)
		}
		return string(quoted)
	case schema.Decimal:
		v.AppendInt(number * 100)
		return fmt.Sprintf("%d.%02d", number/100, number%100)
	case schema.Double:
		v.AppendFloat(float64(number) / 8)
		return fmt.Sprint(float64(number) / 8)
	case schema.Timestamp:
		v.AppendInt(number * 86_400_000_000)
		return fmt.Sprintf(`"\/Date(%d)\/"`, number*86_400_000)
	case schema.Boolean:
		v.AppendInt(number & 1)
		return fmt.Sprint(number&1 == 1)
	default:
		v.AppendInt(number)
		return fmt.Sprint(number)
	}
}

// BenchmarkApply spools pages of 85 columns and applies them, into an empty table and over rows
// that are there. The yardstick, in the same run on the same pages, is DuckDB's read_json with the
// same limits: x_read_json tells how many times faster this is,
// x_read_json_cpu how many times less processor time it takes. Not in it is the decoding of the
// JSON, which happens where the pages come from.
func BenchmarkApply(b *testing.B) {
	const pages, rows = 60, 1000
	t, r := wideTable(), rand.New(rand.NewPCG(1, 2))
	dir := b.TempDir()
	var all []*schema.Page
	for n := range pages {
		p, text := widePage(b, r, t, n*rows, rows)
		p.Done = n == pages-1
		all = append(all, p)
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%03d.json", n)), text, 0o600); err != nil {
			b.Fatal(err)
		}
	}
	yardstick := readJSON(b, t, filepath.Join(dir, "*.json"), pages*rows, 1)
	b.Run("empty", func(b *testing.B) {
		spent := time.Duration(0)
		for b.Loop() {
			b.StopTimer()
			w := newBooks(b)
			b.StartTimer()
			spent += cpu(b, func() { applyPages(b, w, t, all, "first", pages*rows) })
			b.StopTimer()
			w.Close()
			b.StartTimer()
		}
		report(b, pages*rows, yardstick, spent)
	})
	b.Run("replacing", func(b *testing.B) {
		w := newBooks(b)
		applyPages(b, w, t, all, "first", pages*rows)
		n, spent := 0, time.Duration(0)
		for b.Loop() {
			b.StopTimer()
			n++
			for _, p := range all {
				for i := range p.Columns[0].Ints {
					p.Columns[0].Ints[i] += pages * rows
				}
			}
			b.StartTimer()
			spent += cpu(b, func() { applyPages(b, w, t, all, fmt.Sprint("again", n), pages*rows) })
		}
		report(b, pages*rows, yardstick, spent)
	})
}

// cost is what one pass over the pages takes.
type cost struct{ wall, cpu time.Duration }

func report(b *testing.B, rows int, yardstick cost, spent time.Duration) {
	each := b.Elapsed() / time.Duration(b.N)
	b.ReportMetric(float64(rows)/each.Seconds(), "rows/s")
	b.ReportMetric(float64(yardstick.wall)/float64(each), "x_read_json")
	b.ReportMetric(float64(yardstick.cpu)*float64(b.N)/float64(spent), "x_read_json_cpu")
}

// cpu is the processor time that f uses, which a busy machine does not change.
func cpu(b *testing.B, f func()) time.Duration {
	used := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	before := used()
	f()
	return used() - before
}

func applyPages(b *testing.B, w *books, t *schema.Table, all []*schema.Page, id string, want int64) {
	b.Helper()
	f, err := spool.Create(filepath.Join(w.dir, "spool"), spool.Header{ID: id, Stream: "bulk/Lines", Scope: "7", Table: t, Mode: spool.Merge})
	if err != nil {
		b.Fatal(err)
	}
	for _, p := range all {
		if err := f.Append(p); err != nil {
			b.Fatal(err)
		}
	}
	a := w.applyBatch(Batch{Run: id, Parts: []Part{{File: f}}})[0]
	if a.Inserted+a.Updated != want {
		b.Fatalf("%s: want %d", result(a), want)
	}
	if err := f.Remove(); err != nil {
		b.Fatal(err)
	}
}

// readJSON is how long DuckDB takes to bring the same pages into a table of a database file.
func readJSON(b *testing.B, t *schema.Table, glob string, rows int64, threads int) (c cost) {
	b.Helper()
	db, err := sql.Open("duckdb", fmt.Sprintf("%s?threads=%d&memory_limit=1GB", filepath.Join(b.TempDir(), "yardstick.duckdb"), threads))
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	var fields, selected []string
	for _, c := range t.Columns {
		kind, value := c.Type.String(), "r."+identifier(c.Name)
		if c.Type == schema.Timestamp {
			kind, value = "VARCHAR", "make_timestamp("+value+"[7:-3]::BIGINT * 1000)"
		}
		fields, selected = append(fields, identifier(c.Name)+" "+kind), append(selected, value+" AS "+identifier(c.Name))
	}
	began := time.Now()
	c.cpu = cpu(b, func() {
		_, err = db.ExecContext(b.Context(), fmt.Sprintf(`CREATE TABLE lines AS SELECT %s FROM (
			SELECT unnest(d.results) AS r FROM read_json(%s, columns = {d: %s}, format = 'unstructured', maximum_object_size = 33554432))`,
			strings.Join(selected, ", "), literal(glob), literal("STRUCT(results STRUCT("+strings.Join(fields, ", ")+")[])")))
		if err == nil {
			_, err = db.ExecContext(b.Context(), "CHECKPOINT")
		}
	})
	c.wall = time.Since(began)
	if err != nil {
		b.Fatal(err)
	}
	var n int64
	if err := db.QueryRowContext(b.Context(), "SELECT count(*) FROM lines WHERE tim8 IS NOT NULL OR tim8 IS NULL").Scan(&n); err != nil || n != rows {
		b.Fatalf("the yardstick has %d rows: %v", n, err)
	}
	return c
}
