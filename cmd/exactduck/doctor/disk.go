package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Folder is a folder that is to be written to. It may not be there yet.
type Folder struct {
	Path string
	// Locked says that runs lock files in it, or databases lie in it that only one may write.
	Locked bool
}

// nearest is the folder itself or, while it is not there, the one above it that is.
func (f Folder) nearest() (path string, err error) {
	for path = filepath.Clean(f.Path); ; path = filepath.Dir(path) {
		info, err := os.Stat(path)
		switch {
		case err == nil && !info.IsDir():
			return path, &fs.PathError{Op: "use as a folder", Path: path, Err: syscall.ENOTDIR}
		case err == nil:
			return path, nil
		case !errors.Is(err, fs.ErrNotExist) || path == filepath.Dir(path):
			return path, err
		}
	}
}

// Writable tries to make a file in the folder, or asks whether the folder could be made.
func (f Folder) Writable() Verdict {
	path, err := f.nearest()
	if err != nil {
		return Wrong(err)
	}
	if path != filepath.Clean(f.Path) {
		if err := syscall.Access(path, 2|1); err != nil { // write and search
			return Wrong(&fs.PathError{Op: "make a folder in", Path: path, Err: err})
		}
		return Well("will be made")
	}
	if err := tryFile(path); err != nil {
		return Wrong(err)
	}
	return Well("can be written to")
}

func tryFile(dir string) error {
	file, err := os.CreateTemp(dir, ".doctor-*")
	if err != nil {
		return err
	}
	_, err = file.Write(make([]byte, 4096))
	return errors.Join(err, file.Close(), os.Remove(file.Name()))
}

// doubts are what may go wrong on a kind of file system.
var doubts = map[string]string{
	"nfs": network, "cifs": network, "smb": network, "smbfs": network, "afs": network, "afpfs": network, "webdav": network,
	"ceph": network, "lustre": network, "gpfs": network, "9p": shared, "fuse": shared, "macfuse": shared, "vboxsf": shared, "virtiofs": shared,
	"tmpfs": "it is in memory: all is gone when the machine starts again",
}

const (
	network = "it is a network file system: flock may hold on this machine only, and what one machine writes another may see late"
	shared  = "it is a file system of a program or of the host of this machine, and what flock and fsync promise there depends on that"
)

// Sane looks at the kind of file system that the folder is on.
func (f Folder) Sane() Verdict { return f.sane(kindOf) }

func (f Folder) sane(kindOf func(path string) (string, error)) Verdict {
	path, err := f.nearest()
	if err != nil {
		return Wrong(err)
	}
	kind, err := kindOf(path)
	if err != nil {
		return Wrong(&fs.PathError{Op: "ask for the file system of", Path: path, Err: err})
	}
	doubt := doubts[kind]
	switch {
	case doubt == "" && kind == "":
		return Well("on a file system of this machine")
	case doubt == "":
		return Well("on " + kind)
	case f.Locked:
		return Doubtful(kind+": "+doubt, "set state_dir in pipelines.yaml to a folder on a disk of this machine; if it must stay, let one machine alone run exactduck on it")
	}
	return Doubtful(kind+": "+doubt, "exactduck replaces what is published by renaming; readers elsewhere may see the old one for a while, or lose it while they read")
}

// Room is what the file system of a folder has, and what is asked of it.
type Room struct {
	Free uint64 // for us
	Held uint64 // what our files there take already
	Size uint64 // of the warehouse
}

// least is how much room there has to be, whatever the size.
const least = 64 << 20

// Enough judges the room: three times the warehouse in all, and at any rate once more than there is.
func (r Room) Enough() Verdict {
	have := fmt.Sprintf("%s free", bytes(r.Free))
	if r.Size > 0 {
		have += fmt.Sprintf(", the warehouse takes %s", bytes(r.Size))
	}
	switch {
	case r.Free < r.Size, r.Free < least/4:
		return Wrong(fmt.Errorf("%s: %w", have, syscall.ENOSPC))
	case r.Free+r.Held < 3*r.Size, r.Free < least:
		return Doubtful(have, "free some space: working database, published file and the next one need three times the warehouse together")
	}
	return Well(have)
}

// Free is the room on the file system of a folder.
func (f Folder) Free() (uint64, error) {
	path, err := f.nearest()
	if err != nil {
		return 0, err
	}
	var s syscall.Statfs_t
	if err := syscall.Statfs(path, &s); err != nil {
		return 0, &fs.PathError{Op: "ask for the room of", Path: path, Err: err}
	}
	return s.Bavail * uint64(s.Bsize), nil
}

func bytes(n uint64) string {
	value, unit := float64(n), 0
	for ; value >= 1024 && unit < 4; unit++ {
		value /= 1024
	}
	return fmt.Sprintf("%.3g %s", value, []string{"B", "KiB", "MiB", "GiB", "TiB"}[unit])
}

// tolerated is how far clocks may be apart before anything suffers: the limits of a minute are read
// from the server's clock, but the age of a token is from ours.
const tolerated = 30 * time.Second

// Clock compares this machine's clock with a server's. A request was sent and answered at these
// times; the answer's date is cut to the second.
func Clock(sent, received, date time.Time) Verdict {
	if date.IsZero() {
		return Unseen("the server does not tell its time")
	}
	off := time.Duration(0)
	switch {
	case date.Before(sent.Truncate(time.Second)):
		off = sent.Sub(date).Round(time.Second)
	case date.After(received):
		off = -date.Sub(received).Round(time.Second)
	}
	switch {
	case off > tolerated:
		return Doubtful(fmt.Sprintf("this machine's clock is %s ahead of the server's", off), setClock)
	case off < -tolerated:
		return Doubtful(fmt.Sprintf("this machine's clock is %s behind the server's", -off), setClock)
	case off != 0:
		return Well(fmt.Sprintf("%s apart from the server's, which does no harm", off.Abs()))
	}
	return Well("agrees with the server's")
}

const setClock = "let the machine set its clock by NTP: the age of a login and the times in run records go by it"
