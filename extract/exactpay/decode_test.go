package exactpay

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"exactduck/schema"
)

func decoderOf(t testing.TB, name string, also ...string) *decoder {
	t.Helper()
	s, _, err := Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	e := EndpointOf(s.Variants[0])
	d := newDecoder(e, s.Variants[0].Table, "63ee4a296fd695eded58febe", e.Order, also)
	d.begin()
	return d
}

func everyRow(*row) bool { return true }

// cells are the values of a row that are there, as text, and what is beside them.
func cells(p *schema.Page, row int) (columns map[string]any, beside string) {
	columns = map[string]any{}
	for i, c := range p.Table.Columns {
		v := &p.Columns[i]
		switch {
		case !v.Valid[row]:
		case c.Type == schema.Varchar:
			columns[c.Name] = string(v.At(row))
		default:
			columns[c.Name] = v.Ints[row]
		}
	}
	if p.Extra.Valid[row] {
		beside = string(p.Extra.At(row))
	}
	return columns, beside
}

func TestWhereAValueEndsUp(t *testing.T) {
	d := decoderOf(t, "payments")
	l, err := d.decode([]byte(`[{
		"id": "p1", "paymentId": "p1", "createdAt": "2023-02-17T22:57:11.655Z", "settledAt": "2023-07-26T23:32:32+02:00",
		"amount": 10000, "surchargeAmount": 10.50, "currencyCode": "CAD", "approved": true, "captured": "yes", "voided": null,
		"captureDetails": {"captures": ["x", "y"], "remaining": 123.0},
		"refundDetails": {},
		"reference": {"referenceNo": 11928102, "color": "blue", "customerRef": null},
		"merchant": "a text", "bankResponse": {"code": "AA", "message": {"deep": 1.50}},
		"paymentMethodDetails": {"expiryMonth": 12, "cvdCheck": {"a":1}},
		"authorization": "half \ud83e of it", "terminal": {"a" : 1}, "new": {"thing": [1]}, "nothing": null
	}, {"paymentId": "p2", "createdAt": "17/02/2023", "settledAt": "2023-07-26T23:32:32", "reference_customerRef": "flat", "reference": {"customerRef": "deep"}}]`), "", everyRow)
	if err != nil || l.records != 2 || l.available != untold {
		t.Fatalf("%+v, %v", l, err)
	}
	p := d.finish()
	columns, beside := cells(p, 0)
	want := map[string]any{
		"paymentId": "p1", "createdAt": int64(1_676_674_631_655_000), "settledAt": int64(1_690_407_152_000_000), "amount": int64(10000),
		"currencyCode": "CAD", "approved": int64(1), "captureDetails_remaining": int64(123), "reference_referenceNo": "11928102",
		"bankResponse_code": "AA", "paymentMethodDetails_expiryMonth": "12", "authorization": "half \ufffd of it",
	}
	if diff := cmp.Diff(want, columns); diff != "" {
		t.Error(diff)
	}
	wantBeside := `{"id":"p1","surchargeAmount":10.50,"captured":"yes","captureDetails":{"captures":["x", "y"]},"reference":{"color":"blue"},` +
		`"merchant":"a text","bankResponse":{"message":{"deep": 1.50}},"paymentMethodDetails":{"cvdCheck":{"a":1}},` +
		`"authorization":{"_base64":"ImhhbGYgXHVkODNlIG9mIGl0Ig=="},"terminal":{"a" : 1},"new":{"thing": [1]}}`
	if beside != wantBeside {
		t.Errorf("beside the columns is\n%s, want\n%s", beside, wantBeside)
	}
	columns, beside = cells(p, 1)
	if columns["reference_customerRef"] != "flat" || columns["createdAt"] != nil || beside != `{"createdAt":"17/02/2023","settledAt":"2023-07-26T23:32:32","reference":{"customerRef":"deep"}}` {
		t.Errorf("%v and %s", columns, beside)
	}
	if diff := cmp.Diff([]string{"merchant", "new", "reference_color"}, p.Unknown); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"authorization", "bankResponse_message", "captured", "createdAt", "settledAt", "surchargeAmount"}, p.Misfits); diff != "" {
		t.Error(diff)
	}
}

