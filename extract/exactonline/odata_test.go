package exactonline

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"exactduck/extract/rawjson"
	"exactduck/schema"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

var everyType = &schema.Table{
	Service: "test", Name: "Everything", Scope: scopeColumn, Key: []string{"ID"}, Version: "Timestamp",
	Columns: []schema.Column{
		{Name: "Timestamp", Type: schema.BigInt},
		{Name: "ID", Type: schema.UUID},
		{Name: "Flag", Type: schema.Boolean},
		{Name: "Tiny", Type: schema.UTinyInt},
		{Name: "Small", Type: schema.SmallInt},
		{Name: "Number", Type: schema.Integer},
		{Name: "Rate", Type: schema.Double},
		{Name: "Amount", Type: schema.Decimal},
		{Name: "Modified", Type: schema.Timestamp},
		{Name: "Name", Type: schema.Varchar},
		{Name: "Picture", Type: schema.Blob},
		{Name: "Document", Type: schema.JSON},
	},
}

// rows writes a page as text, one line a row: what is NULL is left out.
func rows(p *schema.Page) []string {
	lines := []string{}
	for r := range p.Rows {
		var b strings.Builder
		for i, c := range p.Table.Columns {
			if text, ok := cell(&p.Columns[i], r); ok {
				fmt.Fprintf(&b, "%s=%s ", c.Name, text)
			}
		}
		if text, ok := cell(&p.Extra, r); ok {
			b.WriteString("extra=" + text)
		}
		lines = append(lines, strings.TrimSpace(b.String()))
	}
	return lines
}

func cell(v *schema.Vector, row int) (string, bool) {
	if !v.Valid[row] {
		return "", false
	}
	switch v.Type {
	case schema.Double:
		return fmt.Sprint(v.Floats[row]), true
	case schema.UUID:
		return uuid.UUID(v.UUIDs[row]).String(), true
	case schema.Varchar, schema.Blob, schema.JSON:
		return string(v.At(row)), true
	case schema.Timestamp:
		return time.UnixMicro(v.Ints[row]).UTC().Format("2006-01-02T15:04:05.999999"), true
	case schema.Decimal:
		n := v.Ints[row]
		return fmt.Sprintf("%s%d.%04d", map[bool]string{true: "-"}[n < 0], abs(n)/10000, abs(n)%10000), true
	default:
		return fmt.Sprint(v.Ints[row]), true
	}
}

func abs(n int64) int64 { return max(n, -n) }

func TestEnvelopes(t *testing.T) {
	one, two := `{"Number":1}`, `{"__metadata":{"uri":"x","type":"y"},"Number":2}`
	for body, want := range map[string]struct {
		rows int
		next string
	}{
		`{"d":{"results":[` + one + `,` + two + `]}}`:                                        {2, ""},
		`{"d":{"results":[` + one + `],"__next":"https:\/\/x\/?$skiptoken=guid'1'"}}`:        {1, "https://x/?$skiptoken=guid'1'"},
		`{"d":{"__count":"5","__next":"https://x","results":[` + one + `]}}`:                 {1, "https://x"},
		"{\n \"d\" : { \"results\" : [ \n" + one + " , " + two + " ] , \"__next\":null} }\n": {2, ""},
		`{"d":[` + one + `,` + two + `]}`:                                                    {2, ""},
		`{"d":[]}`:                                                                           {0, ""},
		`{"d":{"results":[]}}`:                                                               {0, ""},
		`{"d":` + two + `}`:                                                                  {1, ""},
		`{"d":[{}]}`:                                                                         {1, ""},
	} {
		page, next, err := newDecoder(everyType, "1").decode([]byte(body))
		if err != nil || page.Rows != want.rows || next != want.next {
			t.Errorf("%s: got %v, %q, %v", body, page, next, err)
			continue
		}
		checkShape(t, page)
	}
}

