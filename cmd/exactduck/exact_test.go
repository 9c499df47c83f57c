package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"exactduck/extract"
	"exactduck/extract/exactonline"
	"exactduck/load"
	"exactduck/load/laketest"
	"exactduck/load/spool"
	"exactduck/schema"
)

// feed is a service that has so many records of one endpoint, in pages of a thousand.
type feed struct {
	records int
	record  func(n int) string // the properties beside ID and Timestamp, as JSON
}

func (f *feed) RoundTrip(r *http.Request) (*http.Response, error) {
	from, _ := strconv.Atoi(r.URL.Query().Get("$skiptoken")) // none: the first page
	to := min(from+20_000, f.records)                        // few pages, for calls of a minute are counted
	var b strings.Builder
	b.WriteString(`{"d":{"results":[`)
	for n := from; n < to; n++ {
		if n > from {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"Timestamp":"%d","ID":"%08x-0000-4000-8000-000000000000",%s}`, n+1, n, f.record(n))
	}
	b.WriteByte(']')
	if to < f.records {
		fmt.Fprintf(&b, `,"__next":"https://%s%s?$skiptoken=%d"`, r.URL.Host, r.URL.Path, to)
	}
	b.WriteString("}}")
	header := http.Header{"Content-Type": {"application/json;charset=utf-8"}, "Date": {time.Now().UTC().Format(http.TimeFormat)}}
	return &http.Response{StatusCode: http.StatusOK, Header: header, Body: io.NopCloser(strings.NewReader(b.String())), Request: r}, nil
}

// delivered reads all records of a feed as those of a stream, loads and publishes them, and returns the
// file. It goes the way of a run: through the source's decoder, a spool and an apply.
func (f *feed) delivered(t *testing.T, stream string, columns ...string) (file string) {
	t.Helper()
	dir := t.TempDir()
	file = filepath.Join(dir, "books.duckdb")
	source, err := exactonline.New(exactonline.Config{BaseURL: "https://start.exactonline.nl", Client: &http.Client{Transport: f}, Division: "7"})
	if err != nil {
		t.Fatal(err)
	}
	s, _, err := exactonline.Lookup(stream)
	if err != nil {
		t.Fatal(err)
	}
	v := s.Variants[0]
	table := v.Table.Select(func(name string) bool { return slices.Contains(columns, name) })
	part, err := spool.Create(filepath.Join(dir, "spool"), spool.Header{
		Stream: s.Name, Scope: "7", Variant: v.Name, Table: table, Mode: spool.Replace, Fingerprint: "f", Epoch: "e", RunID: "r", Began: time.Now(),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer part.Close()
	for page, err := range source.Pages(t.Context(), extract.Read{Stream: s.Name, Variant: v, Table: table, Scope: schema.Scope("7")}) {
		if err != nil {
			t.Fatal(err)
		}
		if err := part.Append(page); err != nil {
			t.Fatal(err)
		}
	}
	w, err := load.Open(t.Context(), load.Options{StateDir: filepath.Join(dir, "state"), Target: file})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if _, err := w.Apply(t.Context(), load.Batch{Run: "r", Parts: []load.Part{{File: part}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Publish(t.Context(), load.Target{DuckDB: file, Parquet: filepath.Join(dir, "lake"), RunID: "r"}); err != nil {
		t.Fatal(err)
	}
	return file
}

// asks types a query at a file and returns what is printed as CSV, without the header.
func asks(t *testing.T, file, sql string) string {
	t.Helper()
	code, out, complaints := typed(t.Context(), "", "query", "--duckdb", file, "--output", "csv", sql)
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, complaints)
	}
	_, rows, _ := strings.Cut(out, "\r\n")
	return strings.TrimSuffix(rows, "\r\n")
}

// writtenCents is an amount in one of the ways in which a service may write it, the noise of binary sums
// among them.
func writtenCents(random *rand.Rand, cents int64) string {
	plain := strconv.FormatFloat(float64(cents)/100, 'f', -1, 64)
	switch random.IntN(7) {
	case 0:
		return strconv.FormatFloat(float64(cents)/100, 'E', -1, 64)
	case 1:
		return strconv.FormatFloat(float64(cents)/100, 'f', 2+random.IntN(9), 64)
	case 2:
		return `"` + plain + `"`
	case 3: // as a sum of doubles leaves it
		sum := float64(cents-7)/100 + 0.07
		return strconv.FormatFloat(sum, 'g', 17, 64)
	case 4:
		return strconv.FormatInt(cents, 10) + "e-2"
	case 5:
		return strconv.FormatFloat(float64(cents)/100, 'f', 2, 64) + strings.Repeat("0", random.IntN(40))
	}
	return plain
}

// The sum of very many amounts is that of the integers that they are.
func TestSumOfManyCents(t *testing.T) {
	t.Parallel()
	records := 100_000
	if os.Getenv("EXACTDUCK_LONG") != "" {
		records = 1_000_000
	}
	random := rand.New(rand.NewPCG(7, 11))
	sum, negative := int64(0), int64(0)
	f := &feed{records: records, record: func(int) string {
		cents := random.Int64N(2_000_000_000) - 1_000_000_000
		if random.IntN(20) == 0 {
			cents = random.Int64N(3) - 1
		}
		sum += cents
		if cents < 0 {
			negative++
		}
		return `"AmountDC":` + writtenCents(random, cents) + `,"AmountFC":-0.0,"ExchangeRate":1.0000001`
	}}
	file := f.delivered(t, "financial/TransactionLines", "AmountDC", "AmountFC", "ExchangeRate")
	sign := map[bool]string{true: "-"}[sum < 0]
	want := fmt.Sprintf("%s%d.%02d00,%d,%d,0.0000,0", sign, max(sum, -sum)/100, max(sum, -sum)%100, records, negative)
	got := asks(t, file, `SELECT sum(AmountDC), count(AmountDC), count(*) FILTER (AmountDC < 0), sum(AmountFC), count(_extra) FROM financial.TransactionLines`)
	if got != want {
		t.Errorf("the sums are %s, want %s", got, want)
	}
	if got := asks(t, file, "SELECT DISTINCT typeof(AmountDC), typeof(sum(AmountDC) OVER ()), ExchangeRate FROM financial.TransactionLines"); got != `"DECIMAL(18,4)","DECIMAL(38,4)",1.0000001` {
		t.Errorf("types are %s", got)
	}
	if got := centsInLake(t, filepath.Join(filepath.Dir(file), "lake"), "AmountDC"); got != sum {
		t.Errorf("in the dataset the sum is %d cents, want %d", got, sum)
	}
}

// centsInLake adds up a column of all files of a dataset, as integers and not by DuckDB.
func centsInLake(t *testing.T, lake, column string) (sum int64) {
	t.Helper()
	folder := filepath.Join(lake, "current")
	m, err := load.ReadManifest(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range m.Files {
		_, rows, err := laketest.Read(filepath.Join(folder, filepath.FromSlash(f.Path)))
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			digits, whole := strings.CutSuffix(textOf(row[column]), "00")
			cents, err := strconv.ParseInt(strings.Replace(digits, ".", "", 1), 10, 64)
			if !whole || err != nil {
				t.Fatalf("%v is no amount of cents: %v", row[column], err)
			}
			sum += cents
		}
	}
	return sum
}

// What is no amount, or does not fit one, keeps its text to the letter.
func TestAmountsThatDoNotFit(t *testing.T) {
	t.Parallel()
	values := []string{`1E-05`, `1.5e3`, `0.123456789012345678901234567890`, `-0.0`, `"NaN"`, `"Infinity"`, `1e14`, `-99999999999999.9999`, `99999999999999.99995`, `null`, `1e400`, `12.345675`}
	f := &feed{records: len(values), record: func(n int) string { return `"AmountDC":` + values[n] }}
	file := f.delivered(t, "financial/TransactionLines", "AmountDC")
	want := []string{
		`0.0000,"{""AmountDC"":1E-05}"`, "1500.0000,", `0.1235,"{""AmountDC"":0.123456789012345678901234567890}"`, "0.0000,",
		`,"{""AmountDC"":""NaN""}"`, `,"{""AmountDC"":""Infinity""}"`, `,"{""AmountDC"":1e14}"`, "-99999999999999.9999,",
		`,"{""AmountDC"":99999999999999.99995}"`, ",", `,"{""AmountDC"":1e400}"`, `12.3457,"{""AmountDC"":12.345675}"`,
	}
	if got := asks(t, file, "SELECT AmountDC, _extra FROM financial.TransactionLines ORDER BY Timestamp"); got != strings.Join(want, "\r\n") {
		t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
}

// Wall times come out as they were sent, whatever the clocks of a zone or of this machine make of them.
func TestWallTimesAreNotShifted(t *testing.T) {
	t.Parallel()
	here := time.Local
	t.Cleanup(func() { time.Local = here })
	var err error
	if time.Local, err = time.LoadLocation("America/New_York"); err != nil {
		t.Fatal(err)
	}
	texts := []string{
		"1753-01-01 00:00:00", "1969-12-31 23:59:59.999", "1970-01-01 00:00:00", "1899-12-31 23:59:59.003",
		"2026-03-29 01:59:59.999", "2026-03-29 02:00:00", "2026-03-29 02:30:00", "2026-03-29 03:00:00", // the hour that Amsterdam skips
		"2026-10-25 02:00:00", "2026-10-25 02:59:59.997", "2026-10-25 03:00:00", // and the one that comes twice
		"2026-03-08 02:30:00", "2026-11-01 01:30:00", // those of New York
		"2024-02-29 12:00:00", "9999-12-31 00:00:00", "9999-12-31 23:59:59.999",
	}
	f := &feed{records: len(texts), record: func(n int) string {
		at, err := time.ParseInLocation("2006-01-02 15:04:05.999", texts[n], time.UTC)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf(`"Created":"/Date(%d)/","Date":"\/Date(%[1]d)\/"`, at.UnixMilli())
	}}
	file := f.delivered(t, "financial/TransactionLines", "Created", "Date")
	const sql = "SELECT Created, Date = Created AS same, typeof(Created) AS type FROM financial.TransactionLines ORDER BY Timestamp"
	var want []string
	for _, text := range texts {
		want = append(want, text+",true,TIMESTAMP")
	}
	if got := asks(t, file, sql); got != strings.Join(want, "\r\n") {
		t.Errorf("as CSV\n%s", got)
	}
	for _, format := range []string{"table", "json"} {
		_, out, _ := typed(t.Context(), "", "query", "--duckdb", file, "--output", format, sql)
		for _, text := range texts {
			if !strings.Contains(out, text+" ") && !strings.Contains(out, `"`+text+`"`) {
				t.Errorf("as %s there is no %s:\n%s", format, text, out)
			}
		}
	}
}