// What lets whoever has it act is kept nowhere, not even when it is asked for.
func TestSecretsAreKeptNowhere(t *testing.T) {
	d := decoderOf(t, "orders", "accessToken")
	if _, err := d.decode([]byte(`{"available":"many","results":[{"id":"o","accessToken":{"token":"xFwJ","expires_at":"2022"}}]}`), "", everyRow); err != nil {
		t.Fatal(err)
	}
	if columns, beside := cells(d.finish(), 0); len(columns) != 1 || beside != "" {
		t.Errorf("%v and %s", columns, beside)
	}
}

// The number of a bank account is in an object of which the rest is kept.
func TestSecretsInsideObjects(t *testing.T) {
	d := decoderOf(t, "onboardings", "merchant_bankingDetails", "merchant.bankingDetails")
	body := `[{"_id":"o","isLocked":true,"merchant":{"name":"Acme","address":{"city":"Ely"},"bankingDetails":{"ddaNumber":"223334456"}}}]`
	if _, err := d.decode([]byte(body), "", everyRow); err != nil {
		t.Fatal(err)
	}
	page := d.finish()
	columns, beside := cells(page, 0)
	if columns["merchant_name"] != "Acme" || columns["isLocked"] == nil || beside != `{"merchant":{"address":{"city":"Ely"}}}` || len(page.Unknown) > 0 {
		t.Errorf("%v and %s, unknown %q", columns, beside, page.Unknown)
	}
}

func TestFewerColumnsAndOthers(t *testing.T) {
	s, _, _ := Lookup("payments")
	table := s.Variants[0].Table.Select(func(name string) bool { return name == "amount" })
	table.Columns = append(slices.Clip(table.Columns), schema.Column{Name: "reference_color", Type: schema.Varchar}, schema.Column{Name: "fees", Type: schema.JSON})
	d := newDecoder(EndpointOf(s.Variants[0]), table, "63ee4a296fd695eded58febe", "createdAt", []string{"status"})
	d.begin()
	body := `[{"paymentId":"p","amount":1,"status":"ok","createdAt":"2026-01-01T00:00:00Z","settledAt":"x","reference":{"color":"blue","customerRef":"c"},"fees":[ 1 ],"other":2}]`
	if _, err := d.decode([]byte(body), "", func(r *row) bool { return r.ordered && r.dated }); err != nil {
		t.Fatal(err)
	}
	p := d.finish()
	if p.Rows != 1 || len(p.Columns) != 4 || len(p.Misfits) != 0 || string(p.Columns[3].Text) != "[ 1 ]" || string(p.Columns[2].Text) != "blue" {
		t.Errorf("%+v", p)
	}
	if string(p.Extra.Text) != `{"status":"ok","other":2}` {
		t.Errorf("beside is %s", p.Extra.Text)
	}
}

