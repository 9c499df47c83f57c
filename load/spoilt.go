package load

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"exactduck/schema"
)

// Spoilt is a file of a lake's current snapshot that does not hold what was written there, or that
// somebody else has put there.
type Spoilt struct {
	Path string // from the snapshot's folder, with slashes
	// Table and Scope are those of the rows; "" when the file is not ours.
	Table  string
	Scope  schema.Scope
	Reason string
}

// SpoiltFiles reads every file of the current snapshot of a lake and compares it with the manifest. It
// also says how many files the manifest has. A publication with these as [Target.Spoilt] takes their
// place. It fails with *[Foreign] when the lake is not ours; one that was never written has no files.
func SpoiltFiles(ctx context.Context, lake string) (files int, all []Spoilt, err error) {
	name, m, err := currentSnapshot(lake)
	if err != nil || m == nil {
		return 0, nil, err
	}
	folder := filepath.Join(lake, "runs", name)
	ours := map[string]bool{manifestName: true}
	for _, f := range m.Files {
		ours[f.Path] = true
		reason, err := f.spoilt(ctx, folder)
		if err != nil {
			return 0, nil, err
		}
		if reason != "" {
			all = append(all, Spoilt{f.Path, f.Table, schema.Scope(f.Scope), reason})
		}
	}
	foreign, err := foreignFiles(folder, ours)
	return len(m.Files), append(all, foreign...), err
}

// spoilt tells what is wrong with a file; "": nothing. The error is that of the context.
func (f ManifestFile) spoilt(ctx context.Context, folder string) (reason string, err error) {
	file, err := os.Open(filepath.Join(folder, filepath.FromSlash(f.Path)))
	if errors.Is(err, fs.ErrNotExist) {
		return "it is missing", nil
	}
	if err != nil {
		return fmt.Sprintf("it cannot be read: %v", errors.Unwrap(err)), nil
	}
	defer file.Close()
	sum := sha256.New()
	n, err := io.Copy(sum, reading{ctx, file})
	switch {
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case err != nil:
		return fmt.Sprintf("it cannot be read: %v", err), nil
	case n != f.Bytes:
		return fmt.Sprintf("it has %d bytes, and %d were written", n, f.Bytes), nil
	case hex.EncodeToString(sum.Sum(nil)) != f.SHA256:
		return "it does not hold what was written: its SHA-256 is not that of the manifest", nil
	}
	return "", nil
}

// reading is a file that ends with the context.
type reading struct {
	ctx  context.Context
	file *os.File
}

func (r reading) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.file.Read(p)
}

// foreignFiles are those in a snapshot that readers would take for ours. What begins with . or _ they
// pass over.
func foreignFiles(folder string, ours map[string]bool) (all []Spoilt, err error) {
	err = filepath.WalkDir(folder, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || strings.HasPrefix(e.Name(), ".") || strings.HasPrefix(e.Name(), "_") {
			return err
		}
		inside, err := filepath.Rel(folder, path)
		if inside = filepath.ToSlash(inside); err == nil && !ours[inside] {
			all = append(all, Spoilt{Path: inside, Reason: "it was not written by us"})
		}
		return err
	})
	return all, err
}

// distrust has the files not be used again.
func (m *Manifest) distrust(spoilt []Spoilt) {
	paths := map[string]bool{}
	for _, s := range spoilt {
		paths[s.Path] = true
	}
	for i := range m.Files {
		m.Files[i].distrusted = paths[m.Files[i].Path]
	}
}
