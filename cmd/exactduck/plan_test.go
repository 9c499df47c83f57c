package main

import (
	"testing"
	"time"

	"exactduck/cmd/exactduck/config"
	"exactduck/extract"
	"exactduck/extract/exactonline"
	"exactduck/load"
	"exactduck/load/spool"
	"exactduck/schema"
)

var night = time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)

func chosen(t *testing.T, name string) *config.Choice {
	t.Helper()
	stream, variant, err := exactonline.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	return &config.Choice{Stream: stream, Variant: variant}
}

// held is the cursor that a complete load of a choice leaves behind.
func held(c *config.Choice, change func(*load.Cursor)) load.Cursor {
	full, _ := ways(c, "")
	cursor := load.Cursor{
		Stream: c.Stream.Name, Scope: "1", Variant: full.Name, Fingerprint: fingerprint(full, c), Epoch: "e",
		Position: "here", Complete: true, ReadAt: night.Add(-24 * time.Hour), SweptAt: night.Add(-24 * time.Hour),
	}
	if change != nil {
		change(&cursor)
	}
	return cursor
}

func TestPlanOfOneStream(t *testing.T) {
	t.Parallel()
	june := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	tests := []struct {
		name, stream string
		cursor       func(*load.Cursor) // nil: as a complete load left it
		first        bool
		planner      func(*planner)
		deletions    time.Duration // age of the deletion cursor; 0: none
		why          string
		mode         spool.Mode
		variant      string
	}{
		{name: "nothing held", stream: "crm/Accounts", first: true, why: whyFirst, mode: spool.Replace, variant: "sync/CRM/Accounts"},
		{
			name: "incomplete", stream: "crm/Accounts", cursor: func(c *load.Cursor) { c.Complete = false },
			why: whyFirst, mode: spool.Replace, variant: "sync/CRM/Accounts",
		},
		{name: "news", stream: "crm/Accounts", why: whyNews, mode: spool.Merge, variant: "sync/CRM/Accounts"},
		{
			name: "news where the cheap variant has no cursor", stream: "cashflow/Payments",
			why: whyNews, mode: spool.Merge, variant: "cashflow/Payments",
		},
		{
			name: "news after news by another variant", stream: "cashflow/Payments",
			cursor: func(c *load.Cursor) { c.Variant = "cashflow/Payments" },
			why:    whyNews, mode: spool.Merge, variant: "cashflow/Payments",
		},
		{
			name: "first load there", stream: "cashflow/Payments", first: true,
			why: whyFirst, mode: spool.Replace, variant: "bulk/Cashflow/Payments",
		},
		{
			name: "no cursor at all", stream: "read/financial/ReceivablesList",
			why: whyWhole, mode: spool.Replace, variant: "read/financial/ReceivablesList",
		},
		{
			name: "full refresh", stream: "crm/Accounts", planner: func(p *planner) { p.full = true },
			why: whyRefresh, mode: spool.Replace, variant: "sync/CRM/Accounts",
		},
		{
			name: "since", stream: "crm/Accounts", planner: func(p *planner) { p.since = june },
			why: whySince, mode: spool.Window, variant: "sync/CRM/Accounts",
		},
		{
			name: "since where rows have no date", stream: "read/financial/ReceivablesList",
			planner: func(p *planner) { p.since = june }, why: whyWhole, mode: spool.Replace, variant: "read/financial/ReceivablesList",
		},
		{
			name: "division moved", stream: "crm/Accounts", cursor: func(c *load.Cursor) { c.Epoch = "before" },
			why: whyMoved, mode: spool.Replace, variant: "sync/CRM/Accounts",
		},
		{
			name: "division moved, no row versions", stream: "cashflow/Payments", cursor: func(c *load.Cursor) { c.Epoch = "before" },
			why: whyNews, mode: spool.Merge, variant: "cashflow/Payments",
		},
		{
			name: "another choice", stream: "crm/Accounts", cursor: func(c *load.Cursor) { c.Fingerprint = "{}" },
			why: whyChoice, mode: spool.Replace, variant: "sync/CRM/Accounts",
		},
		{
			name: "another variant", stream: "standard/crm/Accounts", cursor: func(c *load.Cursor) { c.Fingerprint = "{}" },
			why: whyChoice, mode: spool.Replace, variant: "crm/Accounts",
		},
		{
			name: "deletions gone", stream: "crm/Accounts", cursor: func(c *load.Cursor) { c.SweptAt = night.Add(-90 * 24 * time.Hour) }, deletions: 56 * 24 * time.Hour,
			why: whyDeletions, mode: spool.Replace, variant: "sync/CRM/Accounts",
		},
		{
			name: "deletions still there", stream: "crm/Accounts", deletions: 54 * 24 * time.Hour,
			why: whyNews, mode: spool.Merge, variant: "sync/CRM/Accounts",
		},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			c := chosen(t, tc.stream)
			var cursors []load.Cursor
			if !tc.first {
				cursors = append(cursors, held(c, tc.cursor))
			}
			feed := exactonline.Deletions()
			if tc.deletions > 0 {
				cursors = append(cursors, load.Cursor{Stream: feed.Name, Scope: "1", ReadAt: night.Add(-tc.deletions), Complete: true})
			}
			p := newPlanner(night, cursors, exactOnline{})
			if tc.planner != nil {
				tc.planner(p)
			}
			tasks := p.reads([]*config.Choice{c}, []extract.Place{{Scope: "1", Epoch: "e", Active: true}})
			if len(tasks) != 1 {
				t.Fatalf("%d reads planned", len(tasks))
			}
			got := tasks[0]
			if got.why != tc.why || got.mode != tc.mode || got.variant.Name != tc.variant {
				t.Errorf("planned %s of %s because of %q, want %s of %s because of %q",
					got.mode, got.variant.Name, got.why, tc.mode, tc.variant, tc.why)
			}
			if (got.from == "") != (got.mode != spool.Merge) {
				t.Errorf("%s reads from %q", got.mode, got.from)
			}
		})
	}
}

