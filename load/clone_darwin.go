package load

import "golang.org/x/sys/unix"

// cloneFile makes a file that shares the blocks of another one until either is written to, as APFS can.
func cloneFile(from, to string) error { return unix.Clonefile(from, to, unix.CLONE_NOFOLLOW) }
