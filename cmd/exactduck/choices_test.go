package main

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"exactduck/cmd/exactduck/config"
	"exactduck/extract/sandbox"
	"exactduck/load"
)

// holding is what a table is to hold of the records of a stream.
type holding struct {
	stream string
	keep   func(record map[string]any) bool // nil: every one
	more   bool                             // records that are gone may still be there
}

// holds compares the published table of a stream with the records that its choice keeps, in every
// division, and sees to it that columns which were not chosen are empty.
func (w *world) holds(h holding) {
	w.t.Helper()
	reader, err := load.OpenReader(w.t.Context(), w.published())
	if err != nil {
		w.t.Fatal(err)
	}
	defer reader.Close()
	c := w.choice(h.stream)
	cursors, err := reader.Cursors(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	compare := comparison{w.t, w.published(), w.pipeline(), w.sandbox}
	stored := tableRows(w.t, reader, c.Stream.Variants[0].Table)
	for _, cursor := range cursors {
		if cursor.Stream != h.stream {
			continue
		}
		full, _ := ways(c, inquiryOf(cursor.Fingerprint).Variant)
		chosen, truth := c.Table(full), map[string]map[string]any{}
		division, _ := strconv.Atoi(string(cursor.Scope))
		for _, record := range w.sandbox.Records(division, cursor.Variant) {
			if h.keep != nil && !h.keep(record) {
				continue
			}
			for name := range record {
				if chosen.Index(name) < 0 {
					record[name] = nil
				}
			}
			truth[keyOf(chosen, string(cursor.Scope), func(name string) string { return textOf(record[name]) })] = record
		}
		if len(truth) == 0 {
			w.t.Errorf("%s: the choice keeps nothing in %d, which proves nothing", h.stream, division)
		}
		compare.same(chosen, string(cursor.Scope), stored, truth, h.more)
		if int64(len(truth)) != cursor.Rows && !h.more {
			w.t.Errorf("%s: %d rows are kept, the cursor counts %d", h.stream, len(truth), cursor.Rows)
		}
		if now := fingerprint(full, c); cursor.Fingerprint != now {
			w.t.Errorf("%s: the table is said to be of %s, the configuration is %s", h.stream, cursor.Fingerprint, now)
		}
	}
}

func (w *world) choice(stream string) *config.Choice {
	w.t.Helper()
	choices, err := w.pipeline().Choices(catalogue)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, c := range choices {
		if c.Stream.Name == stream {
			return c
		}
	}
	w.t.Fatalf("the pipeline does not read %s", stream)
	return nil
}

// modes are what a run did with a stream, in the order of its record: "narrow merge".
func modes(s synced, stream string) string {
	var list []string
	for _, l := range lines(s, stream) {
		if len(list) == 0 || list[len(list)-1] != l.Mode {
			list = append(list, l.Mode)
		}
	}
	return strings.Join(list, " ")
}

// modifiedSince keeps what was modified at or after a wall time.
func modifiedSince(text string) func(map[string]any) bool {
	since := momentOf(text)
	return func(record map[string]any) bool {
		at, dated := record["Modified"].(time.Time)
		return !dated || !at.Before(since)
	}
}

func all(map[string]any) bool { return true }

// worked lets people work for a day.
func (w *world) worked(stream string) {
	w.t.Helper()
	w.clock.advance(23 * time.Hour)
	for _, division := range w.sandbox.Divisions() {
		if err := w.sandbox.Change(sandbox.Change{Division: division, Entity: stream, Insert: 2, Update: 8, Delete: 1}); err != nil {
			w.t.Fatal(err)
		}
	}
	w.clock.advance(time.Hour)
}

// A table follows its choice from one configuration to the next: less is cut out of what is stored,
// more is read again, and after every run the table is what the choice says.
func TestTablesFollowTheirChoice(t *testing.T) {
	t.Parallel()
	steps := []struct {
		entry string // in braces, behind the stream
		modes string
		keep  func(map[string]any) bool
	}{
		{"", "replace", all},
		{", exclude_columns: [Email, Phone]", "narrow merge", all},
		{", exclude_columns: [Phone, email, Phone]", "merge", all},
		{", exclude_columns: [Email, Phone], since: 2024-06-01", "narrow merge", modifiedSince("2024-06-01")},
		{", exclude_columns: [Email, Phone], since: 2024-06-01", "merge", modifiedSince("2024-06-01")},
		{", columns: [Name, Email], since: 2024-06-01", "replace", modifiedSince("2024-06-01")},
		{", columns: [Name], since: 2025-01-01", "replace", modifiedSince("2025-01-01")}, // Modified was not kept
		{", columns: []", "replace", all},
		{", filter: 'Name lt ''n'''", "replace", nameBefore("n")},
		{", filter: '  Name   lt  ''n'' '", "merge", nameBefore("n")},
		{", filter: 'Name lt ''n''', exclude_columns: [Email]", "narrow merge", nameBefore("n")},
		{", filter: 'Name lt ''g''', exclude_columns: [Email]", "replace", nameBefore("g")},
		{", since: 2025-01-01", "replace", modifiedSince("2025-01-01")},
		{"", "replace", all},
	}
	for _, stream := range []string{"crm/Accounts", "standard/crm/Accounts"} {
		t.Run(stream, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, t.TempDir(), "      - "+stream, sandbox.Options{Scale: 2, Divisions: 2, MinuteLimit: -1, DayLimit: -1})
			steps := steps
			if stream != "crm/Accounts" && !long() {
				steps = steps[5:9] // in which the variant makes a difference
			}
			for i, step := range steps {
				w.reconfigure("      - {stream: " + stream + step.entry + "}")
				if i > 0 {
					w.worked("crm/Accounts")
				}
				wanted := step.modes
				if stream != "crm/Accounts" && strings.Contains(step.entry, "columns: [Name], since") {
					wanted = "narrow merge" // where Modified is the cursor it is kept
				}
				if got := modes(w.run(syncOptions{}), "crm/Accounts"); got != wanted {
					t.Errorf("step %d, {%s}: %s, want %s", i+1, step.entry, got, wanted)
				}
				w.holds(holding{stream: "crm/Accounts", keep: step.keep})
				if t.Failed() {
					t.Fatalf("after step %d, {%s}", i+1, step.entry)
				}
			}
		})
	}
}

