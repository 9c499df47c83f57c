package analytics_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"exactduck/extract"
	"exactduck/extract/exactonline"
	"exactduck/extract/sandbox"
	"exactduck/load"
	"exactduck/load/spool"
	"exactduck/schema"
)

// today is the day on which the sandbox's companies are looked at.
var today = time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)

// office is a simulated Exact Online, and a login.
type office struct {
	t       testing.TB
	sandbox *sandbox.Sandbox
	source  *exactonline.Source
	token   string
	places  []extract.Place
}

const host, callback = "https://start.exactonline.test", "https://localhost:8585/callback"

func newOffice(t testing.TB, o sandbox.Options) *office {
	t.Helper()
	o.Clock = func() time.Time { return today }
	o.MinuteLimit, o.DayLimit = -1, -1
	f := &office{t: t}
	var err error
	if f.sandbox, err = sandbox.New(o); err != nil {
		t.Fatal(err)
	}
	if f.token, err = f.login(); err != nil {
		t.Fatal(err)
	}
	f.source, err = exactonline.New(exactonline.Config{
		BaseURL: host, Client: &http.Client{Transport: f}, Clock: o.Clock, Division: "123456",
		Wait: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	})
	if err == nil {
		f.places, err = f.source.Places(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *office) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+f.token)
	return f.sandbox.Transport().RoundTrip(r)
}

func (f *office) login() (string, error) {
	to, err := f.sandbox.Authorize(callback, "x")
	if err != nil {
		return "", err
	}
	u, err := url.Parse(to)
	if err != nil {
		return "", err
	}
	id, secret := f.sandbox.Client()
	form := url.Values{
		"grant_type": {"authorization_code"}, "code": {u.Query().Get("code")}, "redirect_uri": {callback},
		"client_id": {id}, "client_secret": {secret},
	}
	r, err := http.NewRequestWithContext(f.t.Context(), http.MethodPost, host+"/api/oauth2/token", strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := f.sandbox.Transport().RoundTrip(r)
	if err != nil {
		return "", err
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	var pair struct {
		Access string `json:"access_token"`
	}
	if err := errors.Join(err, json.Unmarshal(body, &pair)); err != nil || pair.Access == "" {
		return "", fmt.Errorf("login: %d %s: %w", answer.StatusCode, body, err)
	}
	return pair.Access, nil
}

// warehouse is a folder with a working database and a published file.
type warehouse struct {
	t      testing.TB
	dir    string
	prefix string
	log    *slog.Logger
}

func (w warehouse) published() string { return filepath.Join(w.dir, "books.duckdb") }

func (w warehouse) open() *load.Warehouse {
	w.t.Helper()
	opened, err := load.Open(w.t.Context(), load.Options{
		StateDir: filepath.Join(w.dir, "state"), Target: w.published(), Prefix: w.prefix, Clock: func() time.Time { return today },
		Log: w.log,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { opened.Close() })
	return opened
}

// sync reads streams of all divisions whole, applies them and publishes.
func (w warehouse) sync(f *office, historyFrom string, streams ...string) load.Published {
	w.t.Helper()
	opened := w.open()
	defer opened.Close()
	for _, name := range streams {
		stream, variant, err := exactonline.Lookup(name)
		if err != nil {
			w.t.Fatal(err)
		}
		if variant == nil {
			variant = stream.Variants[0]
		}
		in := f.places
		if stream.Shared {
			in = []extract.Place{{Scope: "0"}}
		}
		for _, place := range in {
			w.load(opened, f, stream, variant, place.Scope, historyFrom)
		}
	}
	return w.publish(opened)
}

func (w warehouse) publish(opened *load.Warehouse) load.Published {
	w.t.Helper()
	done, err := opened.Publish(w.t.Context(), load.Target{DuckDB: w.published(), RunID: "run"})
	if err != nil {
		w.t.Fatal(err)
	}
	return done
}

func (w warehouse) load(opened *load.Warehouse, f *office, stream *extract.Stream, variant *extract.Variant, scope schema.Scope, historyFrom string) {
	w.t.Helper()
	file, err := spool.Create(filepath.Join(w.dir, "spool"), spool.Header{
		Stream: stream.Name, Variant: variant.Name, Fingerprint: "f", Epoch: "e", RunID: "run", Scope: scope, Table: variant.Table,
		Mode: spool.Replace, Began: today, HistoryFrom: historyFrom,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	defer file.Close()
	for page, err := range f.source.Pages(w.t.Context(), extract.Read{Stream: stream.Name, Variant: variant, Table: variant.Table, Scope: scope}) {
		if err == nil {
			err = file.Append(page)
		}
		if err != nil {
			w.t.Fatalf("%s: %v", stream.Name, err)
		}
	}
	if _, err := opened.Apply(w.t.Context(), load.Batch{Run: "run", Parts: []load.Part{{File: file, Accept: true}}}); err != nil {
		w.t.Fatalf("%s: %v", stream.Name, err)
	}
}

// everything is what the views read.
var everything = []string{
	"system/Divisions", "financial/TransactionLines", "financial/GLAccounts", "financial/FinancialPeriods", "financial/ReportingBalance",
	"financial/Journals", "crm/Accounts", "logistics/Items", "vat/VATCodes", "cashflow/Receivables", "cashflow/Payments",
	"read/financial/ReceivablesList", "read/financial/PayablesList", "read/financial/RevenueList",
	"salesinvoice/SalesInvoicesSync", "purchaseorder/PurchaseOrdersSync",
}

// reader is a query's way to a file that is attached under some name, as an analyst would do it.
type reader struct {
	t  testing.TB
	db *sql.DB
}

// attach attaches a file, read-only, as name, and opens no other.
func attach(t testing.TB, path, name string) reader {
	t.Helper()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(1)
	r := reader{t, db}
	r.do("ATTACH '" + strings.ReplaceAll(path, "'", "''") + "' AS " + name + " (READ_ONLY)")
	return r
}

func (r reader) do(statement string) {
	r.t.Helper()
	if _, err := r.db.ExecContext(r.t.Context(), statement); err != nil {
		r.t.Fatalf("%s: %v", statement, err)
	}
}

// rows is an answer as text, one line a row.
func (r reader) rows(query string) []string {
	r.t.Helper()
	rows, err := r.db.QueryContext(r.t.Context(), "SELECT COLUMNS(*)::VARCHAR FROM ("+query+")")
	if err != nil {
		r.t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		r.t.Fatal(err)
	}
	var all []string
	for rows.Next() {
		values, into := make([]sql.NullString, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			r.t.Fatal(err)
		}
		line := make([]string, len(values))
		for i, v := range values {
			if line[i] = v.String; !v.Valid {
				line[i] = "-"
			}
		}
		all = append(all, strings.Join(line, " | "))
	}
	if err := rows.Err(); err != nil {
		r.t.Fatal(err)
	}
	return all
}

// warnings fails a test that is warned.
type warnings struct {
	slog.Handler
	t testing.TB
}

func (w warnings) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelWarn }

func (w warnings) Handle(_ context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool {
		r.Message += " " + a.String()
		return true
	})
	w.t.Error(r.Message)
	return nil
}
