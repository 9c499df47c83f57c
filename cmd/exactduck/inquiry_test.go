package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"exactduck/cmd/exactduck/config"
	"exactduck/extract"
	"exactduck/load"
	"exactduck/load/spool"
	"exactduck/schema"
)

func date(text string) time.Time { return momentOf(text) }

// The text of a fingerprint is in warehouses: it may grow, and must not change.
func TestFingerprintIsReadable(t *testing.T) {
	t.Parallel()
	c := chosen(t, "crm/Accounts")
	c.Since, c.Exclude, c.Filter = date("2024-01-01"), []string{"Email", "Phone"}, "Name lt 'a' and Blocked eq false"
	v := *c.Stream.Variants[0]
	v.Query = "year=2026&period=1"
	got, _, shaped := strings.Cut(fingerprint(&v, c), `,"shape":"`)
	want := `{"variant":"sync/CRM/Accounts","without":["Email","Phone"],"since":"2024-01-01",` +
		`"filter":"Name lt 'a' and Blocked eq false","params":"year=2026&period=1","numbers":1`
	if got != want || !shaped {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// What a change of the configuration makes of rows that are stored already. Fingerprints without a
// shape are of the warehouses that were made before there was one, to the letter.
func TestChangesOfAChoice(t *testing.T) {
	t.Parallel()
	const accounts = `{"variant":"sync/CRM/Accounts","numbers":1}`
	tests := []struct {
		name   string
		stream string
		was    func(*config.Choice)
		old    string // the stored fingerprint; "": of was
		is     func(*config.Choice)
		from   string // the history that the cursor says
		want   change
		drop   []string
		since  string
	}{
		{name: "nothing", want: same},
		{name: "nothing, before there was a shape", old: accounts, want: same},
		{
			name: "the same columns left out, before there was a shape", old: `{"variant":"sync/CRM/Accounts","without":["Email"],"numbers":1}`,
			is: func(c *config.Choice) { c.Exclude = []string{"Email"} }, want: same,
		},
		{
			name: "the same date, before there was a shape", old: `{"variant":"sync/CRM/Accounts","since":"2020-01-01","numbers":1}`, from: "2020-01-01",
			is: func(c *config.Choice) { c.Since = date("2020-01-01") }, want: same,
		},
		{
			name: "fewer columns, before there was a shape", old: accounts,
			is: func(c *config.Choice) { c.Exclude = []string{"Email", "Phone"} }, want: narrower, drop: []string{"Email", "Phone"},
		},
		{
			name: "more columns, before there was a shape", old: `{"variant":"sync/CRM/Accounts","without":["Email"],"numbers":1}`, want: wider,
		},
		{name: "not ours", old: "something else", want: wider},
		{name: "another rule for numbers", old: `{"variant":"sync/CRM/Accounts","numbers":2}`, want: wider},
		{name: "another catalogue", old: `{"variant":"sync/CRM/Accounts","numbers":1,"shape":"0123456789ab"}`, want: wider},
		{
			name: "another catalogue, and fewer columns", old: `{"variant":"sync/CRM/Accounts","numbers":1,"shape":"0123456789ab"}`,
			is: func(c *config.Choice) { c.Exclude = []string{"Email"} }, want: wider,
		},
		{name: "another variant", stream: "standard/crm/Accounts", old: accounts, want: wider},
		{name: "a column left out", is: func(c *config.Choice) { c.Exclude = []string{"Email"} }, want: narrower, drop: []string{"Email"}},
		{name: "a column taken back", was: func(c *config.Choice) { c.Exclude = []string{"Email"} }, want: wider},
		{
			name: "one for another", was: func(c *config.Choice) { c.Columns = []string{"Email"} },
			is: func(c *config.Choice) { c.Columns = []string{"Phone"} }, want: wider,
		},
		{
			name: "one of two", was: func(c *config.Choice) { c.Columns = []string{"Email", "Phone"} },
			is: func(c *config.Choice) { c.Columns = []string{"Phone"} }, want: narrower, drop: []string{"Email"},
		},
		{
			name: "keys alone", was: func(c *config.Choice) { c.Columns = []string{"Email"} },
			is: func(c *config.Choice) { c.Columns = []string{} }, want: narrower, drop: []string{"Email"},
		},
		{name: "from keys alone to all", was: func(c *config.Choice) { c.Columns = []string{} }, want: wider},
		{
			name: "a key among the columns", was: func(c *config.Choice) { c.Columns = []string{"Email"} },
			is: func(c *config.Choice) { c.Columns = []string{"Email", "ID", "Timestamp"} }, want: same,
		},
		{
			name: "all columns by name", is: func(c *config.Choice) {
				for _, column := range c.Stream.Variants[0].Table.Columns {
					c.Columns = append(c.Columns, column.Name)
				}
			}, want: same,
		},
		{
			name: "what the variant has not got", is: func(c *config.Choice) { c.Exclude = []string{"NoSuchColumn"} }, want: same,
		},
		{
			name: "a date", is: func(c *config.Choice) { c.Since = date("2024-01-01") }, want: narrower, since: "2024-01-01",
		},
		{
			name: "a later date", was: func(c *config.Choice) { c.Since = date("2023-01-01") }, from: "2023-01-01",
			is: func(c *config.Choice) { c.Since = date("2024-01-01") }, want: narrower, since: "2024-01-01",
		},
		{
			name: "a later hour", was: func(c *config.Choice) { c.Since = date("2023-01-01") }, from: "2023-01-01",
			is: func(c *config.Choice) { c.Since = date("2023-01-01T18:00:00") }, want: narrower, since: "2023-01-01T18:00:00",
		},
		{
			name: "a later date and fewer columns", was: func(c *config.Choice) { c.Since = date("2023-01-01") }, from: "2023-01-01",
			is:   func(c *config.Choice) { c.Since, c.Exclude = date("2024-01-01"), []string{"Email"} },
			want: narrower, drop: []string{"Email"}, since: "2024-01-01",
		},
		{
			name: "a later date where no row has one", was: func(c *config.Choice) { c.Columns = []string{"Email"} },
			is: func(c *config.Choice) { c.Columns, c.Since = []string{"Email"}, date("2024-01-01") }, want: wider,
		},
		{
			name: "an earlier date", was: func(c *config.Choice) { c.Since = date("2023-01-01") }, from: "2023-01-01",
			is: func(c *config.Choice) { c.Since = date("2022-01-01") }, want: wider,
		},
		{name: "no date any more", was: func(c *config.Choice) { c.Since = date("2023-01-01") }, from: "2023-01-01", want: wider},
		{
			name: "a date later than the configured, and earlier than the command line's", from: "2024-06-01",
			is: func(c *config.Choice) { c.Since = date("2024-01-01") }, want: wider,
		},
		{
			name: "the date of the command line", from: "2024-06-01",
			is: func(c *config.Choice) { c.Since = date("2024-06-01") }, want: same,
		},
		{name: "history of the command line", from: "2024-06-01", want: same},
		{name: "a filter", is: func(c *config.Choice) { c.Filter = "Blocked eq false" }, want: wider},
		{
			name: "no filter any more", was: func(c *config.Choice) { c.Filter = "Blocked eq false" }, want: wider,
		},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			if tc.stream == "" {
				tc.stream = "crm/Accounts"
			}
			was, is := chosen(t, tc.stream), chosen(t, tc.stream)
			if tc.was != nil {
				tc.was(was)
			}
			if tc.is != nil {
				tc.is(is)
			}
			v, _ := ways(is, "")
			cursor := load.Cursor{Fingerprint: tc.old, HistoryFrom: tc.from}
			if tc.old == "" {
				cursor.Fingerprint = fingerprint(v, was)
			}
			got, n := compare(cursor, is, v)
			if got != tc.want {
				t.Fatalf("%s\nbecomes %s\ngot %d, want %d", cursor.Fingerprint, fingerprint(v, is), got, tc.want)
			}
			if (n != nil) != (got == narrower) {
				t.Fatalf("narrowing %+v", n)
			}
			if n == nil {
				return
			}
			if diff := cmp.Diff(tc.drop, n.drop); diff != "" || moment(n.since) != tc.since {
				t.Errorf("since %q, drops %s", moment(n.since), diff)
			}
			if tc.since != "" && n.historyFrom != tc.since {
				t.Errorf("history from %q", n.historyFrom)
			}
		})
	}
}

