package runs

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// left are the files of a folder.
func left(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// Ten runs, a day apart, of 100 bytes each.
func tenRuns(t *testing.T, ending string) (dir string, now time.Time) {
	t.Helper()
	dir, now = t.TempDir(), time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)
	for i := range 10 {
		name := now.AddDate(0, 0, i-9).Format("20060102T150405.000Z") + fmt.Sprintf("-%04d", i) + ending
		if err := os.WriteFile(filepath.Join(dir, name), []byte(strings.Repeat("x", 100)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir, now
}

func TestPruneKeepsToTheBounds(t *testing.T) {
	wide := Bounds{Age: 1000 * time.Hour, Files: 1000, Bytes: 1 << 20, Least: 1}
	for name, test := range map[string]struct {
		narrow func(*Bounds)
		want   int
	}{
		"nothing is over":  {func(*Bounds) {}, 10},
		"age":              {func(b *Bounds) { b.Age = 73 * time.Hour }, 4},
		"number":           {func(b *Bounds) { b.Files = 6 }, 6},
		"size":             {func(b *Bounds) { b.Bytes = 250 }, 2},
		"the newest stays": {func(b *Bounds) { b.Bytes, b.Files, b.Age = 0, 0, 0 }, 1},
		"least":            {func(b *Bounds) { b.Bytes, b.Least = 0, 7 }, 7},
		"least before all": {func(b *Bounds) { b.Files, b.Least = 3, 20 }, 10},
	} {
		t.Run(name, func(t *testing.T) {
			dir, now := tenRuns(t, logEnding)
			for _, other := range []string{"notes.txt", "mine.log"} {
				if err := os.WriteFile(filepath.Join(dir, other), []byte("not of a run"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			b := wide
			test.narrow(&b)
			all := left(t, dir)
			if err := PruneLogs(dir, now, b); err != nil {
				t.Fatal(err)
			}
			if got, want := left(t, dir), all[10-test.want:]; !slices.Equal(got, want) {
				t.Errorf("left %v, want %v", got, want)
			}
		})
	}
}

// What may not go stays, and does not keep newer ones from going.
func TestPruneAsksBefore(t *testing.T) {
	dir, now := tenRuns(t, recordEnding)
	var asked []int
	err := PruneRecords(dir, now, Bounds{Age: 1000 * time.Hour, Files: 5, Bytes: 1 << 20, Least: 2}, func(path string, newer int) bool {
		asked = append(asked, newer)
		return !strings.Contains(path, "-0000") && !strings.Contains(path, "-0002")
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := left(t, dir); len(got) != 5 || !strings.Contains(got[0], "-0000") || !strings.Contains(got[1], "-0002") {
		t.Errorf("left %v", got)
	}
	if !slices.Equal(asked, []int{9, 8, 7, 6, 5, 4, 3}) {
		t.Errorf("asked with %v newer ones", asked)
	}
	if err := PruneRecords(filepath.Join(dir, "none"), now, RecordBounds, nil); err != nil {
		t.Error(err)
	}
}