func TestWhatIsNoAnswer(t *testing.T) {
	for _, body := range []string{
		``, ` `, `null`, `[]`, `{}`, `"d"`, `{"d":null}`, `{"d":1}`, `{"d":"x"}`, `{"d":{}}`,
		`{"error":{"code":"","message":{"value":"no"}}}`,
		`{"d":{"results":{}}}`, `{"d":{"results":null}}`, `{"d":{"results":[1]}}`, `{"d":{"results":[null]}}`, `{"d":[[]]}`,
		`{"d":{"__next":"https://x"}}`, `{"d":{"results":[],"results":[]}}`, `{"d":{"results":[],"__next":1}}`,
		`{"d":{"results":[],"other":1}}`, `{"d":[],"d":[]}`, `{"d":[],"e":1}`,
		`{"d":{"results":[{"Number":1}`, `{"d":{"results":[{"Number":1}]}`, `{"d":[{"Number":`, `{"d":[{"Number":1},]}`,
		`{"d":[]} x`, `{"d":[]}{}`, `{"d":[{"Number":1}}`, `{"d":[{"Number":01}]}`, `{"d":[{"Number" 1}]}`,
		`{"d":[{"Number":1,"Number":2}]}`, `{"d":[{"Number":1,"number":2}]}`, `{"d":[{"New":1,"New":2}]}`,
		"{\"d\":[{\"Name\":\"a\nb\"}]}",
	} {
		if page, _, err := newDecoder(everyType, "1").decode([]byte(body)); err == nil {
			t.Errorf("%s: gave %v", body, rows(page))
		}
	}
}

// A body that is cut anywhere never gives a page.
func TestACutBodyIsNeverAPage(t *testing.T) {
	body := `{"d":{"results":[{"__metadata":{"uri":"x"},"Timestamp":"12","Name":"a\u00e9b","Rate":1.5,"New":[1,{"a":null}]},` +
		`{"ID":"cc20a11b-c137-48cc-8e55-09d4adbd4ac9","Flag":true}],"__next":"https://x"}}`
	d := newDecoder(everyType, "1")
	for n := range len(body) {
		if page, _, err := d.decode([]byte(body[:n])); err == nil {
			t.Fatalf("%s: gave %v", body[:n], rows(page))
		}
	}
	if _, _, err := d.decode([]byte(body)); err != nil {
		t.Fatal(err)
	}
}

