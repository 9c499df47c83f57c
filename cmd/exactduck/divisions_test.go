package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"exactduck/cmd/exactduck/config"
	"exactduck/extract"
)

func TestDivisionsTellWhoReadsThem(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "pipelines.yaml")
	connection := "type: exact-online, region: nl, client_id: app, client_secret: file:s"
	text := "version: 1\nconnections:\n  books: {" + connection + "}\n  uk: {" + connection + "}\npipelines:\n" +
		"  nightly: {from: books, streams: [crm/Accounts], to: {duckdb: a.duckdb}}\n" +
		"  old: {from: books, divisions: [2, 99, 'gone*'], streams: [crm/Accounts], to: {duckdb: b.duckdb}}\n" +
		"  other: {from: uk, streams: [crm/Accounts], to: {duckdb: c.duckdb}}\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(path, catalogue)
	if err != nil {
		t.Fatal(err)
	}
	got, warnings := readBy(cfg, "books", []extract.Place{
		{Scope: "1", Code: "1", Name: "Bakery", Epoch: "e", Active: true},
		{Scope: "2", Code: "2", Name: "Old\nBakery"},
	})
	want := []division{
		{Code: "1", Name: "Bakery", Active: true, Epoch: "e", Pipelines: []string{"nightly"}},
		{Code: "2", Name: "Old\nBakery", Pipelines: []string{"old"}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	wantWarnings := []string{
		`pipeline old reads division "99", which this login cannot reach`,
		`pipeline old reads division "gone*", which this login cannot reach`,
	}
	if d := cmp.Diff(wantWarnings, warnings); d != "" {
		t.Error(d)
	}
	var out bytes.Buffer
	printDivisions(&out, exactOnline{}, got)
	table := " division  name         active  read by \n" + "────────────────────────────────────────\n" +
		" 1         Bakery       yes     nightly \n" + " 2         Old\\nBakery  no      old     \n"
	if d := cmp.Diff(table, out.String()); d != "" {
		t.Error(d)
	}
}