// Where the deletions feed is out of reach, keys are compared instead.
func TestSweepInPlaceOfDeletions(t *testing.T) {
	t.Parallel()
	c := chosen(t, "crm/Accounts")
	p := newPlanner(night, []load.Cursor{held(c, func(c *load.Cursor) { c.SweptAt = night.Add(-8 * 24 * time.Hour) })}, exactOnline{})
	tasks := p.reads([]*config.Choice{c}, []extract.Place{{Scope: "1", Epoch: "e"}})
	if got := p.sweeps(tasks, map[schema.Scope]bool{"1": true}); len(got) != 1 || got[0].variant.Name != "sync/CRM/Accounts" {
		t.Errorf("%d sweeps", len(got))
	}
	if got := p.sweeps(tasks, map[schema.Scope]bool{"2": true}); len(got) != 0 {
		t.Errorf("%d sweeps where the deletions are told", len(got))
	}
}

// Rows before a date are asked of a variant that can filter by it.
func TestHistoryIsReadWhereItCanBeFiltered(t *testing.T) {
	t.Parallel()
	c := chosen(t, "cashflow/Payments")
	c.Since = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	task := newPlanner(night, nil, exactOnline{}).read(c, extract.Place{Scope: "1", Epoch: "e"})
	if task.variant.Name != "cashflow/Payments" || task.mode != spool.Replace {
		t.Errorf("%s by %s", task.mode, task.variant.Name)
	}
	after := held(c, func(cursor *load.Cursor) { cursor.HistoryFrom = "2024-01-01" })
	later := newPlanner(night, []load.Cursor{after}, exactOnline{})
	if again := later.read(c, extract.Place{Scope: "1", Epoch: "e"}); again.why != whyNews {
		t.Errorf("the next read is made because of %q", again.why)
	}
	c.Since = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	if less := later.read(c, extract.Place{Scope: "1", Epoch: "e"}); less.why != whyNews || less.narrowing == nil || less.historyFrom != "2025-01-01" {
		t.Errorf("less history is read because of %q, from %q", less.why, less.historyFrom)
	}
	c.Since = time.Date(2023, 1, 1, 0, 0, 0, 0, time.UTC)
	if wide := later.read(c, extract.Place{Scope: "1", Epoch: "e"}); wide.why != whyChoice || wide.narrowed || wide.historyFrom != "2023-01-01" {
		t.Errorf("more history is read because of %q, from %q, narrowed %v", wide.why, wide.historyFrom, wide.narrowed)
	}
	c.Since = time.Time{}
	if all := later.read(c, extract.Place{Scope: "1", Epoch: "e"}); all.why != whyChoice || all.historyFrom != "" || !all.since.IsZero() {
		t.Errorf("all of the history is read because of %q, from %q", all.why, all.historyFrom)
	}
}

