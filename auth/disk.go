package auth

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
)

// reserveSize is room for two pairs of tokens several times over.
const reserveSize = 16 << 10

// reserve is a file that holds room for one more state. A refresh on a disk that fills up between
// the attempt and the answer would cost the login; with the reserve the answer overwrites room
// that is already ours. (Where the file system copies on write, that is a hope and no promise.)
func (f *File) reserve() string { return f.path + ".reserve" }

// persist replaces the file, or spends the reserve when there is no room to. It fails too when no
// reserve can be made: the next state might then find no room.
func (f *File) persist(content []byte) error {
	err := f.write(f.path, content)
	if err != nil {
		if f.spend(content) == nil {
			return nil
		}
		return err
	}
	if about, err := os.Stat(f.reserve()); err == nil && about.Size() == reserveSize {
		return nil
	}
	return f.write(f.reserve(), make([]byte, reserveSize))
}

// spend puts content in place of the file without asking for room. What is left of the
// reserve is filled with line ends, which no reader of JSON minds.
func (f *File) spend(content []byte) error {
	if len(content) > reserveSize {
		return errors.New("larger than the reserve")
	}
	content = append(bytes.Clone(content), bytes.Repeat([]byte{'\n'}, reserveSize-len(content))...)
	file, err := os.OpenFile(f.reserve(), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = file.WriteAt(content, 0)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.reserve(), f.path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(f.path))
}

// replaceFile puts content in place of path: fsync, rename, fsync of the directory, without
// which the rename may not survive a loss of power.
func replaceFile(path string, content []byte) error {
	dir := filepath.Dir(path)
	pending, err := renameio.NewPendingFile(path, renameio.WithTempDir(dir), renameio.WithStaticPermissions(0o600))
	if err != nil {
		return err
	}
	defer pending.Cleanup() //nolint:errcheck // nothing is left to clean after the rename
	if _, err := pending.Write(content); err != nil {
		return err
	}
	if err := pending.CloseAtomicallyReplace(); err != nil {
		return err
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
