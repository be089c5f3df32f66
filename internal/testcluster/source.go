package testcluster

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
)

const modulePath = "github.com/fairlead-dev/fairlead"

// sourceDir returns the folder test/cluster of the repository that this package
// was compiled from or, with -trimpath, of the one that contains the working
// directory.
func sourceDir() (string, error) {
	var starts []string
	if _, file, _, ok := runtime.Caller(0); ok && filepath.IsAbs(file) {
		starts = append(starts, filepath.Dir(file))
	}
	if wd, err := os.Getwd(); err == nil {
		starts = append(starts, wd)
	}
	for _, dir := range starts {
		for ; ; dir = filepath.Dir(dir) {
			if isRoot(dir) {
				return filepath.Join(dir, "test", "cluster"), nil
			}
			if dir == filepath.Dir(dir) {
				break
			}
		}
	}
	return "", fmt.Errorf("find the sources of the test cluster: no folder above %s is the module %s", strings.Join(starts, " or "), modulePath)
}

func isRoot(dir string) bool {
	data, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		return false
	}
	line, _, _ := strings.Cut(string(data), "\n")
	return strings.TrimSpace(line) == "module "+modulePath
}

// sourceHash identifies the binary by its inputs: the sources, the pinned
// modules, Go's version and the platform. Documentation is not part of it.
func sourceHash(dir string) (string, error) {
	sum := sha256.New()
	flags, err := linkerFlags(dir)
	if err != nil {
		return "", err
	}
	fmt.Fprintln(sum, runtime.Version(), runtime.GOOS, runtime.GOARCH, flags)
	err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !counts(path) {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		defer file.Close()
		info, err := file.Stat()
		if err != nil {
			return err
		}
		fmt.Fprintln(sum, filepath.ToSlash(name), info.Size())
		_, err = io.Copy(sum, file)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("hash the sources of the test cluster: %w", err)
	}
	return hex.EncodeToString(sum.Sum(nil))[:16], nil
}

// linkerFlags set the version of the API server, as Kubernetes' release scripts
// do, because charts check it; and omit debug information, so that linking is
// faster and the file a third smaller.
func linkerFlags(dir string) (string, error) {
	text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		return "", fmt.Errorf("find the version of Kubernetes: %w", err)
	}
	m := requiredKubernetes.FindStringSubmatch(string(text))
	if m == nil {
		return "", fmt.Errorf("find the version of Kubernetes: %s requires none", filepath.Join(dir, "go.mod"))
	}
	const v = "k8s.io/component-base/version."
	return fmt.Sprintf("-s -w -X %sgitVersion=%s -X %sgitMajor=%s -X %sgitMinor=%s", v, m[1], v, m[2], v, m[3]), nil
}

var requiredKubernetes = regexp.MustCompile(`(?m)^\s*k8s\.io/kubernetes (v(\d+)\.(\d+)\.\d+)$`)

func counts(path string) bool {
	switch filepath.Ext(path) {
	case ".go":
		return !strings.HasSuffix(path, "_test.go")
	case ".mod", ".sum", ".yaml":
		return true
	}
	return false
}

// ErrNotBuilt is returned by Start and Binary if the binary of the test cluster
// has not been built from its current sources.
var ErrNotBuilt = errors.New("the test cluster is not built; run: make cluster-build (the first time it takes about ten minutes, later seconds)")

// Binary returns the path of the built binary, or ErrNotBuilt.
func Binary() (string, error) {
	dir, err := sourceDir()
	if err != nil {
		return "", err
	}
	path, err := binaryPath(dir)
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(path); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return "", ErrNotBuilt
		}
		return "", fmt.Errorf("find the test cluster: %w", err)
	}
	return path, nil
}

// binaryPrefix is the prefix of the binaries in the cache folder.
const binaryPrefix = "cluster-"

func binaryPath(dir string) (string, error) {
	hash, err := sourceHash(dir)
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the test cluster: %w", err)
	}
	return filepath.Join(cache, "fairlead", binaryPrefix+hash), nil
}
