package render

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

// swapping puts a link in the place of a file between its check and its opening.
type swapping struct {
	fs.FS
	dir, name, to string
}

func (s swapping) Open(name string) (fs.File, error) {
	if name == s.name {
		path := filepath.Join(s.dir, name)
		if err := os.Remove(path); err != nil {
			return nil, err
		}
		if err := os.Symlink(s.to, path); err != nil {
			return nil, err
		}
	}
	return s.FS.Open(name)
}

func TestFileSwappedForALink(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("of another tenant"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, to := range []string{secret, "/dev/zero"} {
		for _, name := range []string{"values.yaml", ".helmignore"} {
			dir := t.TempDir()
			for file, text := range map[string]string{"Chart.yaml": hostileChart, "values.yaml": "a: 1\n", ".helmignore": "x\n"} {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			_, err := LoadFS(swapping{os.DirFS(dir), dir, name, to})
			if err == nil || !strings.Contains(err.Error(), "replaced while it was read") {
				t.Errorf("%s for %s: %v", to, name, err)
			}
		}
	}
}

func TestHelmignore(t *testing.T) {
	chart := fstest.MapFS{"Chart.yaml": {Data: []byte(hostileChart)}}
	load := func(text string) error {
		chart[".helmignore"] = &fstest.MapFile{Data: []byte(text)}
		_, err := LoadFS(chart)
		return err
	}
	for _, text := range []string{"!values.yaml\n", "*.yaml\n!Chart.yaml\n"} {
		if err := load(text); err == nil || !strings.Contains(err.Error(), ".helmignore: it leaves out Chart.yaml") {
			t.Errorf("%q: %v", text, err)
		}
	}
	if err := load("x\n\n**/y\n"); err == nil || !strings.Contains(err.Error(), ".helmignore:3") {
		t.Errorf("%v", err)
	}
}
