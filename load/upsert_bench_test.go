package load

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"exactduck/load/spool"
	"exactduck/schema"
)

func init() { children["upsert"] = upsertInChild }

// BenchmarkUpsert brings newer states of one row in ten into a table of a million rows of 85 columns, and
// of one in five into five million. The contenders, each in a process of its own, on the same rows and
// with the same limits, are the two statements that DuckDB has for it. x_best tells how long an apply takes
// compared with the faster of them, x_best_cpu how much processor time compared with the thriftier.
func BenchmarkUpsert(b *testing.B) {
	for _, all := range []bool{false, true} {
		b.Run(map[bool]string{false: "two columns", true: "all columns"}[all], func(b *testing.B) {
			dir := offerUpsert(b, 1_000_000, 10, all)
			contenders := []string{"apply", "merge", "merge unstaged", "replace"}
			best := map[string]outlay{}
			for b.Loop() {
				for _, how := range contenders {
					best[how] = best[how].or(runUpsert(b, dir, how))
				}
			}
			var rival outlay
			for _, how := range contenders {
				b.Logf("%s: %+v", how, best[how])
				if how != "apply" {
					rival = rival.or(best[how])
				}
			}
			b.ReportMetric(best["apply"].wall/rival.wall, "x_best")
			b.ReportMetric(best["apply"].cpu/rival.cpu, "x_best_cpu")
			b.ReportMetric(best["apply"].mib, "MiB")
		})
	}
	b.Run("large", func(b *testing.B) {
		dir := offerUpsert(b, 5_000_000, 5, true)
		for b.Loop() {
			took := runUpsert(b, dir, "apply")
			b.ReportMetric(took.wall, "wall-s")
			b.ReportMetric(took.mib, "MiB")
		}
	})
}

// outlay is what a contender needed: seconds and MiB, or why it did not get there.
type outlay struct {
	wall, cpu, mib float64
	failed         string
}

// or is the least of two, of which one may be none.
func (o outlay) or(other outlay) outlay {
	if o.wall == 0 || other.wall == 0 {
		return outlay{max(o.wall, other.wall), max(o.cpu, other.cpu), max(o.mib, other.mib), o.failed + other.failed}
	}
	return outlay{min(o.wall, other.wall), min(o.cpu, other.cpu), max(o.mib, other.mib), ""}
}

