package main

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"exactduck/cmd/exactduck/config"
)

// TestPresetsAreUnderstood writes what init would write, and looks every stream up.
func TestPresetsAreUnderstood(t *testing.T) {
	t.Parallel()
	for _, preset := range presets {
		s := startDefaults
		s.Preset = preset
		text, err := s.text("pipelines.yaml")
		if err != nil {
			t.Errorf("%s: %v", preset, err)
			continue
		}
		c, err := config.Parse(text, "pipelines.yaml", catalogue)
		if err != nil {
			t.Errorf("%s: %v", preset, err)
			continue
		}
		p := c.Pipelines[preset]
		choices, err := p.Choices(catalogue)
		if err != nil || len(choices) < 4 || len(choices) != len(p.Streams) {
			t.Errorf("%s: %d streams of %d entries, %v", preset, len(choices), len(p.Streams), err)
		}
		for i, choice := range choices {
			if choice.Stream.Quiet {
				t.Errorf("%s: %s is one that wildcards leave out", preset, choice.Stream.Name)
			}
			if !strings.Contains(string(text), "- "+choice.Stream.Name) {
				t.Errorf("%s: entry %d is not written as %s", preset, i, choice.Stream.Name)
			}
		}
	}
	files, err := presetFiles.ReadDir("presets")
	if err != nil || len(files) != len(presets)+len(frames) {
		t.Errorf("%d files for %d presets and their frames, %v", len(files), len(presets), err)
	}
}

// TestAnswersAreWrittenAsTheyAre holds odd answers against what the parser makes of them.
func TestAnswersAreWrittenAsTheyAre(t *testing.T) {
	t.Parallel()
	for _, odd := range []string{"ware house.duckdb", "a: b.duckdb", "#1.duckdb", "'quoted'.duckdb", `back\slash.duckdb`, "@x.duckdb", "ü.duckdb", "{a}.duckdb", "yes", "123"} {
		s := startDefaults
		s.DuckDB, s.ClientID = odd, odd
		text, err := s.text(filepath.Join(t.TempDir(), "pipelines.yaml"))
		if err != nil {
			t.Errorf("%q: %v", odd, err)
			continue
		}
		c, err := config.Parse(text, "/books/pipelines.yaml", catalogue)
		if err != nil {
			t.Errorf("%q: %v", odd, err)
			continue
		}
		if got := c.Pipelines["finance"].To.DuckDB; got != filepath.Join("/books", odd) {
			t.Errorf("%q came back as %q", odd, got)
		}
		if id, _, err := c.Credentials("books", func(string) (string, bool) { return "x", true }); err != nil || id != odd {
			t.Errorf("%q came back as %q, %v", odd, id, err)
		}
	}
}

// TestTheExampleHasEveryKey reads the pipelines.yaml of this repository.
func TestTheExampleHasEveryKey(t *testing.T) {
	t.Parallel()
	path := filepath.Join("..", "..", "pipelines.yaml")
	c, err := config.Load(path, catalogue)
	if err != nil {
		t.Fatal(err)
	}
	if warnings := c.Warnings(); len(warnings) > 0 {
		t.Error(warnings)
	}
	if _, _, err := c.Credentials("books", func(string) (string, bool) { return "set", true }); err != nil {
		t.Error(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range yamlKeys(reflect.TypeFor[config.Config]()) {
		if !regexp.MustCompile(`(?m)^[ #-]*` + key + `:`).Match(text) {
			t.Errorf("the key %s is not in it", key)
		}
	}
}

func yamlKeys(t reflect.Type) []string {
	var found []string
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		return yamlKeys(t.Elem())
	case reflect.Struct:
		for field := range t.Fields() {
			if key := field.Tag.Get("yaml"); key != "" {
				found = append(append(found, key), yamlKeys(field.Type)...)
			}
		}
	}
	return found
}
