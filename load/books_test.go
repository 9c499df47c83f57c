package load

import (
	"cmp"
	"database/sql"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"exactduck/load/spool"
	"exactduck/schema"
)

var division = schema.Column{Name: "_division", Type: schema.Integer}

// accounts has a version, items has none and a key of two columns, balances has no key.
var (
	accounts = &schema.Table{
		Service: "crm", Name: "Accounts", Scope: division, Key: []string{"ID"}, Version: "Timestamp", Entity: 2,
		Columns: []schema.Column{
			{Name: "Timestamp", Type: schema.BigInt},
			{Name: "ID", Type: schema.UUID},
			{Name: "Name", Type: schema.Varchar},
			{Name: "Amount", Type: schema.Decimal},
		},
	}
	items = &schema.Table{
		Service: "logistics", Name: "Items", Scope: division, Key: []string{"Code", "Line"},
		Columns: []schema.Column{
			{Name: "Code", Type: schema.Varchar},
			{Name: "Line", Type: schema.Integer},
			{Name: "Name", Type: schema.Varchar},
			{Name: "Changed", Type: schema.Timestamp},
		},
	}
	balances = &schema.Table{
		Service: "financial", Name: "Balances", Scope: division,
		Columns: []schema.Column{{Name: "Account", Type: schema.Varchar}, {Name: "Amount", Type: schema.Double}},
	}
	deletions = &schema.Table{
		Service: "_exactduck", Name: "tombstones", Scope: division, Key: []string{"EntityType", "EntityKey"}, Version: "Timestamp",
		Columns: []schema.Column{
			{Name: "Timestamp", Type: schema.BigInt}, {Name: "EntityType", Type: schema.Integer}, {Name: "EntityKey", Type: schema.UUID},
		},
	}
)

// books is a warehouse with a clock that stands still between calls of tick.
type books struct {
	*Warehouse
	t      testing.TB
	dir    string
	moment time.Time
	log    slog.Handler
}

func newBooks(t testing.TB) *books {
	b := &books{t: t, dir: t.TempDir(), moment: time.Date(2026, 11, 21, 4, 0, 0, 0, time.UTC), log: slog.DiscardHandler}
	b.open()
	t.Cleanup(func() { b.Close() })
	return b
}

func (b *books) open() {
	b.t.Helper()
	w, err := Open(b.t.Context(), Options{
		StateDir: filepath.Join(b.dir, "state"), Clock: func() time.Time { return b.moment }, Log: slog.New(b.log),
	})
	if err != nil {
		b.t.Fatal(err)
	}
	b.Warehouse = w
}

func (b *books) tick() time.Time {
	b.moment = b.moment.Add(time.Minute)
	return b.moment
}

// read is what a spool is made of; rows hold values in the order of the columns, then extra.
type read struct {
	table  *schema.Table
	scope  schema.Scope
	mode   spool.Mode
	rows   [][]any
	id     string
	began  time.Time
	size   int // rows of a page
	accept bool
	next   schema.Position
	tell   func(*schema.Page)
	dated  string
	epoch  string // "": "e"
	reload bool
	follow Follow
	whole  bool // of all history, not from 2020 on
}

func (b *books) spool(r read) *spool.File {
	b.t.Helper()
	if r.began.IsZero() {
		r.began = b.moment
	}
	if r.size == 0 {
		r.size = 3
	}
	history := "2020-01-01"
	if r.whole {
		history = ""
	}
	f, err := spool.Create(filepath.Join(b.dir, "spool"), spool.Header{
		ID: r.id, Stream: r.table.Service + "/" + r.table.Name, Variant: "v", Fingerprint: "f", Epoch: cmp.Or(r.epoch, "e"), RunID: "spooling",
		Scope: r.scope, Table: r.table, Mode: r.mode, Began: r.began, HistoryFrom: history, Dated: r.dated,
	})
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { f.Close() })
	for done := false; !done; {
		n := min(r.size, len(r.rows))
		p := pageOf(b.t, r.table, r.scope, r.rows[:n])
		r.rows = r.rows[n:]
		done = len(r.rows) == 0
		p.Next, p.Done = r.next, done
		if r.tell != nil {
			r.tell(p)
		}
		if err := f.Append(p); err != nil {
			b.t.Fatal(err)
		}
	}
	return f
}