func TestConvert(t *testing.T) {
	for _, tc := range []struct {
		kind         schema.Type
		value        string
		want         any
		added, exact bool
	}{
		{schema.BigInt, `9223372036854775807`, int64(9223372036854775807), true, true},
		{schema.BigInt, `9223372036854775808`, nil, false, false},
		{schema.BigInt, `"12"`, int64(12), true, true},
		{schema.BigInt, `-5.000`, int64(-5), true, true},
		{schema.BigInt, `1e2`, nil, false, false},
		{schema.BigInt, `0.5`, nil, false, false},
		{schema.BigInt, `true`, nil, false, false},
		{schema.BigInt, `""`, nil, false, false},
		{schema.BigInt, `"+1"`, nil, false, false},
		{schema.Integer, `2147483648`, nil, false, false},
		{schema.Decimal, `-0.05`, int64(-500), true, true},
		{schema.Decimal, `1.23456`, nil, false, false},
		{schema.Decimal, `"20.1700"`, int64(201700), true, true},
		{schema.Boolean, `"true"`, int64(1), true, true},
		{schema.Boolean, `1`, nil, false, false},
		{schema.TimestampTZ, `"2024-02-29T23:59:59.123456+05:30"`, int64(1709231399123456), true, true},
		{schema.TimestampTZ, `"2024-02-29T23:59:59.1234567Z"`, nil, false, false},
		{schema.TimestampTZ, `"2024-02-30T00:00:00Z"`, nil, false, false},
		{schema.TimestampTZ, `"0000-01-01T00:00:00Z"`, nil, false, false},
		{schema.TimestampTZ, `1709231399`, nil, false, false},
		{schema.Varchar, `1.50`, "1.50", true, true},
		{schema.Varchar, `"\ud83e"`, "\ufffd", true, false},
		{schema.Varchar, `{}`, nil, false, false},
		{schema.JSON, ` {"a" : 1.0}`, `{"a" : 1.0}`, true, true},
		{schema.UUID, `"9e7d093d-1d7a-4a1d-9e7c-89babc607479"`, "", true, true},
		{schema.UUID, `"9e7d093d1d7a4a1d9e7c89babc607479"`, nil, false, false},
		{schema.Double, `1e3`, "", true, true},
		{schema.Double, `"NaN"`, nil, false, false},
		{schema.Blob, `"/wA="`, "\xff\x00", true, true},
		{schema.Varchar, `"torn`, nil, false, false},
		{schema.Varchar, ``, nil, false, false},
	} {
		v := schema.NewVector(tc.kind, 1)
		added, exact := Convert(&v, []byte(tc.value))
		if added != tc.added || exact != tc.exact || added != (v.Len() == 1) {
			t.Errorf("%s as %s: %v, %v, %d values", tc.value, tc.kind, added, exact, v.Len())
			continue
		}
		switch want := tc.want.(type) {
		case int64:
			if v.Ints[0] != want {
				t.Errorf("%s as %s is %d", tc.value, tc.kind, v.Ints[0])
			}
		case string:
			if want != "" && string(v.At(0)) != want {
				t.Errorf("%s as %s is %q", tc.value, tc.kind, v.At(0))
			}
		}
	}
}

// FuzzDecode holds pages together whatever comes: all columns are as long as the page, text is Unicode,
// what is beside is JSON, and nothing that came with a name and a value is lost.
func FuzzDecode(f *testing.F) {
	for _, body := range []string{
		`[]`, `{"available":1,"results":[{"id":"a","amount":1}]}`, `[{"paymentId":"a","createdAt":"2026-01-01T00:00:00Z","reference":{"x":[1,2],"customerRef":7}}]`,
		`{"paymentId":"\ud800","amount":1e400,"merchant":{"address":{"a":1},"name":null}}`, `[{"paymentId":"a"},{"paymentId":"b","Amount":1,"amount":2}]`, `{"results":null}`, `[{}]`, `[1`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, name := range []string{"payments", "orders"} {
			d := decoderOf(t, name)
			rows := 0
			l, err := d.decode(body, "", func(*row) bool { rows++; return rows%3 != 0 })
			if err != nil {
				continue
			}
			if !json.Valid(body) {
				t.Fatalf("%q is no JSON", body)
			}
			p := d.finish()
			if l.records != rows || p.Rows != rows-rows/3 {
				t.Fatalf("%d records, %d looked at, %d kept", l.records, rows, p.Rows)
			}
			for i := range p.Columns {
				if v := &p.Columns[i]; v.Len() != p.Rows || !utf8.Valid(v.Text) {
					t.Fatalf("column %s does not add up", p.Table.Columns[i].Name)
				}
			}
			for i := range p.Rows {
				if p.Extra.Valid[i] && (!json.Valid(p.Extra.At(i)) || !strings.HasPrefix(string(p.Extra.At(i)), "{")) {
					t.Fatalf("beside is %q", p.Extra.At(i))
				}
			}
		}
	})
}
