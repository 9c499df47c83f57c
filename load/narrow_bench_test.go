package load

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"exactduck/load/spool"
	"exactduck/schema"
)

// random is SQL for a value of a type, or now and then none.
func random(t schema.Type) string {
	value := map[schema.Type]string{
		schema.BigInt: "i", schema.UUID: "uuid()", schema.Varchar: "'some text ' || (random() * 1000000)::INTEGER", schema.Decimal: "(random() * 10000)::DECIMAL(18,4)",
		schema.Double: "random()", schema.Integer: "(random() * 1000000)::INTEGER", schema.Timestamp: "TIMESTAMP '2020-01-01' + to_seconds((random() * 100000000)::INTEGER)",
		schema.Boolean: "random() < 0.5",
	}[t]
	return "CASE WHEN random() < 0.7 THEN " + value + " END"
}

// wideBooks holds rows of 85 columns in one scope, checkpointed.
func wideBooks(b *testing.B, rows int) *books {
	w := newBooks(b)
	t := wideTable()
	w.apply("r1", read{table: t, scope: "7", mode: spool.Replace})
	values := []string{"7"}
	for _, c := range t.Columns {
		values = append(values, random(c.Type))
	}
	_, err := w.db.ExecContext(b.Context(), fmt.Sprintf("INSERT INTO bulk.Lines SELECT %s, now(), 'r1', NULL, NULL FROM range(%d) r(i)", strings.Join(values, ", "), rows))
	if err == nil {
		_, err = w.db.ExecContext(b.Context(), "CHECKPOINT "+catalog)
	}
	if err != nil {
		b.Fatal(err)
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	w.open()
	return w
}

// peak forgets how much memory this process has had at most, and returns what tells it from then on.
func peak(b *testing.B) func() float64 {
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		b.Skip(err)
	}
	return func() (kib float64) {
		text, err := os.ReadFile("/proc/self/status")
		if err != nil {
			b.Fatal(err)
		}
		_, after, _ := strings.Cut(string(text), "VmHWM:")
		if _, err := fmt.Sscan(after, &kib); err != nil {
			b.Fatal(err)
		}
		return kib / 1024
	}
}

// BenchmarkNarrow drops ten columns of a million rows of 85, and a fifth of the rows.
func BenchmarkNarrow(b *testing.B) {
	const rows = 1_000_000
	for b.Loop() {
		b.StopTimer()
		w := wideBooks(b, rows)
		most := peak(b)
		b.StartTimer()
		spent := cpu(b, func() {
			n := Narrowing{Run: "r2", Stream: "bulk/Lines", Scope: "7", Table: wideTable(), Fingerprint: "narrow", Dated: "tim0", Since: time.Date(2020, 8, 1, 0, 0, 0, 0, time.UTC)}
			for i := range 10 {
				n.Drop = append(n.Drop, fmt.Sprint("var", i))
			}
			if err := w.Narrow(b.Context(), n); err != nil {
				b.Fatal(err)
			}
		})
		b.StopTimer()
		b.ReportMetric(most(), "MiB")
		b.ReportMetric(spent.Seconds(), "cpu-s")
		w.Close()
		b.StartTimer()
	}
}