// A later catalogue that knows more columns, or another cursor, has the stream read again; one that
// only knows which column dates the rows does not, nor one with columns that are not wanted.
func TestChangesOfTheCatalogue(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		changed func(*extract.Variant)
		choice  func(*config.Choice)
		want    change
	}{
		"which column dates": {changed: func(v *extract.Variant) { v.Dated = "Created" }, want: same},
		"another cursor":     {changed: func(v *extract.Variant) { v.Cursor = extract.Whole }, want: wider},
		"a new column":       {changed: addColumn("New"), want: wider},
		"a new column that is not wanted": {
			changed: addColumn("New"), choice: func(c *config.Choice) { c.Columns = []string{"Name"} }, want: same,
		},
		"a new type": {
			changed: func(v *extract.Variant) {
				table := *v.Table
				table.Columns = slices.Clone(table.Columns)
				table.Columns[len(table.Columns)-1].Type = schema.JSON
				v.Table = &table
			}, want: wider,
		},
	} {
		was, is := chosen(t, "crm/Accounts"), chosen(t, "crm/Accounts")
		later, v := *is.Stream, *is.Stream.Variants[0]
		tc.changed(&v)
		later.Variants = []*extract.Variant{&v}
		is.Stream = &later
		if tc.choice != nil {
			tc.choice(was)
			tc.choice(is)
		}
		cursor := load.Cursor{Fingerprint: fingerprint(was.Stream.Variants[0], was)}
		if got, _ := compare(cursor, is, &v); got != tc.want {
			t.Errorf("%s: got %d, want %d", name, got, tc.want)
		}
	}
}

