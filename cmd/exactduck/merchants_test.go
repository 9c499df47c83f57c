package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"exactduck/auth"
	"exactduck/cmd/exactduck/config"
	"exactduck/extract/exactpay"
	"exactduck/extract/sandbox/pay"
	"exactduck/load"
	"exactduck/schema"
)

// merchants are accounts in a simulated Exact Payments, and a warehouse that follows them.
type merchants struct {
	*books
	t     *testing.T
	dir   string
	clock *clock
	pay   *pay.Sandbox
	token string
	// patience is how long the client waits for an answer; 0: for ever.
	patience time.Duration
	wire     *wire
	said     *warnings
}

// warnings are what the log says, line by line, since it was last forgotten; its details are apart.
type warnings struct {
	mu      sync.Mutex
	text    []string
	details []string
}

func (w *warnings) Write(line []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	text := strings.TrimSpace(string(line))
	if strings.Contains(text, "level=WARN") || strings.Contains(text, "level=ERROR") {
		w.text = append(w.text, text)
	} else {
		w.details = append(w.details, text)
	}
	return len(line), nil
}

func (w *warnings) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text, w.details = nil, nil
}

// about are the details of what was done for a list.
func (w *warnings) about(k ofAccount) (lines []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, text := range w.details {
		if strings.Contains(text, k.stream) && strings.Contains(text, "="+k.account) {
			lines = append(lines, text)
		}
	}
	return lines
}

// unproven tells whether somebody was told that a list may not have come whole.
func (w *warnings) unproven(k ofAccount) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, text := range w.text {
		said := strings.Contains(text, "nothing is removed") && strings.Contains(text, "scope="+k.account) ||
			strings.Contains(text, "has not shown that it gave every row") && (k.account == "0" || strings.Contains(text, k.account))
		if said && strings.Contains(text, k.stream) {
			return true
		}
	}
	return false
}

// paid are the streams of the model: all there are.
var paid = []string{
	"exactpay/accounts", "exactpay/customers", "exactpay/payments", "{stream: exactpay/orders, since: 2025-09-01}",
	"exactpay/payment_methods", "exactpay/onboardings", "exactpay/mcc",
}

