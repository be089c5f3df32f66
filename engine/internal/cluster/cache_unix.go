//go:build unix

package cluster

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// ownOnly returns an error for what is not this user's, or what others may write to.
func ownOnly(name string, info fs.FileInfo) error {
	if stat, ok := info.Sys().(*syscall.Stat_t); !ok || int(stat.Uid) != os.Geteuid() {
		return fmt.Errorf("%s belongs to another user", name)
	}
	if info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("%s can be written by other users (mode %v)", name, info.Mode().Perm())
	}
	return nil
}