// A first load limited to a date stays limited to it when it has to be repeated.
func TestHistoryOutlivesAReload(t *testing.T) {
	t.Parallel()
	c := chosen(t, "crm/Accounts")
	cursor := held(c, func(c *load.Cursor) { c.Epoch, c.HistoryFrom = "before", "2024-01-01" })
	task := newPlanner(night, []load.Cursor{cursor}, exactOnline{}).read(c, extract.Place{Scope: "1", Epoch: "e"})
	if task.historyFrom != "2024-01-01" || day(task.since) != "2024-01-01" {
		t.Errorf("reload begins at %v with history from %q", task.since, task.historyFrom)
	}
}

func TestSharedStreamsAreReadOnce(t *testing.T) {
	t.Parallel()
	places := []extract.Place{{Scope: "1"}, {Scope: "2"}, {Scope: "3"}}
	p := newPlanner(night, nil, exactOnline{})
	tasks := p.reads([]*config.Choice{chosen(t, "system/Divisions"), chosen(t, "crm/Accounts")}, places)
	if len(tasks) != 4 || tasks[0].place.Scope != shared {
		t.Errorf("%d reads, the first in scope %q", len(tasks), tasks[0].place.Scope)
	}
}

func TestDeletionsOncePerPlace(t *testing.T) {
	t.Parallel()
	places := []extract.Place{{Scope: "1", Epoch: "e"}, {Scope: "2", Epoch: "new"}}
	feed := exactonline.Deletions()
	p := newPlanner(night, []load.Cursor{
		{Stream: feed.Name, Scope: "1", Epoch: "e", Position: "there", ReadAt: night.Add(-time.Hour), Complete: true},
		{Stream: feed.Name, Scope: "2", Epoch: "old", Position: "there", ReadAt: night.Add(-time.Hour), Complete: true},
	}, exactOnline{})
	tasks := p.reads([]*config.Choice{chosen(t, "crm/Accounts"), chosen(t, "logistics/Items"), chosen(t, "general/Currencies")}, places)
	reads := p.deletionReads(tasks)
	if len(reads) != 2 {
		t.Fatalf("%d reads of deletions for two places", len(reads))
	}
	if reads[0].from != "there" || reads[1].from != "" {
		t.Errorf("read from %q, and from %q in the place that was moved", reads[0].from, reads[1].from)
	}
	none := p.deletionReads(p.reads([]*config.Choice{chosen(t, "general/Currencies")}, places))
	if len(none) != 0 {
		t.Errorf("%d reads of deletions that no stream needs", len(none))
	}
}

func TestSweepsWhereNothingTellsOfDeletions(t *testing.T) {
	t.Parallel()
	week := func(c *load.Cursor) { c.SweptAt = night.Add(-8 * 24 * time.Hour) }
	for _, tc := range []struct {
		stream string
		cursor func(*load.Cursor)
		want   string // the variant swept with; "": none
	}{
		{"cashflow/Payments", week, "bulk/Cashflow/Payments"},
		{"cashflow/Payments", nil, ""},
		{"crm/Accounts", week, ""},
		{"logistics/PurchaseItemPrices", week, "sync/Logistics/PurchaseItemPrices"},
		{"read/financial/ReceivablesList", week, ""},
	} {
		c := chosen(t, tc.stream)
		p := newPlanner(night, []load.Cursor{held(c, tc.cursor)}, exactOnline{})
		sweeps := p.sweeps(p.reads([]*config.Choice{c}, []extract.Place{{Scope: "1", Epoch: "e"}}), nil)
		switch {
		case tc.want == "" && len(sweeps) > 0:
			t.Errorf("%s is swept with %s", tc.stream, sweeps[0].variant.Name)
		case tc.want != "" && (len(sweeps) != 1 || sweeps[0].variant.Name != tc.want):
			t.Errorf("%s: %d sweeps, want one with %s", tc.stream, len(sweeps), tc.want)
		case tc.want != "" && len(sweeps[0].table.Columns) > 3:
			t.Errorf("%s is swept with %d columns", tc.stream, len(sweeps[0].table.Columns))
		}
	}
}