func pageOf(t testing.TB, table *schema.Table, scope schema.Scope, rows [][]any) *schema.Page {
	t.Helper()
	p := schema.NewPage(table, scope, len(rows))
	p.Rows = len(rows)
	for _, row := range rows {
		for i := range p.Columns {
			put(t, &p.Columns[i], row[i])
		}
		if len(row) > len(p.Columns) {
			put(t, &p.Extra, row[len(p.Columns)])
		} else {
			p.Extra.AppendNull()
		}
	}
	return p
}

func put(t testing.TB, v *schema.Vector, value any) {
	t.Helper()
	ok := true
	switch value := value.(type) {
	case nil:
		v.AppendNull()
	case string:
		ok = v.AppendText([]byte(value))
	case int:
		ok = v.AppendInt(int64(value))
	case float64:
		ok = v.AppendFloat(value)
	case [16]byte:
		v.AppendUUID(value)
	default:
		ok = false
	}
	if !ok {
		t.Fatalf("%v (%T) is no %s", value, value, v.Type)
	}
}

func (b *books) batch(run string, reads ...read) Batch {
	batch := Batch{Run: run}
	for _, r := range reads {
		batch.Parts = append(batch.Parts, Part{File: b.spool(r), Accept: r.accept, ReloadMissed: r.reload, Follow: r.follow})
	}
	return batch
}

func (b *books) apply(run string, reads ...read) []Applied {
	b.t.Helper()
	return b.applyBatch(b.batch(run, reads...))
}

func (b *books) applyBatch(batch Batch) []Applied {
	b.t.Helper()
	applied, err := b.Apply(b.t.Context(), batch)
	if err != nil {
		b.t.Fatal(err)
	}
	return applied
}

// query returns the rows of an answer as text.
func (b *books) query(query string, args ...any) []string {
	b.t.Helper()
	rows, err := b.db.QueryContext(b.t.Context(), "SELECT COLUMNS(*)::VARCHAR FROM ("+query+")", args...)
	if err != nil {
		b.t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		b.t.Fatal(err)
	}
	var all []string
	for rows.Next() {
		values, into := make([]sql.NullString, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			b.t.Fatal(err)
		}
		line := make([]string, len(values))
		for i, v := range values {
			line[i] = v.String
			if !v.Valid {
				line[i] = "-"
			}
		}
		all = append(all, strings.Join(line, "|"))
	}
	if err := rows.Err(); err != nil {
		b.t.Fatal(err)
	}
	return all
}

func (b *books) expect(what, query string, want ...string) {
	b.t.Helper()
	if d := gocmp.Diff(want, b.query(query)); d != "" {
		b.t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

func id(n int) [16]byte { return [16]byte{0: 0xab, 14: byte(n >> 8), 15: byte(n)} }

const names = `SELECT right(ID::VARCHAR, 4), Timestamp, Name FROM crm.Accounts WHERE _deleted_at IS NULL ORDER BY ALL`

func result(a Applied) string {
	s := fmt.Sprintf("read %d inserted %d updated %d deleted %d missed %d", a.Read, a.Inserted, a.Updated, a.Deleted, a.Missed)
	if a.Already {
		s += " already"
	}
	if a.Suspect != nil {
		s += fmt.Sprintf(" suspect %d of %d", a.Suspect.Gone, a.Suspect.Have)
	}
	return s
}

func (b *books) expectResult(applied []Applied, want ...string) {
	b.t.Helper()
	var got []string
	for _, a := range applied {
		got = append(got, result(a))
	}
	if d := gocmp.Diff(want, got); d != "" {
		b.t.Errorf("result (-want +got):\n%s", d)
	}
}

// uuidText is id(n) as text.
func uuidText(n int) string { return fmt.Sprintf("ab000000-0000-0000-0000-00000000%04x", n) }
