package exactpay_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"exactduck/extract"
	"exactduck/extract/exactpay"
	"exactduck/extract/sandbox/pay"
	"exactduck/schema"
)

// merchants is a simulated Exact Payments, and a table of everything that was read of it.
type merchants struct {
	t     *testing.T
	pay   *pay.Sandbox
	now   time.Time
	token string
	log   bytes.Buffer
	*exactpay.Source
	tables  map[string]map[string]map[string]any // by stream and scope, by key
	cursors map[string]schema.Position
	limit   time.Duration // lookback
}

type asked struct {
	base http.RoundTripper
	m    *merchants
}

func (a asked) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", a.m.token)
	response, err := a.base.RoundTrip(r)
	if response != nil {
		response.Header.Set("Date", a.m.now.Format(http.TimeFormat))
	}
	return response, err
}

func open(t *testing.T, o pay.Options, change func(*exactpay.Config)) *merchants {
	t.Helper()
	m := &merchants{
		t: t, now: time.Date(2026, 5, 20, 12, 0, 0, 0, time.UTC),
		tables: map[string]map[string]map[string]any{}, cursors: map[string]schema.Position{},
	}
	o.Clock = func() time.Time { return m.now }
	var err error
	if m.pay, err = pay.New(o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.pay.Close() })
	if m.token, err = m.pay.Token(""); err != nil {
		t.Fatal(err)
	}
	m.connect(change)
	return m
}

// connect makes another source, as another process has it.
func (m *merchants) connect(change func(*exactpay.Config)) {
	m.t.Helper()
	c := exactpay.Config{
		BaseURL: exactpay.SandboxURL, Client: &http.Client{Transport: asked{m.pay.Transport(), m}},
		Organization: m.pay.Credentials().Organization,
		Clock:        func() time.Time { return m.now }, Wait: func(context.Context, time.Duration) error { m.now = m.now.Add(time.Minute); return nil },
		Log: slog.New(slog.NewTextHandler(&m.log, nil)),
	}
	if change != nil {
		change(&c)
	}
	var err error
	if m.Source, err = exactpay.New(c); err != nil {
		m.t.Fatal(err)
	}
}

func variantOf(t testing.TB, stream string) *extract.Variant {
	t.Helper()
	s, _, err := exactpay.Lookup(stream)
	if err != nil {
		t.Fatal(err)
	}
	return s.Variants[0]
}

func read(t testing.TB, stream string, scope schema.Scope, from schema.Position) extract.Read {
	t.Helper()
	v := variantOf(t, stream)
	return extract.Read{Stream: v.Name, Variant: v, Table: v.Table, Scope: scope, From: from}
}

// run reads a stream from its cursor, or everything, and does to the table what a warehouse does.
func (m *merchants) run(stream string, scope schema.Scope, whole bool) error {
	m.t.Helper()
	at := stream + " " + string(scope)
	r := read(m.t, stream, scope, "")
	if !whole && r.Variant.Cursor != extract.Whole {
		r.From = m.cursors[at]
	}
	r.Lookback = m.limit
	came, last, err := m.pages(r)
	if err != nil {
		return err
	}
	m.keep(at, came, r.From == "" && !last.Unproven)
	m.cursors[at] = last.Next
	return nil
}

func (m *merchants) keep(at string, came map[string]map[string]any, replace bool) {
	if m.tables[at] == nil || replace {
		m.tables[at] = map[string]map[string]any{}
	}
	maps.Copy(m.tables[at], came)
}

func (m *merchants) pages(r extract.Read) (map[string]map[string]any, *schema.Page, error) {
	m.t.Helper()
	rows := map[string]map[string]any{}
	var last *schema.Page
	for page, err := range m.Pages(m.t.Context(), r) {
		if err != nil {
			return nil, nil, err
		}
		m.add(rows, page)
		last = page
	}
	if last == nil || !last.Done {
		m.t.Fatalf("%s: the pages ended before the last", r.Stream)
	}
	return rows, last, nil
}

func (m *merchants) add(rows map[string]map[string]any, page *schema.Page) {
	m.t.Helper()
	for i := range page.Columns {
		if page.Columns[i].Len() != page.Rows {
			m.t.Fatalf("%s has %d values in %d rows", page.Table.Columns[i].Name, page.Columns[i].Len(), page.Rows)
		}
	}
	if page.Extra.Len() != page.Rows {
		m.t.Fatalf("_extra has %d values in %d rows", page.Extra.Len(), page.Rows)
	}
	for i := range page.Rows {
		record := reassembled(m.t, page, i)
		var key []string
		for _, k := range page.Table.Key {
			key = append(key, fmt.Sprint(record[k]))
		}
		rows[strings.Join(key, " ")] = record
	}
}