// Every encoding of the dossier, and what becomes of what does not fit.
func TestValues(t *testing.T) {
	const misfit, round = true, true
	for _, c := range []struct {
		record, want string
		reported     bool
	}{
		{`"Timestamp":"9223372036854775807"`, `Timestamp=9223372036854775807`, false},
		{`"Timestamp":"-9223372036854775808"`, `Timestamp=-9223372036854775808`, false},
		{`"Timestamp":9007199254740993`, `Timestamp=9007199254740993`, false},
		{`"Timestamp":"9223372036854775808"`, `extra={"Timestamp":"9223372036854775808"}`, misfit},
		{`"Timestamp":null`, ``, false},
		{`"Timestamp":""`, `extra={"Timestamp":""}`, misfit},
		{`"Timestamp":{"a":1}`, `extra={"Timestamp":{"a":1}}`, misfit},
		{`"Timestamp":[1, 2]`, `extra={"Timestamp":[1, 2]}`, misfit},
		{`"Timestamp":{"__deferred":{"uri":"x"}}`, ``, false},

		{`"ID":"cc20a11b-c137-48cc-8e55-09d4adbd4ac9"`, `ID=cc20a11b-c137-48cc-8e55-09d4adbd4ac9`, false},
		{`"ID":"{CC20A11B-C137-48CC-8E55-09D4ADBD4AC9}"`, `ID=cc20a11b-c137-48cc-8e55-09d4adbd4ac9`, false},
		{`"ID":"00000000-0000-0000-0000-000000000000"`, `ID=00000000-0000-0000-0000-000000000000`, false},
		{`"ID":"cc20a11bc13748cc8e5509d4adbd4ac9"`, `extra={"ID":"cc20a11bc13748cc8e5509d4adbd4ac9"}`, misfit},
		{`"ID":"xcc20a11b-c137-48cc-8e55-09d4adbd4ac9x"`, `extra={"ID":"xcc20a11b-c137-48cc-8e55-09d4adbd4ac9x"}`, misfit},
		{`"ID":""`, `extra={"ID":""}`, misfit},

		{`"Flag":true`, `Flag=1`, false},
		{`"Flag":false`, `Flag=0`, false},
		{`"Flag":"true"`, `Flag=1`, false},
		{`"Flag":0`, `Flag=0`, false},
		{`"Flag":1`, `Flag=1`, false},
		{`"Flag":2`, `extra={"Flag":2}`, misfit},
		{`"Flag":null`, ``, false},

		{`"Tiny":255`, `Tiny=255`, false},
		{`"Tiny":256`, `extra={"Tiny":256}`, misfit},
		{`"Tiny":-1`, `extra={"Tiny":-1}`, misfit},
		{`"Small":-32768`, `Small=-32768`, false},
		{`"Small":32768`, `extra={"Small":32768}`, misfit},
		{`"Number":2147483647`, `Number=2147483647`, false},
		{`"Number":2147483648`, `extra={"Number":2147483648}`, misfit},
		{`"Number":"12"`, `Number=12`, false},
		{`"Number":12.0`, `Number=12`, false},
		{`"Number":1.2e1`, `Number=12`, false},
		{`"Number":12.5`, `extra={"Number":12.5}`, misfit},
		{`"Number":true`, `Number=1`, false},
		{`"Number":"twelve"`, `extra={"Number":"twelve"}`, misfit},

		{`"Rate":120`, `Rate=120`, false},
		{`"Rate":-0.01`, `Rate=-0.01`, false},
		{`"Rate":"1.5E-05"`, `Rate=1.5e-05`, false},
		{`"Rate":"2,5"`, `extra={"Rate":"2,5"}`, misfit},
		{`"Rate":0.30000000000000004`, `Rate=0.30000000000000004`, false},
		{`"Rate":1e400`, `extra={"Rate":1e400}`, misfit},
		{`"Rate":"NaN"`, `extra={"Rate":"NaN"}`, misfit},
		{`"Rate":"Infinity"`, `extra={"Rate":"Infinity"}`, misfit},

		{`"Modified":"/Date(1782404007287)/"`, `Modified=2026-06-25T16:13:27.287`, false},
		{`"Modified":"\/Date(1782404007287)\/"`, `Modified=2026-06-25T16:13:27.287`, false},
		{`"Modified":"/Date(-2208988800000)/"`, `Modified=1900-01-01T00:00:00`, false},
		{`"Modified":"2026-06-25T16:12:49"`, `Modified=2026-06-25T16:12:49`, false},
		{`"Modified":"/Date(1782404007287+0200)/"`, `extra={"Modified":"/Date(1782404007287+0200)/"}`, misfit},
		{`"Modified":"2026-06-25T16:12:49Z"`, `extra={"Modified":"2026-06-25T16:12:49Z"}`, misfit},
		{`"Modified":"/Date(99999999999999999)/"`, `extra={"Modified":"/Date(99999999999999999)/"}`, misfit},
		{`"Modified":"/Date()/"`, `extra={"Modified":"/Date()/"}`, misfit},
		{`"Modified":1782404007287`, `extra={"Modified":1782404007287}`, misfit},

		{`"Name":"           0000002"`, `Name=           0000002`, false},
		{`"Name":""`, `Name=`, false},
		{`"Name":"Café \"\u00e9\" \ud83d\ude00\\"`, `Name=Café "é" 😀\`, false},
		{`"Name":12.50`, `Name=12.50`, false},
		{`"Name":true`, `Name=true`, false},
		{`"Name":{"results":[]}`, `extra={"Name":{"results":[]}}`, misfit},
		{`"Name":"cut \ud83d"`, "Name=cut \uFFFD extra={\"Name\":{\"_base64\":\"ImN1dCBcdWQ4M2Qi\"}}", round},
		{`"Name":"cut \ude00"`, "Name=cut \uFFFD extra={\"Name\":{\"_base64\":\"ImN1dCBcdWRlMDAi\"}}", round},
		{"\"Name\":\"bad \xff\"", "Name=bad \uFFFD extra={\"Name\":{\"_base64\":\"ImJhZCD/Ig==\"}}", round},

		{`"Picture":"aGVsbG8="`, `Picture=hello`, false},
		{`"Picture":"\/\/8="`, "Picture=\xff\xff", false},
		{`"Picture":"not base64"`, `extra={"Picture":"not base64"}`, misfit},
		{`"Picture":12`, `extra={"Picture":12}`, misfit},

		{`"Document":{"a": [1]}`, `Document={"a": [1]}`, false},
		{`"Document":"x"`, `Document="x"`, false},
		{`"Document":"\ud83d"`, `extra={"Document":{"_base64":"Ilx1ZDgzZCI="}}`, misfit},
	} {
		page, _, err := newDecoder(everyType, "1").decode([]byte(`{"d":[{` + c.record + `}]}`))
		if err != nil {
			t.Errorf("%s: %v", c.record, err)
			continue
		}
		if got := rows(page)[0]; got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.record, got, c.want)
		}
		if reported := len(page.Misfits) == 1 && strings.Contains(c.record, `"`+page.Misfits[0]+`"`); reported != c.reported {
			t.Errorf("%s: misfits %v, want reported %v", c.record, page.Misfits, c.reported)
		}
		checkShape(t, page)
	}
}

func TestAmounts(t *testing.T) {
	for _, c := range []struct {
		text, want string
		reported   bool
	}{
		{`0`, `0.0000`, false},
		{`-0`, `0.0000`, false},
		{`1`, `1.0000`, false},
		{`-12.34`, `-12.3400`, false},
		{`"1234.5678"`, `1234.5678`, false},
		{`12.340000000`, `12.3400`, false},
		{`1.5E2`, `150.0000`, false},
		{`1E-4`, `0.0001`, false},
		{`99999999999999.9999`, `99999999999999.9999`, false},
		{`-99999999999999.9999`, `-99999999999999.9999`, false},
		// binary noise
		{`0.30000000000000004`, `0.3000`, false},
		{`1234.5600000000001`, `1234.5600`, false},
		{`-99.999999999999986`, `-100.0000`, false},
		{`1.4210854715202004E-14`, `0.0000`, false},
		{`50000.120000000003`, `50000.1200`, false},
		{`12.340000000001`, `12.3400`, false},
		{`123456789012.12346`, `123456789012.1235`, false},
		// real digits: to the even neighbour, and reported
		{`1.00005`, `1.0000`, true},
		{`1.00015`, `1.0002`, true},
		{`-1.00015`, `-1.0002`, true},
		{`1.00006`, `1.0001`, true},
		{`2.00005000000000000001`, `2.0001`, true},
		{`2.00014999999999999999`, `2.0001`, true},
		{`0.123456789`, `0.1235`, true},
		{`0.1234567890123456`, `0.1235`, true},
		{`0.00005`, `0.0000`, true},
		{`50000.12345678`, `50000.1235`, true},
		{`2e-9`, `0.0000`, true},
		{`0.12345000000000000000000000`, `0.1234`, true},
		{`5000000.123450000000000000000000`, `5000000.1234`, true},
		// no room
		{`100000000000000`, ``, true},
		{`99999999999999.99999`, ``, true},
		{`1e999`, ``, true},
		{`1e99999999999`, ``, true},
		{`123456789012345678901234567890`, ``, true},
		{`"1.2.3"`, ``, true},
		{`"-"`, ``, true},
		{`"1e"`, ``, true},
		{`".5"`, ``, true},
		{`"5."`, ``, true},
		{`"1e+"`, ``, true},
		{`true`, ``, true},
	} {
		page, _, err := newDecoder(everyType, "1").decode([]byte(`{"d":[{"Amount":` + c.text + `}]}`))
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		v := &page.Columns[everyType.Index("Amount")]
		if got, _ := cell(v, 0); got != c.want {
			t.Errorf("%s: got %q, want %q", c.text, got, c.want)
		}
		extra, kept := cell(&page.Extra, 0)
		if kept != c.reported || (len(page.Misfits) > 0) != c.reported || kept && extra != `{"Amount":`+c.text+`}` {
			t.Errorf("%s: extra %q, misfits %v, want reported %v", c.text, extra, page.Misfits, c.reported)
		}
	}
}

func TestUnknownPropertiesAreKept(t *testing.T) {
	d := newDecoder(everyType, "1")
	page, _, err := d.decode([]byte(`{"d":[{"New":{"a":[1, 2]},"Number":1,"Lines":{"__deferred":{"uri":"x"}}},{"Number":2},{"Odd \"name":"x","New":null,"number":7}]}`))
	if err != nil {
		t.Fatal(err)
	}
	_, _, _ = d.decode([]byte(`{"d":[{"Later":1}]}`)) // a page is not touched by the next
	want := []string{`Number=1 extra={"New":{"a":[1, 2]}}`, `Number=2`, `extra={"Odd \"name":"x","New":null,"number":7}`}
	want[2] = `Number=7 extra={"Odd \"name":"x","New":null}` // DuckDB knows no case either
	if diff := cmp.Diff(want, rows(page)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"New", `Odd "name`}, page.Unknown); diff != "" {
		t.Error(diff)
	}
}

// The order of properties may change from record to record, and some may be missing.
func TestPropertiesInAnyOrder(t *testing.T) {
	page, _, err := newDecoder(everyType, "1").decode([]byte(`{"d":[
		{"Number":1,"Name":"a","Flag":true},{"Flag":false,"Number":2,"Name":"b"},{"Name":"c"},{},{"Number":5,"Name":"e","Flag":true,"Tiny":1}]}`))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"Flag=1 Number=1 Name=a", "Flag=0 Number=2 Name=b", "Name=c", "", "Flag=1 Tiny=1 Number=5 Name=e"}
	if diff := cmp.Diff(want, rows(page)); diff != "" {
		t.Error(diff)
	}
}

