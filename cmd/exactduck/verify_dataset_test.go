package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"exactduck/extract/sandbox"
	"exactduck/load"
)

// What became of the files of the dataset behind our back is named by verify, which costs no call, and
// written anew.
func TestVerifyMendsTheDataset(t *testing.T) {
	t.Parallel()
	const streams = "      - crm/Accounts\n      - financial/TransactionLines\n      - logistics/Items"
	w := newWorld(t, t.TempDir(), streams, sandbox.Options{Divisions: 1, Scale: 0.02, MinuteLimit: -1, DayLimit: -1})
	w.pipelineLines = "    to: {duckdb: books.duckdb, parquet: lake/, partition: year}\n"
	w.reconfigure(streams)
	w.run(syncOptions{})
	if said := toldOf(w.verifies(0, verifyOptions{offline: true}), resultSame); !slices.Contains(said, "same dataset ") {
		t.Errorf("a dataset that is well: %q", said)
	}
	for name, o := range map[string]verifyOptions{"offline": {offline: true}, "online": {}} {
		w.spoil()
		mended := w.verifies(0, o)
		want := []string{
			"mended dataset ", "mended dataset crm/Accounts", "mended dataset financial/TransactionLines",
			"mended dataset financial/TransactionLines", "mended dataset logistics/Items",
		}
		if d := gocmp.Diff(want, toldOf(mended, resultMended)); d != "" {
			t.Errorf("%s: findings (-want +got):\n%s", name, d)
		}
		said := strings.Join(saidOf(mended, resultMended), "\n")
		for _, part := range []string{"current/crm/Accounts/in_division=", "SHA-256", "it is missing", "7 bytes", "current/crm/Accounts/mine.parquet: it was not written by us; it is left out"} {
			if !strings.Contains(said, part) {
				t.Errorf("%s: %q is not said in\n%s", name, part, said)
			}
		}
		if _, spoilt, err := load.SpoiltFiles(t.Context(), filepath.Join(w.dir, "lake")); err != nil || len(spoilt) > 0 {
			t.Errorf("%s: still %v: %v", name, spoilt, err)
		}
		w.sameLake()
	}
	if said := toldOf(w.verifies(0, verifyOptions{offline: true}), resultMended); said != nil {
		t.Errorf("the next time: %v", said)
	}
	if n := w.counted("SELECT count(*) FROM _exactduck.checks WHERE kind = 'dataset'"); n != "1" {
		t.Errorf("%s rows tell of the dataset", n)
	}
}

// spoil damages one file of the dataset in its place, truncates one, replaces one, removes one, and adds one.
func (w *world) spoil() {
	w.t.Helper()
	folder, err := filepath.EvalSymlinks(filepath.Join(w.dir, "lake", "current"))
	if err != nil {
		w.t.Fatal(err)
	}
	file := func(pattern string, n int) string {
		found, err := filepath.Glob(filepath.Join(folder, pattern))
		if err != nil || len(found) <= n {
			w.t.Fatalf("%s: %v, %v", pattern, found, err)
		}
		return found[n]
	}
	lines := "financial/TransactionLines/*/*/*.parquet"
	accounts, truncated, removed, items := file("crm/Accounts/*/*.parquet", 0), file(lines, 0), file(lines, 1), file("logistics/Items/*/*.parquet", 0)
	content, err := os.ReadFile(accounts)
	if err != nil {
		w.t.Fatal(err)
	}
	content[len(content)/2]++
	for path, text := range map[string][]byte{
		accounts: content, truncated: []byte("PAR1..."), items: content, filepath.Join(folder, "crm", "Accounts", "mine.parquet"): content,
	} {
		_ = os.Chmod(path, 0o600)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			w.t.Fatal(err)
		}
	}
	if err := os.Remove(removed); err != nil {
		w.t.Fatal(err)
	}
}
