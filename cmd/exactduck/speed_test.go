package main

import (
	"bytes"
	"database/sql"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"exactduck/extract"
	"exactduck/extract/exactonline"
	"exactduck/load"
	"exactduck/load/spool"
	"exactduck/schema"
)

// BenchmarkDecodeAndLoad takes pages of 86 columns all the way, from the bytes of an answer to rows
// of the warehouse: decoded, spooled with an fsync a page, applied. The yardstick, in the same run,
// is DuckDB's own read_json of the same pages from files, with the same one thread.
func BenchmarkDecodeAndLoad(b *testing.B) {
	const pages, rows = 60, 1000
	_, variant, err := exactonline.Lookup("sync/cashflow/PaymentTerms")
	if err != nil {
		b.Fatal(err)
	}
	feed := newPrinted(b, variant.Table, pages, rows)
	yardstick := feed.readJSON(b)
	source, err := exactonline.New(exactonline.Config{BaseURL: "http://127.0.0.1:1", Client: &http.Client{Transport: feed}, Division: "1"})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		dir := b.TempDir()
		w, err := load.Open(b.Context(), load.Options{StateDir: dir})
		if err != nil {
			b.Fatal(err)
		}
		file, err := spool.Create(filepath.Join(dir, "spool"), spool.Header{Stream: "s", Scope: "1", Table: variant.Table, Mode: spool.Replace})
		if err != nil {
			b.Fatal(err)
		}
		for page, err := range source.Pages(b.Context(), extract.Read{Stream: "s", Variant: variant, Scope: "1"}) {
			if err != nil {
				b.Fatal(err)
			}
			if err := file.Append(page); err != nil {
				b.Fatal(err)
			}
		}
		applied, err := w.Apply(b.Context(), load.Batch{Run: "r", Parts: []load.Part{{File: file}}})
		if err != nil || applied[0].Inserted != pages*rows {
			b.Fatal(applied, err)
		}
		w.Close()
	}
	each := b.Elapsed() / time.Duration(b.N)
	b.ReportMetric(pages*rows/each.Seconds(), "rows/s")
	b.ReportMetric(float64(yardstick)/float64(each), "x_read_json")
}

// printed answers with the same pages again and again.
type printed struct {
	table *schema.Table
	dir   string
	pages [][]byte
}

func newPrinted(b *testing.B, t *schema.Table, pages, rows int) *printed {
	p := &printed{table: t, dir: b.TempDir()}
	dice := rand.New(rand.NewPCG(1, 2))
	for n := range pages {
		var text bytes.Buffer
		text.WriteString(`{"d":{"results":[`)
		for r := range rows {
			separator := "{"
			if r > 0 {
				separator = ",{"
			}
			for _, c := range t.Columns {
				fmt.Fprintf(&text, "%s%q:%s", separator, c.Name, printedValue(c, n*rows+r+1, dice))
				separator = ","
			}
			text.WriteByte('}')
		}
		text.WriteByte(']')
		if n+1 < pages {
			fmt.Fprintf(&text, `,"__next":"http://127.0.0.1:1/api/v1/1/sync/Cashflow/PaymentTerms?$skiptoken=%d"`, n+1)
		}
		text.WriteString("}}")
		p.pages = append(p.pages, text.Bytes())
		if err := os.WriteFile(filepath.Join(p.dir, fmt.Sprintf("%03d.json", n)), text.Bytes(), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	return p
}

func printedValue(c schema.Column, n int, dice *rand.Rand) string {
	if c.Name != "ID" && c.Name != "Timestamp" && dice.IntN(3) == 0 {
		return "null"
	}
	switch c.Type {
	case schema.BigInt:
		return fmt.Sprintf(`"%d"`, n)
	case schema.UUID:
		return `"` + uuid.NewSHA1(uuid.Nil, fmt.Append(nil, c.Name, n)).String() + `"`
	case schema.Decimal, schema.Double:
		return fmt.Sprintf("%d.%02d", dice.IntN(100_000), dice.IntN(100))
	case schema.Timestamp:
		return fmt.Sprintf(`"/Date(%d)/"`, 1_700_000_000_000+dice.Int64N(60_000_000_000))
	case schema.Boolean:
		return strconv.FormatBool(n%2 == 0)
	case schema.Varchar:
		return fmt.Sprintf(`"text %d of a line"`, dice.IntN(100_000))
	}
	return strconv.Itoa(dice.IntN(200))
}

// RoundTrip implements http.RoundTripper.
func (p *printed) RoundTrip(r *http.Request) (*http.Response, error) {
	n, _ := strconv.Atoi(r.URL.Query().Get("$skiptoken")) // none: the first page
	return &http.Response{
		StatusCode: http.StatusOK, Request: r, Body: io.NopCloser(bytes.NewReader(p.pages[n])),
		Header: http.Header{
			"Content-Type": {"application/json;charset=utf-8"}, "Date": {time.Now().UTC().Format(http.TimeFormat)},
			"X-Ratelimit-Minutely-Limit": {"99999"}, "X-Ratelimit-Minutely-Remaining": {"99998"},
			"X-Ratelimit-Minutely-Reset": {strconv.FormatInt(time.Now().Add(time.Hour).UnixMilli(), 10)},
		},
	}, nil
}

// readJSON is how long DuckDB takes to make a table of a file out of the pages.
func (p *printed) readJSON(b *testing.B) time.Duration {
	db, err := sql.Open("duckdb", filepath.Join(p.dir, "yardstick.duckdb")+"?threads=1&memory_limit=1GB")
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	var fields, values []string
	for _, c := range p.table.Columns {
		kind, value := c.Type.String(), fmt.Sprintf("r.%q", c.Name)
		if c.Type == schema.Timestamp {
			kind, value = "VARCHAR", "make_timestamp("+value+"[7:-3]::BIGINT * 1000)"
		}
		fields, values = append(fields, fmt.Sprintf("%q %s", c.Name, kind)), append(values, fmt.Sprintf("%s AS %q", value, c.Name))
	}
	began := time.Now()
	_, err = db.ExecContext(b.Context(), fmt.Sprintf(`CREATE TABLE rows AS SELECT %s FROM (SELECT unnest(d.results) AS r
		FROM read_json('%s/*.json', columns = {d: 'STRUCT(results STRUCT(%s)[])'}, format = 'unstructured', maximum_object_size = 33554432)); CHECKPOINT`,
		strings.Join(values, ", "), p.dir, strings.Join(fields, ", ")))
	if err != nil {
		b.Fatal(err)
	}
	return time.Since(began)
}
