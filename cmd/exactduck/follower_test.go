package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"exactduck/cmd/exactduck/config"
	"exactduck/cmd/exactduck/runs"
	"exactduck/extract/sandbox"
	"exactduck/load"
)

// wish is what a configuration may say of a stream, and what of its records is then wanted.
type wish struct {
	entry   string
	keep    func(map[string]any) bool // nil: all records
	without []string                  // columns that stay NULL
}

// wishes are the ways in which the streams of the model are read; those of one stream follow each
// other in any order.
var wishes = map[string][]wish{
	"crm/Accounts": {
		{entry: "crm/Accounts"},
		{entry: "{stream: crm/Accounts, exclude_columns: [Phone, Email]}", without: []string{"Phone", "Email"}},
		{entry: "{stream: crm/Accounts, filter: \"Name ge 'M'\"}", keep: func(r map[string]any) bool { return strings.ToUpper(r["Name"].(string)) >= "M" }},
	},
	"financial/TransactionLines": {
		{entry: "financial/TransactionLines"},
		{entry: "{stream: financial/TransactionLines, since: 2026-03-01}", keep: modifiedAfter(2026, 3)},
		{entry: "{stream: financial/TransactionLines, since: 2026-05-01}", keep: modifiedAfter(2026, 5)},
	},
	"cashflow/Payments": {
		{entry: "cashflow/Payments"},
		{entry: "{stream: cashflow/Payments, filter: Status eq 20}", keep: func(r map[string]any) bool { return r["Status"] == int64(20) }},
	},
	"crm/Contacts": {
		{entry: "crm/Contacts"},
		{entry: "{stream: crm/Contacts, exclude_columns: [Notes, LastName]}", without: []string{"Notes", "LastName"}},
	},
}

func modifiedAfter(year int, month time.Month) func(map[string]any) bool {
	date := time.Date(year, month, 1, 0, 0, 0, 0, time.UTC)
	return func(r map[string]any) bool { return !r["Modified"].(time.Time).Before(date) }
}

// followed are the streams of the model, of every kind. Those of untold are not spoken of by
// sync/Deleted, so that only a sweep finds what is gone.
var (
	followed = []string{
		"crm/Accounts", "crm/Contacts", "financial/TransactionLines", "cashflow/Payments", "salesinvoice/SalesInvoices",
		"salesinvoice/SalesInvoicesSync", "logistics/PurchaseItemPrices", "subscription/Subscriptions", "read/financial/ReceivablesList",
		"openingbalance/CurrentYear/Processed",
	}
	untold = []string{"cashflow/Payments", "salesinvoice/SalesInvoices", "logistics/PurchaseItemPrices"}
	// byDate are read from where the last read began, even if that one saw nothing because of rights
	// that were gone: what changed meanwhile is found by the next sweep, and read by the run after it.
	byDate = []string{"cashflow/Payments", "salesinvoice/SalesInvoices"}
)

// follower runs a company and a warehouse that follows it, and knows what the warehouse must hold: from
// the company itself, from what it held before, and from the calendar.
type follower struct {
	*world
	dice    *rand.Rand
	wished  map[string]int
	barred  map[ofStream]string // "revoked" or "forbidden"
	held    map[ofStream]map[string]map[string]any
	whole   map[ofStream]time.Time // when the rows that are gone were last known
	tainted map[ofStream]bool      // changes went by while rights were gone
	buried  map[string]bool        // all that the log of deletions ever told
	doing   []string               // since the last run, for whoever has to understand a failure
}

func newFollower(t *testing.T, seed uint64) *follower {
	t.Helper()
	f := &follower{
		dice: rand.New(rand.NewPCG(seed, 0)), wished: map[string]int{}, barred: map[ofStream]string{},
		held: map[ofStream]map[string]map[string]any{}, whole: map[ofStream]time.Time{}, tainted: map[ofStream]bool{}, buried: map[string]bool{},
	}
	f.world = newWorld(t, t.TempDir(), streamLines(followed...), sandbox.Options{Seed: seed, Scale: 0.25, MinuteLimit: 100_000, DayLimit: 10_000_000})
	f.reconfigure(f.entries())
	return f
}