func addColumn(name string) func(*extract.Variant) {
	return func(v *extract.Variant) {
		table := *v.Table
		table.Columns = append(slices.Clone(table.Columns), schema.Column{Name: name, Type: schema.Varchar})
		v.Table = &table
	}
}

// What an entry says of an endpoint that the catalogue lacks is part of what its rows are of.
func TestChangesOfADefinition(t *testing.T) {
	t.Parallel()
	define := func(d config.Definition) *config.Choice {
		t.Helper()
		d.Stream, d.Types = "crm/News", map[string]string{"ID": "Guid", "Code": "String", "Modified": "DateTime"}
		s, err := defineStream(d)
		if err != nil {
			t.Fatal(err)
		}
		return &config.Choice{Stream: s}
	}
	was := define(config.Definition{Path: "crm/Novelties", Key: []string{"ID"}})
	for name, tc := range map[string]struct {
		is   config.Definition
		want change
	}{
		"nothing":        {config.Definition{Path: "crm/Novelties", Key: []string{"ID"}}, same},
		"larger pages":   {config.Definition{Path: "crm/Novelties", Key: []string{"ID"}, PageSize: 500}, same},
		"another key":    {config.Definition{Path: "crm/Novelties", Key: []string{"Code"}}, wider},
		"no key":         {config.Definition{Path: "crm/Novelties"}, wider},
		"a cursor":       {config.Definition{Path: "crm/Novelties", Key: []string{"ID"}, Modified: "Modified"}, wider},
		"another path":   {config.Definition{Path: "crm/Innovations", Key: []string{"ID"}}, wider},
		"another prefix": {config.Definition{Path: "bulk/crm/Novelties", Key: []string{"ID"}}, wider},
	} {
		is := define(tc.is)
		cursor := load.Cursor{Fingerprint: fingerprint(was.Stream.Variants[0], was)}
		if got, _ := compare(cursor, is, is.Stream.Variants[0]); got != tc.want {
			t.Errorf("%s: got %d, want %d", name, got, tc.want)
		}
	}
}

// A warehouse of the version before, with nothing changed, is neither read again nor rewritten.
func TestFingerprintsOfEarlierVersionsHold(t *testing.T) {
	t.Parallel()
	for name, old := range map[string]string{
		"crm/Accounts":       `{"variant":"sync/CRM/Accounts","numbers":1}`,
		"cashflow/Payments":  `{"variant":"bulk/Cashflow/Payments","numbers":1}`,
		"crm/Contacts":       `{"variant":"crm/Contacts","numbers":1}`, // after a fallback
		"general/Currencies": `{"variant":"general/Currencies","numbers":1}`,
	} {
		c := chosen(t, name)
		cursor := held(c, func(c *load.Cursor) { c.Fingerprint = old })
		p := newPlanner(night, []load.Cursor{cursor}, exactOnline{})
		task := p.read(c, extract.Place{Scope: "1", Epoch: "e"})
		if task.why != whyNews && task.why != whyWhole || task.narrowing != nil || task.becomes != same {
			t.Errorf("%s: %s because of %q", name, task.mode, task.why)
		}
		if after := inquiryOf(task.fingerprint); after.Shape == "" || after.Variant != inquiryOf(old).Variant {
			t.Errorf("%s: the cursor becomes %s", name, task.fingerprint)
		}
	}
}

