package testcluster

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
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

// target is one of the programs that test/cluster is built into: the cluster
// itself or, with a version such as "1.34", the control plane of that version.
type target struct{ version string }

func (t target) String() string {
	if t.version == "" {
		return "the test cluster"
	}
	return "the control plane of Kubernetes " + t.version
}

// source is the package to build, in dir.
func (t target) source() string {
	if t.version == "" {
		return "."
	}
	return "./" + controlPlaneDir
}

// modFile is the module file to build with.
func (t target) modFile(dir string) string {
	if t.version == "" {
		return filepath.Join(dir, "go.mod")
	}
	return filepath.Join(dir, versionsDir, t.version+".mod")
}

// The folders of test/cluster that are for control planes of other versions
// alone, and the one that those and the cluster are built from.
const (
	controlPlaneDir = "controlplane"
	versionsDir     = "versions"
	partsDir        = "parts"
)

// Versions are the other versions of Kubernetes, besides that of the test cluster
// itself, of which there is a control plane, oldest first.
func Versions() ([]string, error) {
	dir, err := sourceDir()
	if err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(dir, versionsDir, "*.mod"))
	if err != nil {
		return nil, fmt.Errorf("list the versions of the test cluster: %w", err)
	}
	for i, file := range files {
		files[i] = strings.TrimSuffix(filepath.Base(file), ".mod")
	}
	return files, nil
}

// KubernetesVersion is the whole version of the control plane of a minor version:
// "v1.34.2" for "1.34". That of the test cluster itself is that of "".
func KubernetesVersion(version string) (string, error) {
	dir, err := sourceDir()
	if err != nil {
		return "", err
	}
	return target{version}.kubernetes(dir)
}

// hash identifies the program by its inputs: the sources, the pinned modules, Go's
// version and the platform. Documentation is not part of it.
func (t target) hash(dir string) (string, error) {
	sum := sha256.New()
	flags, err := t.linkerFlags(dir)
	if err != nil {
		return "", err
	}
	fmt.Fprintln(sum, runtime.Version(), runtime.GOOS, runtime.GOARCH, flags)
	err = filepath.WalkDir(dir, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, file)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		if !t.counts(name) {
			return nil
		}
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		fmt.Fprintln(sum, name, len(data))
		sum.Write(data) // never fails
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("hash the sources of %s: %w", t, err)
	}
	return hex.EncodeToString(sum.Sum(nil))[:16], nil
}

// counts reports whether a file, by its path in test/cluster, is a source of the
// target.
func (t target) counts(name string) bool {
	folder, _, nested := strings.Cut(name, "/")
	own := nested && (folder == controlPlaneDir || folder == versionsDir)
	if t.version != "" {
		if folder == versionsDir {
			base := path.Base(name)
			return base == t.version+".mod" || base == t.version+".sum"
		}
		own = !nested || folder != controlPlaneDir && folder != partsDir
	}
	if own {
		return false
	}
	switch path.Ext(name) {
	case ".go":
		return !strings.HasSuffix(name, "_test.go")
	case ".mod", ".sum", ".yaml":
		return true
	}
	return false
}

// kubernetes is the version that the module file requires, such as "v1.34.2".
func (t target) kubernetes(dir string) (string, error) {
	text, err := os.ReadFile(t.modFile(dir))
	if err != nil {
		return "", fmt.Errorf("find the version of Kubernetes: %w", err)
	}
	m := requiredKubernetes.FindStringSubmatch(string(text))
	if m == nil {
		return "", fmt.Errorf("find the version of Kubernetes: %s requires none", t.modFile(dir))
	}
	return m[1], nil
}

// linkerFlags set the version of the API server, as Kubernetes' release scripts
// do, because charts check it; and omit debug information, so that linking is
// faster and the file a third smaller.
func (t target) linkerFlags(dir string) (string, error) {
	version, err := t.kubernetes(dir)
	if err != nil {
		return "", err
	}
	numbers := strings.Split(version[1:], ".")
	const v = "k8s.io/component-base/version."
	return fmt.Sprintf("-s -w -X %sgitVersion=%s -X %sgitMajor=%s -X %sgitMinor=%s", v, version, v, numbers[0], v, numbers[1]), nil
}

var requiredKubernetes = regexp.MustCompile(`(?m)^\s*k8s\.io/kubernetes (v\d+\.\d+\.\d+\S*)$`)

// ErrNotBuilt is returned by Start and Binary if the binary of the test cluster
// has not been built from its current sources.
var ErrNotBuilt = errors.New("the test cluster is not built; run: make cluster-build (the first time it takes about ten minutes, later seconds)")

// Binary returns the path of the built binary, or ErrNotBuilt.
func Binary() (string, error) {
	dir, err := sourceDir()
	if err != nil {
		return "", err
	}
	binary, err := target{}.path(dir)
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(binary); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return "", ErrNotBuilt
		}
		return "", fmt.Errorf("find the test cluster: %w", err)
	}
	return binary, nil
}

// The prefixes of the binaries in the cache folder.
const (
	binaryPrefix       = "cluster-"
	controlPlanePrefix = "controlplane-"
)

// path is where the built program is, or would be.
func (t target) path(dir string) (string, error) {
	hash, err := t.hash(dir)
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the test cluster: %w", err)
	}
	name := binaryPrefix + hash
	if t.version != "" {
		name = controlPlanePrefix + t.version + "-" + hash
	}
	return filepath.Join(cache, "fairlead", name), nil
}
