package exactonline_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"exactduck/extract"
	"exactduck/extract/exactonline"
	"exactduck/extract/sandbox"
	"exactduck/schema"
)

const (
	root        = "https://start.exactonline.test"
	callback    = "https://localhost:8585/callback"
	division    = 123456
	theDivision = schema.Scope("123456")
)

// office is a sandbox, a login, and a clock that moves only when somebody waits.
type office struct {
	t  testing.TB
	sb *sandbox.Sandbox

	mu     sync.Mutex
	now    time.Time
	token  string
	logged time.Time
	sent   int // requests
}

func open(t testing.TB, o sandbox.Options) *office {
	t.Helper()
	f := &office{t: t, now: time.Date(2026, 7, 15, 10, 0, 0, 0, time.UTC)}
	o.Clock = f.Now
	if o.MinuteLimit == 0 {
		o.MinuteLimit, o.DayLimit = -1, -1
	}
	var err error
	if f.sb, err = sandbox.New(o); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *office) Now() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now
}

func (f *office) pass(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = f.now.Add(d)
}

func (f *office) wait(ctx context.Context, d time.Duration) error {
	f.pass(d)
	return context.Cause(ctx)
}

// RoundTrip puts a token on a request, logging in whenever the last one is too old.
func (f *office) RoundTrip(r *http.Request) (*http.Response, error) {
	if now := f.Now(); f.token == "" || now.Sub(f.logged) > 9*time.Minute {
		if err := f.login(); err != nil {
			return nil, err
		}
		f.logged = now
	}
	f.sent++
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+f.token)
	return f.sb.Transport().RoundTrip(r)
}