// The columns that a choice is stored with, whatever it says: key, version, and the cursor.
func TestColumnsThatComeAlong(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ stream, variant, want string }{
		{"crm/Accounts", "sync/CRM/Accounts", "Timestamp Email ID"},
		{"crm/Accounts", "crm/Accounts", "ID Email Modified"},
		{"cashflow/Payments", "bulk/Cashflow/Payments", "ID Modified"},
		{"financial/TransactionLines", "sync/Financial/TransactionLines", "Timestamp EntryID ID"}, // of its header
	} {
		c := chosen(t, tc.stream)
		c.Columns = []string{"Email"}
		if tc.stream == "financial/TransactionLines" {
			lines := *c.Stream
			lines.PartOf, c.Stream = []extract.Part{{Stream: "a/Headers", Column: "EntryID"}}, &lines
		}
		for _, v := range c.Stream.Variants {
			if v.Name != tc.variant {
				continue
			}
			var names []string
			for _, column := range c.Table(v).Columns {
				names = append(names, column.Name)
			}
			want := strings.Fields(tc.want)
			slices.Sort(want)
			slices.Sort(names)
			if diff := cmp.Diff(want, names); diff != "" {
				t.Errorf("%s: %s", tc.variant, diff)
			}
		}
	}
}

func TestNarrowingIsPlannedWithTheNews(t *testing.T) {
	t.Parallel()
	c := chosen(t, "crm/Accounts")
	cursor := held(c, nil)
	c.Exclude, c.Since = []string{"Email"}, date("2025-01-01")
	p := newPlanner(night, []load.Cursor{cursor}, exactOnline{})
	task := p.read(c, extract.Place{Scope: "1", Epoch: "e"})
	if task.why != whyNews || task.mode != spool.Merge || task.from != "here" || task.narrowing == nil {
		t.Fatalf("%s because of %q", task.mode, task.why)
	}
	if task.table.Index("Email") >= 0 || task.historyFrom != "2025-01-01" || inquiryOf(task.fingerprint).Since != "2025-01-01" {
		t.Errorf("history from %q as %s", task.historyFrom, task.fingerprint)
	}
	// A read of everything replaces what is stored: nothing has to be cut before.
	p.full = true
	if all := p.read(c, extract.Place{Scope: "1", Epoch: "e"}); all.narrowing != nil || !all.narrowed {
		t.Errorf("a full refresh narrows by %+v, believed %v", all.narrowing, all.narrowed)
	}
}

// A read of everything for a choice that may leave rows out is believed; another is guarded.
func TestShrinkingByChoiceIsBelieved(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		is   func(*config.Choice)
		want bool
	}{
		{"a filter", func(c *config.Choice) { c.Filter = "Blocked eq false" }, true},
		{"no filter any more", func(c *config.Choice) { c.Filter = "" }, false},
		{"another column", func(c *config.Choice) { c.Columns = []string{"Phone"} }, false},
	} {
		c := chosen(t, "crm/Accounts")
		c.Columns = []string{"Email"}
		if !tc.want {
			c.Filter = "Blocked eq true"
		}
		cursor := held(c, nil)
		tc.is(c)
		task := newPlanner(night, []load.Cursor{cursor}, exactOnline{}).read(c, extract.Place{Scope: "1", Epoch: "e"})
		if task.why != whyChoice || task.narrowed != tc.want {
			t.Errorf("%s: because of %q, believed %v", tc.name, task.why, task.narrowed)
		}
	}
}

func TestHowADateIsKept(t *testing.T) {
	t.Parallel()
	june := date("2026-06-01")
	for _, tc := range []struct {
		name, stream, epoch string
		first               bool
		line                time.Time // --since
		choice              func(*config.Choice)
		want                string
		mode                spool.Mode
	}{
		{name: "row versions", stream: "financial/TransactionLines", line: june, want: "asked from 2026-06-01", mode: spool.Window},
		{name: "row versions that nobody looks up", stream: "crm/Accounts", line: june, want: "read whole, filtered here from 2026-06-01", mode: spool.Window},
		{name: "row versions given anew", stream: "financial/TransactionLines", epoch: "moved", line: june, want: "read whole, filtered here from 2026-06-01", mode: spool.Window},
		{name: "dated rows", stream: "cashflow/Payments", epoch: "moved", line: june, want: "asked from 2026-06-01", mode: spool.Window},
		{name: "a first load", stream: "cashflow/Payments", first: true, line: june, want: "asked from 2026-06-01", mode: spool.Replace},
		{name: "no cursor", stream: "read/financial/ReceivablesList", line: june, want: "no date: its rows do not say when they were modified", mode: spool.Replace},
		{name: "row versions without a date", stream: "inventory/StockPositions", line: june, want: "no date: its rows do not say when they were modified", mode: spool.Merge},
		{
			name: "left out", stream: "inventory/StockPositions", first: true, choice: func(c *config.Choice) { c.Undated = true },
			want: "no date: its rows do not say when they were modified", mode: spool.Replace,
		},
		{name: "what changed", stream: "crm/Accounts", choice: func(c *config.Choice) { c.Since = june }, want: "", mode: spool.Merge},
		{
			name: "a filter", stream: "cashflow/Payments", first: true, choice: func(c *config.Choice) { c.Filter = "Status eq 20" },
			want: "filter asked", mode: spool.Replace,
		},
		{
			name: "a filter of a feed", stream: "crm/Accounts", first: true, choice: func(c *config.Choice) { c.Filter = "Blocked eq false" },
			want: "filtered here", mode: spool.Replace,
		},
		{
			name: "a filter of what changed", stream: "cashflow/Payments", choice: func(c *config.Choice) { c.Filter = "Status eq 20" },
			want: "filtered here", mode: spool.Merge,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := chosen(t, tc.stream)
			if tc.choice != nil {
				tc.choice(c)
			}
			var cursors []load.Cursor
			if !tc.first {
				cursors = append(cursors, held(c, func(c *load.Cursor) { c.Epoch = tc.epoch }))
			}
			p := newPlanner(night, cursors, exactOnline{})
			p.since = tc.line
			task := p.read(c, extract.Place{Scope: "1", Epoch: tc.epoch})
			if task.how != tc.want || task.mode != tc.mode {
				t.Errorf("%s because of %q: %q, want %s %q", task.mode, task.why, task.how, tc.mode, tc.want)
			}
		})
	}
}

