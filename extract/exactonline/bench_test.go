package exactonline

import (
	"fmt"
	"strings"
	"testing"

	"exactduck/schema"
)

// widePage is a page of 1,000 records of 85 columns in about the mixture of a real feed.
func widePage() (*schema.Table, []byte) {
	kinds := []struct {
		t schema.Type
		n int
		f func(r, c int) string
	}{
		{schema.UUID, 15, func(r, c int) string { return fmt.Sprintf(`"%08x-c137-48cc-8e55-%012x"`, r, c) }},
		{schema.Varchar, 30, func(r, c int) string { return fmt.Sprintf(`"Text %d in column %d of a row"`, r, c) }},
		{schema.Double, 6, func(r, c int) string { return fmt.Sprintf("%d.%d", r, c) }},
		{schema.Decimal, 8, func(r, c int) string { return fmt.Sprintf("%d.%02d", r*37, c) }},
		{schema.Integer, 11, func(r, c int) string { return fmt.Sprint(r * c) }},
		{schema.Timestamp, 8, func(r, c int) string { return fmt.Sprintf(`"/Date(%d)/"`, 1782404007287+r*c) }},
		{schema.Boolean, 5, func(r, _ int) string { return []string{"true", "false"}[r%2] }},
		{schema.BigInt, 2, func(r, c int) string { return fmt.Sprintf(`"%d"`, 1234567890123+r*c) }},
	}
	table := &schema.Table{Service: "bench", Name: "Wide", Scope: scopeColumn}
	for _, k := range kinds {
		for range k.n {
			table.Columns = append(table.Columns, schema.Column{Name: fmt.Sprintf("Column%d", len(table.Columns)), Type: k.t})
		}
	}
	var b strings.Builder
	b.WriteString(`{"d":{"results":[`)
	for r := range 1000 {
		if r > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"__metadata":{"uri":"https://start.exactonline.nl/api/v1/1/x(guid'%d')","type":"Exact.Web.Api.Models.X"}`, r)
		c := 0
		for _, k := range kinds {
			for range k.n {
				value := k.f(r, c)
				if (r*31+c*17)%10 < 3 {
					value = "null"
				}
				fmt.Fprintf(&b, `,"Column%d":%s`, c, value)
				c++
			}
		}
		b.WriteByte('}')
	}
	b.WriteString(`]}}`)
	return table, []byte(b.String())
}

func BenchmarkDecode(b *testing.B) {
	table, body := widePage()
	d := newDecoder(table, "1")
	d.pageSize = 1000
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		page, _, err := d.decode(body)
		if err != nil || page.Rows != 1000 || page.Misfits != nil {
			b.Fatal(err, page)
		}
	}
	b.ReportMetric(1000*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

// Nothing is allocated for a row: the columns grow, and that is all.
func TestDecodingAllocatesNothingForARow(t *testing.T) {
	table, body := widePage()
	d := newDecoder(table, "1")
	d.pageSize = 1000
	n := testing.AllocsPerRun(3, func() {
		if _, _, err := d.decode(body); err != nil {
			t.Fatal(err)
		}
	})
	if n > 1000 { // 85 columns, some of which grow a dozen times
		t.Errorf("%v allocations for 1000 rows", n)
	}
}
