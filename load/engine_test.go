package load

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"exactduck/load/laketest"
	"exactduck/load/spool"
	"exactduck/schema"
)

// everyKind has a column of every type that there is.
func everyKind() *schema.Table {
	t := &schema.Table{
		Service: "every", Name: "Kinds", Scope: division, Key: []string{"N"}, Version: "Timestamp",
		Columns: []schema.Column{{Name: "Timestamp", Type: schema.BigInt}, {Name: "N", Type: schema.Integer}, {Name: "Date", Type: schema.Timestamp}},
	}
	for kind := schema.Boolean; kind <= schema.JSON; kind++ {
		t.Columns = append(t.Columns, schema.Column{Name: "A" + strings.TrimRight(strings.SplitN(kind.String(), "(", 2)[0], " "), Type: kind})
	}
	return t
}

func micros(text string) int {
	return int(must2(time.Parse("2006-01-02T15:04:05.999999", text)).UnixMicro())
}

func must2[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// extremes are what a column of a type must be able to hold.
var extremes = map[schema.Type][]any{
	schema.Boolean:  {0, 1},
	schema.UTinyInt: {0, 255},
	schema.SmallInt: {math.MinInt16, math.MaxInt16, 0},
	schema.Integer:  {math.MinInt32, math.MaxInt32, 0},
	schema.BigInt:   {math.MinInt64, math.MaxInt64, 0},
	schema.Double:   {0.0, math.Copysign(0, -1), math.MaxFloat64, -math.MaxFloat64, math.SmallestNonzeroFloat64, 0.1, 1e21, 1e-7},
	schema.Decimal:  {0, 1, -1, 9999, -10000, 999_999_999_999_999_999, -999_999_999_999_999_999},
	schema.Timestamp: {
		micros("1753-01-01T00:00:00"), micros("9999-12-31T23:59:59.999999"), micros("1969-12-31T23:59:59.999"), micros("1970-01-01T00:00:00"),
		micros("1899-12-30T12:00:00.001"), micros("2026-03-29T02:30:00"), micros("2026-10-25T02:30:00"), micros("2024-02-29T23:59:59.999"),
	},
	schema.TimestampTZ: {
		micros("0001-01-01T00:00:00"), micros("9999-12-31T23:59:59.999999"), micros("1969-12-31T23:59:59.999"), micros("1970-01-01T00:00:00"),
		micros("2026-03-29T01:30:00"), micros("2026-10-25T00:30:00.123456"),
	},
	schema.UUID:    {[16]byte{}, [16]byte(bytes.Repeat([]byte{0xff}, 16)), [16]byte{0: 0x80}},
	schema.Varchar: {"", " ", "                  1300", "Brood & Zuivel 'De Duif' \"Ω\"", "two\nlines\t\x00 and a zero", "🦆", strings.Repeat("long ", 5000)},
	schema.Blob:    {"", "\x00\xff\xfe", strings.Repeat("\x80", 3000)},
	schema.JSON:    {`{}`, `[1,2.50,null]`, `"text"`, `null`, `{"a":{"b":[1e400,0.1000]},"ü":"\u0001"}`, `12345678901234567890.10`},
}

// anyValue is a value of a type: NULL, an extreme one, or any.
func anyValue(r *rand.Rand, kind schema.Type) any {
	switch r.IntN(10) {
	case 0:
		return nil
	case 1, 2, 3:
		return extremes[kind][r.IntN(len(extremes[kind]))]
	}
	switch kind {
	case schema.Boolean:
		return r.IntN(2)
	case schema.UTinyInt:
		return r.IntN(256)
	case schema.SmallInt:
		return r.IntN(1<<16) + math.MinInt16
	case schema.Integer:
		return int(int32(r.Uint32()))
	case schema.BigInt:
		return int(r.Uint64())
	case schema.Double:
		return r.NormFloat64() * math.Pow(10, float64(r.IntN(40)-20))
	case schema.Decimal:
		return int(r.Int64N(2e18-1) - (1e18 - 1))
	case schema.Timestamp, schema.TimestampTZ:
		first := micros("1753-01-01T00:00:00")
		return first + int(r.Int64N(int64(micros("9999-12-31T23:59:59.999999")-first)))/1000*1000
	case schema.UUID:
		return [16]byte(uuid.Must(uuid.NewRandomFromReader(chaos{r})))
	case schema.JSON:
		return fmt.Sprintf(`{"n":%d.%04d}`, r.Int64(), r.IntN(10000))
	}
	return strconv.FormatUint(r.Uint64(), 36)
}

// chaos reads random bytes.
type chaos struct{ *rand.Rand }

func (c chaos) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(c.Uint32())
	}
	return len(p), nil
}

