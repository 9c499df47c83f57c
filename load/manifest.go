package load

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Manifest describes one snapshot of the lake. It lies in the snapshot's folder as manifest.json.
type Manifest struct {
	Mark   string `json:"mark"`
	Format int    `json:"format"`
	identity
	RunID     string    `json:"run_id"`
	WrittenAt time.Time `json:"written_at"`
	// Previous is the folder of the snapshot that was current before this one. A folder that
	// this chain does not reach was never current.
	Previous string `json:"previous,omitempty"`
	// Partition is "year" when tables with a date have a file for each year of each scope.
	Partition string         `json:"partition,omitempty"`
	Files     []ManifestFile `json:"files"`
}

// ManifestFile is one Parquet file of a snapshot: the rows of one table in one scope, or those of one
// year.
type ManifestFile struct {
	Path  string `json:"path"` // from the snapshot's folder, with slashes
	Table string `json:"table"`
	Scope string `json:"scope"`
	// Year is that of the rows, as in the folder's name; "": all.
	Year string `json:"year,omitempty"`
	// SortedBy are the columns by which the rows are sorted; none: they were too many.
	SortedBy   []string `json:"sorted_by,omitempty"`
	Generation int64    `json:"generation"` // of the warehouse, when these rows last changed
	// Seen is the generation of the scope at which the file was last found to hold what it should.
	Seen    int64  `json:"seen"`
	Content string `json:"content,omitempty"` // a hash of all values of the rows of a year
	Rows    int64  `json:"rows"`
	Bytes   int64  `json:"bytes"`
	SHA256  string `json:"sha256"`

	distrusted bool // see [Target.Spoilt]
}

const (
	manifestName = "manifest.json"
	// lakeFormat counts how folders were named and files made. Files of another format are not used again.
	lakeFormat = 3
)

// ReadManifest reads the manifest of the snapshot in folder. It fails with *[Foreign] when the
// folder has none of ours.
func ReadManifest(folder string) (*Manifest, error) {
	path := filepath.Join(folder, manifestName)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &Foreign{Path: folder, Reason: "it has no " + manifestName}
	}
	if err != nil {
		return nil, fmt.Errorf("read manifest: %w", err)
	}
	var m Manifest
	if json.Unmarshal(text, &m) != nil || m.Mark != mark {
		return nil, &Foreign{Path: path, Reason: "it does not carry our mark"}
	}
	return &m, nil
}

// intact tells whether all files of the manifest lie in folder, in their sizes.
func (m *Manifest) intact(folder string) bool {
	for _, f := range m.Files {
		if !f.liesIn(folder) {
			return false
		}
	}
	return true
}

// liesIn tells whether the file is there, as far as its size tells and nothing else is known of it.
func (f ManifestFile) liesIn(folder string) bool {
	info, err := os.Stat(filepath.Join(folder, filepath.FromSlash(f.Path)))
	return err == nil && info.Size() == f.Bytes && !f.distrusted
}

// write writes the manifest into folder, durably.
func (m *Manifest) write(folder string) (err error) {
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	out, err := os.OpenFile(filepath.Join(folder, manifestName), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o444)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	if _, err := out.Write(append(text, '\n')); err != nil {
		return err
	}
	return out.Sync()
}

// seal makes a file durable and read-only, and fills in its size and checksum.
func (f *ManifestFile) seal(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	sum := sha256.New()
	f.Bytes, err = io.Copy(sum, file)
	if err == nil {
		err = file.Chmod(0o444)
	}
	if err == nil {
		err = file.Sync()
	}
	f.SHA256 = hex.EncodeToString(sum.Sum(nil))
	return errors.Join(err, file.Close())
}