func TestSweepsComeWhenTheChoiceSays(t *testing.T) {
	t.Parallel()
	c := chosen(t, "cashflow/Payments")
	c.Filter = "Status eq 20"
	cursor := held(c, func(c *load.Cursor) { c.SweptAt = night.Add(-3 * 24 * time.Hour) })
	p := newPlanner(night, []load.Cursor{cursor}, exactOnline{})
	place := []extract.Place{{Scope: "1", Epoch: "e"}}
	for every, want := range map[time.Duration]int{0: 0, 2 * 24 * time.Hour: 1, 30 * 24 * time.Hour: 0} {
		c.SweepEvery = every
		sweeps := p.sweeps(p.reads([]*config.Choice{c}, place), map[schema.Scope]bool{})
		if len(sweeps) != want {
			t.Errorf("every %v: %d sweeps after three days", every, len(sweeps))
		}
		for _, s := range sweeps {
			if s.filter != c.Filter {
				t.Errorf("a sweep of a filtered stream asks for %q", s.filter)
			}
		}
	}
}

// The shared lists of two organizations, and of two environments, have the same scope: neither goes on
// where the other ended. What a mask has kept out of _extra comes with another read of everything.
func TestAnotherOrganizationIsReadAnew(t *testing.T) {
	t.Parallel()
	customers := func(connection, mask string) *config.Choice {
		c, err := config.Parse([]byte("version: 1\nconnections: {shop: {type: exactpay, application: books, "+connection+
			"}}\npipelines: {shop: {streams: [exactpay/customers], mask: {"+mask+"}, to: {duckdb: shop.duckdb}}}\n"), "pipelines.yaml", catalogue)
		if err != nil {
			t.Fatal(err)
		}
		choices, err := c.Pipelines["shop"].Choices(catalogue)
		if err != nil || len(choices) != 1 {
			t.Fatal(choices, err)
		}
		return choices[0]
	}
	const one, other = "organization: 64b04d6d198ce11d0d64ca2a", "organization: 64b04d6d198ce11d0d64ca2b"
	tests := []struct {
		connection, mask string
		want             change
	}{
		{"environment: production, " + one, "addresses: drop", same},
		{"environment: production, " + other, "addresses: drop", same}, // its accounts tell
		{"environment: sandbox, " + one, "addresses: drop", wider},
		{"environment: production, " + one, "", wider},
	}
	was := customers("environment: production, "+one, "addresses: drop")
	v := was.Stream.Variants[0]
	cursor := load.Cursor{Fingerprint: fingerprint(v, was)}
	for _, tt := range tests {
		if got, _ := compare(cursor, customers(tt.connection, tt.mask), v); got != tt.want {
			t.Errorf("%s, mask {%s}: %d, want %d", tt.connection, tt.mask, got, tt.want)
		}
	}
	shared := *was
	stream := *was.Stream
	stream.Shared, shared.Stream = true, &stream
	if one, other := whence(&config.Connection{Organization: "a"}, shared.Stream), whence(&config.Connection{Organization: "b"}, shared.Stream); one == other {
		t.Errorf("shared lists of two organizations are both of %s", one)
	}
}