func (f *follower) entries() string {
	var entries []string
	for _, stream := range followed {
		entry := stream
		if s := f.wishOf(stream); s != nil {
			entry = s.entry
		}
		entries = append(entries, entry)
	}
	return streamLines(entries...)
}

func (f *follower) wishOf(stream string) *wish {
	if list := wishes[stream]; list != nil {
		return &list[f.wished[stream]]
	}
	return nil
}

func (f *follower) did(format string, args ...any) {
	f.doing = append(f.doing, f.clock.time().Format("0102 15:04 ")+fmt.Sprintf(format, args...))
}

func (f *follower) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

// oneIn is true once in n times.
func (f *follower) oneIn(n int) bool { return f.dice.IntN(n) == 0 }

// round is some days in the life of the company, with at least one run at their end.
func (f *follower) round() {
	pause := time.Duration(f.dice.IntN(40)) * time.Hour
	if f.oneIn(12) {
		pause = time.Duration(f.dice.IntN(80)) * day24
	}
	f.clock.advance(pause)
	f.did("after %v", pause)
	f.rights()
	f.moves()
	f.choices()
	for range f.dice.IntN(5) {
		f.work(false)
	}
	if f.oneIn(3) {
		f.late()
	}
	f.clock.advance(16 * time.Minute)
	if f.oneIn(4) {
		f.killed()
		f.clock.advance(16 * time.Minute)
	}
	f.follow()
}

func (f *follower) work(late bool) {
	c := sandbox.Change{
		Division: f.division(f.dice), Entity: changed[f.dice.IntN(len(changed))],
		Insert: f.dice.IntN(4), Update: f.dice.IntN(6), Delete: f.dice.IntN(3), Late: late,
	}
	f.did("%+v", c)
	f.must(f.sandbox.Change(c))
}

// late is work that becomes visible only after a run has seen what was written behind it.
func (f *follower) late() {
	f.work(true)
	f.clock.advance(time.Minute)
	f.work(false)
	f.clock.advance(5 * time.Minute)
	f.follow()
	for _, division := range f.sandbox.Divisions() {
		f.must(f.sandbox.Commit(division))
	}
	f.did("committed")
}

// rights come and go.
func (f *follower) rights() {
	if f.oneIn(5) {
		k := ofStream{f.division(f.dice), followed[f.dice.IntN(len(followed))]}
		if f.barred[k] == "" && f.held[k] != nil {
			f.bar(k)
		}
	}
	barred := slices.SortedFunc(maps.Keys(f.barred), func(a, b ofStream) int {
		return cmp.Or(a.division-b.division, strings.Compare(a.stream, b.stream))
	})
	for _, k := range barred {
		how := f.barred[k]
		if !f.oneIn(3) {
			continue
		}
		f.did("%s of %d is allowed", k.stream, k.division)
		if how == "revoked" {
			f.must(f.sandbox.Restore(k.division, k.stream))
		} else {
			f.must(f.sandbox.AllowIn(k.division, k.stream))
			f.clock.advance(8 * day24) // so long is a refusal remembered
		}
		delete(f.barred, k)
	}
}

func (f *follower) bar(k ofStream) {
	if f.oneIn(2) {
		f.barred[k] = "revoked"
		f.must(f.sandbox.Revoke(k.division, k.stream))
	} else {
		f.barred[k] = "forbidden"
		f.must(f.sandbox.ForbidIn(k.division, k.stream, ""))
	}
	f.did("%s of %d is %s", k.stream, k.division, f.barred[k])
}