// Records before the limit are left out, but seen; the modified property need not be a column.
func TestRecordsBeforeTheLimitAreLeftOut(t *testing.T) {
	narrow := everyType.Keys()
	for _, table := range []*schema.Table{everyType, narrow} {
		d := newDecoder(table, "1")
		d.watch("Modified")
		d.since = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()
		var versions []int64
		d.seen = func(version int64, versioned bool, _ int64, dated bool) {
			if versioned && dated {
				versions = append(versions, version)
			}
		}
		page, _, err := d.decode([]byte(`{"d":[
			{"Timestamp":"1","Modified":"/Date(1767225599999)/","Name":"old","New":1},
			{"Timestamp":"2","Modified":"/Date(1767225600000)/","Name":"edge"},
			{"Timestamp":"3","Modified":"/Date(1767225599999)/","Name":"old"},
			{"Timestamp":"4","Modified":null,"Name":"undated"}]}`))
		if err != nil {
			t.Fatal(err)
		}
		checkShape(t, page)
		if diff := cmp.Diff([]int64{1, 2, 3}, versions); diff != "" {
			t.Error(diff)
		}
		if got := page.Columns[table.Index("Timestamp")].Ints; !cmp.Equal(got, []int64{2, 4}) {
			t.Errorf("kept %v", got)
		}
		if strings.Contains(string(page.Extra.Text), "Modified") {
			t.Error("the watched property landed in Extra")
		}
	}
}