// nameBefore is what Name lt '…' keeps: Exact compares texts without regard to case.
func nameBefore(letter string) func(map[string]any) bool {
	return func(record map[string]any) bool {
		name, ok := record["Name"].(string)
		return ok && strings.ToLower(name) < letter
	}
}

// Cutting down what is stored costs no call beside those of a night in which nothing was changed.
func TestNarrowingCostsNoCalls(t *testing.T) {
	t.Parallel()
	w := newWorld(t, t.TempDir(), "      - crm/Accounts\n      - cashflow/Payments", sandbox.Options{})
	w.run(syncOptions{})
	w.clock.advance(day24)
	w.run(syncOptions{})
	w.clock.advance(day24)
	quiet := w.run(syncOptions{}).Calls
	w.clock.advance(day24)
	w.reconfigure("      - {stream: crm/Accounts, exclude_columns: [Email]}\n      - {stream: cashflow/Payments, since: 2025-01-01}")
	result := w.run(syncOptions{})
	if result.Calls != quiet {
		t.Errorf("%d calls, and %d in a night without a change", result.Calls, quiet)
	}
	for _, stream := range []string{"crm/Accounts", "cashflow/Payments"} {
		if got := modes(result, stream); got != "narrow merge" {
			t.Errorf("%s: %s", stream, got)
		}
	}
}