// moves are of divisions: to another database, in, and out.
func (f *follower) moves() {
	division := f.division(f.dice)
	switch f.dice.IntN(30) {
	case 0:
		f.did("%d moves", division)
		f.must(f.sandbox.MoveDivision(division))
	case 1:
		f.did("%d moves up", division)
		f.must(f.sandbox.MoveDivisionUp(division))
	case 2, 3:
		if len(f.sandbox.Divisions()) > 3 {
			f.did("%d is gone", division)
			f.must(f.sandbox.RemoveDivision(division))
			maps.DeleteFunc(f.barred, func(k ofStream, _ string) bool { return k.division == division })
		} else {
			code, err := f.sandbox.AddDivision("")
			f.must(err)
			f.did("%d is new", code)
		}
	}
}

// choices change what the configuration says of a stream.
func (f *follower) choices() {
	if !f.oneIn(4) {
		return
	}
	stream := followed[f.dice.IntN(len(followed))]
	for k := range f.barred {
		if k.stream == stream {
			return
		}
	}
	if list := wishes[stream]; list != nil {
		f.wished[stream] = f.dice.IntN(len(list))
		f.did("now %s", list[f.wished[stream]].entry)
		f.reconfigure(f.entries())
	}
}

// killed is a run that ends in its midst: nothing of it is seen.
func (f *follower) killed() {
	ctx, kill := context.WithCancel(f.t.Context())
	defer kill()
	n := f.dice.IntN(30)
	f.wire.onRequest(func(*request) {
		if n--; n < 0 {
			kill()
		}
	})
	_, err := f.sync(ctx, f.pipeline(), syncOptions{})
	f.wire.onRequest(nil)
	f.did("killed: %v", err)
	if code := exitCode(err); err != nil && code != exitInterrupted && code != exitPartial {
		f.t.Fatalf("a run that is killed ends with %d: %v", code, err)
	}
	if err == nil || exitCode(err) == exitPartial { // too late
		f.buries()
	}
}

// follow syncs, and holds what is published against what must be.
func (f *follower) follow() {
	f.t.Helper()
	result, err := f.sync(f.t.Context(), f.pipeline(), syncOptions{full: f.oneIn(15), accept: f.emptied()})
	f.did("a run: %v", err)
	if err != nil && (exitCode(err) != exitPartial || len(f.barred) == 0) {
		f.t.Errorf("the run ends with %d: %v", exitCode(err), err)
	}
	f.buries()
	f.check(result)
	if f.t.Failed() {
		f.t.Fatalf("what happened:\n%s", strings.Join(f.doing[max(0, len(f.doing)-60):], "\n"))
	}
}

// emptied are the streams that somebody has to confirm: all the rows that they had of a division are
// really gone.
func (f *follower) emptied() (streams []string) {
	f.t.Helper()
	choices, err := f.pipeline().Choices(catalogue)
	f.must(err)
	for _, c := range choices {
		name := c.Stream.Name
		if slices.ContainsFunc(slices.Collect(maps.Keys(f.barred)), func(k ofStream) bool { return k.stream == name }) {
			continue
		}
		if slices.ContainsFunc(f.sandbox.Divisions(), func(division int) bool {
			k := ofStream{division, name}
			truth := f.truth(k, c, "")
			return len(f.held[k]) > 0 && !slices.ContainsFunc(slices.Collect(maps.Keys(f.held[k])), func(key string) bool { return truth[key] != nil })
		}) {
			streams = append(streams, name)
		}
	}
	return streams
}

// check compares every table with what it must hold.
func (f *follower) check(result synced) {
	f.t.Helper()
	reader, err := load.OpenReader(f.t.Context(), f.published())
	f.must(err)
	defer reader.Close()
	cursors, err := reader.Cursors(f.t.Context())
	f.must(err)
	readWith := map[ofStream]string{}
	for _, c := range cursors {
		division, _ := strconv.Atoi(string(c.Scope))
		readWith[ofStream{division, c.Stream}] = c.Variant
	}
	choices, err := f.pipeline().Choices(catalogue)
	f.must(err)
	for _, c := range choices {
		stored := ofDivisions(tableRows(f.t, reader, identified(c.Stream.Variants[0])))
		for _, division := range f.places(c.Stream.Name) {
			k := ofStream{division, c.Stream.Name}
			f.table(k, c, readWith[k], stored[division], claimed(result, k))
			f.held[k] = stored[division]
		}
	}
	f.tombs()
}

