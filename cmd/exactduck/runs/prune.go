package runs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Bounds are how much is kept of past runs: what is over any of them goes, the oldest first, but the
// last Least stay.
type Bounds struct {
	Age   time.Duration
	Files int
	Bytes int64
	Least int
}

// The bounds of logs, and of records. Records are looked through for what is new, so that some stay
// however large they are; all of them are in the warehouse too.
var (
	LogBounds    = Bounds{Age: 90 * 24 * time.Hour, Files: 500, Bytes: 200 << 20, Least: 1}
	RecordBounds = Bounds{Age: 90 * 24 * time.Hour, Files: 500, Bytes: 200 << 20, Least: 200}
)

// PruneLogs removes logs that are over the bounds.
func PruneLogs(dir string, now time.Time, b Bounds) error {
	return prune(dir, logEnding, now, b, func(string, int) bool { return true })
}

// PruneRecords removes records that are over the bounds and that may go: may is given the path of one,
// and how many are newer.
func PruneRecords(dir string, now time.Time, b Bounds, may func(path string, newer int) bool) error {
	return prune(dir, recordEnding, now, b, may)
}

// past is a file of a run.
type past struct {
	path  string
	began time.Time
	bytes int64
}

func prune(dir, ending string, now time.Time, b Bounds, may func(path string, newer int) bool) error {
	files, sum, err := pasts(dir, ending)
	if err != nil {
		return fmt.Errorf("prune what is kept of past runs: %w", err)
	}
	left := len(files)
	for i, f := range files {
		newer := len(files) - i - 1
		if newer < b.Least || left <= b.Files && sum <= b.Bytes && now.Sub(f.began) <= b.Age {
			break
		}
		if !may(f.path, newer) {
			continue
		}
		if err := os.Remove(f.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("prune what is kept of past runs: %w", err)
		}
		left, sum = left-1, sum-f.bytes
	}
	return nil
}

// pasts are the files of runs in a folder, the oldest first: ids sort by time. Other files are not ours.
func pasts(dir, ending string) (files []past, bytes int64, err error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, nil
	}
	for _, e := range entries {
		id, ours := strings.CutSuffix(e.Name(), ending)
		if !ours || !idPattern.MatchString(id) {
			continue
		}
		began, err := time.Parse("20060102T150405", id[:15])
		info, gone := e.Info()
		if err != nil || gone != nil {
			continue
		}
		files = append(files, past{filepath.Join(dir, e.Name()), began, info.Size()})
		bytes += info.Size()
	}
	return files, bytes, err
}
