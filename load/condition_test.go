package load

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestExamineMakesNothing(t *testing.T) {
	dir := t.TempDir()
	o := Options{StateDir: filepath.Join(dir, "state"), Target: filepath.Join(dir, "warehouse.duckdb")}
	c, err := Examine(t.Context(), o)
	if err != nil || c.Working.There || c.Published.There || c.Busy != nil {
		t.Errorf("%+v, %v", c, err)
	}
	if made, _ := os.ReadDir(dir); len(made) != 0 {
		t.Errorf("made %v", made)
	}
}

func TestExamine(t *testing.T) {
	dir := t.TempDir()
	night(t, dir, "r1", 0, 1, "1")
	target := filepath.Join(dir, "warehouse.duckdb")
	found, err := filepath.Glob(filepath.Join(dir, "*", "*.work.duckdb"))
	if more, _ := filepath.Glob(filepath.Join(dir, "*.work.duckdb")); err == nil {
		found = append(found, more...)
	}
	if len(found) != 1 {
		t.Fatalf("working databases: %v, %v", found, err)
	}
	o := Options{StateDir: filepath.Dir(found[0]), Target: target}
	sound := func(f FileCondition) bool {
		return f.There && f.Size > 0 && f.Format == len(migrations) && f.Err == nil
	}
	c, err := Examine(t.Context(), o)
	if err != nil || !sound(c.Working) || !sound(c.Published) || c.Busy != nil {
		t.Fatalf("%+v, %v", c, err)
	}

	w, err := Open(t.Context(), o)
	if err != nil {
		t.Fatalf("after an examination: %v", err)
	}
	c, err = Examine(t.Context(), o)
	if err != nil || c.Busy == nil || c.Busy.Holder != os.Getpid() || c.Working.Size == 0 || c.Working.Format != 0 || !sound(c.Published) {
		t.Errorf("while a run holds it: %+v, %v", c, err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}

	overwrite(t, o.Target)
	overwrite(t, found[0])
	c, err = Examine(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []FileCondition{c.Working, c.Published} {
		if damaged, ok := errors.AsType[*Damaged](f.Err); !ok || damaged.Path != f.Path {
			t.Errorf("%s: %v", f.Path, f.Err)
		}
	}
}

func overwrite(t *testing.T, path string) {
	t.Helper()
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(strings.Repeat("mangled ", 4096)), 0o600); err != nil {
		t.Fatal(err)
	}
}
