package load

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
)

// Busy is the error of [Open] when another run holds the lock.
type Busy struct {
	Path   string
	Holder int // the process that holds it; 0: unknown
}

func (b *Busy) Error() string {
	if b.Holder == 0 {
		return fmt.Sprintf("another run holds %s", b.Path)
	}
	return fmt.Sprintf("another run (process %d) holds %s", b.Holder, b.Path)
}

// Damaged is a file that DuckDB cannot read as a database. It is left as it is.
type Damaged struct {
	Path string
	Err  error
}

func (d *Damaged) Error() string { return fmt.Sprintf("%s is damaged: %v", d.Path, d.Err) }

// Unwrap is what DuckDB said.
func (d *Damaged) Unwrap() error { return d.Err }

// Newer is a file that a later version of this program, or of the DuckDB in it, has written; the formats
// are then those of DuckDB.
type Newer struct {
	Path          string
	Format, Known int
}

func (n *Newer) Error() string {
	return fmt.Sprintf("%s has format %d, this program knows formats up to %d", n.Path, n.Format, n.Known)
}

// Foreign is a file that stands where we are to write and is not ours.
type Foreign struct{ Path, Reason string }

func (f *Foreign) Error() string { return fmt.Sprintf("%s is not written by us: %s", f.Path, f.Reason) }

// Unnameable is a target whose name DuckDB cannot give to a database.
type Unnameable struct{ Path, Reason string }

func (u *Unnameable) Error() string {
	return fmt.Sprintf("%s cannot be a database: %s", u.Path, u.Reason)
}

// damage is how DuckDB's messages about unreadable files begin or go on.
var damage = regexp.MustCompile(`not a valid DuckDB database file|[Cc]orrupt|[Cc]hecksum|Failed to load metadata|` +
	`Serialization Error|Failed to deserialize|database file has been truncated|Could not read enough bytes|` +
	`Failure while replaying WAL`)

// spoken is how DuckDB says what the operating system told it. It limits its temporary files to the
// room on the disk, and then runs against its own limit.
var spoken = []struct {
	words string
	errno syscall.Errno
}{
	{"No space left on device", syscall.ENOSPC},
	{"max_temp_directory_size", syscall.ENOSPC},
	{"failed to offload data block", syscall.ENOSPC},
	{"Disk quota exceeded", syscall.EDQUOT},
	{"Read-only file system", syscall.EROFS},
	{"Permission denied", syscall.EACCES},
	{"Input/output error", syscall.EIO},
}

// younger is how DuckDB says that a later version of it has written a file.
var younger = regexp.MustCompile(`database file with version number (\d+), but we can only read versions? (?:between \d+ and )?(\d+)`)

var conflicting = regexp.MustCompile(`Conflicting lock is held in .*\(PID (\d+)\)`)

// fileError gives an error of DuckDB, which is only text, the type that says what is wrong with
// the file at path; anything else comes back as it is.
func fileError(path string, err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	for _, known := range spoken {
		if strings.Contains(text, known.words) && !errors.Is(err, known.errno) {
			return fmt.Errorf("%w: %w", err, known.errno)
		}
	}
	if m := conflicting.FindStringSubmatch(text); m != nil {
		pid, _ := strconv.Atoi(m[1]) // digits by the pattern; an impossible number is no pid
		return fmt.Errorf("%w: %w", &Busy{Path: path, Holder: pid}, err)
	}
	if m := younger.FindStringSubmatch(text); m != nil {
		have, _ := strconv.Atoi(m[1]) // digits by the pattern
		known, _ := strconv.Atoi(m[2])
		return &Newer{Path: path, Format: have, Known: known}
	}
	if _, already := errors.AsType[*Damaged](err); !already && damage.MatchString(text) {
		return &Damaged{Path: path, Err: err}
	}
	if strings.Contains(text, "Cannot open file") && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w: %w", err, fs.ErrNotExist)
	}
	return err
}

// reserved are the names that DuckDB keeps for databases and schemas of its own, and ours.
var reserved = map[string]bool{
	"system": true, "temp": true, "main": true, "memory": true, "pg_catalog": true, "information_schema": true,
	"_exactduck": true, "analytics": true,
}

// databaseName is the name under which DuckDB opens the file at path.
func databaseName(path string) (string, error) {
	name, _, _ := strings.Cut(filepath.Base(path), ".")
	switch {
	case strings.Contains(path, "?"):
		return "", &Unnameable{Path: path, Reason: "DuckDB does not find its write-ahead log when a path has a question mark"}
	case name == "" || name == string(filepath.Separator):
		return "", &Unnameable{Path: path, Reason: "it has no name before the first dot"}
	case reserved[strings.ToLower(name)]:
		return "", &Unnameable{Path: path, Reason: name + " has a meaning of its own in DuckDB"}
	}
	return name, nil
}

// workingName is what the working database of a target is called.
func workingName(target string) (string, error) {
	if target == "" {
		return "warehouse", nil
	}
	if _, err := databaseName(target); err != nil {
		return "", err
	}
	name := filepath.Base(target)
	return strings.TrimSuffix(name, filepath.Ext(name)), nil
}