func (f *office) login() error {
	to, err := f.sb.Authorize(callback, "x")
	if err != nil {
		return err
	}
	u, err := url.Parse(to)
	if err != nil {
		return err
	}
	id, secret := f.sb.Client()
	form := url.Values{
		"grant_type": {"authorization_code"}, "code": {u.Query().Get("code")}, "redirect_uri": {callback},
		"client_id": {id}, "client_secret": {secret},
	}
	r, err := http.NewRequestWithContext(f.t.Context(), http.MethodPost, root+"/api/oauth2/token", strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := f.sb.Transport().RoundTrip(r)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	var pair struct {
		Access string `json:"access_token"`
	}
	if err := errors.Join(err, json.Unmarshal(body, &pair)); err != nil || pair.Access == "" {
		return fmt.Errorf("login: %d %s: %w", answer.StatusCode, body, err)
	}
	f.token = pair.Access
	return nil
}

func (f *office) source() *exactonline.Source {
	f.t.Helper()
	s, err := exactonline.New(exactonline.Config{
		BaseURL: root, Client: &http.Client{Transport: f}, Clock: f.Now, Wait: f.wait, Division: theDivision,
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return s
}

// books is what a warehouse would hold of one stream: rows as text by key, with their version.
type books struct {
	stream  *extract.Stream
	variant *extract.Variant
	rows    map[string]map[string]string
	version map[string]int64
	cursor  schema.Position
	filter  string
	since   time.Time
	out     *int // counts the rows that were marked; nil: nobody does
	lenient bool // what is unknown is no error
}

func ledgerOf(t testing.TB, name string) *books {
	t.Helper()
	stream, v, err := exactonline.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	if v == nil {
		v = stream.Variants[0]
	}
	return &books{stream: stream, variant: v, rows: map[string]map[string]string{}, version: map[string]int64{}}
}

func (b *books) read(scope schema.Scope) extract.Read {
	return extract.Read{Stream: b.stream.Name, Variant: b.variant, Scope: scope, From: b.cursor, Filter: b.filter, Since: b.since}
}

// load makes a read and merges it, as the warehouse would; a read that breaks off is resumed.
func (b *books) load(f *office, source func() *exactonline.Source) error {
	r := b.read(theDivision)
	if b.stream.Shared {
		r.Scope = "0"
	}
	for tries := 0; ; tries++ {
		err := b.pass(source(), &r)
		if err == nil {
			b.cursor = r.Resume
			return nil
		}
		if errors.Is(err, extract.ErrResume) {
			r.Resume = ""
		}
		if tries == 5 {
			return err
		}
		f.pass(90 * time.Minute)
	}
}

func (b *books) pass(s *exactonline.Source, r *extract.Read) error {
	for page, err := range s.Pages(context.Background(), *r) {
		if err != nil {
			return err
		}
		if err := b.merge(page); err != nil {
			return err
		}
		r.Resume = page.Next
	}
	return nil
}

func (b *books) merge(p *schema.Page) error {
	for _, name := range p.Misfits { // the sandbox has amounts of five decimals
		if p.Table.Columns[p.Table.Index(name)].Type != schema.Decimal {
			return fmt.Errorf("a value of %s did not fit: %s", name, p.Extra.Text)
		}
	}
	if p.Unknown != nil && !b.lenient {
		return fmt.Errorf("unknown properties %v", p.Unknown)
	}
	for row := range p.Rows {
		record, exact := map[string]string{}, map[string]json.Number{}
		if p.Extra.Valid[row] {
			if err := json.Unmarshal(p.Extra.At(row), &exact); err != nil {
				return err
			}
		}
		for i, c := range p.Table.Columns {
			record[c.Name] = shown(&p.Columns[i], row)
			if amount, ok := exact[c.Name]; ok {
				record[c.Name] = told(amount, schema.Decimal)
			}
		}
		key, version := keyOf(p.Table, record), int64(0)
		if p.Table.Version != "" {
			version = p.Columns[p.Table.Index(p.Table.Version)].Ints[row]
		}
		if _, known := b.rows[key]; !known || version >= b.version[key] {
			b.rows[key], b.version[key] = record, version
			if p.Out != nil && p.Out[row] {
				*b.out++
				delete(b.rows, key)
			}
		}
	}
	return nil
}

func keyOf(t *schema.Table, record map[string]string) string {
	var parts []string
	for _, k := range t.Key {
		parts = append(parts, record[k])
	}
	if len(t.Key) == 0 { // the whole row is what it is known by
		for _, c := range t.Columns {
			parts = append(parts, record[c.Name])
		}
	}
	return strings.Join(parts, "|")
}

func shown(v *schema.Vector, row int) string {
	if !v.Valid[row] {
		return "NULL"
	}
	switch v.Type {
	case schema.Boolean:
		return fmt.Sprint(v.Ints[row] == 1)
	case schema.Decimal:
		return new(big.Rat).SetFrac64(v.Ints[row], 10000).RatString()
	case schema.Double:
		return fmt.Sprintf("%.7g", v.Floats[row])
	case schema.Timestamp:
		return time.UnixMicro(v.Ints[row]).UTC().Format(time.RFC3339Nano)
	case schema.UUID:
		return uuid.UUID(v.UUIDs[row]).String()
	case schema.Varchar, schema.Blob, schema.JSON:
		return string(v.At(row))
	default:
		return fmt.Sprint(v.Ints[row])
	}
}

// truth is what the sandbox holds, in the words of shown.
func truth(f *office, v *extract.Variant) map[string]map[string]string {
	f.t.Helper()
	records := f.sb.Records(division, exactonline.EndpointOf(v).Path)
	rows := map[string]map[string]string{}
	for _, r := range records {
		record := map[string]string{}
		for _, c := range v.Table.Columns {
			record[c.Name] = told(r[c.Name], c.Type)
		}
		rows[keyOf(v.Table, record)] = record
	}
	return rows
}

func told(value any, as schema.Type) string {
	switch value := value.(type) {
	case nil:
		return "NULL"
	case []byte:
		return string(value)
	case bool:
		if as != schema.Boolean { // another endpoint of the stream says that it is a number
			return map[bool]string{true: "1", false: "0"}[value]
		}
	case time.Time:
		return value.UTC().Format(time.RFC3339Nano)
	case json.Number:
		r, _ := new(big.Rat).SetString(value.String())
		if as == schema.Decimal {
			return r.RatString()
		}
		f, _ := r.Float64()
		return fmt.Sprintf("%.7g", f)
	}
	return fmt.Sprint(value)
}

// compare names the first few differences.
func compare(t testing.TB, name string, got, want map[string]map[string]string) {
	t.Helper()
	var diffs []string
	for key, record := range want {
		for column, value := range record {
			if other, ok := got[key][column]; other != value || !ok {
				diffs = append(diffs, fmt.Sprintf("%s.%s is %q, want %q", key, column, other, value))
			}
		}
	}
	for key := range got {
		if want[key] == nil {
			diffs = append(diffs, key+" is too many")
		}
	}
	if len(diffs) > 0 {
		t.Errorf("%s: %d rows, want %d, %d differences: %s", name, len(got), len(want), len(diffs), strings.Join(diffs[:min(len(diffs), 4)], "; "))
	}
}