// expected is what a reader sees of a value that was put into a page.
func expected(kind schema.Type, v any) any {
	if v == nil {
		return nil
	}
	switch kind {
	case schema.Boolean:
		return v == 1
	case schema.Double:
		return json.Number(must2(json.Marshal(v)))
	case schema.Decimal:
		n := v.(int)
		sign := ""
		if n < 0 {
			sign, n = "-", -n
		}
		return json.Number(fmt.Sprintf("%s%d.%04d", sign, n/10_000, n%10_000))
	case schema.Timestamp:
		return time.UnixMicro(int64(v.(int))).UTC().Format("2006-01-02 15:04:05.999999")
	case schema.TimestampTZ:
		return time.UnixMicro(int64(v.(int))).UTC().Format(time.RFC3339Nano)
	case schema.UUID:
		return uuid.UUID(v.([16]byte)).String()
	case schema.Varchar:
		return v
	case schema.Blob:
		return []byte(v.(string))
	case schema.JSON:
		return json.RawMessage(v.(string))
	}
	return json.Number(fmt.Sprint(v))
}

// TestEveryValueOfEveryType follows random and extreme values of every type from the page into the
// published file, and into the lake as a library sees it that is not DuckDB.
func TestEveryValueOfEveryType(t *testing.T) {
	t.Parallel()
	rounds, rows := 2, 150
	if os.Getenv("EXACTDUCK_LONG") != "" {
		rounds, rows = 15, 1000
	}
	for seed := range rounds {
		for _, partition := range []string{"", ByYear} {
			everyValue(t, uint64(seed), rows, partition)
		}
	}
}

func everyValue(t *testing.T, seed uint64, n int, partition string) {
	b, table, r := newBooks(t), everyKind(), rand.New(rand.NewPCG(seed, 5))
	var rows [][]any
	truth := map[string]map[string]any{}
	for i := range n {
		row, want := []any{}, map[string]any{"_division": json.Number("7"), "_extra": nil, "_deleted_at": nil, "_run_id": "r1"}
		for _, c := range table.Columns {
			v := anyValue(r, c.Type)
			switch c.Name {
			case "N":
				v = i
			case "Timestamp":
				v = i + 1
			}
			row, want[c.Name] = append(row, v), expected(c.Type, v)
		}
		if r.IntN(3) == 0 {
			row, want["_extra"] = append(row, `{"New":1.10}`), json.RawMessage(`{"New":1.10}`)
		}
		rows, truth[strconv.Itoa(i)] = append(rows, row), want
	}
	b.apply("r1", read{table: table, scope: "7", mode: spool.Merge, rows: rows, size: 100})
	b.publishTo(Target{DuckDB: filepath.Join(b.dir, "warehouse.duckdb"), Parquet: filepath.Join(b.dir, "lake"), Partition: partition, RunID: "r1"})
	for engine, held := range map[string][]map[string]any{"DuckDB": inFile(t, b.dir, "every.Kinds"), "Parquet": inLake(t, b.dir, table)} {
		if len(held) != n {
			t.Fatalf("seed %d: %s holds %d of %d rows", seed, engine, len(held), n)
		}
		for _, row := range held {
			want := truth[fmt.Sprint(row["N"])]
			want["_synced_at"] = "2026-11-21T04:00:00Z"
			if d := cmp.Diff(want, row); d != "" {
				t.Fatalf("seed %d: %s (-put +held): %s", seed, engine, d)
			}
		}
	}
}

// inFile are the rows of a table of the published file.
func inFile(t *testing.T, dir, table string) (rows []map[string]any) {
	t.Helper()
	reader := must(OpenReader(t.Context(), filepath.Join(dir, "warehouse.duckdb")))(t)
	defer reader.Close()
	answer := must(reader.Query(t.Context(), "FROM "+table))(t)
	defer answer.Close()
	for values, err := range answer.Rows() {
		if err != nil {
			t.Fatal(err)
		}
		row := map[string]any{}
		for i, c := range answer.Columns {
			row[c.Name] = values[i]
		}
		rows = append(rows, row)
	}
	return rows
}

// inLake are the rows of a table of the lake, of which every file must have its columns and types, with UUIDs as text.
func inLake(t *testing.T, dir string, table *schema.Table) (all []map[string]any) {
	t.Helper()
	want := []laketest.Column{{Name: "_division", Type: "INTEGER"}}
	for _, c := range table.Columns {
		kind := c.Type
		if kind == schema.UUID { // which Spark does not read
			kind = schema.Varchar
		}
		want = append(want, laketest.Column{Name: c.Name, Type: kind.String()})
	}
	for _, c := range [][2]string{{"_synced_at", "TIMESTAMPTZ"}, {"_run_id", "VARCHAR"}, {"_deleted_at", "TIMESTAMPTZ"}, {"_extra", "JSON"}} {
		want = append(want, laketest.Column{Name: c[0], Type: c[1]})
	}
	folder := current(t, dir)
	m := must(ReadManifest(folder))(t)
	for _, f := range m.Files {
		columns, rows, err := laketest.Read(filepath.Join(folder, filepath.FromSlash(f.Path)))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, columns); d != "" {
			t.Errorf("%s: %s", f.Path, d)
		}
		if int64(len(rows)) != f.Rows {
			t.Errorf("%s holds %d rows, and the manifest says %d", f.Path, len(rows), f.Rows)
		}
		all = append(all, rows...)
	}
	return all
}