// places are the divisions that a stream has rows of, or might.
func (f *follower) places(stream string) []int {
	all := f.sandbox.Divisions()
	for k := range f.held {
		if k.stream == stream && !slices.Contains(all, k.division) {
			all = append(all, k.division)
		}
	}
	return all
}

func ofDivisions(rows map[string]map[string]any) map[int]map[string]map[string]any {
	of := map[int]map[string]map[string]any{}
	for k, row := range rows {
		division, _ := strconv.Atoi(row["_division"].(string))
		if of[division] == nil {
			of[division] = map[string]map[string]any{}
		}
		of[division][k] = row
	}
	return of
}

// claimed tells whether a run says that it knows all rows of a stream that are gone.
func claimed(result synced, k ofStream) bool {
	return slices.ContainsFunc(lines(result, k.stream), func(l runs.Stream) bool {
		return l.Scope == strconv.Itoa(k.division) && l.Status == "done" && (l.Mode == "replace" || l.Mode == "sweep")
	})
}

// table checks one table of one division.
func (f *follower) table(k ofStream, c *config.Choice, variant string, stored map[string]map[string]any, whole bool) {
	f.t.Helper()
	now := f.clock.time()
	if !slices.Contains(f.sandbox.Divisions(), k.division) || f.barred[k] != "" {
		f.unchanged(k, c, stored)
		f.tainted[k] = f.tainted[k] || f.barred[k] == "revoked" && slices.Contains(byDate, k.stream)
		return
	}
	truth := f.truth(k, c, variant)
	known := !slices.Contains(untold, k.stream) || whole || now.Sub(f.whole[k]) >= 7*day24
	if f.tainted[k] { // until a sweep has found what went by, and the run after it has read it
		if !whole || !slices.Equal(slices.Sorted(maps.Keys(truth)), slices.Sorted(maps.Keys(stored))) {
			return
		}
		f.tainted[k] = false
	}
	if known {
		f.whole[k] = now
	}
	comparison{t: f.t}.same(identified(c.Stream.Variants[0]), strconv.Itoa(k.division), stored, truth, !known)
	for key, row := range stored {
		if truth[key] == nil && f.held[k][key] == nil {
			f.t.Errorf("%s: row %s has never been at the source", k.stream, key)
		}
		f.lacks(k, key, row)
	}
}

// lacks fails the test when a column that is not wanted is filled.
func (f *follower) lacks(k ofStream, key string, row map[string]any) {
	f.t.Helper()
	if s := f.wishOf(k.stream); s != nil {
		for _, name := range s.without {
			if row[name] != nil {
				f.t.Errorf("%s: row %s: %s is not wanted and is %v", k.stream, key, name, row[name])
			}
		}
	}
}

// truth are the records that the table must hold.
func (f *follower) truth(k ofStream, c *config.Choice, variant string) map[string]map[string]any {
	truth, table, s := map[string]map[string]any{}, identified(c.Stream.Variants[0]), f.wishOf(k.stream)
	for _, record := range f.sandbox.Records(k.division, pathOf(c.Stream, variant)) {
		if s != nil && s.keep != nil && !s.keep(record) {
			continue
		}
		if s != nil {
			for _, name := range s.without {
				delete(record, name)
			}
		}
		truth[keyOf(table, strconv.Itoa(k.division), func(name string) string { return textOf(record[name]) })] = record
	}
	return truth
}