// Rows leave a filter and come back to it, in a feed by row versions and where it is by date.
func TestRowsLeaveAFilterAndReturn(t *testing.T) {
	t.Parallel()
	for _, stream := range []string{"sync/crm/Accounts", "standard/crm/Accounts"} {
		t.Run(stream, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, t.TempDir(), "      - {stream: "+stream+", filter: \"Name lt 'm'\"}", sandbox.Options{Scale: 2, MinuteLimit: -1, DayLimit: -1})
			w.run(syncOptions{})
			left, came := int64(0), int64(0)
			for range rounds(2, 40) {
				w.holds(holding{stream: "crm/Accounts", keep: nameBefore("m")})
				w.worked("crm/Accounts")
				result := w.run(syncOptions{})
				sum := result.Totals()
				left, came = left+sum.Deleted, came+sum.Inserted
			}
			w.holds(holding{stream: "crm/Accounts", keep: nameBefore("m")})
			if left < 4 || came < 4 {
				t.Errorf("%d rows left and %d came: too few to show anything", left, came)
			}
		})
	}
}

// A filtered stream without a deletion feed is swept by what the filter keeps: nothing that it leaves
// out is missed, and what is gone goes.
func TestSweepsOfAFilteredStream(t *testing.T) {
	t.Parallel()
	w := newWorld(t, t.TempDir(), "      - {stream: cashflow/Payments, filter: 'AmountDC lt -800', sweep_every: 2d}", sandbox.Options{Scale: 4, MinuteLimit: -1, DayLimit: -1})
	w.run(syncOptions{})
	keep := func(record map[string]any) bool {
		amount, err := strconv.ParseFloat(textOf(record["AmountDC"]), 64)
		return err == nil && amount < -800
	}
	w.holds(holding{stream: "cashflow/Payments", keep: keep})
	for range 4 {
		w.worked("cashflow/Payments")
		result := w.run(syncOptions{})
		for _, l := range lines(result, "cashflow/Payments") {
			if l.Mode == "replace" || l.Missed > 0 {
				t.Errorf("%s because of %q, %d missed", l.Mode, l.Why, l.Missed)
			}
		}
	}
	w.clock.advance(2 * day24)
	w.run(syncOptions{})
	w.holds(holding{stream: "cashflow/Payments", keep: keep})
}

