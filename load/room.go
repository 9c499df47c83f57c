package load

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// NoRoom is the error of what was not begun because the disk does not hold it. Nothing was changed.
type NoRoom struct {
	Path       string // what was to be written there
	Need, Free int64  // bytes
}

func (n *NoRoom) Error() string {
	return fmt.Sprintf("%v: %s needs %d bytes, and %d are free", syscall.ENOSPC, n.Path, n.Need, n.Free)
}

// Unwrap is what the system would have said.
func (n *NoRoom) Unwrap() error { return syscall.ENOSPC }

// Missing is how many bytes have to be freed at least.
func (n *NoRoom) Missing() int64 { return n.Need - n.Free }

// demand is how many bytes are about to be written to a path.
type demand struct {
	path  string
	bytes int64
}

// room fails with *[NoRoom] when a disk does not have the room for all that is demanded of it. A file
// system that does not tell is believed to have room: writing will show.
func room(all ...demand) error {
	type disk struct {
		need, free int64
		first      string
	}
	var disks []*disk
	known := map[uint64]*disk{}
	for _, d := range all {
		device, free, ok := freeAt(d.path)
		if !ok || d.bytes <= 0 {
			continue
		}
		if known[device] == nil {
			known[device] = &disk{free: free, first: d.path}
			disks = append(disks, known[device])
		}
		known[device].need += d.bytes
	}
	for _, d := range disks {
		if d.need > d.free {
			return &NoRoom{Path: d.first, Need: d.need, Free: d.free}
		}
	}
	return nil
}

// freeAt tells the disk of a path, whose last folders need not exist, and what we may still write to it.
func freeAt(path string) (device uint64, free int64, ok bool) {
	for {
		info, err := os.Stat(path)
		if err == nil {
			stat, known := info.Sys().(*syscall.Stat_t)
			var s syscall.Statfs_t
			if !known || syscall.Statfs(path, &s) != nil || s.Blocks == 0 {
				return 0, 0, false
			}
			left := s.Bavail
			if os.Geteuid() == 0 {
				left = s.Bfree
			}
			return uint64(stat.Dev), int64(left) * int64(s.Bsize), true //nolint:gosec,unconvert // the types differ by system
		}
		parent := filepath.Dir(path)
		if parent == path {
			return 0, 0, false
		}
		path = parent
	}
}
