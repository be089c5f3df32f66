package main

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/fairlead-dev/fairlead/test/cluster/parts"
)

// folderPrefix is the prefix of every cluster's folder in os.TempDir.
const folderPrefix = "fairlead-cluster-"

// folder is the temporary folder of one cluster: certificates, kubeconfig, logs
// and etcd's data. Its lock file is locked as long as the cluster runs, so that a
// folder that is not locked belongs to a cluster that was killed.
type folder struct {
	path string
	lock *os.File
}

func newFolder() (*folder, error) {
	sweepFolders()
	path, err := os.MkdirTemp("", folderPrefix)
	if err != nil {
		return nil, fmt.Errorf("create a folder for the cluster: %w", err)
	}
	lock, err := os.Create(filepath.Join(path, "lock"))
	if err == nil {
		err = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	}
	if err != nil {
		os.RemoveAll(path)
		return nil, fmt.Errorf("lock the cluster's folder: %w", err)
	}
	return &folder{path: path, lock: lock}, nil
}

func (f *folder) file(name string) string { return filepath.Join(f.path, name) }

// remove deletes the folder.
func (f *folder) remove() error {
	err := parts.RemoveFolder(f.path)
	f.lock.Close()
	return err
}

// sweepFolders deletes the folders of clusters that were killed together with
// all of their parts. A folder younger than a minute without a lock file may just
// be created by another process.
func sweepFolders() {
	paths, err := filepath.Glob(filepath.Join(os.TempDir(), folderPrefix+"*"))
	if err != nil {
		return
	}
	for _, path := range paths {
		lock, err := os.Open(filepath.Join(path, "lock"))
		if err != nil {
			if info, err := os.Stat(path); err == nil && time.Since(info.ModTime()) > time.Minute {
				os.RemoveAll(path)
			}
			continue
		}
		if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			if info, err := lock.Stat(); err == nil && time.Since(info.ModTime()) > time.Second {
				os.RemoveAll(path)
			}
		}
		lock.Close()
	}
}