func newMerchants(t *testing.T, o pay.Options) *merchants {
	t.Helper()
	m := &merchants{t: t, dir: t.TempDir(), clock: &clock{now: time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)}, said: &warnings{}}
	o.Clock = m.clock.time
	var err error
	m.pay, err = pay.New(o)
	m.must(err)
	t.Cleanup(func() { _ = m.pay.Close() })
	m.token, err = m.pay.Token("")
	m.must(err)
	m.wire = &wire{clock: m.clock.time, next: m.pay.Transport()}
	m.books = &books{config: m.configure(), dial: m.dial, clock: m.clock.time, log: slog.New(slog.NewTextHandler(m.said, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	return m
}

func (m *merchants) must(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

func (m *merchants) configure() *config.Config {
	m.t.Helper()
	text := `version: 1
connections:
  shop:
    type: exactpay
    base_url: http://127.0.0.1:8700
    token: ${EXACTPAY_TOKEN}
    organization: ` + m.pay.Credentials().Organization + `
pipelines:
  nightly:
    from: shop
    streams:
` + streamLines(paid...) + `
    to: {duckdb: shop.duckdb}
`
	path := filepath.Join(m.dir, "pipelines.yaml")
	m.must(os.WriteFile(path, []byte(text), 0o600))
	c, err := config.Load(path, catalogue)
	m.must(err)
	return c
}

func (m *merchants) dial(context.Context, string, schema.Scope) (*connection, error) {
	transport, err := auth.NewPayTransport("http://127.0.0.1:8700", auth.Secret(m.token), m.wire)
	if err != nil {
		return nil, err
	}
	source, err := exactpay.New(exactpay.Config{
		BaseURL: "http://127.0.0.1:8700", Client: &http.Client{Transport: transport, Timeout: m.patience}, Organization: m.pay.Credentials().Organization,
		Clock: m.clock.time, Wait: m.clock.wait, Log: m.log, Permanent: isLogin, PerMinute: 100_000,
	})
	return &connection{source: source}, err
}

// user is a token of somebody who has logged in, which is good for two hours without being used.
func (m *merchants) user() string {
	m.t.Helper()
	who := m.pay.Credentials()
	body, err := json.Marshal(map[string]string{"email": who.Email, "password": who.Password, "application": who.Application})
	m.must(err)
	r, err := http.NewRequestWithContext(m.t.Context(), http.MethodPost, "http://127.0.0.1:8700/token", bytes.NewReader(body))
	m.must(err)
	answer, err := m.pay.Transport().RoundTrip(r)
	m.must(err)
	defer answer.Body.Close()
	var login struct{ Token string }
	if m.must(json.NewDecoder(answer.Body).Decode(&login)); login.Token == "" {
		m.t.Fatalf("a login is answered with %s", answer.Status)
	}
	return login.Token
}

func (m *merchants) pipeline() *config.Pipeline { return m.config.Pipelines["nightly"] }

// ofAccount is a stream in an account; "0": it is of the connection.
type ofAccount struct{ account, stream string }

// record is what a record says, by the path of each value.
type record map[string]string

// rowsOf are the records of a table, by key.
type rowsOf map[string]record

// truth is what there is, of every stream and account.
func (m *merchants) truth() map[ofAccount]rowsOf {
	m.t.Helper()
	all := map[ofAccount]rowsOf{}
	for _, s := range exactpay.Streams() {
		accounts := []string{"0"}
		if !s.Shared {
			accounts = m.pay.Accounts()
		}
		for _, account := range accounts {
			rows := rowsOf{}
			for _, r := range m.pay.Records(account, strings.TrimPrefix(s.Name, "exactpay/")) {
				hidden := record{}
				if token, ok := r["accessToken"].(map[string]any); ok { // the only date of an order
					hidden["(made)"] = textual(token["expires_at"].(time.Time).Add(-time.Hour))
				}
				delete(r, "accessToken")
				delete(r, "secret")
				flatten(hidden, "", r)
				rows[m.key(s.Variants[0].Table, hidden)] = hidden
			}
			all[ofAccount{account, s.Name}] = rows
		}
	}
	return all
}

func (m *merchants) key(t *schema.Table, r record) string {
	var parts []string
	for _, name := range t.Key {
		parts = append(parts, r[name])
	}
	return strings.Join(parts, "|")
}

// flatten takes an object apart; lists stay whole.
func flatten(into record, above string, object map[string]any) {
	for name, v := range object {
		switch v := v.(type) {
		case nil:
		case map[string]any:
			flatten(into, above+name+".", v)
		default:
			if _, twice := into[above+name]; twice {
				into[above+name] = "twice"
				continue
			}
			into[above+name] = textual(v)
		}
	}
}

func textual(v any) string {
	switch v := v.(type) {
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	case string:
		if t, err := time.Parse(time.RFC3339Nano, v); err == nil {
			return textual(t)
		}
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case []any:
		text, _ := json.Marshal(v) // of JSON
		return string(text)
	}
	return fmt.Sprint(v)
}

// stored is what the published file holds.
func (m *merchants) stored() map[ofAccount]rowsOf {
	m.t.Helper()
	path := filepath.Join(m.dir, "shop.duckdb")
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	reader, err := load.OpenReader(m.t.Context(), path)
	m.must(err)
	defer reader.Close()
	answer, err := reader.Query(m.t.Context(), "SELECT table_name FROM information_schema.tables WHERE table_schema = 'exactpay'")
	m.must(err)
	there := map[string]bool{}
	for row, err := range answer.Rows() {
		m.must(err)
		there["exactpay/"+textOf(row[0])] = true
	}
	m.must(answer.Close())
	all := map[ofAccount]rowsOf{}
	for _, s := range exactpay.Streams() {
		if there[s.Name] {
			m.table(reader, s.Variants[0].Table, s.Name, all)
		}
	}
	return all
}

func (m *merchants) table(reader *load.Reader, t *schema.Table, stream string, all map[ofAccount]rowsOf) {
	m.t.Helper()
	answer, err := reader.Query(m.t.Context(), fmt.Sprintf("SELECT * FROM %q.%q", t.Service, t.Name))
	m.must(err)
	defer answer.Close()
	for values, err := range answer.Rows() {
		m.must(err)
		row, account := record{}, ""
		for i, c := range answer.Columns {
			switch {
			case c.Name == "_account":
				account = textOf(values[i])
			case c.Name == "_extra" && values[i] != nil:
				var extra map[string]any
				m.must(json.Unmarshal(values[i].(json.RawMessage), &extra))
				flatten(row, "", extra)
			case t.Index(c.Name) >= 0 && values[i] != nil:
				name := c.Name[:1] + strings.Replace(c.Name[1:], "_", ".", 1)
				flatten(row, "", map[string]any{name: values[i]})
			}
		}
		k := ofAccount{account, stream}
		if all[k] == nil {
			all[k] = rowsOf{}
		}
		if key := m.key(t, row); all[k][key] != nil {
			m.t.Errorf("%s: row %s is there twice", stream, key)
		} else {
			all[k][key] = row
		}
	}
}