// checkShape holds what the warehouse relies on.
func checkShape(t *testing.T, p *schema.Page) {
	t.Helper()
	for i := range p.Columns {
		checkVector(t, &p.Columns[i], p.Rows)
	}
	checkVector(t, &p.Extra, p.Rows)
	for r := range p.Rows {
		if !p.Extra.Valid[r] {
			continue
		}
		var members map[string]json.RawMessage
		if err := json.Unmarshal(p.Extra.At(r), &members); err != nil || len(members) == 0 {
			t.Fatalf("extra is no object: %s", p.Extra.At(r))
		}
		if !utf8.Valid(p.Extra.At(r)) || !rawjson.Unicode(p.Extra.At(r)) {
			t.Fatalf("extra is no Unicode: %q", p.Extra.At(r))
		}
	}
}

func checkVector(t *testing.T, v *schema.Vector, rows int) {
	t.Helper()
	lengths := map[schema.Type]int{
		schema.Double: len(v.Floats), schema.UUID: len(v.UUIDs),
		schema.Varchar: len(v.Ends), schema.Blob: len(v.Ends), schema.JSON: len(v.Ends),
	}
	n, ok := lengths[v.Type]
	if !ok {
		n = len(v.Ints)
	}
	if n != rows || v.Len() != rows {
		t.Fatalf("%s vector of %d values for %d rows", v.Type, n, rows)
	}
	for _, f := range v.Floats {
		if math.IsNaN(f) || math.IsInf(f, 0) {
			t.Fatalf("a double that is none: %v", f)
		}
	}
	if len(v.Ends) > 0 && int(v.Ends[len(v.Ends)-1]) != len(v.Text) {
		t.Fatalf("%s vector: %d bytes of text, rows end at %d", v.Type, len(v.Text), v.Ends[len(v.Ends)-1])
	}
	if v.Type == schema.Varchar && !utf8.Valid(v.Text) {
		t.Fatalf("text is no UTF-8: %q", v.Text)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"d":{"results":[{"Timestamp":"12","ID":"cc20a11b-c137-48cc-8e55-09d4adbd4ac9","Flag":true,"Tiny":1,"Small":2,"Number":3,"Rate":1.5e3,"Amount":12.34567,"Modified":"/Date(1782404007287)/","Name":"a\u00e9\ud83d\ude00","Picture":"aGVsbG8=","Document":{"a":1},"New":[1,2]}],"__next":"https://x"}}`))
	f.Add([]byte(`{"d":[{"Name":"\ud83d","Number":99999999999,"Amount":1e-30},{"Name":{"__deferred":{}}}]}`))
	f.Add([]byte(`{"d":{"__metadata":{},"Amount":123456789012345678901234567890.123,"Rate":"-0"}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		d := newDecoder(everyType, "1")
		d.watch("Modified")
		d.since = 1_000_000
		page, next, err := d.decode(body)
		if err != nil {
			if page != nil || next != "" {
				t.Fatal("an error and a page")
			}
			return
		}
		if !json.Valid(body) {
			t.Fatalf("took what is no JSON: %q", body)
		}
		checkShape(t, page)
	})
}