// offerUpsert makes a warehouse with a table of so many rows, and a spool of newer states of one in each
// step of them.
func offerUpsert(b *testing.B, rows, step int, all bool) (dir string) {
	b.Helper()
	w := newBooks(b)
	t := wideTable()
	w.apply("r1", read{table: t, scope: "7", mode: spool.Replace})
	values := []string{"7", "i", "('ab000000-0000-0000-0000-' || lpad(to_hex(i), 12, '0'))::UUID"}
	for _, c := range t.Columns[2:] {
		values = append(values, random(c.Type))
	}
	for first := 0; first < rows; first += 1_000_000 {
		_, err := w.db.ExecContext(b.Context(), fmt.Sprintf("INSERT INTO bulk.Lines SELECT %s, now(), 'r1', NULL, NULL FROM range(%d, %d) r(i)",
			strings.Join(values, ", "), first, first+1_000_000))
		if err == nil {
			_, err = w.db.ExecContext(b.Context(), "CHECKPOINT "+catalog)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	spoolNewer(b, w, t, rows, step, all)
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	return w.dir
}

// spoolNewer spools the stored rows with a newer version and another text and amount, or with
// other values in all columns.
func spoolNewer(b *testing.B, w *books, t *schema.Table, rows, step int, all bool) {
	b.Helper()
	if err := os.RemoveAll(filepath.Join(w.dir, "spool")); err != nil {
		b.Fatal(err)
	}
	f, err := spool.Create(filepath.Join(w.dir, "spool"), spool.Header{ID: "newer", Stream: "bulk/Lines", Scope: "7", Table: t, Mode: spool.Merge})
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	r := rand.New(rand.NewPCG(1, 2))
	stored, err := w.db.QueryContext(b.Context(), fmt.Sprintf("SELECT %s FROM bulk.Lines WHERE Timestamp %% %d = 3", asPut(t), step))
	if err != nil {
		b.Fatal(err)
	}
	defer stored.Close()
	const size = 1000
	for n := 0; n < rows/step; n += size {
		p := schema.NewPage(t, "7", size)
		p.Rows, p.Done = size, n+size >= rows/step
		for row := range size {
			if !stored.Next() {
				b.Fatal(stored.Err())
			}
			changed := func(column int) bool {
				return all || t.Columns[column].Name == "var0" || t.Columns[column].Name == "dec0"
			}
			addNewer(b, r, p, stored, rows+n+row, changed)
			p.Extra.AppendNull()
		}
		if err := f.Append(p); err != nil {
			b.Fatal(err)
		}
	}
}

// addNewer adds a stored row to a page, with another version and other values in some columns.
func addNewer(b *testing.B, r *rand.Rand, p *schema.Page, stored *sql.Rows, version int, changed func(int) bool) {
	b.Helper()
	values, into := make([]any, len(p.Columns)), make([]any, len(p.Columns))
	for i := range values {
		into[i] = &values[i]
	}
	if err := stored.Scan(into...); err != nil {
		b.Fatal(err)
	}
	for i := range p.Columns {
		v := &p.Columns[i]
		switch value := values[i].(type) {
		case int64:
			values[i] = int(value)
		case int32:
			values[i] = int(value)
		case []byte:
			values[i] = [16]byte(value)
		}
		switch {
		case i == 0:
			put(b, v, version)
		case i > 1 && changed(i):
			wideValue(b, r, v, version, i)
		default:
			put(b, v, values[i])
		}
	}
}

// asPut selects the columns of a table in the form in which vectors hold them.
func asPut(t *schema.Table) string {
	var list []string
	for _, c := range t.Columns {
		name := identifier(c.Name)
		switch c.Type {
		case schema.Decimal:
			name = "(" + name + " * 10000)::BIGINT"
		case schema.Timestamp:
			name = "epoch_us(" + name + ")"
		case schema.Boolean:
			name += "::BIGINT"
		}
		list = append(list, name)
	}
	return strings.Join(list, ", ")
}

// runUpsert lets a contender work on a copy.
func runUpsert(b *testing.B, dir, how string) (o outlay) {
	b.Helper()
	b.StopTimer()
	defer b.StartTimer()
	work := b.TempDir()
	if err := os.CopyFS(work, os.DirFS(dir)); err != nil {
		b.Fatal(err)
	}
	defer os.RemoveAll(work)
	syscall.Sync() // so that no contender waits for what another has written
	c := spawn(b, "upsert", "EXACTDUCK_DIR="+work, "EXACTDUCK_HOW="+how)
	text, err := c.Output()
	if err != nil {
		return outlay{failed: err.Error()}
	}
	if _, err := fmt.Sscan(string(text), &o.wall, &o.cpu, &o.mib); err != nil {
		b.Fatal(err)
	}
	return o
}

// upsertInChild brings the spool of EXACTDUCK_DIR into its warehouse, as EXACTDUCK_HOW says, until
// all is in the file.
func upsertInChild() (err error) {
	ctx, dir := context.Background(), os.Getenv("EXACTDUCK_DIR")
	w, err := Open(ctx, Options{StateDir: filepath.Join(dir, "state")})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	paths, err := spool.List(filepath.Join(dir, "spool"))
	if err != nil {
		return err
	}
	f, err := spool.Open(paths[0])
	if err != nil {
		return err
	}
	defer f.Close()
	began, before := time.Now(), usage()
	if how := os.Getenv("EXACTDUCK_HOW"); how == "apply" {
		_, err = w.Apply(ctx, Batch{Run: "r2", Parts: []Part{{File: f}}})
	} else {
		err = w.rival(ctx, f, how)
	}
	if err != nil {
		return err
	}
	if _, err := w.db.ExecContext(ctx, "CHECKPOINT "+catalog); err != nil {
		return err
	}
	after := usage()
	fmt.Fprintln(os.Stdout, time.Since(began).Seconds(), (after.time - before.time).Seconds(), after.mib)
	return nil
}

// used is what a process has needed until now.
type used struct {
	time time.Duration
	mib  float64
}

func usage() (u used) {
	var r syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &r) == nil {
		u.time = time.Duration(r.Utime.Nano() + r.Stime.Nano())
	}
	text, _ := os.ReadFile("/proc/self/status") // where there is none, nothing is told of memory
	if _, after, found := strings.Cut(string(text), "VmHWM:"); found {
		_, _ = fmt.Sscan(after, &u.mib)
		u.mib /= 1024
	}
	return u
}

// rival does with one statement of DuckDB's what an apply does, without looking whether a key came
// twice, whether it was deleted or how much goes.
func (w *Warehouse) rival(ctx context.Context, f *spool.File, how string) error {
	if err := w.pages.register(ctx, w.db); err != nil {
		return err
	}
	t := f.Header().Table
	names, set, columns := []string{"_division"}, []string{}, []string{"_division"}
	for _, c := range t.Columns {
		names, columns = append(names, c.Name), append(columns, identifier(c.Name))
		set = append(set, identifier(c.Name)+" = s."+identifier(c.Name))
	}
	list := strings.Join(columns, ", ")
	const same = " t._division = s._division AND t.ID = s.ID "
	return w.inTx(ctx, func(ctx context.Context, c *sql.Conn) error {
		a := &application{Warehouse: w, c: c, seen: map[string]map[string]bool{}}
		return a.reading([]*portion{{Part: Part{File: f}, header: f.Header()}}, append(names, extra), nil, func(pages int64) error {
			from := "temp.stage"
			stage := fmt.Sprintf("CREATE TEMP TABLE stage AS SELECT %s, now() AS _synced_at, 'r2' AS _run_id, _extra FROM exactduck_pages(%d)", list, pages)
			if how == "merge unstaged" {
				from, stage = stage[strings.Index(stage, "SELECT"):], "SELECT 1"
				from = "(" + from + ")"
			}
			list += ", _synced_at, _run_id, _extra"
			insert := "(" + list + ") VALUES (s." + strings.ReplaceAll(list, ", ", ", s.") + ")"
			statements := []string{stage, "MERGE INTO bulk.Lines t USING " + from + " s ON" + same + "WHEN MATCHED AND t.Timestamp < s.Timestamp THEN UPDATE SET " + strings.Join(set, ", ") +
				", _synced_at = s._synced_at, _run_id = s._run_id, _extra = s._extra WHEN NOT MATCHED THEN INSERT " + insert}
			if how == "replace" {
				statements = []string{stage, "DELETE FROM bulk.Lines t USING temp.stage s WHERE" + same, "INSERT INTO bulk.Lines (" + list + ") SELECT " + list + " FROM temp.stage"}
			}
			for _, statement := range statements {
				if _, err := c.ExecContext(ctx, statement); err != nil {
					return err
				}
			}
			return nil
		})
	})
}
