package main

import (
	"path/filepath"
	"testing"

	"exactduck/extract/sandbox"
	"exactduck/load"
	"exactduck/load/laketest"
	"exactduck/schema"
)

// TestLakeHoldsWhatTheSourceSent compares every value of every record of the simulated books with the
// Parquet files, read by a library that is not DuckDB, after a first night and after one of changes.
func TestLakeHoldsWhatTheSourceSent(t *testing.T) {
	t.Parallel()
	const streams = "      - crm/*\n      - financial*/*\n      - logistics/*"
	w := newWorld(t, t.TempDir(), streams, sandbox.Options{Divisions: 1, Scale: 0.05})
	w.pipelineLines = "    to: {duckdb: books.duckdb, parquet: lake/, partition: year}\n"
	w.reconfigure(streams)
	w.run(syncOptions{})
	files := w.sameLake()
	if files < 50 {
		t.Errorf("only %d files were compared", files)
	}
	for _, entity := range []string{"crm/Accounts", "logistics/Items"} {
		if err := w.sandbox.Change(sandbox.Change{Entity: entity, Update: 3, Insert: 2, Delete: 1}); err != nil {
			t.Fatal(err)
		}
	}
	w.run(syncOptions{})
	w.sameLake()
}

// sameLake holds the current snapshot against the truth of the sandbox. It returns how many files it has.
func (w *world) sameLake() int {
	w.t.Helper()
	folder, err := filepath.EvalSymlinks(filepath.Join(w.dir, "lake", "current"))
	if err != nil {
		w.t.Fatal(err)
	}
	m, err := load.ReadManifest(folder)
	if err != nil {
		w.t.Fatal(err)
	}
	held := map[string][]map[string]any{}
	for _, f := range m.Files {
		_, rows, err := laketest.Read(filepath.Join(folder, filepath.FromSlash(f.Path)))
		if err != nil {
			w.t.Fatal(err)
		}
		held[f.Table] = append(held[f.Table], rows...)
	}
	reader, err := load.OpenReader(w.t.Context(), w.published())
	if err != nil {
		w.t.Fatal(err)
	}
	defer reader.Close()
	comparison{w.t, w.published(), w.pipeline(), w.sandbox}.compare(reader, func(table *schema.Table) map[string]map[string]any {
		rows := map[string]map[string]any{}
		for _, row := range held[table.FullName()] {
			row["_division"] = textOf(row["_division"])
			k := keyOf(table, row["_division"].(string), func(name string) string { return textOf(row[name]) })
			if rows[k] != nil {
				w.t.Errorf("%s: row %s is there twice", table.FullName(), k)
			}
			rows[k] = row
		}
		return rows
	})
	return len(m.Files)
}
