//go:build linux

package hostile

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/fairlead-dev/fairlead/charts"
)

func TestLocalFiles(t *testing.T) { Run(t, localFiles()) }

// localFiles lists references and directories that never end, block, or lead
// elsewhere.
func localFiles() []Case {
	typed := func(err error) bool { return errors.As(err, new(*charts.LoadError)) }
	var cases []Case
	add := func(name string, prepare func(dir string) (ref string, err error)) {
		for linked, opts := range map[string]charts.LoadOptions{"": {Dependencies: true}, ", links followed": {Dependencies: true, LinkRoot: os.TempDir()}} {
			cases = append(cases, Case{Name: name + linked, Typed: typed, Always: linked == "", Run: func(ctx context.Context) error {
				dir, err := os.MkdirTemp("", "hostile-")
				if err != nil {
					return err
				}
				defer os.RemoveAll(dir)
				if err := os.WriteFile(filepath.Join(dir, "Chart.yaml"), []byte("apiVersion: v2\nname: web\nversion: 1.0.0\n"), 0o600); err != nil {
					return err
				}
				ref, err := prepare(dir)
				if err != nil {
					return err
				}
				if _, err = charts.Load(ctx, ref, opts); err == nil {
					return errors.New("it is loaded")
				}
				return err
			}})
		}
	}
	for _, device := range []string{"/dev/zero", "/dev/random", "/dev/full", "/proc/self/mem"} {
		add("reference to "+device, func(string) (string, error) { return device, nil })
		add("dependency on "+device, func(dir string) (string, error) {
			about := "apiVersion: v2\nname: web\nversion: 1.0.0\ndependencies:\n- {name: x, version: '*', repository: 'file://" + device + "'}\n"
			return dir, os.WriteFile(filepath.Join(dir, "Chart.yaml"), []byte(about), 0o600)
		})
		for _, name := range []string{".helmignore", "values.yaml", "values.schema.json", "Chart.lock", "README.md"} {
			add(name+" linked to "+device, func(dir string) (string, error) { return dir, os.Symlink(device, filepath.Join(dir, name)) })
		}
	}
	for _, name := range []string{".helmignore", "values.yaml", "x.tgz"} {
		add("pipe as "+name, func(dir string) (string, error) {
			path := filepath.Join(dir, name)
			if err := syscall.Mkfifo(path, 0o600); err != nil {
				return "", err
			}
			if strings.HasSuffix(name, ".tgz") {
				return path, nil
			}
			return dir, nil
		})
	}
	for _, size := range []int64{1 << 30, 1 << 40} {
		add(fmt.Sprintf("sparse file of %d GiB", size>>30), func(dir string) (string, error) {
			path := filepath.Join(dir, "x.tgz")
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				return "", err
			}
			return path, os.Truncate(path, size)
		})
		add(fmt.Sprintf("sparse values of %d GiB", size>>30), func(dir string) (string, error) {
			path := filepath.Join(dir, "values.yaml")
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				return "", err
			}
			return dir, os.Truncate(path, size)
		})
	}
	add("links in a circle", func(dir string) (string, error) { return dir, os.Symlink(".", filepath.Join(dir, "templates")) })
	slices.SortFunc(cases, func(a, b Case) int { return strings.Compare(a.Name, b.Name) })
	return cases
}