// reassembled is a record as it came, put together from its columns and what is beside them.
func reassembled(t testing.TB, p *schema.Page, row int) map[string]any {
	t.Helper()
	record := map[string]any{}
	if p.Extra.Valid[row] {
		if err := json.Unmarshal(p.Extra.At(row), &record); err != nil {
			t.Fatal(err)
		}
	}
	for i, c := range p.Table.Columns {
		v := &p.Columns[i]
		if !v.Valid[row] {
			continue
		}
		into, name := record, c.Name
		if at := strings.IndexByte(name[1:], '_'); at >= 0 {
			object, _ := into[name[:at+1]].(map[string]any)
			if object == nil {
				object = map[string]any{}
				into[name[:at+1]] = object
			}
			into, name = object, name[at+2:]
		}
		if _, twice := into[name]; twice {
			t.Errorf("%s is in a column and beside it", c.Name)
		}
		into[name] = value(v, row)
	}
	return record
}

func value(v *schema.Vector, row int) any {
	switch v.Type {
	case schema.Boolean:
		return v.Ints[row] == 1
	case schema.TimestampTZ:
		return time.UnixMicro(v.Ints[row]).UTC().Format(time.RFC3339Nano)
	case schema.BigInt:
		return float64(v.Ints[row])
	}
	return string(v.At(row))
}

// truth is what there is, in the terms of reassembled.
func (m *merchants) truth(stream, account string) map[string]map[string]any {
	m.t.Helper()
	resource := strings.TrimPrefix(stream, "exactpay/")
	table := variantOf(m.t, stream).Table
	all := map[string]map[string]any{}
	for _, record := range m.pay.Records(account, resource) {
		delete(record, "accessToken")
		delete(record, "secret")
		text, err := json.Marshal(record)
		if err != nil {
			m.t.Fatal(err)
		}
		var back map[string]any
		if err := json.Unmarshal(text, &back); err != nil {
			m.t.Fatal(err)
		}
		textual(back, "", table)
		var key []string
		for _, k := range table.Key {
			key = append(key, fmt.Sprint(back[k]))
		}
		all[strings.Join(key, " ")] = back
	}
	return all
}

// textual writes numbers in columns of text as text, and leaves out what is null or empty.
func textual(record map[string]any, above string, t *schema.Table) {
	for name, v := range record {
		at := t.Index(above + name)
		switch v := v.(type) {
		case nil:
			delete(record, name)
		case map[string]any:
			if above == "" && slices.ContainsFunc(t.Columns, func(c schema.Column) bool { return strings.HasPrefix(c.Name, name+"_") }) {
				if textual(v, name+"_", t); len(v) == 0 {
					delete(record, name)
				}
			}
		case float64:
			if at >= 0 && t.Columns[at].Type == schema.Varchar {
				record[name] = fmt.Sprint(v)
			}
		}
	}
}

func (m *merchants) compare(stream, account string, scope schema.Scope) {
	m.t.Helper()
	if diff := cmp.Diff(m.truth(stream, account), m.tables[stream+" "+string(scope)]); diff != "" {
		m.t.Errorf("%s of %s (-there +here):\n%.3000s", stream, scope, diff)
	}
}

// somewhere is a stream in a scope, and the account that the sandbox has it under.
type somewhere struct {
	stream, account string
	scope           schema.Scope
}

// everything are the streams in all scopes that they have.
func (m *merchants) everything() (all []somewhere) {
	for _, s := range exactpay.Streams() {
		if s.Shared {
			all = append(all, somewhere{s.Name, "0", "0"})
			continue
		}
		for _, a := range m.pay.Accounts() {
			all = append(all, somewhere{s.Name, a, schema.Scope(a)})
		}
	}
	return all
}

func (m *merchants) must(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

func TestEverythingIsRead(t *testing.T) {
	m := open(t, pay.Options{Accounts: 3}, nil)
	for _, at := range m.everything() {
		m.must(m.run(at.stream, at.scope, true))
		m.compare(at.stream, at.account, at.scope)
		if len(m.tables[at.stream+" "+string(at.scope)]) == 0 && at.stream != "exactpay/onboardings" {
			t.Errorf("%s of %s is empty: nothing was proven", at.stream, at.scope)
		}
	}
	if text := m.log.String(); strings.Contains(text, "WARN") {
		t.Errorf("there were warnings:\n%s", text)
	}
	if strings.Contains(m.log.String(), m.token) {
		t.Error("the token is in the log")
	}
}

// That the service counts wrongly is told, once, and only then.
func TestMiscountsAreTold(t *testing.T) {
	for _, counts := range []string{"exact", "wrong", "page"} {
		m := open(t, pay.Options{Accounts: 1, Switches: pay.Switches{Sorts: []string{"none"}, Counts: counts}}, nil)
		account := m.pay.Accounts()[0]
		for range 2 {
			m.must(m.run("exactpay/payments", schema.Scope(account), true))
		}
		m.compare("exactpay/payments", account, schema.Scope(account))
		want := 0
		if counts == "wrong" {
			want = 1
		}
		if n := strings.Count(m.log.String(), "tells another number of rows"); n != want {
			t.Errorf("%s: it is told %d times", counts, n)
		}
	}
}
