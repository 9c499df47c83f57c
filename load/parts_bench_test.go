package load

import (
	"fmt"
	"runtime/debug"
	"testing"
	"time"

	"exactduck/load/spool"
	"exactduck/schema"
)

// BenchmarkManyParts applies one small table of 500 divisions in one transaction: for the first time,
// over the same rows, and over rows of which one in ten is newer. The yardstick, in the same run, is
// the same number of rows in one division: x_one tells how many times dearer the divisions are.
func BenchmarkManyParts(b *testing.B) {
	const parts = 500
	for _, rows := range []int{20, 2000} {
		b.Run(fmt.Sprintf("rows=%d", rows), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				one := nights(b, 1, parts*rows)
				b.StartTimer()
				many := nights(b, parts, rows)
				for i, what := range []string{"first", "same", "changed"} {
					b.ReportMetric(many[i].Seconds(), what+"-s")
					b.ReportMetric(many[i].Seconds()/one[i].Seconds(), what+"-x_one")
				}
				b.ReportMetric(many[3].Seconds(), "MiB")
				b.ReportMetric(one[3].Seconds(), "MiB-one")
			}
		})
	}
}

// nights is the processor time of three nights, and as its fourth number the memory, in MiB for seconds.
func nights(b *testing.B, parts, rows int) (took [4]time.Duration) {
	w := newBooks(b)
	for night := range 3 {
		batch := Batch{Run: fmt.Sprint("r", night)}
		mode := spool.Merge
		for p := range parts {
			all := make([][]any, rows)
			for i := range all {
				version := i + 1
				if night == 2 && i%10 == 0 {
					version += rows
				}
				all[i] = []any{version, bigID(p*rows + i), fmt.Sprint("account ", i), i}
			}
			f := w.spool(read{table: accounts, scope: schema.Scope(fmt.Sprint(1000 + p)), mode: mode, rows: all, size: 1000, id: fmt.Sprint(night, "-", p)})
			batch.Parts = append(batch.Parts, Part{File: f})
		}
		debug.FreeOSMemory()
		most := peak(b)
		took[night] = cpu(b, func() { w.applyBatch(batch) })
		took[3] = max(took[3], time.Duration(most()*float64(time.Second)))
		w.tick()
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	return took
}

func bigID(n int) [16]byte {
	return [16]byte{0: 0xab, 12: byte(n >> 24), 13: byte(n >> 16), 14: byte(n >> 8), 15: byte(n)}
}