// unchanged fails the test unless the table is as it was: without rights no row goes but those that
// sync/Deleted tells of, and none comes.
func (f *follower) unchanged(k ofStream, c *config.Choice, stored map[string]map[string]any) {
	f.t.Helper()
	entity := c.Stream.Variants[0].Table.Entity
	for key, was := range f.held[k] {
		row := stored[key]
		_, identity, _ := strings.Cut(key, "|")
		switch {
		case row == nil && !f.buried[fmt.Sprintf("%d|%d|%s", k.division, entity, identity)]:
			f.t.Errorf("%s of %d: row %s went though the rights are gone", k.stream, k.division, key)
		case row != nil && textOf(row["_synced_at"]) != textOf(was["_synced_at"]):
			f.t.Errorf("%s of %d: row %s changed though the rights are gone", k.stream, k.division, key)
		}
	}
	for key := range stored {
		if f.held[k][key] == nil {
			f.t.Errorf("%s of %d: row %s came though the rights are gone", k.stream, k.division, key)
		}
	}
}

// buries takes note of what the log of deletions tells.
func (f *follower) buries() {
	for _, division := range f.sandbox.Divisions() {
		for _, r := range f.sandbox.Records(division, "sync/Deleted") {
			f.buried[fmt.Sprintf("%d|%d|%s", division, r["EntityType"], r["EntityKey"])] = true
		}
	}
}

// tombs compares the tombstones with everything that the log of deletions ever told. They are those
// of the working database: a deletion that concerns no table is no reason to publish.
func (f *follower) tombs() {
	f.t.Helper()
	r, err := load.OpenReader(f.t.Context(), filepath.Join(f.config.State(), "books.work.duckdb"))
	f.must(err)
	defer r.Close()
	answer, err := r.Query(f.t.Context(), `SELECT _division, EntityType, EntityKey FROM _exactduck.tombstones`)
	f.must(err)
	defer answer.Close()
	have := map[string]bool{}
	for row, err := range answer.Rows() {
		f.must(err)
		have[fmt.Sprintf("%v|%v|%s", row[0], row[1], textOf(row[2]))] = true
	}
	for k := range f.buried {
		if !have[k] {
			f.t.Errorf("the deletion of %s was told, and there is no tombstone", k)
		}
	}
	for k := range have {
		if !f.buried[k] {
			f.t.Errorf("there is a tombstone for %s, which was not told", k)
		}
	}
}

// Whatever people do in the company, and whatever befalls the runs, after each run the tables equal
// the source as the design defines it: at once where the source tells of deletions, after a sweep
// where it does not; where rights are gone no row goes.
func TestTablesEqualTheSourceOverManyRounds(t *testing.T) {
	t.Parallel()
	seed := replayed(t)
	f := newFollower(t, seed)
	f.follow()
	for round := range rounds(4, 500) {
		f.doing = append(f.doing, fmt.Sprintf("round %d of seed %d", round, seed))
		f.round()
	}
	for k, how := range f.barred {
		if how == "revoked" {
			f.must(f.sandbox.Restore(k.division, k.stream))
		} else {
			f.must(f.sandbox.AllowIn(k.division, k.stream))
		}
	}
	clear(f.barred)
	for range 3 {
		f.clock.advance(8 * day24)
		f.follow()
	}
	if left := maps.Collect(maps.All(f.tainted)); slices.Contains(slices.Collect(maps.Values(left)), true) {
		t.Errorf("never made up for: %v", left)
	}
	t.Logf("%d rounds, %d calls, %d deletions told, %d divisions", rounds(4, 500), len(f.wire.calls(0)), len(f.buried), len(f.sandbox.Divisions()))
}

// steady is the seed of EXACTDUCK_SEED, or in the long size a new one, or else always the same.
func steady(t *testing.T) uint64 {
	t.Helper()
	if !long() && os.Getenv("EXACTDUCK_SEED") == "" {
		return 7
	}
	return replayed(t)
}

// replayed is the seed of EXACTDUCK_SEED, or a new one.
func replayed(t *testing.T) uint64 {
	t.Helper()
	seed, err := strconv.ParseUint(os.Getenv("EXACTDUCK_SEED"), 10, 64)
	if err != nil {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("EXACTDUCK_SEED=%d plays this again", seed)
	return seed
}