// The cursors of a warehouse of the version before are understood: nothing is read again, and the
// next run writes them as this one does.
func TestWarehouseOfTheVersionBefore(t *testing.T) {
	t.Parallel()
	w := newWorld(t, t.TempDir(), "      - {stream: crm/Accounts, exclude_columns: [Email]}\n      - {stream: cashflow/Payments, since: 2025-01-01}", sandbox.Options{})
	w.run(syncOptions{})
	warehouse, err := w.open(t.Context(), w.pipeline(), false)
	if err != nil {
		t.Fatal(err)
	}
	for stream, old := range map[string]string{
		"crm/Accounts":      `{"variant":"sync/CRM/Accounts","without":["Email"],"numbers":1}`,
		"cashflow/Payments": `{"variant":"bulk/Cashflow/Payments","since":"2025-01-01","numbers":1}`,
	} {
		cursors, err := warehouse.Cursors(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range cursors {
			if c.Stream != stream {
				continue
			}
			err := warehouse.Narrow(t.Context(), load.Narrowing{
				Stream: stream, Scope: c.Scope, Table: w.choice(stream).Stream.Variants[0].Table, Fingerprint: old, HistoryFrom: c.HistoryFrom,
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := warehouse.Close(); err != nil {
		t.Fatal(err)
	}
	w.worked("crm/Accounts")
	result := w.run(syncOptions{})
	for _, stream := range []string{"crm/Accounts", "cashflow/Payments"} {
		if got := modes(result, stream); got != "merge" {
			t.Errorf("%s: %s", stream, got)
		}
	}
	w.holds(holding{stream: "crm/Accounts"})
	w.holds(holding{stream: "cashflow/Payments", keep: modifiedSince("2025-01-01")})
}

// In a division that was moved, row versions do not tell what was modified since a date: nobody asks
// where it begins, and the records on the boundary are there.
func TestSinceInAMovedDivision(t *testing.T) {
	t.Parallel()
	const stream = "financial/TransactionLines"
	w := newWorld(t, t.TempDir(), "      - "+stream, sandbox.Options{Divisions: 1, Scale: 0.5, MinuteLimit: -1, DayLimit: -1})
	lookedUp := func() (n int) {
		for path, calls := range w.sandbox.Calls() {
			if strings.Contains(path, "SyncTimestamp") {
				n += calls
			}
		}
		return n
	}
	w.run(syncOptions{})
	w.run(syncOptions{since: momentOf("2026-01-01")})
	if lookedUp() == 0 {
		t.Error("nobody asked where the date begins before the division was moved")
	}
	for _, move := range []func(int) error{w.sandbox.MoveDivision, w.sandbox.MoveDivisionUp} {
		if err := move(0); err != nil {
			t.Fatal(err)
		}
		w.clock.advance(time.Hour)
		w.run(syncOptions{})
		w.clock.advance(time.Hour)
		asked := lookedUp()
		result := w.run(syncOptions{since: momentOf("2026-01-01")})
		if got := modes(result, stream); got != "window" {
			t.Errorf("since a date: %s", got)
		}
		if again := lookedUp(); again != asked {
			t.Errorf("the row version of a date was asked for %d times", again-asked)
		}
		w.equal()
	}
	w.reconfigure("      - {stream: " + stream + ", since: 2026-01-01}")
	if got := modes(w.run(syncOptions{full: true}), stream); got != "replace" {
		t.Errorf("a full refresh: %s", got)
	}
	w.holds(holding{stream: stream, keep: modifiedSince("2026-01-01")})
}

// cutAt is a log that ends a run, by its context, at the first record with a message.
type cutAt struct {
	slog.Handler
	message string
	cut     context.CancelFunc
}

func (c cutAt) Enabled(context.Context, slog.Level) bool { return true }

func (c cutAt) Handle(_ context.Context, r slog.Record) error {
	if r.Message == c.message {
		c.cut()
	}
	return nil
}

func (c cutAt) WithAttrs([]slog.Attr) slog.Handler { return c }

func (c cutAt) WithGroup(string) slog.Handler { return c }

// interrupted runs until a message is logged.
func (w *world) interrupted(o syncOptions, message string) {
	w.t.Helper()
	ctx, cut := context.WithCancel(w.t.Context())
	defer cut()
	w.books.log = slog.New(cutAt{slog.DiscardHandler, message, cut})
	_, err := w.sync(ctx, w.pipeline(), o)
	w.books.log = w.log
	if !errors.Is(err, context.Canceled) {
		w.t.Fatalf("the run was not interrupted at %q: %v", message, err)
	}
}

// A run that breaks off when the configuration changes, before or after the stored rows are cut down,
// with reads of the old configuration lying about or without: the next one ends in what the new
// configuration says.
func TestChangesOfChoiceSurviveInterruptions(t *testing.T) {
	t.Parallel()
	cut := sandbox.Fault{Path: "sync/CRM/Accounts", Nth: 2, Times: -1, Kind: sandbox.ServerError}
	type interruption struct {
		name     string
		old, new string // behind the stream
		keep     func(map[string]any) bool
		break1   syncOptions // of the run that breaks off under the old configuration
		first    bool        // that run is the first
		message  string      // at which the first run under the new configuration is interrupted; "": it is not
		modes    string      // of the run that ends well; "": any
	}
	interruptions := []interruption{
		{name: "what changed, then less", old: "", new: ", exclude_columns: [Email], since: 2024-06-01", keep: modifiedSince("2024-06-01"), modes: "merge narrow"},
		{name: "what changed, then more", old: ", exclude_columns: [Email]", new: "", keep: all, modes: "replace"},
		{name: "what changed, then another filter", old: "", new: ", filter: \"Name lt 'm'\"", keep: nameBefore("m"), modes: "replace"},
		{name: "everything, then less", old: "", new: ", exclude_columns: [Email]", keep: all, break1: syncOptions{full: true}, modes: "replace narrow"},
		{name: "everything, then more", old: ", exclude_columns: [Email]", new: "", keep: all, break1: syncOptions{full: true}, modes: "replace"},
		{name: "everything, then another filter", old: ", filter: \"Name lt 'm'\"", new: ", filter: \"Name lt 'f'\"", keep: nameBefore("f"), break1: syncOptions{full: true}, modes: "replace"},
		{name: "first load, then less", old: "", new: ", columns: [Name]", keep: all, first: true, modes: "replace narrow"},
		{name: "first load, then more", old: ", columns: [Name]", new: "", keep: all, first: true, modes: "replace"},
		{name: "first load, then no filter", old: ", filter: \"Name lt 'm'\"", new: "", keep: all, first: true, modes: "replace"},
		{
			name: "a window, then less", old: "", new: ", exclude_columns: [Email]", keep: all,
			break1: syncOptions{since: momentOf("2020-01-01")},
		},
		{name: "less, interrupted before the cut", old: "", new: ", exclude_columns: [Email]", keep: all, message: "cutting stored rows down to what is asked for"},
		{name: "less, interrupted behind the cut", old: "", new: ", since: 2024-06-01", keep: modifiedSince("2024-06-01"), message: "beginning spool"},
		{name: "less, interrupted behind a page", old: "", new: ", exclude_columns: [Email], since: 2024-06-01", keep: modifiedSince("2024-06-01"), message: "spooled page"},
		{name: "more, interrupted behind a page", old: ", columns: [Name]", new: "", keep: all, message: "spooled page"},
		{name: "less, interrupted behind what was begun", old: "", new: ", exclude_columns: [Email]", keep: all, message: "removing spool"},
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	for _, tc := range sample(rand.New(rand.NewPCG(seed, 2)), interruptions, rounds(3, len(interruptions))) {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			entry := func(choice string) string { return "      - {stream: crm/Accounts" + choice + "}" }
			w := newWorld(t, t.TempDir(), entry(tc.old), sandbox.Options{Divisions: 1, PageSize: 20, MinuteLimit: -1, DayLimit: -1})
			if !tc.first {
				w.run(syncOptions{})
				w.clock.advance(day24)
				if err := w.sandbox.Change(sandbox.Change{Entity: "crm/Accounts", Update: 150, Insert: 5, Delete: 3}); err != nil {
					t.Fatal(err)
				}
				w.clock.advance(time.Hour)
			}
			if tc.message == "" || tc.message == "removing spool" {
				fault := cut // of a page behind the first
				if tc.first {
					fault.Nth++ // the weekly look at all properties
				}
				_ = w.broken(tc.break1, fault)
			}
			w.reconfigure(entry(tc.new))
			w.worked("crm/Accounts")
			if tc.message != "" {
				w.interrupted(syncOptions{}, tc.message)
				w.worked("crm/Accounts")
			}
			result := w.run(syncOptions{})
			if got := modes(result, "crm/Accounts"); tc.modes != "" && got != tc.modes {
				t.Errorf("%s, want %s", got, tc.modes)
			}
			w.holds(holding{stream: "crm/Accounts", keep: tc.keep})
			w.clock.advance(8 * day24)
			for range rounds(1, 3) {
				w.worked("crm/Accounts")
				if got := modes(w.run(syncOptions{}), "crm/Accounts"); got != "merge" {
					t.Errorf("the night after: %s", got)
				}
				w.holds(holding{stream: "crm/Accounts", keep: tc.keep})
			}
		})
	}
}
