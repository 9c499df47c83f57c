package load

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"exactduck/load/spool"
	"exactduck/schema"
)

func init() {
	children["apply"] = func() error {
		log, err := killerFromEnv()
		if err != nil {
			return err
		}
		return applyAll(os.Getenv("EXACTDUCK_DIR"), log)
	}
}

// applyAll applies all spools of dir as a run does: tables first, then deletions, then sweeps, and
// removes the files after each commit.
func applyAll(dir string, log *slog.Logger) (err error) {
	ctx := context.Background()
	w, err := Open(ctx, Options{
		StateDir: filepath.Join(dir, "state"), Log: log, Clock: func() time.Time { return time.Date(2026, 11, 22, 4, 0, 0, 0, time.UTC) },
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	paths, err := spool.List(filepath.Join(dir, "spool"))
	if err != nil {
		return err
	}
	batches := map[string]*Batch{}
	for _, path := range paths {
		f, err := spool.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		rank := map[bool]string{true: "2", false: "1"}[f.Header().Table.Service == ownSchema]
		if f.Header().Mode == spool.Sweep {
			rank = "3"
		}
		name := rank + f.Header().Table.FullName()
		if batches[name] == nil {
			batches[name] = &Batch{Run: "r2"}
		}
		part := Part{File: f, ReloadMissed: true}
		if f.Header().Table.FullName() == lines.FullName() {
			part.Follow = withAccounts
		}
		batches[name].Parts = append(batches[name].Parts, part)
	}
	for _, name := range slices.Sorted(func(yield func(string) bool) {
		for n := range batches {
			if !yield(n) {
				return
			}
		}
	}) {
		if _, err := w.Apply(ctx, *batches[name]); err != nil {
			return err
		}
		for _, p := range batches[name].Parts {
			log.DebugContext(ctx, "spool is to be removed")
			if err := p.File.Remove(); err != nil {
				return err
			}
			log.DebugContext(ctx, "spool removed")
		}
	}
	return nil
}

// dump is everything that the warehouse holds, apart from what counts commits.
func (b *books) dump() (all []string) {
	b.t.Helper()
	for _, table := range b.query(`SELECT schema_name || '.' || table_name FROM duckdb_tables() WHERE database_name = current_database() ORDER BY ALL`) {
		where := ""
		if table == "_exactduck.meta" {
			where = " WHERE key NOT IN ('commits', 'generation')"
		}
		columns := "*"
		if table == "_exactduck.parts" {
			columns = "table_name, scope"
		}
		for _, line := range b.query("SELECT " + columns + " FROM " + table + where + " ORDER BY ALL") {
			all = append(all, table+": "+line)
		}
	}
	return all
}

// TestKillDuringApply kills a run at its records, one after the other; whatever it had done, the
// next run ends where an undisturbed one does.
func TestKillDuringApply(t *testing.T) {
	b := newBooks(t)
	b.apply("r1", read{table: accounts, scope: "7", mode: spool.Replace, rows: manyAccounts(0, 9)},
		read{table: accounts, scope: "8", mode: spool.Replace, rows: manyAccounts(0, 4)})
	b.apply("r1", read{table: items, scope: "7", mode: spool.Replace, next: "p", rows: [][]any{{"A", 1, "x", nil}, {"B", 1, "x", nil}}})
	b.apply("r1", read{table: balances, scope: "7", mode: spool.Replace, rows: [][]any{{"a", 1.0}}})
	b.apply("r1", read{table: lines, scope: "7", mode: spool.Merge, follow: withAccounts, rows: [][]any{{1, id(1), id(2), "goes with its header"}, {1, id(2), id(5), "goes out"}}})
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(b.dir, "spool")); err != nil { // applied
		t.Fatal(err)
	}
	wide := *accounts
	wide.Columns = append(slices.Clone(accounts.Columns), schema.Column{Name: "City", Type: schema.Varchar})
	b.tick()
	b.spool(read{id: "a", table: &wide, scope: "7", mode: spool.Merge, rows: [][]any{{20, id(1), "changed", 1, "Delft"}, {21, id(20), "new", 1, nil}, {1, id(3), "older", 1, nil}}})
	b.spool(read{id: "b", table: &wide, scope: "8", mode: spool.Replace, rows: [][]any{}})
	b.spool(read{id: "c", table: deletions, scope: "7", mode: spool.Merge, rows: [][]any{{22, 2, id(2)}, {2, 2, id(1)}}})
	b.spool(read{id: "d", table: items.Keys(), scope: "7", mode: spool.Sweep, rows: [][]any{{"A", 1}, {"missed", 1}}})
	b.spool(out(read{id: "f", table: lines, scope: "7", mode: spool.Merge, rows: [][]any{{2, id(2), id(5), ""}, {2, id(3), id(5), "stays"}}}, 0))
	b.spool(read{id: "e", table: balances, scope: "7", mode: spool.Replace, rows: [][]any{{"a", 2.0}, {"b", 2.0}}})

	copyOf := func() string {
		dir := filepath.Join(t.TempDir(), "copy")
		if err := os.CopyFS(dir, os.DirFS(b.dir)); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	state := func(dir string) []string {
		o := &books{t: t, dir: dir, log: slog.DiscardHandler}
		o.open()
		defer o.Close()
		return o.dump()
	}
	undisturbed := copyOf()
	if err := applyAll(undisturbed, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	want := state(undisturbed)
	if text := strings.Join(want, "\n"); !strings.Contains(text, "changed") || !strings.Contains(text, "Delft") || strings.Contains(text, "|n2|20|") && strings.Contains(text, "7|2|") ||
		strings.Contains(text, "goes") || !strings.Contains(text, "stays") || !strings.Contains(text, "|p|false|") {
		t.Fatalf("the undisturbed run did not do its work:\n%s", text)
	}
	first, stride := oneIn(9)
	for at := first; ; at += stride {
		dir := copyOf()
		err := spawn(t, "apply", "EXACTDUCK_DIR="+dir, fmt.Sprint("EXACTDUCK_KILL_AT=", at)).Run()
		if err != nil && !killed(err) {
			t.Fatalf("killed at %d: %v", at, err)
		}
		if err := applyAll(dir, slog.New(slog.DiscardHandler)); err != nil {
			t.Fatalf("after a kill at record %d: %v", at, err)
		}
		if d := cmp.Diff(want, state(dir)); d != "" {
			t.Fatalf("after a kill at record %d (-undisturbed +healed):\n%s", at, d)
		}
		if err == nil {
			if at < 60 {
				t.Fatalf("only %d records: the steps are not all told", at)
			}
			return
		}
	}
}
